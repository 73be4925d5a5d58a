"""Forms of the review room and its settings."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from pydantic import Field

from app.languages import N_
from app.reviews.scoping import Scope
from app.styles.queries import normal_code
from app.text import decimal_number, whole_number
from app.web.forms.form import Form, Number, Numbers, Text
from app.web.templating import inner_path


def scope_of(query: Mapping[str, str]) -> Scope:
    """Read `set`, `style`, `campaign`, `owner` and the order from an address, ignoring invalid numbers."""

    def number(name: str) -> int | None:
        return whole_number(query.get(name, ""))

    code = query.get("style", "")
    limits = number("set"), normal_code(code) if code else "", number("campaign"), number("owner")
    return Scope(*limits, flagged_first=query.get("first") == "flagged")


class RoomForm(Form):
    """A form of the review room, with its address's query, or of another page, with that page's path."""

    scope_query: Text = Field(default="", alias="scope")
    source: Text = Field(default="", alias="from")

    @property
    def scope(self) -> Scope:
        """The pictures of the review."""
        return scope_of(dict(parse_qsl(self.scope_query)))

    @property
    def back(self) -> str:
        """The page outside the room; "" if there is none."""
        return inner_path(self.source) if self.source else ""


class CommentForm(RoomForm):
    """A comment, on a point of the picture or the whole."""

    body: Text = Field(default="", title=N_("Comment"))
    left: Text = Field(default="", alias="x")  # of the pin, as fractions of the picture's sides
    top: Text = Field(default="", alias="y")

    @property
    def pin(self) -> tuple[float | None, float | None]:
        return _fraction(self.left), _fraction(self.top)


class DecisionForm(CommentForm):
    """A decision, with any unsent comment; `seen` is the latest decision that its page showed."""

    verdict: Text = ""
    reason: Text = ""
    seen: Number = None


class PlaceForm(RoomForm):
    """An act from a picture that is open in the room."""

    image: Number = None


class ReplyForm(PlaceForm):
    body: Text = Field(default="", title=N_("Reply"))


class EditForm(PlaceForm):
    """The new words of a comment."""

    body: Text = Field(default="", title=N_("Comment"))


class MentionsForm(RoomForm):
    """Comments that mention the person and that a page has shown."""

    ids: Numbers = ()


class ReasonForm(Form):
    words: Text = ""


class ReasonMoveForm(Form):
    to: Text = ""  # "up" or "down"


class ApprovalsForm(Form):
    approvals: Number = None


class FourEyesForm(Form):
    on: Text = ""


def _fraction(written: str) -> float | None:
    """Parse a fraction; None if empty. An invalid number becomes a point outside the picture."""
    if not written:
        return None
    try:
        return decimal_number(written)
    except ValueError:
        return -1.0
