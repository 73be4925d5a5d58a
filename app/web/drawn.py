"""What will be drawn for texts in Japanese, for pages without scripts."""

from collections.abc import Iterable, Mapping

from app.errors import UserError
from app.sets.spec import MOST_PROMPTS, NEGATIVE_LENGTH, json_list
from app.specs import Corrections
from app.text import clean_prompt, lines, may_fit
from app.translation.translator import drawn_as
from app.web.deps import Resources


def drawn_of(resources: Resources, form: Mapping[str, str], texts: Iterable[str]) -> Mapping[str, str]:
    """What will be drawn for those texts of a refused form that are in Japanese, as far as it can be read."""
    cleaned = (clean_prompt(text) for text in texts if may_fit(text, NEGATIVE_LENGTH))
    short = [text for text in cleaned if len(text) <= NEGATIVE_LENGTH]
    try:
        corrected = Corrections.parse({"drawn_as": form["drawn_as"]}).drawn_as
        return drawn_as(short, corrected, resources.translator, resources.handles(short))
    except UserError:
        return {}


def texts_of_set(form: Mapping[str, str]) -> list[str]:
    """The texts of a set's form: prompts, those of regions, the negative prompt."""
    try:
        parts = json_list(form["regions"])
    except ValueError:
        parts = []
    regions = [part.get("prompt") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    said = [text for text in regions if isinstance(text, str)]
    return [*lines(form["prompts"])[:MOST_PROMPTS], *said, form["negative_prompt"]]
