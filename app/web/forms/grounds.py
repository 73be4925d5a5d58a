"""The ground of transparent pictures, as a part of forms that upload some."""

from app.grounds import TransparentPicture, ground_of
from app.web.forms.form import Form, Text, Texts

OWN = "own"  # instead of a colour: the one in `ground_colour`


class GroundForm(Form):
    """Which pictures wait for a ground, and the answer, by one of several buttons."""

    waiting: Texts = ()  # as `TransparentPicture.text`
    ground: Text = ""
    ground_colour: Text = ""

    @property
    def colour(self) -> str:
        """The answer, as "#rrggbb"; "" if there is none yet. Raises Invalid."""
        return ground_of(self.ground_colour if self.ground == OWN else self.ground)

    @property
    def asked(self) -> list[TransparentPicture]:
        """The pictures that wait."""
        return [waiting for text in self.waiting if (waiting := TransparentPicture.read(text))]
