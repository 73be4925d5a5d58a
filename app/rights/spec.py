"""The fields of the form that records rights."""

import re
from datetime import date
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from app.languages import N_
from app.languages import gettext as _
from app.specs import Line, Spec
from app.text import clean_line, clean_text

LONG = 2000  # characters
REASON_LONG = 500
# Who may use the likeness of a real person, besides the named people.
USERS = {
    "": N_("Everyone"),
    "reviewer": N_("Reviewers and above"),
    "manager": N_("Managers"),
    "named": N_("Only the named people"),
}


def _day(value: object) -> object:
    try:
        return date.fromisoformat(value.strip()) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(_("Write a date as 2026-12-31; %(given)s was given.", given=repr(str(value)[:40]))) from None


def _address(value: object) -> object:
    """Accept only what a browser opens as a page: everyone sees the link."""
    text = clean_line(value) if isinstance(value, str) else ""
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(
            _("The source link begins with https:// or http://; %(given)s was given.", given=repr(text[:80]))
        )
    return text


def _text(value: object) -> object:
    return clean_text(value) if isinstance(value, str) else value


def _users(value: object) -> object:
    """One of USERS."""
    if value not in USERS:
        raise ValueError(_("Choose who may use it from the list."))
    return value


def _addresses(value: object) -> object:
    """E-mail addresses, separated by commas, spaces or lines, in their usual form."""
    found = re.split(r"[\s,;、，]+", clean_text(value)) if isinstance(value, str) else []
    return ", ".join(dict.fromkeys(each.lower() for each in found if each))


Day = Annotated[date | None, BeforeValidator(_day)]
Text = Annotated[str, BeforeValidator(_text)]


class RightsSpec(Spec):
    """The rights to a reference, as someone records them."""

    supplied_by: Line = Field(default="", title=N_("Supplied by"), max_length=200)
    owned_by: Line = Field(title=N_("Owned by"), min_length=1, max_length=200)
    licence: Line = Field(title=N_("Licence"), min_length=1, max_length=200)
    allows: Text = Field(default="", title=N_("What it allows"), max_length=LONG)
    territory: Line = Field(default="", title=N_("Territory"), max_length=200)
    valid_from: Day = Field(default=None, title=N_("From"))
    valid_until: Day = Field(default=None, title=N_("Until"))
    source_url: Annotated[str, BeforeValidator(_address)] = Field(default="", title=N_("Source link"), max_length=LONG)
    note: Text = Field(default="", title=N_("Note"), max_length=LONG)
    person: Line = Field(default="", title=N_("Real person"), max_length=200)
    consent: Line = Field(default="", title=N_("Consent"), max_length=200)
    consent_scope: Text = Field(default="", title=N_("What the consent covers"), max_length=LONG)
    consent_from: Day = Field(default=None, title=N_("Consent from"))
    consent_until: Day = Field(default=None, title=N_("Consent until"))
    person_for: Annotated[str, BeforeValidator(_users)] = Field(default="", title=N_("Who may use it"))
    person_users: Annotated[str, BeforeValidator(_addresses)] = Field(
        default="", title=N_("Named people"), max_length=LONG
    )


class Reason(Spec):
    reason: Line = Field(title=N_("The reason"), min_length=1, max_length=REASON_LONG)
