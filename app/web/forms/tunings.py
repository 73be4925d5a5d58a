"""The forms of a tuning, and of the setting that is taken from it."""

from pydantic import Field

from app.web.forms.form import Form, Number, Text, Texts
from app.web.forms.sets import SetForm


class TuningForm(SetForm):
    """What a set would have, and what is tried."""

    layers: Texts = ()  # besides the style's: keys of `app.sets.tunings.layers_choices`
    back: Text = Field(default="", alias="from")  # the form of a set that takes the setting


class TakenForm(Form):
    setting: Number = None  # its number
    back: Text = Field(default="", alias="from")
