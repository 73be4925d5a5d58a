"""On brand: how well a picture keeps the rules of a style or campaign, 0 to 100, made of named parts.

Each part is 0 to 100: 100 keeps its rule. The score is half the mean of the parts and half the lowest one, so that one
broken rule shows, however many are kept. A part that no rule asks for, or that cannot be known of a picture, such as
the size of a subject without a mask of it, does not count. Colours are compared in OKLab (Ottosson 2020), whose
distances are about even to the eye: 0.02 is just visible on large areas, 0.1 clearly another colour, black and white
are 1 apart.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from app.quality.colour import Floats, light_of_oklab, oklab_of, picture_of
from app.quality.features import Features

HEX = re.compile("#[0-9a-f]{6}")
FADE = 2.0  # times the tolerance: as far away, a colour counts no more
NEVER_SHARE = 0.05  # of a picture in forbidden colours, at which that part is 0
GROUND_SHARE = 0.6  # of the border in the background colour is enough: a subject may reach it
SIZE_FADE = 0.25  # of the picture's area beyond the allowed sizes, at which that part is 0
PLACE_FADE = 0.35  # of its sides beyond the tolerance, at which that part is 0
MOST_PROPOSED = 8  # colours
LEAST_SHARE = 0.02  # of a proposed colour, over all pictures
ONE = 0.08  # OKLab: nearer colours of several pictures are one
PLAIN = 0.09  # OKLab: borders that differ less are one background


class BrandPart(StrEnum):
    """The parts, in the order of pages. The names are stored and published."""

    PALETTE = "palette"
    NEVER = "never"
    BACKGROUND = "background"
    SUBJECT_SIZE = "subject_size"
    SUBJECT_PLACE = "subject_place"
    WORDS = "words"
    CHECKS = "checks"


@dataclass(frozen=True)
class BrandRules:
    """What is on brand. Colours are "#rrggbb"; what is empty or None is no rule."""

    palette: tuple[str, ...] = ()
    tolerance: float = 0.1  # OKLab, of the palette and the background
    palette_share: float = 0.8  # of a picture that must be in these colours, 0 to 1
    never: tuple[str, ...] = ()
    never_tolerance: float = 0.06  # OKLab
    background: str = ""
    size: tuple[float, float] | None = None  # of the subject, as fractions of the picture's area
    place: tuple[float, float] | None = None  # of its middle, as fractions of the sides
    place_tolerance: float = 0.15  # fraction of the sides
    words: tuple[str, ...] = ()  # that prompts must not have
    checks: tuple[int, ...] = ()  # checklists that must be answered without a fault

    @property
    def parts(self) -> list[BrandPart]:
        """The parts that these rules ask for."""
        asked = {
            BrandPart.PALETTE: self.palette,
            BrandPart.NEVER: self.never,
            BrandPart.BACKGROUND: self.background,
            BrandPart.SUBJECT_SIZE: self.size,
            BrandPart.SUBJECT_PLACE: self.place,
            BrandPart.WORDS: self.words,
            BrandPart.CHECKS: self.checks,
        }
        return [part for part, rule in asked.items() if rule]


@dataclass(frozen=True)
class OnBrand:
    score: float  # 0 to 100
    parts: Mapping[BrandPart, float]  # 0 to 100 each, those that are known


def on_brand(
    rules: BrandRules, picture: Features | None, *, words_found: bool = False, checks_kept: float | None = None
) -> OnBrand | None:
    """The score of a picture; None if no part of it is known.

    `words_found`: its prompt has a word of the rules. `checks_kept`: the fraction of the required checks that are
    answered without a fault, 0 to 1; None: nobody has to answer them yet.
    """
    known: dict[BrandPart, float | None] = {}
    if picture is not None:
        known[BrandPart.PALETTE] = _palette(rules, picture)
        known[BrandPart.NEVER] = _never(rules, picture)
        known[BrandPart.BACKGROUND] = _background(rules, picture)
        known[BrandPart.SUBJECT_SIZE] = _size(rules, picture)
        known[BrandPart.SUBJECT_PLACE] = _place(rules, picture)
    known[BrandPart.WORDS] = 0.0 if words_found else 1.0
    known[BrandPart.CHECKS] = checks_kept
    kept = {part: round(100 * value, 1) for part in rules.parts if (value := known.get(part)) is not None}
    if not kept:
        return None
    values = list(kept.values())
    return OnBrand(round((sum(values) / len(values) + min(values)) / 2, 1), kept)


def merged(general: BrandRules | None, special: BrandRules | None) -> BrandRules | None:
    """Rules of a style and of a campaign: part by part, those of the campaign (`special`) where it has any.

    Words and checks are those of both.
    """
    if general is None or special is None:
        return special or general
    own = set(special.parts)
    colours = special if BrandPart.PALETTE in own else general
    ground = special if BrandPart.BACKGROUND in own else general
    never = special if BrandPart.NEVER in own else general
    place = special if BrandPart.SUBJECT_PLACE in own else general
    return BrandRules(
        palette=colours.palette,
        tolerance=colours.tolerance if colours.palette else ground.tolerance,
        palette_share=colours.palette_share,
        never=never.never,
        never_tolerance=never.never_tolerance,
        background=ground.background,
        size=special.size or general.size,
        place=place.place,
        place_tolerance=place.place_tolerance,
        words=tuple(dict.fromkeys((*general.words, *special.words))),
        checks=tuple(dict.fromkeys((*general.checks, *special.checks))),
    )


def proposed(pictures: Sequence[Features]) -> BrandRules:
    """Rules that these pictures keep: their common colours, and a background, size and place that nearly all share.

    Raises ValueError without pictures.
    """
    if not pictures:
        raise ValueError("rules are proposed from at least one picture")
    grounds = np.array([np.median(_border(each), axis=0) for each in pictures])
    ground = np.median(grounds, axis=0)
    plain = np.mean(np.linalg.norm(grounds - ground, axis=1) < PLAIN) >= 0.8
    plain = plain and np.mean([_near(_border(each), ground[None], PLAIN).mean() for each in pictures]) > GROUND_SHARE
    subjects = [each.subject for each in pictures if each.subject is not None and each.subject.count]
    most = len(subjects) >= max(3, 0.8 * len(pictures))
    sizes = sorted(each.size for each in subjects)
    middles = np.array([(each.x, each.y) for each in subjects]) if subjects else np.empty((0, 2))
    middle = np.median(middles, axis=0) if most else None
    apart = float(np.quantile(np.linalg.norm(middles - middle, axis=1), 0.9)) if middle is not None else 1.0
    return BrandRules(
        palette=_common(pictures),
        background=_hex(ground) if plain else "",
        size=(max(sizes[0] - 0.05, 0.0), min(sizes[-1] + 0.05, 1.0)) if most else None,
        place=(round(float(middle[0]), 2), round(float(middle[1]), 2)) if middle is not None and apart < 0.2 else None,
        place_tolerance=round(max(apart, 0.1), 2) if apart < 0.2 else 0.15,
    )


def valid_hex(text: str) -> bool:
    return HEX.fullmatch(text) is not None


def lab_of(colours: Iterable[str]) -> Floats:
    """Colours "#rrggbb" in OKLab (N, 3)."""
    rgb = np.array([[int(each[place : place + 2], 16) for place in (1, 3, 5)] for each in colours]) / 255
    light = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return oklab_of(light)


# Parts: 0 to 1, or None if the rule does not exist or cannot be checked


def _palette(rules: BrandRules, picture: Features) -> float | None:
    if not rules.palette:
        return None
    return min(_share(picture, rules.palette, rules.tolerance) / rules.palette_share, 1.0)


def _never(rules: BrandRules, picture: Features) -> float | None:
    if not rules.never:
        return None
    return 1 - min(_share(picture, rules.never, rules.never_tolerance) / NEVER_SHARE, 1.0)


def _background(rules: BrandRules, picture: Features) -> float | None:
    if not rules.background:
        return None
    border = _near(_border(picture), lab_of([rules.background]), rules.tolerance)
    return min(float(border.mean()) / GROUND_SHARE, 1.0)


def _size(rules: BrandRules, picture: Features) -> float | None:
    if rules.size is None or picture.subject is None or not picture.subject.count:
        return None
    least, most = rules.size
    beyond = max(least - picture.subject.size, picture.subject.size - most, 0.0)
    return max(1 - beyond / SIZE_FADE, 0.0)


def _place(rules: BrandRules, picture: Features) -> float | None:
    if rules.place is None or picture.subject is None or not picture.subject.count:
        return None
    apart = float(np.hypot(picture.subject.x - rules.place[0], picture.subject.y - rules.place[1]))
    return max(1 - max(apart - rules.place_tolerance, 0.0) / PLACE_FADE, 0.0)


def _share(picture: Features, colours: Sequence[str], tolerance: float) -> float:
    """The share of a picture that is near one of these colours, 0 to 1."""
    own = np.array([swatch[:3] for swatch in picture.palette])
    shares = np.array([swatch.share for swatch in picture.palette])
    return float(_near(own, lab_of(colours), tolerance) @ shares)


def _near(own: Floats, wanted: Floats, tolerance: float) -> Floats:
    """How near each of `own` (N, 3) is to the nearest of `wanted` (M, 3): 1 within the tolerance, 0 from twice it."""
    apart = np.linalg.norm(own[:, None] - wanted[None], axis=-1).min(axis=1)
    near: Floats = np.clip((FADE * tolerance - apart) / ((FADE - 1) * tolerance), 0, 1)
    return near


def _border(picture: Features) -> Floats:
    """The colours (N, 3) around the edge of a picture, in OKLab."""
    glance = picture.glance
    return np.concatenate([glance[0], glance[-1], glance[1:-1, 0], glance[1:-1, -1]])


def _common(pictures: Sequence[Features]) -> tuple[str, ...]:
    """The main colours over all pictures, the largest share first; near ones are one."""
    found: list[tuple[Floats, float]] = []
    for picture in pictures:
        for swatch in picture.palette:
            colour, share = np.array(swatch[:3]), swatch.share / len(pictures)
            near = next((place for place, (other, _) in enumerate(found) if np.linalg.norm(other - colour) < ONE), None)
            if near is None:
                found.append((colour, share))
            else:
                other, more = found[near]
                found[near] = ((other * more + colour * share) / (more + share), more + share)
    ranked = sorted(found, key=lambda each: -each[1])[:MOST_PROPOSED]
    return tuple(_hex(colour) for colour, share in ranked if share >= LEAST_SHARE)


def _hex(lab: Floats) -> str:
    red, green, blue = np.asarray(picture_of(light_of_oklab(lab[None, None])))[0, 0]
    return f"#{red:02x}{green:02x}{blue:02x}"
