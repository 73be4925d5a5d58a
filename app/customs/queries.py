"""Read checklists: their items as they are now, in the language of now, and their history."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from app.accounts.queries import signed_in
from app.campaign_names import folder
from app.customs import delivered
from app.customs.delivered import MARKETS, TOPICS, Citation, Item
from app.errors import NotFound
from app.languages import current, translated
from app.languages import gettext as _
from app.models import Campaign, Checklist, ChecklistAnswers, ChecklistSheet, ChecklistVersion, Decision, User

WORDS = ("topic", "text", "why", "source")  # of an item that people wrote


@dataclass(frozen=True)
class ListView:
    """A checklist with its items."""

    id: int
    market: str | None
    name: str
    recorded: str  # its name in the audit log, which is English
    version: int
    items: tuple[Item, ...]
    deleted: bool = False
    used_by: int = 0  # campaigns that require it

    @cached_property
    def by_key(self) -> dict[str, Item]:
        return {item.key: item for item in self.items}

    @property
    def by_topic(self) -> list[tuple[str, list[Item]]]:
        """Items under the words of their topics, in the order of the pages."""
        grouped = {topic: [item for item in self.items if item.topic == topic] for topic in TOPICS}
        return [(translated(TOPICS[topic]), some) for topic, some in grouped.items() if some]


def name_of(checklist: Checklist) -> str:
    """Its name in the language of now."""
    return translated(checklist.name) if checklist.market else checklist.name


def view(checklist: Checklist, used_by: int = 0) -> ListView:
    return ListView(
        id=checklist.id,
        market=checklist.market,
        name=name_of(checklist),
        recorded=checklist.name,
        version=checklist.version,
        items=tuple(items_of(checklist, checklist.items)),
        deleted=checklist.deleted_at is not None,
        used_by=used_by,
    )


def items_of(checklist: Checklist, stored: Sequence[Mapping[str, str]] | None) -> list[Item]:
    """The items of a list in one of its versions. Leaves out delivered ones that this version of the app lacks."""
    known = delivered.items(checklist.market, current()) if checklist.market else {}
    if stored is None:
        return list(known.values())
    return [item for entry in stored if (item := written(entry) or known.get(entry["key"]))]


def written(entry: Mapping[str, str]) -> Item | None:
    """An item that people wrote; None for a delivered one."""
    if "text" not in entry:
        return None
    source = entry.get("source", "")
    return Item(
        key=entry["key"],
        topic=entry["topic"],
        text=entry["text"],
        why=entry["why"],
        sources=(Citation(source),) if source else (),
        practice=not source,
        stamp=delivered.stamp_of(entry["text"], entry["why"], source),
        delivered=False,
    )


def row(session: Session, user: User, checklist_id: int) -> Checklist:
    """A list, also a deleted one. Raises NotFound."""
    found = session.scalar(select(Checklist).where(Checklist.id == checklist_id, signed_in(user)))
    if not found:
        raise NotFound(_("There is no such checklist."))
    return found


def listed(session: Session, user: User, deleted: bool = False) -> list[ListView]:
    """The markets in the app's order, then the team's own by name; or the team's deleted ones."""
    wanted = Checklist.deleted_at.is_not(None) if deleted else Checklist.deleted_at.is_(None)
    rows = session.scalars(select(Checklist).where(wanted, signed_in(user))).all()
    used = uses(session)
    markets = [*MARKETS]
    order = sorted(rows, key=lambda each: (markets.index(each.market) if each.market else 99, each.name.casefold()))
    return [view(each, len(used.get(each.id, ()))) for each in order]


def uses(session: Session) -> dict[int, list[str]]:
    """The names of the campaigns that require each list, without those in the bin."""
    found: dict[int, list[str]] = {}
    requiring = func.json_array_length(Campaign.checklists) > 0
    statement = select(Campaign.name, Campaign.checklists).where(requiring, Campaign.deleted_at.is_(None))
    for name, ids in session.execute(statement.order_by(Campaign.name)):
        for checklist_id in ids:
            found.setdefault(checklist_id, []).append(folder(name))
    return found


def required(session: Session, ids: Collection[int]) -> dict[int, ListView]:
    """Lists by id, as campaigns name them; a deleted one that a restored campaign requires is still answered."""
    if not ids:
        return {}
    rows = {each.id: each for each in session.scalars(select(Checklist).where(Checklist.id.in_(ids)))}
    return {checklist_id: view(rows[checklist_id]) for checklist_id in ids if checklist_id in rows}


def versions(session: Session, user: User, checklist_id: int, limit: int = 50) -> list[ChecklistVersion]:
    """The latest changes of a list with their authors, newest first."""
    mine = ChecklistVersion.checklist_id == checklist_id, signed_in(user)
    statement = select(ChecklistVersion).where(*mine).options(joinedload(ChecklistVersion.user))
    return list(session.scalars(statement.order_by(ChecklistVersion.number.desc()).limit(limit)))


def version(session: Session, checklist_id: int, number: int) -> ChecklistVersion:
    """One change of a list. Raises NotFound."""
    wanted = ChecklistVersion.checklist_id == checklist_id, ChecklistVersion.number == number
    found = session.scalar(select(ChecklistVersion).where(*wanted))
    if not found:
        raise NotFound(_("This checklist has no version %(number)s.", number=number))
    return found


def saved(session: Session, user: User, image_ids: Collection[int]) -> dict[int, dict[int, dict[str, dict[str, str]]]]:
    """What `user` has answered about pictures: by picture, list and key."""
    found: dict[int, dict[int, dict[str, dict[str, str]]]] = {}
    mine = ChecklistAnswers.user_id == user.id, ChecklistAnswers.image_id.in_(image_ids)
    columns = ChecklistAnswers.image_id, ChecklistAnswers.checklist_id, ChecklistAnswers.answers
    for image_id, checklist_id, answers in session.execute(select(*columns).where(*mine)):
        found.setdefault(image_id, {})[checklist_id] = answers
    return found


def sheets(session: Session, ids: Collection[int]) -> dict[int, ChecklistSheet]:
    """Answered lists by id."""
    if not ids:
        return {}
    return {each.id: each for each in session.scalars(select(ChecklistSheet).where(ChecklistSheet.id.in_(ids)))}


def answered(session: Session, user: User, decision_id: int) -> tuple[Decision, ChecklistSheet]:
    """A decision with the lists that it was made on. Raises NotFound."""
    wanted = select(Decision, ChecklistSheet).join(ChecklistSheet, ChecklistSheet.id == Decision.sheet_id)
    found = session.execute(
        wanted.where(Decision.id == decision_id, signed_in(user)).options(joinedload(Decision.user))
    ).first()
    if not found:
        raise NotFound(_("This decision was made without checklists."))
    return found[0], found[1]
