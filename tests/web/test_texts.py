"""No text takes the server long.

Every field, parameter, header, cookie and file name of every route is sent hostile texts of the largest size that it
takes, and the processor time is measured. The routes come from the app, and a route's fields from what it reads, so new
ones are included. The app is called in this process without a socket, so that only its own work is measured.
"""

import gc
import inspect
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from time import process_time
from types import FrameType
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from starlette.datastructures import ImmutableMultiDict, QueryParams

from app import slow
from app.accounts import service as accounts
from app.accounts.hashing import passwords
from app.accounts.passwords import _dummy_hash
from app.gallery.search import PictureFilter
from app.main import PAGES, create_app
from app.models import Role, User
from app.settings import Settings
from app.web.forms.fields import FIELD_LENGTH, LENGTHS
from app.web.limits.head import HEADER_BYTES, PATH_BYTES, QUERY_BYTES
from app.web.limits.tries import Tries
from tests import clock
from tests.engine.painter import Painter
from tests.factory import Factory
from tests.web.world import files_of, form_of

MOST = 0.05  # s of processor time, more than a plain text takes
PER_BYTE = 30e-9  # s more for each byte of a body, which is read, decoded and looked through once
HOSTILE = {
    "marks": "\u0301",  # Python sorts them in quadratic time
    "hidden signs": "\u202e\ufdfa",  # and one that becomes 18 letters in a compatibility form
    "lines": " \n",
    "commas": ",1",
    "mentions": "@a-",
    "quotes": '"{%[',
}
# What a route may need to read before the tested field.
PLAIN = {
    "email": "somebody@example.com",
    "prompts": "a fox",
    "role": "designer",
    "verdict": "approved",
    "kind": "edges",
    "size": "256x256",
    "format": "png",
    "seed": "own",
}
HEADERS = sorted(
    {
        name.lower()
        for file in (Path(__file__).parents[2] / "app" / "web").rglob("*.py")
        for name in re.findall(r'headers\.get(?:list)?\(\s*"([A-Za-z-]+)"', file.read_text())
    }
    | {"user-agent", "accept", "accept-language", "if-none-match", "cookie", "host"}
)
FIELDS = {  # of some routes, to check that they are found
    "POST /login": {"email", "password", "next"},
    "POST /sets": {"prompts", "campaign", "negative_prompt", "regions", "structures", "subjects"},
    "GET /pictures": {"q", "tag", "style"},
    "POST /images/{image_id}/comments": {"body", "x", "y"},
    "POST /references/{reference_id}/rights": {"owned_by", "licence", "note"},
}
ANYTHING = "anything"
FILTERS = {*PictureFilter.__dataclass_fields__, "order"} - {"measure", "oldest"}  # as an address names them
COOKIES = ("soroe", "known", "share", "once", "toast", "theme", "view")


class Free(Tries):
    def count(self, act: str, address: str, account: object = "", known: str = "") -> None:
        """There are thousands here."""


class Caller:
    """Calls the app without a socket, as an administrator. All calls share a loop with its threads, as on a server."""

    def __init__(self, app: FastAPI, user: User, loop: BlockingPortal) -> None:
        self.app, self.user, self.token = app, user, ""
        self.loop = loop
        self._usual: dict[str, float] = {}

    def sign_in(self) -> None:
        """Repeatedly: some routes end a session."""
        with self.app.state.resources.database.write() as session:
            self.token = accounts.start_session(session, self.user)

    def call(
        self, method: str, path: str, query: bytes = b"", body: bytes = b"", headers: Iterable[tuple[str, bytes]] = ()
    ) -> tuple[int, float]:
        """The status of the answer, and the processor seconds it took."""
        sent = {
            "cookie": f"soroe={self.token}".encode(),
            "content-type": b"application/x-www-form-urlencoded",
            "accept": b"text/html",
            "sec-fetch-site": b"same-origin",
            **dict(headers),
        }
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": quote(path).encode(),
            "query_string": query,
            "headers": [(name.encode(), value) for name, value in sent.items()],
            "client": ("192.0.2.1", 4000),
            "server": ("127.0.0.1", 8000),
            "root_path": "",
        }
        began = process_time()
        status = self.loop.call(self._answer, scope, body)
        return status, process_time() - began

    def usual(self, plain: dict[str, Any]) -> float:
        """The processor seconds of a request with plain texts, once measured."""
        key = repr(plain)
        if key not in self._usual:
            self._usual[key] = min(self.call(**plain)[1] for _ in range(2))
        return self._usual[key]

    async def _answer(self, scope: Any, body: bytes) -> int:
        chunks = [body[start : start + 2**16] for start in range(0, len(body), 2**16)] or [b""]
        status = 0

        async def receive() -> dict[str, Any]:
            if not chunks:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

        async def send(message: Any) -> None:
            nonlocal status
            status = status or message.get("status", 0)
            if any(value.startswith(b"text/event-stream") for _, value in message.get("headers", ())):
                raise OSError("nobody listens to a stream here")

        with suppress(OSError, ExceptionGroup):
            await self.app(scope, receive, send)
        return status


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Caller]:
    usual, quick = passwords._hashes, PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),))
    passwords._hashes = quick  # the texts before a hash are measured, not the hash, which is slow by design
    _dummy_hash.cache_clear()
    settings = Settings(data=tmp_path_factory.mktemp("texts"))
    shutil.copy(migrated, settings.data)
    app = create_app(settings, Painter())
    app.state.resources = resources = replace(app.state.resources, tries=Free())
    resources.database.info["quotas"] = {}
    with slow.permitted(), resources.database.write() as session:
        make = Factory(session, resources.files)
        image_set = make.finished_set(make.user())
        make.decide(image_set.images[0])
        PLAIN["style"] = image_set.style_version.style.code
        admin = make.user(Role.ADMIN, password_hash=quick.hash("a password"))
    with start_blocking_portal() as loop:
        caller = Caller(app, admin, loop)
        caller.sign_in()
        loop.call(resources.engine.start)
        # First-time reading, compiling and warming up must not count.
        for path in ("/", "/login", "/sets/new", "/pictures", "/sets/1", "/account"):
            caller.call("GET", path)
        gc.collect()
        gc.freeze()
        yield caller
        gc.unfreeze()
    passwords._hashes = usual
    _dummy_hash.cache_clear()
    resources.database.close()


@dataclass
class Asked:
    """The names that a route looks for in addresses, and in forms."""

    query: set[str] = field(default_factory=set)
    form: set[str] = field(default_factory=set)

    def note(self, sent: object, *names: object) -> None:
        found = {str(name) for name in names if re.fullmatch("[a-z_-]+", str(name))}
        (self.query if isinstance(sent, QueryParams) else self.form).update(found)


def asks(frame: FrameType | None) -> bool:
    """Whether a module of pages called the function of this frame, other than the one that reads every form."""
    file = frame.f_back.f_code.co_filename if frame and frame.f_back else ""
    return "/app/web/" in file and not file.endswith("body.py")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The names requested from now on. Who takes every field also takes one that no page has."""
    asked = Asked()

    def noting(method: str) -> None:
        original = getattr(ImmutableMultiDict, method, None) or getattr(dict, method)

        def noted(self: Any, key: Any, *more: Any) -> Any:
            asked.note(self, key)
            return original(self, key, *more)

        monkeypatch.setattr(ImmutableMultiDict, method, noted)

    for method in ("__getitem__", "__contains__", "getlist"):
        noting(method)
    everything, of_pairs = ImmutableMultiDict.multi_items, PictureFilter.of_pairs

    def all_items(self: Any) -> Any:
        if asks(inspect.currentframe()):
            asked.note(self, ANYTHING)
        return everything(self)

    def of_all_items(pairs: Iterable[tuple[str, str]]) -> PictureFilter:
        if asks(inspect.currentframe()):
            asked.query |= FILTERS
        return of_pairs(pairs)

    monkeypatch.setattr(ImmutableMultiDict, "multi_items", all_items)
    monkeypatch.setattr(PictureFilter, "of_pairs", of_all_items)
    return asked


def routes() -> list[tuple[str, APIRoute]]:
    found = [route for module in PAGES for route in module.router.routes if isinstance(route, APIRoute)]
    return [(sorted(route.methods - {"HEAD"})[0], route) for route in found if route.path != "/logout"]


def plain_path(route: APIRoute) -> str:
    return re.sub(r"{(\w+)}", lambda found: PLAIN["style"] if found[1] == "code" else "1", route.path)


def hostile(unit: str, length: int) -> str:
    return ("x" + unit * (length // len(unit)))[:length]


@cache
def whole(unit: str, length: int) -> bytes:
    """A text as a form sends it."""
    return quote_plus(hostile(unit, length)).encode()


@cache
def within(unit: str, size: int) -> bytes:
    """As much of a percent-encoded text as fits into `size` bytes."""
    return quote(hostile(unit, size)).encode()[: size - 3].rpartition(b"%")[0] or hostile(unit, size - 3).encode()


def check(caller: Caller, what: str, arguments: dict[str, Any], plain: dict[str, Any]) -> str | None:
    """What took too long, in a sentence: the best of three, because other programs run here too."""
    most = MOST + PER_BYTE * len(arguments.get("body", b""))
    times = []
    usual = 0.0
    for _ in range(3):
        status, seconds = caller.call(**arguments)
        if status == 500:
            return f"{what}: a fault of ours"
        times.append(seconds)
        if seconds >= most:
            usual = usual or caller.usual(plain)  # a hash takes long by design, and so do long pages
        if seconds - usual < most:
            return None
    longer = min(times) - min(caller.call(**plain)[1] for _ in range(2))
    return f"{what}: {1000 * longer:.0f} ms" if clock.exceeds(longer, most) else None


def told(found: Iterable[str | None]) -> list[str]:
    return [sentence for sentence in found if sentence]


@pytest.mark.parametrize(("method", "route"), routes(), ids=lambda value: getattr(value, "path", None))
def test_no_field_or_parameter_takes_long(caller: Caller, asked: set[str], method: str, route: APIRoute) -> None:
    caller.sign_in()
    path = plain_path(route)
    post = method == "POST"

    def request(values: dict[str, str], form: bytes = b"", query: bytes = b"") -> dict[str, Any]:
        sent = urlencode(values).encode()
        return {"method": method, "path": path} | (
            {"body": sent + form, "query": query} if post else {"query": sent + query}
        )

    fields: set[str] = set()
    while True:
        caller.call(**request({name: PLAIN.get(name, "1") for name in fields}))
        found = (asked.form if post else asked.form | asked.query) - fields
        if not found:
            break
        fields |= found
    assert fields >= FIELDS.get(f"{method} {route.path}", set()), "this test does not see what the route asks for"

    def trying() -> Iterator[str | None]:
        plain = {name: PLAIN.get(name, "1") for name in fields}
        for name in sorted(fields):
            others = plain if not post else {other: value for other, value in plain.items() if other != name}
            for kind, unit in HOSTILE.items():
                text = whole(unit, LENGTHS.get(name, FIELD_LENGTH)) if post else within(unit, QUERY_BYTES // 2)
                pair = b"&" + name.encode() + b"=" + text
                arguments = request(others, form=pair) if post else request(others, query=pair)
                yield check(caller, f"{name} of {kind}", arguments, request(plain))
        for name in sorted(asked.query - fields):
            for kind, unit in HOSTILE.items():
                pair = name.encode() + b"=" + within(unit, QUERY_BYTES // 2)
                arguments = request(plain, query=pair)
                yield check(caller, f"{name} of {kind}", arguments, request(plain, query=name.encode() + b"=1"))

    assert told(trying()) == []


def test_no_path_takes_long(caller: Caller) -> None:
    caller.sign_in()

    def trying() -> Iterator[str | None]:
        for method, route in routes():
            for kind in ("marks", "quotes"):
                text = hostile(HOSTILE[kind], (PATH_BYTES - 200) // len(quote(HOSTILE[kind])) * len(HOSTILE[kind]))
                path = re.sub(r"{\w+}", lambda _, text=text: text, route.path)  # type: ignore[misc]
                arguments = {"method": method, "path": path}
                yield check(caller, f"{route.path} of {kind}", arguments, {"method": method, "path": plain_path(route)})

    assert told(trying()) == []


@pytest.mark.parametrize("path", ["/login", "/sets/1/events", "/exports/1/download.zip"])
def test_no_header_or_cookie_takes_long(caller: Caller, path: str) -> None:
    caller.sign_in()
    plain = {"method": "GET", "path": path}

    def trying() -> Iterator[str | None]:
        for name in HEADERS:
            for kind in ("marks", "quotes"):
                value = hostile(HOSTILE[kind], HEADER_BYTES).encode()[: HEADER_BYTES - 100]
                yield check(caller, f"{name} of {kind}", plain | {"headers": [(name, value)]}, plain)
        for name in COOKIES:
            for kind in ("marks", "hidden signs"):
                unit = HOSTILE[kind]
                value = quote(hostile(unit, HEADER_BYTES // 12)).encode()
                cookie = f"soroe={caller.token}; {name}=".encode() + value
                yield check(caller, f"the cookie {name} of {kind}", plain | {"headers": [("cookie", cookie)]}, plain)

    assert told(trying()) == []


def test_no_file_name_takes_long(caller: Caller) -> None:
    caller.sign_in()
    headers = [("content-type", b"multipart/form-data; boundary=x")]

    def body(field: str, name: bytes) -> bytes:
        head = f'--x\r\nContent-Disposition: form-data; name="{field}"; filename="'.encode()
        return head + name + b'"\r\n\r\nno picture\r\n--x--\r\n'

    def trying() -> Iterator[str | None]:
        for method, route in routes():
            form = form_of(route)
            for sent in files_of(form) if form else ():
                plain = {"method": method, "path": plain_path(route), "headers": headers, "body": body(sent, b"a.png")}
                for kind, unit in HOSTILE.items():
                    name = hostile(unit, 3000).replace('"', "'").replace("\n", " ").encode()[:3000]
                    yield check(caller, f"{route.path} of {kind}", plain | {"body": body(sent, name)}, plain)

    assert told(trying()) == []


def test_no_form_of_many_fields_or_of_none_takes_long(caller: Caller) -> None:
    caller.sign_in()
    """The largest bodies that are read at all, unlike what browsers send."""
    size = 4 * 2**20 - 100
    plain = {"method": "POST", "path": "/login", "body": b"email=a"}
    bodies = {
        "fields": b"a&" * (size // 2),
        "ampersands": b"&" * size,
        "equals": b"=" * size,
        "escapes": b"email=" + b"%41" * (size // 3 - 10),
        "wrong escapes": b"email=" + b"%" * (size - 10),
        "emoji": b"prompts=" + b"%F0%9F%98%80" * (size // 12 - 10),
        "a name": b"a" * size,
        "prompts": b"prompts=" + b"%41a" * (LENGTHS["prompts"] // 2),
    }
    for path in ("/login", "/sets"):
        tried = (check(caller, kind, plain | {"path": path, "body": body}, plain) for kind, body in bodies.items())
        assert told(tried) == []


def test_no_json_takes_long(caller: Caller) -> None:
    caller.sign_in()
    length = LENGTHS["regions"]
    texts = {
        "deep": "[" * (length // 2) + "]" * (length // 2),
        "objects": "[" + "{}," * (length // 3 - 2) + "{}]",
        "numbers": "[" + "9," * (length // 2 - 2) + "9]",
        "maps": '[{"control": "edges", "maps": [' + "1," * (length // 2 - 40) + "1]}]",
        "a prompt": json.dumps([{"prompt": "\u0301" * 20_000, "box": [0, 0, 1, 1]}])[:length],
        "digits": "[" + "9" * (length - 2) + "]",
        "keys": json.dumps([{str(number): 1 for number in range(length // 14)}]),
    }
    plain = {"style": PLAIN["style"], "prompts": "a fox"}
    for name in ("regions", "structures", "subjects"):
        for kind, text in texts.items():
            arguments = {"method": "POST", "path": "/sets", "body": urlencode(plain | {name: text}).encode()}
            assert len(text) <= length
            assert not check(caller, kind, arguments, arguments | {"body": urlencode(plain).encode()}), (name, kind)
