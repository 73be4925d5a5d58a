"""Answers to checklists: saved per person and picture, checked before an approval, and kept with a decision."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.customs import queries
from app.customs.delivered import Item
from app.customs.queries import ListView
from app.errors import Conflict, Forbidden, Invalid
from app.languages import current, formats, ngettext
from app.languages import gettext as _
from app.models import ChecklistAnswers, ChecklistSheet, Image, ItemAnswer, Role, User, now
from app.text import clean_line, shorten

NOTE_LENGTH = 300  # characters
REASON_LENGTH = 500  # of a decision
TEXT_SHOWN = 80  # of an item in a sentence


class Unanswered(Conflict):
    """Someone tried to approve a picture whose checklists are not answered, or have something that is not fine."""


@dataclass(frozen=True)
class Given:
    """An answer to an item."""

    answer: ItemAnswer
    note: str = ""


# By list, key and stamp of an item: which words were answered.
Answers = Mapping[tuple[int, str, str], Given]


@dataclass(frozen=True)
class Sheet:
    """The lists that a picture's campaign requires, with what a person has answered."""

    lists: tuple[ListView, ...]
    given: Mapping[tuple[int, str], Given] = field(default_factory=dict)  # by list and key

    @property
    def total(self) -> int:
        return sum(len(each.items) for each in self.lists)

    def answer(self, checklist: ListView, item: Item) -> Given | None:
        return self.given.get((checklist.id, item.key))

    def missing(self, checklist: ListView) -> int:
        return sum(self.answer(checklist, item) is None for item in checklist.items)

    @property
    def open(self) -> int:
        """How many items have no answer."""
        return sum(map(self.missing, self.lists))

    @property
    def not_fine(self) -> list[tuple[ListView, Item, str]]:
        """What is not fine, with its notes."""
        return [
            (checklist, item, given.note)
            for checklist in self.lists
            for item in checklist.items
            if (given := self.answer(checklist, item)) and given.answer is ItemAnswer.NOT_FINE
        ]

    @property
    def refusal(self) -> str:
        """Why the picture cannot be approved, in a sentence; "" if it can."""
        if bad := self.not_fine:
            checklist, item, _note = bad[0]
            return _(
                "“%(item)s” (%(list)s) is answered as not fine: request changes, or correct the answer.",
                item=shorten(item.text, TEXT_SHOWN),
                list=checklist.name,
            )
        if not self.open:
            return ""
        parts = [
            _("%(list)s (%(missing)s of %(all)s)", list=each.name, missing=missing, all=len(each.items))
            for each in self.lists
            if (missing := self.missing(each))
        ]
        return _("Answer the checklists before approving; not answered: %(lists)s.", lists=_(", ").join(parts))

    @property
    def reason(self) -> str:
        """What is not fine, as the reason for requested changes; "" for nothing."""
        said = (
            _("%(item)s (%(note)s)", item=item.text.rstrip(".。"), note=note) if note else item.text
            for _list, item, note in self.not_fine
        )
        words = formats.sentences([_("Not fine:"), *said]) if self.not_fine else ""
        return shorten(words, REASON_LENGTH)

    def tally(self, checklist: ListView) -> str:
        """In English, for the audit log: "Japan 2: 14 fine, 1 not fine, 1 not applicable"."""
        given = [each.answer for item in checklist.items if (each := self.answer(checklist, item))]
        return f"{checklist.recorded} {checklist.version}: {_counts(given)}"

    @cached_property
    def content(self) -> dict[str, Any]:
        """Word for word what was answered, in the language in which it was read."""
        return {
            "language": current(),
            "lists": [
                {
                    "id": each.id,
                    "name": each.name,
                    "version": each.version,
                    "items": [
                        {
                            "key": item.key,
                            "text": item.text,
                            "why": item.why,
                            "source": item.source_words,
                            "answer": str(given.answer),
                            "note": given.note,
                        }
                        for item in each.items
                        if (given := self.answer(each, item))
                    ],
                }
                for each in self.lists
            ],
        }


def hash_of(content: Mapping[str, Any]) -> str:
    """The SHA-256 of a sheet's content, as JSON."""
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


# Saving


def save(session: Session, user: User, image: Image, sent: Answers) -> Sheet:
    """Save what `user` answers about a picture; what is missing stays as it was. Reviewers and above.

    Answers to words that were changed since are left out. Raises Forbidden, Invalid for a note that is too long, and
    Conflict if the campaign requires no checklist, as after a manager removed the last one.
    """
    if not user.can(Role.REVIEWER):
        raise Forbidden(_("Only reviewers answer checklists. You can write a comment instead."))
    sent = checked(sent)
    lists = queries.required(session, image.campaign.checklists)
    if not lists:
        raise Conflict(
            _("The campaign of this picture requires no checklist now, so nothing was saved. Reload the page.")
        )
    mine = ChecklistAnswers.image_id == image.id, ChecklistAnswers.user_id == user.id
    rows = {each.checklist_id: each for each in session.scalars(select(ChecklistAnswers).where(*mine))}
    for checklist in lists.values():
        new = {
            item.key: {"stamp": item.stamp, "answer": str(given.answer), "note": given.note}
            for item in checklist.items
            if (given := sent.get((checklist.id, item.key, item.stamp)))
        }
        row = rows.get(checklist.id)
        if row and new:
            row.answers, row.saved_at = row.answers | new, now()
        elif new:
            session.add(ChecklistAnswers(image_id=image.id, user_id=user.id, checklist_id=checklist.id, answers=new))
    session.flush()
    return of(session, user, [image])[image.id]


def checked(sent: Answers) -> Answers:
    """The stored form of answers. Raises Invalid of "answers" for a note that is too long."""
    cleaned = {key: Given(each.answer, clean_line(each.note)) for key, each in sent.items()}
    longest = max((len(each.note) for each in cleaned.values()), default=0)
    if longest > NOTE_LENGTH:
        raise Invalid(
            "answers", _("A note has %(number)s characters; at most %(most)s fit.", number=longest, most=NOTE_LENGTH)
        )
    return cleaned


def forget(session: Session, user: User, image_ids: Sequence[int]) -> None:
    """Remove what `user` saved about pictures, because another answer took its place."""
    mine = ChecklistAnswers.user_id == user.id, ChecklistAnswers.image_id.in_(image_ids)
    session.execute(delete(ChecklistAnswers).where(*mine))


# Reading


def of(session: Session, user: User, images: Sequence[Image], sent: Answers | None = None) -> dict[int, Sheet]:
    """The sheets of pictures whose campaigns require lists, by picture.

    With what `user` saved, or with the same answers `sent` for all of them, each to the words that it was given to.
    """
    asking = [image for image in images if image.campaign.checklists]
    if not asking:
        return {}
    wanted = {checklist_id for image in asking for checklist_id in image.campaign.checklists}
    lists = queries.required(session, sorted(wanted))
    saved = {} if sent is not None else queries.saved(session, user, [image.id for image in asking])
    if sent is not None:
        sent = checked(sent)
    found: dict[int, Sheet] = {}
    alike: dict[tuple[int, ...], Sheet] = {}
    for image in asking:
        ids = tuple(image.campaign.checklists)
        asked = tuple(lists[checklist_id] for checklist_id in ids if checklist_id in lists)
        if sent is None:
            found[image.id] = Sheet(asked, dict(_saved(asked, saved.get(image.id, {}))))
        else:
            if ids not in alike:
                alike[ids] = Sheet(asked, dict(_sent(asked, sent)))
            found[image.id] = alike[ids]
    return found


def _saved(
    lists: Iterable[ListView], saved: Mapping[int, Mapping[str, Mapping[str, str]]]
) -> Iterable[tuple[tuple[int, str], Given]]:
    for checklist in lists:
        answers = saved.get(checklist.id, {})
        for item in checklist.items:
            one = answers.get(item.key)
            if one and one["stamp"] == item.stamp:
                yield (checklist.id, item.key), Given(ItemAnswer(one["answer"]), one["note"])


def _sent(lists: Iterable[ListView], sent: Answers) -> Iterable[tuple[tuple[int, str], Given]]:
    for checklist in lists:
        for item in checklist.items:
            if given := sent.get((checklist.id, item.key, item.stamp)):
                yield (checklist.id, item.key), given


# Keeping


def keep(session: Session, sheets: Mapping[int, Sheet]) -> dict[int, ChecklistSheet]:
    """Store what decisions are made on, once for all with the same answers; by picture, if it has answers."""
    contents: dict[int, str] = {}  # a sheet shared by many pictures is written once
    hashes: dict[int, str] = {}
    written: dict[str, Sheet] = {}
    for image_id, sheet in sheets.items():
        if not sheet.given:
            continue
        if id(sheet) not in contents:
            contents[id(sheet)] = hash_of(sheet.content)
        hashes[image_id] = contents[id(sheet)]
        written[hashes[image_id]] = sheet
    if not hashes:
        return {}
    known = select(ChecklistSheet).where(ChecklistSheet.sha256.in_(written))
    rows = {row.sha256: row for row in session.scalars(known)}
    for sha256, sheet in written.items():
        if sha256 not in rows:
            ids = [each.id for each in sheet.lists]
            rows[sha256] = ChecklistSheet(sha256=sha256, lists=ids, content=sheet.content)
            session.add(rows[sha256])
    session.flush()
    return {image_id: rows[sha256] for image_id, sha256 in hashes.items()}


def details(sheet: Sheet, kept: ChecklistSheet | None) -> dict[str, Any]:
    """What the audit log says about the answers behind a decision; the hash proves them."""
    if kept is None:
        return {}
    return {"checklists": [sheet.tally(each) for each in sheet.lists], "answers": kept.sha256}


def counted(content: Mapping[str, Any]) -> list[str]:
    """What a decision was made on, for files and records: "Japan 2: 14 fine, 1 not fine, 1 not applicable"."""
    return [
        f"{each['name']} {each['version']}: {_counts([ItemAnswer(item['answer']) for item in each['items']])}"
        for each in content["lists"]
    ]


def _counts(answers: Sequence[ItemAnswer]) -> str:
    numbers = ((each, answers.count(each)) for each in ItemAnswer)
    return ", ".join(f"{number} {each.replace('_', ' ')}" for each, number in numbers if number)


def summary(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a decision was made on: each list, and its answers counted, in the language of now."""
    told = []
    for each in content["lists"]:
        counts = {answer: sum(item["answer"] == answer for item in each["items"]) for answer in ItemAnswer}
        parts = [
            ngettext("%(number)s fine", "%(number)s fine", counts[ItemAnswer.FINE]) if counts[ItemAnswer.FINE] else "",
            ngettext("%(number)s not fine", "%(number)s not fine", counts[ItemAnswer.NOT_FINE])
            if counts[ItemAnswer.NOT_FINE]
            else "",
            ngettext("%(number)s does not apply", "%(number)s do not apply", counts[ItemAnswer.NOT_APPLICABLE])
            if counts[ItemAnswer.NOT_APPLICABLE]
            else "",
        ]
        told.append((each["name"], _(", ").join(filter(None, parts))))
    return told
