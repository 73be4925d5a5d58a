"""A transparent picture asks what is behind it, wherever pictures are uploaded, and is not uploaded twice for that."""

import html
import io
import re

import pytest
from PIL import Image, PngImagePlugin

from app.grounds import TransparentPicture
from app.models import Draft, Reference
from tests.factory import encoded, png
from tests.web.server import Browser, Server
from tests.web.test_drafts import fields_of
from tests.web.test_structures import JSON
from tests.web.test_styles import picture

PLACE = {"draft-place": "/styles/new", "name": "Glass"}


def clear(side: int = 256) -> bytes:
    """Half transparent, with a creator."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Mori Haruka")
    drawn = Image.new("RGBA", (side, side), (255, 0, 0, 128))
    drawn.paste((0, 0, 255, 255), (0, 0, side // 2, side))
    return encoded(drawn, pnginfo=texts)


def waiting_in(page: str) -> list[str]:
    return [html.unescape(found) for found in re.findall(r'name="waiting" value="([^"]+)"', page)]


def ask(browser: Browser, address: str = "/styles/preview", **more: str) -> str:
    answer = browser.post(address, data=PLACE | more, files={"picture": ("glass.png", clear(), "image/png")})
    assert answer.status_code == 422
    return answer.text


def test_a_style_picture_asks_and_one_click_answers(server: Server, designer: Browser) -> None:
    page = ask(designer)
    assert "glass.png is transparent. Choose what is behind it" in html.unescape(page)
    assert re.findall(r'name="ground"\s+value="([^"]+)"', page) == ["#ffffff", "#000000", "#808080", "own"]
    (waiting,) = waiting_in(page)
    small = designer.get(f"/thumbs/{TransparentPicture.read(waiting).sha256}-320.webp")  # type: ignore[union-attr]
    assert Image.open(io.BytesIO(small.content)).mode == "RGBA", "the answers are shown behind it"
    assert waiting_in(designer.get("/styles/new").text) == [waiting], "the draft has it"
    answer = designer.post("/styles/preview", data=PLACE | {"waiting": waiting, "ground": "#000000"})
    (number,) = re.findall(r"/styles/new\?reference=(\d+)", answer.headers["location"])
    assert picture(designer, int(number)).getpixel((200, 9)) == (128, 0, 0)
    page = designer.get("/styles/new").text
    assert waiting_in(page) == []
    assert f'name="reference_id" value="{number}"' in page
    assert 'value="Glass"' in page
    with server.resources.database.read() as session:
        row = session.get_one(Reference, int(number))
        assert (row.ground, row.original_name, row.rights) == ("#000000", "glass.png", {"creator": "Mori Haruka"})
    assert "Black, behind its transparent parts" in html.unescape(designer.get(f"/references/{number}").text)


def test_the_same_file_on_the_same_ground_is_the_same_picture(designer: Browser) -> None:
    (waiting,) = waiting_in(ask(designer))

    def on(**answer: str) -> str:
        return designer.post("/styles/preview", data={"waiting": waiting} | answer).headers["location"]

    assert on(ground="#ffcc00") == on(ground="own", ground_colour="#FFCC00") != on(ground="#ffffff")
    sent = {"files": {"picture": ("glass.png", clear(), "image/png")}}
    assert designer.post("/styles/preview", data={"ground": "#ffcc00"}, **sent).headers["location"] == on(
        ground="#ffcc00"
    )


def test_a_form_cannot_be_sent_before_the_answer(server: Server, designer: Browser) -> None:
    page = ask(designer, "/styles")
    assert 'value="Glass"' in page
    again = designer.post("/styles", data=PLACE | fields_of(page) | {"waiting": waiting_in(page)[0]})
    assert again.status_code == 422
    assert waiting_in(again.text) == waiting_in(page)
    with server.resources.database.read() as session:
        assert session.query(Draft).count() == 1
        assert session.query(Reference).count() == 0


@pytest.mark.parametrize("waiting", ["", "{}", "[]", '{"sha256": "../a", "name": "", "rights": {}}'])
def test_hostile_answers_name_no_picture(designer: Browser, waiting: str) -> None:
    assert designer.post("/styles/preview", data={"waiting": waiting, "ground": "#ffffff"}).status_code == 422


def test_a_picture_that_is_gone_and_a_colour_that_is_none_are_refused(designer: Browser) -> None:
    gone = TransparentPicture("0" * 64, "glass.png").text
    answer = designer.post("/styles/preview", data={"waiting": gone, "ground": "#ffffff"})
    assert "glass.png is no longer kept. Upload it again." in answer.text
    (waiting,) = waiting_in(ask(designer))
    answer = designer.post("/styles/preview", data={"waiting": waiting, "ground": "plaid"})
    assert answer.status_code == 422
    assert "A ground is white, black, grey or a colour such as #ffcc00" in answer.text


def test_an_opaque_alpha_channel_asks_nothing(server: Server, designer: Browser) -> None:
    data = encoded(Image.new("RGBA", (96, 64), "teal"))
    assert designer.post("/styles/preview", files={"picture": ("a.png", data)}).status_code == 303
    with server.resources.database.read() as session:
        assert session.query(Reference).one().ground is None


def test_pictures_of_a_subject_ask_one_by_one(designer: Browser) -> None:
    told = designer.post("/subjects/pictures", files={"picture": ("mug.png", clear())}, headers=JSON)
    assert told.status_code == 422
    asked = told.json()
    assert (asked["name"], asked["picture"].startswith("/thumbs/")) == ("mug.png", True)
    answer = {"waiting": asked["waiting"], "ground": "#808080"}
    kept = designer.post("/subjects/pictures", data=answer, headers=JSON)
    assert kept.status_code == 201
    assert kept.json()["sha256"] != TransparentPicture.read(asked["waiting"]).sha256  # type: ignore[union-attr]


def test_pictures_of_a_subject_ask_together_without_scripts(designer: Browser) -> None:
    files = [
        ("picture", ("a.png", clear())),
        ("picture", ("b.png", clear(300))),
        ("picture", ("c.png", png("red", (256, 256)))),
    ]
    place = {"draft-place": "/subjects/new", "name": "Blue mug"}
    page = designer.post("/subjects", data=place, files=files)
    assert page.status_code == 422
    assert "2 pictures are transparent." in page.text
    assert waiting_in(designer.get("/subjects/new").text) == waiting_in(page.text)
    kept = re.findall(r'name="kept" value="(\w{64})"', page.text)
    assert len(kept) == 1
    answer = designer.post(
        "/subjects", data=place | {"waiting": waiting_in(page.text), "kept": kept, "ground": "#ffffff"}
    )
    assert answer.status_code == 200, "the answer starts no training"
    assert len(re.findall(r'name="kept" value="(\w{64})"', answer.text)) == 3
    assert waiting_in(designer.get("/subjects/new").text) == []


@pytest.mark.parametrize(("kind", "asks"), [("edges", True), ("silhouette", False)])
def test_maps_ask_where_transparency_says_nothing(designer: Browser, kind: str, asks: bool) -> None:
    drawn = Image.new("RGBA", (256, 256))
    drawn.paste("navy", (60, 60, 160, 160))
    form = {"kind": kind, "size": "64x64"}
    told = designer.post("/maps", data=form, files={"picture": ("cup.png", encoded(drawn))}, headers=JSON)
    assert told.status_code == (422 if asks else 201)
    if asks:
        answer = {"waiting": told.json()["waiting"], "ground": "#ffffff"}
        made = designer.post("/maps", data=form | answer, headers=JSON)
        assert (made.status_code, made.json()["name"]) == (201, "cup.png")


def test_a_transparent_ready_map_says_what_became_of_it(designer: Browser) -> None:
    drawn = Image.new("RGBA", (256, 256))
    drawn.paste("white", (60, 60, 160, 64))
    form = {"kind": "edges", "size": "64x64", "ready": "1"}
    made = designer.post("/maps", data=form, files={"picture": ("lines.png", encoded(drawn))}, headers=JSON)
    assert made.json()["remark"] == "Its transparent parts became black."


def test_outside_a_mask_is_transparent_or_black(designer: Browser) -> None:
    drawn = Image.new("RGBA", (256, 256))
    drawn.paste("white", (0, 0, 128, 256))
    mask = designer.post("/regions/masks", files={"mask": ("m.png", encoded(drawn))}, headers=JSON).json()["mask"]
    kept = Image.open(io.BytesIO(designer.get(f"/regions/masks/{mask}.png").content))
    assert [kept.getpixel((x, 9)) for x in (9, 200)] == [255, 0]
