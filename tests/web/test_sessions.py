"""Signed-in browsers: their list, and how sessions end."""

from datetime import timedelta

import pytest

from app.accounts import service as accounts
from app.accounts.browsers import browser_name, place
from app.models import LoginSession, Role, now
from app.sets.queries import topic
from app.web.presence import UNATTENDED
from tests.factory import PASSWORD
from tests.web.server import Browser, Server, make_person, making, signed_in_browser

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.0 Mobile/15E148 Safari/604.1"
)


def logins(server: Server, browser: Browser) -> list[LoginSession]:
    with server.resources.database.read() as session:
        return session.query(LoginSession).filter_by(user_id=browser.user.id).order_by(LoginSession.id).all()


def leave_alone(server: Server, browser: Browser, minutes: float) -> None:
    """As if nobody had used the browser for that long."""
    with server.resources.database.write() as session:
        for login in session.query(LoginSession).filter_by(user_id=browser.user.id):
            login.seen_at = now() - timedelta(minutes=minutes)


def test_browsers_are_listed_as_a_person_would_say_it(server: Server, designer: Browser) -> None:
    with server.resources.database.write() as session:
        accounts.start_session(session, designer.user, FIREFOX, address="203.0.113.7")
        accounts.start_session(session, designer.user, IPHONE, address="192.168.1.20")
    page = designer.get("/account").text
    for words in ("Firefox on Windows", "203.0.113.7", "Safari on iOS", "your network, 192.168.1.20", "last seen"):
        assert words in page
    assert page.count("This browser") == 1
    assert "the computer that Soroe runs on" in page
    assert FIREFOX not in page


def test_one_of_them_is_ended(server: Server, designer: Browser) -> None:
    others = [signed_in_browser(server, designer.user) for _ in range(2)]
    _, first, _ = logins(server, designer)
    assert designer.post(f"/account/sessions/{first.id}/end").status_code == 303
    assert "Browser signed out." in designer.get("/account").text
    assert [browser.get("/").status_code for browser in (designer, *others)] == [200, 303, 200]
    designer.post(f"/account/sessions/{first.id}/end")
    assert "signed out already" in designer.get("/account").text
    for browser in others:
        browser.close()


def test_nobody_ends_sessions_of_others(server: Server, designer: Browser, admin: Browser) -> None:
    (theirs,) = logins(server, admin)
    designer.post(f"/account/sessions/{theirs.id}/end")
    assert admin.get("/").status_code == 200


def test_a_new_password_gives_a_new_token(server: Server, anonymous: Browser) -> None:
    person = make_person(server, Role.DESIGNER)
    anonymous.sign_in(person.email)
    old = anonymous.cookies["soroe"]
    form = {"current": PASSWORD, "password": "another long sentence"}
    assert anonymous.post("/account/password", data=form).status_code == 303
    assert anonymous.cookies["soroe"] != old
    assert anonymous.get("/account").status_code == 200
    with Browser(server.url, cookies={"soroe": old}) as thief:
        assert thief.get("/").status_code == 303


def test_a_lowered_role_applies_immediately(server: Server, admin: Browser) -> None:
    other = make_person(server, Role.ADMIN)
    theirs = signed_in_browser(server, other)
    assert theirs.get("/people").status_code == 200
    admin.post(f"/people/{other.id}", data={"role": "designer"})
    assert theirs.get("/people").status_code == 403
    assert theirs.post("/people/invite", data={"role": "admin"}).status_code == 403
    assert theirs.get("/").status_code == 200, "still signed in"
    admin.post(f"/people/{other.id}", data={"role": "admin"})
    assert theirs.get("/people").status_code == 200
    asked = theirs.post("/people/invite", data={"role": "admin"})
    assert "Confirm it’s you" in asked.text, "a new role needs a proof for its acts"
    theirs.close()


# Ending by itself


def test_an_idle_browser_is_signed_out(server: Server, designer: Browser) -> None:
    minutes = server.resources.settings.idle_minutes
    leave_alone(server, designer, minutes - 1)
    assert designer.get("/").status_code == 200
    leave_alone(server, designer, minutes)
    assert designer.get("/").status_code == 303
    server.resources.settings.idle_minutes = 0
    assert designer.get("/").status_code == 200, "0 is never"
    with server.resources.database.write() as session:
        session.query(LoginSession).filter_by(user_id=designer.user.id).one().expires_at = now()
    assert designer.get("/").status_code == 303, "but the days are counted still"


def test_it_is_not_listed_any_more(server: Server, designer: Browser, admin: Browser) -> None:
    assert "Sign out of 1 browser" in admin.get("/people").text
    leave_alone(server, designer, server.resources.settings.idle_minutes)
    assert "Sign out of 1 browser" not in admin.get("/people").text


@pytest.mark.parametrize(
    ("headers", "somebody"),
    [
        ({}, True),
        ({"hx-request": "true"}, True),
        ({UNATTENDED: "yes"}, False),
        ({"sec-fetch-dest": "image"}, False),
        ({"purpose": "prefetch"}, False),
        ({"sec-purpose": "prefetch;prerender"}, False),
        ({"accept": "text/event-stream"}, False),
    ],
)
def test_which_requests_count_as_activity(
    server: Server, designer: Browser, headers: dict[str, str], somebody: bool
) -> None:
    leave_alone(server, designer, 5)
    designer.get("/account", headers=headers)
    (before,) = logins(server, designer)
    assert now() - before.seen_at > timedelta(minutes=4), "pages write nothing"
    server.resources.presence.write()
    (login,) = logins(server, designer)
    assert (now() - login.seen_at < timedelta(minutes=1)) is somebody
    assert login.address == ("127.0.0.1" if somebody else "")


def test_a_stream_keeps_nobody_signed_in_and_ends_with_the_session(server: Server, designer: Browser) -> None:
    with making(server) as make:
        set_id = make.finished_set(designer.user).id
    with designer.stream("GET", f"/sets/{set_id}/news", headers={"accept": "text/event-stream"}) as stream:
        assert stream.status_code == 200
        leave_alone(server, designer, server.resources.settings.idle_minutes)
        server.app.state.dispatcher.changed(topic(set_id))
        for _ in stream.iter_lines():  # it ends by itself
            pass
    server.resources.presence.write()
    assert designer.get("/").status_code == 303


def test_reading_waits_for_no_writer(server: Server, designer: Browser) -> None:
    designer.get("/account")
    with server.resources.database.write() as session:
        session.query(LoginSession).first()  # takes the lock
        assert designer.get("/account").status_code == 200
    server.resources.presence.write()
    assert now() - logins(server, designer)[0].seen_at < timedelta(minutes=1)


# Leaving


def test_leaving_clears_the_browser(server: Server, anonymous: Browser) -> None:
    person, other = make_person(server, Role.DESIGNER), make_person(server, Role.DESIGNER)
    everything = '"cache", "storage"'
    assert "clear-site-data" not in anonymous.sign_in(person.email).headers
    assert anonymous.post("/logout").headers["clear-site-data"] == everything

    anonymous.sign_in(person.email)
    with server.resources.database.write() as session:
        session.query(LoginSession).update({"seen_at": now() - timedelta(days=2)})
    page = anonymous.get("/login")
    assert page.headers["clear-site-data"] == '"cache"', "who was away finds their drafts again"
    assert "soroe" not in anonymous.cookies
    assert "clear-site-data" not in anonymous.sign_in(person.email).headers

    with server.resources.database.write() as session:
        session.query(LoginSession).update({"seen_at": now() - timedelta(days=2)})
    anonymous.get("/login")
    assert anonymous.sign_in(other.email).headers["clear-site-data"] == everything, "somebody else comes"
    assert anonymous.sign_in(person.email).headers["clear-site-data"] == everything, "in the place of who is here"

    with server.resources.database.write() as session:
        session.query(LoginSession).delete()
    assert anonymous.get("/login").headers["clear-site-data"] == everything, "somebody ended it"


# Words


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox on Windows"),
        (IPHONE, "Safari on iOS"),
        ("curl/8.5.0", "curl"),
        ("", "A browser"),
        ("Mozilla/5.0", "A browser"),
        ("<script>alert(1)</script>", "A browser"),
    ],
)
def test_browsers_have_readable_names(user_agent: str, name: str) -> None:
    assert browser_name(user_agent) == name


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1", "the computer that Soroe runs on"),
        ("::1", "the computer that Soroe runs on"),
        ("::ffff:127.0.0.1", "the computer that Soroe runs on"),
        ("10.1.2.3", "your network, 10.1.2.3"),
        ("fe80::1%eth0", "your network, fe80::1"),
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("a socket", "a socket"),
        ("", ""),
    ],
)
def test_where_a_browser_is(address: str, words: str) -> None:
    assert place(address) == words
