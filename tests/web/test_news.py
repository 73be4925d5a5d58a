"""An open review room hears what others do, and reloads itself."""

import re
import threading
from collections.abc import Callable
from html import unescape
from itertools import islice

import pytest

from app.accounts import service as accounts
from app.models import Act, AuditEvent, Image, Role, now
from app.reviews import service
from app.sets.queries import topic
from app.sets.stack import restack
from tests.web.server import Browser, Server, making
from tests.web.test_live import Message, messages
from tests.web.test_sets import wait_until


@pytest.fixture
def image_ids(server: Server) -> list[int]:
    with making(server) as make:
        return [image.id for image in make.finished_set(prompts="a fox\na teapot").images]


@pytest.fixture
def reviewer(sign_in: Callable[..., Browser], image_ids: list[int]) -> Browser:
    return sign_in(Role.REVIEWER, "佐藤 美咲")


@pytest.fixture
def ito(sign_in: Callable[..., Browser]) -> Browser:
    return sign_in(Role.MANAGER, "Ito Kenji")


def known(page: str) -> str:
    found = re.search(r'data-set="1" data-known="(\d+)"', page)
    assert found is not None
    return found[1]


def heard(server: Server, browser: Browser, act: Callable[[], object]) -> list[Message]:
    """What a newly opened room hears first when someone acts; nothing if its stream ends."""
    stream = messages(browser, f"/sets/1/news?after={known(browser.get('/review?image=1').text)}")
    first: list[Message] = []
    listening = threading.Thread(target=lambda: first.extend(islice(stream, 1)))
    listening.start()
    wait_until(lambda: topic(1) in server.resources.bus._topics and server.resources.bus._topics[topic(1)].watchers > 0)
    act()
    listening.join(10)
    assert not listening.is_alive(), "nothing was heard"
    stream.close()
    return first


def told(browser: Browser, after: str, image_id: int = 1) -> str:
    """The sentences that an open room gets."""
    page = browser.get(f"/review?set=1&image={image_id}&known={after}").text
    found = re.search(r'<template id="news">(.*?)</template>', page, re.DOTALL)
    return " ".join(unescape(re.sub("<[^>]*>", "", found[1])).split()) if found else ""


ACTS = {
    "decides": ("/images/1/decision", {"verdict": "approved"}, "approved this picture."),
    "comments": ("/images/1/comments", {"body": "The ear"}, "commented on this picture."),
    "replies": ("/threads/1/replies", {"body": "Gone"}, "commented on this picture."),
    "resolves": ("/threads/1/resolve", {}, "resolved a comment on this picture."),
    "locks": ("/sets/1/lock", {}, "locked the decisions of this set."),
}


@pytest.mark.parametrize("does", ACTS)
def test_watchers_hear_about_others_decisions(does: str, server: Server, reviewer: Browser, ito: Browser) -> None:
    with server.resources.database.write() as session:
        service.comment(session, reviewer.user, 1, "The first word")
    before = known(reviewer.get("/review?image=1").text)
    path, data, sentence = ACTS[does]
    (message,) = heard(server, reviewer, lambda: ito.post(path, data=data))
    assert (message.event, message.id) == ("news", known(reviewer.get("/review?image=1").text))
    assert told(reviewer, before) == f"Ito Kenji {sentence}"
    assert told(reviewer, message.id) == "", "once"


def test_withdrawals_and_unlocking_too(server: Server, reviewer: Browser, ito: Browser) -> None:
    ito.post("/images/1/decision", data={"verdict": "approved"})
    ito.post("/sets/1/lock")
    before = known(reviewer.get("/review?image=1").text)
    assert heard(server, reviewer, lambda: ito.post("/sets/1/unlock"))
    assert heard(server, reviewer, lambda: ito.post("/decisions/1/withdraw"))
    assert told(reviewer, before) == (
        "Ito Kenji unlocked the decisions of this set. Ito Kenji withdrew the decision on this picture."
    )


def test_own_acts_are_not_news(server: Server, reviewer: Browser, ito: Browser) -> None:
    def act() -> None:
        reviewer.post("/images/1/decision", data={"verdict": "approved"})
        ito.post("/images/2/comments", data={"body": "The handle"})

    (message,) = heard(server, reviewer, act)
    with server.resources.database.read() as session:
        assert session.get_one(AuditEvent, int(message.id)).act == Act.COMMENT


def test_missed_events_arrive_even_after_a_restart(reviewer: Browser, ito: Browser) -> None:
    before = known(reviewer.get("/review?image=1").text)
    ito.post("/images/1/comments", data={"body": "The ear"})
    for stream in (
        messages(reviewer, f"/sets/1/news?after={before}"),
        messages(reviewer, "/sets/1/news?after=0", **{"last-event-id": before}),
    ):
        assert next(stream).event == "news"
        stream.close()
    assert next(messages(reviewer, "/sets/1/news?after=what")).event == "news", "without a known number, reload"


def test_signing_out_ends_it(server: Server, reviewer: Browser, ito: Browser) -> None:
    def act() -> None:
        with server.resources.database.write() as session:
            accounts.sign_out(session, reviewer.cookies["soroe"])
        ito.post("/images/1/comments", data={"body": "Not for you"})

    assert heard(server, reviewer, act) == []


def test_nothing_to_hear(reviewer: Browser, anonymous: Browser) -> None:
    assert reviewer.get("/sets/99/news").status_code == 404
    assert anonymous.get("/sets/1/news").headers["location"].startswith("/login")


def test_an_open_room_still_reports_on_a_deleted_picture(server: Server, reviewer: Browser, ito: Browser) -> None:
    before = known(reviewer.get("/review?set=1&image=1").text)
    ito.post("/pictures/delete", data={"ids": "1", "query": "set=1"})
    assert reviewer.get("/review?set=1&image=1").status_code == 404
    assert told(reviewer, before) == "Ito Kenji deleted this picture."
    dock = reviewer.get(f"/review?set=1&image=1&known={before}").text.split('id="room-dock"')[1]
    assert "This picture was deleted" in dock
    assert 'id="decide"' not in dock
    assert 'href="/review?set=1&amp;image=2"' in dock, "the next one that waits"


def test_the_version_shown_instead_of_a_deleted_one_is_reported(
    server: Server, reviewer: Browser, ito: Browser
) -> None:
    with server.resources.database.write() as session:
        first, second = session.get_one(Image, 1), session.get_one(Image, 2)
        second.position, second.version = first.position, 2
        second.deleted_at, second.shown = now(), False
        restack(session, 1, first.position)
    dock = reviewer.get("/review?set=1&image=2&known=0").text.split('id="room-dock"')[1]
    assert re.search(r'id="instead"\s+href="/review\?set=1&amp;image=1"', dock)
