"""`soroe generate`, up to the point where it needs a model."""

from pathlib import Path
from typing import Any

from app.cli.console import CommandRefused
from app.cli.generate import GenerateOptions
from app.cli.spec import CommandSpec, form_of
from app.errors import UserError

REFUSED = CommandRefused, UserError


def asked(prompt: str = "a fox", **options: Any) -> CommandSpec:
    """The spec of a command with these options. Raises Invalid and CommandRefused."""
    return CommandSpec.before_loading(form_of(GenerateOptions(Path("out"), prompt=prompt.split("\n"), **options)))
