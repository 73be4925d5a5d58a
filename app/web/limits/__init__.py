"""Limits on requests: their heads, their bodies, how often something is tried, how much runs at once."""
