"""Uploads over HTTP, many at once and with clients that go away."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from app.decoding.pool import WAITING, WORKERS, pool
from tests.decoding.held import go_on, stopped_workers, wait_for
from tests.factory import png
from tests.web.server import Browser, Server


def upload(browser: Browser, path: str = "/subjects/pictures") -> int:
    return browser.post(path, files={"picture": ("a.png", png(size=(128, 128)), "image/png")}).status_code


def test_too_many_at_once_503_and_other_pages_do_not_wait(server: Server, sign_in: Callable[..., Browser]) -> None:
    browser = sign_in()
    browsers = [sign_in() for _ in range(WORKERS + WAITING)]
    with stopped_workers(pool) as workers, ThreadPoolExecutor(len(browsers)) as people:
        sent = [people.submit(upload, each) for each in browsers]
        wait_for(lambda: pool.waits == WAITING)
        refused = browser.post(
            "/styles/preview", files={"picture": ("a.png", png(size=(128, 128)), "image/png")}, timeout=5
        )
        assert refused.status_code == 503
        assert "Too many pictures are being uploaded right now" in refused.text
        assert browser.get("/styles", timeout=5).status_code == 200
        go_on(workers)
        assert {each.result() for each in sent} == {201}
    assert pool.waits == 0


def test_a_client_that_leaves_frees_its_place_in_the_queue(server: Server, sign_in: Callable[..., Browser]) -> None:
    browser, others = sign_in(), [sign_in() for _ in range(WORKERS)]
    request = browser.build_request(
        "POST", "/subjects/pictures", files={"picture": ("a.png", png(size=(128, 128)), "image/png")}
    )
    lines = [f"POST {request.url.path} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
    with stopped_workers(pool) as workers, ThreadPoolExecutor(WORKERS) as people:
        sent = [people.submit(upload, each) for each in others]
        wait_for(lambda: pool._busy == WORKERS)
        with socket.create_connection((request.url.host, request.url.port or 80)) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + request.read())
            wait_for(lambda: pool.waits == 1)
        wait_for(lambda: pool.waits == 0)
        assert pool._busy == WORKERS, "the others are still at it"
        go_on(workers)
        assert {each.result() for each in sent} == {201}
