"""The rooms and the one way in which imports point between them."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SERVICES = (
    "accounts",
    "audit",
    "exports",
    "gallery",
    "quotas",
    "reviews",
    "rights",
    "sets",
    "structures",
    "styles",
    "subjects",
)

# Each room, and what of the app it may import besides itself.
MAY_IMPORT = {
    "style_aligned": {"atomic"},
    "quality": set(),
    "decoding": {"errors", "text"},  # and by their names the modules that draw for it
    "models": set(),
    "engine": {"style_aligned", "settings", "errors", "text", "pictures", "slow"},
    "work": {"background", "engine", "models", "database", "effects", "files", "errors", "text"},
    **{
        room: {
            "atomic",
            "models",
            "engine",
            "work",
            "effects",
            "style_aligned",
            "quality",
            "settings",
            "errors",
            "files",
            "text",
            "pictures",
            "decoding",
            "specs",
            "days",
            "csv",
            "slow",
            *SERVICES,
        }
        for room in SERVICES
    },
}
MAY_IMPORT["exports"] |= {"background", "database"}  # it makes zips ready in the background, in transactions of its own
MAY_IMPORT["gallery"] |= {"background", "database"}  # it empties the bin in the same way
MAY_IMPORT["audit"] |= {"background", "database"}  # and it walks the record


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def imports(file: Path) -> set[str]:
    """The rooms of the app that a module imports, at its top or within."""
    names = set()
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} if node.module != "app" else {f"app.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("app.")}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_point_one_way(room: str) -> None:
    for file in (ROOT / "app" / room).rglob("*.py"):
        assert imports(file) <= MAY_IMPORT[room] | {room}, file.relative_to(ROOT)


@pytest.mark.parametrize("room", SERVICES)
def test_services_know_no_http(room: str) -> None:
    for file in (ROOT / "app" / room).rglob("*.py"):
        assert "fastapi" not in file.read_text(), file.relative_to(ROOT)
        assert "starlette" not in file.read_text(), file.relative_to(ROOT)


@pytest.mark.parametrize("file", sorted((ROOT / "app" / "web").glob("*.py")), ids=lambda f: f.stem)
def test_routes_hold_no_sql(file: Path) -> None:
    text = file.read_text()
    assert "select(" not in text
    assert ".commit()" not in text or file.stem == "deps"


@pytest.mark.parametrize("room", SERVICES)
def test_services_never_commit(room: str) -> None:
    for file in (ROOT / "app" / room).rglob("*.py"):
        assert ".commit()" not in file.read_text(), file.relative_to(ROOT)


def renames(tree: ast.AST) -> list[int]:
    """The lines that rename or link a file, or push one to the disk. Strings and times have a `replace` too: of two
    arguments, and of named ones.
    """
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return [
        call.lineno
        for call in calls
        if ast.unparse(call.func) in {"os.replace", "os.rename", "os.link", "os.fsync"}
        or (call.func.attr in {"replace", "rename"} and len(call.args) == 1 and not call.keywords)
    ]


def test_files_become_whole_in_one_place() -> None:
    found = {file.relative_to(ROOT / "app") for file in (ROOT / "app").rglob("*.py") if renames(parsed(file))}
    assert found == {Path("atomic.py")}


@pytest.mark.parametrize("room", ["web", "cli"])
def test_doors_know_no_dispatcher(room: str) -> None:
    """What is to be told follows from the record, see `app.wiring`."""
    for file in (ROOT / "app" / room).rglob("*.py"):
        assert "dispatcher" not in file.read_text(), file.relative_to(ROOT)
