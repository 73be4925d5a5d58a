"""Templates are looked for once a second, and their macros are set up once."""

import os
from pathlib import Path

import pytest
from jinja2 import Environment

from app.web.loading import Loader, Shared


@pytest.mark.parametrize(("seconds", "seen"), [(0.0, "newer"), (1e9, "old")])
def test_a_changed_template_is_noticed_at_the_next_look(tmp_path: Path, seconds: float, seen: str) -> None:
    page = tmp_path / "page.html"
    page.write_text("old")
    environment = Environment(loader=Loader(tmp_path, seconds), autoescape=True)
    assert environment.get_template("page.html").render() == "old"
    page.write_text("newer")
    os.utime(page, (1, 1))
    assert environment.get_template("page.html").render() == seen


def test_macros_are_set_up_once_for_all_who_import_them(tmp_path: Path) -> None:
    (tmp_path / "macros.html").write_text("{% set number = next() %}{% macro told() %}{{ number }}{% endmacro %}")
    (tmp_path / "part.html").write_text('{% import "macros.html" as ui %}{{ ui.told() }}')
    (tmp_path / "page.html").write_text('{% import "macros.html" as ui %}{{ ui.told() }}{% include "part.html" %}')
    environment = Environment(loader=Loader(tmp_path), autoescape=True)
    environment.template_class = Shared
    environment.globals["next"] = iter(range(9)).__next__
    page = environment.get_template("page.html", globals={"own": 1})
    assert page.render() + page.render() == "0000"
