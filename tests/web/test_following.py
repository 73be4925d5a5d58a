"""Several single streams over one connection."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from app.models import ImageSet, Role
from tests.web.server import Browser, Server, making
from tests.web.test_live import Message, messages

Follow = Callable[..., Iterator[Message]]


@pytest.fixture
def follow() -> Iterator[Follow]:
    with ExitStack() as stack:

        def follow(browser: Browser, *addresses: str, **query: str) -> Iterator[Message]:
            asked = str(
                browser.build_request("GET", "/events", params={"of": addresses, **query}).url.raw_path, "ascii"
            )
            stream = messages(browser, asked)
            stack.callback(stream.close)
            return stream

        yield follow


@pytest.fixture
def sets(server: Server, designer: Browser) -> list[int]:
    with making(server) as make:
        return [make.finished_set(designer.user).id for _ in range(2)]


def decide(server: Server, set_id: int) -> None:
    with making(server) as make:
        make.decide(make.session.get_one(ImageSet, set_id).images[0])


def approved(stream: Iterator[Message]) -> str:
    """The place of the address whose picture is approved next."""
    return next(each for each in stream if 'data-decision="approved"' in each.data).id.partition(":")[0]


def test_each_message_names_its_address(server: Server, designer: Browser, sets: list[int], follow: Follow) -> None:
    after = server.resources.bus.cursor()
    first, second = sets
    stream = follow(designer, f"/sets/{first}/events?after={after}", f"/sets/{second}/events?after={after}&show=")
    decide(server, second)
    assert approved(stream) == "1"
    decide(server, first)
    assert approved(stream) == "0", "it continues after a set is done"


def test_options_of_another_stream_mean_nothing(
    server: Server, designer: Browser, sets: list[int], follow: Follow
) -> None:
    stream = follow(designer, f"/sets/{sets[0]}/news?after=1&first=1&show=all")
    decide(server, sets[0])
    assert next(stream).event == "news"


def test_what_is_not_there_is_said_and_costs_the_others_nothing(
    server: Server, designer: Browser, sets: list[int], follow: Follow
) -> None:
    for address in ("/sets/99/events", "/nothing", "/people", "/sets/1/events/more", "//[", ""):
        heard = [*follow(designer, address)]
        assert [(each.event, each.id) for each in heard] == [("gone", "0:")], address
    assert any(each.id == "1:" for each in follow(designer, f"/sets/{sets[0]}/events", "/sets/99/news"))


def test_it_is_for_one_person_only(sign_in: Callable[..., Browser], sets: list[int]) -> None:
    person, other = sign_in(Role.REVIEWER), sign_in(Role.REVIEWER)
    of = f"/sets/{sets[0]}/events"
    headers = {"accept": "text/event-stream"}
    with person.stream("GET", "/events", params={"of": of, "for": str(person.user.id)}, headers=headers) as answer:
        assert answer.status_code == 200
    assert other.get("/events", params={"of": of, "for": str(person.user.id)}, headers=headers).status_code == 401


def test_signing_out_ends_it_at_once(designer: Browser, sets: list[int], follow: Follow) -> None:
    stream = follow(designer, *(f"/sets/{number}/news" for number in sets))
    assert {next(stream).id[:2] for _ in sets} == {"0:", "1:"}
    with Browser(str(designer.base_url)) as another:
        another.cookies = designer.cookies
        another.post("/logout")
    assert [*stream] == []
