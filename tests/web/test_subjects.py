"""The pages of subjects, without a browser's screen."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from app.files import Kind
from app.models import Role, State, Subject, User
from tests.factory import png
from tests.web.server import Browser, Server, making
from tests.web.test_live import messages
from tests.web.test_sets import post_set, wait_until


def pictures(count: int, side: int = 256) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [
        ("picture", (f"{number}.png", png((number * 20, 90, 200), (side, side)), "image/png"))
        for number in range(count)
    ]


def state(server: Server, path: str) -> State:
    with server.resources.database.read() as session:
        return State(session.get_one(Subject, int(path.rpartition("/")[2])).state)


FIELDS = {"name": "Blue mug", "class_words": "mug", "steps": "4", "rank": "4", "rate": "0.001"}


def test_from_pictures_to_a_set_that_shows_it(designer: Browser, server: Server) -> None:
    answer = designer.post("/subjects", data=FIELDS, files=pictures(3))
    assert answer.status_code == 303
    path = answer.headers["location"]
    wait_until(lambda: state(server, path) == State.FINISHED)
    page = designer.get(path).text
    assert "@blue-mug on a beach" in page
    assert "Sample after 2 steps" in page
    assert designer.get(f"{path}/lora.safetensors").content == b"lora sks mug"
    with making(server) as make:
        code = make.style().code
    made = post_set(designer, code, "@blue-mug on a beach")
    assert f'href="{path}"' in designer.get(made).text
    wait_until(lambda: server.resources.engine.units)
    (unit,) = server.resources.engine.units
    assert unit.images[0].prompt == "sks mug on a beach"
    assert [subject.weight for subject in unit.subjects] == [1.0]
    again = designer.get(f"/sets/new?from={made.rpartition('/')[2]}").text
    assert "&#34;weight&#34;: 1.0" in again


def test_pictures_can_come_first_one_by_one(designer: Browser, server: Server) -> None:
    """As the form's script sends them; their names then come with the form."""
    kept = []
    for part in pictures(3):
        answer = designer.post("/subjects/pictures", files=[part])
        assert answer.status_code == 201
        kept.append(answer.json()["sha256"])
        assert designer.get(answer.json()["thumb"]).headers["content-type"] == "image/webp"
    answer = designer.post("/subjects", data=FIELDS | {"kept": kept})
    assert answer.status_code == 303
    wait_until(lambda: state(server, answer.headers["location"]) == State.FINISHED)


def test_others_can_write_while_a_lora_is_checked(
    designer: Browser, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = Event(), Event()

    def slow(data: bytes, file_name: str) -> str:
        begun.set()
        assert go_on.wait(60)
        return "sks lamp"

    monkeypatch.setattr(server.resources.engine, "lora_phrase", slow)
    with ThreadPoolExecutor(1) as pool:
        form = {"data": {"name": "Lamp"}, "files": {"file": ("lamp.safetensors", b"lora sks lamp")}}
        answer = pool.submit(designer.post, "/subjects/lora", **form)
        try:
            assert begun.wait(60)
            with server.resources.database.write() as session:
                session.get_one(User, designer.user.id).name = "Mori Haruka"
        finally:
            go_on.set()
        assert answer.result().status_code == 303
    with server.resources.database.read() as session:
        assert session.get_one(User, designer.user.id).name == "Mori Haruka"


def test_two_pictures_422_and_the_form_keeps_what_was_typed(designer: Browser, server: Server) -> None:
    answer = designer.post("/subjects", data=FIELDS, files=pictures(2))
    assert answer.status_code == 422
    assert "Training needs 3 to 20 pictures; 2 pictures were given." in answer.text
    assert 'value="Blue mug"' in answer.text
    kept = re.findall(r'name="kept" value="([0-9a-f]{64})"', answer.text)
    assert len(kept) == 2
    assert all(server.resources.files.has(Kind.SUBJECTS, name) for name in kept)


def test_a_small_picture_and_no_picture_422(designer: Browser) -> None:
    answer = designer.post("/subjects/pictures", files=pictures(1, 100), headers={"accept": "application/json"})
    assert (answer.status_code, answer.text[:30]) == (422, "A picture is 100 × 100 px; for")
    assert designer.post("/subjects/pictures", data={"a": "b"}).status_code == 422


def test_a_lora_file(designer: Browser, server: Server) -> None:
    file = ("lamp.safetensors", b"lora sks lamp", "application/octet-stream")
    answer = designer.post("/subjects/lora", data={"name": "Lamp"}, files={"file": file})
    assert answer.status_code == 303
    assert "sks lamp" in designer.get(answer.headers["location"]).text
    junk = ("lamp.safetensors", b"junk", "application/octet-stream")
    refused = designer.post("/subjects/lora", data={"name": "Other"}, files={"file": junk})
    assert refused.status_code == 422
    assert "lamp.safetensors is damaged or not a safetensors file." in refused.text
    assert "Choose the LoRA, a .safetensors file." in designer.post("/subjects/lora", data={"name": "X"}).text


def test_events_bring_steps_and_end(designer: Browser, server: Server) -> None:
    engine = server.resources.engine
    engine.pause_at = 3
    path = designer.post("/subjects", data=FIELDS | {"steps": "8"}, files=pictures(3)).headers["location"]
    wait_until(lambda: len(engine.steps) == 3)
    stream = messages(designer, f"{path}/events")
    seen = [next(stream)]
    engine.go_on()
    seen += stream
    assert seen[-1].event == "done"
    html = "".join(message.data for message in seen)
    assert 'id="subject"' in html
    assert "hx-swap-oob" in html
    assert re.search(r"Step <strong class=\"num\">\d of 8</strong>", html)
    assert "loss" in html
    assert "Use in prompts" in seen[-2].data


def test_cancel_resume_archive(designer: Browser, server: Server, sign_in: Callable[..., Browser]) -> None:
    server.resources.engine.pause_at = 2
    with making(server) as make:
        make.style()  # otherwise home is the first-visit page
    path = designer.post("/subjects", data=FIELDS | {"steps": "400"}, files=pictures(3)).headers["location"]
    wait_until(lambda: len(server.resources.engine.steps) == 2)
    assert "Training @blue-mug" in designer.get("/").text
    assert sign_in(Role.REVIEWER).post(f"{path}/cancel").status_code == 403
    assert designer.post(f"{path}/cancel").status_code == 303
    wait_until(lambda: not server.resources.bus.running)
    assert state(server, path) == State.CANCELLED
    assert "Resume training" in designer.get(path).text
    assert designer.post(f"{path}/cancel", follow_redirects=True).status_code == 200, "a second press is a sentence"
    assert designer.post(f"{path}/retry").status_code == 303
    wait_until(lambda: state(server, path) == State.GENERATING)
    designer.post(f"{path}/cancel")
    assert designer.post(f"{path}/archive").status_code == 303
    assert "Archived" in designer.get("/subjects").text
    assert designer.post(f"{path}/unarchive").status_code == 303


def test_an_unknown_handle_in_a_prompt_422(designer: Browser, server: Server) -> None:
    with making(server) as make:
        code = make.style().code
        mug = make.finished_subject()
    answer = designer.post("/sets", data={"style": code, "prompts": "@nobody in a box", "size": "256x256"})
    assert answer.status_code == 422
    assert "There is no subject @nobody" in answer.text
    chosen = json.dumps([{"id": mug.id, "weight": 0.4}])
    answer = designer.post("/sets", data={"style": code, "prompts": "@nobody", "size": "256x256", "subjects": chosen})
    assert 'value="0.4"' in answer.text, "what was chosen stays chosen"


@pytest.mark.parametrize("path", ["/subjects/99", "/subjects/99/events", "/subjects/samples/99/thumb-320.webp"])
def test_what_is_not_there_404(designer: Browser, path: str) -> None:
    assert designer.get(path).status_code == 404


@pytest.mark.parametrize("name", ["f" * 64, "..%2F..%2Fsecret", "x"])
def test_an_unknown_stored_picture_404(designer: Browser, name: str) -> None:
    assert designer.get(f"/subjects/pictures/{name}/thumb-320.webp").status_code == 404
