"""What a blind test compares: a set, a style version or a campaign on each side, and the pairs that they make."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, or_, select
from sqlalchemy.orm import Session

from app.accounts.queries import signed_in
from app.campaign_names import folder
from app.errors import NotFound
from app.files import Kind
from app.languages import gettext as _
from app.models import (
    Campaign,
    DamagedFile,
    Image,
    ImageSet,
    LeftOut,
    PictureReport,
    SafetyFlag,
    State,
    Style,
    StyleReference,
    StyleVersion,
    User,
)
from app.rights import queries as rights
from app.text import clean_prompt, whole_number

MOST_PAIRS = 300
READ = 4000  # pictures of a side, the newest
LISTED = 100  # of each kind in the form


@dataclass(frozen=True)
class SidePicture:
    """A picture that could be shown."""

    image_id: int
    sha256: str
    prompt: str
    set_id: int


@dataclass(frozen=True)
class SideName:
    """A side: its key, and its name, for a version that of the style and its number."""

    key: str
    name: str
    number: int | None = None

    @property
    def words(self) -> str:
        """In a list of its kind."""
        return _("%(name)s, version %(number)s", name=self.name, number=self.number) if self.number else self.name


@dataclass(frozen=True)
class Pairing:
    pairs: list[tuple[SidePicture, SidePicture]]
    by_prompt: bool
    a_alone: int  # pictures without a partner, or the same as their partner, or more than a test takes
    b_alone: int


def left_out(image: type[Image], image_set: type[ImageSet]) -> ColumnElement[str | None]:
    """Why a picture is not shown, other than its rights, which `barred` knows. Takes aliases."""
    flagged = exists(
        select(SafetyFlag.id).where(SafetyFlag.image_id == image.id, SafetyFlag.cleared_at.is_(None)).correlate(image)
    )
    held = exists(
        select(PictureReport.id)
        .where(PictureReport.image_id == image.id, PictureReport.held, PictureReport.decided_at.is_(None))
        .correlate(image)
    )
    lost = exists(
        select(DamagedFile.id)
        .where(DamagedFile.kind == Kind.IMAGES, DamagedFile.sha256 == image.sha256)
        .correlate(image)
    )
    return case(
        (or_(image.deleted_at.is_not(None), image_set.deleted_at.is_not(None)), LeftOut.DELETED),
        (flagged, LeftOut.FLAGGED),
        (held, LeftOut.HELD),
        (lost, LeftOut.LOST),
        else_=None,
    )


def barred(session: Session, set_ids: Sequence[int]) -> set[int]:
    """Those of these sets whose rights were withdrawn, or that show a real person without consent."""
    helds = [
        held
        for held in rights.not_held(session)
        if held.record and (held.standing.kind == "withdrawn" or held.record.person)
    ]
    if not helds:
        return set()
    made = rights.made_from(*(held.reference_id for held in helds))
    return set(session.scalars(select(ImageSet.id).where(ImageSet.id.in_(set_ids), made)))


def named(session: Session, user: User, key: str) -> SideName:
    """What a side is. Raises NotFound."""
    kind, number = _parsed(key)
    if kind == "version":
        row = session.execute(_versions(user).where(StyleVersion.id == number)).first()
        found = SideName(key, row.name, row.number) if row else None
    else:
        table = ImageSet if kind == "set" else Campaign
        wanted = select(table.name).where(table.id == number, table.deleted_at.is_(None), signed_in(user))
        name = session.scalar(wanted)
        found = SideName(key, name if kind == "set" else folder(name)) if name else None
    if not found:
        raise NotFound(_("There is no such set, style version or campaign. Choose another one."))
    return found


def choices(session: Session, user: User, chosen: Iterable[str] = ()) -> list[tuple[str, list[SideName]]]:
    """What can be chosen as a side, the newest first, in groups with their words; and what was `chosen`."""
    sets = session.execute(
        select(ImageSet.id, ImageSet.name)
        .where(ImageSet.deleted_at.is_(None), ImageSet.archived_at.is_(None), signed_in(user))
        .order_by(ImageSet.id.desc())
        .limit(LISTED)
    )
    versions = session.execute(_versions(user).order_by(StyleVersion.id.desc()).limit(LISTED))
    campaigns = session.execute(
        select(Campaign.id, Campaign.name)
        .where(Campaign.deleted_at.is_(None), Campaign.archived_at.is_(None), signed_in(user))
        .order_by(Campaign.id.desc())
        .limit(LISTED)
    )
    groups = [
        (_("Sets"), [SideName(f"set-{row.id}", row.name) for row in sets]),
        (_("Style versions"), [SideName(f"version-{row.id}", row.name, row.number) for row in versions]),
        (_("Campaigns"), [SideName(f"campaign-{row.id}", folder(row.name)) for row in campaigns]),
    ]
    shown = {each.key for _title, found in groups for each in found}
    for key in filter(None, chosen):
        with suppress(NotFound):
            if key not in shown:
                groups.append((_("Chosen"), [named(session, user, key)]))
    return [(title, found) for title, found in groups if found]


def pictures(session: Session, key: str) -> list[SidePicture]:
    """The pictures of a side that can be shown, set by set, each in its order."""
    kind, number = _parsed(key)
    which = {"set": Image.set_id, "campaign": Image.campaign_id, "version": ImageSet.style_version_id}[kind]
    rows = session.execute(
        select(Image.id, Image.sha256, Image.prompt, Image.set_id)
        .join(ImageSet, ImageSet.id == Image.set_id)
        .where(which == number, Image.shown, Image.state == State.FINISHED, left_out(Image, ImageSet).is_(None))
        .order_by(Image.set_id.desc(), Image.position)
        .limit(READ)
    )
    found = [SidePicture(row.id, row.sha256 or "", row.prompt, row.set_id) for row in rows]
    kept_out = barred(session, list({each.set_id for each in found}))
    return sorted((each for each in found if each.set_id not in kept_out), key=lambda each: each.set_id)


def common_reference(session: Session, a: str, b: str) -> int | None:
    """The first reference that the styles of both sides use; None if they have none in common."""
    first, second = (_references(session, key) for key in (a, b))
    return next((each for each in first if each in set(second)), None)


def paired(a: Sequence[SidePicture], b: Sequence[SidePicture]) -> Pairing:
    """Pair pictures with equal prompts, in their order; if no prompt is on both sides, the first with the first.

    Two equal files make no pair: nobody could tell them apart. Of more than `MOST_PAIRS`, evenly spread ones are taken.
    """
    waiting: defaultdict[str, list[SidePicture]] = defaultdict(list)
    for each in b:
        waiting[_plain(each.prompt)].append(each)
    found = [(each, others.pop(0)) for each in a if (others := waiting.get(_plain(each.prompt)))]
    by_prompt = bool(found)
    if not found:
        found = list(zip(a, b, strict=False))
    pairs = [(one, other) for one, other in found if one.sha256 != other.sha256]
    if len(pairs) > MOST_PAIRS:
        pairs = [pairs[number * len(pairs) // MOST_PAIRS] for number in range(MOST_PAIRS)]
    return Pairing(pairs, by_prompt, len(a) - len(pairs), len(b) - len(pairs))


def _plain(prompt: str) -> str:
    return " ".join(clean_prompt(prompt).casefold().split())


def _parsed(key: str) -> tuple[str, int]:
    """Raises NotFound."""
    kind, _sign, number = key.partition("-")
    found = whole_number(number)
    if kind not in ("set", "version", "campaign") or found is None:
        raise NotFound(_("There is no such set, style version or campaign. Choose another one."))
    return kind, found


def _versions(user: User) -> Any:
    return (
        select(StyleVersion.id, Style.name, StyleVersion.number)
        .join(Style, Style.id == StyleVersion.style_id)
        .where(Style.deleted_at.is_(None), signed_in(user))
    )


def _references(session: Session, key: str) -> list[int]:
    kind, number = _parsed(key)
    which = {
        "set": and_(ImageSet.id == number),
        "campaign": and_(ImageSet.campaign_id == number, ImageSet.deleted_at.is_(None)),
        "version": and_(StyleVersion.id == number),
    }[kind]
    statement = (
        select(StyleReference.reference_id)
        .join(StyleVersion, StyleVersion.id == StyleReference.version_id)
        .outerjoin(ImageSet, ImageSet.style_version_id == StyleVersion.id)
        .where(which)
        .order_by(StyleReference.position, StyleReference.reference_id)
    )
    return list(dict.fromkeys(session.scalars(statement)))
