"""What people see of work at which the engine stopped three times, and how they answer."""

from collections.abc import Callable

from app.models import Role, State
from app.work import queue
from tests.factory import Factory
from tests.web.server import Browser, Server, making

HELD = "Held: the engine stopped three times while making these pictures."
QUESTION = "Try again or remove them?"
HELD_TRAINING = "Held: the engine stopped three times during this training."
ABOUT_TRAINING = "Try again or cancel it?"


def hold(make: Factory) -> None:
    unit = queue.claim_next(make.session)
    assert unit
    unit.crashes = queue.MOST_CRASHES - 1
    queue.lose_unit(make.session, unit.id, "The engine stopped.")


def test_held_pictures_ask_those_who_may_answer(server: Server, sign_in: Callable[..., Browser]) -> None:
    owner, other, admin = sign_in(Role.DESIGNER), sign_in(Role.DESIGNER), sign_in(Role.ADMIN)
    with making(server) as make:
        image_set = make.image_set(owner.user, prompts="a fox\nan owl")
        hold(make)
    page = f"/sets/{image_set.id}"
    for path in (page, "/"):
        for browser in (owner, admin):
            shown = browser.get(path).text
            assert HELD in shown
            assert QUESTION in shown
            assert f'action="{page}/held/retry"' in shown
            assert f'action="{page}/held/remove"' in shown
    assert HELD in other.get(page).text
    assert QUESTION not in other.get(page).text, "nobody is asked what they may not answer"
    assert f"{page}/held" not in other.get(page).text
    assert HELD not in other.get("/").text
    assert "2 held" in owner.get("/sets").text
    assert other.post(f"{page}/held/remove").status_code == 403
    assert "Removed 2 pictures." in owner.post(f"{page}/held/remove", follow_redirects=True).text
    assert HELD not in owner.get(page).text


def test_a_held_training_asks_too(server: Server, sign_in: Callable[..., Browser]) -> None:
    owner, other = sign_in(Role.DESIGNER), sign_in(Role.DESIGNER)
    with making(server) as make:
        make.finished_set(prompts="a fox")
        subject = make.subject(owner.user)
        hold(make)
    page = f"/subjects/{subject.id}"
    for path in (page, "/"):
        shown = owner.get(path).text
        assert HELD_TRAINING in shown
        assert ABOUT_TRAINING in shown
        assert shown.count(f'action="{page}/retry"') == shown.count(f'action="{page}/cancel"') == 1
    assert HELD_TRAINING in other.get(page).text
    assert ABOUT_TRAINING not in other.get(page).text
    assert f"{page}/cancel" not in other.get(page).text
    assert "Held" in owner.get("/subjects").text
    owner.post(f"{page}/cancel")
    assert HELD_TRAINING not in owner.get(page).text
    with server.resources.database.read() as session:
        assert session.get_one(type(subject), subject.id).state == State.CANCELLED
