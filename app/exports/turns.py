"""Decide which of several waiting exports to work on next."""

from collections.abc import Sequence


class Turns:
    """Round robin by person, then by that person's exports: the one that has waited longest is next.

    Newcomers come first. So an export of sixty thousand files delays others by at most one slice per waiting person,
    and nobody gets more by requesting more.
    """

    def __init__(self) -> None:
        self._number = 0
        self._people: dict[int, int] = {}  # the number of the last turn
        self._exports: dict[int, int] = {}

    def next(self, waiting: Sequence[tuple[int, int]]) -> int | None:
        """The waiting export that comes next, given with its person; None if there is none."""
        people = {person for _, person in waiting}
        exports = {export for export, _ in waiting}
        self._people = {each: number for each, number in self._people.items() if each in people}
        self._exports = {each: number for each, number in self._exports.items() if each in exports}
        if not waiting:
            return None
        export, person = min(
            waiting, key=lambda each: (self._people.get(each[1], 0), self._exports.get(each[0], 0), each[0])
        )
        self._number += 1
        self._people[person] = self._exports[export] = self._number
        return export
