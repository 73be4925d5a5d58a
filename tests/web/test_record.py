"""The audit log's page: who may see it, what it finds, whether it is intact, and its CSV."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable
from html import unescape

import pytest
from sqlalchemy import delete, update

from app.audit import chain
from app.audit.checker import Walk
from app.audit.queries import RecordFilter, events
from app.audit.service import record
from app.models import Act, AuditEvent, AuditHead, Role, now
from app.web import record as pages
from tests.web.server import Browser, Server, make_person, making, shared_export

EVENT = AuditEvent.__table__


@pytest.fixture
def manager(sign_in: Callable[..., Browser]) -> Browser:
    return sign_in(Role.MANAGER, "Mori Haruka")


def numbers(html: str) -> list[int]:
    """The numbers of the events on a page, in order."""
    return [int(number) for number in re.findall(r'title="Event number">(\d+)<', html)]


def rows(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def checked(browser: Browser) -> str:
    """The audit log's page once a check requested here is over."""
    assert browser.post("/record/check").headers["location"] == "/record"
    asked = (browser.get("/record").text for _ in range(1000))
    assert any("Check now" in html for html in asked)
    return browser.get("/record").text


def hashed(row: dict[str, str]) -> str:
    """The hash of an event, computed from the CSV as docs/record.md says."""
    told = {
        "id": int(row["number"]),
        "at": row["time (UTC)"].replace(" ", "T") + "+00:00",
        "user_id": int(row["person number"]) if row["person number"] else None,
        "act": row["act"],
        "subject": row["subject"],
        "subject_id": int(row["subject number"]) if row["subject number"] else None,
        "details": json.loads(row["details"]),
        "previous": row["hash before"],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@pytest.mark.parametrize("role", [Role.DESIGNER, Role.REVIEWER])
def test_others_are_refused(sign_in: Callable[..., Browser], role: Role) -> None:
    browser = sign_in(role)
    for answer in (browser.get("/record"), browser.get("/record.csv"), browser.post("/record/check")):
        assert answer.status_code == 403
    assert 'href="/record"' not in browser.get("/").text


@pytest.mark.parametrize("role", [Role.MANAGER, Role.ADMIN])
def test_managers_find_it_in_their_menu(sign_in: Callable[..., Browser], role: Role) -> None:
    browser = sign_in(role)
    assert 'href="/record"' in browser.get("/").text
    assert browser.get("/record").status_code == 200


def test_events_lead_to_what_they_are_about(server: Server, manager: Browser) -> None:
    with making(server) as make:
        image_set = make.finished_set(name="秋 <b>table</b>")
        image, version = image_set.images[1], image_set.style_version
        make.decide(image, reviewer=make.user(Role.REVIEWER, "Ito Kenji"))
        links = {
            f"/sets/{image_set.id}": "秋 &lt;b&gt;table&lt;/b&gt;",
            f"/review?set={image_set.id}&amp;image={image.id}": "picture 2 of 秋 &lt;b&gt;table&lt;/b&gt;",
            f"/styles/{version.style.code}?version=1": "version 1 of Retro sunburst",
            f"/styles/{version.style.code}": "Retro sunburst",
            f"/pictures?campaign={image_set.campaign_id}": "Unsorted",
        }
    html = manager.get("/record").text
    for path, name in links.items():
        assert re.search(rf'href="{re.escape(path)}"[^>]*>{re.escape(name)}</a>', html), path
        assert manager.get(path.replace("&amp;", "&")).status_code == 200
    assert re.search(r"<strong>Ito Kenji</strong>\s+approved\s+<a", html)


def test_every_link_of_the_record_leads_somewhere(server: Server, manager: Browser) -> None:
    """To things of every kind, to pictures that are finished, waiting, deleted and purged, and to what is gone."""
    with making(server) as make:
        finished, waiting = make.finished_set(prompts="a fox\nan owl\na teapot"), make.image_set()
        subject, structure = make.finished_subject(), make.structure_map()
        deleted, purged, image = finished.images
        deleted.deleted_at = purged.deleted_at = purged.purged_at = now()
        deleted.shown = purged.shown = False
        style = finished.style_version.style
        reference = finished.style_version.references[0].reference
        make.decide(image)
        things = [finished, waiting, *finished.images, waiting.images[0], style, finished.style_version, reference]
        for thing in (*things, subject, structure, finished.campaign, manager.user):
            record(make.session, manager.user, Act.SET_LOCK, thing)
    export, _ = shared_export(server, finished.id)
    page, links = manager.get("/record"), set()
    while True:
        links |= set(re.findall(r'href="(/[^"]*)"', page.text))
        older = re.search(r'href="([^"]*)" rel="next"', page.text)
        if not older:
            break
        page = manager.get(unescape(older[1]))
    found = {unescape(link) for link in links}
    assert {f"/subjects/{subject.id}", f"/exports/{export.id}", "/pictures/bin", f"/sets/{waiting.id}"} <= found
    dead = {link: status for link in found if (status := manager.get(link).status_code) != 200}
    assert not dead
    server.resources.exporter.delete(manager.user, export.id)
    assert f'"/exports/{export.id}"' not in manager.get("/record").text, "what is gone is no link"


def test_pages_go_back_and_forth(server: Server, manager: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE", 4)
    with making(server) as make:
        make.finished_set(count=3)
    shown, html = [], manager.get("/record?act=set").text
    everything = numbers(manager.get("/record?act=set&after=0").text)
    while True:
        shown += numbers(html)
        older = re.search(r'href="([^"]+)" rel="next"', html)
        if not older:
            break
        html = manager.get(older[1].replace("&amp;", "&")).text
    assert shown == sorted(shown, reverse=True)
    assert len(shown) == 8
    assert set(everything) < set(shown)
    newer = re.search(r'href="([^"]+)" rel="prev"', html)
    assert newer
    html = manager.get(newer[1].replace("&amp;", "&")).text
    assert numbers(html) == shown[:4], "going forward fills the first page up"
    assert 'rel="prev"' not in html


@pytest.mark.parametrize(
    ("query", "acts"),
    [
        ("act=review", {Act.DECIDE}),
        (f"act={Act.SET_CREATE}", {Act.SET_CREATE}),
        ("person=0&act=set", {Act.IMAGE_FINISH}),
        ("q=retro", {Act.STYLE_CREATE, Act.STYLE_VERSION}),
        ("act=style&until=2020-01-01", set()),
        ("since=2020-01-01&act=review", {Act.DECIDE}),
    ],
)
def test_filters_of_the_page_and_of_the_csv_are_the_same(
    server: Server, manager: Browser, query: str, acts: set[Act]
) -> None:
    with making(server) as make:
        make.decide(make.finished_set().images[0])
    html = manager.get(f"/record?{query}").text
    found = rows(manager.get(f"/record.csv?{query}").text)
    assert {row["act"] for row in found} == acts
    assert [int(row["number"]) for row in found] == numbers(html)
    assert ("No matching events" in html) == (not acts)


def test_a_filter_on_one_thing_says_its_name(server: Server, manager: Browser) -> None:
    with making(server) as make:
        image_set = make.finished_set(name="Autumn table")
    html = manager.get(f"/record?on=image_sets:{image_set.id}").text
    assert "Only <b>Autumn table</b>" in html
    assert len(numbers(html)) == 1
    assert "Only <b>image_sets 99</b>" in manager.get("/record?on=image_sets:99").text


@pytest.mark.parametrize(
    "query",
    ["person=x", "act=nothing", "on=;drop", "on=users:99999999999999999999", "since=tomorrow", "until=9999-12-31"],
)
def test_senseless_filters_are_ignored(manager: Browser, query: str) -> None:
    assert numbers(manager.get(f"/record?{query}&before=x").text) == numbers(manager.get("/record").text) != []


def test_the_csv_has_everything_and_is_itself_recorded(
    server: Server, manager: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read in several pieces, none twice."""
    monkeypatch.setattr(pages, "CSV_CHUNK", 3)
    with making(server) as make:
        make.finished_set(name="=1+1", count=2)
    answer = manager.get("/record.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="record.csv"'
    found = rows(answer.text)
    with server.resources.database.read() as session:
        latest, *before = events(session, manager.user, RecordFilter(), limit=1000)
        assert (latest.act, latest.user_id) == (Act.RECORD_DOWNLOAD, manager.user.id)
        assert [row["hash"] for row in found] == [event.hash for event in before]
        assert chain.verify(session, found[3]["hash"]).noted == int(found[3]["number"])
    assert {row["what"] for row in found if row["act"] == Act.SET_CREATE} == {"'=1+1"}
    for row in found:
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())


def test_a_check_names_its_result_and_requester(server: Server, manager: Browser) -> None:
    assert "not checked yet" in manager.get("/record").text
    html = checked(manager)
    assert re.search(r"<strong>Intact</strong>, \d+ events?, checked <time.*?>just now</time> by Mori Haruka", html)
    with server.resources.database.write() as session:
        session.execute(update(EVENT).where(EVENT.c.id == 1).values(subject_id=99))
    assert "<strong>Altered.</strong> Event 1 was altered." in checked(manager)


def test_a_check_is_followed_and_a_second_one_joins_it(
    server: Server, manager: Browser, sign_in: Callable[..., Browser]
) -> None:
    """A check requested by someone at another browser, seen midway."""
    other = sign_in(Role.ADMIN, "Ito <b>Kenji</b>")
    checker = server.resources.checker
    checker.walk = Walk(other.user.id, other.user.name, 40_000, 100_000)
    html = manager.get("/record").text
    assert "Checked 40\u202f000 of 100\u202f000" in html
    assert 'max="100000" value="40000"' in html
    assert "Ito &lt;b&gt;Kenji" in html
    assert "Check now" not in html
    html = manager.post("/record/check", follow_redirects=True).text
    assert "Ito &lt;b&gt;Kenji&lt;/b&gt; already started a check." in html
    assert "You already started a check." in other.post("/record/check", follow_redirects=True).text
    checker.walk, checker.failed = None, True
    html = manager.get("/record").text
    assert "The last check stopped" in html
    assert "last check stopped" not in checked(manager)


def test_a_missing_head_is_reported_and_nothing_is_written(server: Server, manager: Browser) -> None:
    with server.resources.database.write() as session:
        session.execute(delete(AuditHead))
    assert "The head of the audit log was removed." in manager.get("/record").text
    answer = manager.post("/record/check")
    assert answer.status_code == 409
    assert "The head of the audit log was removed." in answer.text


def test_a_refused_sign_in_shows(server: Server, anonymous: Browser, manager: Browser) -> None:
    """It is written after the answer was sent, so the page is requested until it is there."""
    person = make_person(server, Role.DESIGNER, "Ito Kenji")
    assert anonymous.sign_in(person.email, "not the password").status_code == 422
    assert anonymous.sign_in("nobody@example.com", "not the password").status_code == 422
    sentence = r"<strong>Someone</strong>\s+failed to sign in as\s+<span>Ito Kenji</span>"
    assert any(re.search(sentence, manager.get("/record").text) for _ in range(200))


def test_every_hash_can_be_computed_from_the_csv_alone(server: Server, manager: Browser) -> None:
    with making(server) as make:
        odd = make.user(name="=HYPERLINK(1)")
        image_set = make.finished_set(odd, name="＋秋の “table”\t, 100%", prompts='-a fox, "quick"')
        make.decide(image_set.images[0])
        record(make.session, None, Act.SIGN_IN_REFUSED, odd, share=0.1 + 0.2, none=None, nested={"ü": ["=1"]})
    found = rows(manager.get("/record.csv").text)
    assert len(found) > 5
    assert [row["hash"] for row in found] == [hashed(row) for row in found]
    assert [row["hash before"] for row in found[:-1]] == [row["hash"] for row in found[1:]]
    assert any(row["person"].startswith("'=") for row in found), "which is no part of a hash"
