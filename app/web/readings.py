"""What the model reads of the texts that somebody is writing. The script of prompt fields asks; nothing is stored."""

from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session

from app.models import User
from app.prompts.remarks import KINDS, Kind, Mark, Remarks
from app.sets import queries, readings
from app.sets.spec import MOST_PROMPTS, NEGATIVE_LENGTH, PROMPT_LENGTH
from app.specs import Corrections
from app.text import clean_line, lines, narrow, narrow_places, whole_number
from app.web.deps import Me, Read, ResourcesDep, tried
from app.web.forms.form import Sent
from app.web.forms.sets import ReadingsForm
from app.web.pools import Route, reading

Pieces = tuple[tuple[str, Mark], ...]

MOST_READ = 10_000  # characters that one answer reads; the script asks again for the lines after them

router = APIRouter(route_class=Route)


@router.post("/readings", dependencies=[tried("reading")])
@reading
def read(resources: ResourcesDep, me: Me, session: Read, form: Sent[ReadingsForm]) -> Response:
    """What to say of each line of `prompts`, in order; of the first ones, if they are long."""
    kind: Kind = form.kind if form.kind in KINDS else "prompt"  # type: ignore[assignment]  # is one of them
    most = NEGATIVE_LENGTH if kind == "negative" else PROMPT_LENGTH
    typed = list(_first(clean_line(line[:most]) for line in lines(form.prompts)[:MOST_PROMPTS]))
    texts = [narrow(line) for line in typed]
    corrected = Corrections.parse({"drawn_as": form.drawn_as}).drawn_as
    style_text = _style_text(session, me, form) if kind == "prompt" else ""
    unused = readings.negative_unused("x", form.guidance_number) if kind == "negative" else None
    translator = resources.translator if form.drawn_as else None
    found = readings.read(session, resources.prompt_reader, texts, kind, style_text, translator, corrected, me)
    return JSONResponse([_facts(line, each, unused) for line, each in zip(typed, found, strict=True)])


def _first(texts: Iterable[str]) -> Iterator[str]:
    """The texts that one answer reads."""
    read = 0
    for text in texts:
        read += len(text)
        if read > MOST_READ:
            return
        yield text


def _style_text(session: Session, me: User, form: ReadingsForm) -> str:
    """The text of the style of the set that a picture belongs to, or else of the chosen style."""
    set_id = whole_number(form.set)
    if set_id is not None:
        return queries.get(session, me, set_id).style_version.said_text
    return readings.style_text(session, form.style)


def _facts(typed: str, found: Remarks, unused: str | None) -> dict[str, Any]:
    notes = [*found.notes, *([unused] if unused else [])]
    said = {
        "notes": notes,
        "aside": found.aside,
        "nothing": found.nothing,
        "unused": unused or "",
        "barred": found.barred,
    }
    return {"pieces": _as_typed(typed, found.pieces), "drawn_as": found.drawn_as, **said}


def _as_typed(typed: str, pieces: Pieces) -> Pieces:
    """The pieces of a text in narrow letters, as pieces of what was typed."""
    if typed.isascii():
        return pieces
    _, places = narrow_places(typed)
    ends = [*accumulate(len(part) for part, _ in pieces)]
    cuts = [0, *(places[end] for end in ends)]
    return tuple((typed[start:end], mark) for (start, end), (_, mark) in zip(pairwise(cuts), pieces, strict=True))
