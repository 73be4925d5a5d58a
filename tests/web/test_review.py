import re
from collections.abc import Callable

import pytest

from app.models import Decision, Image, Role, Verdict
from tests.web.server import Browser, Server, making


@pytest.fixture
def image_ids(server: Server) -> list[int]:
    with making(server) as make:
        image_set = make.finished_set(prompts="a fox\na teapot\nan owl", name="Autumn")
        return [image.id for image in image_set.images]


@pytest.fixture
def reviewer(sign_in: Callable[..., Browser]) -> Browser:
    return sign_in(Role.REVIEWER, "Ito Kenji")


def decide(browser: Browser, image_id: int, verdict: str, seen: str = "", **more: str) -> str:
    """Where a decision leads."""
    answer = browser.post(
        f"/images/{image_id}/decision", data={"verdict": verdict, "seen": seen, "scope": "set=1"} | more
    )
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def verdicts(server: Server) -> list[Verdict | None]:
    with server.parts.database.read() as session:
        return [image.decision for image in session.query(Image).order_by(Image.id)]


def test_decisions_lead_from_picture_to_picture(server: Server, reviewer: Browser, image_ids: list[int]) -> None:
    one, two, three = image_ids
    page = reviewer.get("/review?set=1").text
    assert f"/images/{one}.png" in page
    assert "1 of 3" in page
    assert decide(reviewer, one, "approved") == f"/review?set=1&image={two}&undo=1"
    assert decide(reviewer, three, "rejected") == f"/review?set=1&image={two}&undo=2", "from the start again"
    url = decide(reviewer, two, "changes_requested")
    assert url == "/review?set=1&undo=3"
    assert "All reviewed" in reviewer.get(url).text
    assert verdicts(server) == [Verdict.APPROVED, Verdict.CHANGES_REQUESTED, Verdict.REJECTED]


def test_a_decision_can_be_undone(server: Server, reviewer: Browser, image_ids: list[int]) -> None:
    url = decide(reviewer, image_ids[0], "approved")
    page = reviewer.get(url).text
    assert "a fox: approved" in page
    form = re.search(r'<form class="toast".*?</form>', page, re.DOTALL)
    assert form is not None
    seen = re.search(r'name="seen" value="(\d+)"', form[0])
    assert seen is not None
    back = decide(reviewer, image_ids[0], "withdrawn", seen[1], undo="1")
    assert back == f"/review?set=1&image={image_ids[0]}"
    assert verdicts(server)[0] == Verdict.WITHDRAWN
    assert '<form class="toast"' not in reviewer.get(url).text, "what is withdrawn cannot be undone again"


def test_only_ones_own_decision_can_be_undone(
    reviewer: Browser, sign_in: Callable[..., Browser], image_ids: list[int]
) -> None:
    url = decide(reviewer, image_ids[0], "approved")
    assert '<form class="toast"' not in sign_in(Role.REVIEWER).get(url).text


def test_a_stale_decision_is_refused_and_the_picture_shown_as_it_is_now(
    server: Server, reviewer: Browser, sign_in: Callable[..., Browser], image_ids: list[int]
) -> None:
    other = sign_in(Role.REVIEWER)
    decide(reviewer, image_ids[0], "approved")
    here = decide(other, image_ids[0], "rejected")
    assert here == f"/review?set=1&image={image_ids[0]}"
    assert verdicts(server)[0] == Verdict.APPROVED
    with server.parts.database.read() as session:
        assert session.query(Decision).count() == 1
    page = other.get(here).text
    assert "Ito Kenji approved this picture meanwhile" in page
    assert "toast--bad" in page.split('<template id="toast-bad">')[0]
    seen = re.search(r'name="seen" value="(\d+)"', page)
    assert seen is not None
    decide(other, image_ids[0], "rejected", seen[1])
    assert verdicts(server)[0] == Verdict.REJECTED, "who has looked again can decide"


def test_comments(reviewer: Browser, designer: Browser, image_ids: list[int]) -> None:
    path = f"/images/{image_ids[1]}/comments"
    answer = designer.post(path, data={"body": "<i>The ear</i>\nis gone", "scope": "set=1"})
    assert answer.headers["location"] == f"/review?set=1&image={image_ids[1]}"
    page = reviewer.get(answer.headers["location"]).text
    assert "&lt;i&gt;The ear&lt;/i&gt;\nis gone" in page
    assert reviewer.post(path, data={"body": " "}).status_code == 422
    assert reviewer.post("/images/99/comments", data={"body": "hello"}).status_code == 404


def test_scopes(server: Server, reviewer: Browser, image_ids: list[int]) -> None:
    with making(server) as make:
        style = make.style(name="Another look")
        other = make.finished_set(style=style, prompts="a whale", campaign="Winter")
        code, campaign, whale = style.code, other.campaign.id, other.images[0].id
    assert "1 of 4" in reviewer.get("/review").text
    for query, name in ((f"style={code}", "Another look"), (f"campaign={campaign}", "Winter")):
        page = reviewer.get(f"/review?{query}").text
        assert "1 of 1" in page
        assert f"<h1>{name}</h1>" in page
        assert f"/images/{whale}.png" in page
    with making(server) as make:
        waiting = make.image_set(prompts="a fail").images[0].id
    for query in (f"image={waiting}", "set=99", "style=SOR-XXXX", "campaign=99", "image=99"):
        assert reviewer.get(f"/review?{query}").status_code == 404, query
    assert reviewer.get("/review?set=one").status_code == 200, "no number: no scope"


def test_how_many_wait_is_said_in_the_bar_to_those_who_decide(
    reviewer: Browser, designer: Browser, image_ids: list[int]
) -> None:
    assert re.search(r'id="pending-reviews">.*?3</span>', reviewer.get("/").text)
    assert "pending-reviews" not in designer.get("/").text
    decide(reviewer, image_ids[0], "approved")
    assert re.search(r'id="pending-reviews">.*?2</span>', reviewer.get("/").text)
