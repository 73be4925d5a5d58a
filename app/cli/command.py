"""Commands whose options are a dataclass."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

Given = TypeVar("Given")


def command(options: type[Given], run: Callable[[Given], None]) -> Callable[..., None]:
    """Turn `run` into a command for Typer, with a parameter per field of `options`."""

    def called(**given: Any) -> None:
        run(options(**given))

    called.__doc__ = run.__doc__
    called.__signature__ = inspect.signature(options)  # type: ignore[attr-defined]  # Typer reads it
    return called
