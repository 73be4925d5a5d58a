"""Zips over HTTP: whole, in parts, and again."""

import csv
import io
import zipfile
from collections.abc import Callable

import pytest

from app.models import Act, AuditEvent, Export, ExportState, Role
from app.web import downloads
from tests.web.server import Browser, Server, making, share_link, shared_export


@pytest.fixture
def set_id(server: Server) -> int:
    with making(server) as make:
        image_set = make.finished_set(prompts="a fox\n露のついたぶどうの房\nan owl", name="Autumn", campaign="Spring")
        make.decide(image_set.images[0])
        make.decide(image_set.images[1])
        return image_set.id


@pytest.fixture
def manager(sign_in: Callable[..., Browser]) -> Browser:
    return sign_in(Role.MANAGER)


@pytest.fixture
def path(set_id: int) -> str:
    return f"/sets/{set_id}/approved.zip"


@pytest.mark.parametrize(
    "path", ["/sets/1/approved.zip", "/campaigns/1/approved.zip", "/pictures/approved.zip?ids=1&ids=2&ids=3"]
)
def test_the_zip_holds_the_approved_and_their_manifest(manager: Browser, set_id: int, path: str) -> None:
    answer = manager.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
    assert int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        pictures = [name for name in archive.namelist() if name.endswith(".png")]
        assert pictures == [
            "spring-retro-sunburst-001-a-fox.png",
            "spring-retro-sunburst-002-露のついたぶどうの房.png",
        ]
        rows = list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode("utf-8-sig"))))
        assert [row["prompt"] for row in rows] == ["a fox", "露のついたぶどうの房"]


# Parts


def test_an_interrupted_download_resumes(manager: Browser, path: str) -> None:
    whole = manager.get(path)
    assert whole.headers["accept-ranges"] == "bytes"
    half = len(whole.content) // 2
    asked = {"range": f"bytes={half}-", "if-range": whole.headers["etag"]}
    rest = manager.get(path, headers=asked)
    assert rest.status_code == 206
    assert rest.headers["content-range"] == f"bytes {half}-{len(whole.content) - 1}/{len(whole.content)}"
    assert int(rest.headers["content-length"]) == len(rest.content)
    assert whole.content[:half] + rest.content == whole.content


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=10-19", slice(10, 20)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=-99999999", slice(None)),
        ("bytes=5-99999999", slice(5, None)),
    ],
)
def test_any_part_can_be_requested(manager: Browser, path: str, asked: str, part: slice) -> None:
    whole = manager.get(path).content
    answer = manager.get(path, headers={"range": asked})
    assert answer.status_code == 206
    assert answer.content == whole[part]


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_a_part_that_is_not_there_416(manager: Browser, path: str, asked: str) -> None:
    length = len(manager.get(path).content)
    answer = manager.get(path, headers={"range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{length}"


@pytest.mark.parametrize("asked", ["bytes=-", "bytes=9-2", "bytes=0-1,5-6", "pictures=1-2", "bytes=a-b"])
def test_an_invalid_range_gets_the_whole(manager: Browser, path: str, asked: str) -> None:
    answer = manager.get(path, headers={"range": asked})
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_a_different_zip_is_sent_whole(manager: Browser, path: str) -> None:
    answer = manager.get(path, headers={"range": "bytes=10-", "if-range": '"another"'})
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == len(answer.content)


# The audit log


def test_a_download_is_recorded_once_however_often_it_resumes(server: Server, manager: Browser, path: str) -> None:
    manager.get(path)
    manager.get(path, headers={"range": "bytes=100-"})
    with server.resources.database.read() as session:
        event = session.query(AuditEvent).filter_by(act=Act.EXPORT).one()
        assert (event.user_id, event.subject, event.subject_id) == (manager.user.id, "exports", 1)
        assert event.details["sets"] == [1]
        assert session.query(Export).count() == 1


def begun(server: Server) -> int:
    with server.resources.database.read() as session:
        return session.query(AuditEvent).filter(AuditEvent.act.in_([Act.EXPORT, Act.SHARE_DOWNLOAD])).count()


@pytest.fixture
def zip_path(server: Server, set_id: int) -> str:
    export, _ = shared_export(server, set_id)
    return f"/exports/{export.id}/download.zip"


@pytest.mark.parametrize("asked", ["bytes=1-", "bytes=2048-", "bytes=-9999999"])
def test_a_download_can_start_anywhere(server: Server, manager: Browser, zip_path: str, asked: str) -> None:
    manager.get(zip_path, headers={"range": asked})
    assert begun(server) == 1
    manager.get(zip_path)
    assert begun(server) == 1, "the same person continues"


def test_one_probe_does_not_count_as_a_download_but_many_do(server: Server, manager: Browser, zip_path: str) -> None:
    for first in (0, 0, 700):
        manager.get(zip_path, headers={"range": f"bytes={first}-{first + 99}"})
    assert begun(server) == 0
    for first in range(0, 1000, 100):
        manager.get(zip_path, headers={"range": f"bytes={first}-{first + 99}"})
    assert begun(server) == 1, "it was fetched in pieces"


def test_another_person_begins_another_download(
    server: Server, manager: Browser, zip_path: str, sign_in: Callable[..., Browser]
) -> None:
    manager.get(zip_path)
    sign_in(Role.ADMIN).get(zip_path)
    assert begun(server) == 2


def test_headers_do_not_promise_a_zip_that_has_lost_a_file(server: Server, manager: Browser, zip_path: str) -> None:
    assert manager.head(zip_path).status_code == 200
    next((server.resources.exporter.store.root / "cache").glob("*/*/*")).unlink()
    assert manager.head(zip_path).status_code == manager.get(zip_path).status_code == 409


def test_requesting_only_headers_counts_nothing(
    server: Server, manager: Browser, anonymous: Browser, zip_path: str
) -> None:
    token, _ = share_link(server, 1)
    for number, (browser, path) in enumerate(((manager, zip_path), (anonymous, f"/shared/{token}/download.zip"))):
        head = browser.head(path, headers={"range": "bytes=5-"})
        assert (head.status_code, head.content) == (200, b"")
        assert begun(server) == number
        whole = browser.get(path)
        for name in ("content-length", "content-disposition", "etag", "accept-ranges", "content-type"):
            assert head.headers[name] == whole.headers[name]
    assert anonymous.head(f"/shared/{token}").status_code == 200
    assert anonymous.head("/shared/unknown").status_code == 404


@pytest.mark.parametrize(
    ("name", "plain"),
    [("Herbst Küche", "herbst-kuche-approved"), ("秋の食卓", "export-1"), ("Spring", "spring-approved")],
)
def test_programs_that_know_only_plain_letters_save_it_under_a_name_too(
    server: Server, manager: Browser, name: str, plain: str
) -> None:
    with making(server) as make:
        image_set = make.finished_set(prompts="a fox", name=name)
        make.decide(image_set.images[0])
    told = manager.get(f"/sets/{image_set.id}/approved.zip").headers["content-disposition"]
    assert told.endswith(f'; filename="{plain}.zip"')


# Obstacles


def test_long_exports_are_awaited_on_their_page(
    server: Server, manager: Browser, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "AT_ONCE", 1)
    answer = manager.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/exports/1?download=1"
    server.resources.exporter.prepare(1)
    assert manager.get(path).status_code == 200, "and once it is ready it is sent at once"


def test_a_zip_that_is_not_ready_or_failed_409(server: Server, manager: Browser, path: str) -> None:
    manager.get(path)
    for state, sentence in ((ExportState.FAILED, "This export failed"), (ExportState.READY, "deleted to free space")):
        with server.resources.database.write() as session:
            export = session.query(Export).one()
            export.state, export.error, export.bytes = state, "The disk is full.", 1
        answer = manager.get("/exports/1/download.zip")
        assert answer.status_code == 409
        assert sentence in answer.text


def test_nothing_approved_is_a_sentence_and_no_file(server: Server, manager: Browser) -> None:
    with making(server) as make:
        set_id = make.finished_set(prompts="a fox").id
    answer = manager.get(f"/sets/{set_id}/approved.zip")
    assert answer.status_code == 409
    assert "Not possible right now" in answer.text, "nobody was faster: nothing was approved"
    assert "data-error-sentence" in answer.text
    for path in ("/sets/99/approved.zip", "/campaigns/99/approved.zip", "/exports/99/download.zip"):
        assert manager.get(path).status_code == 404
    assert manager.get("/pictures/approved.zip").status_code == 422


def test_home_leads_managers_to_a_campaigns_export(
    manager: Browser, set_id: int, sign_in: Callable[..., Browser]
) -> None:
    link = 'href="/campaigns/1/export"'
    assert link in manager.get("/").text
    assert link not in sign_in(Role.REVIEWER).get("/").text


def test_a_thousand_pictures_can_be_named_in_an_address(server: Server, designer: Browser) -> None:
    ids = "&".join(f"ids={number}" for number in range(1_000_000, 1_001_000))
    assert designer.get(f"/pictures/approved.zip?{ids}").status_code == 409, "nothing of them is approved"
