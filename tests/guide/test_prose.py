"""The guide's prose: the same pages in every language, with the same parts and pictures, and none outdated."""

import ast
import re
from collections.abc import Iterator
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from app.guide.lessons import LESSONS
from app.guide.settings import OF_SETS, OF_STYLES
from app.guide.workshop import SLIDES, starts
from app.languages import ENGLISH, LANGUAGES
from app.web.templating import TEMPLATES, make_environment

ROOT = Path(__file__).parents[2]
PROSE = TEMPLATES / "guide"
PICTURES = ROOT / "static" / "guide"
OTHERS = sorted(LANGUAGES.keys() - {ENGLISH})
NAMES = sorted(path.stem for path in (PROSE / ENGLISH).glob("*.html"))
INLINE = {"strong", "kbd", "code", "br", "svg", "use", "span", "em", "a"}
WORKSHOP = "workshop"
IMAGE = r'/guide/([\w-]+)\.webp"\s+alt=""\s+width="(\d+)"\s+height="(\d+)"'
LARGEST = 1024 * 1024  # bytes of all pictures


def text_of(language: str, name: str) -> str:
    return (PROSE / language / f"{name}.html").read_text()


def stamp(text: str) -> str:
    """What a translation says that it follows."""
    return sha256(text.encode()).hexdigest()[:8]


class Parts(HTMLParser):
    """The elements of a text in order, without those within a line, and its pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in INLINE:
            self.found.append(" ".join([tag, *(given[name] or "" for name in ("id", "class", "src") if name in given)]))


def html_of(language: str, name: str) -> str:
    addresses = {slug: f"/{slug}" for slug in LESSONS}
    template = make_environment().get_template(f"guide/{language}/{name}.html")
    return template.render({"only": 0, "addresses": addresses, "printed": True} if name == WORKSHOP else {})


def parts(language: str, name: str) -> list[str]:
    parser = Parts()
    parser.feed(html_of(language, name))
    return parser.found


def test_every_page_has_its_prose() -> None:
    assert set(NAMES) == {*LESSONS, WORKSHOP}


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_every_page(language: str) -> None:
    assert sorted(path.stem for path in (PROSE / language).glob("*.html")) == NAMES


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_the_same_parts_in_every_language(language: str, name: str) -> None:
    assert parts(language, name) == parts(ENGLISH, name)


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("name", NAMES)
def test_a_translation_follows_the_english_text_as_it_is(language: str, name: str) -> None:
    line = f"{{# follows {ENGLISH}: {stamp(text_of(ENGLISH, name))} #}}"
    assert text_of(language, name).splitlines()[0] == line, (
        f"The English text of {name} has changed. Bring {language}/{name}.html up to date, then begin it with {line}"
    )


@pytest.mark.parametrize("name", LESSONS)
def test_every_page_ends_with_an_exercise(name: str) -> None:
    assert [part for part in parts(ENGLISH, name) if part.startswith("h2")][-1] == "h2 try"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_workshop_has_its_slides_in_two_hours(language: str) -> None:
    slides = html_of(language, WORKSHOP).split('data-slide="')[1:]
    assert [int(slide.partition('"')[0]) for slide in slides] == [*range(1, len(SLIDES) + 1)]
    assert starts()[-1] + SLIDES[-1].minutes == 120
    for slide, body in zip(SLIDES, slides, strict=True):
        assert "slide__says" in body, "the moderator says something about each"
        assert "slide__try" in body or not slide.exercise
    assert sum(slide.exercise for slide in SLIDES) >= 4


def shown() -> Iterator[tuple[str, str, str]]:
    """The pictures of the prose with the width and the height that a page states."""
    for name in NAMES:
        yield from re.findall(IMAGE, html_of(ENGLISH, name))
    environment = make_environment()
    source = '{% import "_macros.html" as ui %}{{ ui.why(setting) }}'
    for setting in (*OF_SETS.values(), *OF_STYLES.values()):
        yield from re.findall(IMAGE, environment.from_string(source).render(setting=setting))


def test_pictures_are_there_in_the_size_that_pages_state() -> None:
    """Or in twice that size, for fine screens."""
    found = list(shown())
    assert len(found) > 20
    for name, width, height in found:
        with Image.open(PICTURES / f"{name}.webp") as picture:
            stated = int(width), int(height)
            assert picture.size in (stated, (2 * stated[0], 2 * stated[1])), name


def made_by_the_script() -> set[str]:
    tree = ast.parse((ROOT / "scripts" / "guide_pictures.py").read_text())
    return {
        node.name.replace("_", "-")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and any(ast.unparse(each) == "picture" for each in node.decorator_list)
    }


def test_every_picture_is_used_and_made_by_the_script() -> None:
    files = {path.stem: path.stat().st_size for path in PICTURES.glob("*.webp")}
    used = {name for name, _, _ in shown()} | {lesson.picture for lesson in LESSONS.values()}
    assert files.keys() == used
    assert used == made_by_the_script()
    assert sum(files.values()) <= LARGEST
