"""Brand rules as people write them."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field

from app.blocked.matching import can_be_found, folded
from app.errors import Invalid
from app.languages import N_
from app.languages import gettext as _
from app.quality.brand import BrandRules, valid_hex
from app.specs import Spec
from app.text import clean_line, lines, narrow

MOST_COLOURS, MOST_AVOIDED, WORD_LENGTH = 16, 100, 60
NOTE_LENGTH = 200  # characters
SEPARATORS = str.maketrans(",;、", "   ")  # of colours, also as Japanese keyboards type them


def _colours(value: object) -> object:
    """Colours in any order, one per line or with spaces or commas between them."""
    if not isinstance(value, str):
        return value
    found = [each.lower() for each in narrow(value).translate(SEPARATORS).split()]
    given = {each if each.startswith("#") else f"#{each}": each for each in found}
    if wrong := next((written for each, written in given.items() if not valid_hex(each)), None):
        raise ValueError(_("%(given)s is not a colour. Write colours such as #1f6feb.", given=wrong[:40]))
    if len(given) > MOST_COLOURS:
        raise ValueError(_("At most %(most)s colours fit. Remove some.", most=MOST_COLOURS))
    return tuple(given)


def _words(value: object) -> object:
    if not isinstance(value, str):
        return value
    by_form: dict[str, str] = {}  # however it is written, a word counts once
    for each in filter(None, map(clean_line, lines(value))):
        by_form.setdefault(folded(each), each)
    found = tuple(by_form.values())
    if wrong := next((each for each in found if len(each) > WORD_LENGTH), None):
        raise ValueError(
            _("%(given)s is too long: a word has at most %(most)s characters.", given=wrong[:40], most=WORD_LENGTH)
        )
    if wrong := next((each for each in found if not can_be_found(folded(each))), None):
        raise ValueError(_("“%(word)s” has no letter or digit, so no prompt can have it. Remove it.", word=wrong))
    if len(found) > MOST_AVOIDED:
        raise ValueError(_("At most %(most)s words fit. Remove some.", most=MOST_AVOIDED))
    return found


def _once(ids: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(ids))


Colours = Annotated[tuple[str, ...], BeforeValidator(_colours)]
WordsToAvoid = Annotated[tuple[str, ...], BeforeValidator(_words)]


class BrandSpec(Spec):
    """The rules of a style or campaign. Per cents and OKLab distances times 100, as in the form."""

    colours: Colours = ()
    tolerance: int = Field(default=10, title=N_("The tolerance"), ge=2, le=40)
    palette_share: int = Field(default=80, title=N_("The share in these colours"), ge=10, le=100)
    never: Colours = ()
    never_tolerance: int = Field(default=6, title=N_("The tolerance of forbidden colours"), ge=2, le=40)
    background: Colours = ()
    size_least: int | None = Field(default=None, title=N_("The smallest size"), ge=0, le=100)
    size_most: int | None = Field(default=None, title=N_("The largest size"), ge=0, le=100)
    place_x: int | None = Field(default=None, title=N_("The place from the left"), ge=0, le=100)
    place_y: int | None = Field(default=None, title=N_("The place from the top"), ge=0, le=100)
    place_tolerance: int = Field(default=15, title=N_("The tolerance of the place"), ge=2, le=50)
    words: WordsToAvoid = ()
    checks: Annotated[tuple[int, ...], AfterValidator(_once)] = ()

    @classmethod
    def checked(cls, values: Mapping[str, object]) -> Self:
        """Raises Invalid, also for what does not fit together."""
        spec = cls.parse(values)
        half_size = (spec.size_least is None) != (spec.size_most is None)
        half_place = (spec.place_x is None) != (spec.place_y is None)
        turned = not half_size and spec.size_least is not None and spec.size_least > (spec.size_most or 0)
        several = len(spec.background) > 1
        size = _("The smallest size is larger than the largest. Swap them.") if turned else None
        Invalid.check(
            {
                "background": _("A background has one colour. Remove the others.") if several else None,
                "size_least": _("Give the smallest and the largest size, or neither.") if half_size else size,
                "place_x": _("Give the place from the left and from the top, or neither.") if half_place else None,
            }
        )
        return spec

    @property
    def empty(self) -> bool:
        return not self.rules.parts

    @property
    def rules(self) -> BrandRules:
        sized, placed = self.size_least is not None, self.place_x is not None
        return BrandRules(
            palette=self.colours,
            tolerance=self.tolerance / 100,
            palette_share=self.palette_share / 100,
            never=self.never,
            never_tolerance=self.never_tolerance / 100,
            background=self.background[0] if self.background else "",
            size=((self.size_least or 0) / 100, (self.size_most or 0) / 100) if sized else None,
            place=((self.place_x or 0) / 100, (self.place_y or 0) / 100) if placed else None,
            place_tolerance=self.place_tolerance / 100,
            words=self.words,
            checks=self.checks,
        )

    def with_proposed(self, rules: BrandRules) -> Self:
        """These rules with what pictures tell: all that they cannot tell, such as a tolerance, stays."""
        told: dict[str, Any] = {"colours": rules.palette} if rules.palette else {}
        if rules.background:
            told["background"] = (rules.background,)
        if rules.size:
            told |= {"size_least": round(100 * rules.size[0]), "size_most": round(100 * rules.size[1])}
        if rules.place:
            told |= {"place_x": round(100 * rules.place[0]), "place_y": round(100 * rules.place[1])}
            told["place_tolerance"] = round(100 * rules.place_tolerance)
        return self.model_copy(update=told)

    def stored(self) -> dict[str, Any]:
        """As JSON; empty if there are no rules."""
        return {} if self.empty else self.model_dump(mode="json")

    def shown(self) -> dict[str, str]:
        """What the fields of the form show."""
        values = self.model_dump()
        texts = {name: " ".join(values[name]) for name in ("colours", "never", "background")}
        numbers = {
            name: "" if value is None else str(value) for name, value in values.items() if not isinstance(value, tuple)
        }
        return {**numbers, **texts, "words": "\n".join(self.words)}
