"""Forms of the usage policy."""

from app.web.forms.form import Form, Number, Text, Ticked


class PolicyForm(Form):
    """A new version; `seen` is the number of the one that the form started from."""

    english: Text = ""
    japanese: Text = ""
    note: Text = ""
    correction: Ticked = False
    seen: Number = None


class PolicyEndForm(Form):
    seen: Number = None


class AcceptForm(Form):
    """Accept the version that was read."""

    number: Number = None
    read: Text = ""  # the language of the text
    next: Text = ""
