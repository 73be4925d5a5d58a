import pytest
from starlette.datastructures import Headers

from app.web.csrf import CrossSiteRefusal
from app.web.errors import refusal

PUBLIC = "https://soroe.example.com"


async def nothing(*_: object) -> None:
    raise AssertionError("not called")


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),  # typed into the address bar
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),  # a neighbour's subdomain is not us
        ({"sec-fetch-site": "cross-site", "origin": PUBLIC}, False),
        ({"origin": "http://127.0.0.1:8000"}, True),
        ({"origin": PUBLIC}, True),  # behind a proxy that changes the Host header
        ({"origin": "https://evil.example"}, False),
        ({"origin": "https://soroe.example.com.evil.example"}, False),
        ({"origin": "null"}, False),  # a sandboxed frame
        ({}, True),  # curl
        ({"origin": "http://soroe.example.com"}, False),  # an attacker can write into an unencrypted page
        ({"origin": "http://soroe.example.com", "host": "soroe.example.com"}, False),
        ({"origin": "https://soroe.example.com:443"}, True),
        ({"origin": "https://soroe.example.com:8443"}, False),
        ({"origin": "HTTPS://SOROE.Example.COM"}, True),
        ({"origin": "https://127.0.0.1:8000"}, False),  # not our page: we were called without TLS
        ({"origin": "http://127.0.0.1"}, False),  # another port is another server
        ({"origin": "http://localhost", "host": "localhost:80"}, True),
        ({"origin": "http://[::1]:8000", "host": "[::1]:8000"}, True),
        ({"origin": "http://[::1]:8000", "host": "[::2]:8000"}, False),
        ({"origin": "http://[::1"}, False),
        ({"origin": "http://127.0.0.1:99999"}, False),
        ({"origin": "http://me@127.0.0.1:8000"}, False),
        ({"origin": "file://"}, False),
        ({"origin": ""}, False),
        ({"origin": "http://", "host": ""}, False),
    ],
)
def test_who_may_write(headers: dict[str, str], ours: bool) -> None:
    refusing = CrossSiteRefusal(nothing, public_url=PUBLIC, refuse=refusal)
    assert refusing.ours(scope({"host": "127.0.0.1:8000"} | headers)) is ours


@pytest.mark.parametrize(
    ("scheme", "origin", "ours"),
    [("https", "https://a.example", True), ("https", "http://a.example", False), ("http", "http://a.example", True)],
)
def test_without_a_public_address_the_requests_scheme_counts(scheme: str, origin: str, ours: bool) -> None:
    """As a trusted proxy reports it."""
    refusing = CrossSiteRefusal(nothing, public_url="http://127.0.0.1:8000", refuse=refusal)
    assert refusing.ours(scope({"host": "a.example", "origin": origin}, scheme)) is ours


def scope(headers: dict[str, str], scheme: str = "http") -> dict[str, object]:
    return {"type": "http", "scheme": scheme, "headers": Headers(headers).raw}
