"""The bounds of a style: beyond them a picture is flagged. A flag orders and explains; it never decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session, joinedload

from app import undo
from app.accounts.queries import I_AM_ACTIVE, asks, signed_in
from app.accounts.service import may_change
from app.audit.service import record
from app.errors import Conflict, Forbidden, Invalid
from app.languages import gettext as _
from app.measures import agreement
from app.models import Act, FlagsDue, Image, PictureMeasures, Style, StyleBounds, User, Verdict
from app.quality.measures import DEFINITIONS, Measure
from app.text import decimal_number, narrow
from app.undo import Undone, changed_since

MOST = 5000  # decided pictures that are looked at, the newest
HISTORY = 100  # that a page lists

Bounds = Mapping[str, float | None]
"""By measure; None: the style is not flagged by it."""

USUAL: Bounds = {str(measure): each.usual for measure, each in DEFINITIONS.items() if each.worse}

_NEWEST = (
    select(StyleBounds.bounds)
    .where(StyleBounds.style_id == bindparam("style_id"))
    .order_by(StyleBounds.id.desc())
    .limit(1)
)


def bounds_of(session: Session, style_id: int) -> Bounds:
    """What counts for a style: what was saved last, and the usual bounds of measures that are newer."""
    return over_usual(session.scalar(_NEWEST, {"style_id": style_id}))


def over_usual(saved: Bounds | None) -> Bounds:
    """Saved bounds, completed by the usual ones; those of measures that no longer exist are left out."""
    return {measure: (saved or {}).get(measure, usual) for measure, usual in USUAL.items()}


# What people decided


@dataclass(frozen=True)
class DecidedPictures:
    """The numbers of a style's decided pictures, by measure."""

    approved: Mapping[str, Sequence[float]]
    rejected: Mapping[str, Sequence[float]]  # or with changes requested
    approved_total: int
    rejected_total: int


_DECIDED = (
    select(Image.decision, PictureMeasures.numbers)
    .join(PictureMeasures, PictureMeasures.image_id == Image.id)
    .where(
        Image.style_id == bindparam("style_id"),
        Image.decision.in_((Verdict.APPROVED, Verdict.REJECTED, Verdict.CHANGES_REQUESTED)),
        PictureMeasures.measured_at.is_not(None),
        I_AM_ACTIVE,
    )
    .order_by(Image.id.desc())
    .limit(MOST)
)


def decided(session: Session, user: User, style_id: int) -> DecidedPictures:
    """The newest decided pictures of a style, also those that a newer version replaced."""
    rows = session.execute(_DECIDED, asks(user) | {"style_id": style_id}).all()
    sides = [[numbers for verdict, numbers in rows if (verdict == Verdict.APPROVED) is good] for good in (True, False)]
    by_measure = [{measure: [each[measure] for each in side if measure in each] for measure in USUAL} for side in sides]
    return DecidedPictures(by_measure[0], by_measure[1], len(sides[0]), len(sides[1]))


def fitted(known: DecidedPictures, bounds: Bounds) -> dict[str, float | None]:
    """The bounds that would have agreed best with the decisions; those that nothing can be said of stay."""
    found = {
        measure: agreement.fit(known.approved[measure], known.rejected[measure], DEFINITIONS[Measure(measure)])
        for measure in bounds
    }
    return {measure: bound if found[measure] is None else found[measure] for measure, bound in bounds.items()}


# Saving


def history(session: Session, user: User, style_id: int) -> list[StyleBounds]:
    """What was saved, newest first."""
    rows = session.scalars(
        select(StyleBounds)
        .where(StyleBounds.style_id == style_id, signed_in(user))
        .options(joinedload(StyleBounds.user))
        .order_by(StyleBounds.id.desc())
        .limit(HISTORY)
    )
    return list(rows)


def read(typed: Mapping[str, str]) -> dict[str, float | None]:
    """Bounds as typed, by measure; nothing means that the style is not flagged by it. Raises Invalid."""
    bounds: dict[str, float | None] = {}
    errors: dict[str, str | None] = {}
    for measure in [each for each in USUAL if each in typed]:
        text = narrow(typed[measure]).strip().replace(",", ".")
        definition = DEFINITIONS[Measure(measure)]
        try:
            bounds[measure] = bound = float(f"{decimal_number(text):g}") if text else None  # as the form shows it again
            fine = bound is None or definition.low <= bound <= definition.high
        except ValueError:
            fine = False
        if not fine:
            errors[measure] = _(
                "Enter a number from %(low)s to %(high)s, or nothing.",
                low=f"{definition.low:g}",
                high=f"{definition.high:g}",
            )
    Invalid.check(errors)
    return bounds


def save(
    session: Session, user: User, style: Style, bounds: Bounds, seen: int | None, fit: Mapping[str, Any] | None = None
) -> StyleBounds | None:
    """Save bounds; its pictures are flagged by them soon. None if nothing is different.

    Measures that are left out keep their bounds. `seen` is the id of what the page showed as saved last; `fit` says how
    the bounds were proposed. Raises Forbidden, and Conflict if someone saved others since, or the style is in the bin.
    """
    if not may_change(user, style):
        raise Forbidden(_("Only the style’s owner or a manager can change its bounds. Ask one of them."))
    if style.deleted_at:
        raise Conflict(_("%(name)s is in the bin. Restore it first.", name=style.name))
    last = _last(session, style)
    if (last.id if last else None) != seen:
        raise Conflict(
            _("Someone saved other bounds since you opened this page. Compare them with yours, then save again.")
        )
    before = over_usual(last.bounds if last else None)
    wanted = {**before, **bounds}
    if wanted == before:
        return None
    row = _append(session, user, style, before, wanted, dict(fit or {}))
    undo.offer(session, user, "bounds", style=style.id, before=dict(before), after=row.id)
    return row


def _last(session: Session, style: Style) -> StyleBounds | None:
    return session.scalar(
        select(StyleBounds).where(StyleBounds.style_id == style.id).order_by(StyleBounds.id.desc()).limit(1)
    )


def _append(
    session: Session, user: User, style: Style, before: Bounds, bounds: Bounds, fit: dict[str, Any], **more: bool
) -> StyleBounds:
    row = StyleBounds(style_id=style.id, user_id=user.id, bounds=dict(bounds), fitted=fit)
    session.add(row)
    due = insert(FlagsDue).values(style_id=style.id, after=0)
    session.execute(due.on_conflict_do_update(index_elements=["style_id"], set_={"after": 0}))
    record(session, user, Act.STYLE_BOUNDS, style, bounds=changes(before, bounds), **more)
    return row


def changes(before: Bounds, after: Bounds) -> str:
    """What is different, by the stored names: "hue_reference 40 → 31, seam 4 → none"."""
    return ", ".join(
        f"{measure} {_told(before.get(measure))} → {_told(after.get(measure))}"
        for measure in USUAL
        if before.get(measure) != after.get(measure)
    )


def _told(bound: float | None) -> str:
    return "none" if bound is None else f"{bound:g}"


def undo_save(session: Session, user: User, style: int, before: dict[str, float | None], after: int) -> Undone:
    """Save again what counted before. Raises Conflict if others were saved since."""
    row = session.get_one(Style, style)
    last = _last(session, row)
    if not may_change(user, row):
        raise Forbidden(_("Only the style’s owner or a manager can change its bounds. Ask one of them."))
    if row.deleted_at:
        raise Conflict(_("%(name)s is in the bin. Restore it first.", name=row.name))
    if last is None or last.id != after:
        raise changed_since(session, user, row, _("the bounds of %(name)s", name=row.name))
    _append(session, user, row, over_usual(last.bounds), before, {}, undone=True)
    return Undone(_("%(name)s has the same bounds as before.", name=row.name))
