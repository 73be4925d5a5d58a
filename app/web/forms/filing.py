"""Forms that rename and move things."""

from app.web.forms.form import Text
from app.web.forms.queue import BackForm


class NameForm(BackForm):
    name: Text = ""


class MoveSetForm(BackForm):
    campaign_name: Text = ""
