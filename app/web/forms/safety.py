"""The form that clears a flagged picture."""

from app.web.forms.form import Form, Text


class SafetyForm(Form):
    reason: Text = ""
