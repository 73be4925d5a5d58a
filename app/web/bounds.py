"""The bounds of a style: what they are, how well they agree with people, and where they came from."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import undo as undos
from app.errors import Conflict, Invalid
from app.languages import gettext as _
from app.measures import agreement, bounds, words
from app.measures.agreement import FlagOutcome
from app.measures.bounds import Bounds, DecidedPictures
from app.measures.versions import roles
from app.models import Style, StyleBounds, User
from app.quality.measures import DEFINITIONS, Measure, can_take
from app.styles import queries as styles
from app.styles import service
from app.web.deps import Me, Read, ResourcesDep
from app.web.forms.bounds import BoundsForm
from app.web.forms.form import Sent
from app.web.pools import Route
from app.web.templating import Page, render, see_other

router = APIRouter(route_class=Route)

CURVE = 60  # px of the side of an ROC curve, and of its view box


@dataclass(frozen=True)
class BoundRow:
    """A measure, its bound, and what people say."""

    measure: str
    label: str
    unit: str
    at_least: bool  # the bound is the least, not the most
    typed: str  # what the field holds
    now: str  # the saved bound, as read
    differs: bool  # what was typed, from the saved bound
    approved: int
    rejected: int
    area: float | None
    outcome: FlagOutcome
    proposed_outcome: FlagOutcome | None
    curve: str  # the points of an SVG polyline; "" without both kinds of decisions


@dataclass(frozen=True)
class HistoryRow:
    saved: StyleBounds
    changes: list[str]


@dataclass(frozen=True, kw_only=True)
class BoundsPage(Page):
    template = "measures/bounds.html"
    nav = "styles"

    style: Style
    rows: list[BoundRow]
    unmeasured: list[BoundRow]  # no model takes them, and nobody set a bound
    decided: DecidedPictures
    least: int  # decisions of either kind that fitting needs
    enough: bool
    fitting: bool  # the page proposes bounds
    errors: dict[str, str]
    seen: int | None
    history: list[HistoryRow]
    can_edit: bool


@router.get("/styles/{code}/bounds")
def show(request: Request, resources: ResourcesDep, me: Me, session: Read, code: str, fit: str = "") -> Response:
    return render(request, page_of(session, me, roles(resources.settings), code, fitting=bool(fit)))


@router.post("/styles/{code}/bounds")
def save(request: Request, resources: ResourcesDep, me: Me, form: Sent[BoundsForm], code: str) -> Response:
    try:
        wanted = bounds.read(form.typed)
        with resources.database.write() as session:
            style = styles.by_code(session, me, code)
            fit = {"rule": "youden"} if form.fitted else None
            saved = bounds.save(session, me, style, wanted, form.seen, fit)
    except Invalid as error:
        with resources.database.read() as session:
            known = roles(resources.settings)
            shown = page_of(session, me, known, code, typed=form.typed, errors=error.errors, fitting=form.fitted)
            return render(request, replace(shown, seen=form.seen), error.status)
    except Conflict as error:  # what was typed is shown next to what is saved now
        errors = {"form": str(error)}
        with resources.database.read() as session:
            known = roles(resources.settings)
            shown = page_of(session, me, known, code, typed=form.typed, errors=errors, fitting=form.fitted)
            return render(request, shown, error.status)
    done = _("Bounds saved. Pictures are flagged by them in a moment.") if saved else _("Nothing was changed.")
    return see_other(f"/styles/{code}/bounds", done, undo=undos.offered(session))


def page_of(
    session: Session,
    me: User,
    measured_by: Collection[str],
    code: str,
    *,
    fitting: bool = False,
    typed: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> BoundsPage:
    style = styles.by_code(session, me, code)
    known = bounds.decided(session, me, style.id)
    saved = bounds.history(session, me, style.id)
    standing = bounds.over_usual(saved[0].bounds if saved else None)
    enough = min(known.approved_total, known.rejected_total) >= agreement.LEAST
    proposed = bounds.fitted(known, standing) if fitting and enough else standing
    rows = [row_of(measure, standing, proposed, known, typed) for measure in standing]
    idle = [
        row
        for row in rows
        if not row.now and not row.approved + row.rejected and not can_take(Measure(row.measure), measured_by)
    ]
    return BoundsPage(
        style=style,
        rows=sorted((row for row in rows if row not in idle), key=lambda row: bounds.USUAL[row.measure] is None),
        unmeasured=idle,
        decided=known,
        least=agreement.LEAST,
        enough=enough,
        fitting=fitting and enough,
        errors=errors or {},
        seen=saved[0].id if saved else None,
        history=history_of(saved),
        can_edit=service.may_change(me, style) and not style.deleted_at,
    )


def row_of(
    measure: str, standing: Bounds, proposed: Bounds, known: DecidedPictures, typed: dict[str, str] | None
) -> BoundRow:
    definition = DEFINITIONS[Measure(measure)]
    approved, rejected = known.approved[measure], known.rejected[measure]
    now, then = standing[measure], proposed[measure]
    other = then if then != now else None
    shown_now = "" if now is None else f"{now:g}"
    shown = typed.get(measure, "") if typed else "" if then is None else f"{then:g}"
    points = agreement.curve(approved, rejected, definition) if approved and rejected else []
    return BoundRow(
        measure=measure,
        label=words.label(measure),
        unit=definition.unit,
        at_least=definition.worse == "low",
        typed=shown,
        now="" if now is None else words.value(measure, now),
        differs=shown != shown_now,
        approved=len(approved),
        rejected=len(rejected),
        area=agreement.area(approved, rejected, definition),
        outcome=agreement.outcome(approved, rejected, definition, now),
        proposed_outcome=None if other is None else agreement.outcome(approved, rejected, definition, other),
        curve=" ".join(f"{CURVE * false:.1f},{CURVE * (1 - hit):.1f}" for false, hit in points),
    )


def history_of(saved: list[StyleBounds]) -> list[HistoryRow]:
    """Each that was saved, with what was different before; the first differs from the usual bounds."""
    rows = []
    for place, each in enumerate(saved):
        before = bounds.over_usual(saved[place + 1].bounds if place + 1 < len(saved) else None)
        after = bounds.over_usual(each.bounds)
        rows.append(
            HistoryRow(each, [change(measure, before, after) for measure in after if before[measure] != after[measure]])
        )
    return rows


def change(measure: str, before: Bounds, after: Bounds) -> str:
    """One change, such as "Hue distance from the reference: 40° → 31°"."""
    told = ["–" if (bound := each[measure]) is None else words.value(measure, bound) for each in (before, after)]
    return _("%(measure)s: %(before)s → %(after)s", measure=words.label(measure), before=told[0], after=told[1])
