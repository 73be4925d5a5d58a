"""Exports: their contents, their names, and when they can be downloaded."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, select, update
from sqlalchemy.orm import Session

from app.accounts.service import may_change
from app.audit.service import record
from app.errors import Conflict, Forbidden, Invalid, UserError
from app.exports import approved, contents, names, queries, set_facts
from app.exports.approved import ApprovedRow, SetTally
from app.exports.archive import Archive, Member
from app.exports.names import NameValues, Taken
from app.exports.options import FORMATS, ExportOptions, pixels
from app.exports.set_facts import SetRow
from app.gallery.matching import Search
from app.gallery.queries import count as count_found
from app.gallery.search import PictureFilter
from app.languages import N_, formats, ngettext, translated
from app.languages import gettext as _
from app.models import Act, Campaign, Export, ExportFile, ExportState, Image, ImageSet, User, What
from app.quotas.service import take
from app.rights import queries as rights
from app.rights.standing import Held
from app.sets import queries as sets
from app.text import listed, slug, thin

MOST_AVIF_PIXELS = 2**25  # its encoder takes 25 bytes per pixel
MOST_ZIP_FILES = 60_000  # below the 65 535 files that every program can read in a zip
AUTHORITY = "soroe-certificate-authority.pem"
MOST_CHOSEN = 1000  # individually chosen pictures; a search has no such limit
NAME_LENGTH = 80
ROWS = 2000  # written per transaction
ARCHIVES = 4  # zips whose file lists are kept in memory
LOOKED_AT = 200  # files of an export, checked as a sample
READ_BYTES = 64 * 2**20  # a zip, or the part of one, that is read before it is sent: in a tenth of a second
CLEARED = N_("This export’s files were deleted to free space. Open its page and rebuild the zip.")
DAMAGED = N_("A file of this export is damaged on the server. Open its page and rebuild the zip.")


@dataclass(frozen=True)
class Selection:
    """The pictures for an export."""

    which: ColumnElement[bool]  # a condition on images
    name: str  # a slug
    title: str
    campaign: Campaign | None = None
    image_set: ImageSet | None = None
    search: PictureFilter | None = None  # everything that matches it
    number: int | None = None  # pictures chosen or matching, with any decision

    @property
    def campaign_id(self) -> int | None:
        """The campaign it belongs to, directly or by its set."""
        return self.campaign.id if self.campaign else self.image_set.campaign_id if self.image_set else None


class Store:
    """File storage of exports: `cache/` has pictures by recipe, shared by all exports; `made/` the rest.

    Signing the same recipe again gives different bytes. So a file is also named by its content, in a folder for its
    recipe: no export ever overwrites a file that another relies on.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incomplete: set[str] = set()  # the ETags of those with a file missing in a download
        self._archives: OrderedDict[tuple[int, str], Archive] = OrderedDict()  # most recently requested last
        self._laying = Lock()

    def archive(self, export: Export, members: Callable[[], list[Member]]) -> Archive:
        """The zip of an export, laid out once for all its downloads: a list of ten thousand files takes megabytes."""
        key = export.id, export.etag or ""
        with self._laying:
            made = self._archives.pop(key, None) or Archive(members(), export.created_at)
            self._archives[key] = made
            if len(self._archives) > ARCHIVES:
                self._archives.popitem(last=False)
        return made

    def pictures(self, key: str) -> Path:
        """The folder of all files made by one recipe."""
        return self.root / "cache" / key[:2] / key

    def picture(self, key: str, sha256: str, suffix: str) -> Path:
        return self.pictures(key) / f"{sha256}{suffix}"

    def folder(self, export_id: int) -> Path:
        """The folder of an export's files other than pictures."""
        return self.root / "made" / str(export_id)


def selection(
    session: Session,
    user: User,
    *,
    set_id: int | None = None,
    campaign_id: int | None = None,
    search: PictureFilter | None = None,
    image_ids: Sequence[int] | None = None,
) -> Selection:
    """Select one set, one campaign, all that match a search, or chosen pictures.

    Raises NotFound, Forbidden, and Invalid if nothing is chosen, or too many individually.
    """
    if set_id is not None:
        image_set = sets.get(session, user, set_id)
        if not may_change(user, image_set):
            raise Forbidden(_("Only %(name)s or a manager can export this set.", name=image_set.owner.name))
        name = slug(image_set.name) or f"set-{set_id}"
        return Selection(Image.set_id == set_id, name, image_set.name, image_set=image_set)
    if campaign_id is not None:
        campaign = sets.campaign(session, user, campaign_id)
        name = slug(campaign.name) or f"campaign-{campaign_id}"
        return Selection(Image.campaign_id == campaign_id, name, campaign.name, campaign=campaign)
    if search is not None:
        found = Search.of(session, user, search)
        name = "-".join(filter(None, ("pictures", slug(search.q))))
        title = _("pictures that match") if search else _("all pictures")
        return Selection(Image.id.in_(found.ids), name, title, search=search, number=count_found(session, found))
    chosen = set(image_ids or ())
    if not chosen:
        raise Invalid("ids", _("Select the pictures to export."))
    if len(chosen) > MOST_CHOSEN:
        raise Invalid(
            "ids",
            ngettext(
                "%(number)s picture was selected one by one, more than the %(most)s that can be. Search for them"
                " instead, then select all matches.",
                "%(number)s pictures were selected one by one, more than the %(most)s that can be. Search for them"
                " instead, then select all matches.",
                len(chosen),
                most=thin(MOST_CHOSEN),
            ),
        )
    return Selection(Image.id.in_(chosen), "pictures", _("selected pictures"), number=len(chosen))


@dataclass(frozen=True)
class Plan:
    """A complete export, read and named before anything is written."""

    wanted: Selection
    options: ExportOptions
    content: str  # the hash of everything it says
    pictures: int
    of_others: bool
    files: list[dict[str, Any]]  # rows of `ExportFile` without the export's id, in the zip's order


def plan(session: Session, user: User, wanted: Selection, options: ExportOptions) -> Plan:
    """Plan an export of the approved pictures of `wanted` that `user` may export.

    Reads only; 60,000 files take seconds. Designers export their own, managers anyone's. Raises Forbidden, Conflict
    and Invalid as `tally` does.
    """
    _need_memory(options)
    taken = tally(session, user, wanted, len(options.sizes))
    facts = set_facts.of_sets(session, (each.set_id for each in taken))
    content = _content(approved.pictures(session, user, wanted.which), facts, wanted, options)
    files = list(_files(approved.pictures(session, user, wanted.which), facts, options))
    return Plan(
        wanted,
        options,
        content,
        pictures=sum(each.pictures for each in taken),
        of_others=approved.of_others(session, user, wanted.which),
        files=files,
    )


def create(session: Session, user: User, planned: Plan, *, counted: bool = True) -> Export:
    """Create a planned export; it is prepared afterwards. `counted`: by the quotas of `user`.

    The same pictures in the same form are not made twice: an existing export is returned. One with more than `ROWS`
    files only has the first of them and is in the state "listing" until `add_files` has added the last.
    """
    if found := queries.same(session, user, planned.content):
        return found
    wanted, options, files = planned.wanted, planned.options, planned.files
    export = Export(
        name=f"{wanted.name[:NAME_LENGTH]}-approved",
        made_by_id=user.id,
        campaign_id=wanted.campaign.id if wanted.campaign else None,
        set_id=wanted.image_set.id if wanted.image_set else None,
        options=options.model_dump(mode="json"),
        content=planned.content,
        pictures=planned.pictures,
        of_others=planned.of_others,
        total=len(files),
        state=ExportState.LISTING,
    )
    session.add(export)
    if counted:
        take(session, user, "sizes", {What.EXPORTS: 1, What.EXPORT_PICTURES: planned.pictures})
    told: dict[str, Any] = {"format": options.format, "sizes": ", ".join(options.sizes)}
    if wanted.search is not None:
        told["search"] = wanted.search.query
    record(session, user, Act.EXPORT_CREATE, export, pictures=planned.pictures, files=len(files), **told)
    add_files(session, export, planned, 0)
    return export


def _need_memory(options: ExportOptions) -> None:
    large = [size for size in map(pixels, options.sizes) if size and size[0] * size[1] > MOST_AVIF_PIXELS]
    if options.format == "avif" and large:
        width, height = large[0]
        raise Invalid(
            "sizes",
            _(
                "An AVIF of %(width)s × %(height)s px takes too much memory; the most is 33 million pixels. Choose a"
                " smaller size, or JPEG, WebP or PNG.",
                width=width,
                height=height,
            ),
        )


def add_files(session: Session, export: Export, planned: Plan, start: int) -> int | None:
    """Store the next files of an export, from number `start` (0 is the first).

    Returns where to continue, or None after the last, when the export starts to wait for its turn.
    """
    some = planned.files[start : start + ROWS]
    session.execute(insert(ExportFile), [{**row, "export_id": export.id} for row in some])
    if start + ROWS < len(planned.files):
        return start + ROWS
    export.state = ExportState.QUEUED
    return None


def tally(session: Session, user: User, wanted: Selection, sizes: int = 1) -> list[SetTally]:
    """How many pictures an export takes from each set, in this number of sizes.

    Raises Forbidden and Conflict if there are none, and Invalid if there are more than a zip can hold.
    """
    found = approved.by_set(session, user, wanted.which)
    files = sizes * sum(each.pictures for each in found)
    if not files:
        raise _nothing(session, user, wanted)
    if files > MOST_ZIP_FILES:
        raise Invalid(
            "sizes",
            ngettext(
                "This would be %(number)s file; a zip holds at most %(most)s. Choose fewer pictures or sizes.",
                "This would be %(number)s files; a zip holds at most %(most)s. Choose fewer pictures or sizes.",
                files,
                most=thin(MOST_ZIP_FILES),
            ),
        )
    return found


def _nothing(session: Session, user: User, wanted: Selection) -> UserError:
    helds = rights.without_consent(session)
    if approved.count_without_consent(session, user, wanted.which, helds):
        return Conflict(
            _(
                "The approved pictures here show %(people)s, without valid consent. Record it with the rights of the"
                " reference first.",
                people=listed(list(dict.fromkeys(held.record.person for held in helds if held.record))),
            )
        )
    if approved.count_held(session, user, wanted.which):
        return Conflict(
            _("The approved pictures here were reported and are held back. Ask a manager to decide the reports.")
        )
    if approved.count_all(session, user, wanted.which):
        return Forbidden(
            _("The approved pictures here are other people’s. Ask their owners or a manager to export them.")
        )
    if wanted.search is not None and not wanted.number:
        return Conflict(_("There is nothing to export: no picture matches."))
    return Conflict(_("There is nothing to export: none of these pictures is approved yet."))


def first(session: Session, user: User, wanted: Selection, number: int) -> list[ApprovedRow]:
    """The first pictures of an export."""
    return list(approved.pictures(session, user, wanted.which, limit=number))


def left_out(session: Session, user: User, wanted: Selection, taken: Sequence[SetTally]) -> int:
    """How many approved pictures `user` may not export, because they are other people's."""
    barred = approved.count_without_consent(session, user, wanted.which, rights.without_consent(session))
    barred += approved.count_held(session, user, wanted.which)
    return approved.count_all(session, user, wanted.which) - sum(each.pictures for each in taken) - barred


def restrained(taken: Sequence[SetTally], facts: dict[int, SetRow]) -> tuple[int, list[Held]]:
    """How many of the pictures come from a reference without valid rights now, and these references."""
    return _made_from(taken, facts, lambda held: not held.standing.usable)


def unstated(taken: Sequence[SetTally], facts: dict[int, SetRow]) -> tuple[int, list[Held]]:
    """How many of the pictures come from a reference whose rights nobody has recorded, and these references."""
    return _made_from(taken, facts, lambda held: held.standing.kind == "unstated")


def _made_from(
    taken: Sequence[SetTally], facts: dict[int, SetRow], which: Callable[[Held], bool]
) -> tuple[int, list[Held]]:
    by_set = {
        set_id: [each.held for each in image_set.sources if which(each.held)] for set_id, image_set in facts.items()
    }
    found = {held.reference_id: held for helds in by_set.values() for held in helds}
    return sum(each.pictures for each in taken if by_set[each.set_id]), list(found.values())


def options_of(export: Export) -> ExportOptions:
    return ExportOptions.model_validate(export.options)


def example(rows: Sequence[ApprovedRow], facts: dict[int, SetRow], options: ExportOptions) -> list[str]:
    """The file names these pictures would get."""
    taken = Taken()
    return [
        name
        for number, row in enumerate(rows, start=1)
        for name in _names(taken, options, _values(row, facts[row.set_id], number))
    ]


def archive(session: Session, export: Export, store: Store) -> Archive:
    """The zip of a ready export, after checking that all its files exist.

    Raises Conflict if it is not ready, or if one of its files was removed.
    """
    made = laid_out(session, export, store)
    need_files(export, store, made)
    return made


def need_files(
    export: Export, store: Store, made: Archive, start: int = 0, end: int | None = None, most: int = READ_BYTES
) -> None:
    """Raise Conflict if a file was removed or damaged that contains bytes of the zip from `start` to `end`.

    Of more than `most` bytes, files are read when they are sent.
    """
    end = made.length if end is None else end
    if not made.is_whole(start, end):
        store.incomplete.add(export.etag or "")
        raise Conflict(translated(CLEARED))
    if end - start <= most and not made.is_undamaged(start, end):
        store.incomplete.add(export.etag or "")
        raise Conflict(translated(DAMAGED))
    if start == 0 and end == made.length:
        store.incomplete.discard(export.etag or "")


def laid_out(session: Session, export: Export, store: Store) -> Archive:
    """The zip of a ready export, without checking its files. Raises Conflict if it is not ready."""
    if export.state == ExportState.FAILED:
        raise Conflict(formats.sentences((_("This export failed."), translated(export.error or ""))))
    if export.state != ExportState.READY:
        raise Conflict(_("This export is not ready yet. Its page shows the progress."))
    made = store.archive(export, lambda: [*pictures(session, export, store), *extras(export.id, export.extras, store)])
    if made.length != export.bytes:
        raise Conflict(translated(CLEARED))
    return made


def is_there(session: Session, export: Export, store: Store) -> bool:
    """Whether a ready export can be downloaded, judging by a sample of its files."""
    if export.etag in store.incomplete:
        return False
    step = max(1, export.total // LOOKED_AT)
    some = pictures(session, export, store, ExportFile.position.in_(range(step, export.total + 1, step)))
    return all(member.whole for member in (*some, *extras(export.id, export.extras, store)))


def pictures(session: Session, export: Export, store: Store, *which: ColumnElement[bool]) -> list[Member]:
    """The picture files in the zip, in order."""
    suffix = options_of(export).file_format.suffix
    return [
        Member(row.name, store.picture(row.key, row.sha256, suffix), row.bytes, row.crc32)
        for row in contents.members(session, export.id, *which)
    ]


def extras(export_id: int, measured: Sequence[tuple[str, int, int]] | None, store: Store) -> list[Member]:
    """The files other than pictures, as measured when they were written."""
    folder = store.folder(export_id)
    return [Member(name, folder / name, size, checksum) for name, size, checksum in measured or ()]


def downloaded(session: Session, user: User, export: Export, sets: Sequence[int]) -> None:
    """Record that a download started, and of which sets, `contents.set_ids`: their pictures are now delivered."""
    record(session, user, Act.EXPORT, export, name=export.name, sets=list(sets), bytes=export.bytes)


def is_whole(session: Session, user: User, export_id: int, store: Store) -> bool:
    """Whether an export can be downloaded. Reads every file, so call it before a transaction. Raises NotFound."""
    export = queries.get(session, user, export_id)
    try:
        made = laid_out(session, export, store)
        need_files(export, store, made, most=made.length)
    except Conflict:
        return False
    return True


def rebuild(session: Session, user: User, export_id: int) -> Export:
    """Queue an export that failed, or whose files were removed; one in preparation stays as it is."""
    export = queries.get(session, user, export_id)
    if export.state not in (ExportState.READY, ExportState.FAILED):
        return export
    export.state, export.error, export.done, export.lost = ExportState.QUEUED, None, 0, 0
    session.execute(update(ExportFile).where(ExportFile.export_id == export_id).values(key=None, lost=False))
    record(session, user, Act.EXPORT_REBUILD, export, name=export.name)
    return export


def planned_without_changed(session: Session, user: User, export_id: int) -> Plan:
    """Plan another export of the same pictures in the same form.

    Leaves out those no longer approved or held back, and those from a reference without valid rights. Raises what
    `plan` raises.
    """
    export = queries.get(session, user, export_id)
    in_it = select(ExportFile.image_id).where(ExportFile.export_id == export.id)
    wanted = Selection(
        and_(Image.id.in_(in_it), ~queries.restrained_now(rights.not_held(session))),
        export.name.removesuffix("-approved"),
        export.name,
        campaign=export.campaign,
        image_set=export.image_set,
        number=export.pictures,
    )
    return plan(session, user, wanted, options_of(export))


def _content(rows: Iterable[ApprovedRow], facts: dict[int, SetRow], wanted: Selection, options: ExportOptions) -> str:
    """Hash everything that an export says."""
    # The manifests are written again when what they say about rights has changed.
    sources = {source.sha256: source for each in facts.values() for source in each.sources}
    rights = [
        (name, each.held.standing.kind, each.held.record and each.held.record.id, [file.id for file in each.documents])
        for name, each in sorted(sources.items())
    ]
    digest = hashlib.sha256(json.dumps([wanted.name, options.model_dump(mode="json"), rights]).encode())
    for row in rows:
        digest.update(json.dumps([row.id, row.decision_id, row.campaign]).encode())
    return digest.hexdigest()


def _files(rows: Iterable[ApprovedRow], facts: dict[int, SetRow], options: ExportOptions) -> Iterator[dict[str, Any]]:
    taken, position = Taken(), 0
    for number, row in enumerate(rows, start=1):
        found = _names(taken, options, _values(row, facts[row.set_id], number))
        for size, name in zip(options.sizes, found, strict=True):
            position += 1
            ids = {"image_id": row.id, "decision_id": row.decision_id}
            yield {**ids, "position": position, "size": size, "name": name, "lost": False}


def _values(row: ApprovedRow, image_set: SetRow, number: int) -> NameValues:
    return name_values(row, slug(row.campaign), image_set, number)


def name_values(row: ApprovedRow | Image, campaign: str, image_set: SetRow, number: int) -> NameValues:
    """What the name of a picture's file can say, without its size and format; `campaign` is a slug."""
    return NameValues(
        campaign=campaign,
        set=slug(image_set.name) or f"set-{image_set.id}",
        style=slug(image_set.style),
        code=image_set.code,
        version=image_set.version,
        n=number,
        position=row.position,
        slug=slug(row.prompt),
        seed=row.seed,
        id=row.id,
        size="",
        format="",
    )


def _names(taken: Taken, options: ExportOptions, values: NameValues) -> list[str]:
    """A name per size; several sizes get a folder each, unless the template distinguishes them."""
    form = FORMATS[options.format]
    folders = len(options.sizes) > 1 and not names.uses(options.template, "size")
    made = []
    for size in options.sizes:
        stem = names.name(options.template, replace(values, size=size, format=options.format))
        made.append(taken.unique(f"{size}/{stem}" if folders else stem) + form.suffix)
    return made
