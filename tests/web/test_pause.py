"""What people see while the server cannot save: administrators on every page, others where they wait."""

import errno
from collections.abc import Callable, Iterator

import pytest

from app.engine.base import EngineState
from app.models import Role
from tests.engine.painter import Painter
from tests.web.server import Browser, Server, making

BANNER = "Generation is paused: the disk is full. It resumes by itself when space is free."
NOTE = "Paused: the disk is full on the server. Nothing is lost, and work resumes by itself when space is free."


@pytest.fixture
def full(server: Server) -> Iterator[None]:
    """The disk is full until the end of the test, as a writer reports it."""
    storage = server.resources.storage
    with storage.holding():
        storage.refusal(OSError(errno.ENOSPC, "No space left on device"))
        yield
    assert storage.check() is None


def test_administrators_see_it_on_every_page_and_while_one_is_open(
    server: Server, sign_in: Callable[..., Browser], full: None
) -> None:
    with making(server) as make:
        image_set = make.finished_set(prompts="a fox")
        image_id = image_set.images[0].id
    admin, designer = sign_in(Role.ADMIN), sign_in(Role.DESIGNER)
    for path in ("/", "/sets", f"/sets/{image_set.id}", f"/review?image={image_id}", "/people", "/no-such-page"):
        assert BANNER in admin.get(path).text, path
        assert BANNER not in designer.get(path).text, path
    assert BANNER in admin.get("/warnings").text


def test_people_see_on_their_own_work_that_it_waits_and_for_what(
    server: Server, sign_in: Callable[..., Browser], full: None
) -> None:
    designer = sign_in(Role.DESIGNER)
    with making(server) as make:
        waiting, done = make.image_set(prompts="a fox"), make.finished_set(prompts="an owl")
        subject = make.subject()
    assert NOTE in designer.get(f"/sets/{waiting.id}").text
    assert "</svg>Paused</span>" in designer.get(f"/sets/{waiting.id}").text.replace("\n", "").replace("  ", "")
    assert NOTE not in designer.get(f"/sets/{done.id}").text
    assert NOTE in designer.get("/").text
    assert NOTE in designer.get(f"/subjects/{subject.id}").text


def test_the_restart_of_the_engine_is_shown_where_work_waits(
    server: Server, sign_in: Callable[..., Browser], engine: Painter
) -> None:
    admin, designer = sign_in(Role.ADMIN), sign_in(Role.DESIGNER)
    engine.state = EngineState.RESTARTING
    with making(server) as make:
        waiting, subject = make.image_set(prompts="a fox"), make.subject()
    note = "Paused: the engine is restarting on the server. Nothing is lost, and work resumes by itself"
    for path in (f"/sets/{waiting.id}", "/", f"/subjects/{subject.id}"):
        assert note in designer.get(path).text, path
    assert "Generation is paused: the engine is restarting." in admin.get("/warnings").text
    assert "1 generating" not in designer.get(f"/sets/{waiting.id}").text
    with designer.stream("GET", f"/sets/{waiting.id}/events") as answer:
        lines = answer.iter_lines()
        engine.state = EngineState.READY
        assert any('data-state="finished"' in line for line in lines), "an open page hears that it is ready"
    assert "restarting" not in designer.get(f"/sets/{waiting.id}").text


def test_a_fault_of_the_engine_is_shown_where_work_waits(
    server: Server, sign_in: Callable[..., Browser], engine: Painter
) -> None:
    engine.broken = True
    admin, designer = sign_in(Role.ADMIN), sign_in(Role.DESIGNER)
    server.resources.breaker.open("out of memory")
    with making(server) as make:
        waiting = make.image_set(prompts="a fox")
    why = "the engine fails again and again (out of memory)"
    assert f"Paused: {why} on the server." in designer.get(f"/sets/{waiting.id}").text
    banner = f"Generation is paused: {why}. It resumes by itself when a trial picture succeeds."
    assert banner in admin.get("/people").text
    parts = admin.get("/readyz").json()["parts"]
    assert parts["engine"] == "The engine fails again and again: out of memory."
    engine.broken = False
    with designer.stream("GET", f"/sets/{waiting.id}/events") as answer:
        assert any('data-state="finished"' in line for line in answer.iter_lines()), "the trial ended the pause"
    assert why not in admin.get("/").text


def test_nothing_is_shown_otherwise(server: Server, sign_in: Callable[..., Browser]) -> None:
    assert "is paused" not in sign_in(Role.ADMIN).get("/").text
