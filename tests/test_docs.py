"""Docs that cannot drift: what they list is what there is."""

import re
from pathlib import Path

import pytest

from app.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


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


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_within_the_docs_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), target


def test_the_readme_shows_the_command_line_as_it_is() -> None:
    """Every option in the README's example is one that `soroe generate` has."""
    code = "".join(file.read_text() for file in (ROOT / "app" / "cli").glob("*.py"))
    for option in set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", README)) - {"help"}:
        name = option.replace("-", "_")
        assert f"    {name}: Annotated" in code or f'"--{option}"' in code, option
