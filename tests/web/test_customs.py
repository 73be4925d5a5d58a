"""Checklists on their pages, in the review room and for many pictures."""

import re
from collections.abc import Callable
from html import unescape

import pytest

from app.customs import queries as customs
from app.models import Decision, Image, Role, Verdict
from app.reviews import requirements
from tests.statements import counted
from tests.web.server import Browser, Server, making

JAPAN = 1
HTMX = {"hx-request": "true"}


@pytest.fixture
def manager(sign_in: Callable[..., Browser]) -> Browser:
    return sign_in(Role.MANAGER)


@pytest.fixture
def autumn(server: Server) -> int:
    """The set 1, with pictures 1 to 3, whose campaign 1 requires the list of Japan."""
    with making(server) as make:
        made = make.finished_set(prompts="a fox\nan owl\na teapot", campaign="Autumn")
        requirements.require(make.session, make.user(Role.MANAGER), made.campaign_id, [JAPAN])
        return made.id


def answers(server: Server, answer: str = "fine", **other: str) -> dict[str, str]:
    """The fields of all items; `other` answers by key."""
    with server.resources.database.read() as session:
        items = customs.required(session, [JAPAN])[JAPAN].items
    return {f"answer:1:{item.key}:{item.stamp}": other.get(item.key.replace("-", "_"), answer) for item in items}


def toast(browser: Browser, path: str) -> str:
    found = re.search(r'id="toasts".*?</div>\s*</div>', browser.get(path).text, re.DOTALL)
    return unescape(re.sub(r"<[^>]+>|\s+", " ", found[0])) if found else ""


def decision(server: Server, image_id: int) -> Verdict | None:
    with server.resources.database.read() as session:
        return session.get_one(Image, image_id).decision


def test_the_room_asks_only_where_a_list_is_required(
    server: Server, autumn: int, sign_in: Callable[..., Browser]
) -> None:
    reviewer = sign_in(Role.REVIEWER)
    page = reviewer.get("/review?set=1&image=1").text
    assert "No groups of four or nine things" in page
    assert "0 of 17" in page
    assert "data-check" not in sign_in(Role.DESIGNER).get("/review?set=1&image=1").text
    with making(server) as make:
        other = make.finished_set(campaign="Winter")
        image_id = other.images[0].id
    assert "data-check" not in reviewer.get(f"/review?image={image_id}").text


def test_answers_are_saved_as_they_are_given_and_approve_then(
    server: Server, autumn: int, sign_in: Callable[..., Browser]
) -> None:
    reviewer = sign_in(Role.REVIEWER)
    refused = reviewer.post("/images/1/decision", data={"verdict": "approved", "scope": "set=1"})
    assert refused.headers["location"] == "/review?set=1&image=1"
    assert "not answered: Japan (17 of 17)" in toast(reviewer, "/review?set=1&image=1")
    some = dict(list(answers(server).items())[:5])
    assert reviewer.post("/images/1/checklists", data=some, headers=HTMX).status_code == 204
    assert "5 of 17" in reviewer.get("/review?set=1&image=1").text  # in a second tab too
    answer = reviewer.post("/images/1/checklists", data=answers(server) | {"scope": "set=1"})
    assert answer.headers["location"] == "/review?set=1&image=1"
    assert "Answers saved." in toast(reviewer, "/review?set=1&image=1")
    reviewer.post("/images/1/decision", data={"verdict": "approved", "scope": "set=1"})
    assert decision(server, 1) == Verdict.APPROVED
    room = reviewer.get("/review?set=1&image=1").text
    link = re.search(r"/decisions/\d+/checklists", room)
    assert link
    shown = sign_in(Role.DESIGNER).get(link[0]).text
    assert "17 fine" in shown
    assert "No groups of four or nine things" in shown
    assert reviewer.get("/decisions/404/checklists").status_code == 404


def test_what_is_not_fine_is_the_prefilled_reason(server: Server, autumn: int, sign_in: Callable[..., Browser]) -> None:
    reviewer = sign_in(Role.REVIEWER)
    sent = answers(server, four_nine="not_fine")
    note = next(name for name in sent if ":four-nine:" in name).replace("answer:", "note:")
    reviewer.post("/images/1/checklists", data=sent | {note: "four cups"}, headers=HTMX)
    page = unescape(reviewer.get("/review?set=1&image=1").text)
    area = re.search(r'<textarea[^>]*id="decide-reason"[^>]*>([^<]*)', page)
    assert area
    assert area[1].startswith("Not fine: No groups of four")
    assert area[1].endswith("(four cups)")
    reviewer.post("/images/1/decision", data={"verdict": "approved"})
    assert decision(server, 1) is None
    reviewer.post("/images/1/decision", data={"verdict": "changes_requested", "reason": "Use five cups."})
    assert "Use five cups." in reviewer.get("/review?set=1&image=1").text


def test_a_note_that_is_too_long_is_a_sentence(server: Server, autumn: int, sign_in: Callable[..., Browser]) -> None:
    reviewer = sign_in(Role.REVIEWER)
    sent = answers(server)
    sent |= {name.replace("answer:", "note:"): "n" * 301 for name in list(sent)[:1]}
    answer = reviewer.post("/images/1/checklists", data=sent, headers=HTMX)
    assert answer.status_code == 422
    assert "301 characters" in answer.text


def test_the_gallery_asks_once_for_the_selected_pictures(
    server: Server, autumn: int, sign_in: Callable[..., Browser]
) -> None:
    reviewer = sign_in(Role.REVIEWER)
    picked = {"ids": ["1", "2", "3"], "verdict": "approved", "newest": "0", "query": "campaign=1"}
    first = reviewer.post("/pictures/decide", data=picked, headers=HTMX)
    there = first.headers["hx-redirect"]
    assert there.startswith("/pictures/checklists?ids=1&ids=2&ids=3&")
    assert reviewer.post("/pictures/decide", data=picked).headers["location"] == there
    page = reviewer.get(there).text
    assert "The same answers for 3 pictures" in page
    assert "Autumn requires checklists for 3 of them." in page
    some = dict(list(answers(server).items())[:-1])
    refused = reviewer.post("/pictures/decide", data=picked | some)
    assert refused.status_code == 422
    assert "not answered: Japan (1 of 17)" in refused.text
    assert refused.text.count(" checked") == 16  # nothing is lost
    bad = reviewer.post("/pictures/decide", data=picked | answers(server, kimono="not_fine"))
    assert bad.status_code == 422
    assert decision(server, 1) is None
    done = reviewer.post("/pictures/decide", data=picked | answers(server))
    assert done.headers["location"] == "/pictures?campaign=1"
    assert {decision(server, each) for each in (1, 2, 3)} == {Verdict.APPROVED}
    everything = {"all": "1", "seen": "3", "query": "campaign=1", "verdict": "approved", "newest": "0"}
    again = sign_in(Role.REVIEWER).post("/pictures/decide", data=everything)
    assert again.headers["location"].startswith("/pictures/checklists?all=1&query=campaign%3D1&seen=3&")


def test_a_forged_approval_of_many_is_refused_by_the_service(
    server: Server, autumn: int, sign_in: Callable[..., Browser]
) -> None:
    """Someone may remove a requirement's page from the way: the service itself counts."""
    reviewer = sign_in(Role.REVIEWER)
    wrong = {f"answer:1:{key}:000000000000": "fine" for key in ("four-nine", "kimono")}
    answer = reviewer.post("/pictures/decide", data={"ids": "1", "verdict": "approved", "newest": "0"} | wrong)
    assert answer.status_code == 422
    assert decision(server, 1) is None
    odd = {"answer:1:four-nine": "fine", "answer:x:y:z": "fine", "answer:1:a:b": "nonsense", "note:1": "x"}
    assert reviewer.post("/images/1/checklists", data=odd, headers=HTMX).status_code == 204
    with server.resources.database.read() as session:
        assert session.query(Decision).count() == 0


def test_answers_to_a_list_that_is_no_longer_required_say_so(
    server: Server, autumn: int, sign_in: Callable[..., Browser]
) -> None:
    reviewer, sent = sign_in(Role.REVIEWER), answers(server)
    with making(server) as make:
        requirements.require(make.session, make.user(Role.MANAGER), 1, [])
    by_the_page = reviewer.post("/images/1/checklists", data=sent, headers=HTMX)
    assert by_the_page.status_code == 409
    assert "requires no checklist now, so nothing was saved" in by_the_page.text
    room = reviewer.post("/images/1/checklists", data=sent | {"scope": "set=1"}).headers["location"]
    assert "requires no checklist now" in toast(reviewer, room)


def test_the_compare_room_says_what_is_missing(server: Server, autumn: int, sign_in: Callable[..., Browser]) -> None:
    reviewer = sign_in(Role.REVIEWER)
    back = "/compare?ids=1,2"
    reviewer.post("/images/1/decision", data={"verdict": "approved", "from": back})
    assert "Answer the checklists before approving" in toast(reviewer, back)


def test_managers_require_lists_on_the_page_of_the_campaign(
    server: Server, autumn: int, manager: Browser, designer: Browser
) -> None:
    page = manager.get("/manage/campaign/1").text
    assert re.search(r'name="checklists" value="1"[^>]* checked', page)
    assert "Checklists before approval: Japan." in designer.get("/manage/campaign/1").text
    sent = {"checklists": ["2", "4"], "from": "/campaigns"}
    answer = manager.post("/review/campaigns/1/checklists", data=sent)
    assert answer.headers["location"] == "/manage/campaign/1?from=/campaigns"
    assert "What is approved stays approved." in toast(manager, "/manage/campaign/1")
    assert "Autumn" in manager.get("/checklists/2").text
    assert manager.post("/review/campaigns/1/checklists", data={"checklists": "99"}).status_code == 303
    assert "just deleted" in toast(manager, "/manage/campaign/1")
    manager.post("/review/campaigns/1/checklists", data={})
    assert "no longer requires" in toast(manager, "/manage/campaign/1")


def test_managers_edit_a_list_and_refused_words_stay(server: Server, manager: Browser, designer: Browser) -> None:
    page = manager.get("/checklists/1").text
    stamp = re.findall(r'action="/checklists/1/items/kimono".*?name="seen" value="(\w+)"', page, re.DOTALL)[0]
    sent = {"topic": "dress", "text": "Left over right.", "why": "Tradition.", "seen": "0"}
    late = manager.post("/checklists/1/items/kimono", data=sent)
    assert late.status_code == 422
    assert "just changed" in late.text
    assert "Left over right." in late.text
    assert manager.post("/checklists/1/items/kimono", data=sent | {"seen": stamp}).status_code == 303
    empty = manager.post("/checklists/1/items", data={"topic": "dress", "text": "", "why": "Because it is so."})
    assert empty.status_code == 422
    assert "Because it is so." in empty.text
    changed = designer.get("/checklists/1").text
    assert "Left over right." in changed
    assert "/items" not in changed
    manager.post("/checklists/1/items/kimono/restore")
    assert "Every kimono" in designer.get("/checklists/1").text
    manager.post("/checklists/1/items/kimono/remove")
    removed = manager.get("/checklists/1").text
    assert "Removed by the team" in removed
    manager.post("/checklists/1/versions/0/restore")
    assert "Removed by the team" not in manager.get("/checklists/1").text


def test_a_draft_of_a_new_item_is_kept(server: Server, manager: Browser) -> None:
    draft = {"draft-place": "/checklists/1", "text": "No logos of others", "why": "", "topic": "other"}
    manager.post("/checklists/1/items", data=draft)
    assert "No logos of others" in manager.get("/checklists/1").text


def test_a_room_without_a_required_list_asks_the_database_nothing_more(
    server: Server, sign_in: Callable[..., Browser]
) -> None:
    with making(server) as make:
        make.finished_set(campaign="Winter")
    reviewer = sign_in(Role.REVIEWER)
    reviewer.get("/review?set=1&image=1")
    with counted(server.resources.database) as seen:
        reviewer.get("/review?set=1&image=1")
    tables = ("checklists ", "checklist_versions", "checklist_answers", "checklist_sheets", "kept_approvals")
    assert not [statement for statement in seen if any(f"FROM {table}" in statement for table in tables)]
