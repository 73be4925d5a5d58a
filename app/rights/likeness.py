"""Real people whom references show: their consent, and who may use their likeness.

A reference whose record names a person needs that person's consent, which has days of its own. Without it, or outside
of its days, nothing new is made from the reference, and pictures from it are in no new export.
"""

from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Invalid
from app.languages import formats
from app.languages import gettext as _
from app.models import RightsRecord, Role, User
from app.rights.spec import RightsSpec

NAMED = "named"  # only the named people, see `app.rights.spec.USERS`

Days = tuple[date | None, date | None]


def check(session: Session, spec: RightsSpec) -> None:
    """What a record says of a real person fits together. Raises Invalid."""
    said = spec.consent or spec.consent_scope or spec.consent_from or spec.consent_until or spec.person_for
    Invalid.check(
        {
            "person": _("Name the person who consents, or leave the consent empty.")
            if not spec.person and (said or spec.person_users)
            else None,
            "consent_until": _("The consent would expire on %(day)s, before it starts.", day=spec.consent_until)
            if spec.consent_from and spec.consent_until and spec.consent_until < spec.consent_from
            else None,
            "person_users": _users_fault(session, spec),
        }
    )


def _users_fault(session: Session, spec: RightsSpec) -> str | None:
    named = addresses(spec)
    if spec.person_for == NAMED and not named:
        return _("Enter the e-mail addresses of those who may use it.")
    known = set(session.scalars(select(User.email).where(User.email.in_(named))))
    unknown = [each for each in named if each not in known]
    return _("There is no account with the address %(address)s.", address=unknown[0]) if unknown else None


def addresses(record: RightsRecord | RightsSpec) -> list[str]:
    """The addresses of the people who are named."""
    return [each for each in (record.person_users or "").split(", ") if each]


def may_use(user: User, record: RightsRecord | None) -> bool:
    """Whether `user` may use the likeness of the person whom a reference shows; True if it shows nobody."""
    if record is None or not record.person or user.email in addresses(record):
        return True
    return record.person_for != NAMED and (not record.person_for or user.can(Role(record.person_for)))


def only_others(record: RightsRecord, name: str) -> str:
    """That only others may use a likeness, and whom to ask."""
    said = {"name": name, "person": record.person}
    if record.person_for == Role.MANAGER:
        first = _("The reference %(name)s shows %(person)s, whose likeness only managers may use.", **said)
    elif record.person_for == Role.REVIEWER:
        first = _("The reference %(name)s shows %(person)s, whose likeness only reviewers may use.", **said)
    else:
        first = _("The reference %(name)s shows %(person)s, whose likeness only named people may use.", **said)
    return formats.sentences((first, _ask(record.made_by.name if record.made_by.active else "")))


def out_of_date(record: RightsRecord, name: str, day: str, whom: str, began: bool) -> str:
    """That a consent ended, or has not begun."""
    said = {"name": name, "person": record.person, "day": day}
    if began:
        first = _(
            "The consent of %(person)s for the reference %(name)s expired on %(day)s, so nothing new can be made from"
            " it.",
            **said,
        )
    else:
        first = _(
            "The consent of %(person)s for the reference %(name)s starts on %(day)s, so nothing can be made from it"
            " yet.",
            **said,
        )
    return formats.sentences((first, _ask(whom)))


def _ask(whom: str) -> str:
    return _("Ask %(whom)s or a manager about it.", whom=whom) if whom else _("Ask a manager about it.")


def days(record: RightsRecord) -> tuple[date | None, date | None, Days]:
    """The first and last day on which both rights and consent hold, and those of the two that the consent sets."""
    if not record.person:
        return record.valid_from, record.valid_until, (None, None)
    first = max(filter(None, (record.valid_from, record.consent_from)), default=None)
    last = min(filter(None, (record.valid_until, record.consent_until)), default=None)
    return (
        first,
        last,
        (
            first if first == record.consent_from else None,
            last if last == record.consent_until else None,
        ),
    )
