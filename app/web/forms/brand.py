"""The form of brand rules."""

from app.web.forms.form import Form, Numbers, Text


class BrandForm(Form):
    colours: Text = ""
    tolerance: Text = ""
    palette_share: Text = ""
    never: Text = ""
    never_tolerance: Text = ""
    background: Text = ""
    size_least: Text = ""
    size_most: Text = ""
    place_x: Text = ""
    place_y: Text = ""
    place_tolerance: Text = ""
    words: Text = ""
    checks: Numbers = ()
    note: Text = ""
    seen: Text = ""
    pictures: Text = ""
