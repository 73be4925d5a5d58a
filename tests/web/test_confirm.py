"""Confirm it’s you: acts that a stranger at an unattended browser must not do ask for it, and lose nothing."""

import html
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from urllib.parse import unquote, urlsplit

import pytest

from app import slow
from app.models import Act, LoginSession, Passkey, Role, now
from tests.factory import PASSWORD
from tests.web.server import Browser, Server, make_person, signed_in_browser
from tests.web.test_acts import count, newest
from tests.web.test_database_refuses import with_pragma


def grow_old(server: Server, browser: Browser, minutes: int = 11) -> None:
    """As if the person had signed in that long ago."""
    with server.resources.database.write() as session:
        for login in session.query(LoginSession).filter_by(user_id=browser.user.id):
            login.confirmed_at = now() - timedelta(minutes=minutes)


def fields(page: str) -> list[tuple[str, str]]:
    found = re.findall(r'<input type="hidden"\s+name="([^"]+)"\s+value="([^"]*)"', page)
    return [(name, html.unescape(value)) for name, value in found]


def confirm(browser: Browser, page: str, password: str = PASSWORD):  # type: ignore[no-untyped-def]
    return browser.post("/confirm", data=dict(fields(page)) | {"confirm-password": password})


def test_an_act_waits_for_the_password_and_is_done_then(server: Server, admin: Browser) -> None:
    person = make_person(server, Role.DESIGNER)
    grow_old(server, admin)
    asked = admin.post(f"/people/{person.id}", data={"role": "manager"}, headers={"referer": f"{server.url}/people"})
    assert asked.status_code == 403
    assert "Confirm it’s you" in asked.text
    assert 'href="/people" data-key="Escape">Cancel' in asked.text
    assert ("role", "manager") in fields(asked.text)
    again = confirm(admin, asked.text, "not the password")
    assert again.status_code == 422
    assert "This is not your password" in again.text
    assert "not the password" not in again.text
    sent_on = confirm(admin, again.text)
    assert (sent_on.status_code, sent_on.headers["location"]) == (307, f"/people/{person.id}")
    done = admin.post(sent_on.headers["location"], data={"role": "manager", "confirm-password": PASSWORD})
    assert done.status_code == 303
    assert "now has the role manager" in admin.get("/people").text
    assert newest(server, Act.CONFIRM).user_id == admin.user.id
    assert newest(server, Act.CONFIRM_REFUSED).details["reason"] == "wrong password"


def test_what_could_not_be_saved_after_it_can_be_sent_again(server: Server, admin: Browser) -> None:
    """Not with the password, nor with a question that was answered."""
    sent = {"english": "# Be kind", "confirm-password": PASSWORD, "confirm-next": "/policy", "ask-title": "Publish?"}
    with_pragma(server, "busy_timeout = 50")
    with slow.permitted(), server.resources.database.write() as busy:
        busy.connection()
        failed = admin.post("/policy/edit", data=sent)
    assert failed.status_code == 503
    assert "Try again</button>" in failed.text
    assert ("english", "# Be kind") in fields(failed.text)
    assert PASSWORD not in failed.text
    assert not re.search(r'name="(confirm|ask)-', failed.text)


def test_a_confirmation_replaces_the_token(server: Server, admin: Browser) -> None:
    old = admin.cookies["soroe"]
    assert confirm(admin, admin.get("/confirm?next=/people").text).headers["location"] == "/people"
    assert admin.cookies["soroe"] != old
    assert admin.get("/people").status_code == 200
    with Browser(server.url, cookies={"soroe": old}) as thief:
        assert thief.get("/").status_code == 303


def test_tries_are_counted_with_those_at_changing_the_password(server: Server, admin: Browser) -> None:
    page = admin.get("/confirm").text
    for _ in range(2):
        assert "This is not your password" in confirm(admin, page, "wrong").text
    for _ in range(8):
        server.resources.tries.count("password", "127.0.0.1", admin.user.id)
    refused = confirm(admin, page)
    assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
    assert "Too many attempts" in refused.text
    confirm(admin, page)
    assert count(server, Act.CONFIRM_REFUSED) == 3, "too many are recorded once a minute"
    form = {"current": PASSWORD, "password": "another long sentence"}
    assert admin.post("/account/password", data=form).status_code == 429


def test_scripts_get_the_confirm_page_in_place(server: Server, admin: Browser) -> None:
    grow_old(server, admin)
    headers = {"hx-request": "true", "hx-current-url": f"{server.url}/people"}
    asked = admin.post("/people/invite", data={"role": "reviewer"}, headers=headers)
    assert asked.status_code == 422
    assert asked.headers["hx-retarget"] == "#main"
    assert ("role", "reviewer") in fields(asked.text)
    plain = admin.post("/people/invite", data={"role": "reviewer"}, headers={"accept": "*/*"})
    assert (plain.status_code, plain.text[:10]) == (403, "Confirm it")


def test_nobody_confirms_an_act_they_may_not_do(server: Server, designer: Browser) -> None:
    grow_old(server, designer)
    answer = designer.post("/people/invite", data={"role": "admin"})
    assert answer.status_code == 403
    assert "This page is for admins" in answer.text


def test_it_leads_nowhere_else(admin: Browser) -> None:
    for method in ("post", "get"):
        form = {"confirm-password": PASSWORD, "confirm-next": "//evil.example", "confirm-method": method}
        assert admin.post("/confirm", data=form).headers["location"] == "/"


@pytest.mark.parametrize("name", ["referer", "hx-current-url"])
def test_an_invalid_address_leads_home(server: Server, admin: Browser, anonymous: Browser, name: str) -> None:
    grow_old(server, admin)
    for address in ("http://[", "http://[evil]/people", "//", "http://a:b"):
        sent = {name: address, "hx-request": "true"}
        assert admin.post("/people/invite", headers=sent).status_code == 422
        assert anonymous.get("/people", headers=sent).status_code == 401


def left_waiting(server: Server, person: Browser, path: str, back: str, sent: dict[str, str]) -> str:
    """Send a form after the session expired; returns where it waits for its person, who has signed in again."""
    with server.resources.database.write() as session:
        logins = session.query(LoginSession).filter_by(user_id=person.user.id)
        logins.update({"seen_at": now() - timedelta(days=60)})
    answer = person.post(path, data=sent, headers={"referer": f"{server.url}{back}"})
    with signed_in_browser(server, person.user) as again:
        person.cookies = again.cookies
    return unquote(answer.headers["location"].removeprefix("/login?next="))


def continue_with(browser: Browser, page: str):  # type: ignore[no-untyped-def]
    """Press Continue on the page of a form that waited."""
    action = re.search(r'<form class="panel[^>]*?action="([^"]+)"', page)[1]
    return browser.post(html.unescape(action), data=dict(fields(page)))


def test_a_form_that_waited_is_there_until_it_is_done_and_done_once(server: Server, admin: Browser) -> None:
    waiting = left_waiting(server, admin, "/people/invite", "/people?role=reviewer", {"role": "reviewer"})
    pages = [admin.get(waiting).text for _ in range(3)]
    assert all(("role", "reviewer") in fields(page) for page in pages), "a reload shows it again"
    with ThreadPoolExecutor() as threads:  # in two tabs at once
        answers = list(threads.map(lambda page: continue_with(admin, page), pages[:2]))
    assert [answer.status_code for answer in answers] == [303, 303]
    for come_back in (lambda: continue_with(admin, pages[2]), lambda: admin.get(waiting)):
        again = come_back()
        assert (again.status_code, again.headers["location"]) == (303, "/people?role=reviewer")
        assert "You already continued, and it was done." in admin.get("/people").text
    assert count(server, Act.ACCOUNT_INVITE) == 1
    with signed_in_browser(server, make_person(server, Role.ADMIN)) as other:
        assert other.get(waiting).headers["location"] == "/", "what waits is its own person's"
        assert "That took too long" in other.get("/").text


def test_a_form_that_was_refused_waits_on(server: Server, admin: Browser) -> None:
    for path, sent in (("/review/reasons", {"words": " "}), ("/people/second-step", {"role": "admin", "on": "1"})):
        waiting = left_waiting(server, admin, path, path, sent)
        assert continue_with(admin, admin.get(waiting).text).status_code in (303, 422), path
        assert set(sent.items()) <= set(fields(admin.get(waiting).text)), path


def test_a_form_that_waited_and_asks_is_done_once(server: Server, admin: Browser) -> None:
    person = make_person(server, Role.DESIGNER)
    waiting = left_waiting(server, admin, f"/people/{person.id}?ask", "/people", {"active": "0"})
    asked = continue_with(admin, admin.get(waiting).text)
    assert asked.status_code == 200
    assert continue_with(admin, asked.text).status_code == 303
    assert admin.get(waiting).headers["location"] == "/people"
    assert "You already continued" in admin.get("/people").text


def test_only_a_form_that_waited_counts_as_done(admin: Browser) -> None:
    for name in ("Mori Haruka", "Ito Kenji"):
        assert admin.post("/account/name?continued=made-up", data={"name": name}).status_code == 303
    assert "<h1>Ito Kenji</h1>" in admin.get("/account").text


def test_a_form_that_waited_twice_is_done_once(server: Server, admin: Browser) -> None:
    """The confirmation got too old on the page with Continue."""
    waiting = left_waiting(server, admin, "/people/invite", "/people", {"role": "reviewer"})
    grow_old(server, admin)
    asked = continue_with(admin, admin.get(waiting).text)
    assert asked.status_code == 403
    sent_on = confirm(admin, asked.text)
    assert sent_on.status_code == 307
    assert admin.post(sent_on.headers["location"], data=dict(fields(asked.text))).status_code == 303
    assert admin.get(waiting).headers["location"] == "/people"


def test_a_form_waits_on_if_the_session_expires_on_the_page_that_asks(server: Server, admin: Browser) -> None:
    grow_old(server, admin)
    asked = admin.post("/people/invite", data={"role": "reviewer"}, headers={"referer": f"{server.url}/people"}).text
    sent = dict(fields(asked)) | {"confirm-password": PASSWORD}
    page = admin.get(left_waiting(server, admin, "/confirm", "/people/invite", sent)).text
    assert PASSWORD not in page
    assert continue_with(admin, page).status_code == 303
    assert count(server, Act.ACCOUNT_INVITE) == 1


def test_an_invalid_utf_8_query_needs_a_confirmation_too(server: Server, admin: Browser) -> None:
    grow_old(server, admin)
    place, cookie = urlsplit(server.url), admin.cookies["soroe"]
    with closing(socket.create_connection((place.hostname, place.port), timeout=20)) as line:
        head = f"POST /people/1?a=\xff HTTP/1.1\r\nHost: {place.netloc}\r\nCookie: soroe={cookie}\r\n"
        line.sendall((head + "Accept: text/html\r\nContent-Length: 0\r\n\r\n").encode("latin-1"))
        assert line.recv(12) in (b"HTTP/1.1 403", b"HTTP/1.1 400")


def test_a_passkey_is_offered_to_those_who_have_one(server: Server, admin: Browser) -> None:
    ways = server.resources.environment.globals
    ways["ways"] = replace(ways["ways"], passkeys=True)  # as at an address where browsers offer them
    assert "Use a passkey" not in admin.get("/confirm?next=/people").text
    with server.resources.database.write() as session:
        session.add(Passkey(user_id=admin.user.id, credential_id="1", public_key=b"2", name="Key", sign_count=0))
    assert "Use a passkey" in admin.get("/confirm?next=/people").text
