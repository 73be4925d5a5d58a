"""What people see where nobody approves their own pictures."""

from collections.abc import Callable

import pytest

from app.models import Image, Role
from tests.web.server import Browser, Server, making

WHY = "You made this picture, and in Autumn nobody approves their own pictures."


@pytest.fixture
def maker(sign_in: Callable[..., Browser]) -> Browser:
    return sign_in(Role.MANAGER, "Mori Haruka")


@pytest.fixture
def ids(server: Server, maker: Browser) -> list[int]:
    """A set of the maker's, then its pictures."""
    with making(server) as make:
        image_set = make.finished_set(maker.user, campaign="Autumn")
        return [image_set.id, *(image.id for image in image_set.images)]


def outcomes(server: Server) -> list[str | None]:
    with server.resources.database.read() as session:
        return [image.decision for image in session.query(Image).order_by(Image.id)]


def test_the_room_says_why_and_approves_nothing(server: Server, maker: Browser, ids: list[int]) -> None:
    for path in (f"/review?image={ids[1]}", f"/review?set={ids[0]}"):
        html = maker.get(path).text
        button = html.split('id="decide-ok"')[1].split(">")[0]
        assert 'disabled aria-describedby="why-own"' in button
        assert "disabled" not in html.split('id="decide-warn"')[1].split(">")[0]
        assert WHY in html
        assert 'href="/review/settings"' in html
    answer = maker.post(f"/images/{ids[1]}/decision", data={"verdict": "approved", "seen": ""})
    assert answer.headers["location"] == f"/review?image={ids[1]}"
    assert WHY in maker.get(answer.headers["location"]).text.split('id="toasts"')[1]
    compared = maker.get(f"/compare?ids={ids[1]},{ids[2]}").text
    assert compared.count(WHY) == 2
    maker.post("/pictures/decide", data={"ids": ids[1:], "verdict": "approved", "newest": "0"})
    assert "2 of 2 could not be approved: you made them, and in Autumn" in maker.get("/pictures").text
    assert outcomes(server) == [None, None]


def test_sets_without_a_campaign_are_named_in_the_readers_language(server: Server, maker: Browser) -> None:
    with making(server) as make:
        image_id = make.finished_set(maker.user).images[0].id
    html = maker.get(f"/review?image={image_id}", headers={"accept-language": "ja"}).text
    assert "「未分類」" in html
    assert "Unsorted" not in html


def test_an_approved_picture_asks_for_no_other_reviewer(
    maker: Browser, ids: list[int], sign_in: Callable[..., Browser]
) -> None:
    reviewer = sign_in(Role.REVIEWER, "Jo")
    assert "Jo can approve it." in maker.get(f"/review?image={ids[1]}").text
    reviewer.post(f"/images/{ids[1]}/decision", data={"verdict": "approved", "seen": ""})
    html = maker.get(f"/review?image={ids[1]}").text
    assert WHY in html
    assert "Jo can approve it." not in html


def test_own_pictures_do_not_wait_for_their_maker(
    maker: Browser, ids: list[int], sign_in: Callable[..., Browser]
) -> None:
    html = maker.get("/review").text
    assert "2 pictures of your own need another reviewer" in html
    assert "Other reviewers come next" in html
    assert "All reviewed" not in html
    assert "Nothing left to review" not in html
    reviewer = sign_in(Role.REVIEWER)
    assert f'data-image="{ids[1]}"' in reviewer.get("/review").text
    assert reviewer.post(f"/images/{ids[1]}/decision", data={"verdict": "approved", "seen": ""}).status_code == 303
    assert WHY not in reviewer.get(f"/review?image={ids[1]}").text


def test_designers_read_that_their_pictures_wait(server: Server, sign_in: Callable[..., Browser]) -> None:
    designer = sign_in(Role.DESIGNER)
    with making(server) as make:
        make.finished_set(designer.user, campaign="Autumn")
    html = designer.get("/review").text
    assert "2 pictures of your own need another reviewer" in html
    assert "Other reviewers come next" in html
    assert "Invite a reviewer" not in html


def test_who_may_invite_is_led_to_it_when_others_must_review(server: Server, sign_in: Callable[..., Browser]) -> None:
    invite = 'href="/people#h-add"'
    for role in (Role.MANAGER, Role.ADMIN):
        person = sign_in(role)
        assert invite not in person.get("/review").text, "nothing waits"
        with making(server) as make:
            make.finished_set(person.user, campaign="Autumn")
        assert (invite in person.get("/review").text) == (role == Role.ADMIN)
        with server.resources.database.write() as session:
            for image in session.query(Image):
                session.delete(image)
    assert 'id="h-add"' in person.get("/people").text


def test_managers_switch_it_off_and_on(server: Server, maker: Browser, ids: list[int]) -> None:
    def checked() -> bool:
        box = maker.get("/review/settings").text.split("Nobody approves their own pictures in Autumn")[1]
        return " checked" in box.split(">")[0]

    assert checked()
    assert maker.post("/review/campaigns/1/four-eyes", data={}).status_code == 303
    assert not checked()
    maker.post(f"/images/{ids[1]}/decision", data={"verdict": "approved", "seen": ""})
    assert outcomes(server)[0] == "approved"
    maker.post("/review/campaigns/1/four-eyes", data={"on": "1"})
    assert outcomes(server)[0] is None
    assert "Not counted: it is their own picture" in maker.get(f"/review?image={ids[1]}").text
    assert "approving own pictures not allowed" in maker.get("/record").text
