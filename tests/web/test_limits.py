"""Limits on input. The bodies are really sent, over a socket, to a server that counts what reaches its disk."""

import resource
from collections.abc import Callable, Iterator

import pytest
from starlette.datastructures import UploadFile

from app.web.limits.begun import Begun
from app.web.limits.body import BODY_BYTES
from tests.factory import png
from tests.web.server import Browser, Server

HUGE = 200 * 2**20
CHUNK = b"\0" * 2**20


def body(size: int) -> Iterator[bytes]:
    for _ in range(size // len(CHUNK)):
        yield CHUNK


def multipart(size: int) -> Iterator[bytes]:
    yield b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    yield from body(size)
    yield b"\r\n--x--\r\n"


MULTIPART = {"content-type": "multipart/form-data; boundary=x"}


@pytest.fixture
def spooled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes of uploads were stored, in memory or on disk."""
    written: list[int] = []
    write = UploadFile.write

    async def counted(self: UploadFile, data: bytes) -> None:
        written.append(len(data))
        await write(self, data)

    monkeypatch.setattr(UploadFile, "write", counted)
    return written


def test_a_huge_upload_is_refused_by_its_length(designer: Browser, spooled: list[int]) -> None:
    size = HUGE + len(b"".join(multipart(0)))
    headers = MULTIPART | {"content-length": str(size)}
    answer = designer.post("/styles/preview", content=multipart(HUGE), headers=headers)
    assert answer.status_code == 413
    assert "larger than 32 MB, the most" in answer.text
    assert not spooled


def test_a_huge_upload_without_a_length_is_refused_while_it_comes(
    server: Server, designer: Browser, spooled: list[int]
) -> None:
    answer = designer.post("/styles/preview", content=multipart(HUGE), headers=MULTIPART)
    assert answer.status_code == 413
    assert "larger than 32 MB" in answer.text
    assert sum(spooled) <= server.resources.settings.upload_bytes + 2**20


def test_a_huge_body_anywhere_else_is_refused_at_a_few_megabytes(designer: Browser, spooled: list[int]) -> None:
    for headers in ({"content-length": str(HUGE)}, {}):
        headers = {"content-type": "application/x-www-form-urlencoded"} | headers
        answer = designer.post("/sets", content=body(HUGE), headers=headers)
        assert answer.status_code == 413
        assert "larger than 4 MB" in answer.text
    assert not spooled


def test_nobody_needs_to_sign_in_to_be_refused(anonymous: Browser) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded", "content-length": str(BODY_BYTES + 2**20)}
    assert anonymous.post("/login", content=body(BODY_BYTES + 2**20), headers=headers).status_code == 413


def test_a_false_length_is_counted_all_the_same(server: Server, designer: Browser) -> None:
    """Content-Length says little, the chunks say much: the parser or our count refuses it, and the server continues."""
    headers = MULTIPART | {"content-length": "10", "transfer-encoding": "chunked"}
    answer = designer.post("/styles/preview", content=multipart(64 * 2**20), headers=headers)
    assert answer.status_code in (400, 413)
    assert designer.get("/healthz").status_code == 200


def test_an_upload_of_just_the_limit_comes_through(
    server: Server, sign_in: Callable[..., Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = png(size=(64, 64))
    monkeypatch.setattr(server.resources.settings, "upload_bytes", len(data))
    answer = sign_in().post("/styles/preview", files={"picture": ("a.png", data, "image/png")})
    assert answer.status_code == 303


def test_the_longest_list_of_prompts_fits(designer: Browser) -> None:
    prompts = "\n".join("狐" * 500 for _ in range(500))
    answer = designer.post("/sets", data={"prompts": prompts})
    assert answer.status_code == 422, "refused because the style is missing, not for its size"


def test_memory_stays_where_it_is(designer: Browser) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    designer.post("/styles/preview", content=multipart(HUGE), headers=MULTIPART)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_a_download_starts_once_until_it_was_idle_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("app.web.limits.begun.monotonic", lambda: now)
    begun = Begun(probe=100, seconds=3600, keys=2)
    assert [begun.begins("a", size, 5000) for size in (1, 98, 1, 5000)] == [False, False, True, False]
    assert begun.begins("b", 60, 60), "a file that is no larger than a probe"
    now += 3000
    assert not begun.begins("a", 5000, 5000)
    now += 3000
    assert not begun.begins("a", 5000, 5000), "it continued in between"
    now += 3601
    assert begun.begins("a", 5000, 5000)
    begun.begins("c", 1, 5000)
    assert len(begun._seen) == 2
