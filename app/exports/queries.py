"""Read the approved pictures that a person may export, the exports made of them, and their links."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, groupby, islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, case, exists, false, func, or_, select, true, tuple_
from sqlalchemy.orm import Session, aliased, joinedload, selectinload

from app.accounts.queries import signed_in, token_hash
from app.errors import DeadLink, NotFound
from app.exports.provenance import Input
from app.models import (
    Campaign,
    Decision,
    Export,
    ExportFile,
    ExportState,
    Image,
    ImageSet,
    Reference,
    RightsFile,
    Role,
    Share,
    StructureMap,
    StyleReference,
    StyleVersion,
    Subject,
    User,
    Verdict,
    now,
)
from app.reviews.standing import standing
from app.rights import queries as rights
from app.rights.standing import Held
from app.text import plural, thin

T = TypeVar("T")

CHUNK = 500  # rows read at a time, so that memory does not grow with an export


@dataclass(frozen=True, slots=True)
class ApprovedRow:
    """An approved picture, with what its name and its place in an export need."""

    id: int
    set_id: int
    position: int
    prompt: str
    seed: int
    bytes: int
    decision_id: int  # the latest
    campaign: str


@dataclass(frozen=True, slots=True)
class SetTally:
    """The pictures an export takes from one set."""

    set_id: int
    pictures: int
    bytes: int


@dataclass(frozen=True)
class SourceRow:
    """A reference behind the pictures of a set, and the current status of its right."""

    sha256: str
    name: str
    weight: float
    rights: dict[str, Any]  # as stated by the file itself
    held: Held
    documents: tuple[RightsFile, ...] = ()


@dataclass(frozen=True)
class SetRow:
    """What all pictures of a set share."""

    id: int
    name: str
    style: str
    code: str
    version: int
    model: str
    width: int  # px
    height: int
    settings: dict[str, Any]  # everything that the pictures were made with, as JSON
    sources: tuple[SourceRow, ...]
    count: int  # pictures per prompt
    maps: tuple[tuple[Input | None, ...], ...]  # per structure: one for all prompts, or one each
    learned: tuple[Input, ...]  # the sources of its subjects

    def inputs(self, place: int) -> tuple[Input, ...]:
        """The inputs of the picture at a position of the set, besides the references."""
        prompt = (place - 1) // self.count
        maps = (given[prompt if len(given) > 1 else 0] for given in self.maps)
        return tuple(dict.fromkeys(given for given in (*maps, *self.learned) if given))


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of an export, with data about its picture."""

    position: int
    name: str
    size: str
    key: str | None
    bytes: int | None
    sha256: str | None
    lost: bool
    image_id: int
    set_id: int
    place: int  # of the image in its set
    version: int  # of the image at that position
    prompt: str
    seed: int
    strength: float
    image_sha256: str
    made_at: datetime
    decision_id: int
    campaign: str


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A file as listed in the zip."""

    name: str
    key: str
    sha256: str
    bytes: int
    crc32: int


@dataclass(frozen=True)
class Changed:
    """How many pictures of an export would not be in it now, each counted under the first reason that applies."""

    deleted: int
    unapproved: int
    restrained: int  # from a reference whose right is not valid

    @property
    def number(self) -> int:
        return self.deleted + self.unapproved + self.restrained

    def told(self, total: int) -> str:
        """ "1 of 3 pictures is no longer approved; 1 was deleted."."""
        parts = (
            (self.unapproved, "is no longer approved", "are no longer approved"),
            (
                self.restrained,
                "comes from a reference without valid rights",
                "come from a reference without valid rights",
            ),
            (self.deleted, "was deleted", "were deleted"),
        )
        said = [(number, one if number == 1 else many) for number, one, many in parts if number]
        of = [f" of {plural(total, 'picture')}", "", ""]
        return "; ".join(f"{thin(number)}{of[place]} {what}" for place, (number, what) in enumerate(said)) + "."


@dataclass(frozen=True)
class DecisionRow:
    verdict: Verdict
    by: str
    at: datetime
    stands: bool  # neither withdrawn nor replaced by another of the same person


@dataclass(frozen=True)
class ExportableRow:
    """A campaign with something to export."""

    id: int
    name: str
    approved: int


def batched(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """`items` in tuples of `size`; the last one may be shorter."""
    rest = iter(items)
    while batch := tuple(islice(rest, size)):
        yield batch


# Approved pictures


def downloadable(user: User) -> ColumnElement[bool]:
    """A condition for sets whose pictures `user` may export: their own; anybody's for managers and above."""
    return true() if user.can(Role.MANAGER) else (ImageSet.owner_id == user.id) & signed_in(user)


def approved_of_all(session: Session, user: User, which: ColumnElement[bool]) -> int:
    """How many pictures of `which` are approved, whether `user` may export them or not."""
    wanted = Image.shown, Image.decision == Verdict.APPROVED, which, signed_in(user)
    return session.scalar(select(func.count()).select_from(Image).where(*wanted)) or 0


def approved(
    session: Session, user: User, *which: ColumnElement[bool], limit: int | None = None
) -> Iterator[ApprovedRow]:
    """The approved pictures of `which` that `user` may export, set by set, each in its order.

    One statement, whose rows are read in chunks.
    """
    latest = select(func.max(Decision.id)).where(Decision.image_id == Image.id).correlate(Image)
    rows = session.execute(
        _approved(user, *which)
        .join(Campaign, Campaign.id == Image.campaign_id)
        .with_only_columns(
            Image.id,
            Image.set_id,
            Image.position,
            Image.prompt,
            Image.seed,
            Image.bytes,
            latest.scalar_subquery(),
            Campaign.name,
        )
        .order_by(Image.set_id, Image.position)
        .limit(limit)
        .execution_options(yield_per=CHUNK)
    )
    return (ApprovedRow(*row) for row in rows)


def approved_by_set(session: Session, user: User, *which: ColumnElement[bool]) -> list[SetTally]:
    """How many such pictures each set has."""
    rows = session.execute(
        _approved(user, *which)
        .with_only_columns(Image.set_id, func.count(), func.sum(Image.bytes))
        .group_by(Image.set_id)
    )
    return [SetTally(set_id, pictures, size or 0) for set_id, pictures, size in rows]


def of_others(session: Session, user: User, which: ColumnElement[bool]) -> bool:
    """Whether some of these pictures are from other people's sets."""
    theirs = _approved(user, which).where(ImageSet.owner_id != user.id).with_only_columns(Image.id).limit(1)
    return session.scalar(theirs) is not None


def exportable(session: Session, user: User) -> list[ExportableRow]:
    """The campaigns in which `user` can export something, newest first."""
    rows = session.execute(
        _approved(user)
        .join(Campaign, Campaign.id == Image.campaign_id)
        .with_only_columns(Campaign.id, Campaign.name, func.count())
        .group_by(Campaign.id)
        .order_by(func.max(ImageSet.id).desc())
    )
    return [ExportableRow(*row) for row in rows]


def sets(session: Session, set_ids: Iterable[int]) -> dict[int, SetRow]:
    """What the pictures of these sets share, by set id."""
    found: dict[int, SetRow] = {}
    for ids in batched(sorted(set(set_ids)), CHUNK):
        found |= _sets(session, ids)
    return found


def _sets(session: Session, set_ids: Sequence[int]) -> dict[int, SetRow]:
    version = joinedload(ImageSet.style_version)
    found = session.scalars(
        select(ImageSet).where(ImageSet.id.in_(set_ids)).options(version.joinedload(StyleVersion.style))
    ).all()
    sources = _sources(session, {version_id for each in found for version_id in each.version_ids})
    maps = _maps(session, {map_id for each in found for part in each.structures for map_id in part.maps})
    learned = _learned(session, {part.id for each in found for part in each.subjects})
    return {
        each.id: _set_row(each, _once(sources[version_id] for version_id in each.version_ids), maps, learned)
        for each in found
    }


def _approved(user: User, *which: ColumnElement[bool]) -> Select[Image]:
    return (
        select(Image)
        .join(ImageSet, ImageSet.id == Image.set_id)
        .where(Image.shown, Image.decision == Verdict.APPROVED, downloadable(user), *which)
    )


def _once(sources: Iterable[tuple[SourceRow, ...]]) -> tuple[SourceRow, ...]:
    """All sources, each reference once."""
    found: dict[str, SourceRow] = {}
    for each in chain.from_iterable(sources):
        found.setdefault(each.sha256, each)
    return tuple(found.values())


def _sources(session: Session, version_ids: Iterable[int]) -> defaultdict[int, tuple[SourceRow, ...]]:
    found: defaultdict[int, tuple[SourceRow, ...]] = defaultdict(tuple)
    rows = session.execute(
        select(
            StyleReference.version_id,
            Reference.id,
            Reference.sha256,
            Reference.original_name,
            StyleReference.weight,
            Reference.rights,
        )
        .join(Reference, Reference.id == StyleReference.reference_id)
        .where(StyleReference.version_id.in_(version_ids))
        .order_by(StyleReference.version_id, StyleReference.position)
    ).all()
    ids = {row[1] for row in rows}
    helds, documents = rights.of_references(session, ids), rights.files_of(session, ids)
    for version_id, reference_id, sha256, name, weight, said in rows:
        proofs = tuple(documents.get(reference_id, ()))
        row = SourceRow(sha256, name, weight, said, helds[reference_id], proofs)
        found[version_id] = (*found[version_id], row)
    return found


def _maps(session: Session, map_ids: Iterable[int]) -> dict[int, Input]:
    rows = session.scalars(select(StructureMap).where(StructureMap.id.in_(map_ids)))
    return {row.id: Input(row.original_name, row.sha256, f"Structure map ({row.kind})") for row in rows}


def _learned(session: Session, subject_ids: Iterable[int]) -> dict[int, list[Input]]:
    """The pictures that each subject was learned from, or the file that somebody uploaded."""
    wanted = select(Subject).where(Subject.id.in_(subject_ids)).options(selectinload(Subject.pictures))
    found: dict[int, list[Input]] = {}
    for row in session.scalars(wanted):
        what = f"Subject @{row.handle}"
        pictures = [Input(f"{row.name}, picture {each.position}", each.sha256, what) for each in row.pictures]
        file = [Input(row.name, row.sha256, what, model=True)] if row.sha256 else []
        found[row.id] = pictures or file
    return found


def _set_row(
    image_set: ImageSet,
    sources: tuple[SourceRow, ...],
    maps: Mapping[int, Input],
    learned: Mapping[int, Sequence[Input]],
) -> SetRow:
    version = image_set.style_version
    return SetRow(
        id=image_set.id,
        name=image_set.name,
        style=version.style.name,
        code=version.style.code,
        version=version.number,
        model=image_set.model,
        width=image_set.width,
        height=image_set.height,
        settings={
            "size": f"{image_set.width}x{image_set.height}",
            "steps": image_set.steps,
            "guidance": image_set.guidance,
            "scheduler": image_set.scheduler,
            "strength": image_set.strength,
            "scale": version.scale,
            "style text": version.text,
            "negative prompt": image_set.negative_prompt,
            "structures": [part.model_dump(mode="json") for part in image_set.structures],
            "subjects": [part.model_dump(mode="json") for part in image_set.subjects],
            "regions": [part.model_dump(mode="json") for part in image_set.regions],
            "seamless": image_set.seamless,
        },
        sources=sources,
        count=image_set.count,
        maps=tuple(tuple(maps.get(each) for each in part.maps) for part in image_set.structures),
        learned=tuple(given for part in image_set.subjects for given in learned.get(part.id, ())),
    )


# Exports


def readable(user: User) -> ColumnElement[bool]:
    """A condition for exports that `user` may open: anybody's for managers and above; otherwise their own.

    Their own only count if all pictures are from their own sets: an export made as a manager is lost with that role.
    """
    own = (Export.made_by_id == user.id) & Export.of_others.is_(False)
    return true() if user.can(Role.MANAGER) else own & signed_in(user)


def get(session: Session, user: User, export_id: int) -> Export:
    """An export with everything its page shows. Raises NotFound."""
    found = session.scalar(
        select(Export)
        .where(Export.id == export_id, readable(user))
        .options(
            joinedload(Export.made_by),
            joinedload(Export.campaign),
            joinedload(Export.image_set).joinedload(ImageSet.campaign),
            joinedload(Export.shares).joinedload(Share.made_by),
        )
    )
    if not found:
        raise NotFound("This export does not exist or has expired. Create it again.")
    return found


def may_open(session: Session, user: User, export_id: int) -> bool:
    """Whether `user` may open an export now."""
    return session.scalar(select(Export.id).where(Export.id == export_id, readable(user))) is not None


def recent(
    session: Session, user: User, *which: ColumnElement[bool], before: int | None = None, limit: int = 20
) -> list[Export]:
    """Exports, newest first, with their authors and links; those before the export `before`."""
    if before is not None:
        which = (*which, Export.id < before)
    statement = select(Export).where(readable(user), *which).order_by(Export.id.desc()).limit(limit)
    loads = (joinedload(Export.made_by), joinedload(Export.shares))
    return list(session.scalars(statement.options(*loads)).unique())


def latest_options(session: Session, campaign_id: int | None) -> dict[str, Any] | None:
    """The last options in a campaign or one of its sets, the defaults of the next export."""
    in_campaign = select(ImageSet.id).where(ImageSet.campaign_id == campaign_id)
    statement = select(Export.options).where((Export.campaign_id == campaign_id) | Export.set_id.in_(in_campaign))
    return session.scalar(statement.order_by(Export.id.desc()).limit(1))


def same(session: Session, user: User, content: str) -> Export | None:
    """An export of `user` with the same pictures in the same form, unless it failed."""
    statement = select(Export).where(
        Export.content == content, Export.made_by_id == user.id, Export.state != ExportState.FAILED, readable(user)
    )
    return session.scalar(statement.order_by(Export.id.desc()).limit(1))


def waiting(session: Session) -> list[tuple[int, int]]:
    """The exports waiting for preparation, oldest first, each with its author's id."""
    states = (ExportState.PREPARING, ExportState.QUEUED)
    rows = session.execute(select(Export.id, Export.made_by_id).where(Export.state.in_(states)).order_by(Export.id))
    return [(export_id, user_id) for export_id, user_id in rows]


def waiting_besides(session: Session, export_id: int) -> int:
    """How many other exports this one takes turns with."""
    return sum(other != export_id for other, _ in waiting(session))


def files(session: Session, export_id: int, *which: ColumnElement[bool]) -> Iterator[FileRow]:
    """The files of an export in order, read in chunks."""
    after = 0
    while rows := files_after(session, export_id, after, *which):
        after = rows[-1].position
        yield from rows


def files_after(session: Session, export_id: int, after: int, *which: ColumnElement[bool]) -> list[FileRow]:
    """The next files of an export after a position."""
    rows = session.execute(
        select(
            ExportFile.position,
            ExportFile.name,
            ExportFile.size,
            ExportFile.key,
            ExportFile.bytes,
            ExportFile.sha256,
            ExportFile.lost,
            Image.id,
            Image.set_id,
            Image.position,
            Image.version,
            Image.prompt,
            Image.seed,
            Image.used_strength,
            Image.sha256,
            func.coalesce(Image.finished_at, Image.created_at, type_=Image.created_at.type),
            ExportFile.decision_id,
            Campaign.name,
        )
        .join(Image, Image.id == ExportFile.image_id)
        .join(Campaign, Campaign.id == Image.campaign_id)
        .where(ExportFile.export_id == export_id, ExportFile.position > after, *which)
        .order_by(ExportFile.position)
        .limit(CHUNK)
    )
    return [FileRow(*tuple(row)) for row in rows]


def members(session: Session, export_id: int, *which: ColumnElement[bool]) -> Iterator[MemberRow]:
    """The files in the zip, in order."""
    rows = session.execute(
        select(ExportFile.name, ExportFile.key, ExportFile.sha256, ExportFile.bytes, ExportFile.crc32)
        .where(ExportFile.export_id == export_id, ExportFile.lost == false(), *which)
        .order_by(ExportFile.position)
        .execution_options(yield_per=CHUNK)
    )
    return (MemberRow(name, key or "", sha256 or "", size or 0, crc32 or 0) for name, key, sha256, size, crc32 in rows)


def made(session: Session, export_id: int) -> tuple[int, int]:
    """How many files of an export are made or known to be lost, and how many of these are lost."""
    ended = or_(ExportFile.key.is_not(None), ExportFile.lost)
    statement = select(func.count(), func.count().filter(ExportFile.lost)).select_from(ExportFile)
    done, lost = session.execute(statement.where(ExportFile.export_id == export_id, ended)).one()
    return done, lost


def set_ids(session: Session, export_id: int) -> list[int]:
    """The sets whose pictures are in an export."""
    statement = select(Image.set_id).join(ExportFile, ExportFile.image_id == Image.id)
    return list(session.scalars(statement.where(ExportFile.export_id == export_id).distinct()))


def changed(session: Session, export_ids: Sequence[int]) -> dict[int, Changed]:
    """What was decided, withdrawn or deleted since these exports were requested; only those with changes."""
    deleted = Image.deleted_at.is_not(None)
    unapproved = Image.decision.is_distinct_from(Verdict.APPROVED)
    restrained = restrained_now(rights.not_held(session))
    kind = case((deleted, "deleted"), (unapproved, "unapproved"), (restrained, "restrained"))
    rows = session.execute(
        select(ExportFile.export_id, kind, func.count(ExportFile.image_id.distinct()))
        .join(Image, Image.id == ExportFile.image_id)
        .where(ExportFile.export_id.in_(export_ids), kind.is_not(None))
        .group_by(ExportFile.export_id, kind)
    )
    found: defaultdict[int, dict[str, int]] = defaultdict(lambda: {"deleted": 0, "unapproved": 0, "restrained": 0})
    for export_id, name, number in rows:
        found[export_id][name] = number
    return {export_id: Changed(**numbers) for export_id, numbers in found.items()}


def restrained_now(unheld: Sequence[Held]) -> ColumnElement[bool]:
    """A condition for images that come from one of these references."""
    if not unheld:
        return false()
    return Image.set_id.in_(select(ImageSet.id).where(rights.made_from(*(held.reference_id for held in unheld))))


def restraining(session: Session, export_id: int) -> list[Held]:
    """The references without a valid right from which an export has pictures."""
    facts = sets(session, set_ids(session, export_id)).values()
    helds = (source.held for each in facts for source in each.sources)
    return list({held.reference_id: held for held in helds if not held.standing.usable}.values())


def decisions(session: Session, files: Sequence[FileRow]) -> dict[int, list[DecisionRow]]:
    """The decisions on each picture up to its approval, oldest first, by image id."""
    approval = aliased(Decision)
    pairs = {(each.image_id, each.decision_id) for each in files}
    rows = session.scalars(
        select(Decision)
        .join(approval, approval.image_id == Decision.image_id)
        .where(tuple_(approval.image_id, approval.id).in_(pairs), Decision.id <= approval.id)
        .options(joinedload(Decision.user))
        .order_by(Decision.image_id, Decision.id)
    )
    return {
        image_id: _decision_rows(list(decided)) for image_id, decided in groupby(rows, key=lambda row: row.image_id)
    }


def _decision_rows(decided: Sequence[Decision]) -> list[DecisionRow]:
    stand = {each.id for each in standing(decided)}
    return [DecisionRow(each.verdict, each.user.name, each.created_at, each.id in stand) for each in decided]


def lost_names(session: Session, export_id: int, limit: int = 20) -> list[str]:
    """The names of files whose picture is lost."""
    statement = select(ExportFile.name).where(ExportFile.export_id == export_id, ExportFile.lost)
    return list(session.scalars(statement.order_by(ExportFile.position).limit(limit)))


def first_names(session: Session, export_id: int, limit: int = 3) -> list[str]:
    statement = select(ExportFile.name).where(ExportFile.export_id == export_id)
    return list(session.scalars(statement.order_by(ExportFile.position).limit(limit)))


def used_files(session: Session, hashes: Sequence[str]) -> set[str]:
    """Those of `hashes` that belong to a file of some export."""
    found = session.scalars(select(ExportFile.sha256).where(ExportFile.sha256.in_(hashes)).distinct())
    return {sha256 for sha256 in found if sha256}


def outdated(session: Session, before: datetime) -> list[int]:
    """The ids of exports made before a moment without an open link."""
    linked = exists().where(Share.export_id == Export.id, Share.revoked_at.is_(None), Share.expires_at > now())
    return list(session.scalars(select(Export.id).where(Export.created_at < before, ~linked)))


def unlisted(session: Session, export_id: int | None = None) -> list[int]:
    """The ids of exports whose list of files is incomplete, or only one export if it is such."""
    which = Export.id == export_id if export_id is not None else true()
    return list(session.scalars(select(Export.id).where(Export.state == ExportState.LISTING, which)))


# Links


def open_shares(session: Session, user: User) -> list[Share]:
    """All current links to exports that `user` may open, the next to end first."""
    return list(
        session.scalars(
            select(Share)
            .join(Export, Export.id == Share.export_id)
            .where(Share.revoked_at.is_(None), Share.expires_at > now(), readable(user))
            .options(joinedload(Share.export), joinedload(Share.made_by))
            .order_by(Share.expires_at, Share.id)
        )
    )


def share(session: Session, token: str) -> Share:
    """The open link for `token`, with its export. Raises NotFound if it has ended, is revoked or unknown."""
    found = session.scalar(
        select(Share)
        .where(Share.token_hash == token_hash(token))
        .options(joinedload(Share.export), joinedload(Share.made_by))
    )
    if not found or not found.open or not found.answered_for:
        raise DeadLink("This link has expired or was revoked. Ask the person who sent it for a new one.")
    return found
