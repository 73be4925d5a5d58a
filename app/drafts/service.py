"""Save and discard drafts.

Two tabs with the same form do not overwrite each other: a draft knows its revision, and a tab that saves to another
than the latest gets a draft of its own, unless the latest is its own too. The form shows the newest and offers the
others.
"""

import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple, cast

from sqlalchemy import and_, delete, false, or_, select
from sqlalchemy.orm import Session

from app.drafts import queries
from app.drafts.queries import by_key
from app.effects import Happened
from app.errors import Invalid
from app.files import Files, Kind
from app.languages import gettext as _
from app.models import Draft, DraftFile, User, What, now
from app.quotas.service import take
from app.text import thin

MOST = 40  # per person; the oldest make room
LENGTH = 4 * 2**20  # characters of one: of the longest form that is read
ALL_LENGTH = 2 * LENGTH  # of all of a person's; the oldest make room
PLACE_LENGTH = 500
KEPT = timedelta(days=7)
NAMED = (Kind.MAPS, Kind.SUBJECTS)  # files that forms keep before any row names them: masks, and training pictures
UPLOADED = (Kind.LORAS, Kind.RIGHTS)  # files that are uploaded to a draft, one to each
KINDS = (*NAMED, *UPLOADED)
ALL_BYTES = 2**30  # of a person's uploaded files in drafts; those of the oldest drafts make room
MOST_NAMED = 60
FILE_FIELD = "kept_file"  # of a form: the SHA-256 of its uploaded file
NAMES = re.compile(r"\b[0-9a-f]{64}\b")
KEY = re.compile(r"[A-Za-z0-9_-]{8,32}")

Fields = Sequence[tuple[str, str]]


class StoredFile(NamedTuple):
    kind: Kind
    sha256: str


class UploadedFile(NamedTuple):
    """A file that was chosen in a form, and stored before the form is sent."""

    kind: Kind
    sha256: str
    name: str  # as its person had it
    bytes: int


def new_key() -> str:
    return secrets.token_urlsafe(12)


def stored_files(files: Files, fields: Fields) -> set[StoredFile]:
    """The stored files that a form names. Looks at the disk, so call it before the transaction."""
    names = {name for _, value in fields for name in NAMES.findall(value)}
    return {StoredFile(kind, name) for name in sorted(names)[:MOST_NAMED] for kind in NAMED if files.has(kind, name)}


def save(
    session: Session,
    user: User,
    place: str,
    fields: Fields,
    *,
    key: str = "",
    revision: int = 0,
    tab: str = "",
    named: Iterable[StoredFile] = (),
    uploaded: UploadedFile | None = None,
) -> Draft:
    """Save the form at `place` as the draft `key`, if that is still at `revision`, or this `tab` saved it last.

    Otherwise it becomes a new draft. `named` are files that its fields name. `uploaded` replaces its uploaded file,
    which otherwise stays. Raises Invalid for a form that is too large, and Spent beyond the day's quota of uploads.
    """
    length = sum(len(name) + len(value) for name, value in fields)
    if length > LENGTH or len(place) > PLACE_LENGTH:
        raise Invalid(
            "form",
            _(
                "This form is too large for a draft: %(number)s characters; at most %(most)s fit.",
                number=thin(length),
                most=thin(LENGTH),
            ),
        )
    draft = by_key(session, user, key)
    mine = draft is not None and (draft.revision == revision or (tab != "" and draft.tab == tab))
    if draft is None or not mine or draft.place != place:
        draft = _of_tab(session, user, place, tab) or _new(session, user, place, "" if draft or revision else key)
    _make_room(session, user, draft, length)
    draft.fields = [list(field) for field in fields]
    draft.length = length
    draft.tab = tab if KEY.fullmatch(tab) else ""
    draft.revision += 1
    draft.updated_at = now()
    files = [DraftFile(kind=kind, sha256=sha256) for kind, sha256 in sorted(set(named))]
    draft.files = [*files, *_uploaded(session, user, draft, uploaded)]
    session.flush()
    if uploaded:
        take(session, user, "file", {What.UPLOADS: 1, What.UPLOAD_BYTES: uploaded.bytes})
        _make_room_for_file(session, user, draft, uploaded.bytes)
    return draft


def _uploaded(session: Session, user: User, draft: Draft, uploaded: UploadedFile | None) -> list[DraftFile]:
    """The uploaded file of a draft: a new one, or its own, or the one that its form shows from another tab's draft."""
    if uploaded:
        return [DraftFile(**uploaded._asdict())]
    if own := [file for file in draft.files if file.name]:
        return own
    shown = [value for name, value in draft.fields if name == FILE_FIELD and value]
    other = queries.uploaded(session, user, draft.place, shown) if shown else None
    return [DraftFile(kind=other.kind, sha256=other.sha256, name=other.name, bytes=other.bytes)] if other else []


def _of_tab(session: Session, user: User, place: str, tab: str) -> Draft | None:
    """The newest draft of the form that this tab saved last."""
    if not tab:
        return None
    own = select(Draft).where(Draft.user_id == user.id, Draft.place == place, Draft.tab == tab)
    return session.scalar(own.order_by(Draft.updated_at.desc(), Draft.id.desc()).limit(1))


def _new(session: Session, user: User, place: str, key: str) -> Draft:
    """A new draft; the oldest of too many is removed."""
    taken = not KEY.fullmatch(key) or session.scalar(select(Draft.id).where(Draft.key == key)) is not None
    newest = select(Draft.id).where(Draft.user_id == user.id).order_by(Draft.updated_at.desc(), Draft.id.desc())
    kept = session.scalars(newest.limit(MOST - 1)).all()
    session.execute(delete(Draft).where(Draft.user_id == user.id, Draft.id.not_in(kept)))
    draft = Draft(key=new_key() if taken else key, user_id=user.id, place=place, revision=0, fields=[], length=0)
    session.add(draft)
    return draft


def _make_room(session: Session, user: User, draft: Draft, length: int) -> None:
    """Remove the oldest drafts of a person whose drafts, with this one of `length`, are too long together."""
    others = select(Draft.id, Draft.length).where(Draft.user_id == user.id, Draft.key != draft.key)
    for row_id, of_other in session.execute(others.order_by(Draft.updated_at.desc(), Draft.id.desc())).all():
        length += of_other
        if length > ALL_LENGTH:
            session.execute(delete(Draft).where(Draft.id == row_id))


def _make_room_for_file(session: Session, user: User, draft: Draft, size: int) -> None:
    """Remove the uploaded files of the oldest drafts that are too large together with the new one of `size` bytes."""
    others = select(DraftFile).join(Draft).where(Draft.user_id == user.id, Draft.id != draft.id, DraftFile.name != "")
    for file in session.scalars(others.order_by(Draft.updated_at.desc(), Draft.id.desc())).all():
        size += file.bytes or 0
        if size > ALL_BYTES:
            session.delete(file)


def discard(session: Session, user: User, key: str) -> None:
    """Remove a draft that its person does not want. Does nothing if there is none."""
    session.execute(delete(Draft).where(Draft.user_id == user.id, Draft.key == key))


def discard_file(session: Session, user: User, key: str) -> None:
    """Remove the uploaded file of a draft, which keeps what was typed. Does nothing if there is none."""
    if draft := by_key(session, user, key):
        draft.fields = [field for field in draft.fields if field[0] != FILE_FIELD]
        draft.files = [file for file in draft.files if not file.name]


def discard_sent(session: Session, user: User, key: str, place: str, tab: str) -> None:
    """Remove the draft of a form that was accepted, and what its tab saved of it under another key."""
    of_tab = and_(Draft.place == place, Draft.tab == tab) if tab else false()
    session.execute(delete(Draft).where(Draft.user_id == user.id, or_(Draft.key == key, of_tab)))


def discard_of_closed(session: Session, event: Happened) -> None:
    """Remove the drafts of an account that was deactivated."""
    (person,) = cast(list[User], event.rows)
    if event.details.get("active") is False:
        session.execute(delete(Draft).where(Draft.user_id == person.id))


def forget_old(session: Session) -> int:
    """Remove the drafts that nobody changed for a week, and count them."""
    old = delete(Draft).where(Draft.updated_at <= now() - KEPT).returning(Draft.id)
    return len(session.scalars(old).all())
