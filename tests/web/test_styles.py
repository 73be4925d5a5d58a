import io
import re
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from app.files import Kind
from app.models import Reference, Style, StyleVersion
from app.styles.presets import PRESETS, USUAL
from tests.factory import encoded, png
from tests.web.server import Browser, Server, making, signed_in_browser


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int = 60_000) -> bytes:
    """A small file that would decode to 10 GB of pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(b"\0" * 2**20))
    return b"\x89PNG\r\n\x1a\n" + header + rows + chunk(b"IEND", b"")


def rotated() -> bytes:
    """A JPEG as a phone writes it: sideways, with a note to rotate it."""
    picture = Image.new("RGB", (96, 64), "teal")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x013B] = "Haruka Mori"
    return encoded(picture, "JPEG", exif=exif)


def upload(browser: Browser, data: bytes, name: str = "a.png", kind: str = "image/png") -> Reference:
    answer = browser.post("/styles/preview", files={"picture": (name, data, kind)})
    assert answer.status_code == 303, answer.text
    found = re.fullmatch(r"/styles/new\?reference=(\d+)", answer.headers["location"])
    assert found is not None
    return int(found[1])


def picture(browser: Browser, reference_id: int) -> Image.Image:
    answer = browser.get(f"/references/{reference_id}.png")
    assert answer.headers["content-type"] == "image/png"
    return Image.open(io.BytesIO(answer.content))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (bomb(), "60000 × 60000 px; at most 64 million pixels"),
        (png(size=(256, 256))[:200], "is damaged or incomplete"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "is an SVG drawing"),
        (b"GIF89a" + b"\0" * 100, "GIF file is damaged|The picture is 0 × 0"),
        (b"hello", "not a supported picture"),
        (b"", "Choose a picture first|The file is empty"),
        (png(size=(20, 20)), "each side needs at least 64 px"),
    ],
    ids=["bomb", "truncated", "svg", "gif", "text", "empty", "tiny"],
)
def test_what_is_refused(server: Server, designer: Browser, data: bytes, sentence: str) -> None:
    answer = designer.post("/styles/preview", files={"picture": ("a.png", data, "image/png")})
    assert answer.status_code == 422
    assert re.search(sentence, answer.text), answer.text
    assert 'id="picture-error"' in answer.text
    assert not (server.resources.files.root / Kind.REFERENCES).exists(), "nothing half-done stays behind"


@pytest.mark.parametrize(
    "data",
    [
        encoded(Image.new("I;16", (96, 64), 40000)),
        encoded(Image.new("CMYK", (96, 64), (255, 0, 0, 0)), "JPEG"),
        encoded(Image.new("RGB", (96, 64), "teal").convert("P")),
    ],
    ids=["16-bit", "CMYK", "palette"],
)
def test_stored_pictures_are_plain_pngs(designer: Browser, data: bytes) -> None:
    kept = picture(designer, upload(designer, data))
    assert (kept.format, kept.mode, kept.size) == ("PNG", "RGB", (96, 64))
    assert not kept.info
    shade = kept.getpixel((10, 10))
    assert shade != (0, 0, 0)


def test_a_rotated_picture_becomes_upright_and_keeps_its_creator(server: Server, designer: Browser) -> None:
    reference_id = upload(designer, rotated(), "photo.jpg", "image/jpeg")
    kept = picture(designer, reference_id)
    assert kept.size == (64, 96)
    assert not kept.getexif()
    with server.resources.database.read() as session:
        assert session.get_one(Reference, reference_id).rights == {"creator": "Haruka Mori"}


def test_the_same_picture_is_kept_once(designer: Browser) -> None:
    assert upload(designer, png("red")) == upload(designer, png("red"), "other name.png")


def test_the_form_shows_the_uploaded_picture_to_be_cropped(designer: Browser) -> None:
    reference_id = upload(designer, png("red"))
    page = designer.get(f"/styles/new?reference={reference_id}").text
    assert f'name="reference_id" value="{reference_id}"' in page
    assert f"/references/{reference_id}/thumb-960.webp" in page
    thumb = designer.get(f"/references/{reference_id}/thumb-320.webp")
    assert thumb.headers["content-type"] == "image/webp"
    assert designer.get("/styles/new?reference=99").status_code == 404


STYLE = {
    "name": "Retro sunburst",
    "text": "vintage poster",
    "reference_prompt": "an owl",
    "method": "noise",
    "strength": "1.5",
    "scale": "1",
    "share_group_norm": "1",
    "crop_x": "0",
    "crop_y": "0",
    "crop_width": "1",
    "crop_height": "1",
}


def test_a_style_is_saved_and_gets_a_code(server: Server, designer: Browser) -> None:
    answer = designer.post("/styles", data=STYLE | {"reference_id": str(upload(designer, png("red")))})
    assert answer.status_code == 303
    assert re.fullmatch(r"/styles/SOR-[A-Z0-9]{4}", answer.headers["location"])
    page = designer.get(answer.headers["location"]).text
    assert "Saved Retro sunburst as SOR-" in page
    with server.resources.database.read() as session:
        version = session.query(StyleVersion).one()
        assert (version.strength, version.share_group_norm, version.adain_values) == (1.5, True, False)


def chosen(page: str) -> str:
    """The preset that a form shows as chosen."""
    (value,) = re.findall(r'name="preset"\s+value="(\w+)"[^>]*checked>', page)
    return str(value)


def test_a_preset_is_saved_as_its_numbers_and_recognised_by_them(server: Server, designer: Browser) -> None:
    sent = STYLE | {"reference_id": str(upload(designer, png("red"))), "preset": "no_copying", "calibration": "0.7"}
    style = designer.post("/styles", data=sent).headers["location"]
    with server.resources.database.read() as session:
        version = session.query(StyleVersion).one()
        assert {name: getattr(version, name) for name in USUAL} == {
            **PRESETS["no_copying"].values,
            "layers": ["up_blocks"],
        }
    assert chosen(designer.get(f"{style}/edit").text) == "no_copying"
    assert "No copying" in designer.get(style).text
    designer.post(style, data=sent | {"preset": "own"})
    assert chosen(designer.get(f"{style}/edit").text) == "own"
    page = designer.get(style).text
    assert "Own settings" in page
    assert "colour calibration 0.7" in page
    assert "all layers, colour calibration 0.7" in page, "the list of versions says what changed"


def test_a_new_style_is_balanced_unless_a_link_fills_in_numbers(designer: Browser) -> None:
    assert chosen(designer.get("/styles/new").text) == "balanced"
    assert chosen(designer.get("/styles/new?share_group_norm=0").text) == "own"


def test_chosen_layers_stay_chosen_in_the_next_version(server: Server, designer: Browser) -> None:
    names = "up_blocks.0,mid_block.attentions.0.transformer_blocks.0.attn1"
    sent = STYLE | {"reference_id": str(upload(designer, png("red"))), "preset": "own", "layers": names}
    style = designer.post("/styles", data=sent).headers["location"]
    form = designer.get(f"{style}/edit").text
    assert re.search(rf'<option value="{names}"\s+selected>2 layers, as before', form)
    assert 'value="sensitive"' not in form, "the model of the tests has no ranking"
    refused = designer.post(style, data=sent | {"layers": "sensitive", "layer_count": "3"})
    assert refused.status_code == 422
    assert "The layers of this model are not ranked yet." in refused.text


def test_a_style_can_be_saved_with_its_picture_in_one_go(designer: Browser) -> None:
    answer = designer.post("/styles", data=STYLE, files={"picture": ("a.png", png("red"), "image/png")})
    assert answer.status_code == 303


def test_a_wrong_form_keeps_what_was_typed_and_the_picture(designer: Browser) -> None:
    reference_id = upload(designer, png("red"))
    wrong = STYLE | {"name": "", "strength": "9", "reference_id": str(reference_id), "text": "a <b>bold</b> look"}
    answer = designer.post("/styles", data=wrong)
    assert answer.status_code == 422
    assert 'id="name-error"' in answer.text
    assert 'id="strength-error"' in answer.text
    assert "a &lt;b&gt;bold&lt;/b&gt; look" in answer.text
    assert f'name="reference_id" value="{reference_id}"' in answer.text


def test_a_style_needs_a_picture(designer: Browser) -> None:
    answer = designer.post("/styles", data=STYLE)
    assert answer.status_code == 422
    assert 'id="picture-error"' in answer.text


def test_an_edit_makes_the_next_version_and_the_old_one_stays(server: Server, designer: Browser) -> None:
    code = designer.post("/styles", data=STYLE | {"reference_id": str(upload(designer, png("red")))}).headers[
        "location"
    ]
    form = designer.get(f"{code}/edit").text
    assert "Save version 2" in form
    assert 'value="vintage poster"' in form
    edit = STYLE | {"reference_id": str(upload(designer, png("blue"))), "text": "linocut"}
    assert designer.post(code, data=edit).headers["location"] == code
    assert "linocut" in designer.get(code).text
    assert "vintage poster" in designer.get(f"{code}?version=1").text
    with server.resources.database.read() as session:
        assert [version.number for version in session.query(Style).one().versions] == [2, 1]


def test_an_upload_while_editing_leads_back_to_the_edit(server: Server, designer: Browser) -> None:
    code = (
        designer.post("/styles", data=STYLE | {"reference_id": str(upload(designer, png("red")))})
        .headers["location"]
        .rsplit("/", 1)[1]
    )
    files = {"picture": ("a.png", png("blue"), "image/png")}
    answer = designer.post("/styles/preview", data={"style": code}, files=files)
    assert answer.headers["location"].startswith(f"/styles/{code}/edit?reference=")
    page = designer.get(answer.headers["location"]).text
    assert f'name="reference_id" value="{answer.headers["location"].rsplit("=", 1)[1]}"' in page


def test_archived_styles_are_not_offered(server: Server, sign_in: Callable[..., Browser]) -> None:
    with making(server) as make:
        owner = make.user()
        code = make.style(owner, name="Old fashion").code
    browser = signed_in_browser(server, owner)
    with browser:
        assert browser.post(f"/styles/{code}/archive").headers["location"] == "/styles"
        assert "Old fashion archived." in browser.get("/styles").text
        assert "Old fashion" not in browser.get("/sets/new").text
        assert browser.post(f"/styles/{code}/archive").status_code == 409
        assert browser.post(f"/styles/{code}/unarchive").status_code == 303
        assert "Old fashion" in browser.get("/sets/new").text


def test_the_owner_of_a_picture_uploaded_before(sign_in: Callable[..., Browser]) -> None:
    first, second = sign_in(name="Mori Haruka"), sign_in()
    reference = upload(first, png("olive"))
    assert upload(second, png("olive"), "mine.png") == reference
    words = "uploaded this picture. They and managers can record its rights"
    assert words in second.get(f"/styles/new?reference={reference}").text
    assert words not in first.get(f"/styles/new?reference={reference}").text
    page = second.get(f"/references/{reference}").text
    assert "Mori Haruka" in page
    assert "mine.png" not in page
