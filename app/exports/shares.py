"""Links for people without an account to download an export: with an end, an optional password, and a count."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import Field
from sqlalchemy.orm import Session

from app.accounts import authority, password_quality
from app.accounts.queries import token_hash
from app.accounts.service import passwords
from app.audit.service import record
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.exports import endings, queries
from app.languages import N_
from app.languages import gettext as _
from app.models import Act, Export, ExportState, Share, User, now
from app.specs import Line, Spec
from app.undo import Undone, changed_since

DAYS = (1, 7, 30, 90)  # offered on the page
MOST_DAYS = 365
PASSWORD_MIN, PASSWORD_MAX = 8, 256  # characters; one for many people is shorter than a personal one


class ShareSpec(Spec):
    """A request for a link."""

    days: int = Field(default=7, ge=1, le=MOST_DAYS, title=N_("The number of days"))
    password: str = Field(default="", max_length=PASSWORD_MAX, title=N_("The password"))
    note: Line = Field(default="", max_length=120, title=N_("The note"))


def create(session: Session, user: User, export_id: int, spec: ShareSpec, password_hash: str | None) -> str:
    """Create a link to an export and return its token. Only its hash is stored.

    Raises NotFound, Conflict before the export is ready, and Forbidden while someone with a higher role than `user`
    has withdrawn rights to its sources.
    """
    export = queries.get(session, user, export_id)
    if export.state != ExportState.READY:
        raise Conflict(_("This export is not ready yet. Share it when it is."))
    _need_answerable(session, user, export, _("share pictures from it"))
    token = secrets.token_urlsafe(32)
    share = Share(
        export_id=export.id,
        token_hash=token_hash(token),
        password_hash=password_hash,
        note=spec.note,
        made_by_id=user.id,
        expires_at=now() + timedelta(days=spec.days),
    )
    session.add(share)
    told = {"export": export.id, "days": spec.days, "password": bool(password_hash), "note": spec.note}
    record(session, user, Act.SHARE_CREATE, share, **told)
    return token


def hashed(password: str, known: Sequence[str] = ()) -> str | None:
    """Hash a link's password with argon2id, None for none. Slow by design: call it before a transaction.

    `known`: text near the link, such as its note. Raises Invalid if it is too short or easy to guess.
    """
    if not password:
        return None
    if len(password) < PASSWORD_MIN:
        raise Invalid(
            "password",
            _("The password needs at least %(number)s characters. Leave it empty for none.", number=PASSWORD_MIN),
        )
    whose = _("the link’s own note")
    if problem := password_quality.problem(password, known, password_quality.SHARED_GUESSES, whose):
        raise Invalid("password", problem)
    return passwords.hash(password)


def revoke(session: Session, user: User, export_id: int, share_id: int) -> Share:
    """End a link immediately. Raises NotFound."""
    share = _share(session, user, export_id, share_id)
    endings.revoke(session, user, share)
    return share


def revoke_all(session: Session, user: User, export_id: int) -> int:
    """End all links to an export immediately, and count them. Raises NotFound."""
    found = [share for share in queries.get(session, user, export_id).shares if share.open]
    for share in found:
        endings.revoke(session, user, share)
    return len(found)


def undo_revocation(session: Session, user: User, share_id: int, at: str) -> Undone:
    """Reopen a revoked link, perhaps on hold. Raises NotFound if its export is gone, and Conflict if it has expired."""
    share = session.get(Share, share_id)
    if share is None:
        raise NotFound(_("The export of this link was deleted."))
    _share(session, user, share.export_id, share_id)
    if share.revoked_at != datetime.fromisoformat(at):
        raise changed_since(session, user, share, _("this link"))
    if share.expires_at <= now():
        raise Conflict(_("This link has expired. Create a new one."))
    share.revoked_at = None
    record(session, user, Act.SHARE_REVOKE, share, export=share.export_id, undone=True)
    endings.suspend_reopened(session, user, share)
    if share.suspended_at:
        return Undone(
            _("The link is on hold again, because of reported pictures, withdrawn rights or a missing consent.")
        )
    return Undone(_("The link works again."))


def resume(session: Session, user: User, export_id: int, share_id: int) -> Share:
    """Reopen a link that is on hold: `user` takes responsibility for it.

    Raises NotFound, and Forbidden while someone with a higher role has withdrawn the right.
    """
    share = _share(session, user, export_id, share_id)
    _need_answerable(session, user, share.export, _("resume this link"))
    endings.resume(session, user, share, "confirmed")
    return share


def _need_answerable(session: Session, user: User, export: Export, what: str) -> None:
    """Refuse pictures that are held back or of people without consent, and what a higher role has withdrawn."""
    if queries.has_held_back(session, export.id):
        raise Conflict(
            _("Pictures of this export were reported and are held back. Ask a manager to decide the reports first.")
        )
    for held in queries.restraining(session, export.id):
        if held.record and held.record.person and held.standing.kind != "withdrawn":
            raise Conflict(
                _(
                    "This export shows %(person)s, without valid consent. Record it with the rights of the reference"
                    " first.",
                    person=held.record.person,
                )
            )
        if held.standing.kind == "withdrawn" and held.record:
            did = _("withdrew the rights to the reference %(name)s", name=held.name)
            authority.need_power(user, held.record.made_as, did, what, held.record.made_by.name)


def _share(session: Session, user: User, export_id: int, share_id: int) -> Share:
    export = queries.get(session, user, export_id)
    share = session.get(Share, share_id)
    if share is None or share.export_id != export.id:
        raise NotFound(_("There is no such link."))
    return share


# Guests


def unlock(share: Share, password: str) -> None:
    """Raise Forbidden if `password` is not the link's. Reads only, slowly by design."""
    if share.password_hash and not passwords.verify(password[: 2 * PASSWORD_MAX], share.password_hash):
        raise Forbidden(_("This is not the password of the link. Ask the person who sent it."))


def proof(share: Share, token: str) -> str:
    """The proof that a guest's browser keeps after the right password.

    It is made from the link's token, which the database does not have, and from the password's hash, which a guest does
    not have, so neither can make it alone.
    """
    return hmac.new((share.password_hash or "").encode(), token.encode(), hashlib.sha256).hexdigest()


def is_unlocked(share: Share, token: str, kept: str) -> bool:
    """Whether a guest may download: there is no password, or the browser has the proof."""
    return share.password_hash is None or hmac.compare_digest(proof(share, token).encode(), kept.encode())


def opened(session: Session, share_id: int, **guest: str) -> None:
    """Record that the right password was given; `guest` says from where."""
    if share := session.get(Share, share_id):
        record(session, None, Act.SHARE_OPEN, share, export=share.export_id, **guest)


def refused(session: Session, share_id: int, reason: str, **guest: str) -> None:
    """Record a wrong password, or too many attempts."""
    if share := session.get(Share, share_id):
        record(session, None, Act.SHARE_REFUSED, share, export=share.export_id, reason=reason, **guest)


def downloaded(session: Session, share_id: int, **guest: str) -> None:
    """Count a download as it starts."""
    if share := session.get(Share, share_id):
        share.downloads += 1
        share.last_download_at = now()
        record(session, None, Act.SHARE_DOWNLOAD, share, export=share.export_id, **guest)


def may_go_on(session: Session, share_id: int) -> bool:
    """Whether a running download may continue: its link is open, authorised and not on hold."""
    share = session.get(Share, share_id)
    return share is not None and share.open and share.answered_for and share.suspended_at is None
