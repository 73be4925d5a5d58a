"""What machines ask: whether the process lives, whether it can work, and what it counts."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from threading import Event
from time import monotonic
from typing import Any

import pytest
from anyio import to_thread
from prometheus_client.parser import text_string_to_metric_families

from app.engine.base import EngineState
from app.main import create_app
from app.models import Role
from app.settings import Settings
from app.storage import Pause, Trouble
from app.web import health
from tests.engine.painter import Painter
from tests.web.server import Browser, Server, make_person, making, serve, signed_in_browser

TOKEN = "a-token-of-the-tests-1"


@pytest.fixture
def metered(settings: Settings, engine: Painter) -> Iterator[Server]:
    given = Settings(data=settings.data, metrics_token=TOKEN)
    with serve(create_app(given, engine)) as server:
        yield server


@contextmanager
def locked(server: Server) -> Iterator[None]:
    """Another process holds the database's write lock."""
    path = server.resources.settings.data / "soroe.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def ready(browser: Browser) -> tuple[int, str, dict[str, str]]:
    """The status, word and parts of /readyz, looked up now."""
    answer = browser.get("/readyz")
    told = answer.json()
    return answer.status_code, told["status"], told["parts"]


def forget(server: Server) -> None:
    """Let the next question look again."""
    server.app.state.readiness._began = 0.0


def measured(server: Server, token: str = TOKEN) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The value of every series, by its name and labels."""
    with Browser(server.url) as prometheus:
        answer = prometheus.get("/metrics", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {(each.name, tuple(sorted(each.labels.items()))): each.value for one in families for each in one.samples}


def test_it_lives_while_every_thread_is_busy_and_the_database_is_locked(server: Server, anonymous: Browser) -> None:
    go, tasks = Event(), 60  # more than a pool of threads has
    dispatcher = server.app.state.dispatcher.background

    def fill() -> None:
        held.extend(asyncio.ensure_future(to_thread.run_sync(go.wait)) for _ in range(tasks))

    held: list[Any] = []
    dispatcher.call(fill)
    try:
        with locked(server):
            assert anonymous.get("/healthz").json() == {"status": "ok"}
            assert len(held) == tasks
    finally:
        go.set()


def test_a_server_that_can_work_says_so(server: Server, anonymous: Browser) -> None:
    status, word, parts = ready(anonymous)
    assert (status, word) == (200, "ready")
    assert parts == dict.fromkeys(("engine", "disk", "database", "migrations"), "ok")


def test_each_part_that_does_not_work_is_named(server: Server, anonymous: Browser, engine: Painter) -> None:
    storage = server.resources.storage
    with storage.holding(), locked(server):  # so that nobody ends the pause
        storage.pause = Pause(Trouble.READ_ONLY, datetime.now(UTC))
        engine.state = EngineState.RESTARTING
        status, word, parts = ready(anonymous)
    assert (status, word) == (503, "not ready")
    assert parts == {
        "engine": "The engine is restarting.",
        "disk": "Nothing can be saved: the disk is read-only.",
        "database": "The database cannot be written at the moment.",
    }
    engine.state, storage.pause = EngineState.READY, None
    forget(server)
    assert ready(anonymous)[0] == 200


def test_a_database_of_another_version_or_none_is_named(server: Server, anonymous: Browser) -> None:
    path = server.resources.settings.data / "soroe.sqlite3"
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
        other.commit()
        assert ready(anonymous)[2]["migrations"] == "The database belongs to another version of Soroe."
        other.execute("DROP TABLE alembic_version")
        other.commit()
    forget(server)
    assert ready(anonymous)[2]["database"] == "The database cannot be read."


def test_many_questions_are_one_look(server: Server, anonymous: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    monkeypatch.setattr(health, "FRESH_SECONDS", 3600.0)
    monkeypatch.setattr(health, "version_of", lambda session: looks.append(session) or health.versions()[0])
    for _ in range(20):
        assert anonymous.get("/readyz").status_code == 200
    assert len(looks) == 1


def test_a_disk_that_gets_full_is_told_to_administrators_and_monitors(
    metered: Server, anonymous: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    disk = metered.resources.disk
    disk.low_bytes, free = 2**60, metered.resources.storage.free_bytes
    disk._is_low = lambda _: True  # a tenth of this disk may be free
    disk.check()
    disk.check()
    assert [record.msg["event"] for record in caplog.records].count("the disk is nearly full") == 1
    with Browser(metered.url) as monitor:
        assert ready(monitor)[:2] == (200, "degraded")
    series = measured(metered)
    assert series["soroe_disk_low", ()] == 1
    assert series["soroe_disk_free_bytes", ()] == pytest.approx(free, rel=0.1)
    for role in (Role.ADMIN, Role.MANAGER):
        with signed_in_browser(metered, make_person(metered, role)) as browser:
            assert ("The disk is nearly full: " in browser.get("/").text) is (role == Role.ADMIN)


def test_nobody_reads_metrics_without_the_token(server: Server, metered: Server, admin: Browser) -> None:
    assert admin.get("/metrics").status_code == 404, "there is no token, so there are no metrics"
    with Browser(metered.url) as anyone:
        for header in ({}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}):
            answer = anyone.get("/metrics", headers=header)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert "soroe_" not in answer.text


@pytest.mark.parametrize("token", ["short", "with spaces in it, though long", "ü" * 30])
def test_a_token_is_no_guess(token: str) -> None:
    with pytest.raises(ValueError, match="at least 20"):
        Settings(metrics_token=token)


def test_what_is_counted_is_what_happened(metered: Server) -> None:
    before = measured(metered)
    with making(metered) as make:
        make.finished_set(prompts="a fox")
    person = make_person(metered, Role.DESIGNER)
    with Browser(metered.url) as stranger:
        refused = stranger.sign_in(person.email, "not the password")
    failed = ("soroe_acts_total", (("act", "account:session:refuse"),))
    ends = monotonic() + 60
    while True:
        after = measured(metered)
        if after.get(failed, 0.0) > before.get(failed, 0.0) or monotonic() > ends:  # it is recorded after the answer
            break

    def rise(name: str, **labels: str) -> float:
        key = name, tuple(sorted(labels.items()))
        return after[key] - before.get(key, 0.0)

    assert after[failed] == before.get(failed, 0.0) + 1
    status = str(refused.status_code)
    assert rise("soroe_http_requests_total", method="POST", route="/login", status=status) == 1
    assert rise("soroe_database_write_hold_seconds_count") > 0
    assert after["soroe_engine_up", ()] == 1
    assert ("soroe_queue_units", (("kind", "set"), ("state", "queued"))) in after
