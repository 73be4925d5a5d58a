import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.models import Image, ImageTag, Role, SavedSearch, Star, Verdict
from app.settings import Settings
from app.styles import service as styles
from app.styles.spec import StyleSpec
from app.web import gallery
from app.web.limits.head import QUERY_BYTES
from tests.web.server import Browser, Server, made_before, making


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, migrated: Path, usual_settings: Settings) -> Path:
    """A data folder with five pictures, made once; each test has a copy."""
    with made_before(tmp_path_factory.mktemp("prepared") / "data", migrated, usual_settings) as make:
        haruka, kenji = make.user(name="Mori Haruka"), make.user(name="Ito Kenji")
        poster, sticker = make.style(name="Poster"), make.style(name="Sticker")
        make.finished_set(haruka, poster, prompts="thing 1\nthing 2", campaign="Spring")
        foxes = make.finished_set(kenji, sticker, prompts="a fox\na <b>bold</b> fox\nan owl", campaign="Winter")
        make.decide(foxes.images[0])
        make.decide(foxes.images[2], Verdict.REJECTED)
    return make.files.root.parent


@pytest.fixture(name="settings")
def copied(tmp_path: Path, prepared: Path, usual_settings: Settings) -> Settings:
    shutil.copytree(prepared, tmp_path / "data")
    return usual_settings.model_copy(update={"data": tmp_path / "data"})


@pytest.fixture
def manager(sign_in: object) -> Browser:
    return sign_in(Role.MANAGER)  # type: ignore[operator, no-any-return]


def shown(browser: Browser, query: str) -> list[int]:
    """The ids of the pictures on a page, in order."""
    page = browser.get(query if query.startswith("/") else f"/pictures{query}")
    assert page.status_code == 200
    return [int(number) for number in re.findall(r'id="picture-(\d+)"', page.text)]


def post(browser: Browser, path: str, **values: object) -> str:
    """What the page says after a form was sent."""
    answer = browser.post(f"/pictures/{path}", data=values)
    assert answer.status_code == 303, answer.text
    return browser.get(answer.headers["location"]).text


def test_the_newest_come_first_and_the_rest_on_demand(designer: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "PAGE", 2)
    page = designer.get("/pictures").text
    assert shown(designer, "") == [5, 4]
    assert "a &lt;b&gt;bold&lt;/b&gt; fox" in page
    more = re.search(r'href="(/pictures\?after=\d+)"', page)
    assert more is not None
    assert shown(designer, more[1]) == [3, 2]
    part = designer.get(more[1], headers={"hx-request": "true"}).text
    assert re.findall(r'id="picture-(\d+)"', part) == ["3", "2"]
    assert "facet" not in part, "only what comes after"
    assert 'href="/pictures?after=2"' in part
    assert "Load more" not in designer.get("/pictures?after=2").text


def test_only_measures_that_are_taken_here_are_orders(designer: Browser) -> None:
    offered = designer.get("/pictures").text
    assert '<option value="hue_reference"' in offered
    assert '<option value="dino_reference"' not in offered, "no such model is set up"
    assert '<option value="dino_reference" selected>' in designer.get("/pictures?order=dino_reference").text


def test_oldest_first_on_request(designer: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "PAGE", 2)
    assert shown(designer, "?order=oldest") == [1, 2]
    page = designer.get("/pictures?order=oldest&decision=none").text
    assert re.search(r'<option value="oldest" selected>', page)
    assert 'href="/pictures?order=oldest">Clear</a>' in page
    assert 'href="/pictures?order=oldest" aria-label="Remove the filter To review"' in page
    more = re.search(r'href="(/pictures\?decision=none&amp;order=oldest&amp;after=2)"', page)
    assert more is not None
    assert shown(designer, unescape(more[1])) == [4]
    assert shown(designer, "?order=oldest&upto=3") == [1, 2, 3]
    assert 'after=3"' in designer.get("/pictures?order=oldest&upto=3").text
    assert "Clear</a>" not in designer.get("/pictures?order=oldest").text, "an order is no filter"
    for wrong in ("?order=newest", "?order=", "?order=%00"):
        assert shown(designer, wrong) == [5, 4]


def test_an_order_is_kept_by_acts_and_saved_searches(manager: Browser) -> None:
    there = manager.post("/pictures/star", data={"ids": [1], "on": 1, "query": "q=thing&order=oldest", "upto": 2})
    assert there.headers["location"] == "/pictures?q=thing&order=oldest&upto=2"
    manager.post("/searches", data={"name": "Old things", "query": "q=thing&order=oldest"})
    assert 'href="/pictures?q=thing&amp;order=oldest"' in manager.get("/pictures").text


TYPED = st.one_of(
    st.text(max_size=250),
    st.text(st.characters(exclude_categories=()), max_size=250),  # lone surrogates too
    st.text(st.sampled_from("\"'*^:(){}+-,.%_\\ ;\0ANDORTNEAR\ud800🦊猫a7"), max_size=250),
    st.sampled_from(["a", "at", "猫", "花火", "NEAR(", "a AND", '"', '""""', "a" * 10_000, "🦊 " * 1000, "\0" * 5000]),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed=TYPED, order=st.sampled_from(["", "oldest"]))
def test_any_input_is_answered(designer: Browser, typed: str, order: str) -> None:
    query = quote(typed, safe="", errors="surrogatepass")  # a lone surrogate as no browser would write it

    def status(address: str, **headers: str) -> int:
        return designer.get(address, headers=headers).status_code

    for address in (f"/pictures?q={query}&order={order}", f"/pictures?tag={query}&style={query}&since={query}"):
        assert status(address) == (200 if fits(address) else 414)
    assert status(f"/pictures?q={query}&after=3", **{"hx-request": "true"}) == 200
    exported = f"/pictures/export?all=1&query=q%3D{quote(query)}"
    assert status(exported) in ((200, 403, 409) if fits(exported) else (414,))


def fits(address: str) -> bool:
    """Whether an address is short enough."""
    return len(address.partition("?")[2]) <= QUERY_BYTES


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("?decision=approved", [3]),
        ("?decision=approved&decision=rejected", [5, 3]),
        ("?decision=none&q=fox", [4]),
        ("?decision=nonsense&q=fox", [4, 3]),
        ("?q=fox+bold", [4]),
        ("?q=%25%25", []),
        ("?q=%25", [5, 4, 3, 2, 1]),
        ("?q=%22+OR+%22", []),
        ("?set=2", [5, 4, 3]),
        ("?campaign=2&campaign=x", [5, 4, 3]),
        ("?owner=2", [5, 4, 3]),
        ("?reference=1", [2, 1]),
        ("?style=SOR-0000", []),
        ("?starred=1", []),
        ("?tag=hero", []),
        ("?since=2000-01-01&until=2000-01-02", []),
        (f"?since={datetime.now(UTC):%Y}-01-01&q=owl", [5]),
    ],
)
def test_filters(designer: Browser, query: str, numbers: list[int]) -> None:
    assert shown(designer, query) == numbers


def test_a_filtered_page_names_its_filters_and_how_many_are_hidden(designer: Browser) -> None:
    page = designer.get("/pictures?decision=approved&q=fox&campaign=2&since=2020-01-01&reference=2").text
    assert re.search(r"<strong>1</strong>.*?of 5 pictures", page)
    for words in ("Approved", "Winter", "fox", "From 2020-01-01"):
        assert f'aria-label="Remove the filter {words}"' in page
    assert 'href="/pictures?decision=approved&amp;campaign=2&amp;reference=2&amp;since=2020-01-01"' in page
    assert re.search(r'href="/pictures\?campaign=2" aria-current="page"', designer.get("/pictures?campaign=2").text)


def test_long_lists_end_with_a_link_to_the_rest(manager: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def listed(query: str) -> list[int]:
        page = manager.get(f"/pictures{query}").text
        return [len(re.findall(part, page)) for part in (r'id="owner-\d', r'id="style-', r'href="/pictures\?campaign=')]

    post(manager, "move", ids=[1], campaign_name="Summer")
    assert listed("") == [2, 2, 3]
    monkeypatch.setattr("app.gallery.facets.MOST_OPTIONS", 2)
    assert listed("") == [2, 2, 2]
    assert 'href="/pictures?whole=campaign">1 more' in manager.get("/pictures").text
    assert listed("?whole=campaign") == [2, 2, 3]
    monkeypatch.setattr("app.gallery.facets.MOST_OPTIONS", 1)
    page = manager.get("/pictures?order=oldest").text
    for name in ("owner", "style"):
        assert f'href="/pictures?order=oldest&amp;whole={name}"' in page
    assert listed("?whole=owner")[:2] == [2, 1]
    whole = '<input type="hidden" name="whole" value="owner" form="filters">'
    assert whole in manager.get("/pictures?whole=owner").text, "the next choice keeps it"


def test_unknown_set_and_reference_404(designer: Browser) -> None:
    for query in ("set=404", "reference=404"):
        assert designer.get(f"/pictures?{query}").status_code == 404


def test_empty_states(server: Server, designer: Browser) -> None:
    assert "No matching pictures" in designer.get("/pictures?q=zebra").text
    assert "The bin is empty" in designer.get("/pictures/bin").text
    turned = designer.get("/pictures?q=fox&since=2020-03-05&until=2020-03-01").text
    assert "The start date, 5 Mar 2020, is after the end date, 1 Mar 2020." in turned
    assert 'href="/pictures?q=fox&amp;since=2020-03-01&amp;until=2020-03-05">Swap dates' in turned


def test_pictures_that_are_all_in_the_bin(designer: Browser, manager: Browser) -> None:
    assert "in the bin" not in designer.get("/pictures?q=zebra").text
    post(manager, "delete", ids=[1, 2, 3, 4, 5])
    page = designer.get("/pictures").text
    assert "All 5 pictures are in the bin" in page
    assert 'href="/pictures/bin">Open bin</a>' in page
    assert "No pictures yet" not in page


def test_a_tag_of_several_can_be_taken_back(manager: Browser) -> None:
    for number, name in ((1, "hero"), (2, "key visual"), (3, "print")):
        post(manager, "tag", ids=[number], tag_name=name)
    page = manager.get("/pictures?tag=hero&tag=zzz").text
    boxes = dict(re.findall(r'name="tag"\s+value="([^"]+)"\s+form="filters"( checked)?', page))
    assert boxes == {"zzz": " checked", "hero": " checked", "key visual": "", "print": ""}


def test_a_picture_leads_to_its_reference(server: Server, designer: Browser) -> None:
    with making(server) as make:
        parts = [{"reference_id": make.reference().id} for _ in range(3)]
        style = styles.create(make.session, make.user(), StyleSpec.parse({"name": "Pop", "references": parts}))
        make.session.flush()
        make.finished_set(style=style, prompts="a lamp")
    (caption,) = re.findall(r'<div class="cell__made">.*?</div>', designer.get("/pictures?q=lamp").text, re.DOTALL)
    assert f'href="/references/{parts[0]["reference_id"]}"' in caption
    assert "Reference of Pop, and 2 more" in caption
    assert "+2" in caption


def test_the_bar_says_what_it_may_not_do(designer: Browser, manager: Browser) -> None:
    assert designer.get("/pictures").text.count('data-fixed="yes"') == 5
    assert 'data-fixed="yes"' not in manager.get("/pictures").text


def test_thumbnails_by_content(server: Server, designer: Browser, anonymous: Browser) -> None:
    address = re.search(r'src="(/thumbs/[0-9a-f]{64}-320\.webp)"', designer.get("/pictures").text)
    assert address is not None
    answer = designer.get(address[1])
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert designer.get(address[1].replace("-320", "-960")).status_code == 200
    assert anonymous.get(address[1], headers={"accept": "image/webp"}).status_code == 401
    for wrong in (address[1].replace("-320", "-640"), "/thumbs/../soroe.sqlite3", f"/thumbs/{'0' * 64}-320.webp"):
        assert designer.get(wrong).status_code in (404, 422)


def test_many_are_decided_together(server: Server, manager: Browser) -> None:
    page = post(manager, "decide", ids=[1, 2], verdict="approved", query="q=thing")
    assert "2 pictures were approved." in page
    assert shown(manager, "?decision=approved") == [3, 2, 1]
    assert 'value="q=thing"' in page, "the filter stays"
    assert "Choose a reason" in post(manager, "reject", ids=[1])
    assert "1 picture was rejected" in post(manager, "reject", ids=[1], reason="Off the look")
    assert "1 picture was marked as changes requested" in post(manager, "decide", ids=[2], verdict="changes_requested")


def test_an_outdated_page_overrules_nobody(server: Server, manager: Browser, sign_in: Callable[..., Browser]) -> None:
    def newest(page: str) -> str:
        found = re.search(r'<input type="hidden" name="newest" value="(\d+)" form="picked">', page)
        assert found is not None
        return found[1]

    old = newest(manager.get("/pictures").text)
    sign_in(Role.MANAGER, name="Kato Yui").post(
        "/pictures/decide", data={"ids": [1], "verdict": "changes_requested", "newest": old}
    )
    page = post(manager, "decide", ids=[1, 2], verdict="approved", newest=old)
    assert "1 picture was approved." in page
    assert "1 of 2 could not be approved: Kato Yui just asked for changes to them." in page
    told = post(manager, "decide", ids=[1], verdict="approved", newest=newest(page))
    assert "1 picture still has changes requested." in told
    refused = post(manager, "reject", ids=[1], reason="Off the look", newest=old)
    assert "1 of 1 could not be rejected: Kato Yui just asked for changes to them." in refused


def test_only_reviewers_are_offered_decisions(designer: Browser, manager: Browser) -> None:
    assert "/pictures/decide" not in designer.get("/pictures").text
    assert "/pictures/decide" in manager.get("/pictures").text
    assert "Only reviewers decide" in post(designer, "decide", ids=[1], verdict="approved")


def test_all_that_match_if_they_are_as_many_as_were_seen(server: Server, manager: Browser) -> None:
    told = post(manager, "tag", ids=[5], all=1, query="q=fox", seen=2, tag_name="Hero")
    assert "2 pictures were tagged Hero" in told
    assert shown(manager, "?tag=hero") == [4, 3]
    assert "2 pictures match now, not 3" in post(manager, "untag", all=1, query="q=fox", seen=3, tag_name="hero")
    assert shown(manager, "?tag=hero") == [4, 3]


def test_more_pictures_than_other_forms_have_fields(manager: Browser) -> None:
    told = post(manager, "star", ids=list(range(1, 1500)), on=1)
    assert "5 pictures were starred." in told
    assert "1\u202f494 of 1\u202f499 could not be starred: they no longer exist." in told
    assert shown(manager, "?starred=1") == [5, 4, 3, 2, 1]
    assert "1 picture was removed from your stars." in post(manager, "star", ids=[2], on="")
    assert shown(manager, "?starred=1") == [5, 4, 3, 1]


def test_moved_to_another_campaign(manager: Browser) -> None:
    assert "2 pictures were moved to Summer" in post(manager, "move", ids=[1, 4], campaign_name="Summer")
    assert shown(manager, "?campaign=3") == [4, 1]


def undo(browser: Browser, page: str) -> str:
    """Press Undo in the toast of a page, and return the page that follows."""
    action = re.search(r'<form class="toast[^>]*?action="(/undo/[^"]+)"', page)
    assert action is not None
    return browser.post(action[1], data={"back": "/pictures"}, follow_redirects=True).text


def test_deleted_undone_and_restored(server: Server, manager: Browser, designer: Browser) -> None:
    answer = manager.post("/pictures/delete", data={"ids": [1, 4], "query": "q=o", "upto": 2})
    there = answer.headers["location"]
    page = manager.get(there).text
    assert "2 pictures were deleted" in page
    assert parse_qs(urlsplit(there).query)["upto"] == ["2"]
    assert shown(manager, "") == [5, 3, 2]
    assert "data-undo" not in designer.get(there).text, "who did not delete them is not asked"
    bin = designer.get("/pictures/bin").text
    assert "30 days left" in bin
    assert "Restore a" not in bin
    assert "2 pictures are as before" in undo(manager, page)
    assert shown(manager, "") == [5, 4, 3, 2, 1]

    post(manager, "delete", ids=[3])
    assert shown(manager, "/pictures/bin") == [3]
    assert "1 picture was restored" in post(manager, "restore", ids=[3])
    assert "owner or a manager may" in post(designer, "delete", ids=[1])


def test_many_are_handled_in_parts_and_reported_as_one(manager: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery.service, "PART", 2)
    assert "5 pictures were tagged hero" in post(manager, "tag", ids=[1, 2, 3, 4, 5], tag_name="hero")
    assert shown(manager, "?tag=hero") == [5, 4, 3, 2, 1]
    there = manager.post("/pictures/delete", data={"ids": [1, 2, 3, 4, 5]}).headers["location"]
    page = manager.get(there).text
    assert "5 pictures were deleted" in page
    assert "5 pictures are as before" in undo(manager, page), "all at once"
    assert shown(manager, "") == [5, 4, 3, 2, 1]


def test_the_bin_page_by_page(manager: Browser, designer: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    post(manager, "delete", ids=[1, 2, 3])
    monkeypatch.setattr(gallery, "PAGE", 2)
    assert shown(manager, "/pictures/bin") == [3, 2]
    older = re.search(r'href="(/pictures/bin\?after=[^"]+)"', manager.get("/pictures/bin").text)
    assert older is not None
    assert shown(manager, older[1]) == [1]
    assert "Load more" in manager.get("/pictures/bin").text
    assert "Load more" not in manager.get(older[1]).text
    assert "data-pick-shown" in manager.get("/pictures/bin").text
    assert "data-pick-shown" not in designer.get("/pictures/bin").text, "who can restore none selects none"


def test_a_search_is_saved_renamed_deleted(server: Server, designer: Browser, manager: Browser) -> None:
    def say(browser: Browser, path: str, **values: object) -> str:
        answer = browser.post(path, data=values)
        return browser.get(answer.headers["location"]).text if answer.status_code == 303 else answer.text

    assert "Search Foxes saved" in say(designer, "/searches", name="Foxes", query="q=fox", shared=1)
    assert 'href="/pictures?q=fox"' in manager.get("/pictures").text
    assert "nothing to save" in say(designer, "/searches", name="All", query="")
    assert "renamed to Red foxes" in say(designer, "/searches/1/rename", name="Red foxes", query="")
    assert "Search Red foxes deleted" in say(manager, "/searches/1/delete", query="q=owl")
    with server.resources.database.read() as session:
        assert session.query(SavedSearch).count() == 0


def test_an_act_without_pictures_says_so(server: Server, manager: Browser) -> None:
    assert "Select pictures first." in post(manager, "delete", query="q=fox")
    assert "Enter a tag." in manager.post("/pictures/tag", data={"ids": 1, "tag_name": " "}).text
    with server.resources.database.read() as session:
        assert session.query(ImageTag).count() == session.query(Star).count() == 0
        assert session.query(Image).filter(Image.shown).count() == 5


@pytest.mark.parametrize("path", ["/pictures", "/pictures/bin", "/thumbs/" + "0" * 64 + "-320.webp"])
def test_nobody_signs_in_without_an_account(anonymous: Browser, path: str) -> None:
    assert anonymous.get(path).headers["location"].startswith("/login")
