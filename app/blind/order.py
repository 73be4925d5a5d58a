"""The order of the pairs and their sides, for each person: fixed by the stored seed, and as good as random without it.

Every person sees side A on the left in half of the pairs, so a habit of pressing one key prefers neither side.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

PairSide = Literal["left", "right"]


@dataclass(frozen=True)
class BlindTurn:
    """One pair as a person sees it."""

    number: int  # from 1, for this person
    position: int  # of the pair
    a_left: bool

    def is_a(self, side: PairSide) -> bool:
        """Whether the picture on this side is that of A."""
        return self.a_left == (side == "left")


def turns(seed: str, person_id: int, positions: Iterable[int]) -> list[BlindTurn]:
    """The turns of a person, in order. `positions` are those of all pairs, also of those that are left out since."""
    given = sorted(positions)
    halves = sorted(given, key=lambda position: _drawn(seed, person_id, "side", position))
    more = _drawn(seed, person_id, "odd", 0)[0] & 1  # who gets the one that is left over
    left = set(halves[: (len(halves) + more) // 2])
    order = sorted(given, key=lambda position: _drawn(seed, person_id, "order", position))
    return [BlindTurn(number, position, position in left) for number, position in enumerate(order, 1)]


def mark(seed: str, person_id: int, number: int, side: PairSide) -> str:
    """A name for the content at an address of a test: it changes with the person, and says nothing of the picture."""
    return _drawn(seed, person_id, f"mark {side}", number).hex()


def _drawn(seed: str, person_id: int, what: str, number: int) -> bytes:
    return hmac.digest(seed.encode(), f"{person_id} {what} {number}".encode(), hashlib.sha256)
