"""What people see of work that failed and waits for its next try, and how they try it now."""

from collections.abc import Callable
from datetime import timedelta

from app.models import Role, now
from app.work import queue
from tests.factory import Factory
from tests.web.server import Browser, Server, making

WAITS = "2 pictures failed and will be tried again. The next try is at"
TRAINING_WAITS = "The training failed and will be tried again. The next try is at"


def fail(make: Factory) -> None:
    unit = queue.claim_next(make.session)
    assert unit
    queue.fail_unit(make.session, unit.id, "It broke.", transient=True)
    unit.retry_at = now() + timedelta(seconds=50)


def test_pictures_say_when_they_are_tried_again_and_their_owner_can_do_it_now(
    server: Server, sign_in: Callable[..., Browser]
) -> None:
    owner, other = sign_in(Role.DESIGNER), sign_in(Role.DESIGNER)
    with making(server) as make:
        image_set = make.image_set(owner.user, prompts="a fox\nan owl")
        fail(make)
    page = f"/sets/{image_set.id}"
    assert WAITS in owner.get(page).text
    assert owner.get(page).text.count("Failed. Next try at") == 2
    assert f'action="{page}/retry-now"' in owner.get(page).text
    assert WAITS in other.get(page).text
    assert f"{page}/retry-now" not in other.get(page).text
    assert "Failed, next try at" in other.get("/").text
    assert owner.post(f"{page}/retry-now").status_code == 303
    assert "Next try at" not in owner.get(page).text


def test_a_training_says_it_too(server: Server, sign_in: Callable[..., Browser]) -> None:
    owner, other = sign_in(Role.DESIGNER), sign_in(Role.DESIGNER)
    with making(server) as make:
        make.finished_set(prompts="a fox")
        subject = make.subject(owner.user)
        fail(make)
    page = f"/subjects/{subject.id}"
    assert TRAINING_WAITS in owner.get(page).text
    assert f'action="{page}/retry"' in owner.get(page).text
    assert TRAINING_WAITS in other.get(page).text
    assert f"{page}/retry" not in other.get(page).text
    assert "Failed, next try at" in other.get("/").text
    owner.post(f"{page}/retry")
    assert TRAINING_WAITS not in owner.get(page).text
