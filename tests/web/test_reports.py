"""Reports in the browser: from the room, from a share link without an account, and the managers' list."""

from collections.abc import Callable

import pytest

from app.models import Act, PictureReport, Role, Share
from tests.engine.painter import Painter
from tests.web.server import Browser, Server, making, share_link, shared_export, spend
from tests.web.test_acts import count, newest
from tests.web.test_policy import hidden


def picture(server: Server) -> tuple[int, int]:
    with making(server) as make:
        image_set = make.finished_set(prompts="a fox")
        make.decide(image_set.images[0])
        return image_set.id, image_set.images[0].id


def test_a_picture_is_reported_held_back_and_decided(
    server: Server, designer: Browser, sign_in: Callable[..., Browser]
) -> None:
    manager = sign_in(Role.MANAGER)
    _set_id, image_id = picture(server)
    form = designer.get(f"/images/{image_id}/report", headers={"referer": f"{server.url}/review?image={image_id}"})
    back = hidden(form.text)["back"]
    sent = {"kind": "person", "words": "This is <Yamada>", "back": back}
    answer = designer.post(f"/images/{image_id}/report", data=sent)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/review?image={image_id}")
    assert "Reported</span>" in designer.get(f"/review?image={image_id}").text
    assert "1 report to decide" in manager.get("/").text
    shown = manager.get("/reports").text
    assert "This is &lt;Yamada&gt;" in shown
    assert "A real person without consent" in shown
    assert manager.post("/reports/1/hold").status_code == 303
    assert "Held back" in manager.get("/reports").text
    answer = manager.post("/reports/1/decide", data={"outcome": "dismissed", "reason": ""})
    assert answer.status_code == 422
    assert 'id="reason"' in answer.text
    assert manager.post("/reports/1/decide", data={"outcome": "dismissed", "reason": "It is not"}).status_code == 303
    assert "It is not" in manager.get("/reports?decided=1").text
    assert newest(server, Act.REPORT_DECIDE).details == {"report": 1, "verdict": "dismissed", "note": "It is not"}
    assert designer.get("/reports").status_code == 403


@pytest.mark.parametrize("engine", [Painter(slots=0)], ids=["idle"])
def test_only_a_finished_picture_is_reported(server: Server, designer: Browser) -> None:
    with making(server) as make:
        waiting = make.image_set(prompts="a fox").images[0].id
    page = f"/images/{waiting}/report"
    assert "This picture is not finished." in designer.get(page).text
    assert designer.post(page, data={"kind": "other", "words": "Six fingers"}).status_code == 404


def test_a_visitor_reports_a_picture_of_a_link(server: Server, anonymous: Browser) -> None:
    set_id, image_id = picture(server)
    export, _ = shared_export(server, set_id)
    token, share = share_link(server, export.id)
    page = f"/shared/{token}/pictures/1/report"
    assert f'href="{page}"' in anonymous.get(f"/shared/{token}?picture=1").text
    assert anonymous.get(page).status_code == 200
    answer = anonymous.post(page, data={"kind": "", "words": "That is my photograph"})
    assert answer.status_code == 422
    assert "That is my photograph</textarea>" in answer.text
    assert count(server, Act.REPORT) == 0
    answer = anonymous.post(page, data={"kind": "rights", "words": "That is my photograph"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/shared/{token}")
    with server.resources.database.read() as session:
        row = session.query(PictureReport).one()
        assert (row.image_id, row.reporter_id, row.words) == (image_id, None, "That is my photograph")
    spend(server, "report", f"share {share.id}")
    assert anonymous.post(page, data={"kind": "other"}).status_code == 429
    with server.resources.database.write() as session:
        session.get_one(Share, share.id).suspended_at = share.created_at
    assert anonymous.get(page).status_code == 404
    assert anonymous.post(page, data={"kind": "other"}).status_code == 404
