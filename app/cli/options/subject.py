"""Subjects on the command line: `--subject mug.safetensors:0.8`, and the training state of `soroe subject`."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.engine.base import TrainingFacts
from app.errors import Invalid
from app.sets.spec import MOST_SUBJECTS
from app.subjects.handles import handle_from
from app.text import plural


@dataclass(frozen=True)
class SubjectOption:
    """A parsed --subject: its file and its weight. Prompts name it by the file's name, `@mug`."""

    file: Path
    weight: float

    @property
    def handle(self) -> str:
        return handle_from(self.file.stem)

    def record(self) -> dict[str, Any]:
        """For set.json."""
        digest = hashlib.sha256(self.file.read_bytes()).hexdigest()
        return {"file": self.file.name, "sha256": digest, "weight": self.weight}


def read(given: Sequence[str]) -> list[SubjectOption]:
    """Parse the command's subjects, without the model. Raises Invalid."""
    options = [_option(text) for text in given]
    if len(options) > MOST_SUBJECTS:
        raise Invalid("subject", f"A set has at most {MOST_SUBJECTS} subjects; {len(options)} were given.")
    for option in options:
        if [other.file.resolve() for other in options].count(option.file.resolve()) > 1:
            raise Invalid("subject", f"The subject {option.file} was given twice; give it once, with its weight.")
    return options


def _option(text: str) -> SubjectOption:
    name, colon, number = text.rpartition(":")
    try:
        weight = float(number) if colon else None
    except ValueError:  # a colon in the path
        weight = None
    file = Path(text if weight is None else name).expanduser()
    if weight is not None and not 0 <= weight <= 2:
        raise Invalid("subject", f"A subject's weight is a number from 0 to 2; {number} was given for {name}.")
    if not file.is_file():
        raise Invalid("subject", f"There is no LoRA file at {file}.")
    return SubjectOption(file, 1.0 if weight is None else weight)


def check_pictures(files: Sequence[Path]) -> None:
    """Raise Invalid for a wrong number of pictures."""
    least, most = TrainingFacts().fewest_pictures, TrainingFacts().most_pictures
    if not least <= len(files) <= most:
        were = plural(len(files), "picture was", "pictures were")
        raise Invalid("picture", f"Training needs {least} to {most} pictures; {were} given.")


def state_folder(file: Path) -> Path:
    """The folder of a training's state until its file is written."""
    return file.with_name(f"{file.name}.training")
