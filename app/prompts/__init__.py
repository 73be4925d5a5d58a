"""What a model reads of a text: which words it knows, where it stops, and how a style's text is kept.

Needs the `tokenizers` wheel, and neither torch nor a model's weights, so that pages can say it before anything runs.
"""
