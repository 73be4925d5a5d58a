"""Approved pictures as a zip with its manifest, streamed as it is made, its exact length known beforehand.

    autumn-table/001-an-owl-on-a-branch.png
    autumn-table/005-露のついたぶどうの房.png
    manifest.csv

Every name is made here, of a picture's number in its set and a slug of its prompt; so no name is unsafe and none comes
twice. The pictures are stored as they are (a PNG does not shrink further), which is what makes the length exact.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session
from zipstream import ZipStream

from app.accounts.service import may_change
from app.audit.service import record
from app.errors import Conflict, Forbidden, Invalid
from app.exports import queries
from app.exports.queries import ApprovedRow
from app.files import Files, Kind
from app.models import Act, Base, Image, ImageSet, User
from app.sets import queries as sets
from app.text import slug

MOST_PICTURES = 50_000  # below the 65 535 files that every program can read in a zip
MANIFEST = "manifest.csv"
COLUMNS = (
    "file",
    "image",
    "prompt",
    "seed",
    "set",
    "style",
    "style code",
    "version",
    "model",
    "size",
    "steps",
    "guidance",
    "scheduler",
    "strength",
    "approved by",
    "approved at",
)


@dataclass(frozen=True)
class Entry:
    name: str  # in the zip
    path: Path
    row: ApprovedRow


@dataclass(frozen=True)
class ExportPlan:
    """What a zip will hold, all of it seen to be there. Plain data: it needs the database no more."""

    name: str  # of the zip file
    entries: tuple[Entry, ...]

    @property
    def count(self) -> int:
        """Pictures."""
        return len(self.entries)

    @property
    def total(self) -> int:
        """Bytes of the pictures."""
        return sum(entry.row.bytes for entry in self.entries)


@dataclass(frozen=True)
class Download:
    chunks: Iterator[bytes]
    length: int  # bytes of all chunks together, exactly
    name: str


def approved(
    session: Session,
    user: User,
    files: Files,
    *,
    set_id: int | None = None,
    campaign_id: int | None = None,
    image_ids: list[int] | None = None,
) -> ExportPlan:
    """What is approved in a set, in a campaign or among chosen pictures, as far as `user` may take it away.

    Designers take their own; managers anybody's. The download is recorded. Raises NotFound, Forbidden, and Conflict
    when nothing is approved or a file is lost, all before a byte is sent.
    """
    subject, which, name = _subject(session, user, set_id, campaign_id, image_ids)
    rows = queries.approved(session, user, which)
    if not rows and queries.is_any_approved(session, user, which):
        raise Forbidden("The approved pictures here are other people's; they or a manager can download them.")
    if not rows:
        raise Conflict("There is nothing to download: none of these pictures is approved yet.")
    if len(rows) > MOST_PICTURES:
        raise Conflict(f"These are {len(rows)} pictures; a zip holds at most {MOST_PICTURES}. Download single sets.")
    plan = ExportPlan(f"{name}-approved.zip", _entries(rows, files))
    for entry in plan.entries:
        if not entry.path.is_file():
            raise Conflict(f"The file of picture {entry.row.position} in {entry.row.set_name} is lost from the server.")
    subject = subject or session.get_one(Image, rows[0].id)
    record(session, user, Act.EXPORT, subject, pictures=plan.count, bytes=plan.total, chosen=image_ids)
    return plan


def stream(plan: ExportPlan) -> Download:
    """The zip of a plan, read from disk while it is sent."""
    archive = ZipStream(sized=True)
    for entry in plan.entries:
        archive.add_path(str(entry.path), entry.name)
    archive.add(manifest(plan.entries), MANIFEST)
    return Download(iter(archive), len(archive), plan.name)


def manifest(entries: Sequence[Entry]) -> bytes:
    """A line on every picture, as a CSV that spreadsheets open rightly: with a byte-order mark and harmless cells."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(COLUMNS)
    for entry in entries:
        writer.writerow(harmless(cell) for cell in _cells(entry))
    return written.getvalue().encode("utf-8-sig")


def harmless(cell: str | float) -> str | float:
    """A text that a spreadsheet would run as a formula, marked as text by an apostrophe; all else as it is."""
    begins = cell[:1] if isinstance(cell, str) else ""
    return f"'{cell}" if begins and begins in "=+-@\t\r\n＝＋－＠" else cell


def _subject(
    session: Session, user: User, set_id: int | None, campaign_id: int | None, image_ids: list[int] | None
) -> tuple[Base | None, ColumnElement[bool], str]:
    """What is downloaded: the row that the record names, if it is one, a condition on images, the zip's name."""
    if set_id is not None:
        image_set = sets.get(session, user, set_id)
        if not may_change(user, image_set):
            raise Forbidden(f"Only {image_set.owner.name} or a manager can download this set.")
        return image_set, Image.set_id == set_id, slug(image_set.name) or f"set-{set_id}"
    if campaign_id is not None:
        campaign = sets.campaign(session, user, campaign_id)
        return campaign, ImageSet.campaign_id == campaign_id, slug(campaign.name) or f"campaign-{campaign_id}"
    if not image_ids:
        raise Invalid("ids", "Choose the pictures to download.")
    return None, Image.id.in_(set(image_ids)), "pictures"


def _entries(rows: Sequence[ApprovedRow], files: Files) -> tuple[Entry, ...]:
    folders = _folders(rows)
    return tuple(
        Entry(f"{folders[row.set_id]}/{_file_name(row)}", files.path(Kind.IMAGES, row.sha256), row) for row in rows
    )


def _folders(rows: Sequence[ApprovedRow]) -> dict[int, str]:
    """A folder for each set by its name; sets of the same name are told apart by their ids."""
    names = {row.set_id: slug(row.set_name) or f"set-{row.set_id}" for row in rows}
    taken: set[str] = set()
    for set_id, name in names.items():
        while name in taken:
            name = f"{name}-{set_id}"
        names[set_id] = name
        taken.add(name)
    return names


def _file_name(row: ApprovedRow) -> str:
    """`001-a-fox.png`, or `001.png` where the prompt has no letter."""
    return "-".join(filter(None, (f"{row.position:03}", slug(row.prompt)))) + ".png"


def _cells(entry: Entry) -> tuple[str | float, ...]:
    row = entry.row
    return (
        entry.name,
        row.id,
        row.prompt,
        row.seed,
        row.set_name,
        row.style_name,
        row.style_code,
        row.style_version,
        row.model,
        f"{row.width}x{row.height}",
        row.steps,
        row.guidance,
        row.scheduler,
        row.strength,
        row.approved_by,
        row.approved_at.isoformat(timespec="seconds"),
    )
