"""Errors that a person can act on. Services raise them; the web turns them into a status and a sentence on the page.

Anything else that is raised is our own fault: it is logged, and the person only sees that something went wrong.
"""

from typing import ClassVar


class UserError(Exception):
    """`str(error)` is one clear sentence for the person: what did not happen, why, and what to do."""

    status: ClassVar[int] = 400  # the matching HTTP status


class NotFound(UserError):
    """The thing does not exist, or this person may not see it."""

    status = 404


class DeadLink(NotFound):
    """A link that does not work: used, revoked, expired or mistyped."""


class Forbidden(UserError):
    """The thing exists, but this person's role or ownership does not allow the act."""

    status = 403


class Conflict(UserError):
    """The thing has changed, or is in a state in which the act makes no sense."""

    status = 409


class Later(UserError):
    """Possible, but not now: too much was requested."""

    status = 429

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after  # s


class Busy(Later):
    """The server is too busy right now, for everyone."""

    status = 503


class Invalid(UserError):
    """What was typed or uploaded cannot be used.

    `errors` maps each field to its sentence, in the order of the form, so that a page can show all of them together.
    """

    status = 422

    def __init__(self, field: str, sentence: str, /, **more: str) -> None:
        super().__init__(sentence)
        self.errors = {field: sentence, **more}

    @classmethod
    def check(cls, errors: dict[str, str | None]) -> None:
        """Raise if any field has a sentence."""
        wrong = {field: sentence for field, sentence in errors.items() if sentence}
        if wrong:
            first = next(iter(wrong))
            raise cls(first, wrong.pop(first), **wrong)

    @property
    def field(self) -> str:
        """The first wrong field."""
        return next(iter(self.errors))
