"""The page on which administrators see people and open links, and the links themselves."""

import re
from collections.abc import Callable

import pytest

from app.accounts import service as accounts
from app.models import Act, Invitation, LoginSession, PasswordReset, Role, User
from tests.factory import PASSWORD
from tests.web.server import Browser, Server, make_person, signed_in_browser
from tests.web.test_accounts import FORM
from tests.web.test_acts import newest
from tests.web.test_confirm import grow_old

NEW = "another long sentence"


def shown_link(admin: Browser) -> str:
    """The path of the link that the page shows once."""
    page = admin.get("/people").text
    found = re.search(r'value="http[^"]+(/(?:setup|reset)/[^"]+)"', page)
    assert found, "no link is shown"
    assert not re.search(r"/(?:setup|reset)/", admin.get("/people").text), "shown only once"
    return found[1]


def test_links_are_listed_and_revoked(server: Server, admin: Browser, anonymous: Browser) -> None:
    admin.post("/people/invite", data={"role": "reviewer", "email": "new@example.com"})
    link = shown_link(admin)
    page = admin.get("/people").text
    assert "Reviewer, for new@example.com" in page
    assert f"by {admin.user.name}, until" in page
    assert 'data-confirm="Revoke the invite link for a new reviewer, new@example.com?' in page
    assert 'value="new@example.com"' in anonymous.get(link).text
    assert admin.post("/people/invitations/1/revoke").status_code == 303
    page = admin.get("/people").text
    assert "Revoked" in page
    assert "/people/invitations/1/revoke" not in page
    refused = anonymous.post(link, data=FORM | {"email": "new@example.com"})
    assert refused.status_code == 404
    assert "This link was revoked. Ask an administrator for a new one." in refused.text
    admin.post("/people/invitations/1/revoke")
    assert "Nothing was changed" in admin.get("/people").text
    event = newest(server, Act.INVITATION_REVOKE)
    assert (event.user_id, event.subject, event.subject_id) == (admin.user.id, "invitations", 1)


def test_a_wrong_address_leaves_the_form_as_it_was(server: Server, admin: Browser) -> None:
    answer = admin.post("/people/invite", data={"role": "manager", "email": admin.user.email})
    assert answer.status_code == 422
    assert "already has an account with this address" in answer.text
    assert f'value="{admin.user.email}"' in answer.text
    assert re.search(r'value="manager" checked', answer.text)


def test_a_closed_account_comes_back_by_a_link_to_its_address(
    server: Server, admin: Browser, anonymous: Browser
) -> None:
    person = make_person(server, Role.MANAGER, "Bo Old")
    admin.post(f"/people/{person.id}", data={"active": "0"})
    admin.post("/people/invite", data={"role": "designer", "email": person.email})
    page = admin.get("/people").text
    assert "It reactivates the account of <strong>Bo Old</strong>" in page
    assert "reactivates the account of Bo Old" in page
    found = re.search(r'value="http[^"]+(/setup/[^"]+)"', page)
    assert found
    assert "Your earlier account and its work are restored" in anonymous.get(found[1]).text
    form = {"name": "Bo", "email": person.email, "password": NEW}
    assert anonymous.post(found[1], data=form).status_code == 303
    assert person.email in anonymous.get("/account").text
    with server.resources.database.read() as session:
        assert session.get(User, person.id).name == "Bo"


def test_pages_call_the_highest_role_administrator(admin: Browser, anonymous: Browser) -> None:
    admin.post("/people/invite", data={"role": "admin"})
    page = admin.get("/people").text
    assert "Invite link for a new administrator" in page
    assert "Administrator, you" in page
    assert ", administrator</p>" in admin.get("/account").text
    link = re.search(r'value="http[^"]+(/setup/[^"]+)"', page)
    assert link
    assert "You are invited as <strong>administrator</strong>" in anonymous.get(link[1]).text


def test_a_reset_link(server: Server, admin: Browser, anonymous: Browser) -> None:
    person = make_person(server, Role.DESIGNER, "Ito Kenji")
    theirs = signed_in_browser(server, person)
    assert admin.post(f"/people/{person.id}/reset").headers["location"] == "/people"
    link = shown_link(admin)
    assert "Password reset for Ito Kenji" in admin.get("/people").text
    assert person.email in anonymous.get(link).text
    poor = anonymous.post(link, data={"password": "short"})
    assert poor.status_code == 422
    assert 'id="password-error"' in poor.text
    assert theirs.get("/").status_code == 200
    done = anonymous.post(link, data={"password": NEW})
    assert done.headers["location"] == "/login"
    assert "Password changed" in anonymous.get("/login").text
    assert theirs.get("/").status_code == 303, "signed out"
    assert anonymous.get(link).status_code == 404
    assert anonymous.sign_in(person.email, PASSWORD).status_code == 422
    assert anonymous.sign_in(person.email, NEW).status_code == 303
    assert newest(server, Act.RESET_USE).user_id == person.id
    theirs.close()


def test_a_reset_link_is_revoked(server: Server, admin: Browser, anonymous: Browser) -> None:
    person = make_person(server, Role.DESIGNER)
    admin.post(f"/people/{person.id}/reset")
    link = shown_link(admin)
    admin.post("/people/resets/1/revoke")
    assert "This link was revoked" in anonymous.get(link).text
    admin.post(f"/people/{admin.user.id}/reset")
    assert "Change your own password" in admin.get("/people").text


def test_a_person_is_signed_out_everywhere(server: Server, admin: Browser) -> None:
    person = make_person(server, Role.DESIGNER, "Ito Kenji")
    browsers = [signed_in_browser(server, person) for _ in range(2)]
    assert "Sign out of 2 browsers" in admin.get("/people").text
    admin.post(f"/people/{person.id}/sessions/end")
    assert "Ito Kenji was signed out of 2 browsers." in admin.get("/people").text
    for browser in browsers:
        assert browser.get("/").status_code == 303
        browser.close()
    assert admin.get("/people").status_code == 200


ACTS = [
    ("/people/invite", {"role": "admin"}),
    ("/people/{person}", {"role": "admin"}),
    ("/people/{person}", {"active": "0"}),
    ("/people/{person}/reset", {}),
    ("/people/{person}/sessions/end", {}),
    ("/people/invitations/1/revoke", {}),
    ("/people/resets/1/revoke", {}),
    ("/account/sessions/end", {}),
    ("/account/sessions/1/end", {}),
]


@pytest.fixture
def rows(server: Server) -> Callable[[], object]:
    def rows() -> object:
        with server.resources.database.read() as session:
            tables = (Invitation, PasswordReset, LoginSession)
            return [[(row.id, getattr(row, "revoked_at", None)) for row in session.query(table)] for table in tables]

    return rows


def test_sensitive_acts_wait_for_a_confirmation(server: Server, admin: Browser, rows: Callable[[], object]) -> None:
    person = make_person(server, Role.DESIGNER)
    with server.resources.database.write() as session:
        accounts.invite(session, admin.user, "designer")
        accounts.create_reset(session, admin.user, person.id)
        accounts.start_session(session, admin.user)
    grow_old(server, admin)
    before = rows()
    for path, form in ACTS:
        answer = admin.post(path.format(person=person.id), data=form)
        assert answer.status_code == 403, path
        assert "Confirm it’s you" in answer.text, path
    assert rows() == before, "nothing was done"
    with server.resources.database.read() as session:
        same = session.get(type(person), person.id)
        assert (same.role, same.active) == (Role.DESIGNER, True)
