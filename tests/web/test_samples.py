"""The sample campaign and the first steps on their pages."""

import re
import threading
from collections.abc import Callable

from sqlalchemy import select

from app.models import Export, ExportState, ImageSet, Role, Sample, Style
from tests.web.server import Browser, Server, making, signed_in_browser
from tests.web.test_people import undo

OPEN, REMOVE = 'action="/sample/open"', 'action="/sample/remove"'


def test_a_newcomer_opens_it_and_removes_it_with_one_click_each(server: Server, admin: Browser) -> None:
    assert OPEN in admin.get("/").text
    page = admin.post("/sample/open", follow_redirects=True)
    assert page.url.path.startswith("/sets/")
    assert page.text.count('class="tile') >= 12
    assert REMOVE in page.text
    assert re.search(r"Review \d+ new", page.text), (
        "nobody made its pictures, so the person who opened it may approve them"
    )
    assert "another reviewer" not in page.text
    for path in ("/", "/campaigns"):
        assert REMOVE in admin.get(path).text, path
    for path in ("/review", "/pictures", "/exports", "/styles", "/record"):
        assert admin.get(path).status_code == 200, path
    home = admin.post("/sample/remove", follow_redirects=True)
    assert "The sample is removed." in home.text
    assert OPEN in admin.get("/campaigns").text
    assert "The sample is back." in undo(admin, home.text)
    assert REMOVE in admin.get("/").text


def test_its_export_is_prepared_and_downloaded(server: Server, admin: Browser) -> None:
    admin.post("/sample/open")
    with server.resources.database.read() as session:
        export_id = session.scalars(select(Export.id)).one()
    server.resources.exporter.prepare(export_id)
    with server.resources.database.read() as session:
        assert session.get_one(Export, export_id).state == ExportState.READY
    assert admin.get(f"/exports/{export_id}/download.zip").content.startswith(b"PK")


def test_two_tabs_open_one(server: Server, designer: Browser) -> None:
    tabs = [signed_in_browser(server, designer.user) for _ in range(4)]
    threads = [threading.Thread(target=tab.post, args=("/sample/open",)) for tab in tabs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = designer.post("/sample/open", follow_redirects=True)
    assert "already open" in again.text
    assert again.url.path.startswith("/sets/")
    with server.resources.database.read() as session:
        assert len(session.scalars(select(Sample)).all()) == 1
        assert len(session.scalars(select(Style)).all()) == 1
    for tab in tabs:
        tab.close()


def test_others_see_it_but_not_its_buttons(server: Server, sign_in: Callable[..., Browser]) -> None:
    owner, other = sign_in(Role.DESIGNER), sign_in(Role.MANAGER)
    owner.post("/sample/open")
    with server.resources.database.read() as session:
        set_id = session.scalars(select(ImageSet.id)).one()
    page = other.get(f"/sets/{set_id}")
    assert page.status_code == 200
    assert REMOVE not in page.text
    assert OPEN in other.get("/campaigns").text, "they may have their own"
    assert "so there is nothing to remove" in other.post("/sample/remove", follow_redirects=True).text
    assert REMOVE in owner.get(f"/sets/{set_id}").text


def test_first_steps_lead_to_the_forms_and_can_be_hidden(server: Server, admin: Browser) -> None:
    def steps() -> str:
        return "".join(re.findall(r'<ol class="firsts".*?</ol>', admin.get("/").text, re.DOTALL))

    urls = re.findall(r'href="([^"]+)"', steps())
    assert urls
    assert all(admin.get(url).status_code == 200 for url in urls)
    with making(server) as make:
        make.style(admin.user)
    assert steps().count("is-done") == 1
    assert "Your account page shows them again" in admin.post("/checklist/hide", follow_redirects=True).text
    assert steps() == ""
    assert 'action="/checklist/show"' in admin.get("/account").text
    assert "First steps" in admin.post("/checklist/show", follow_redirects=True).text
    assert 'action="/checklist/show"' not in admin.get("/account").text
