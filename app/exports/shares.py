"""Links by which people without an account download an export: with an end, a password if wanted, and a count."""

import hashlib
import hmac
import secrets
from datetime import timedelta

from pydantic import Field
from sqlalchemy.orm import Session

from app.accounts.queries import token_hash
from app.accounts.service import passwords
from app.audit.service import record
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.exports import queries
from app.forms import Form, Line
from app.models import Act, Export, ExportState, Share, User, now

DAYS = (1, 7, 30, 90)  # that the page offers
MOST_DAYS = 365
PASSWORD_MIN, PASSWORD_MAX = 8, 256  # characters; one for many people is shorter than one's own


class ShareDraft(Form):
    """What is asked for."""

    days: int = Field(default=7, ge=1, le=MOST_DAYS, title="The number of days")
    password: str = Field(default="", max_length=PASSWORD_MAX, title="The password")
    note: Line = Field(default="", max_length=120, title="The note")


def create(session: Session, user: User, export_id: int, draft: ShareDraft, password_hash: str | None) -> str:
    """The token of a new link to an export. Only its hash is kept. Raises NotFound, and Conflict before it is ready."""
    export = queries.get(session, user, export_id)
    if export.state != ExportState.READY:
        raise Conflict("This export is not ready yet; share it when it is.")
    token = secrets.token_urlsafe(32)
    share = Share(
        export_id=export.id,
        token_hash=token_hash(token),
        password_hash=password_hash,
        note=draft.note,
        made_by_id=user.id,
        expires_at=now() + timedelta(days=draft.days),
    )
    session.add(share)
    told = {"export": export.id, "days": draft.days, "password": bool(password_hash), "note": draft.note}
    record(session, user, Act.SHARE_CREATE, share, **told)
    return token


def hashed(password: str) -> str | None:
    """The argon2id hash of a link's password, None for none. Slow by design: do it before a transaction.

    Raises Invalid for one that is too short.
    """
    if not password:
        return None
    if len(password) < PASSWORD_MIN:
        raise Invalid("password", f"The password needs at least {PASSWORD_MIN} characters, or none at all.")
    return passwords.hash(password)


def revoke(session: Session, user: User, export_id: int, share_id: int) -> Share:
    """End a link at once. Raises NotFound."""
    export = queries.get(session, user, export_id)
    share = session.get(Share, share_id)
    if share is None or share.export_id != export.id:
        raise NotFound("There is no such link.")
    if share.revoked_at is None:
        share.revoked_at = now()
        record(session, user, Act.SHARE_REVOKE, share, export=export.id)
    return share


# The guest


def unlock(share: Share, password: str) -> None:
    """Raises Forbidden when `password` is not the link's. Reads only, slowly by design."""
    if share.password_hash and not passwords.verify(password[: 2 * PASSWORD_MAX], share.password_hash):
        raise Forbidden("This is not the password of the link. Ask whoever sent it.")


def proof(share: Share, token: str) -> str:
    """What a guest's browser keeps after the right password.

    Made of the link's token, which the database does not have, and of the password's hash, which a guest does not have:
    so neither can make it alone.
    """
    return hmac.new((share.password_hash or "").encode(), token.encode(), hashlib.sha256).hexdigest()


def is_unlocked(share: Share, token: str, kept: str) -> bool:
    """Whether a guest may download: there is no password, or the browser keeps the proof of it."""
    return share.password_hash is None or hmac.compare_digest(proof(share, token).encode(), kept.encode())


def refused(session: Session, share_id: int) -> None:
    """Write down a wrong password."""
    if share := session.get(Share, share_id):
        record(session, None, Act.SHARE_REFUSED, share, export=share.export_id)


def downloaded(session: Session, share_id: int) -> None:
    """Count a download that begins."""
    if share := session.get(Share, share_id):
        share.downloads += 1
        share.last_download_at = now()
        record(session, None, Act.SHARE_DOWNLOAD, share, export=share.export_id)


def open_shares(export: Export) -> list[Share]:
    return [share for share in export.shares if share.open]
