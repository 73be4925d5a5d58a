"""Prompts in Japanese, in English for models that read nothing else: by a small dictionary, or by a model.

What is drawn is decided before anything runs, shown to the person who writes, and kept with the picture.
"""
