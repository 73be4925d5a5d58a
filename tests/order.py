"""Which tests need a browser or a model, and the order in which workers take their files.

A worker takes a file at a time, the longest first, so that all workers finish at about the same time.
"""

from collections.abc import Collection
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

# Folders and files, by what `make test-fast` would have to start for them, or import: torch alone takes seconds.
BROWSER = ("tests/browser/",)
MODEL = (
    "tests/style_aligned/",
    "tests/training/",
    "tests/cli/test_blocked.py",
    "tests/cli/test_structure.py",
    "tests/engine/",
    "tests/evaluation/",
    "tests/structures/test_follow.py",
    "tests/test_benchmarks.py",
    "tests/test_cli.py",
    "tests/test_demo_model.py",
    "tests/web/test_restart.py",
)
TOGETHER = "tests/training/"  # share trained models: one worker takes them all
LONGEST = (
    TOGETHER,
    "tests/browser/",
    "tests/style_aligned/test_subjects.py",
    "tests/style_aligned/",
    "tests/web/test_texts.py",
    "tests/evaluation/",
    "tests/web/test_authority.py",
    "tests/test_benchmarks.py",
    "tests/web/test_fuzz.py",
    "tests/test_cli.py",
    "tests/web/test_connections.py",
    "tests/web/test_restart.py",
    "tests/faults/",
    "tests/engine/",
    "tests/upkeep/",
    "tests/structures/",
    "tests/web/",
)


def needs(path: str, fixtures: Collection[str] = ()) -> str:
    """The marker of a test, a file or a folder: "browser", "model", or none."""
    path = path if path.endswith(".py") or "::" in path else f"{path}/"
    if path.startswith(BROWSER) or "chromium" in fixtures:
        return "browser"
    return "model" if path.startswith(MODEL) or "studio" in fixtures else ""


def place(path: str) -> int:
    """A test's position in the run."""
    return next((number for number, start in enumerate(LONGEST) if path.startswith(start)), len(LONGEST))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`make test-fast` does not import what it leaves out: torch alone takes seconds."""
    left_out = needs(collection_path.relative_to(config.rootpath).as_posix())
    return True if left_out and f"not {left_out}" in config.option.markexpr else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if need := needs(item.nodeid, getattr(item, "fixturenames", ())):
            item.add_marker(need)
    items.sort(key=lambda item: place(item.nodeid))


class Files(LoadFileScheduling):
    """Hands out files in run order, and those that share expensive fixtures to a single worker."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER if nodeid.startswith(TOGETHER) else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Files | None:
    return Files(config, log) if config.option.dist == "loadfile" else None
