"""What bounds requests: their heads, their bodies, how often something is tried, how much at once."""
