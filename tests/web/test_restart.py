"""A real server process with the real engine, killed in the middle of a set and restarted on the same data."""

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil

from app.database import Database
from app.files import Files, Kind
from app.models import Act, AuditEvent, Image, State, Unit
from app.settings import Settings
from tests.factory import png
from tests.web.process import Process
from tests.web.server import Browser

PROMPTS = "a fox\na teapot\nan owl\na bicycle\nan apple"
FORM = {"name": "Mori Haruka", "email": "haruka@example.com", "password": "a sentence of my own"}
PATIENCE = 120.0


@contextmanager
def set_up(server: Process) -> Iterator[Browser]:
    """A browser with the first administrator signed in."""
    with Browser(server.url) as browser:
        path = server.setup_link.removeprefix(server.url)
        assert browser.post(path, data=FORM).status_code == 303
        yield browser


def ask_for_a_set(browser: Browser) -> None:
    files = {"picture": ("a.png", png("teal", (128, 128)), "image/png")}
    style = browser.post("/styles", data={"name": "Teal"}, files=files)
    code = style.headers["location"].rsplit("/", 1)[1]
    form = {"style": code, "prompts": PROMPTS, "size": "128x128", "steps": "8", "seed": "1"}
    assert browser.post("/sets", data=form).headers["location"] == "/sets/1"


def rows(data: Path) -> tuple[list[Image], list[Unit]]:
    database = Database(Settings(_env_file=None, data=data))
    with database.read() as session:
        found = session.query(Image).order_by(Image.id).all(), session.query(Unit).order_by(Unit.id).all()
    database.close()
    return found


def wait_until_finished(data: Path, number: int) -> list[Image]:
    """Until so many units are, of one picture each; a unit ends shortly after its picture."""
    ends = time.monotonic() + PATIENCE
    with closing(Database(Settings(_env_file=None, data=data))) as database:
        while time.monotonic() < ends:
            with database.read() as session:
                units = session.query(Unit).filter_by(state=State.FINISHED).count()
                images = session.query(Image).order_by(Image.id).all()
            if units >= number:
                return [image for image in images if image.state == State.FINISHED]
            time.sleep(0.1)
    raise AssertionError([image.state for image in images])


def traces(data: Path, images: list[Image]) -> dict[int, tuple[str, object, bytes, int]]:
    """Everything about a finished image that must not change."""
    kept = {}
    for image in images:
        path = Files(data / "files").path(Kind.IMAGES, image.sha256 or "")
        kept[image.id] = (image.sha256 or "", image.finished_at, path.read_bytes(), path.stat().st_mtime_ns)
    return kept


def model_process(server: Process) -> psutil.Process:
    """The server's process with the model."""
    children = psutil.Process(server.process.pid).children()
    (found,) = (child for child in children if "app.engine.worker" in child.cmdline())
    return found


@contextmanager
def ended(server: Process) -> Iterator[None]:
    """No process of the server, nor of one of these, remains afterwards."""
    of_server = psutil.Process(server.process.pid).children(recursive=True)
    assert len(of_server) >= 2, "the model and what decodes uploads"
    yield
    assert psutil.wait_procs(of_server, timeout=10)[1] == []


def test_a_crash_of_the_model_costs_no_try_and_pages_answer_meanwhile(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Process(data, unit_size=1) as server, set_up(server) as browser:
        maps = Path(f"/proc/{server.process.pid}/maps")
        assert not maps.exists() or "libtorch" not in maps.read_text(), "pages need no torch"
        ask_for_a_set(browser)
        before = traces(data, wait_until_finished(data, 1))
        model_process(server).kill()
        without_it = 0
        while len(images := wait_until_finished(data, 1)) < 5:
            assert browser.get("/sets/1").status_code == 200
            without_it += browser.get("/readyz").status_code == 503  # still, once the page is there
            time.sleep(0.1)
        assert without_it > 1, "pages wait for the model"
        assert "the engine was lost and will be restarted" in server.output
        with ended(server):
            assert server.stop() == 0, server.output
        assert "Traceback" not in server.output
    after = traces(data, images)
    assert {image: after[image] for image in before} == before
    assert len({image.sha256 for image in images}) == 5
    _, units = rows(data)
    assert [unit.state for unit in units] == [State.FINISHED] * 5
    assert sum(unit.tries for unit in units) == 0
    assert sum(unit.crashes for unit in units) <= 1


def test_killed_mid_set_it_loses_and_repeats_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Process(data, unit_size=1) as server, set_up(server) as browser:
        ask_for_a_set(browser)
        wait_until_finished(data, 2)
        with ended(server):
            server.kill()
    before = traces(data, wait_until_finished(data, 2))
    assert len(before) < 5, "it was killed in mid-set"

    with Process(data, unit_size=1) as server:
        assert not server.setup_link, "there is an administrator, so no link is printed"
        after = traces(data, wait_until_finished(data, 5))
        with Browser(server.url) as browser:
            browser.sign_in(FORM["email"], FORM["password"])
            assert browser.get("/sets/1").text.count('data-state="finished"') == 5
        with ended(server):
            assert server.stop() == 0, server.output
        assert "Traceback" not in server.output
    assert {image: after[image] for image in before} == before

    images, units = rows(data)
    assert [unit.state for unit in units] == [State.FINISHED] * 5
    assert all(unit.tries == unit.crashes == 0 for unit in units), "a kill of the server charges nothing"
    assert len({image.sha256 for image in images}) == 5
    database = Database(Settings(_env_file=None, data=data))
    with database.read() as session:
        made = Counter(event.subject_id for event in session.query(AuditEvent).filter_by(act=Act.IMAGE_FINISH))
    database.close()
    assert set(made.values()) == {1}, "no image was finished twice"
    assert not list((data / "files").rglob("*.unfinished"))


def test_an_orderly_end_is_quick_even_while_somebody_watches(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Process(data, unit_size=1, log_format="json", metrics_token="a-token-of-the-tests") as server:
        with set_up(server) as browser:
            ask_for_a_set(browser)
            with browser.stream("GET", "/sets/1/events") as answer:
                lines = answer.iter_lines()
                next(lines)
                assert server.stop(signal.SIGTERM) == 0, server.output
                assert "event: done" not in list(lines), "so the browser connects to the next server"
        assert "graceful shutdown exceeded" not in server.output, "nobody waited for the stream"
        assert "Traceback" not in server.output
        told = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
        assert "a-token-of-the-tests" not in server.output
    story = [
        "the server starts",
        "the server answers",
        "the server is ready",
        "the server stops",
        "the server has stopped",
    ]
    assert [line["event"] for line in told if line["event"] in story] == story
    begin, _, ready, stop, end = (line for line in told if line["event"] in story)
    assert begin["settings"]["unit_size"] == "1"
    assert begin["settings"]["metrics_token"] == "set"
    assert stop["because"] == "SIGTERM"
    assert end["seconds"] < 10
    (given_back,) = [line for line in told if "queued again" in line["event"]]
    _, units = rows(data)
    assert State.GENERATING not in [unit.state for unit in units], "what ran was given back"
    assert all(unit.tries == 0 for unit in units)
    assert given_back["unit"] in [unit.id for unit in units if unit.state == State.QUEUED]
    assert not (data / "soroe.sqlite3-wal").exists(), "the file alone is whole"
    assert ready["address"] == server.url
