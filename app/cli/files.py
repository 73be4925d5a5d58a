"""Read the files named by a command, prompts and pictures, before the model, which takes seconds to load."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.cli.console import CommandRefused, read_settings


@dataclass(frozen=True)
class PictureFile:
    """A picture in RGB, cleaned like an upload."""

    picture: Any
    name: str  # of its file
    sha256: str

    @property
    def record(self) -> dict[str, Any]:
        """Its entry in `set.json`."""
        return {"file": self.name, "sha256": self.sha256}


def read_prompts(given: list[str], file: Path | None) -> str:
    """Read all prompts, one per line, those of the command line first."""
    lines = list(given)
    if file:
        try:
            lines.append(file.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise CommandRefused(f"The prompts in {file} cannot be read: {reason(error)}.") from error
    prompts = "\n".join(lines)
    if not prompts.strip():
        raise CommandRefused("At least one --prompt or a --prompts-file is needed.")
    return prompts


def read_picture(file: Path, what: str = "reference") -> PictureFile:
    """Read a picture; `what` names it in errors. Raises CommandRefused."""
    from app.pictures import Limits, clean_upload, decoded

    with reading(what, file):
        data = file.read_bytes()
        clean = clean_upload(data, Limits.of(read_settings()))
    return PictureFile(decoded(clean.png, "RGB"), file.name, sha256(data))


@contextmanager
def reading(what: str, file: Path) -> Iterator[None]:
    """Name the file in errors about it. Raises CommandRefused."""
    from app.errors import UserError

    try:
        yield
    except OSError as error:
        raise CommandRefused(f"The {what} {file} cannot be read: {reason(error)}.") from error
    except UserError as error:
        raise CommandRefused(f"The {what} {file} cannot be used: {error}") from error


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def reason(error: Exception) -> str:
    """Why a file could not be read, in a few words."""
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not text in UTF-8"
