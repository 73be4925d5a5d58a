"""Commands whose options are a dataclass."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

O = TypeVar("O")  # noqa: E741


def command(options: type[O], run: Callable[[O], None]) -> Callable[..., None]:
    """Turn `run` into a command for Typer, with a parameter per field of `options`."""

    def called(**given: Any) -> None:
        run(options(**given))

    called.__doc__ = run.__doc__
    called.__signature__ = inspect.signature(options)  # type: ignore[attr-defined]
    return called
