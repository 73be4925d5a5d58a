"""Parse a Dockerfile: its stages, their steps, and what .dockerignore lets into them."""

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """One instruction: `COPY --from=build /venv /venv`."""

    name: str  # in capitals, "COPY"
    options: dict[str, str]  # {"from": "build"}
    text: str  # the rest, "/venv /venv"

    @property
    def words(self) -> list[str]:
        """The rest as words: a JSON list, or split like a shell."""
        return [str(word) for word in json.loads(self.text)] if self.text.startswith("[") else shlex.split(self.text)


@dataclass
class Stage:
    image: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def last(self, name: str) -> Step:
        """The last step with that name, which applies. Raises IndexError if there is none."""
        return [step for step in self.steps if step.name == name][-1]

    def all(self, name: str) -> list[Step]:
        return [step for step in self.steps if step.name == name]


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile, in order."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    found: list[Stage] = []
    for line in lines.replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        step = _step(line)
        if step.name == "FROM":
            image, *named = step.words
            found.append(Stage(image, named[1] if named else ""))
        else:
            found[-1].steps.append(step)
    return found


def _step(line: str) -> Step:
    name, _, rest = line.strip().partition(" ")
    options = {}
    while (rest := rest.strip()).startswith("--"):
        option, _, rest = rest.partition(" ")
        key, _, value = option.removeprefix("--").partition("=")
        options[key] = value
    if name.upper() == "HEALTHCHECK":
        rest = rest.removeprefix("CMD").strip()
    return Step(name.upper(), options, rest)


def reaches(ignore: str, path: str) -> bool:
    """Whether `path` of the project reaches the build. `ignore` starts with `*`, then names exceptions (`!app`)."""
    let_in = [Path(line[1:]) for line in ignore.splitlines() if line.startswith("!")]
    return any(Path(path).is_relative_to(each) for each in let_in)
