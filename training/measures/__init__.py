"""Measures of a trained model: how often its samples match their prompts, and the figures of its card."""
