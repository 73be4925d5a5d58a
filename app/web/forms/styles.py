"""Forms of styles, and of references and their rights."""

from app.web.forms.form import File, Form, Number, Text, Ticked


class StyleForm(Form):
    """A new style or the next version of one; `style` is the latter's code while its picture is uploaded."""

    name: Text = ""
    text: Text = ""
    reference_prompt: Text = ""
    method: Text = ""
    strength: Text = ""
    scale: Text = ""
    share_group_norm: Ticked = False
    adain_values: Ticked = False
    crop_x: Text = ""
    crop_y: Text = ""
    crop_width: Text = ""
    crop_height: Text = ""
    reference_id: Text = ""
    style: Text = ""
    picture: File = None


class RightsForm(Form):
    """The rights to a reference; `seen` is the record that the form started from."""

    supplied_by: Text = ""
    owned_by: Text = ""
    licence: Text = ""
    allows: Text = ""
    territory: Text = ""
    valid_from: Text = ""
    valid_until: Text = ""
    source_url: Text = ""
    note: Text = ""
    seen: Number = None


class RightsTurnForm(Form):
    """Withdraw or restore rights."""

    reason: Text = ""
    seen: Number = None


class RightsFileForm(Form):
    file: File = None
