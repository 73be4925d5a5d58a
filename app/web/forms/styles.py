"""Forms of styles, and of references and their rights."""

from app.web.forms.drafts import FileForm
from app.web.forms.form import File, Form, Number, Text, Ticked
from app.web.forms.grounds import GroundForm


class StyleForm(GroundForm):
    """A new style or the next version of one; `style` is the latter's code while its picture is uploaded."""

    name: Text = ""
    text: Text = ""
    reference_prompt: Text = ""
    drawn_as: Text = ""  # what is drawn for texts in Japanese, as corrected, as JSON
    method: Text = ""
    strength: Text = ""
    scale: Text = ""
    share_group_norm: Ticked = False
    adain_values: Ticked = False
    preset: Text = ""
    layers: Text = ""
    layer_count: Text = ""
    calibration: Text = ""
    calibration_start: Text = ""
    calibration_end: Text = ""
    reference_queries: Text = ""
    subject_attention: Text = ""
    blend: Text = ""
    crop_x: Text = ""
    crop_y: Text = ""
    crop_width: Text = ""
    crop_height: Text = ""
    reference_id: Text = ""
    style: Text = ""
    picture: File = None
    sample: Text = ""  # a sample reference, as long as there is no other picture
    guide: Text = ""  # the page of the guide whose exercise continues with this style


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
    person: Text = ""
    consent: Text = ""
    consent_scope: Text = ""
    consent_from: Text = ""
    consent_until: Text = ""
    person_for: Text = ""
    person_users: Text = ""
    seen: Number = None


class RightsTurnForm(Form):
    """Withdraw or restore rights."""

    reason: Text = ""
    seen: Number = None


class RightsFileForm(FileForm):
    """A licence or consent."""
