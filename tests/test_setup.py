"""Installation and configuration files match the project."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app.settings import Settings
from scripts import env_example

ROOT = Path(__file__).parents[1]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
ENTRY = re.compile(r"^([a-z0-9].*?) ?\\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", re.MULTILINE)


def requirements(lock: Path) -> list[Requirement]:
    """The requirements of a lock, with hashes."""
    return [Requirement(text) for text in ENTRY.findall(lock.read_text())]


def test_the_example_of_settings_is_current() -> None:
    """After a change of app/settings.py: make .env.example."""
    assert env_example.FILE.read_text() == env_example.text()


def test_the_example_of_settings_shows_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(re.sub(r"^#(?=SOROE_)", "", env_example.text(), flags=re.MULTILINE))
    assert Settings(_env_file=file) == Settings(_env_file=None)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_package_has_one_version_and_its_hashes(lock: Path) -> None:
    lines = [line for line in lock.read_text().splitlines() if not line.startswith("    ")]
    assert len(requirements(lock)) == len(lines) > 0
    for requirement in requirements(lock):
        assert [each.operator for each in requirement.specifier] == ["=="], requirement


def test_the_locks_keep_to_what_the_project_asks_for() -> None:
    """After a change of dependencies in pyproject.toml: make lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    locked = {each.name: str(each.specifier).removeprefix("==") for each in chain(*map(requirements, LOCKS))}
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), requirement


def test_a_commit_is_checked_by_the_linters_of_make_check() -> None:
    makefile = (ROOT / "Makefile").read_text()
    check = re.search(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert check
    # Each line is a linter, by its path and, if it has several, its command.
    linters = re.findall(r"\$\(BIN\)/(\w+(?: (?:format|check|lint))?)", check[1])
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    entries = " ".join(hook["entry"] for hook in hooks)
    assert len(linters) == len(hooks)
    for linter in linters:
        assert f"/{linter}" in entries, linter


def test_the_public_workflow_runs_what_lands_runs() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert {"run": "bash .ci/run"} in steps
    assert workflow["permissions"] == {"contents": "read"}
    for step in steps:
        # Someone else's tag can move; a commit cannot.
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step.get("uses", "actions/x@" + 40 * "0")), step


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda form: form.name
)
def test_an_issue_form_is_one_that_github_shows(form: Path) -> None:
    """https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests"""
    said = yaml.safe_load(form.read_text())
    assert {"name", "description", "body"} <= said.keys() <= {"name", "description", "body", "labels", "title"}
    fields = [field for field in said["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields) > 0
    for field in fields:
        assert field["type"] in ("input", "textarea", "dropdown", "checkboxes")
        assert field["attributes"]["label"]
        assert field["type"] != "dropdown" or field["attributes"]["options"]
