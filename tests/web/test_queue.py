"""The page of the queue, the acts on it, and what they change on other pages."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.models import Role, StyleMap
from tests.engine.painter import Painter
from tests.web.server import Browser, Server, making

IDLE = pytest.mark.parametrize("engine", [Painter(slots=0)], ids=["idle"])


@IDLE
def test_a_manager_orders_the_queue_without_scripts(server: Server, sign_in: Callable[..., Browser]) -> None:
    manager = sign_in(Role.MANAGER)
    with making(server) as make:
        first, second = make.image_set(name="Spring"), make.image_set(name="Autumn")
    page = manager.get("/queue").text
    assert page.index("Spring") < page.index("Autumn")
    answer = manager.post(f"/queue/set/{second.id}/move", data={"to": "top"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/queue")
    page = manager.get("/queue").text
    assert page.index("Autumn") < page.index("Spring")
    manager.post(f"/queue/set/{first.id}/move", data={"to": f"set-{second.id}"})
    page = manager.get("/queue").text
    assert page.index("Spring") < page.index("Autumn")
    assert manager.post(f"/queue/set/{first.id}/move", data={"to": "sideways"}).status_code == 403
    assert "set-cookie" in manager.post(f"/queue/set/{first.id}/move", data={"to": "down"}).headers
    manager.cookies.delete("toast")
    at_the_end = manager.post(f"/queue/set/{first.id}/move", data={"to": "down"})
    assert (at_the_end.status_code, at_the_end.headers.get("set-cookie")) == (303, None), "nothing changed"


@IDLE
def test_a_paused_set_says_so_everywhere(server: Server, designer: Browser) -> None:
    with making(server) as make:
        image_set = make.image_set(make.session.get_one(type(designer.user), designer.user.id), name="Autumn")
    address = f"/sets/{image_set.id}"
    answer = designer.post(f"/queue/set/{image_set.id}/pause", data={"from": address})
    assert answer.headers["location"] == address
    page = designer.get(address).text
    assert "2 pictures wait until someone resumes the set" in page
    assert "Resume the set" in page
    for other in ("/", "/queue"):
        assert "Paused" in designer.get(other).text, other
    again = designer.post(f"/queue/set/{image_set.id}/pause", follow_redirects=True)
    assert "This is already paused." in again.text
    designer.post(f"/queue/set/{image_set.id}/resume")
    assert "Pause the set" in designer.get(address).text


@IDLE
@pytest.mark.parametrize(("role", "who"), [(Role.MANAGER, "managers"), (Role.ADMIN, "administrators")])
def test_the_owner_reads_who_can_resume_it(
    server: Server, sign_in: Callable[..., Browser], designer: Browser, role: Role, who: str
) -> None:
    with making(server) as make:
        image_set = make.image_set(make.session.get_one(type(designer.user), designer.user.id))
    sign_in(role).post(f"/queue/set/{image_set.id}/pause")
    page = designer.get(f"/sets/{image_set.id}").text
    assert f"2 pictures wait. Only {who} can resume it." in page
    assert "until someone resumes" not in page


@IDLE
def test_a_paused_queue_says_who_and_why(server: Server, sign_in: Callable[..., Browser], designer: Browser) -> None:
    admin = sign_in(Role.ADMIN, "Ito Kenji")
    with making(server) as make:
        image_set = make.image_set(name="Autumn")
    assert admin.post("/queue/pause", data={"reason": " "}).status_code == 422
    assert admin.post("/queue/pause", data={"reason": "New disk"}).status_code == 303
    for page in ("/", "/queue", f"/sets/{image_set.id}"):
        assert "Ito Kenji paused the queue: New disk." in designer.get(page).text, page
    assert "Pause the queue" not in designer.get("/queue").text
    admin.post("/queue/resume")
    assert "paused the queue" not in designer.get("/queue").text


@IDLE
def test_one_picture_leaves_the_queue(server: Server, designer: Browser) -> None:
    with making(server) as make:
        owner = make.session.get_one(type(designer.user), designer.user.id)
        image_set = make.image_set(owner, prompts="a fox\nan owl\na pear")
        image_id = image_set.images[1].id
    address = f"/sets/{image_set.id}"
    assert "Remove an owl" in designer.get(address).text
    answer = designer.post(f"/images/{image_id}/cancel")
    assert answer.headers["location"] == address
    page = designer.get(address).text
    assert "Remove an owl" not in page
    assert "Retry an owl" in page
    assert "2 queued, 1 cancelled" in page
    assert "no longer waiting" in designer.post(f"/images/{image_id}/cancel", follow_redirects=True).text


@IDLE
def test_estimates_and_strips_say_that_the_queue_is_paused(server: Server, admin: Browser) -> None:
    with making(server) as make:
        code = make.style().code
    admin.post("/queue/pause", data={"reason": "New model"})
    assert admin.get("/sets/estimate?prompts=1&count=1").text == "Paused: New model"
    started = admin.post("/strips", data={"style": code, "prompts": "a fox", "count": "1"}).json()
    assert started["said"] == "Paused: New model."
    assert admin.get(f"/strips/{started['id']}").json()["said"] == "Paused: New model."


def asked_for(server: Server, browser: Browser, code: str, image_id: int) -> tuple[str, list[str]]:
    """Ask for drafts of settings, a strip and a map; returns the page of the first, and the topics of all."""
    place = browser.post("/tunings", data={"style": code, "prompts": "a fox\nan owl"}).headers["location"]
    strip = browser.post("/strips", data={"style": code, "prompts": "a pear", "count": "1"}).json()["id"]
    browser.post(f"/images/{image_id}/map")
    with server.resources.database.read() as session:
        (map_id,) = session.scalars(select(StyleMap.id))
    return place, [f"tuning-{place.rpartition('/')[2]}", f"strip-{strip}", f"map-{map_id}"]


@IDLE
def test_drafts_and_maps_are_in_the_queue_and_managers_cancel_them(
    server: Server, sign_in: Callable[..., Browser]
) -> None:
    one, other, manager = sign_in(Role.DESIGNER, "Sato Aoi"), sign_in(Role.DESIGNER), sign_in(Role.MANAGER)
    with making(server) as make:
        code = make.style(name="Harvest").code
        image_id = make.finished_set(prompts="a crane").images[0].id
    place, topics = asked_for(server, one, code, image_id)
    with making(server) as make:
        make.image_set(name="Autumn")
    for path in ("/", "/queue"):
        page = other.get(path).text.partition('id="queue"')[2]
        assert [page.index(f'id="queue-{topic}"') for topic in topics] == sorted(
            page.index(f'id="queue-{topic}"') for topic in topics
        ), "in the order in which they are served"
        assert page.index("a fox / an owl") < page.index("a pear") < page.index("a crane") < page.index("Autumn")
        assert "Find the best setting: Harvest" in page
        assert "Queued, #4" in page, "the set that waits behind them"
        assert page.count("Sato Aoi") >= 3
        assert not any(f'id="cancel-{topic}"' in page for topic in topics)
        assert f'href="{place}"' not in page, "it is not theirs"
        assert f'href="{place}"' in one.get(path).text
    for topic in topics:
        address = f"/queue/{topic.replace('-', '/')}/cancel"
        assert other.post(address).status_code == 403
        assert f'id="cancel-{topic}"' in one.get("/queue").text
        assert manager.post(address, data={"from": "/"}).headers["location"] == "/"
        assert f'id="queue-{topic}"' not in other.get("/queue").text
        assert "Nothing of this is waiting" in manager.post(address, follow_redirects=True).text
    assert "These drafts were cancelled." in one.get(place).text
    assert manager.post("/queue/set/1/cancel").status_code == 404
    page = manager.get("/queue").text
    assert "Queued, next" in page


@IDLE
def test_who_asked_for_drafts_and_maps_cancels_them(server: Server, designer: Browser) -> None:
    with making(server) as make:
        code = make.style(name="Harvest").code
        image_id = make.finished_set(prompts="a crane").images[0].id
    for topic in asked_for(server, designer, code, image_id)[1]:
        assert f'id="cancel-{topic}"' in designer.get("/queue").text
        cancelled = designer.post(f"/queue/{topic.replace('-', '/')}/cancel", follow_redirects=True)
        assert "Cancelled." in cancelled.text, topic
        assert f'id="queue-{topic}"' not in cancelled.text


@IDLE
def test_nobody_orders_or_pauses_drafts(server: Server, sign_in: Callable[..., Browser]) -> None:
    manager = sign_in(Role.MANAGER)
    with making(server) as make:
        code = make.style().code
    place = manager.post("/tunings", data={"style": code, "prompts": "a fox"}).headers["location"]
    with making(server) as make:
        for name in ("Spring", "Autumn"):
            make.image_set(name=name)
    page = manager.get("/queue").text
    number = place.rpartition("/")[2]
    assert f'id="queue-tuning-{number}"' in page
    for act in ("pause", "up", "top"):
        assert f'id="{act}-tuning-{number}"' not in page
        assert f'id="{act}-set-' in page
