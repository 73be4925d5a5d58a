"""Read styles and references. Everyone who is signed in sees all of them: it is a team's tool."""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Select, func, select, true
from sqlalchemy.orm import Session, joinedload, selectinload

from app.accounts.queries import signed_in
from app.errors import NotFound
from app.models import Image, ImageSet, Reference, Style, StyleReference, StyleVersion, User, Verdict

MOSAIC = 2  # pictures on a style's card


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
        raise NotFound(f"There is no style {code[:20]!r}.")
    return style


def normal_code(code: str) -> str:
    """Normalise a style's code as someone typed it: "sor-7k2q", " 7K2Q" -> "SOR-7K2Q"."""
    code = code.strip().upper()
    return code if code.startswith("SOR-") else f"SOR-{code}"


def cards(session: Session, user: User) -> list[StyleCard]:
    """All styles, newest first, then the archived ones."""
    return _cards(session, _latest(user).order_by(Style.archived_at.is_not(None), Style.id.desc()))


def choices(session: Session, user: User) -> list[StyleCard]:
    """The styles available for a new set: first those the person used last, then the newest."""
    used = (
        select(StyleVersion.style_id, func.max(ImageSet.id).label("last"))
        .join(StyleVersion, StyleVersion.id == ImageSet.style_version_id)
        .where(ImageSet.owner_id == user.id)
        .group_by(StyleVersion.style_id)
        .subquery()
    )
    return _cards(
        session,
        _latest(user)
        .outerjoin(used, used.c.style_id == Style.id)
        .where(Style.archived_at.is_(None))
        .order_by(used.c.last.desc().nulls_last(), Style.id.desc()),
    )


def reference(session: Session, user: User, reference_id: int) -> Reference:
    """The reference, with its uploader. Raises NotFound."""
    wanted = select(Reference).where(Reference.id == reference_id, signed_in(user))
    found = session.scalar(wanted.options(joinedload(Reference.uploaded_by)))
    if not found:
        raise NotFound("There is no such reference.")
    return found


def _latest(user: User) -> Select[Style, StyleVersion, int, str]:
    """Each style with its latest version, that version's first reference, and its owner's name."""
    latest = (
        select(func.max(StyleVersion.number))
        .where(StyleVersion.style_id == Style.id)
        .correlate(Style)
        .scalar_subquery()
    )
    return (
        select(Style, StyleVersion, StyleReference.reference_id, User.name)
        .join(StyleVersion, (StyleVersion.style_id == Style.id) & (StyleVersion.number == latest))
        .join(StyleReference, (StyleReference.version_id == StyleVersion.id) & (StyleReference.position == 1))
        .join(User, User.id == Style.owner_id)
        .where(signed_in(user))
    )


def _cards(session: Session, statement: Select[Style, StyleVersion, int, str]) -> list[StyleCard]:
    rows = session.execute(statement).all()
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


def _set_counts(session: Session, style_ids: list[int]) -> dict[int, int]:
    rows = session.execute(
        select(StyleVersion.style_id, func.count())
        .join(ImageSet, ImageSet.style_version_id == StyleVersion.id)
        .where(StyleVersion.style_id.in_(style_ids))
        .group_by(StyleVersion.style_id)
    )
    return dict(rows.all())


def _newest_pictures(session: Session, style_ids: list[int]) -> defaultdict[int, list[int]]:
    """The newest pictures by style, approved ones first, without rejected ones."""
    newest = func.row_number().over(
        partition_by=Image.style_id,
        order_by=(func.coalesce(Image.decision != Verdict.APPROVED, true()), Image.id.desc()),
    )
    ranked = (
        select(Image.style_id, Image.id, newest.label("place"))
        .where(Image.style_id.in_(style_ids), Image.shown)
        .where(func.coalesce(Image.decision != Verdict.REJECTED, true()))
        .subquery()
    )
    found: defaultdict[int, list[int]] = defaultdict(list)
    for style_id, image_id in session.execute(
        select(ranked.c.style_id, ranked.c.id).where(ranked.c.place <= MOSAIC).order_by(ranked.c.place)
    ):
        found[style_id].append(image_id)
    return found
