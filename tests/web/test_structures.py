"""Maps over HTTP: who can fetch them, what is refused, and how a set uses them."""

import json
from typing import Any

import pytest
from PIL import Image as Picture
from PIL import ImageDraw

from app.models import State
from tests.engine.painter import Painter
from tests.factory import encoded
from tests.web.server import Browser, Server
from tests.web.test_sets import form, post_set, wait_for

JSON = {"accept": "application/json"}


def drawing(size: tuple[int, int] = (300, 300)) -> bytes:
    picture = Picture.new("RGB", size, "white")
    ImageDraw.Draw(picture).rectangle((80, 90, 170, 200), fill="navy")
    return encoded(picture)


def upload(browser: Browser, data: bytes | None = None, **values: str) -> Any:
    files = {"picture": ("chair.png", data or drawing(), "image/png")}
    return browser.post("/maps", data={"kind": "edges", "size": "64x64"} | values, files=files, headers=JSON)


@pytest.fixture
def code(server: Server) -> str:
    from tests.web.server import making

    with making(server) as make:
        return make.style().code


def test_a_map_is_made_and_shown(designer: Browser) -> None:
    answer = upload(designer)
    assert answer.status_code == 201
    made = answer.json()
    assert made == {"id": 1, "kind": "edges", "name": "chair.png", "width": 64, "height": 64, "remark": ""}
    for path, kind in ((".png", "image/png"), ("/thumb-320.webp", "image/webp")):
        picture = designer.get(f"/maps/1{path}")
        assert picture.headers["content-type"] == kind
        assert picture.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in picture.headers["content-security-policy"]
        assert picture.headers["cache-control"] == "private, no-cache"


def test_nobody_sees_maps_without_signing_in(anonymous: Browser, designer: Browser) -> None:
    upload(designer)
    for path in ("/maps", "/maps/1.png", "/maps/1/thumb-320.webp"):
        assert anonymous.get(path).status_code in (303, 307, 401)
    assert upload(anonymous).status_code == 401
    assert designer.get("/maps/2.png").status_code == 404
    assert designer.get("/maps/1/thumb-64.webp").status_code == 404


def test_refusals_are_their_sentence(designer: Browser) -> None:
    answer = upload(designer, b"8BPS")
    assert (answer.status_code, answer.text) == (
        422,
        "The file is a Photoshop file. Save it as PNG, JPEG, WebP, HEIC, AVIF, TIFF, GIF or BMP, then upload that.",
    )
    assert upload(designer, kind="pose").text == "A map shows edges, silhouette, depth; 'pose' was given."
    assert designer.post("/maps", data={"kind": "edges"}, headers=JSON).text == "Choose a picture first."
    even = encoded(Picture.new("RGB", (200, 200), "teal"))
    assert upload(designer, even, kind="silhouette").text.startswith("No subject stands out")


def test_a_large_upload_is_allowed_and_a_larger_one_is_not(designer: Browser, server: Server) -> None:
    most = server.resources.settings.upload_bytes
    assert upload(designer, b"\x89PNG" + b"0" * (5 * 2**20)).status_code == 422  # accepted, then found to be no picture
    assert upload(designer, b"0" * (most + 2**17)).status_code == 413


def test_another_site_cannot_send_maps(designer: Browser) -> None:
    designer.headers["sec-fetch-site"] = "cross-site"
    assert upload(designer).status_code == 403


def test_a_ready_photo_is_remarked_on(designer: Browser) -> None:
    assert "is in colour" in upload(designer, ready="1").json()["remark"]


def test_a_half_typed_size_is_the_models_own(designer: Browser) -> None:
    for size in ("", "own", "64x", "9999999999999999x3"):
        assert upload(designer, size=size).json()["width"] == 256


def test_a_map_is_cropped(designer: Browser) -> None:
    wide = upload(designer, drawing((600, 300))).json()
    assert (wide["width"], wide["height"]) == (128, 64)
    part = designer.post(f"/maps/{wide['id']}/crop", data={"size": "64x64"}, headers=JSON).json()
    assert (part["width"], part["height"]) == (64, 64)
    assert part["id"] != wide["id"]


def test_the_library_shows_a_kinds_newest(designer: Browser) -> None:
    assert "No edges maps yet" in designer.get("/maps?kind=edges").text
    upload(designer)
    upload(designer, kind="silhouette")
    shown = designer.get("/maps?kind=edges").text
    assert "/maps/1/thumb-320.webp" in shown
    assert "/maps/2/" not in shown


def test_a_set_carries_its_structures(server: Server, engine: Painter, designer: Browser, code: str) -> None:
    given = upload(designer).json()["id"]
    asked = json.dumps([{"control": "edges", "maps": [given], "weight": 0.7, "start": 0, "end": 0.8}])
    path = post_set(designer, code, structures=asked)
    wait_for(server, path, State.FINISHED)
    (structure,) = engine.units[0].structures
    assert (structure.control, structure.weight, structure.end) == ("edges", 0.7, 0.8)
    assert structure.maps[0].is_file()
    page = designer.get(path).text
    assert f"/maps/{given}/thumb-320.webp" in page
    assert "weight 0.7" in page
    again = designer.get(f"/sets/new?from={path.rsplit('/', 1)[1]}").text
    assert f"&#34;maps&#34;: [{given}]" in again
    assert "chair.png" in again


def test_a_refused_form_keeps_its_structures(designer: Browser, code: str) -> None:
    given = upload(designer, drawing((600, 300))).json()["id"]
    asked = json.dumps([{"control": "edges", "maps": [given]}])
    answer = designer.post("/sets", data=form(code, structures=asked))
    assert answer.status_code == 422
    assert "crop the map" in answer.text
    assert f"[{given}]" in answer.text
    assert "chair.png" in answer.text


@pytest.mark.parametrize("nonsense", ["{", "[1]", '[{"maps": 3}]', '[{"maps": ["x"]}]', '[{"maps": [[1]]}]', "null"])
def test_a_form_with_nonsense_is_shown_again(designer: Browser, code: str, nonsense: str) -> None:
    answer = designer.post("/sets", data=form(code, structures=nonsense))
    assert answer.status_code == 422
    assert 'id="structures-error"' in answer.text
