"""`--subject mug.safetensors:0.8`: a LoRA and its weight."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.cli.console import CommandRefused
from app.cli.files import sha256
from app.languages import gettext as _
from app.prompts.handles import handle_from
from app.sets.spec import SubjectSettings


class SubjectOption(SubjectSettings):
    """A LoRA file and its weight. Prompts name it by the file's name, `@mug`."""

    file: Path

    @property
    def handle(self) -> str:
        return handle_from(self.file.stem)

    def record(self) -> dict[str, Any]:
        """Its entry in `set.json`."""
        return {"file": self.file.name, "sha256": sha256(self.file.read_bytes()), "weight": self.weight}


def read(text: str) -> dict[str, Any]:
    """Parse the fields of a `SubjectOption`. Raises CommandRefused."""
    name, colon, number = text.rpartition(":")
    try:
        weighted = bool(colon) and float(number) is not None
    except ValueError:  # a colon in the path
        weighted = False
    file = Path(name if weighted else text).expanduser()
    if not file.is_file():
        raise CommandRefused(_("There is no LoRA file at %(file)s.", file=file))
    return {"file": file, "weight": number} if weighted else {"file": file}


def twice(options: Sequence[SubjectOption]) -> str | None:
    """The LoRA that was given twice, or the handle that two have, in a sentence; None if there is none."""
    files = [option.file.resolve() for option in options]
    handles = [option.handle for option in options]
    if again := next((file for number, file in enumerate(files) if file in files[:number]), None):
        return _("The subject %(again)s was given twice; give it once, with its weight.", again=again)
    if same := next((each for number, each in enumerate(handles) if each in handles[:number] and each), None):
        return _("Two subjects have the handle @%(handle)s; rename the file of one.", handle=same)
    return None
