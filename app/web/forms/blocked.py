"""Forms of the list of blocked words."""

from app.web.forms.form import File, Form, Text


class WordForm(Form):
    """A word or name."""

    name: Text = ""
    reason: Text = ""
    match: Text = ""  # "whole" or "part"
    who: Text = ""  # "nobody" or "managers"


class WordsForm(Form):
    """A list as CSV."""

    file: File = None
