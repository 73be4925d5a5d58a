"""No hostile form or address causes a server error, and refused requests leave nothing behind.

All routes come from the routers, so that new ones are included, and all field names from the sources.
`SOROE_FUZZ=10000` in the environment tries as many requests of each kind, with other random values at every run.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.fuzz import Answer, World, fields, fields_of, picture, routes

LONG = int(os.environ.get("SOROE_FUZZ", "0"))
EXAMPLES = settings(
    max_examples=LONG or 150,
    derandomize=not LONG,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
POSTS = [path for method, path in routes() if method not in ("GET", "HEAD")]
OWN = {path: fields_of(path) for path in POSTS}
GETS = [path for method, path in routes() if method == "GET"]
WHO = st.sampled_from(["anonymous", "designer", "reviewer", "manager", "admin"])

DEEP = "[" * 5000 + "]" * 5000
TEXTS = [
    *(
        "",
        " ",
        "\x00",
        "a\x00b",
        "\u202e",
        "\ufeff",
        "e\u0301\u0301",
        "🦊",
        "�",
        "a\r\nb",
        "\x1b[31m",
        "\ue000",
        "\U0010ffff",
    ),
    *("<script>alert(1)</script>", "{{ 7 * 7 }}", "%s%n", "' OR 1=1 --", "../../etc/passwd", "//evil.example", "=1+1"),
    *("Spring", "a fox\na teapot", "SOR-2222", "x" * 600, "狐" * 200, "@The admin", "on", "1", "up", "designer"),
    *("approved", "rejected", "withdrawn", "changes requested", "Shape", "edges", "noise", "euler", "original", "webp"),
]
NUMBERS = [
    *("0", "-0", "-1", "1", "2", "999999999", "9223372036854775807", "9223372036854775808", "9" * 400, "9" * 5000),
    *("1e3", "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "0x10", "1_000", "٣", "½", "1.5", ".5", "1,5", "+1"),
]
DATES = [
    "2026-02-30",
    "0000-01-01",
    "9999-12-31",
    "10000-01-01",
    "2026-11-28T00:00:00+99:99",
    "9999-12-31T23:59:59-14:00",
]
JSONS = [
    *(DEEP, '{"a":' * 4000, "[Infinity]", '[{"id":1e999}]', '[{"id":NaN,"weight":NaN}]', '[{"id":' + "9" * 5000 + "}]"),
    *(
        '[{"id":1,"weight":1}]',
        '[{"maps":[1]}]',
        '[{"maps":[[]],"control":"\\ud800"}]',
        '["\\udfff"]',
        "null",
        '"\\ud800"',
    ),
    *('[{"control":"edges","maps":[1],"weight":1,"start":0,"end":1}]', '[{"prompt":"a","box":[0,0,1,1]}]', "[[[[]]]]"),
    *(
        '[{"prompt":"a","mask":"' + "a" * 64 + '"}]',
        '[{"prompt":"\\u0000","box":[1e308,1e308,1e308,1e308]}]',
        "[1,",
        "{}",
    ),
]
VALUES = st.one_of(st.sampled_from([*TEXTS, *NUMBERS, *DATES, *JSONS]), st.text(max_size=40), st.integers().map(str))
CHARSETS = [
    "",
    "utf-8",
    "utf-7",
    "utf-16",
    "unicode_escape",
    "idna",
    "punycode",
    "rot13",
    "zlib_codec",
    "undefined",
    "x" * 99,
]
FILES = [
    b"",
    picture(),
    picture()[:50],
    b"GIF89a" + b"\0" * 40,
    b"\x00" * 100,
    b"\xff\xd8\xff\xe0" + b"\xff" * 50,
    (8).to_bytes(8, "little") + b"[[[[]]]]",  # headers of .safetensors files
    (2).to_bytes(8, "little") + b"{}",
    (2**63).to_bytes(8, "little") + b"{}",
    len(DEEP).to_bytes(8, "little") + DEEP.encode(),
    b'0\x00\x00\x00\x00\x00\x00\x00{"a":{"dtype":"F32","shape":[],"data_offsets":0}}',
]
NAMES = st.one_of(st.sampled_from(fields()), st.sampled_from(["", "\x00", "ids", "x" * 300, "é"]))
HOSTILE_IDS = ["0", "-1", "1", "9" * 30, "x", "\x00", "é", "%00", "..", "1.5", "NaN", "a" * 64, "320", "\ud7ff", "'"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("world"), migrated)
    yield world
    world.close()


def filled(world: World, path: str, draw: Any) -> str:
    """An address of a route, mostly of existing things."""
    parts = path.split("{")
    whole = parts[0]
    for part in parts[1:]:
        name, _, rest = part.partition("}")
        known = [str(value) for value in world.ids.get(name.partition(":")[0], [1])]
        whole += draw(st.sampled_from(known * 4 + HOSTILE_IDS)) + rest
    return whole


def urlencoded(pairs: list[tuple[str, str]]) -> bytes:
    return "&".join(f"{quote_from_bytes(k.encode())}={quote_from_bytes(v.encode())}" for k, v in pairs).encode()


def multipart(pairs: list[tuple[str, str]], files: list[tuple[str, bytes]], end: bytes = b"--x--\r\n") -> bytes:
    parts = [b'name="%s"\r\n\r\n%s' % (name.encode(), value.encode()) for name, value in pairs]
    parts += [b'name="%s"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n%s' % (n.encode(), d) for n, d in files]
    return b"".join(b"--x\r\nContent-Disposition: form-data; %s\r\n" % part for part in parts) + end


@st.composite
def bodies(draw: Any, route: str) -> tuple[str, bytes]:
    """A Content-Type and a body, mostly of fields that the route may read."""
    own = st.sampled_from(OWN[route])
    pairs = draw(st.lists(st.tuples(st.one_of(own, own, own, NAMES), VALUES), max_size=12))
    pairs = [(name, value[:70_000]) for name, value in pairs]
    kind = draw(st.sampled_from(["urlencoded"] * 5 + ["multipart"] * 4 + ["raw", "none"]))
    charset = draw(st.sampled_from([""] * 12 + CHARSETS))
    said = f"; charset={charset}" if charset else ""
    if kind == "urlencoded":
        body = urlencoded(pairs)
        body += draw(
            st.sampled_from([b""] * 12 + [b"&email=%ED%A0%80", b"&" * 100_000, b"&a=\xff", b"&%00=%00", b"&ids=1" * 90])
        )
        return f"application/x-www-form-urlencoded{said}", body
    if kind == "multipart":
        files = draw(
            st.lists(
                st.tuples(st.sampled_from(["picture", "file", "mask", *fields()]), st.sampled_from(FILES)), max_size=2
            )
        )
        end = draw(st.sampled_from([b"--x--\r\n"] * 12 + [b"", b"--x", b"\xff", b"--x\r\n\r\n\r\n--x--\r\n"]))
        return f"multipart/form-data; boundary=x{said}", multipart(pairs, files, b"\r\n" + end).replace(
            b"\r\n--x", b"\r\n--x"
        )
    if kind == "raw":
        return draw(
            st.sampled_from(["application/json", "text/plain", "", "multipart/mixed; boundary=x", "a" * 500])
        ), draw(st.sampled_from([json.dumps(dict(pairs)).encode(), b"\xff" * 50, b""]))
    return "", b""


HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "accept",
            "user-agent",
            "cookie",
            "range",
            "if-none-match",
            "if-modified-since",
            "last-event-id",
            "hx-request",
            "hx-current-url",
            "referer",
            "purpose",
            "x-forwarded-for",
            "accept-language",
            "hx-target",
            "origin",
        ]
    ),
    st.one_of(
        st.sampled_from(
            [
                *(
                    "bytes=0-",
                    "bytes=-1",
                    "bytes=9-1",
                    "bytes=0-0,5-9",
                    "bytes=" + "0-1," * 500,
                    "bytes=99999999999999999999-",
                ),
                *(
                    "*",
                    'W/"a"',
                    "text/html",
                    "true",
                    "1",
                    "-1",
                    "9" * 400,
                    "http://[",
                    "//evil.example",
                    "toast=\x00; once=a",
                ),
                *("toast=%ff%ed%a0%80; size=x; view=\xff", "a=" * 3000, "\xe9", "soroe=\xff", "share=" + "a" * 4000),
            ]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40),
    ),
    max_size=3,
)


def sound(answer: Answer, what: object) -> None:
    """Expect a proper answer: no error of ours, and a sentence for every refusal."""
    assert answer.status, ("no answer", what)
    assert answer.status < 500, (answer.status, answer.body[:300], what)
    if answer.status >= 400 and answer.status != 416:
        assert b"." in answer.body, (answer.status, answer.body[:300], what)


# Earlier findings of fuzzing and manual tests, so that chance need not find them again.
FOUND = [
    ("/login", "multipart/form-data; boundary=x; charset=unicode_escape", multipart([("email", "\\ud800")], [])),
    ("/login", "multipart/form-data; boundary=x; charset=zlib_codec", multipart([("email", "a")], [])),
    ("/login", "application/x-www-form-urlencoded", b"email=%ED%A0%80&password=a"),
    ("/sets", "application/x-www-form-urlencoded", urlencoded([("subjects", '[{"id": Infinity}]')])),
    ("/sets", "application/x-www-form-urlencoded", urlencoded([("subjects", DEEP), ("structures", DEEP)])),
    ("/sets", "application/x-www-form-urlencoded", urlencoded([("regions", '[{"prompt": "\\ud800"}]')])),
    (
        "/sets",
        "application/x-www-form-urlencoded",
        urlencoded([("structures", f'[{{"maps": {list(range(40_000))}}}]')]),
    ),
]


@pytest.mark.parametrize("who", ["anonymous", "designer"])
def test_earlier_findings_stay_fixed(world: World, who: str) -> None:
    for path, kind, body in FOUND:
        assert post(world, path, body, kind, who).status in (303, 400, 401, 413, 422), (path, body[:80])


def test_an_invalid_utf_8_address_leads_to_the_sign_in_page(world: World) -> None:
    answer = world.ask("GET", "/sets", "a=\xff")
    assert answer.status == 303
    assert answer.header("location") == "/login?next=/sets%3Fa%3D%C3%BF"


def test_a_refused_act_with_many_pictures_leaves_nothing(world: World) -> None:
    """Others' pictures cannot be moved, so the target campaign is not created."""
    body = urlencoded([*[("ids", str(number)) for number in world.ids["image_id"]], ("campaign_name", "Autumn")])
    answer = post(world, "/pictures/move", body, "application/x-www-form-urlencoded", "reviewer")
    assert answer.refused
    body = urlencoded([("ids", "1"), ("campaign_name", "Autumn")])
    assert not post(world, "/pictures/move", body, "application/x-www-form-urlencoded", "designer").refused


@EXAMPLES
@given(data=st.data())
def test_no_form_causes_an_error_and_refused_ones_leave_nothing(world: World, data: Any) -> None:
    route = data.draw(st.sampled_from(POSTS))
    path = filled(world, route, data.draw)
    who, (kind, body) = data.draw(WHO), data.draw(bodies(route))
    post(world, path, body, kind, who, data.draw(HEADERS))


def post(world: World, path: str, body: bytes, kind: str, who: str, headers: dict[str, str] | None = None) -> Answer:
    said = {"content-type": kind} if kind else {}
    what = (who, path, kind, body[:300], headers)
    try:
        answer = world.ask(
            "POST", path, body=body, who=who, headers={**(headers or {}), **said, "origin": "http://127.0.0.1:8000"}
        )
        sound(answer, what)
        if answer.refused:
            # What was typed stays as a draft, for forms that say which is theirs.
            ours = {"drafts": world.counts()["drafts"]} if b"draft" in body else {}
            assert world.counts() == world.counts_before | ours, what
        return answer
    finally:
        world.restore()


QUERY = st.lists(st.tuples(NAMES, VALUES), max_size=6).map(
    lambda pairs: urlencoded([(n, v[:3000]) for n, v in pairs]).decode()
)


@EXAMPLES
@given(data=st.data())
def test_no_address_causes_an_error(world: World, data: Any) -> None:
    path = filled(world, data.draw(st.sampled_from(GETS)), data.draw)
    query = data.draw(
        st.one_of(
            QUERY, st.sampled_from(["%ED%A0%80=%ff", "&" * 1000, "a=\xff", "=", "after=&upto=1", "q=" + "a " * 900])
        )
    )
    who, headers = data.draw(WHO), data.draw(HEADERS)
    try:
        sound(world.ask("GET", path, query, who=who, headers=headers), (who, path, query, headers))
    finally:
        world.restore()
