"""Icons are written into the page, in as few elements as possible, and look as in their file."""

import re
from xml.etree.ElementTree import Element

import pytest

from app.web.icons import SVG, absolute, drawing, drawings, icon
from app.web.templating import TEMPLATES


def test_every_icon_that_a_template_names_is_there() -> None:
    pages = "\n".join(path.read_text() for path in TEMPLATES.rglob("*.html"))
    named = re.findall(r'\bicon\("([\w-]+)"', pages)
    assert len(named) > 100
    assert set(named) - drawings().keys() == set()


def test_an_icon_refers_to_no_other_file_and_is_hidden_from_screen_readers() -> None:
    shown = icon("x", "spin")
    assert "<use" not in shown
    assert shown == (
        '<svg class="icon spin" viewBox="0 0 24 24" aria-hidden="true"><path d="M18 6 6 18M6 6l12 12"/></svg>'
    )


@pytest.mark.parametrize(
    ("path", "whole"),
    [
        ("m12 19-7-7 7-7", "M12 19l-7-7 7-7"),
        ("m.5-.5 2 2", "M.5 -.5l2 2"),
        ("m19 21a2 2 0 0 1 2-2", "M19 21a2 2 0 0 1 2-2"),
        ("M4 8v11", "M4 8v11"),
    ],
)
def test_a_path_after_another_begins_where_it_began_alone(path: str, whole: str) -> None:
    assert absolute(path) == whole


def test_shapes_that_are_no_plain_paths_stay_themselves() -> None:
    shapes = [
        Element(f"{SVG}path", d="M1 1h2"),
        Element(f"{SVG}circle", cx="5", cy="5", r="2"),
        Element(f"{SVG}path", d="m3 3 1 1"),
        Element(f"{SVG}path", d="M9 9h1", fill="none"),
    ]
    assert drawing(shapes) == ('<path d="M1 1h2M3 3l1 1"/><circle cx="5" cy="5" r="2"/><path d="M9 9h1" fill="none"/>')
