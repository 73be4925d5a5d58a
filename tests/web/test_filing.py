"""The page of what can be done with a thing, without scripts, and what it changes elsewhere."""

import re
from collections.abc import Callable

from app.models import Role, User
from tests.web.server import Browser, Server, making


def owned(server: Server, browser: Browser) -> int:
    with making(server) as make:
        return make.finished_set(make.session.get_one(User, browser.user.id), name="Table", campaign="Autumn").id


def test_a_set_is_managed_without_scripts(server: Server, designer: Browser) -> None:
    set_id = owned(server, designer)
    base, back = f"/manage/set/{set_id}", f"/sets/{set_id}"
    assert f'href="{base}?from=' in designer.get("/sets").text
    page = designer.get(base).text
    assert "2 pictures go with it." in page
    assert re.search(r'<a href="/sets"[^>]* aria-current="page"', page)
    answer = designer.post(f"{base}/rename", data={"name": "Spring", "from": "/sets"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sets")
    assert "Enter a name." in designer.post(f"{base}/rename", data={"name": " "}).text
    designer.post(f"{base}/move", data={"campaign_name": "Winter"})
    page = designer.get(back).text
    assert "<h1>Spring</h1>" in page
    assert "Winter" in page
    designer.post(f"{base}/archive")
    assert "Manage Spring" not in designer.get("/sets").text
    assert "Manage Spring" in designer.get("/sets?archived=1").text
    designer.post(f"{base}/unarchive")


def test_the_bin_has_what_was_deleted_and_restores_it(server: Server, designer: Browser) -> None:
    set_id = owned(server, designer)
    base = f"/manage/set/{set_id}"
    answer = designer.post(f"{base}/delete", data={"from": "/sets"}, follow_redirects=True)
    assert "Table is in the bin for 30 days." in answer.text
    assert "This set is in the bin, with its pictures." in designer.get(f"/sets/{set_id}").text
    assert "Table" in designer.get("/pictures/bin").text
    again = designer.post(f"{base}/delete", follow_redirects=True)
    assert "Table is in the bin. Restore it first." in again.text
    answer = designer.post(f"{base}/restore", data={"from": "/pictures/bin"})
    assert answer.headers["location"] == "/pictures/bin"
    assert "The bin is empty" in designer.get("/pictures/bin").text
    assert "Table" in designer.get("/sets").text


def test_others_see_who_can_change_it(server: Server, designer: Browser, sign_in: Callable[..., Browser]) -> None:
    set_id = owned(server, designer)
    page = sign_in(Role.REVIEWER).get(f"/manage/set/{set_id}").text
    assert "or a manager can change this set" in page
    assert "Rename" not in page
    assert sign_in().get("/manage/horse/1").status_code == 404


def test_a_style_is_duplicated_into_its_form(server: Server, designer: Browser) -> None:
    with making(server) as make:
        style = make.style(make.session.get_one(User, designer.user.id), name="Poster", text="vintage")
    assert f"/styles/new?from={style.code}" in designer.get(f"/manage/style/{style.id}").text
    page = designer.get(f"/styles/new?from={style.code}").text
    assert "Poster" in page
    assert "vintage" in page
