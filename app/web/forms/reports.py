"""Forms of reports."""

from app.web.forms.form import Form, Text


class ReportForm(Form):
    """What is wrong with a picture; `back` is the page to return to."""

    kind: Text = ""
    words: Text = ""
    back: Text = ""


class ReportDecisionForm(Form):
    outcome: Text = ""
    reason: Text = ""
