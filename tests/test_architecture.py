"""The rooms and the one way in which imports point between them."""

import ast
import re
from functools import cache
from graphlib import TopologicalSorter
from itertools import takewhile
from pathlib import Path

import pytest

from app.models import Base

ROOT = Path(__file__).parents[1]
APP = ROOT / "app"

# Every package and module of the app, lowest first. Each imports only from those before it, so no two import each
# other, directly or indirectly. docs/how-it-works.md shows the same order and the purpose of each.
ORDER = (
    "atomic",
    "weighted",
    "style_aligned",
    "quality",
    "slow",
    "languages",
    "campaign_names",
    "days",
    "csv",
    "errors",
    "storage",
    "text",
    "ranking",
    "prompts",
    "translation",
    "specs",
    "settings",
    "logs",
    "metrics",
    "lock_times",
    "private",
    "processes",
    "decoding",
    "pictures",
    "files",
    "grounds",
    "safe_areas",
    "evaluation",
    "engine",
    "models",
    "effects",
    "database",
    "matching",
    "background",
    "work",
    "audit",
    "undo",
    "accounts",
    "policy",
    "blocked",
    "bin",
    "quotas",
    "drafts",
    "rights",
    "styles",
    "structures",
    "subjects",
    "sets",
    "measures",
    "scheduling",
    "customs",
    "reviews",
    "brand",
    "gallery",
    "filing",
    "search",
    "exports",
    "reports",
    "blind",
    "samples",
    "checklist",
    "guide",
    "upkeep",
    "wiring",
    "web",
    "main",
    "cli",
)
SERVICES = ORDER[ORDER.index("audit") : ORDER.index("wiring")]
STANDING_ALONE = {
    "style_aligned": {"atomic", "weighted"},
    "quality": {"style_aligned", "atomic", "weighted"},
    "models": set(),
}  # with everything they import


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


@cache
def modules() -> dict[str, Path]:
    """The modules of the app by dotted name."""
    files = {file: file.relative_to(ROOT).with_suffix("") for file in APP.rglob("*.py")}
    return {".".join(path.parts).removesuffix(".__init__"): file for file, path in files.items()}


@cache
def imported(name: str, file: Path, *, for_types: bool = True) -> set[str]:
    """What a module imports of the app, by dotted name: at its top, within functions, by a string, and `for_types`."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    types = {inner for node in ast.walk(parsed(file)) if is_for_types(node) for inner in ast.walk(node)}
    for node in ast.walk(parsed(file)):
        if node in types and not for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and re.fullmatch(r"app(\.\w+)+", str(node.value)):
            found.add(str(node.value))
    known = modules()
    whole = {target if target in known else target.rpartition(".")[0] for target in found}
    return {target for target in whole if target in known}


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def room(name: str) -> str:
    """The package or module in `ORDER` of a dotted name; "" for the app itself."""
    return [*name.split("."), ""][1]


def test_every_room_has_its_place() -> None:
    assert sorted(ORDER) == sorted({room(name) for name in modules()} - {""})


@pytest.mark.parametrize("here", ORDER)
def test_imports_point_one_way(here: str) -> None:
    may = set(takewhile(lambda other: other != here, ORDER)) | {here}
    for name, file in modules().items():
        if room(name) == here:
            assert {target for target in map(room, imported(name, file)) if target not in may} == set(), name


def test_no_module_imports_itself_through_others() -> None:
    """Within a room too; only for types may two tables name each other."""
    graph = {name: imported(name, file, for_types=False) for name, file in modules().items()}
    TopologicalSorter(graph).prepare()  # raises CycleError with the modules


@pytest.mark.parametrize("here", STANDING_ALONE)
def test_the_lowest_stand_alone(here: str) -> None:
    for name, file in modules().items():
        if room(name) == here:
            assert {room(target) for target in imported(name, file)} <= STANDING_ALONE[here] | {here}, name


def test_the_method_knows_nothing_of_the_app() -> None:
    """It needs neither the web nor a database."""
    serving = re.compile(r"^\s*(?:import|from) (fastapi|starlette|jinja2|sqlalchemy|alembic)\b", re.M)
    needed = {"style_aligned", *STANDING_ALONE["style_aligned"]}
    files = [file for name, file in modules().items() if room(name) in needed]
    assert files
    assert not {file.name: found for file in files if (found := serving.findall(file.read_text()))}


def test_the_docs_show_the_same_order() -> None:
    text = (ROOT / "docs" / "how-it-works.md").read_text()
    rooms = text.split("\n## Rooms\n")[1].split("\n## ")[0]
    assert re.findall(r"^    app/(\w+)(?:/|\.py) +\S", rooms, re.M) == list(ORDER)


def test_the_server_needs_no_model_library() -> None:
    """The model runs in a process of its own; what the server imports, at any time, leads to nothing that it needs."""
    reached = {"app.engine.worker", "app.measures.worker"}  # these are processes of their own
    ahead = ["app.main", "app.cli.serve"]
    while ahead:
        name = ahead.pop()
        reached.add(name)
        # The console has helpers for commands that hold a model themselves.
        known = set() if name == "app.cli.console" else imported(name, modules()[name])
        ahead += known - reached
    assert not [name for name in reached if room(name) == "style_aligned"]
    heavy = re.compile(r"^\s*(?:import|from) (torch|diffusers|transformers|peft|safetensors|huggingface_hub)\b", re.M)
    assert not {name: found for name in reached if (found := heavy.findall(modules()[name].read_text()))}


def columns(tree: ast.AST) -> list[str]:
    """Uses of a column or relationship through its class, as in `Image.id == 3` and `Image.id.in_(ids)`.

    A row has values there; only a class has the parts of a condition.
    """
    tables = {mapper.class_.__name__: set(mapper.all_orm_descriptors.keys()) for mapper in Base.registry.mappers}
    imports = [alias for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
    tables |= {alias.asname: tables[alias.name] for alias in imports if alias.asname and alias.name in tables}
    return [
        f"{ast.unparse(node)} in line {node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in tables.get(ast.unparse(node.value).removeprefix("models."), ())
    ]


def test_columns_are_found() -> None:
    code = "Image.id == 3, models.Image.shown.is_(True), Image.used_strength.in_(s), image.id, Role.ADMIN, Image.bogus"
    assert [found.split()[0] for found in columns(ast.parse(code))] == [
        "Image.id",
        "models.Image.shown",
        "Image.used_strength",
    ]
    renamed = "from app.models import Image as Picture\nPicture.id == 3"
    assert columns(ast.parse(renamed)) == ["Picture.id in line 2"]


DOORS = [file for door in ("web", "cli") for file in sorted((APP / door).rglob("*.py"))]


@pytest.mark.parametrize("file", DOORS, ids=lambda file: str(file.relative_to(APP)))
def test_doors_hold_no_sql(file: Path) -> None:
    assert columns(parsed(file)) == []
    allowed = {"Session", "inspect", "DatabaseError", "OperationalError"}
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
            assert {alias.name for alias in node.names} <= allowed, node.lineno
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("sqlalchemy") for alias in node.names), node.lineno
    assert ".commit()" not in file.read_text() or file.name == "deps.py"


@pytest.mark.parametrize("here", SERVICES)
def test_services_know_no_http(here: str) -> None:
    for file in (APP / here).rglob("*.py"):
        assert "fastapi" not in file.read_text(), file.relative_to(ROOT)
        assert "starlette" not in file.read_text(), file.relative_to(ROOT)


@pytest.mark.parametrize("here", SERVICES)
def test_services_never_commit(here: str) -> None:
    for file in (APP / here).rglob("*.py"):
        assert ".commit()" not in file.read_text(), file.relative_to(ROOT)


def renames(tree: ast.AST) -> list[int]:
    """The lines that rename or link a file, or flush one to disk.

    Strings and times also have a `replace`, with two arguments or named ones.
    """
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return [
        call.lineno
        for call in calls
        if ast.unparse(call.func) in {"os.replace", "os.rename", "os.link", "os.fsync"}
        or (call.func.attr in {"replace", "rename"} and len(call.args) == 1 and not call.keywords)
    ]


def test_files_become_whole_in_one_place() -> None:
    files = [*APP.rglob("*.py"), *(ROOT / "training").rglob("*.py")]
    found = {str(file.relative_to(ROOT)) for file in files if renames(parsed(file))}
    assert found == {"app/atomic.py", "training/models/unet.py"}, "the latter renames a folder"


@pytest.mark.parametrize("room", ["web", "cli"])
def test_doors_know_no_dispatcher(room: str) -> None:
    """Notifications follow from the audit log, see `app.wiring`."""
    for file in (ROOT / "app" / room).rglob("*.py"):
        assert "dispatcher" not in file.read_text(), file.relative_to(ROOT)


def test_units_are_queued_in_one_place() -> None:
    """That place wakes the dispatcher, so that no service can forget to."""
    created = re.compile(r"(?<![\w.])(Unit\(|insert\(Unit\))")
    found = [
        file
        for file in APP.rglob("*.py")
        if "engine" not in file.relative_to(APP).parts and created.search(file.read_text())
    ]
    assert [str(file.relative_to(APP)) for file in found if "class Unit(" not in file.read_text()] == ["work/queue.py"]


def test_commands_open_the_database_in_one_place() -> None:
    """That place connects the packages, so that consequences of acts apply there too."""
    opened = [file for file in (ROOT / "app" / "cli").rglob("*.py") if "Database(" in file.read_text()]
    assert opened == [ROOT / "app" / "cli" / "console.py"]


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("package", ["app", "training"])
def test_files_and_functions_can_be_read_at_once(package: str) -> None:
    """A file in a sitting, a function on a screen: its statements, without what only explains it."""
    for file in (ROOT / package).rglob("*.py"):
        assert len(file.read_text().splitlines()) <= 500, file.relative_to(ROOT)
        for function in functions(parsed(file)):
            first = function.body[1:2] if ast.get_docstring(function) else function.body
            lines = (function.end_lineno or 0) - first[0].lineno + 1 if first else 0
            assert lines <= 45, f"{file.relative_to(ROOT)}: {function.name}"
