"""Measures of finished pictures and of sets: computed in the background, stored, and read by pages."""
