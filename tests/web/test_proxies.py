"""The address of a request: that of the socket, unless a configured proxy says otherwise."""

import asyncio
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import ValidationError

from app.main import create_app
from app.models import Act, AuditEvent, Role
from app.settings import Settings
from app.web.limits.proxies import Proxies
from app.web.limits.tries import network_of
from tests.engine.painter import Painter
from tests.web.server import Browser, Server, make_person, serve

FORGED = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}


def seen(peer: str, *headers: tuple[str, str], believed: str = "127.0.0.1, 10.0.0.0/8, fd00::/8") -> tuple[str, str]:
    """The address and scheme that the app sees for a request from `peer`."""
    found: dict[str, Any] = {}

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        found.update(scope)

    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    scope: Any = {"type": "http", "client": (peer, 4000), "scheme": "http", "headers": raw}
    networks = [ip_network(name.strip()) for name in believed.split(",") if name]
    asyncio.run(Proxies(app, networks)(scope, None, None))  # type: ignore[arg-type]
    return found["client"][0], found["scheme"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the client wrote the left one
        ("127.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.7, 10.0.0.8", "203.0.113.9"),
        ("127.0.0.1", "10.0.0.7", "10.0.0.7"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "garbage, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "203.0.113.9, <script>", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9, unknown, 10.0.0.7", "10.0.0.7"),
        ("127.0.0.1", "203.0.113.9:51000", "203.0.113.9"),
        ("127.0.0.1", "[2001:db8::1]:51000", "2001:db8::1"),
        ("127.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "x" * 60_000 + ", 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "1" * 60_000, "127.0.0.1"),
        ("127.0.0.1", "\xe9\xff, 203.0.113.9", "203.0.113.9"),
        ("::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("fd00::1", "203.0.113.9", "203.0.113.9"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),  # not a proxy of ours
        ("/run/soroe.sock", "203.0.113.9", "/run/soroe.sock"),
    ],
)
def test_the_right_most_address_other_than_a_proxy_is_the_clients(peer: str, forwarded: str, client: str) -> None:
    assert seen(peer, ("x-forwarded-for", forwarded))[0] == client


def test_several_headers_are_one_list() -> None:
    headers = [("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "203.0.113.9, 10.0.0.7")]
    assert seen("127.0.0.1", *headers)[0] == "203.0.113.9"


def test_the_scheme_is_believed_of_a_proxy_only() -> None:
    assert seen("127.0.0.1", ("x-forwarded-proto", "https"))[1] == "https"
    assert seen("127.0.0.1", ("x-forwarded-proto", "https, HTTP"))[1] == "http"
    assert seen("127.0.0.1", ("x-forwarded-proto", "javascript"))[1] == "http"
    assert seen("192.0.2.1", ("x-forwarded-proto", "https"))[1] == "http"
    assert seen("127.0.0.1", ("x-forwarded-proto", "https"), believed="")[1] == "http"


def test_what_counts_as_one_address() -> None:
    assert network_of("203.0.113.9") == "203.0.113.9"
    assert network_of("2001:db8:1:2::3") == network_of("2001:db8:1:2:ffff::9") != network_of("2001:db8:1:3::3")
    assert network_of("::ffff:203.0.113.9") == "203.0.113.9"
    assert len(network_of("x" * 10_000)) <= 45


def test_the_setting_names_addresses_and_networks() -> None:
    assert Settings(_env_file=None).proxy_networks == ()
    with pytest.raises(ValidationError, match="'proxy' is neither"):
        Settings(_env_file=None, proxies="127.0.0.1, proxy")


def refused_from(server: Server, browser: Browser, headers: dict[str, str]) -> str:
    """The address in the audit log of a refused sign-in."""
    person = make_person(server, Role.DESIGNER)
    browser.post("/login", data={"email": person.email, "password": "wrong"}, headers=headers)
    while True:
        browser.get("/healthz")
        with server.resources.database.read() as session:
            if event := session.query(AuditEvent).filter_by(act=Act.SIGN_IN_REFUSED, subject_id=person.id).first():
                assert len(event.details["browser"]) <= 120
                return str(event.details["address"])


def test_no_proxy_is_trusted_by_default(server: Server, anonymous: Browser) -> None:
    assert refused_from(server, anonymous, FORGED | {"user-agent": "x" * 5000}) == "127.0.0.1"


@pytest.fixture
def behind_a_proxy(settings: Settings) -> Iterator[Server]:
    with serve(create_app(settings.model_copy(update={"proxies": "127.0.0.1"}), Painter())) as server:
        yield server


def test_a_configured_proxy_is_trusted(behind_a_proxy: Server) -> None:
    with Browser(behind_a_proxy.url) as browser:
        assert refused_from(behind_a_proxy, browser, FORGED) == "203.0.113.9"
        assert behind_a_proxy.door.is_proxy("127.0.0.1"), "all people come from there"
