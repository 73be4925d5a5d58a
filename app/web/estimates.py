"""How long a new set will take, in words, while its form is filled in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import PlainTextResponse
from sqlalchemy.orm import Session

from app.errors import Invalid
from app.languages import N_, translated
from app.languages import gettext as _
from app.models import User
from app.sets.estimate import Effort, Estimate, estimate
from app.sets.spec import MOST_PICTURES, PictureSpec
from app.specs import read_json
from app.text import lines, whole_number
from app.web.deps import Me, Read, Resources, ResourcesDep
from app.web.filters import duration
from app.web.pools import Route
from app.web.queue import why_nothing_runs

router = APIRouter(route_class=Route)

SOON = 3  # seconds until a start that is not worth a word
UNKNOWN = N_("Time not known before the first set")


@dataclass(frozen=True)
class EstimateQuery:
    """What the form says that an estimate depends on, as in the form; of lists, their lengths."""

    prompts: str = ""
    count: str = ""
    size: str = ""
    width: str = ""
    height: str = ""
    steps: str = ""
    guidance: str = ""
    scheduler: str = ""
    structures: str = ""
    regions: str = ""


@router.get("/sets/estimate")
def shown(
    resources: ResourcesDep, me: Me, session: Read, asked: Annotated[EstimateQuery, Depends()]
) -> PlainTextResponse:
    numbers = {name: whole_number(getattr(asked, name)) or 0 for name in ("prompts", "structures", "regions")}
    form = {
        name: getattr(asked, name) for name in ("count", "size", "width", "height", "steps", "guidance", "scheduler")
    }
    return PlainTextResponse(in_words(resources, session, me, form, **numbers), headers={"Cache-Control": "no-store"})


def of_form(resources: Resources, session: Session, me: User, form: Mapping[str, Any]) -> str:
    """The estimate for a form with these values."""
    prompts = sum(1 for line in lines(form["prompts"]) if line.strip())
    return in_words(resources, session, me, form, prompts, _length(form["structures"]), _length(form["regions"]))


def _length(parts: str) -> int:
    try:
        found = read_json(parts or "[]")
    except ValueError:
        return 0
    return len(found) if isinstance(found, list) else 0


def in_words(
    resources: Resources,
    session: Session,
    me: User,
    form: Mapping[str, Any],
    prompts: int,
    structures: int,
    regions: int,
) -> str:
    """ "About 2 min, starts in about 5 min"; "" for a form without pictures, or with values that are refused."""
    spec = spec_of(resources, form)
    pictures = prompts * spec.count if spec else 0
    if spec is None or not 0 < pictures <= MOST_PICTURES:
        return ""
    effort = Effort(spec.width, spec.height, spec.steps, spec.guidance, spec.scheduler, structures, regions)
    return of_pictures(resources, session, me, effort, pictures, resources.settings.unit_size)


def spec_of(resources: Resources, form: Mapping[str, Any]) -> PictureSpec | None:
    """What a form asks for, whatever its prompts; None if its values are refused."""
    model = resources.engine.model
    try:
        spec = PictureSpec.from_form({**form, "prompts": "a"}, model)
    except Invalid:
        return None
    return None if any(spec.problems(model).values()) else spec


def of_pictures(
    resources: Resources, session: Session, me: User, effort: Effort, pictures: int, unit_size: int, priority: int = 0
) -> str:
    """ "About 2 min, starts in about 5 min", for so many pictures in units of this size."""
    left = {unit.work.id: unit.seconds_left for unit in tuple(resources.bus.running.values())}
    found = estimate(session, me, effort, pictures, resources.engine.model.name, unit_size, left, priority)
    if pause := why_nothing_runs(session, resources):
        return _("Paused: %(reason)s", reason=pause.reason)
    return translated(UNKNOWN) if found is None else said(found)


def said(found: Estimate) -> str:
    time = duration(rounded(found.takes))
    if found.starts is None:
        return _("About %(time)s, after what is in the queue", time=time)
    if found.starts < SOON:
        return _("About %(time)s", time=time)
    return _("About %(time)s, starts in about %(start)s", time=time, start=duration(rounded(found.starts)))


def rounded(seconds: float) -> float:
    """No more exact than an estimate is: to 5 seconds below a minute, then to minutes."""
    return max(5, 5 * round(seconds / 5)) if seconds < 55 else 60 * round(seconds / 60)
