"""The second step after a password: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for a lost app.

A code is accepted in its own 30 seconds and the ones before and after, and never twice: the latest step is stored.
Secrets are encrypted, recovery codes hashed.
"""

import hmac
import io
import re
import secrets
import time
import unicodedata

import pyotp
import segno
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, joinedload

from app.accounts import queries
from app.accounts.people import need_admin
from app.accounts.queries import token_hash
from app.accounts.sessions import end_all_sessions
from app.accounts.typed import normal_email
from app.accounts.vault import Vault
from app.audit.service import record
from app.errors import Conflict, Invalid, NotFound
from app.languages import gettext as _
from app.models import Act, AuditEvent, Authenticator, Identity, Passkey, RecoveryCode, User, now
from app.text import normalized

SECONDS = 30
CODES, CODE_LETTERS = 10, 16  # 80 bits: too many to try against a stolen hash
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # without look-alikes
TYPED_MAX = 40
APP = "authenticator app"


def has_app(session: Session, user: User) -> bool:
    return _app_of(session, user) is not None


def let_in(session: Session, user: User) -> User:
    """Look up again a person whose password alone was right a moment ago.

    Raises Invalid if the password was changed, the account deactivated or an app added since: hashing takes time, after
    a possible wait in the queue.
    """
    person = queries.person(session, user.id)
    if not person.active or person.password_hash != user.password_hash or has_app(session, person):
        raise Invalid("password", _("Your account changed while you were signing in. Try again."))
    return person


def new_secret() -> str:
    """160 random bits, in base 32."""
    return pyotp.random_base32()


def qr(secret: str, user: User) -> str:
    """The code for an authenticator app to scan, as SVG without styles or scripts."""
    uri = pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name="Soroe")
    written = io.BytesIO()
    # Without a size, so that the page can scale it.
    segno.make(uri, error="m").save(
        written, kind="svg", xmldecl=False, omitsize=True, border=4, light="#fff", title=_("QR code")
    )
    return written.getvalue().decode()


def enable(session: Session, user: User, vault: Vault, secret: str, code: str) -> list[str]:
    """Require codes of the app with `secret` from now on, if `code` proves it; returns the recovery codes.

    Raises Invalid, and Conflict if the person already has an app.
    """
    if has_app(session, user):
        raise Conflict(_("You already have an authenticator app. Remove it first."))
    step = _step(secret, _tidy(code), after=0)
    if step is None:
        raise Invalid("code", _("This code does not match. Check your phone’s clock, then try again."))
    session.add(Authenticator(user_id=user.id, secret=vault.seal(secret), last_step=step))
    record(session, user, Act.FACTOR_ADD, user, kind=APP)
    return new_codes(session, user)


def new_codes(session: Session, user: User) -> list[str]:
    """Replace the recovery codes with ten new ones. Only their hashes are stored."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    codes = ["".join(secrets.choice(ALPHABET) for _ in range(CODE_LETTERS)) for _ in range(CODES)]
    session.add_all(RecoveryCode(user_id=user.id, code_hash=token_hash(code)) for code in codes)
    record(session, user, Act.RECOVERY_CODES, user, codes=CODES)
    return ["-".join(re.findall("....", code)) for code in codes]


def codes_left(session: Session, user: User) -> int:
    counted = select(func.count()).select_from(RecoveryCode)
    return session.scalar(counted.where(RecoveryCode.user_id == user.id, RecoveryCode.used_at.is_(None))) or 0


def check(session: Session, user: User, vault: Vault, typed: str) -> str:
    """Use up a code of the app or a recovery code, and return which it was. Raises Invalid."""
    app, code = _app_of(session, user), _tidy(typed)
    secret = vault.open(app.secret) if app else None
    if app and secret and (step := _step(secret, code, app.last_step)) is not None:
        app.last_step = step
        return APP
    wanted = select(RecoveryCode).filter_by(user_id=user.id, code_hash=token_hash(code), used_at=None)
    if len(code) == CODE_LETTERS and (found := session.scalar(wanted)):
        found.used_at = now()
        return "recovery code"
    raise Invalid("code", _("This code is wrong or already used. Wait for the next one, then try again."))


def remove(session: Session, user: User) -> None:
    """Stop asking `user` for codes."""
    if _remove_app(session, user):
        record(session, user, Act.FACTOR_REMOVE, user, kind=APP)


def reset(session: Session, by: User | None, person: User) -> list[str]:
    """Remove every way to sign in except the password: app, recovery codes, passkeys, provider links, and all sessions.

    For someone who has lost them, or when a provider's account now belongs to another person. By an administrator, or
    by the command line (None). Returns what was removed; `told_of_reset` tells the person.
    """
    if by is not None:
        need_admin(by)
    removed = [APP] if _remove_app(session, person) else []
    passkeys = session.execute(delete(Passkey).where(Passkey.user_id == person.id).returning(Passkey.id)).all()
    removed += ["passkeys"] if passkeys else []
    links = session.execute(delete(Identity).where(Identity.user_id == person.id).returning(Identity.id)).all()
    removed += ["link to the sign-in provider"] if links else []
    if removed:
        record(session, by, Act.FACTOR_RESET, person, removed=removed)
        end_all_sessions(session, by, person)
    return removed


def told_of_reset(session: Session, user: User) -> AuditEvent | None:
    """The last time someone else reset `user`'s second step, for their account page."""
    wanted = select(AuditEvent).filter_by(act=Act.FACTOR_RESET, subject=User.__tablename__, subject_id=user.id)
    return session.scalar(wanted.options(joinedload(AuditEvent.user)).order_by(AuditEvent.id.desc()).limit(1))


def reset_by_id(session: Session, admin: User, person_id: int) -> tuple[User, list[str]]:
    """Reset by id, for the administrators' page."""
    person = queries.person(session, person_id)
    return person, reset(session, admin, person)


def reset_by_operator(session: Session, email: str) -> tuple[User, list[str]]:
    """Reset by e-mail, from the command line. Raises NotFound."""
    person = session.scalar(select(User).where(User.email == normal_email(email)))
    if not person:
        raise NotFound(_("No account here has the e-mail %(email)s.", email=normal_email(email)[:80]))
    return person, reset(session, None, person)


def _remove_app(session: Session, user: User) -> bool:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    gone = session.execute(delete(Authenticator).where(Authenticator.user_id == user.id).returning(Authenticator.id))
    return bool(gone.all())


def _app_of(session: Session, user: User) -> Authenticator | None:
    return session.scalar(select(Authenticator).filter_by(user_id=user.id))


def _tidy(typed: str) -> str:
    """Strip separators from a code, and normalise digits of any keyboard: １２３ and ١٢٣ are 123."""
    plain = normalized("NFKC", typed[:TYPED_MAX]).lower()
    return "".join(str(unicodedata.digit(sign, sign)) for sign in plain if sign.isalnum())


def _step(secret: str, code: str, after: int) -> int | None:
    """The current or adjacent step with this code, if it is later than `after`."""
    present, totp = int(time.time()) // SECONDS, pyotp.TOTP(secret)
    steps = [step for step in (present - 1, present, present + 1) if step > after]
    right = [step for step in steps if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode())]
    return right[0] if right else None
