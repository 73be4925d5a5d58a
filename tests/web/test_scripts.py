"""The modules of each page come as two files, and are as good as modules there."""

import re

import pytest

from app.web import scripts, static
from app.web.templating import TEMPLATES
from tests.web.server import Browser, Server

NAMED = re.compile(r"\{\{ modules\(([^)]*)\)")
ASKED = [
    tuple(re.findall(r'"(\w+)"', names))
    for path in sorted(TEMPLATES.rglob("*.html"))
    for names in NAMED.findall(path.read_text())
]


def joined(address: str) -> str:
    return scripts.join(address, [(scripts.SCRIPTS / f"{name}.js").read_text() for name in scripts.parts(address)])


@pytest.mark.parametrize("base", scripts.BASES)
def test_all_that_pages_ask_for_has_what_it_imports_before_it_and_once(base: str) -> None:
    assert () in ASKED
    assert len(ASKED) > 15
    for names in ASKED:
        first, second = scripts.address(base), scripts.address(base, *names)
        order = [*scripts.parts(first), *(scripts.parts(second) if names else ())]
        assert len(order) == len(set(order)), names
        assert {*names} <= {*order}
        for place, name in enumerate(order):
            imported = re.findall(r'"\./(\w+)\.js";', (scripts.SCRIPTS / f"{name}.js").read_text())
            assert {*imported} <= {*order[:place]}, name
        assert not re.findall(r"^export (?!const modules )", joined(second), re.MULTILINE)


def test_a_page_asks_for_what_every_page_has_and_for_its_own(designer: Browser, anonymous: Browser) -> None:
    def asked(browser: Browser, path: str) -> list[str]:
        return re.findall(r'<script type="module" src="[^"]+/(js/[^"]+)">', browser.get(path).text)

    assert asked(designer, "/pictures") == ["js/site.js", "js/site+grid+gallery.js"]
    assert asked(designer, "/queue") == ["js/site.js", "js/site+queue.js"]
    assert asked(anonymous, "/login")[0] == "js/door.js"


def test_imports_are_what_earlier_modules_export() -> None:
    text = scripts.scope("compare", 'import { follow as hear, settle } from "./follow.js";\nhear();\n')
    assert text.startswith("try { // compare.js\nconst { follow: hear, settle } = modules.follow;\nhear();\n")
    text = scripts.scope("pane", "export const NUDGE = 1;\nexport async function move() {}\nexport class Pane {}\n")
    assert "\nconst NUDGE = 1;\nasync function move() {}\nclass Pane {}\n" in text
    assert "modules.pane = { NUDGE, move, Pane };" in text
    assert scripts.scope("review", 'import "./mentions.js";\nenter();\n').startswith("try { // review.js\n\nenter();")


@pytest.mark.parametrize(
    "line",
    ["export let changing = 1;", "export default 1;", 'import all from "./all.js";', 'export * from "./pins.js";'],
)
def test_what_a_joined_module_cannot_say_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"new\.js: write imports and exports"):
        scripts.scope("new", f"{line}\n")


def test_there_are_only_modules_of_ours(server: Server, anonymous: Browser) -> None:
    folder = server.resources.environment.globals["static"]("js")
    assert anonymous.get(f"{folder}/site+grid.js").headers["cache-control"] == "public, max-age=31536000, immutable"
    for name in ("site+nothing", "site+", "other+grid", "site+" + "x" * 300, "site+..", "door+grid+"):
        assert anonymous.get(f"{folder}/{name}.js").status_code == 404, name


def test_any_number_of_combinations_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static, "MOST", 3)
    files = static.VersionedFiles(static.STATIC)
    for names in ("grid", "copy", "grid+copy", "copy+grid"):
        files.keep(f"js/site+{names}.js")
        assert len(files.kept) <= static.MOST
