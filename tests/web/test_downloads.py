import csv
import io
import zipfile
from collections.abc import Callable

import pytest

from app.models import Act, AuditEvent, Role
from tests.web.server import Browser, Server, making


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
        assert pictures == ["autumn/001-a-fox.png", "autumn/002-露のついたぶどうの房.png"]
        assert archive.read(pictures[0]) == manager.get("/images/1.png").content
        manifest = next(name for name in archive.namelist() if name.endswith("manifest.csv"))
        rows = list(csv.DictReader(io.StringIO(archive.read(manifest).decode("utf-8-sig"))))
        assert [row["prompt"] for row in rows] == ["a fox", "露のついたぶどうの房"]


def test_a_download_is_recorded(server: Server, manager: Browser, set_id: int) -> None:
    manager.get(f"/sets/{set_id}/approved.zip")
    with server.parts.database.read() as session:
        event = session.query(AuditEvent).filter_by(act=Act.EXPORT).one()
        assert event.user_id == manager.user.id


def test_nothing_approved_is_a_sentence_and_no_file(server: Server, manager: Browser) -> None:
    with making(server) as make:
        set_id = make.finished_set(prompts="a fox").id
    answer = manager.get(f"/sets/{set_id}/approved.zip")
    assert answer.status_code in (409, 422)
    assert "Not possible now" in answer.text, "nobody was faster: nothing was approved"
    assert "data-error-sentence" in answer.text
    for path in ("/sets/99/approved.zip", "/campaigns/99/approved.zip"):
        assert manager.get(path).status_code == 404
    assert manager.get("/pictures/approved.zip").status_code == 422


def test_home_leads_managers_to_a_campaigns_zip(manager: Browser, set_id: int, sign_in: Callable[..., Browser]) -> None:
    link = 'href="/campaigns/1/approved.zip"'
    assert link in manager.get("/").text
    assert link not in sign_in(Role.REVIEWER).get("/").text
