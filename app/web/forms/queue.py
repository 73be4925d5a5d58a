"""Forms of the queue."""

from pydantic import Field

from app.web.forms.form import Form, Text


class PauseForm(Form):
    """A pause of the whole queue."""

    reason: Text = ""


class PlaceInQueueForm(Form):
    to: Text = ""  # "top", "up", "down", or what follows, such as "set-5"


class BackForm(Form):
    """An act from a page to return to."""

    source: Text = Field(default="", alias="from")
