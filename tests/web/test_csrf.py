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
    ],
)
def test_who_may_write(headers: dict[str, str], ours: bool) -> None:
    refusing = CrossSiteRefusal(nothing, public_url=PUBLIC, refuse=refusal)
    assert refusing.ours(Headers({"host": "127.0.0.1:8000"} | headers)) is ours
