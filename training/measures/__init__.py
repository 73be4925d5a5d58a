"""How good a trained model is: what it draws of what the prompts asked for, and the figures of its card."""
