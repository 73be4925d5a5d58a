"""Every request has a number: in its answer, in its lines of the log, and on the page of a fault."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from app.main import create_app
from app.settings import Settings
from tests.engine.painter import Painter
from tests.web.server import Browser, Server, serve

OURS = re.compile(r"[0-9a-f]{12}")


def told(caplog: pytest.LogCaptureFixture, event: str) -> list[Any]:
    """The log's lines of an event, with what is bound to them."""
    return [record.msg for record in caplog.records if isinstance(record.msg, dict) and record.msg["event"] == event]


def counted(route: str, status: str, method: str = "GET") -> float:
    labels = {"method": method, "route": route, "status": status}
    return REGISTRY.get_sample_value("soroe_http_requests_total", labels) or 0.0


@pytest.fixture
def proxied(settings: Settings) -> Iterator[Server]:
    """A server whose proxy is this machine, and whose requests are all slow."""
    changed = settings.model_copy(update={"proxies": "127.0.0.1", "slow_request_seconds": 1e-6})
    with serve(create_app(changed, Painter())) as server:
        yield server


def test_each_answer_has_its_own_number(anonymous: Browser) -> None:
    numbers = [anonymous.get(path).headers["x-request-id"] for path in ("/login", "/nothing", "/static/x/css/base.css")]
    assert all(OURS.fullmatch(number) for number in numbers)
    assert len(set(numbers)) == 3


def test_only_a_proxy_may_choose_it(anonymous: Browser) -> None:
    answer = anonymous.get("/healthz", headers={"x-request-id": "chosen-by-me-1"})
    assert OURS.fullmatch(answer.headers["x-request-id"])


@pytest.mark.parametrize(
    ("given", "taken"),
    [("7f1a.proxy-42", True), ("short", False), ("x" * 65, False), ("a b c d e f", False), ('"><script>', False)],
)
def test_what_a_proxy_may_choose(proxied: Server, given: str, taken: bool) -> None:
    with Browser(proxied.url) as browser:
        answer = browser.get("/healthz", headers={"x-request-id": given})
    assert (answer.headers["x-request-id"] == given) is taken


def test_a_fault_shows_the_number_of_its_lines(
    server: Server, designer: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.web.home.line.listed", lambda *_: 1 / 0)
    before = counted("/", "500")
    answer = designer.get("/")
    number = answer.headers["x-request-id"]
    assert f"Quote this number to your administrator: {number}." in answer.text
    (line,) = told(caplog, "request failed")
    assert (line["request"], line["path"]) == (number, "/")
    assert counted("/", "500") == before + 1


def test_a_slow_request_is_logged_by_its_route_alone(proxied: Server, caplog: pytest.LogCaptureFixture) -> None:
    with Browser(proxied.url) as browser:
        answer = browser.get("/shares/a-secret-token?q=secret")
    slow = told(caplog, "slow request")
    assert [line["request"] for line in slow] == [answer.headers["x-request-id"]]
    assert "secret" not in str(slow)
    assert (slow[0]["method"], slow[0]["status"]) == ("GET", answer.status_code)


def test_lines_of_a_threads_work_have_it_too(
    server: Server, designer: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    """Routes run in threads of a pool."""
    answer = designer.get("/people")
    (refused,) = told(caplog, "access refused")
    assert refused["request"] == answer.headers["x-request-id"]


def test_requests_are_counted_by_their_templates(designer: Browser) -> None:
    """Addresses and methods that nobody has written down add no series."""
    of_sets, of_nothing = counted("/sets/{set_id}", "404"), counted("none", "404")
    for number in range(901, 904):
        designer.get(f"/sets/{number}")
        designer.get(f"/nothing/{number}")
    assert counted("/sets/{set_id}", "404") == of_sets + 3
    assert counted("none", "404") == of_nothing + 3
    before = counted("none", "403", "other") + counted("none", "404", "other")
    designer.request("PATCH", "/nothing")
    assert counted("none", "403", "other") + counted("none", "404", "other") == before + 1
