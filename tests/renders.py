"""Watches every template that the suite renders: none may send a statement to the database.

The route reads what a page shows beforehand, in as few statements as possible. A lazily loaded relation in a template
is a statement per row, and invisible in the code.
"""

import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jinja2 import Template
from sqlalchemy import Connection, Engine, event

HERE = Path(__file__).parents[1]


class Watch:
    """The statements sent by templates since the last call."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._thread = threading.local()

    @contextmanager
    def rendering(self, name: str) -> Iterator[None]:
        before = getattr(self._thread, "template", None)
        self._thread.template = before or name
        try:
            yield
        finally:
            self._thread.template = before

    def sends(self, statement: str) -> None:
        if name := getattr(self._thread, "template", None):
            self.problems.append(f"{name} sends a statement at {_where()}: {' '.join(statement.split())[:200]}")

    def take(self) -> list[str]:
        """The faults since the last call, each once."""
        found, self.problems = self.problems, []
        return list(dict.fromkeys(found))


watch = Watch()


def install() -> None:
    """Watch all templates of this process, from now on."""
    render = Template.render

    def watched(self: Template, *args: Any, **values: Any) -> str:
        with watch.rendering(self.name or ""):
            return render(self, *args, **values)

    Template.render = watched  # type: ignore[method-assign]
    event.listen(Engine, "before_cursor_execute", _before_statement)


def _before_statement(_: Connection, __: Any, statement: str, *___: Any) -> None:
    watch.sends(statement)


def _where() -> str:
    """The lines of templates and of the app, innermost first."""
    frames = [frame for frame in traceback.extract_stack() if frame.filename.startswith(str(HERE))]
    named = [f"{Path(frame.filename).relative_to(HERE)}:{frame.lineno}" for frame in frames]
    return " < ".join([each for each in named if each.startswith(("templates/", "app/"))][::-1][:4])
