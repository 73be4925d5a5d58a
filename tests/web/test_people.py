"""The page on which administrators see people and open links, and the links themselves."""

import re
from collections.abc import Callable
from html import unescape

import pytest
from sqlalchemy import select

from app.accounts import people, queries
from app.accounts import service as accounts
from app.models import Act, ImageSet, Invitation, LoginSession, PasswordReset, Role, User
from tests.factory import PASSWORD
from tests.web.server import Browser, Server, make_person, making, signed_in_browser
from tests.web.test_accounts import FORM
from tests.web.test_acts import newest
from tests.web.test_confirm import grow_old

NEW = "another long sentence"
LETTERS = ("Xa", "Yb", "Zc")


def shown_link(admin: Browser) -> str:
    """The path of the link that the page shows once."""
    page = admin.get("/people").text
    found = re.search(r'value="http[^"]+(/(?:setup|reset)/[^"]+)"', page)
    assert found, "no link is shown"
    assert not re.search(r"/(?:setup|reset)/", admin.get("/people").text), "shown only once"
    return found[1]


def undo(browser: Browser, page: str) -> str:
    """Press Undo in the toast of a page, and return the page that follows."""
    found = re.search(r'action="(/undo/[^"]+)".*?name="back" value="([^"]+)"', page, re.DOTALL)
    assert found, "nothing can be undone"
    return browser.post(found[1], data={"back": unescape(found[2])}, follow_redirects=True).text


def test_links_are_listed_and_revoked(server: Server, admin: Browser, anonymous: Browser) -> None:
    admin.post("/people/invite", data={"role": "reviewer", "email": "new@example.com"})
    link = shown_link(admin)
    page = admin.get("/people").text
    assert "Reviewer, for new@example.com" in page
    assert f"by {admin.user.name}, until" in page
    assert 'aria-label="Revoke the invite link for a new reviewer, new@example.com"' in page
    assert 'value="new@example.com"' in anonymous.get(link).text
    assert admin.post("/people/invitations/1/revoke").status_code == 303
    page = admin.get("/people").text
    assert "Revoked" in page
    assert "/people/invitations/1/revoke" not in page
    assert "The invite link works again." in undo(admin, page)
    assert "/people/invitations/1/revoke" in admin.get("/people").text
    assert anonymous.get(link).status_code == 200
    admin.post("/people/invitations/1/revoke")
    assert "no longer works" in admin.get("/people").text
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


def test_a_long_list_of_people_loads_in_parts_and_is_searched(server: Server, admin: Browser) -> None:
    with making(server) as make:
        for number in range(120):
            make.user(Role.DESIGNER, f"Zora {number:03}", email=f"p{number}@example.com")
        make.user(Role.DESIGNER, "Gone Long Ago", active=False)

    def listed(path: str) -> list[str]:
        return re.findall(
            r'<strong[^>]*>((?:Zora \d+|Gone Long Ago)[^<]*)</strong><span class="small faint">', admin.get(path).text
        )

    path, seen = "/people", list[str]()
    while path:
        part = listed(path)
        assert len(part) <= queries.PEOPLE_PAGE
        seen += part
        more = re.search(r'href="(/people\?[^"]*after=[^"]+)"', admin.get(path).text)
        path = unescape(more[1]) if more else ""
    assert seen == [*(f"Zora {number:03}" for number in range(120)), "Gone Long Ago"]
    inside = ["Zora 001", "Zora 101"]
    assert listed("/people?q=zora 01") == [*(f"Zora 01{digit}" for digit in range(10)), *inside]
    assert listed("/people?q=P119@example") == ["Zora 119"]
    assert listed("/people?q=100%25") == [], "a search means what it says"
    assert len(admin.get("/people").content) < 150_000


def test_a_role_changes_on_purpose_stays_in_view_and_is_undone(server: Server, admin: Browser) -> None:
    person = make_person(server, Role.DESIGNER)
    there = admin.post(f"/people/{person.id}", data={"role": "manager", "back": "role=designer"}).headers["location"]
    assert there == f"/people?role=designer&open={person.id}#person-{person.id}"
    page = admin.get(f"/people?open={person.id}").text
    assert re.search(rf'id="person-{person.id}"[^>]*>\s*<details open>', page)
    assert f"{person.name} now has the role manager." in page
    assert f"{person.name} has the role designer again." in undo(admin, page)
    admin.post(f"/people/{person.id}", data={"role": "manager"})
    page = admin.get("/people").text
    with server.resources.database.write() as session:
        people.set_role(session, session.get_one(User, make_admin(server)), person.id, "reviewer")
    assert "Other Admin changed the role of" in undo(admin, page)


def make_admin(server: Server) -> int:
    return make_person(server, Role.ADMIN, "Other Admin").id


def test_people_are_found_by_words_role_and_state(server: Server, admin: Browser) -> None:
    for number, role in enumerate((Role.DESIGNER, Role.DESIGNER, Role.REVIEWER)):
        make_person(server, role, f"Findable {LETTERS[number]}")
    gone = make_person(server, Role.MANAGER, "Gone")
    admin.post(f"/people/{gone.id}", data={"active": "0"})

    def found(query: str) -> list[str]:
        page = admin.get(f"/people?{query}").text.split('id="people"')[1].split("</ul>")[0]
        return re.findall(r"<strong>([^<]+)</strong>", page)

    assert found("q=findable") == ["Findable Xa", "Findable Yb", "Findable Zc"]
    assert found("q=able+yb") == ["Findable Yb"]
    assert found("role=reviewer") == ["Findable Zc"]
    assert found("state=closed") == ["Gone"]
    assert "Findable Xa" in found("state=unseen")
    assert admin.user.name not in found("state=unseen"), "here a moment ago"
    assert found("q=%25") == []
    assert "Nobody matches" in admin.get("/people?q=nobody").text


def test_work_is_handed_over_and_given_back(server: Server, admin: Browser) -> None:
    leaving, heir = make_person(server, Role.DESIGNER, "Leaving"), make_person(server, Role.DESIGNER, "Heir")
    with making(server) as make:
        owner = make.session.get_one(User, leaving.id)
        ids = [make.finished_set(owner, make.style(owner)).id for _ in range(2)]
    path = f"/people/{leaving.id}/transfer"
    refused = admin.post(path, data={"to": leaving.email})
    assert "another person with an active account" in refused.text
    assert "<details open>" in refused.text, "where it was typed"
    assert admin.post(path, data={"to": heir.email}).status_code == 303
    page = admin.get("/people").text
    assert "Heir now owns 2 sets and 2 styles of Leaving." in page
    assert owners(server, ids) == {heir.id}
    assert "Leaving owns this work again." in undo(admin, page)
    assert owners(server, ids) == {leaving.id}
    admin.post(f"/people/{heir.id}/transfer", data={"to": leaving.email})
    assert "Heir owns nothing" in admin.get("/people").text


def owners(server: Server, set_ids: list[int]) -> set[int]:
    with server.resources.database.read() as session:
        sets = session.scalars(select(ImageSet).where(ImageSet.id.in_(set_ids))).all()
        return {image_set.owner_id for image_set in sets} | {
            owner for image_set in sets for owner in {image.owner_id for image in image_set.images}
        }
