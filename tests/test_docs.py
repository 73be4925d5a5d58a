"""Docs that cannot drift: what they list is what exists."""

import re
import tomllib
from pathlib import Path

import pytest

from app.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCS = ROOT / "docs"
INDEXES = [DOCS / "README.md", DOCS / "decisions" / "README.md"]
PAGES = sorted(
    [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / ".github").rglob("*.md"), *(ROOT / "training").rglob("*.md")]
)
# Without code examples.
TEXTS = {page: re.sub(r"^    .*$", "", page.read_text(), flags=re.MULTILINE) for page in PAGES}


def links(page: Path) -> list[tuple[Path, str]]:
    """The files and headings that a page links to."""
    targets = re.findall(r"\]\(([^)\s]+)\)", TEXTS[page])
    within = [target.partition("#") for target in targets if not re.match(r"https?:|mailto:", target)]
    return [((page.parent / file).resolve() if file else page, heading) for file, _, heading in within]


def anchors(page: Path) -> set[str]:
    """The headings of a page, as GitHub writes them in addresses."""
    headings = re.findall(r"^#+ (.+)$", TEXTS[page], re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_readme_with_its_description(name: str) -> None:
    field = Settings.model_fields[name]
    row = next((line for line in README.splitlines() if line.startswith(f"| `SOROE_{name.upper()}`")), "")
    assert field.description
    assert field.description in row
    assert str(field.default) in row or field.default == ""


def test_the_readme_names_no_setting_that_is_not_there() -> None:
    test_only = {"SOROE_CHROMIUM"}
    named = set(re.findall(r"SOROE_[A-Z_]*[A-Z]", README)) - test_only
    assert named <= {f"SOROE_{name.upper()}" for name in Settings.model_fields}


JAPANESE = {
    ROOT / "README.ja.md": ROOT / "README.md",
    **{page: DOCS / page.name for page in (DOCS / "ja").glob("*.md")},
}


def commands(page: Path) -> set[str]:
    """The examples of a page, without comments and the texts in quotes."""
    lines = re.findall(r"^    (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r'"[^"]*"', '""', line.partition(" #")[0]).strip() for line in lines}


@pytest.mark.parametrize("page", JAPANESE, ids=lambda page: str(page.relative_to(ROOT)))
def test_japanese_pages_have_the_commands_of_the_english_ones(page: Path) -> None:
    known = commands(JAPANESE[page]) | commands(ROOT / "README.md")
    settings = {f"SOROE_{name.upper()}" for name in Settings.model_fields}
    ours = {line for line in commands(page) if line.isascii() and line.partition("=")[0] not in settings}
    assert ours <= known
    assert set(re.findall(r"SOROE_[A-Z_]*[A-Z]", page.read_text())) <= settings


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_docs_lead_somewhere(page: Path) -> None:
    for file, heading in links(page):
        assert file.exists(), file
        assert not heading or heading in anchors(file), (file.name, heading)


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/how-it-works.md"])
def test_what_the_docs_name_in_the_code_is_there(name: str) -> None:
    """Files, and names that begin with a capital, such as `NOTICES` and `Sent[YourForm]`."""
    text = TEXTS[ROOT / name]
    files = set(re.findall(r"`((?:app|docs|migrations|scripts|static|templates|tests|training)/[\w./-]+)`", text))
    assert [file for file in sorted(files) if not (ROOT / file).exists()] == []
    code = "\n".join(file.read_text() for file in (ROOT / "app").rglob("*.py"))
    words = set(re.findall(r"\w+", code))
    assert set(re.findall(r"`([A-Z]\w+)[`(\[]", text)) - {"Dockerfile"} - words == set()


def test_every_page_of_the_docs_is_in_the_index() -> None:
    """docs/README.md lists them in reading order; it, and what a newcomer looks for, is found from the README."""
    listed = {file for index in INDEXES for file, _ in links(index)}
    assert {page for page in PAGES if page.is_relative_to(DOCS)} - listed <= {INDEXES[0]}
    first = {file for file, _ in links(ROOT / "README.md")}
    assert {INDEXES[0], ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"} <= first


def test_the_changelog_has_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    versions = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert versions[0] == version


def test_the_readme_shows_the_command_line_as_it_is() -> None:
    """Every option in the README's example is one that `soroe generate` has."""
    code = "".join(file.read_text() for file in (ROOT / "app" / "cli").glob("*.py"))
    for option in set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", README)) - {"help"}:
        name = option.replace("-", "_")
        assert f"    {name}: Annotated" in code or f'"--{option}"' in code, option


def test_decisions_are_numbered_and_have_their_parts() -> None:
    """docs/decisions: in the form of Michael Nygard, and the index gives the title and status of each."""
    records = sorted(file for file in (DOCS / "decisions").glob("*.md") if file.name != "README.md")
    index = INDEXES[1].read_text()
    for number, record in enumerate(records, 1):
        title, status = re.findall(r"\A# (\d+\. .+)\n\nStatus: (\w+)\n", record.read_text())[0]
        assert record.name.startswith(f"{number:04}-")
        assert re.findall(r"^## (.+)$", record.read_text(), re.MULTILINE) == ["Context", "Decision", "Consequences"]
        assert f"| [{number}]({record.name}) | {title.partition('. ')[2]} | {status} |" in index
