"""Read styles and references. Everyone who is signed in sees all of them: it is a team's tool."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Row, Select, bindparam, func, literal, select, true, union_all
from sqlalchemy.orm import Session, aliased, joinedload, selectinload

from app import matching
from app.accounts.queries import I_AM_ACTIVE, MY_ID, asks, signed_in
from app.errors import NotFound
from app.languages import gettext as _
from app.models import Image, ImageSet, Reference, Style, StyleReference, StyleVersion, User, Verdict
from app.text import narrow

MOSAIC = 2  # pictures on a style's card
PAGE = 24  # cards listed at a time


@dataclass(frozen=True)
class StyleCard:
    """A style as shown in a list."""

    id: int
    code: str
    name: str
    version: int  # the latest's number
    strength: float
    reference_id: int  # its first
    owner: str
    archived: bool
    sets: int  # made from any version
    image_ids: list[int]  # up to MOSAIC of the newest finished pictures in this style


def by_code(session: Session, user: User, code: str) -> Style:
    """The style with a code, with its owner, versions, their authors and references. Raises NotFound."""
    versions = selectinload(Style.versions)
    style = session.scalar(
        select(Style)
        .where(Style.code == normal_code(code), signed_in(user))
        .options(
            joinedload(Style.owner),
            versions.joinedload(StyleVersion.created_by),
            versions.selectinload(StyleVersion.references).joinedload(StyleReference.reference),
        )
    )
    if not style:
        raise NotFound(_("There is no style %(code)s.", code=repr(code[:20])))
    return style


def by_id(session: Session, user: User, style_id: int) -> Style:
    """The style, with its owner. Raises NotFound."""
    found = session.scalar(select(Style).where(Style.id == style_id, signed_in(user)).options(joinedload(Style.owner)))
    if not found:
        raise NotFound(_("There is no such style."))
    return found


def normal_code(code: str) -> str:
    """Normalise a style's code as someone typed it: "sor-7k2q", " 7K2Q" -> "SOR-7K2Q"."""
    code = narrow(code).strip().upper()
    return code if code.startswith("SOR-") else f"SOR-{code}"


_NAMES = (
    select(Style.code, Style.name)
    .where(Style.deleted_at.is_(None), I_AM_ACTIVE)
    .order_by(Style.archived_at.is_not(None), Style.id.desc())
)


def names(session: Session, user: User) -> Sequence[Row[str, str]]:
    """The `code` and `name` of all styles, newest first, then the archived ones."""
    return session.execute(_NAMES, asks(user)).all()


def exist(session: Session, user: User) -> bool:
    """Whether there is any style."""
    return session.execute(_NAMES.limit(1), asks(user)).first() is not None


def cards(
    session: Session,
    user: User,
    archived: bool = False,
    after: int | None = None,
    limit: int = PAGE,
    words: str = "",
) -> list[StyleCard]:
    """Styles that are not in the bin, newest first: the archived ones, or the others.

    `after` is the id of the last one shown. With `words`, those whose name or code has them, best matches first.
    """
    kept = Style.archived_at.is_not(None) if archived else Style.archived_at.is_(None)
    text = Style.name.concat(" ").concat(Style.code)
    return _cards(session, user, matching.listed(session, _LATEST.where(kept), Style, text, words, after).limit(limit))


def choices(session: Session, user: User) -> list[StyleCard]:
    """The styles available for a new set: first those the person used last, then the newest."""
    return _cards(session, user, _CHOICES)


_REFERENCE = (
    select(Reference)
    .where(Reference.id == bindparam("reference_id"), I_AM_ACTIVE)
    .options(joinedload(Reference.uploaded_by))
)


def reference(session: Session, user: User, reference_id: int) -> Reference:
    """The reference, with its uploader. Raises NotFound."""
    found = session.scalar(_REFERENCE, asks(user) | {"reference_id": reference_id})
    if not found:
        raise NotFound(_("There is no such reference."))
    return found


_number = (
    select(func.max(StyleVersion.number)).where(StyleVersion.style_id == Style.id).correlate(Style).scalar_subquery()
)
# Each style with its latest version, that version's first reference, and its owner's name.
_LATEST = (
    select(Style, StyleVersion, StyleReference.reference_id, User.name)
    .join(StyleVersion, (StyleVersion.style_id == Style.id) & (StyleVersion.number == _number))
    .join(StyleReference, (StyleReference.version_id == StyleVersion.id) & (StyleReference.position == 1))
    .join(User, User.id == Style.owner_id)
    .where(Style.deleted_at.is_(None), I_AM_ACTIVE)
)
_used = (
    select(StyleVersion.style_id, func.max(ImageSet.id).label("last"))
    .join(StyleVersion, StyleVersion.id == ImageSet.style_version_id)
    .where(ImageSet.owner_id == MY_ID)
    .group_by(StyleVersion.style_id)
    .subquery()
)
_CHOICES = (
    _LATEST.outerjoin(_used, _used.c.style_id == Style.id)
    .where(Style.archived_at.is_(None))
    .order_by(_used.c.last.desc().nulls_last(), Style.id.desc())
)


def _cards(session: Session, user: User, statement: Select[Style, StyleVersion, int, str]) -> list[StyleCard]:
    rows = session.execute(statement, asks(user)).all()
    ids = [style.id for style, *_ in rows]
    sets, pictures = _set_counts(session, ids), _newest_pictures(session, ids)
    return [
        StyleCard(
            id=style.id,
            code=style.code,
            name=style.name,
            version=version.number,
            strength=version.strength,
            reference_id=reference_id,
            owner=owner,
            archived=style.archived_at is not None,
            sets=sets.get(style.id, 0),
            image_ids=pictures[style.id],
        )
        for style, version, reference_id, owner in rows
    ]


_SET_COUNTS = (
    select(StyleVersion.style_id, func.count())
    .join(ImageSet, ImageSet.style_version_id == StyleVersion.id)
    .where(StyleVersion.style_id.in_(bindparam("style_ids", expanding=True)))
    .group_by(StyleVersion.style_id)
)


def _set_counts(session: Session, style_ids: list[int]) -> dict[int, int]:
    return dict(session.execute(_SET_COUNTS, {"style_ids": style_ids}).all())


# Few pictures of each style are looked at, the newest first. To rank all of them took longer than the rest of a page.
_image = aliased(Image)


def _newest(place: int, wanted: ColumnElement[bool]) -> Select[int, int, int]:
    newest = (
        select(_image.id)
        .where(_image.style_id == Style.id, _image.shown, wanted)
        .order_by(_image.id.desc())
        .limit(MOSAIC)
        .correlate(Style)
    )
    found = select(Style.id, Image.id, literal(place).label("place")).join(Image, Image.id.in_(newest))
    return found.where(Style.id.in_(bindparam("style_ids", expanding=True)))


_undecided = func.coalesce(_image.decision.not_in([Verdict.APPROVED, Verdict.REJECTED]), true())
_NEWEST = union_all(_newest(1, _image.decision == Verdict.APPROVED), _newest(2, _undecided))


def _newest_pictures(session: Session, style_ids: list[int]) -> defaultdict[int, list[int]]:
    """The newest pictures by style, approved ones first, without rejected ones."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    rows = session.execute(_NEWEST, {"style_ids": style_ids}).all()
    for style_id, image_id, _place in sorted(rows, key=lambda row: (row.place, -row[1])):
        if len(found[style_id]) < MOSAIC:
            found[style_id].append(image_id)
    return found
