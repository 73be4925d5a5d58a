"""Blind tests: two sides compared pair by pair, without knowing which is which, and no result before the end."""
