"""The form of a subject's real people."""

from app.web.forms.form import Form, Number


class LikenessForm(Form):
    """A reference whose rights name the person."""

    reference_id: Number = None
