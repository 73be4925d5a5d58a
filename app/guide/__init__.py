"""The guide by doing: its pages, the exercises that open the real forms, and what every setting does.

The prose is in `templates/guide/<language>/`, one file a page and language; here is what they share.
"""
