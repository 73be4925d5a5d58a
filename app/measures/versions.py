"""What pictures were measured with, in a few letters: when it changes, they are measured again."""

import hashlib
from collections.abc import Iterable
from itertools import combinations

from app.quality.embedder import OFF, ROLES, parsed
from app.quality.features import VERSION
from app.settings import Settings

MEASURES = 2  # the version of the measures, next to that of the features. 2: the text is the main subject's words


def made_with(settings: Settings) -> str:
    """The version of the measures and what they are made with: a change of either measures everything again."""
    wanted = f"{settings.measures}"
    return f"{VERSION}.{MEASURES}:{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"


def roles(settings: Settings) -> frozenset[str]:
    """The roles that have a model by the setting."""
    return frozenset() if settings.measures == OFF else frozenset({"clip", *parsed(settings.measures)})


def without(made_with: str, roles: Iterable[str]) -> str:
    """`made_with` of what was measured without the models of some roles: "3.2:0a1b2c -csd"."""
    return " ".join((made_with, *(f"-{role}" for role in ROLES if role in roles)))


def missing(made_with: str) -> list[str]:
    """The roles whose models were not there."""
    return [each.removeprefix("-") for each in made_with.split(" ")[1:]]


def lacking(made_with: str) -> list[str]:
    """All that `made_with` can be where some models were not there."""
    return [without(made_with, roles) for number in range(len(ROLES)) for roles in combinations(ROLES, number + 1)]
