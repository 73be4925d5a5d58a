"""Lookalikes on the pages: a note on the set's page, a page with all pairs, and the way to see them."""

import re
from html import unescape

import pytest

from app.files import Kind
from app.quality.vision import Vision
from app.sets.alike import ComparedPicture, Pair
from app.web.alike import in_words
from tests.sets.test_alike import RED, as_seen, sign
from tests.web.server import Browser, Server, making

PART = {"hx-request": "true"}


@pytest.fixture
def set_id(server: Server) -> int:
    with making(server) as make:
        made = make.finished_set(prompts="a red sign\na black sign\na green sign", name="Signs")
        inks = (RED, (16, 16, 16), as_seen(Vision.DEUTERANOPIA))
        for image, ink in zip(made.images, inks, strict=True):
            image.sha256 = make.files.put(Kind.IMAGES, sign(ink))
        return made.id


def test_the_page_of_a_set_asks_for_the_note_and_links_the_page(designer: Browser, set_id: int) -> None:
    page = designer.get(f"/sets/{set_id}").text
    assert f'hx-get="/sets/{set_id}/alike"' in page
    assert f'<a class="link" href="/sets/{set_id}/alike">' in page, "without scripts"


def test_the_note_says_which_pictures_look_alike_to_whom(designer: Browser, set_id: int) -> None:
    note = designer.get(f"/sets/{set_id}/alike", headers=PART).text
    assert "<html" not in note
    assert re.search(r"For people with [^.]*deuteranopia[^.]*, pictures 1 and 3 look alike\.", note)
    address = re.search(r'href="(/compare[^"]+)"', note)
    assert address is not None
    assert re.fullmatch(r"/compare\?ids=1,3&from=/sets/1/alike&see=\w+", unescape(address[1]))
    assert designer.get(unescape(address[1])).status_code == 200


def test_the_page_shows_the_pairs(designer: Browser, set_id: int) -> None:
    page = designer.get(f"/sets/{set_id}/alike").text
    assert page.count('class="lookalikes__pair"') == 1
    assert "a red sign" in page
    assert "a black sign" not in page


def test_a_set_without_lookalikes_says_so_on_the_page_alone(server: Server, designer: Browser) -> None:
    with making(server) as make:
        other = make.finished_set(prompts="a fox").id
    note = designer.get(f"/sets/{other}/alike", headers=PART).text
    assert "look alike" not in note
    assert "No lookalikes" in designer.get(f"/sets/{other}/alike").text
    assert designer.get("/sets/404/alike").status_code == 404


@pytest.mark.parametrize(
    ("visions", "series", "expected"),
    [
        ((Vision.GREY,), False, "In greyscale, pictures 2 and 1 000 look alike."),
        ((Vision.PROTANOPIA, Vision.DEUTERANOPIA), False, "For people with protanopia or deuteranopia, pictures 2 and"),
        ((Vision.TRITANOPIA, Vision.GREY), False, "For people with tritanopia and in greyscale, pictures 2 and"),
        ((Vision.GREY,), True, "In greyscale, all pictures of “red” and “green” look alike."),
        ((Vision.TRITANOPIA,), True, "For people with tritanopia, all pictures of “red” and “green” look alike."),
        ((Vision.TRITANOPIA, Vision.GREY), True, "For people with tritanopia and in greyscale, all pictures of “red”"),
    ],
)
def test_a_sentence_names_all_visions(visions: tuple[Vision, ...], series: bool, expected: str) -> None:
    pair = Pair(ComparedPicture(7, 2, "red", "a"), ComparedPicture(9, 1000, "green", "b"), visions, series)
    assert in_words(pair).replace("\u2009", " ").replace("\u202f", " ").startswith(expected)
