"""File names from a template such as `{campaign}-{style}-{n:03}-{slug}`.

The template is parsed here, never by `str.format`, which could access objects. Values are slugs, so whatever a prompt
says, a name stays in its folder, works on every system and is unique.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from string import Formatter

from app.languages import N_
from app.languages import gettext as _
from app.text import RESERVED

DEFAULT = "{campaign}-{style}-{n:03}-{slug}"
LENGTH = 200  # characters of a template
PART_BYTES = 200  # per folder or file name; file systems allow 255 with the extension and a number

# The meaning of each field; the page lists them.
FIELDS = {
    "campaign": N_("the campaign"),
    "set": N_("the set"),
    "style": N_("the style’s name"),
    "code": N_("the style’s code"),
    "version": N_("the style’s version"),
    "n": N_("the number in this export; {n:03} has three digits"),
    "position": N_("the number in its set"),
    "slug": N_("the prompt, in short"),
    "seed": N_("the seed"),
    "id": N_("the picture’s number in Soroe"),
    "size": N_("the size, such as 1080x1350"),
    "format": N_("the format"),
}
NUMBERS = {"version", "n", "position", "seed", "id"}
FORBIDDEN = '<>:"|?*\\'  # in names on Windows


@dataclass(frozen=True)
class NameValues:
    """The values of the fields for one file. Texts are already slugs."""

    campaign: str
    set: str
    style: str
    code: str
    version: int
    n: int
    position: int
    slug: str
    seed: int
    id: int
    size: str
    format: str


def checked(template: str) -> str:
    """Return `template` if it is usable. Raises ValueError with a sentence for its author."""
    if not template or len(template) > LENGTH:
        raise ValueError(
            _(
                "The name template has %(number)s characters; 1 to %(most)s are allowed.",
                number=len(template),
                most=LENGTH,
            )
        )
    if found := next((letter for letter in template if letter in FORBIDDEN and letter not in ":"), None):
        raise ValueError(_("The name template has %(sign)s, which file names cannot have.", sign=repr(found)))
    fields = [field for field, *_rest in _pieces(template) if field]
    if not fields:
        raise ValueError(_("The name template has no field. Add {n} or {slug} to tell pictures apart."))
    if any(part.strip(" .") == "" for part in template.split("/")):
        raise ValueError(_("The name template has a folder without a name."))
    return template


def name(template: str, values: NameValues) -> str:
    """The name of one file, without its extension; "/" separates folders."""
    known = asdict(values)
    parts = []
    for part in template.split("/"):
        filled = "".join(_filled(field, spec, known) if field else text for field, spec, text in _pieces(part))
        parts.append(_tidy(filled) or f"{values.n:03}")
    return "/".join(parts)


def uses(template: str, field: str) -> bool:
    return any(field == found for found, _, _ in _pieces(template))


class Taken:
    """Names already in use; a duplicate gets a number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}  # per name, the last number used

    def unique(self, name: str) -> str:
        """`name`, or `name-2`, `name-3`, ...; compared without regard to case, as on Windows and macOS."""
        plain = name.casefold()
        if plain not in self._numbers:
            self._numbers[plain] = 1
            return name
        number = self._numbers[plain] + 1
        while f"{plain}-{number}" in self._numbers:
            number += 1
        self._numbers[plain] = number
        self._numbers[f"{plain}-{number}"] = 1
        return f"{name}-{number}"


def _pieces(template: str) -> list[tuple[str, str, str]]:
    """The template as (field, digits, ""), or ("", "", text). Raises ValueError with a sentence."""
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(_("The name template has an unmatched brace.")) from error
    pieces = []
    for text, field, spec, conversion in parsed:
        if ":" in text:
            raise ValueError(_("The name template has %(sign)s, which file names cannot have.", sign="':'"))
        if text:
            pieces.append(("", "", text))
        if field is not None:
            pieces.append((_field(field, conversion), _digits(field, spec or ""), ""))
    return pieces


def _field(field: str, conversion: str | None) -> str:
    if field not in FIELDS or conversion:
        raise ValueError(
            _(
                "The name template has %(field)s; the fields are %(known)s.",
                field="{" + field[:40] + "}",
                known=", ".join(FIELDS),
            )
        )
    return field


def _digits(field: str, spec: str) -> str:
    if spec and (field not in NUMBERS or not re.fullmatch("0?[1-9]", spec)):
        raise ValueError(
            _(
                "The name template has %(field)s; a number’s digits are written as {n:03}.",
                field="{" + f"{field}:{spec[:20]}" + "}",
            )
        )
    return spec


def _filled(field: str, digits: str, values: Mapping[str, str | int]) -> str:
    value = str(values[field])
    return value.zfill(int(digits)) if digits else value


def _tidy(part: str) -> str:
    """Remove the hyphens around an empty field, and shorten to what file systems allow."""
    part = re.sub(r"([-_ ])[-_ ]*", r"\1", "".join(c for c in part if c.isprintable())).strip("-_ .")
    part = part.encode()[:PART_BYTES].decode(errors="ignore").rstrip("-_ .")
    return f"{part}-" if part.split(".")[0].lower() in RESERVED else part
