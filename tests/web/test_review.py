"""The review room over HTTP: what it shows, where decisions lead, and who may do what."""

import re
from collections.abc import Callable
from html import unescape
from urllib.parse import unquote

import pytest

from app.models import Decision, Image, ImageSet, Mention, Role, Thread, Verdict
from app.reviews import service
from app.styles import service as styles
from app.styles.spec import ReferenceSpec
from tests.web.server import Browser, Server, making

REASON = "Off the look"


@pytest.fixture
def image_ids(server: Server) -> list[int]:
    with making(server) as make:
        image_set = make.finished_set(prompts="a fox\na teapot\nan owl", name="Autumn")
        return [image.id for image in image_set.images]


@pytest.fixture
def reviewer(sign_in: Callable[..., Browser]) -> Browser:
    return sign_in(Role.REVIEWER, "Ito Kenji")


@pytest.fixture
def manager(sign_in: Callable[..., Browser]) -> Browser:
    return sign_in(Role.MANAGER, "Mori Haruka")


def decide(browser: Browser, image_id: int, verdict: str, seen: str = "", reason: str = REASON) -> str:
    """Where a decision leads."""
    data = {"verdict": verdict, "seen": seen, "scope": "set=1", "reason": reason}
    answer = browser.post(f"/images/{image_id}/decision", data=data)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def seen_in(page: str) -> str:
    found = re.search(r'name="seen" value="(\d*)"', page)
    assert found is not None
    return found[1]


def outcomes(server: Server) -> list[tuple[Verdict | None, int]]:
    with server.resources.database.read() as session:
        return [(image.decision, image.approvals) for image in session.query(Image).order_by(Image.id)]


def verdicts(server: Server) -> list[Verdict | None]:
    return [decision for decision, _ in outcomes(server)]


# Deciding


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


def test_the_end_of_a_review_sums_up_and_leads_on(server: Server, manager: Browser, image_ids: list[int]) -> None:
    with making(server) as make:
        make.finished_set(prompts="a bell", name="Winter")
    for image_id, verdict in zip(image_ids, ("approved", "changes_requested", "rejected"), strict=True):
        decide(manager, image_id, verdict)
    page = manager.get("/review?set=1").text
    for said in ("1 approved", "1 with changes requested", "1 rejected", "Review Winter", "Export 1 approved"):
        assert said in page
    assert 'href="/pictures?set=1&amp;decision=changes_requested"' in page or "Redo 1 with changes" in page
    with making(server) as make:
        make.session.get_one(Image, image_ids[1]).campaign.approvals_needed = 2
    decide(manager, image_ids[1], "approved", seen="2")
    assert "1 picture needs more approvals by other reviewers" in manager.get("/review?set=1").text


def test_the_room_says_which_picture_to_fetch_ahead(reviewer: Browser, image_ids: list[int]) -> None:
    one, two, three = image_ids
    decide(reviewer, two, "approved")
    page = reviewer.get(f"/review?set=1&image={one}").text
    assert f'data-next="/review?set=1&amp;image={three}" data-next-image="{three}"' in page
    assert f'data-following="{two}"' in page


def test_a_rejection_asks_for_a_reason_and_shows_it(server: Server, reviewer: Browser, image_ids: list[int]) -> None:
    here = decide(reviewer, image_ids[0], "rejected", reason="")
    assert here == f"/review?set=1&image={image_ids[0]}"
    assert "Choose a reason for the rejection" in reviewer.get(here).text
    assert verdicts(server)[0] is None
    decide(reviewer, image_ids[0], "rejected")
    dock = reviewer.get(here).text.split('id="room-dock"')[1]
    assert re.search(r'class="decided-why">Off the look</span>', dock)


def test_a_decision_can_be_undone(server: Server, reviewer: Browser, image_ids: list[int]) -> None:
    url = decide(reviewer, image_ids[0], "approved")
    page = reviewer.get(url).text
    assert "a fox: approved" in page
    form = re.search(r'<form class="toast".*?action="(.*?)".*?</form>', page, re.DOTALL)
    assert form is not None
    answer = reviewer.post(form[1], data={"scope": "set=1"})
    assert answer.headers["location"] == f"/review?set=1&image={image_ids[0]}"
    assert verdicts(server)[0] is None, "as if nobody had decided"
    assert '<form class="toast"' not in reviewer.get(url).text, "what is undone cannot be undone again"
    again = reviewer.post(form[1], data={"scope": "set=1"})
    assert "withdrawn or replaced" in reviewer.get(again.headers["location"]).text


def test_the_toast_tells_the_outcome_that_others_decided(
    reviewer: Browser, sign_in: Callable[..., Browser], image_ids: list[int]
) -> None:
    url = decide(reviewer, image_ids[0], "approved")
    other = sign_in(Role.REVIEWER, "Anna Keller")
    decide(other, image_ids[0], "rejected", seen="1")
    toast = reviewer.get(url).text.split('<form class="toast"')[1].split("</form>")[0]
    assert "a fox: rejected by Anna Keller. Your decision is saved." in toast
    assert "approved" not in toast


def test_the_toast_tells_how_many_approvals_are_there(server: Server, reviewer: Browser, image_ids: list[int]) -> None:
    with making(server) as make:
        make.session.get_one(Image, image_ids[0]).campaign.approvals_needed = 2
    toast = reviewer.get(decide(reviewer, image_ids[0], "approved")).text.split('<form class="toast"')[1]
    assert "a fox: 1 of 2 approvals" in toast.split("</form>")[0]


def test_only_own_decisions_can_be_undone(
    reviewer: Browser, sign_in: Callable[..., Browser], image_ids: list[int]
) -> None:
    url = decide(reviewer, image_ids[0], "approved")
    other = sign_in(Role.REVIEWER)
    assert '<form class="toast"' not in other.get(url).text
    assert other.post("/decisions/1/withdraw").status_code == 403


def test_a_manager_withdraws_anybodys(
    server: Server, reviewer: Browser, manager: Browser, image_ids: list[int]
) -> None:
    decide(reviewer, image_ids[0], "rejected")
    page = manager.get(f"/review?set=1&image={image_ids[0]}").text
    assert "Withdraw the decision of Ito Kenji" in page
    assert manager.post("/decisions/1/withdraw", data={"scope": "set=1"}).status_code == 303
    assert verdicts(server)[0] == Verdict.WITHDRAWN


def test_a_stale_decision_is_refused_and_the_picture_shown_as_it_is_now(
    server: Server, reviewer: Browser, sign_in: Callable[..., Browser], image_ids: list[int]
) -> None:
    other = sign_in(Role.REVIEWER)
    decide(reviewer, image_ids[0], "approved")
    here = decide(other, image_ids[0], "rejected")
    assert here == f"/review?set=1&image={image_ids[0]}"
    assert verdicts(server)[0] == Verdict.APPROVED
    with server.resources.database.read() as session:
        assert session.query(Decision).count() == 1
    page = other.get(here).text
    assert "Ito Kenji just approved this picture" in page
    assert "toast--bad" in page.split('<template id="toast-bad">')[0]
    decide(other, image_ids[0], "rejected", seen_in(page))
    assert verdicts(server)[0] == Verdict.REJECTED, "who has looked again can decide"


def test_partial_approvals_are_shown_everywhere(
    server: Server, reviewer: Browser, manager: Browser, image_ids: list[int]
) -> None:
    with server.resources.database.write() as session:
        service.set_approvals(session, manager.user, 1, 2)
    decide(reviewer, image_ids[0], "approved")
    assert outcomes(server)[0] == (None, 1)
    here = f"/review?set=1&image={image_ids[0]}"
    room = reviewer.get(here).text
    assert "1 of 2 approvals" in room.split('id="room-dock"')[1]
    assert "a fox, 1 of 2 approvals" in room.split('id="room-strip"')[1], "the strip"
    assert re.search(r"1 of 2\s*</span>", reviewer.get("/sets/1").text), "the set's page"
    assert f"/images/{image_ids[1]}.png" in reviewer.get("/review?set=1").text, "it has left the reviewer's queue"
    decide(manager, image_ids[0], "approved", seen_in(manager.get(here).text))
    assert outcomes(server)[0] == (Verdict.APPROVED, 2)


def test_a_comment_goes_with_the_decision_or_not_at_all(
    server: Server, reviewer: Browser, image_ids: list[int]
) -> None:
    form = {"verdict": "rejected", "seen": "", "scope": "set=1", "body": "The ear", "x": "0.3", "y": "0.4"}
    path = f"/images/{image_ids[0]}/decision"
    for wrong in ({"reason": ""}, {"reason": REASON, "x": "2"}):
        assert reviewer.post(path, data=form | wrong).headers["location"] == f"/review?set=1&image={image_ids[0]}"
        with server.resources.database.read() as session:
            assert session.query(Thread).count() == session.query(Decision).count() == 0
    reviewer.post(path, data=form | {"reason": REASON})
    with server.resources.database.read() as session:
        assert [(each.x, each.comments[0].body) for each in session.query(Thread)] == [(0.3, "The ear")]
        assert session.query(Decision).count() == 1


def test_signed_out_while_deciding_returns_to_the_picture(server: Server, image_ids: list[int]) -> None:
    with Browser(server.url) as stranger:
        here = f"{server.url}/review?set=1&image={image_ids[1]}"
        answer = stranger.post("/images/1/decision", headers={"HX-Request": "true", "HX-Current-URL": here})
    assert answer.status_code == 401
    assert unquote(answer.headers["hx-redirect"]) == f"/login?next=/review?set=1&image={image_ids[1]}"


# Locks


def test_a_locked_set(server: Server, reviewer: Browser, manager: Browser, image_ids: list[int]) -> None:
    here = f"/review?set=1&image={image_ids[0]}"
    decide(reviewer, image_ids[0], "approved")
    assert reviewer.post("/sets/1/lock").status_code == 403
    answer = manager.post("/sets/1/lock", data={"image": str(image_ids[0]), "scope": "set=1"})
    assert answer.headers["location"] == here
    page = reviewer.get(here).text
    assert "Mori Haruka locked the decisions of this set on" in page
    assert len(re.findall(r'disabled aria-describedby="why-locked"', page)) == 3
    assert "/withdraw" not in page
    refused = decide(reviewer, image_ids[1], "approved")
    assert "locked the decisions" in reviewer.get(refused).text.split('id="toasts"')[1]
    assert verdicts(server) == [Verdict.APPROVED, None, None]
    locked = manager.get("/sets/1").text
    assert "/sets/1/unlock" in locked
    assert "</svg>Locked</span>" in locked
    assert 'data-needs="judge"' not in locked, "nothing of it can be reviewed"
    room = manager.get("/review?set=1").text
    assert "Mori Haruka locked the decisions of this set on" in room
    assert "All reviewed" not in room
    assert "/sets/1/unlock" not in reviewer.get(here).text
    assert manager.post("/sets/1/unlock").headers["location"] == "/sets/1"
    assert "/sets/1/lock" in manager.get("/sets/1").text
    with server.resources.database.read() as session:
        assert session.get_one(ImageSet, 1).locked_at is None


# Conversations


def test_comments(reviewer: Browser, designer: Browser, image_ids: list[int]) -> None:
    path = f"/images/{image_ids[1]}/comments"
    answer = designer.post(path, data={"body": "<i>The ear</i>\nis gone", "scope": "set=1"})
    assert answer.headers["location"] == f"/review?set=1&image={image_ids[1]}"
    page = reviewer.get(answer.headers["location"]).text
    assert "&lt;i&gt;The ear&lt;/i&gt;\nis gone" in page
    assert reviewer.post(path, data={"body": " "}).status_code == 422
    assert reviewer.post("/images/99/comments", data={"body": "hello"}).status_code == 404


def test_pins_are_in_the_right_place(reviewer: Browser, image_ids: list[int]) -> None:
    path, here = f"/images/{image_ids[0]}/comments", f"/review?image={image_ids[0]}"
    reviewer.post(path, data={"body": "The ear", "x": "0.29", "y": "0.333"})
    assert re.search(r'x="29.0%"\s+y="33.3%"', reviewer.get(here).text)
    for x, y in (("0.5", ""), ("1.5", "0.5"), ("left", "top"), ("nan", "0.5")):
        assert reviewer.post(path, data={"body": "Here", "x": x, "y": y}).status_code == 422
    reviewer.post("/threads/1/resolve", data={"image": str(image_ids[0])})
    page = reviewer.get(here).text
    assert "data-pin=" not in page, "what is done is not on the picture any more"
    assert "1 resolved" in page


def test_threads(server: Server, reviewer: Browser, designer: Browser, image_ids: list[int]) -> None:
    designer.post(f"/images/{image_ids[0]}/comments", data={"body": "The ear is gone"})
    scope = {"scope": "set=1", "image": str(image_ids[0])}
    here = f"/review?set=1&image={image_ids[0]}"
    assert reviewer.post("/threads/1/replies", data=scope | {"body": "Again, then"}).headers["location"] == here
    assert designer.post("/threads/1/resolve", data=scope).headers["location"] == here
    late = reviewer.post("/threads/1/resolve", data=scope)
    assert "already resolved" in reviewer.get(late.headers["location"]).text
    assert reviewer.post("/threads/1/reopen", data={}).headers["location"] == f"/review?image={image_ids[0]}"
    page = reviewer.get(here).text
    assert page.index("The ear is gone") < page.index("Again, then")
    with server.resources.database.read() as session:
        assert session.get_one(Thread, 1).resolved_at is None
    assert reviewer.post("/threads/9/resolve").status_code == 404


def test_mentioned_people_are_marked(reviewer: Browser, designer: Browser, image_ids: list[int]) -> None:
    body = f"@Ito Kenji, <b>look</b> @{designer.user.name}! @Itokawa & me@home"
    designer.post(f"/images/{image_ids[0]}/comments", data={"body": body})
    said = re.search(r'id="said-1">.*?<p[^>]*>(.*?)</p>', reviewer.get("/review?image=1").text, re.DOTALL)
    assert said is not None
    assert said[1] == (
        '<mark class="named named--you">@Ito Kenji</mark>, &lt;b&gt;look&lt;/b&gt; '
        f'<mark class="named">@{designer.user.name}</mark>! @Itokawa &amp; me@home'
    )


def test_a_field_keeps_its_name_while_others_comment(
    reviewer: Browser, designer: Browser, image_ids: list[int]
) -> None:
    """By its id htmx recognises it, with everything written in it; after sending, a new one is empty."""

    def fields() -> list[str]:
        return re.findall(r'<textarea id="((?:comment|reply)-[\d-]+)"', reviewer.get("/review?image=1").text)

    reviewer.post("/images/1/comments", data={"body": "The ear"})
    assert fields() == (before := ["reply-1-1", "comment-1-1"])
    designer.post("/threads/1/replies", data={"body": "Gone"})
    designer.post("/images/1/comments", data={"body": "The tail"})
    assert fields() == [before[0], "reply-2-0", before[1]]
    reviewer.post("/threads/1/replies", data={"body": "Thank you"})
    reviewer.post("/images/1/comments", data={"body": "The nose"})
    assert fields() == ["reply-1-2", "reply-2-0", "reply-3-1", "comment-1-2"]


def test_a_mention_waits_at_home_until_the_picture_is_opened(
    server: Server, reviewer: Browser, designer: Browser, image_ids: list[int]
) -> None:
    designer.post(f"/images/{image_ids[0]}/comments", data={"body": "@Ito Kenji, is this ear right?"})
    assert f"{designer.user.name}</span> mentioned you" in reviewer.get("/").text
    here = f"/review?set=1&image={image_ids[0]}"
    page = reviewer.get(here, headers={"purpose": "prefetch"}).text
    assert "mentioned you" in reviewer.get("/").text, "what is fetched ahead was not seen yet"
    designer.post(f"/images/{image_ids[0]}/comments", data={"body": "And @Ito Kenji, the tail?"})
    # The page sends this itself as soon as it is shown.
    form = re.search(
        rf'<form action="(/images/{image_ids[0]}/mentions)".*?hx-trigger="load".*?</form>', page, re.DOTALL
    )
    assert form
    ids = re.findall(r'name="ids" value="(\d+)"', form[0])
    sent = {"ids": ids, "scope": "set=1"}
    assert reviewer.post(form[1], data=sent, headers={"hx-request": "true"}).status_code == 204
    with server.resources.database.read() as session:
        seen = {each.comment_id: each.seen_at is not None for each in session.query(Mention)}
    assert seen == {1: True, 2: False}, "the second was not on that page"
    assert designer.post(form[1], data={"ids": [1, 2]}).headers["location"] == f"/review?image={image_ids[0]}"
    assert "mentioned you" in reviewer.get("/").text, "others mark nothing"
    assert reviewer.post(form[1], data=sent | {"ids": [2]}).headers["location"] == f"/review?set=1&image={image_ids[0]}"
    assert "mentioned you" not in reviewer.get("/").text
    assert '"/mentions' not in reviewer.get(here).text


# Scopes, versions, settings


def test_scopes(server: Server, reviewer: Browser, image_ids: list[int]) -> None:
    with making(server) as make:
        owner = make.user(name="森 はるか")
        style = make.style(name="Another look")
        other = make.finished_set(owner, style, prompts="a whale", campaign="Winter")
        code, campaign, whale = style.code, other.campaign.id, other.images[0].id
    assert "1 of 4" in reviewer.get("/review").text
    for query, name in (
        (f"style={code}", "Another look"),
        (f"campaign={campaign}", "Winter"),
        (f"owner={owner.id}", "森 はるか"),
        (f"campaign={campaign}&style={code}", "Another look, Winter"),
    ):
        page = reviewer.get(f"/review?{query}").text
        assert "1 of 1" in page
        assert re.search(rf"<h1[^>]*>{name}</h1>", page)
        assert f"/images/{whale}.png" in page
    assert "All reviewed" in reviewer.get(f"/review?set=1&owner={owner.id}").text
    with making(server) as make:
        waiting = make.image_set(prompts="a fail").images[0].id
    for query in (f"image={waiting}", "set=99", "style=SOR-XXXX", "campaign=99", "owner=99", "image=99"):
        assert reviewer.get(f"/review?{query}").status_code == 404, query
    assert reviewer.get("/review?set=one").status_code == 200, "no number: no scope"


def test_a_replaced_version_can_only_be_viewed(server: Server, reviewer: Browser, image_ids: list[int]) -> None:
    with server.resources.database.write() as session:
        first, newer = (session.get_one(Image, image_id) for image_id in image_ids[:2])
        first.superseded, first.shown = True, False
        newer.position, newer.version = first.position, 2
    page = reviewer.get(f"/review?set=1&image={image_ids[0]}").text
    assert "A newer version replaced this one" in page
    assert 'id="decide"' not in page
    assert f"/compare?ids={image_ids[0]},{image_ids[1]}&amp;from=/review" in page, "the other version"
    refused = decide(reviewer, image_ids[0], "approved")
    assert "A newer version replaced this picture" in reviewer.get(refused).text


def test_compare_takes_the_next_pictures_of_the_set(reviewer: Browser, image_ids: list[int]) -> None:
    one, two, three = image_ids
    page = reviewer.get(f"/review?set=1&image={two}").text
    address = re.search(rf'href="(/compare\?ids={two},{three},{one}&amp;from=[^"]*)"', page)
    assert address is not None
    compared = reviewer.get(address[1].replace("&amp;", "&")).text
    assert f'href="/review?set=1&amp;image={two}"' in compared, "and back"


def test_a_redone_picture_stays_in_the_same_review(server: Server, manager: Browser, image_ids: list[int]) -> None:
    here = f"/review?campaign=1&owner=1&image={image_ids[0]}"
    page = manager.get(here).text
    back = re.search(r'name="from" value="([^"]*)"', page)
    assert back is not None
    form = {"prompt": "a red fox", "seed": "", "strength": "1", "count": "1", "from": unescape(back[1])}
    assert manager.post(f"/images/{image_ids[0]}/again", data=form).headers["location"] == here
    assert f'href="/review?campaign=1&amp;owner=1&amp;image={image_ids[1]}"' in manager.get(here).text


def test_the_bar_shows_deciders_how_many_wait(reviewer: Browser, designer: Browser, image_ids: list[int]) -> None:
    assert re.search(r'id="pending-reviews">.*?3</span>', reviewer.get("/").text)
    assert "pending-reviews" not in designer.get("/").text
    decide(reviewer, image_ids[0], "approved")
    assert re.search(r'id="pending-reviews">.*?2</span>', reviewer.get("/").text)


def test_an_empty_scope_leads_to_the_other_pictures(
    server: Server, reviewer: Browser, designer: Browser, image_ids: list[int]
) -> None:
    with making(server) as make:
        done = make.finished_set(prompts="a whale")
        make.decide(done.images[0])
        address = f"/review?set={done.id}"
    page = reviewer.get(address).text
    assert re.search(r'href="/review">Review the other 3</a>', page)
    for image_id in image_ids:
        decide(reviewer, image_id, "approved")
    assert "Review the other" not in reviewer.get(address).text


def test_a_closed_picture_says_only_why(
    server: Server, reviewer: Browser, designer: Browser, manager: Browser, image_ids: list[int]
) -> None:
    with server.resources.database.write() as session:
        service.set_approvals(session, manager.user, 1, 2)
        first, newer = (session.get_one(Image, image_id) for image_id in image_ids[:2])
        first.superseded, first.shown = True, False
        newer.position, newer.version = first.position, 2

    def dock(browser: Browser, image_id: int) -> str:
        return browser.get(f"/review?set=1&image={image_id}").text.split('id="room-dock"')[1].split("</aside>")[0]

    assert "0 of 2 approvals" in dock(reviewer, image_ids[2])
    assert "Then opens the next picture" in dock(reviewer, image_ids[2])
    assert "of 2 approvals" not in dock(designer, image_ids[2])
    assert "of 2 approvals" not in dock(reviewer, image_ids[0])
    manager.post("/sets/1/lock")
    assert "Then opens the next picture" not in dock(reviewer, image_ids[2])


def test_every_reference_of_the_style_is_there_with_its_right(
    server: Server, reviewer: Browser, image_ids: list[int]
) -> None:
    with making(server) as make:
        owner = make.user()
        one, two = make.reference(owner), make.reference(owner)
        make.right(two, owned_by="Ito Studio")
        parts = tuple(ReferenceSpec(reference_id=each.id) for each in (one, two))
        style = styles.create(make.session, owner, make.draft(one, references=parts))
        make.session.flush()
        image = make.finished_set(owner, style, prompts="a whale").images[0].id
        first, second = one.id, two.id
    figures = re.findall(r'<figure class="ref".*?</figure>', reviewer.get(f"/review?image={image}").text, re.DOTALL)
    assert ["hidden>" in each.split("\n")[0] for each in figures] == [False, True]
    assert [f"/references/{id}" in each for id, each in zip((first, second), figures, strict=True)] == [True, True]
    assert ["No rights recorded" in each for each in figures] == [True, False]
    assert "2 of 2" in figures[1]
    compared = reviewer.get(f"/compare?ids={image}&reference={first}").text
    another = re.search(r'href="([^"]*)"\s+aria-label="Reference 1 of 2, show next"', compared)
    assert another
    assert unescape(another[1]) == f"/compare?ids={image}&reference={second}"


def test_a_refused_reason_stays_in_its_field(manager: Browser) -> None:
    manager.post("/review/reasons", data={"words": "Not our brand"})
    for path in ("/review/reasons", "/review/reasons/1"):
        answer = manager.post(path, data={"words": "not our brand"})
        assert answer.status_code == 422
        field = re.search(r'id="words"[^>]*value="([^"]*)"[^>]*aria-invalid="true"', answer.text)
        assert field, path
        assert field[1] == "not our brand"
        assert "is already in the list" in answer.text


def test_settings(server: Server, manager: Browser, reviewer: Browser, image_ids: list[int]) -> None:
    here = "/review/settings"
    assert reviewer.get(here).status_code == 403
    assert reviewer.post("/review/reasons", data={"words": "Mine"}).status_code == 403

    def send(path: str, **data: str) -> str:
        answer = manager.post(f"/review/{path}", data=data)
        there = answer.headers["location"]
        assert there.partition("?")[0] == here
        return manager.get(there).text

    def listed(page: str) -> list[str]:
        return re.findall(r'name="words"\s+value="([^"]*)"', page)

    before = listed(manager.get(here).text)
    page = send("reasons", words="Not our brand")
    assert listed(page) == [*before, "Not our brand"]
    page = send("reasons/6/move", to="up")
    assert listed(page)[-2] == "Not our brand"
    assert listed(send("reasons/6", words="ブランドに合わない"))[-2] == "ブランドに合わない"
    assert listed(send("reasons/6/remove")) == before
    page = send("campaigns/1", approvals="3")
    assert '<option value="3" selected>' in page
    assert "from 1 to 5" in send("campaigns/1", approvals="9")
    assert manager.post("/review/campaigns/9", data={"approvals": "2"}).status_code == 404


def test_a_writer_edits_and_deletes_a_comment_without_scripts(server: Server, sign_in: Callable[..., Browser]) -> None:
    writer, other = sign_in(name="Ito Kenji"), sign_in()
    with making(server) as make:
        image_id = make.finished_set().images[0].id
    writer.post(f"/images/{image_id}/comments", data={"body": "The ear"})
    room = f"/review?image={image_id}"
    assert "/comments/1/edit" in writer.get(room).text
    assert "/comments/1/edit" not in other.get(room).text
    answer = writer.post("/comments/1/edit", data={"body": "The tail"})
    assert answer.headers["location"] == room
    page = other.get(room).text
    assert "The tail" in page
    assert ">edited</span>" in page
    other.post("/threads/1/replies", data={"body": "Which?"})
    writer.post("/comments/1/delete")
    page = other.get(room).text
    assert "Comment deleted" in page
    assert "The tail" not in page
    assert "Which?" in page
    assert other.post("/comments/1/restore").status_code == 403
    writer.post("/comments/1/restore")
    assert "The tail" in other.get(room).text
