"""Text and formats: which addresses the page understands, and what it says of a picture."""

import re
from collections.abc import Callable
from html import unescape

import pytest
from PIL import Image as Picture

from app.files import Kind
from app.models import Role, State
from tests.engine.painter import Painter
from tests.factory import encoded
from tests.web.server import Browser, Server, making


@pytest.fixture
def image_id(server: Server) -> int:
    """A picture that is black on the left and white on the right."""
    with making(server) as make:
        image = make.finished_set(prompts="a <b>fox</b>", size="512x256").images[0]
        picture = Picture.new("RGB", (512, 256), "white")
        picture.paste("black", (0, 0, 256, 256))
        image.sha256 = make.files.put(Kind.IMAGES, encoded(picture))
        return image.id


def words(page: str) -> str:
    """What the page says, without elements and blanks between them."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def test_white_reads_well_on_black_and_not_on_white(designer: Browser, image_id: int) -> None:
    left = words(designer.get(f"/images/{image_id}/layout?place=2,10,40,30&text=white&size=32").text)
    assert "Text reads well here" in left
    assert "WCAG contrast 21.0 : 1 21.0 : 1" in left
    assert "White reads better here than black." in left
    right = words(designer.get(f"/images/{image_id}/layout?place=58,10,40,30&text=white&size=32").text)
    assert "Text is hard to read here" in right
    assert "WCAG contrast 1.0 : 1" in right
    assert "Black text has more contrast here" in right
    assert "Darken the place by" in right


def test_another_place_is_suggested_with_its_address(designer: Browser, image_id: int) -> None:
    page = designer.get(f"/images/{image_id}/layout?place=58,10,40,30&text=ffffff&size=32").text
    address = re.search(r'href="([^"]+)" data-goes>Another place', page)
    assert address is not None
    assert "Text reads well here" in designer.get(unescape(address[1])).text


def test_number_fields_lead_to_an_address_that_can_be_shared(designer: Browser, image_id: int) -> None:
    query = "x=10&y=20.5&w=30&h=40&text=own&own=%23a1B2c3&size=48&weight=bold&format=instagram-story&shift=20"
    answer = designer.get(f"/images/{image_id}/layout?{query}&from=/sets/1")
    assert answer.status_code == 303
    address = answer.headers["location"]
    assert address == (
        f"/images/{image_id}/layout?place=10,20.5,30,40&text=a1b2c3&size=48&weight=bold&format=instagram-story"
        "&shift=20&from=/sets/1"
    )
    page = designer.get(address).text
    assert 'name="y" type="number" min="0" max="100" step="any" inputmode="decimal" value="20.5"' in page
    assert 'value="#a1b2c3"' in page
    assert 'font-size="48" font-weight="700" color="#a1b2c3"' in page
    assert "Account and progress" in page


@pytest.mark.parametrize(
    "query",
    ["place=1,2,3", "place=a,b,c,d", "place=-5,0,10,10", "place=nan,0,1,1", "x=10&y=&w=20&h=20", "place=1e3,0,1,1"],
)
def test_an_address_without_a_place_says_so_and_shows_the_usual_one(
    designer: Browser, image_id: int, query: str
) -> None:
    answer = designer.get(f"/images/{image_id}/layout?{query}")
    assert answer.status_code == 200
    assert "The place must be four numbers from 0 to 100." in answer.text
    assert (
        'id="side-x" name="x" type="number" min="0" max="100" step="any" inputmode="decimal" value="10"' in answer.text
    )


def test_a_place_outside_is_moved_into_the_picture(designer: Browser, image_id: int) -> None:
    answer = designer.get(f"/images/{image_id}/layout?x=90&y=0&w=900&h=0")
    assert "place=0,0,100,2&" in answer.headers["location"]


def test_other_values_are_replaced_by_usual_ones(designer: Browser, image_id: int) -> None:
    page = designer.get(
        f"/images/{image_id}/layout?text=nothing&size=huge&shift=-1&format=none%22&from=https://evil.example"
    )
    assert page.status_code == 200
    assert 'color="#ffffff"' in page.text
    assert 'href="https:' not in page.text


def test_own_words_take_the_place_of_the_example(designer: Browser, image_id: int) -> None:
    example = designer.get(f"/images/{image_id}/layout").text
    assert '<p lang="en" translate="no">New this spring</p>' in example
    sent = {"x": 10, "y": 60, "w": 80, "h": 20, "words": " Harvest\n<b>sale</b> ", "text": "white"}
    page = designer.get(f"/images/{image_id}/layout", params=sent, follow_redirects=True)
    assert "words=Harvest+%3Cb%3Esale%3C/b%3E" in str(page.url)
    assert "<p>Harvest &lt;b&gt;sale&lt;/b&gt;</p>" in page.text
    assert "春の新作" not in page.text
    hidden = designer.get(f"/images/{image_id}/layout", params={"words": "\u200e\u202e \u200b"}).text
    assert "New this spring</p>" in hidden
    japanese = designer.get(f"/images/{image_id}/layout", params={"words": "秋のセール"}).text
    assert '<p lang="ja">秋のセール</p>' in japanese


@pytest.mark.parametrize(("size", "usual"), [("512x512", 32), ("256x256", 16), ("64x512", 4)])
def test_the_usual_text_fits_a_small_picture(server: Server, designer: Browser, size: str, usual: int) -> None:
    with making(server) as make:
        image = make.finished_set(prompts="a fox", size=size).images[0]
    assert f'font-size="{usual}"' in designer.get(f"/images/{image.id}/layout").text


def test_the_format_of_the_cookie_is_shown_here_and_in_the_review_room(designer: Browser, image_id: int) -> None:
    assert 'data-format="none"' in designer.get(f"/review?image={image_id}").text
    designer.cookies.set("format", "youtube")
    page = designer.get(f"/images/{image_id}/layout").text
    assert '<option value="youtube" selected>' in page
    assert "YouTube thumbnail, 16:9" in page
    room = designer.get(f"/review?image={image_id}").text
    assert 'data-format="youtube"' in room
    assert "laid__zone" in room
    assert f'href="/images/{image_id}/layout?from=/review%3Fimage%3D{image_id}"' in room
    designer.cookies.set("format", "<script>")
    assert 'data-format="none"' in designer.get(f"/review?image={image_id}").text


def test_text_in_a_covered_zone_is_told(designer: Browser, image_id: int) -> None:
    inside = words(designer.get(f"/images/{image_id}/layout?place=40,45,10,10&format=instagram-story").text)
    assert "The text is in the safe area" in inside
    top = words(designer.get(f"/images/{image_id}/layout?place=40,2,10,20&format=instagram-story").text)
    assert "Not safe here: Account and progress" in top
    assert "Text can be read here, but the format covers or cuts it" in top
    assert "Text reads well here" in inside
    left = words(designer.get(f"/images/{image_id}/layout?place=0,40,10,20&format=instagram-story").text)
    assert "Not safe here: Outside the crop" in left


def test_names_are_escaped(designer: Browser, image_id: int) -> None:
    page = designer.get(f"/images/{image_id}/layout").text
    assert "a &lt;b&gt;fox&lt;/b&gt;" in page
    assert "<b>fox" not in page


@pytest.mark.parametrize("engine", [Painter(slots=0)], ids=["idle"])
def test_only_finished_pictures_are_measured(server: Server, sign_in: Callable[..., Browser]) -> None:
    with making(server) as make:
        image = make.image_set(prompts="a fox").images[0]
        assert image.state == State.QUEUED
    browser = sign_in(Role.DESIGNER)
    answer = browser.get(f"/images/{image.id}/layout")
    assert answer.status_code == 404
    assert "not finished yet" in answer.text
    assert browser.get("/images/999999/layout").status_code == 404
