"""Quotas on the pages: a refusal keeps the form, low quotas are shown, and everyone sees their own use."""

import html
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from app.models import Role, What
from app.quotas import queries, service
from tests.factory import png
from tests.web.server import Browser, Server, making


def spend_quota(server: Server, browser: Browser, what: What, amount: int) -> None:
    with server.resources.database.write() as session:
        service.take(session, browser.user, "form", {what: amount})


def test_a_refused_set_keeps_its_form(server: Server, designer: Browser) -> None:
    server.resources.database.info["quotas"] = {"pictures": 20}
    with making(server) as make:
        code = make.style(make.user()).code
    assert "more pictures today" not in designer.get("/sets/new").text, "there is enough"
    spend_quota(server, designer, What.PICTURES, 18)
    assert "You can make 2 more pictures today" in designer.get("/sets/new").text
    form = {"style": code, "prompts": "a fox in a hat\na cat\nan owl", "name": "My foxes"}
    answer = designer.post("/sets", data=form)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    for words in (
        "You have made 18 of 20 pictures today, so 2 are left and 3 pictures are too many",
        "in a hat",
        "My fo",
    ):
        assert words in answer.text
    assert designer.post("/sets", data=form | {"prompts": "a fox\na cat"}).status_code == 303
    assert "You have used all of today’s 20 pictures" in html.unescape(designer.get("/sets/new").text)


def test_a_refused_upload_is_reported_to_people_and_scripts(server: Server, designer: Browser) -> None:
    server.resources.database.info["quotas"] = {"uploads": 1}
    for status in (303, 422):
        answer = designer.post("/styles/preview", files={"picture": ("a.png", png(size=(128, 128)), "image/png")})
        assert answer.status_code == status
    assert "You have uploaded 1 of 1 files today; the count resets at midnight" in answer.text
    script = designer.post(
        "/maps",
        data={"kind": "edges", "ready": "1"},
        files={"picture": ("a.png", png("white", (128, 128)), "image/png")},
        headers={"accept": "*/*"},
    )
    assert script.status_code == 429
    assert script.text.startswith("You have uploaded 1 of 1 files today")
    assert int(script.headers["retry-after"]) > 0


@pytest.mark.parametrize("quota", [{"uploads": 1}, {"upload_bytes": 1}, {"storage": 1}])
def test_no_file_stays_of_an_upload_that_a_quota_refuses(
    server: Server, designer: Browser, quota: dict[str, int]
) -> None:
    """Otherwise someone over their quota would fill the disk, uncounted."""
    with making(server) as make:
        reference = make.reference(designer.user)
    spend_quota(server, designer, What.UPLOADS, 1)
    server.resources.database.info["quotas"] = quota
    before = kept(server)
    pictures = [("picture", (f"{shade}.png", png((shade, 9, 9), (256, 256)), "image/png")) for shade in range(3)]
    for path, field, data in (
        ("/styles/preview", "picture", png("red", (128, 128))),
        ("/subjects/pictures", "picture", png("green", (256, 256))),
        ("/maps", "picture", png("white", (128, 128))),
        ("/regions/masks", "mask", png("white", (129, 128))),
        ("/subjects/lora", "file", b"lora sks lamp"),
        (f"/references/{reference.id}/rights/files", "file", b"%PDF-1.7"),
    ):
        form = {"kind": "edges", "ready": "1", "name": "Lamp"}
        answer = designer.post(path, data=form, files={field: ("a.png", data, "image/png")})
        assert answer.status_code in (422, 429, 507), path
        assert kept(server) == before, path
    assert designer.post("/subjects", data={"name": "Mug", "class_words": "mug"}, files=pictures).status_code == 422
    assert kept(server) == before


def kept(server: Server) -> list[Path]:
    return sorted(path for path in server.resources.files.root.rglob("*") if path.is_file())


def test_what_a_picture_takes_on_the_disk_is_held(server: Server, designer: Browser) -> None:
    """A small file can be a large picture; the same one twice is stored once."""
    noise = Image.effect_noise((512, 512), 100).convert("RGB")
    sent = io.BytesIO()
    noise.save(sent, "JPEG", quality=20)
    for path, field in (("/subjects/pictures", "picture"), ("/regions/masks", "mask")) * 2:
        assert designer.post(path, files={field: ("a.jpg", sent.getvalue(), "image/jpeg")}).is_success
    held = sum(path.stat().st_size for path in kept(server) if path.suffix == ".png")
    assert held > 4 * len(sent.getvalue())
    with server.resources.database.read() as session:
        assert queries.uses(session, designer.user)[What.STORAGE].used == held


def test_everybody_sees_their_use_and_administrators_everybodys(
    server: Server, designer: Browser, sign_in: Callable[..., Browser]
) -> None:
    spend_quota(server, designer, What.PICTURES, 1234)
    spend_quota(server, designer, What.STORAGE, 3 * 2**30)
    text = designer.get("/account").text
    assert "1\u202f234 of 5\u202f000" in text
    assert "3 GB of 20 GB" in text
    people = sign_in(Role.ADMIN).get("/people").text
    assert "1\u202f234 pictures today, 3 GB stored" in people
