"""How templates are found, so that a page with hundreds of parts does not look for each of them."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic

from jinja2 import Environment, FileSystemLoader, Template
from jinja2.environment import TemplateModule
from jinja2.runtime import Context

SECONDS = 1.0  # until a changed file is noticed


class Loader(FileSystemLoader):
    """Looks only from time to time whether a file has changed, instead of each time that a page includes it."""

    def __init__(self, folder: Path, seconds: float = SECONDS) -> None:
        super().__init__(folder)
        self.seconds = seconds

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, place, unchanged = super().get_source(environment, template)
        looked = monotonic()

        def still() -> bool:
            nonlocal looked
            if monotonic() - looked < self.seconds:
                return True
            looked = monotonic()
            return unchanged()

        return source, place, still


class Shared(Template):
    """A template whose macros are set up once for all who import it.

    Jinja compares the names that a page knows with all global ones at each import, in case a page brought globals of
    its own. Ours bring none.
    """

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:
        return super()._get_default_module()
