"""Parse what people enter about a person: its stored form, and what is wrong with it."""

import re

from app.errors import Invalid
from app.languages import gettext as _
from app.models import Role
from app.text import clean_line, normalized

NAME_MAX, EMAIL_MAX = 80, 254  # characters


def parse_role(role: str) -> Role:
    """Parse `role` as a Role. Raises Invalid."""
    try:
        return Role(role)
    except ValueError:
        raise Invalid(
            "role",
            _("The role must be one of %(roles)s; %(role)s was given.", roles=", ".join(Role), role=repr(role)),
        ) from None


def normal_email(email: str) -> str:
    """Normalise an e-mail address for storage and lookup.

    Full-width letters of an input method, capitals, and the root's dot mean the same mailbox.
    """
    return normalized("NFKC", clean_line(email)).lower().replace("。", ".").removesuffix(".")


def is_plain_email(email: str) -> bool:
    """Whether an address is already in its stored form, except for capitals.

    An address from another program, not typed on a keyboard, must not become someone else's by looking alike.
    """
    return email.isascii() or normal_email(email) == email.lower()


def name_error(name: str) -> str | None:
    if 1 <= len(name) <= NAME_MAX:
        return None
    return (
        _("Enter your name, at most %(most)s characters.", most=NAME_MAX)
        if name
        else _("Enter your name, so that others recognise you.")
    )


def email_error(email: str) -> str | None:
    if len(email) <= EMAIL_MAX and re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        return None
    if email:
        return _("Enter an e-mail address such as haruka@example.com; %(given)s was given.", given=repr(email[:80]))
    return _("Enter an e-mail address such as haruka@example.com.")
