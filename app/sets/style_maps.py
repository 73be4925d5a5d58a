"""Where the look of a picture came from: it is made again from its row, and the engine notes what each part drew from
the references. A kind of work of `app.work`.

The picture itself is thrown away, so that nothing changes it. A map is made once, and kept as long as its picture.
"""

from dataclasses import replace
from typing import Any

from sqlalchemy import Select, SQLColumnExpression, literal, select, update
from sqlalchemy.orm import Session, joinedload, selectinload

from app.accounts.service import need_active
from app.effects import Happened
from app.engine import events as engine
from app.engine.base import ModelFacts
from app.errors import Conflict, NotFound
from app.files import Files
from app.languages import gettext as _
from app.models import Image, ImageSet, Role, State, StyleMap, StyleReference, StyleVersion, Unit, User
from app.sets import queries, units
from app.sets.aside import Aside
from app.sets.strips import PRIORITY
from app.work.kinds import Write
from app.work.queue import WAITING, add_units, cancel_units


class StyleMaps(Aside):
    """The map of one picture."""

    noun = "map"
    table = StyleMap
    batch = 1

    @property
    def column(self) -> SQLColumnExpression[int | None]:
        return Unit.map_id

    def row_id(self, unit: Unit) -> int | None:
        return unit.map_id

    def queued(self) -> Select[*tuple[Any, ...]]:
        return (
            select(Image.prompt, StyleMap.image_id, literal(0).label("finished"), literal(1).label("total"))
            .select_from(StyleMap)
            .join(Image, Image.id == StyleMap.image_id)
            .join(ImageSet, ImageSet.id == StyleMap.set_id)
            .join(StyleVersion, StyleVersion.id == ImageSet.style_version_id)
        )

    def page(self, row: Any) -> str:
        return f"/images/{row.image_id}/map"

    def for_engine(self, session: Session, unit: Unit, files: Files, model: ModelFacts | None = None) -> engine.Unit:
        return engine_unit(session, unit, files, model)

    def keep(self, event: engine.Event, files: Files) -> Write:
        match event:
            case engine.StyleMap(unit_id, _, png, groups, steps):
                made = StyleMap.id == self.generating(unit_id)
                values = {"png": png, "groups": list(groups), "steps": steps}
                return lambda session: session.execute(update(StyleMap).where(made).values(**values))
            case engine.ImageReady():
                return lambda session: None  # the same picture as before
            case engine.ImageFailed(unit_id, _, message):
                failed = update(StyleMap).where(StyleMap.id == self.generating(unit_id)).values(error=message)
                return lambda session: session.execute(failed)
        raise TypeError(f"no map comes with {type(event).__name__}")

    def unfinished(self, session: Session, unit: Unit) -> bool:
        """Whether there is no map yet, and nothing failed: the server was killed."""
        generating = StyleMap.id == unit.map_id, StyleMap.state == State.GENERATING
        if session.scalar(select(StyleMap.id).where(*generating, StyleMap.png.is_(None), StyleMap.error.is_(None))):
            return True
        for after, made in ((State.FINISHED, StyleMap.png.is_not(None)), (State.FAILED, StyleMap.png.is_(None))):
            session.execute(update(StyleMap).where(*generating, made).values(state=after))
        return False


def of_picture(session: Session, user: User, image_id: int) -> tuple[Image, StyleMap | None]:
    """A finished picture and its map, if one was asked for. Raises NotFound."""
    if queries.picture(session, user=user, image_id=image_id) is None:
        raise NotFound(_("This picture is not finished."))
    image = session.scalars(select(Image).where(Image.id == image_id).options(joinedload(Image.image_set))).one()
    return image, session.scalar(select(StyleMap).where(StyleMap.image_id == image_id))


def ask(session: Session, user: User, image_id: int, model: ModelFacts) -> None:
    """Queue the map of a picture, unless there is one or it is coming. Raises Conflict, Forbidden and NotFound."""
    need_active(user)
    image, known = of_picture(session, user, image_id)
    if known and (known.png or known.state in WAITING):
        return
    if image.used_strength == 0:
        raise Conflict(_("This picture was made with strength 0, so it drew nothing from the reference."))
    _check(session, image, model)
    if known is None:
        known = StyleMap(set_id=image.set_id, image_id=image_id, owner_id=user.id)
        session.add(known)
    known.state, known.error, known.owner_id = State.QUEUED, None, user.id  # who asks again can stop it
    session.flush()
    session.execute(update(Unit).where(Unit.map_id == known.id).values(owner_id=user.id))
    cancel_units(session, Unit.map_id == known.id)  # one that was held after the engine died
    add_units(session, [{"map_id": known.id, "owner_id": user.id, "priority": PRIORITY}])


def may_cancel(user: User, known: StyleMap) -> bool:
    """Whether `user` may stop making a map: who asked for it last, and managers."""
    return known.owner_id == user.id or user.can(Role.MANAGER)


def cancel(session: Session, user: User, image_id: int) -> bool:
    """Stop making a map; whether it was being made. Raises Forbidden and NotFound."""
    known = of_picture(session, user, image_id)[1]
    if known is None or known.state not in WAITING:
        return False
    StyleMaps().cancel(session, user, known.id)
    return True


def forget(session: Session, happened: Happened) -> None:
    """Remove the maps of pictures that are removed for good, in the same transaction."""
    ids = [row.id for row in happened.rows if isinstance(row, Image)]
    units_of = Unit.map_id.in_(select(StyleMap.id).where(StyleMap.image_id.in_(ids)))
    cancel_units(session, units_of)
    session.execute(update(StyleMap).where(StyleMap.image_id.in_(ids)).values(png=None, state=State.CANCELLED))


def _check(session: Session, image: Image, model: ModelFacts) -> None:
    """Raise Conflict if the picture cannot be made again: in the bin, by another model, or without rights."""
    if image.purged_at:
        raise NotFound(_("There is no such picture."))
    if image.deleted_at or image.image_set.deleted_at:
        raise Conflict(_("This picture is in the bin. Restore it first."))
    if model.name != image.image_set.model:
        raise Conflict(
            _(
                "This picture was made with %(model)s, but the server now runs %(current)s.",
                model=image.image_set.model,
                current=model.name,
            )
        )
    units.need_rights(session, image.image_set)


def engine_unit(session: Session, unit: Unit, files: Files, model: ModelFacts | None = None) -> engine.Unit:
    """Prepare a claimed map for an engine. Raises Conflict if its picture cannot be made again."""
    image = session.scalars(
        select(Image)
        .join(StyleMap, StyleMap.image_id == Image.id)
        .where(StyleMap.id == unit.map_id)
        .options(
            joinedload(Image.image_set)
            .joinedload(ImageSet.style_version)
            .options(selectinload(StyleVersion.references).joinedload(StyleReference.reference))
        )
    ).one()
    if model:
        _check(session, image, model)
    image_set = image.image_set
    # A negative id: on the bus, it is not taken for a picture of a set.
    like = Image(id=-image.id, position=image.position, prompt=image.prompt, drawn_as=image.drawn_as, seed=image.seed)
    made = image_set.style_version
    work = units.engine_work(session, unit.id, image_set, made, [like], image.used_strength, files, model)
    return replace(work, maps=True)
