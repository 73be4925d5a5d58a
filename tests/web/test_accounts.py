import re
from collections.abc import Callable

import pytest

from app.accounts import service as accounts
from app.models import Role
from tests.factory import PASSWORD
from tests.web.server import Browser, Server, make_person, spend

FORM = {"name": "Mori Haruka", "email": "haruka@example.com", "password": "a sentence of my own"}


@pytest.fixture
def setup_path(server: Server) -> str:
    with server.resources.database.write() as session:
        link = accounts.create_setup_link(session, server.resources.settings)
    assert link is not None
    return "/setup/" + link.rsplit("/", 1)[1]


def test_the_setup_link_makes_the_first_administrator_once(anonymous: Browser, setup_path: str) -> None:
    assert "Create the first account" in anonymous.get(setup_path).text
    answer = anonymous.post(setup_path, data=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert anonymous.get("/people").status_code == 200
    again = anonymous.post(setup_path, data=FORM | {"email": "other@example.com"})
    assert again.status_code == 404
    assert "<h1>This link no longer works</h1>" in again.text
    assert "This link was already used" in again.text
    assert anonymous.get(setup_path).status_code == 404


def test_the_first_administrator_finds_reasons_in_their_language(anonymous: Browser, setup_path: str) -> None:
    anonymous.headers["accept-language"] = "ja"
    anonymous.post(setup_path, data=FORM)
    assert "作風から外れている" in anonymous.get("/review/settings").text
    assert "Off the look" not in anonymous.get("/review/settings").text


def test_a_wrong_form_comes_back_with_a_sentence_at_each_field(anonymous: Browser, setup_path: str) -> None:
    answer = anonymous.post(setup_path, data={"name": "", "email": "nobody", "password": "short"})
    assert answer.status_code == 422
    assert len(re.findall(r'id="(?:name|email|password)-error"', answer.text)) == 3
    assert 'value="nobody"' in answer.text
    assert 'value="short"' not in answer.text
    assert anonymous.post(setup_path, data=FORM).status_code == 303, "the link is still good"


def test_an_empty_server_says_where_its_link_is(anonymous: Browser) -> None:
    assert "Open the link that the server printed" in anonymous.get("/login").text


def test_signing_in_leads_to_where_one_wanted_to_go(server: Server, anonymous: Browser) -> None:
    user = make_person(server, Role.DESIGNER)
    answer = anonymous.get("/sets?owner=me")
    assert answer.headers["location"] == "/login?next=/sets%3Fowner%3Dme"
    page = anonymous.get(answer.headers["location"])
    assert 'value="/sets?owner=me"' in page.text
    form = {"email": user.email.upper(), "password": PASSWORD, "next": "/sets?owner=me"}
    assert anonymous.post("/login", data=form).headers["location"] == "/sets?owner=me"


@pytest.mark.parametrize(
    ("page", "leads"),
    [
        ("/sets/new?style=1", "/login?next=/sets/new%3Fstyle%3D1"),
        ("/people/1/reset", "/login?next=/"),
        ("", "/login?next=/"),
        ("http://[", "/login?next=/"),
    ],
)
def test_a_form_after_a_sign_out_leads_to_sign_in_and_back(
    page: str, leads: str, server: Server, anonymous: Browser
) -> None:
    headers = {"referer": page if page.startswith("http") else f"{server.url}{page}"}
    answer = anonymous.post("/sets", data={"prompts": "a fox"}, headers=headers)
    assert answer.status_code == 303
    assert answer.headers["location"] == leads
    assert "You were signed out, so this was not saved" in anonymous.get(leads).text


def test_a_browser_without_a_current_address_signs_in_to_the_home_page(anonymous: Browser) -> None:
    answer = anonymous.get("/sets", headers={"hx-request": "true", "hx-current-url": "http://["})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/login?next=/")


@pytest.mark.parametrize(
    "url", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/a\r\nb: c"]
)
def test_signing_in_leads_nowhere_else(server: Server, anonymous: Browser, url: str) -> None:
    user = make_person(server, Role.DESIGNER)
    answer = anonymous.post("/login", data={"email": user.email, "password": PASSWORD, "next": url})
    assert answer.headers["location"] == "/"


def test_a_wrong_password_and_an_unknown_person_get_the_same_answer(server: Server, anonymous: Browser) -> None:
    user = make_person(server, Role.DESIGNER)
    wrong = anonymous.sign_in(user.email, "not the password")
    unknown = anonymous.sign_in("nobody@example.com", "not the password")
    assert wrong.status_code == unknown.status_code == 422
    sentence = "This e-mail and password do not match"
    assert sentence in wrong.text
    assert sentence in unknown.text
    assert "set-cookie" not in wrong.headers


def test_too_many_tries_are_refused_for_one_person_only(server: Server, anonymous: Browser) -> None:
    one, two = make_person(server, Role.DESIGNER), make_person(server, Role.DESIGNER)
    assert "do not match" in anonymous.sign_in(one.email, "not the password").text
    spend(server, "sign-in", one.email)
    answer = anonymous.sign_in(one.email)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert "Too many attempts to sign in" in answer.text
    assert one.email in answer.text, "the form keeps what was typed"
    assert anonymous.sign_in(two.email).status_code == 303


def test_every_sign_in_is_a_new_session(server: Server, anonymous: Browser) -> None:
    user = make_person(server, Role.DESIGNER)
    anonymous.sign_in(user.email)
    first = anonymous.cookies["soroe"]
    anonymous.sign_in(user.email)
    assert anonymous.cookies["soroe"] != first
    with Browser(server.url, cookies={"soroe": first}) as thief:
        assert thief.get("/").status_code == 303, "the old one has ended"


def test_signing_out(designer: Browser) -> None:
    token = designer.cookies["soroe"]
    assert designer.post("/logout").headers["location"] == "/login"
    assert "soroe" not in designer.cookies
    designer.cookies["soroe"] = token
    assert designer.get("/").status_code == 303, "a copy of the cookie opens nothing"


def test_an_invitation(server: Server, admin: Browser) -> None:
    assert admin.post("/people/invite", data={"role": "reviewer"}).headers["location"] == "/people"
    link = re.search(r'value="(http[^"]+/setup/[^"]+)"', admin.get("/people").text)
    assert link is not None
    assert "/setup/" not in admin.get("/people").text, "shown only once"
    path = "/setup/" + link[1].rsplit("/", 1)[1]
    with Browser(server.url) as browser:
        assert "invited as <strong>reviewer</strong>" in browser.get(path).text
        assert browser.post(path, data=FORM).status_code == 303
        assert browser.get("/people").status_code == 403
    assert "Mori Haruka" in admin.get("/people").text


def test_a_deactivated_account_is_signed_out_immediately(
    server: Server, admin: Browser, sign_in: Callable[..., Browser]
) -> None:
    person = make_person(server, Role.DESIGNER)
    with Browser(server.url) as browser:
        browser.sign_in(person.email)
        answer = admin.post(f"/people/{person.id}", data={"active": "0"})
        assert answer.headers["location"] == f"/people?open={person.id}#person-{person.id}"
        assert browser.get("/").status_code == 303
        assert browser.sign_in(person.email).status_code == 422
        admin.post(f"/people/{person.id}", data={"active": "1"})
        assert browser.sign_in(person.email).status_code == 303


def test_a_new_role_applies_immediately(server: Server, admin: Browser) -> None:
    person = make_person(server, Role.DESIGNER)
    with Browser(server.url) as browser:
        browser.sign_in(person.email)
        assert admin.post(f"/people/{person.id}", data={"role": "admin"}).status_code == 303
        assert browser.get("/people").status_code == 200
    assert admin.post(f"/people/{person.id}", data={"role": "emperor"}).status_code == 422


def test_people_change_their_name(server: Server, admin: Browser, designer: Browser) -> None:
    before = designer.user.name
    assert designer.post("/account/name", data={"name": " 小川 葵 "}).status_code == 303
    page = designer.get("/account").text
    assert "Name saved." in page
    assert '<h1 lang="ja">小川 葵</h1>' in page
    assert ">小</button>" in page, "the avatar has the first letter of the family name"
    assert "小川 葵" in admin.get("/people").text
    assert f"{before} → 小川 葵" in admin.get("/record").text
    refused = designer.post("/account/name", data={"name": " "})
    assert refused.status_code == 422
    assert "Enter your name, so that others recognise you." in refused.text
    assert "小川 葵" in designer.get("/account").text


def test_a_new_password_ends_the_other_browsers(server: Server, anonymous: Browser) -> None:
    person = make_person(server, Role.DESIGNER)
    anonymous.sign_in(person.email)
    with Browser(server.url) as other:
        other.sign_in(person.email)
        wrong = anonymous.post("/account/password", data={"current": "no", "password": "another sentence"})
        assert wrong.status_code == 422
        assert 'id="current-error"' in wrong.text
        form = {"current": PASSWORD, "password": "another sentence"}
        assert anonymous.post("/account/password", data=form).status_code == 303
        assert "Password changed" in anonymous.get("/account").text
        assert "Password changed" not in anonymous.get("/account").text, "a toast is shown once"
        assert other.get("/").status_code == 303


def test_signing_the_others_out(server: Server, anonymous: Browser) -> None:
    person = make_person(server, Role.DESIGNER)
    anonymous.sign_in(person.email)
    with Browser(server.url) as other:
        other.sign_in(person.email)
        anonymous.post("/account/sessions/end")
        assert other.get("/").status_code == 303
        assert anonymous.get("/").status_code == 200


def test_a_password_of_personal_words_is_refused_everywhere(
    server: Server, anonymous: Browser, setup_path: str
) -> None:
    sentence = "little more than your own name or address"
    answer = anonymous.post(setup_path, data=FORM | {"password": "Haruka2026!"})
    assert answer.status_code == 422
    assert sentence in answer.text
    assert anonymous.post(setup_path, data=FORM).status_code == 303
    form = {"current": FORM["password"], "password": "h4ruk4-2026"}
    answer = anonymous.post("/account/password", data=form)
    assert answer.status_code == 422
    assert sentence in answer.text
