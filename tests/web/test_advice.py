"""Advice on references: on the form of a style after an upload, on the reference's page, and on a page of its own."""

import io
import re
from html import unescape

import pytest
from PIL import Image

from app.quality.advice import ENOUGH
from tests.quality.test_advice import compressed, drawn, framed, painting
from tests.web.server import Browser, Server

PART = {"hx-request": "true"}


def png(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


def upload(designer: Browser, picture: Image.Image, name: str = "ref.png") -> tuple[str, int]:
    """The form with an uploaded picture, and the reference's id."""
    answer = designer.post("/styles/preview", files={"picture": (name, png(picture), "image/png")})
    assert answer.status_code == 303, answer.text
    answer = designer.get(answer.headers["location"])
    found = re.search(r'name="reference_id" value="(\d+)"', answer.text)
    assert found is not None
    return unescape(answer.text), int(found[1])


def test_the_form_says_what_is_wrong_with_an_upload_and_shows_its_colours(designer: Browser) -> None:
    form, _ = upload(designer, framed(compressed(painting(), 15)))
    assert "A border or mockup fills 21 % of it. Crop to the picture inside." in form
    assert "Strongly compressed" in form or "border" in form
    assert len(re.findall(r'<rect width="8" height="8" fill="#[0-9a-f]{6}"', form)) >= 5
    assert 'hx-trigger="load"' not in form.split('id="picture"')[1].split("h-look")[0]


def test_a_good_picture_gets_no_remarks_on_the_form_and_a_plain_word_on_its_page(designer: Browser) -> None:
    form, reference_id = upload(designer, painting())
    assert "Crop to" not in form
    assert 'class="swatches"' in form
    page = designer.get(f"/references/{reference_id}/advice").text
    assert "Nothing speaks against it." in page
    assert "<h1>Is this a good reference?</h1>" in page


def test_a_look_that_the_bundled_model_knows_is_offered_as_style_text(designer: Browser) -> None:
    form, _ = upload(designer, drawn("neon-guitar").resize((512, 512)))
    assert 'The bundled model sees <strong lang="en">neon sign</strong>: a style text that fits.' in form
    form, _ = upload(designer, painting())
    assert "a style text that fits" not in form


def test_nearly_the_same_picture_is_linked(designer: Browser) -> None:
    _, first = upload(designer, painting(), "first <i>.png")
    form, second = upload(designer, painting().resize((600, 600)))
    assert f'Almost the same picture as <a class="link" href="/references/{first}"' in form
    assert "first <i>.png</a>" in form
    part = designer.get(f"/references/{second}/advice", headers=PART).text
    assert "<html" not in part
    assert f"/references/{first}" in part


def test_a_page_asks_for_the_advice_that_is_not_known_yet(server: Server, designer: Browser) -> None:
    _, reference_id = upload(designer, painting())
    server.resources.advisor._known.clear()
    page = designer.get(f"/references/{reference_id}").text
    assert f'hx-get="/references/{reference_id}/advice"' in page
    assert f'<a class="link" href="/references/{reference_id}/advice">' in page, "without scripts"
    assert 'class="swatches"' in designer.get(f"/references/{reference_id}/advice", headers=PART).text
    assert 'class="swatches"' in designer.get(f"/references/{reference_id}").text


def test_a_small_picture_is_told_with_the_size_that_would_do(server: Server, designer: Browser) -> None:
    side = min(server.resources.engine.model.default_size)
    form, _ = upload(designer, painting(side=round(ENOUGH * side) - 8))
    assert f"the model works at {side}. Choose one with at least {round(ENOUGH * side)} px." in form


@pytest.mark.parametrize("address", ["/references/999/advice"])
def test_a_reference_that_is_not_there_is_404(designer: Browser, address: str) -> None:
    assert designer.get(address).status_code == 404
