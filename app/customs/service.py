"""Edit checklists. For managers; every change is a version, and what was answered stays as it was answered."""

import secrets
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import undo
from app.audit.service import record
from app.customs import delivered, queries
from app.customs.delivered import TOPICS
from app.customs.queries import name_of
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.languages import gettext as _
from app.models import Act, Checklist, ChecklistVersion, Role, User, now
from app.text import clean_line
from app.undo import Undone, changed_since

NAME_LENGTH = 80  # characters
LENGTHS = {"text": 300, "why": 500, "source": 300}
MOST_LISTS = 50  # of the team
MOST_ITEMS = 60  # in a list

Entry = dict[str, str]  # an item as it is stored


# Lists


def create(session: Session, user: User, name: str) -> Checklist:
    """A list of the team's own, without items."""
    _need_manager(user)
    name = _name(session, name)
    own = Checklist.market.is_(None), Checklist.deleted_at.is_(None)
    if (session.scalar(select(func.count()).where(*own)) or 0) >= MOST_LISTS:
        raise Invalid(
            "name", _("There are %(number)s own checklists, the most allowed. Delete one first.", number=MOST_LISTS)
        )
    checklist = Checklist(name=name, items=[], created_by_id=user.id)
    session.add(checklist)
    record(session, user, Act.CHECKLIST_CREATE, checklist, name=name)
    return checklist


def rename(session: Session, user: User, checklist_id: int, name: str) -> Checklist:
    """Rename one of the team's own."""
    checklist = _own(session, user, checklist_id)
    name = _name(session, name, checklist)
    if checklist.name != name:
        before, checklist.name = checklist.name, name
        record(session, user, Act.CHECKLIST_RENAME, checklist, name=name, before=before)
        undo.offer(session, user, "checklist name", checklist=checklist.id, before=before, after=name)
    return checklist


def delete(session: Session, user: User, checklist_id: int) -> Checklist:
    """Delete one of the team's own. Raises Conflict while a campaign requires it. It can be restored."""
    checklist = _own(session, user, checklist_id)
    if used := queries.uses(session).get(checklist.id):
        raise Conflict(
            _(
                "%(campaign)s requires %(name)s, so it cannot be deleted. Remove it from the campaign first.",
                campaign=used[0],
                name=checklist.name,
            )
        )
    checklist.deleted_at = now()
    record(session, user, Act.CHECKLIST_DELETE, checklist, name=checklist.name)
    undo.offer(session, user, "checklist", checklist=checklist.id)
    return checklist


def restore(session: Session, user: User, checklist_id: int) -> Checklist:
    """Restore a deleted one. Raises Conflict if its name was given to another."""
    _need_manager(user)
    checklist = queries.row(session, user, checklist_id)
    if not checklist.deleted_at:
        raise Conflict(_("%(name)s is not deleted.", name=name_of(checklist)))
    if checklist.name.casefold() in _names(session, checklist):
        raise Conflict(
            _(
                "There is a newer checklist '%(name)s'. Rename that one first, then restore this one.",
                name=checklist.name,
            )
        )
    checklist.deleted_at = None
    record(session, user, Act.CHECKLIST_RESTORE, checklist, name=checklist.name)
    return checklist


# Items


def add(session: Session, user: User, checklist_id: int, topic: str, text: str, why: str, source: str = "") -> str:
    """Add an item; returns its key. Raises Invalid of its fields."""
    checklist = _editable(session, user, checklist_id)
    entries = _entries(checklist)
    if len(entries) >= MOST_ITEMS:
        raise Invalid(
            "text",
            _("The checklist has %(number)s items, the most allowed. Remove one first.", number=MOST_ITEMS),
        )
    entry = _written(f"own-{secrets.token_hex(4)}", topic, text, why, source)
    _need_other_words(checklist, entry)
    _save(session, user, checklist, [*entries, entry], added=entry["text"])
    return entry["key"]


def change(
    session: Session,
    user: User,
    checklist_id: int,
    key: str,
    seen: str,
    topic: str,
    text: str,
    why: str,
    source: str = "",
) -> None:
    """Reword an item: earlier answers keep the old words, and pictures need new ones.

    `seen` is the stamp of the words that were edited. Raises Conflict if they were changed since, and Invalid.
    """
    checklist = _editable(session, user, checklist_id)
    entries = _entries(checklist)
    place = _place(entries, key)
    item = queries.items_of(checklist, [entries[place]])[0]
    if item.stamp != seen:
        raise Conflict(_("This item was just changed. Check it and edit it again."))
    entry = _written(key, topic, text, why, source)
    if (new := queries.written(entry)) and (new.stamp, new.topic) == (item.stamp, item.topic):
        return
    _need_other_words(checklist, entry)
    entries[place] = entry
    _save(session, user, checklist, entries, changed=item.text)


def remove(session: Session, user: User, checklist_id: int, key: str) -> None:
    """Remove an item; earlier answers stay. A delivered one can be restored."""
    checklist = _editable(session, user, checklist_id)
    entries = _entries(checklist)
    entry = entries.pop(_place(entries, key))
    item = queries.items_of(checklist, [entry])[0]
    _save(session, user, checklist, entries, removed=item.text)


def restore_item(session: Session, user: User, checklist_id: int, key: str) -> None:
    """Put a delivered item back with its original words, whether it was changed or removed. Raises NotFound."""
    checklist = _editable(session, user, checklist_id)
    if not checklist.market or key not in delivered.items(checklist.market):
        raise NotFound(_("There is no original of this item."))
    entries = [entry for entry in _entries(checklist) if entry["key"] != key]
    places = {known: place for place, known in enumerate(delivered.items(checklist.market))}
    after = [at for at, entry in enumerate(entries) if places.get(entry["key"], len(places)) < places[key]]
    entries.insert(after[-1] + 1 if after else 0, {"key": key})
    _save(session, user, checklist, entries, restored=delivered.items(checklist.market)[key].text)


def restore_version(session: Session, user: User, checklist_id: int, number: int) -> None:
    """Make an earlier version the current one again, as a new version; 0 is the original."""
    checklist = _editable(session, user, checklist_id)
    items = _items_at(session, checklist, number)
    if items != checklist.items:
        _save(session, user, checklist, items, version=number)


# Undo


def undo_items(session: Session, user: User, checklist: int, before: int, after: int) -> Undone:
    """Undo a change of items. Raises Conflict if there was another one since."""
    row = _editable(session, user, checklist)
    if row.version != after:
        raise changed_since(session, user, row, _("the checklist %(name)s", name=name_of(row)))
    _save(session, user, row, _items_at(session, row, before), undone=True)
    return Undone(_("The checklist %(name)s is as before.", name=name_of(row)))


def undo_name(session: Session, user: User, checklist: int, before: str, after: str) -> Undone:
    row = queries.row(session, user, checklist)
    if row.name != after:
        raise changed_since(session, user, row, _("the name of %(name)s", name=row.name))
    rename(session, user, checklist, before)
    return Undone(_("The checklist is called %(name)s again.", name=before))


def undo_deletion(session: Session, user: User, checklist: int) -> Undone:
    row = restore(session, user, checklist)
    return Undone(_("Checklist %(name)s restored.", name=row.name))


# Checks


def _save(session: Session, user: User, checklist: Checklist, items: Sequence[Entry] | None, **said: str | int) -> None:
    _need_items_if_required(session, checklist, items)
    before = checklist.version
    checklist.items = None if items is None else list(items)
    session.add(ChecklistVersion(checklist_id=checklist.id, number=before + 1, items=checklist.items, user_id=user.id))
    session.flush()
    session.expire(checklist, ["version"])
    record(session, user, Act.CHECKLIST_CHANGE, checklist, **said)
    undo.offer(session, user, "checklist items", checklist=checklist.id, before=before, after=before + 1)


def _need_items_if_required(session: Session, checklist: Checklist, items: Sequence[Entry] | None) -> None:
    """Raise Conflict if a list that a campaign requires would no longer ask anything."""
    used = [] if queries.items_of(checklist, items) else queries.uses(session).get(checklist.id)
    if used:
        raise Conflict(
            _(
                "%(campaign)s requires %(name)s, so at least one item must stay. Remove the list from the campaign"
                " first.",
                campaign=used[0],
                name=name_of(checklist),
            )
        )


def _items_at(session: Session, checklist: Checklist, number: int) -> list[Entry] | None:
    if number == 0:
        return None if checklist.market else []
    return queries.version(session, checklist.id, number).items


def _entries(checklist: Checklist) -> list[Entry]:
    """The items as stored, which may leave out words that the app knows."""
    if checklist.items is None:
        return [{"key": key} for key in delivered.items(checklist.market or "")]
    known = delivered.items(checklist.market) if checklist.market else {}
    return [dict(entry) for entry in checklist.items if "text" in entry or entry["key"] in known]


def _place(entries: Sequence[Entry], key: str) -> int:
    for place, entry in enumerate(entries):
        if entry["key"] == key:
            return place
    raise NotFound(_("This item does not exist; it may have been removed."))


def _written(key: str, topic: str, text: str, why: str, source: str) -> Entry:
    """The stored form of an item. Raises Invalid with all of its faults."""
    words = {"text": clean_line(text), "why": clean_line(why), "source": clean_line(source)}
    errors: dict[str, str | None] = {
        "topic": None if topic in TOPICS else _("Choose a topic."),
        "text": None if words["text"] else _("Say what a reviewer looks for, in one sentence."),
        "why": None if words["why"] else _("Say why, so that a reviewer can judge."),
    }
    for name, most in LENGTHS.items():
        if len(words[name]) > most:
            errors[name] = _(
                "This has %(number)s characters; at most %(most)s fit.", number=len(words[name]), most=most
            )
    Invalid.check(errors)
    return {"key": key, "topic": topic, **words}


def _need_other_words(checklist: Checklist, entry: Entry) -> None:
    others = (item for item in queries.items_of(checklist, _entries(checklist)) if item.key != entry["key"])
    if entry["text"].casefold() in {item.text.casefold() for item in others}:
        raise Invalid("text", _("This sentence is already in the checklist."))


def _name(session: Session, name: str, own: Checklist | None = None) -> str:
    name = clean_line(name)
    if not name:
        raise Invalid("name", _("Enter a name for the checklist."))
    if len(name) > NAME_LENGTH:
        raise Invalid(
            "name", _("The name has %(number)s characters; at most %(most)s fit.", number=len(name), most=NAME_LENGTH)
        )
    if name.casefold() in _names(session, own):
        raise Invalid("name", _("There is already a checklist '%(name)s'. Choose another name.", name=name))
    return name


def _names(session: Session, own: Checklist | None) -> set[str]:
    """The names that are taken, without case."""
    rows = session.scalars(select(Checklist).where(Checklist.deleted_at.is_(None)))
    others = [row for row in rows if own is None or row.id != own.id]
    return {name.casefold() for row in others for name in (row.name, name_of(row))}


def _editable(session: Session, user: User, checklist_id: int) -> Checklist:
    _need_manager(user)
    checklist = queries.row(session, user, checklist_id)
    if checklist.deleted_at:
        raise Conflict(_("%(name)s is deleted. Restore it first.", name=checklist.name))
    return checklist


def _own(session: Session, user: User, checklist_id: int) -> Checklist:
    checklist = _editable(session, user, checklist_id)
    if checklist.market:
        raise Conflict(_("%(name)s comes with Soroe, so it keeps its name and stays.", name=name_of(checklist)))
    return checklist


def _need_manager(user: User) -> None:
    if not user.can(Role.MANAGER):
        raise Forbidden(_("Only managers change checklists. Ask one of them."))
