"""Who may sign in through the company's provider, and with which role.

A person is identified by issuer and subject, never again by the e-mail address, which a company may reassign. An
existing account is linked by its address at the first such sign-in, if

- the provider, chosen by the operator, vouches for the address (`email_verified`, or the claim in the settings): an
  address that people can enter there themselves opens nothing;
- the account is active: deactivated ones stay so;
- it was never linked at this provider: a second person with the address does not get the first one's account.

With roles by group, the groups decide at every sign-in: a person in none is refused and loses their role. This includes
the last administrator, if a group makes administrators: the next person in that group becomes one again, and the server
prints a set-up link at start while there is none. If no group does, administrators are managed in Soroe.
"""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.oidc import Profile
from app.accounts.people import give_role
from app.accounts.sessions import end_all_sessions
from app.accounts.typed import EMAIL_MAX, NAME_MAX, email_error, is_plain_email, normal_email
from app.audit.service import record
from app.languages import gettext as _
from app.models import Act, Identity, Role, User, now
from app.settings import Settings
from app.text import clean_line

NO_PASSWORD = ""  # no password has this hash


@dataclass(frozen=True)
class Admission:
    """Who signed in, or a sentence on why nobody did. Roles lost with a group stay lost either way."""

    user: User | None
    refusal: str = ""


def admit(session: Session, settings: Settings, profile: Profile, **origin: str) -> Admission:
    """Find or make the account of a person signed in by the provider, with the role that their groups give today.

    `origin` says, for the audit log, where they came from.
    """
    name = settings.oidc_name
    identity = session.scalar(select(Identity).filter_by(issuer=profile.issuer, subject=profile.subject))
    if settings.oidc_role_of and profile.groups is None:
        return Admission(
            None, _("%(name)s lists you in too many groups to send them. Ask its administrator.", name=name)
        )
    role = role_by_groups(settings, profile)
    if settings.oidc_role_of and role is None:
        if identity:
            _fall(session, identity.user, settings)
            _note_refusal(session, identity.user, "no group", origin)
        return Admission(
            None,
            _(
                "None of your groups at %(name)s has access to Soroe. Ask an administrator to add you to one.",
                name=name,
            ),
        )
    if identity:
        return _known(session, settings, identity, role, origin)
    return _unknown(session, settings, profile, role, origin)


def role_by_groups(settings: Settings, profile: Profile) -> Role | None:
    """The highest role of the profile's groups; None without any."""
    found = [Role(role) for group, role in settings.oidc_role_of.items() if group in (profile.groups or ())]
    return max(found, key=lambda role: role.rank, default=None)


def of_person(session: Session, person: User) -> list[Identity]:
    """A person's accounts at providers."""
    return list(session.scalars(select(Identity).filter_by(user_id=person.id).order_by(Identity.id)))


def is_of(session: Session, profile: Profile, person: User) -> bool:
    """Whether the provider signed in this very person."""
    found = session.scalar(select(Identity).filter_by(issuer=profile.issuer, subject=profile.subject))
    return found is not None and found.user_id == person.id


def _known(
    session: Session, settings: Settings, identity: Identity, role: Role | None, origin: dict[str, str]
) -> Admission:
    user = identity.user
    if not user.active:
        return _closed(session, user, origin)
    if role:
        _give(session, settings, user, role)
    identity.used_at = now()
    return Admission(user)


def _unknown(
    session: Session, settings: Settings, profile: Profile, role: Role | None, origin: dict[str, str]
) -> Admission:
    name, email = settings.oidc_name, normal_email(profile.email)
    if not email or email_error(email) or len(profile.email) > EMAIL_MAX or not is_plain_email(profile.email):
        return Admission(
            None, _("%(name)s did not send your e-mail address, which Soroe needs. Ask an administrator.", name=name)
        )
    if not profile.verified:
        return Admission(
            None,
            _(
                "%(name)s has not verified your e-mail address %(email)s. Verify it there, then try again.",
                name=name,
                email=email,
            ),
        )
    user = session.scalar(select(User).filter_by(email=email))
    if user and not user.active:
        return _closed(session, user, origin)
    if user and session.scalar(select(Identity).filter_by(issuer=profile.issuer, user_id=user.id)):
        _note_refusal(session, user, "another sign-in has this address", origin)
        return Admission(
            None,
            _(
                "The account of %(email)s belongs to another person at %(name)s. "
                "Ask an administrator to remove its sign-in methods.",
                email=email,
                name=name,
            ),
        )
    if not user and not role:
        return Admission(
            None, _("There is no account for %(email)s here. Ask an administrator to invite you.", email=email)
        )
    if not user:
        user = User(name=_name(profile, email), email=email, role=role, password_hash=NO_PASSWORD)
        session.add(user)
        record(session, user, Act.ACCOUNT_CREATE, user, role=role, provider=name)
    elif role:
        _give(session, settings, user, role)
    session.add(Identity(user=user, issuer=profile.issuer, subject=profile.subject))
    record(session, user, Act.IDENTITY_LINK, user, provider=name, **origin)
    return Admission(user)


def _give(session: Session, settings: Settings, user: User, role: Role) -> None:
    if Role(user.role) is Role.ADMIN and not _makes_admins(settings):
        return
    give_role(session, None, user, role, provider=settings.oidc_name)


def _fall(session: Session, user: User, settings: Settings) -> None:
    """Lower the role of someone who lost all groups as far as possible, and sign them out everywhere."""
    _give(session, settings, user, Role.DESIGNER)
    end_all_sessions(session, None, user)


def _makes_admins(settings: Settings) -> bool:
    return Role.ADMIN in settings.oidc_role_of.values()


def _closed(session: Session, user: User, origin: dict[str, str]) -> Admission:
    _note_refusal(session, user, "closed account", origin)
    return Admission(
        None, _("The account %(email)s is deactivated. Ask an administrator to reactivate it.", email=user.email)
    )


def _note_refusal(session: Session, user: User, reason: str, origin: dict[str, str]) -> None:
    record(session, None, Act.SIGN_IN_REFUSED, user, reason=reason, **origin)


def _name(profile: Profile, email: str) -> str:
    return clean_line(profile.name)[:NAME_MAX].strip() or email.split("@")[0][:NAME_MAX]
