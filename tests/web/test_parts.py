"""Long lists load in parts: each row once, in the order of the whole, and no page longer than a part."""

import re
from collections.abc import Callable

import pytest

from app.exports import approved
from app.exports import queries as exports
from app.models import Campaign, Role, now
from app.reviews import queries as reviews
from app.rights import queries as rights
from app.sets import campaigns
from app.styles import queries as styles
from app.styles import service
from app.subjects import queries as subjects
from app.web import styles as style_pages
from tests.factory import Factory
from tests.web.server import Browser, Server, making, share_link, shared_export

PART, ROWS = 2, 5


def add_styles(make: Factory) -> str:
    for _ in range(ROWS):
        make.style()
    return "/styles"


def add_archived_styles(make: Factory) -> str:
    for _ in range(ROWS):
        make.style().archived_at = now()
    make.style()
    return "/styles?archived=1"


def add_subjects(make: Factory) -> str:
    for number in range(ROWS):
        make.subject(name=f"Mug {number}")
    return "/subjects"


def add_campaigns(make: Factory) -> str:
    """Two with sets, of which the older campaign has the newer set, and three without."""
    user = make.user()
    found = [Campaign(name=f"Campaign {number % 2}{number}", created_by=user) for number in range(ROWS)]
    make.session.add_all(found)
    make.session.flush()
    for campaign in (found[3], found[1]):
        make.image_set(user, campaign=campaign.name)
    return "/campaigns"


def add_exportable(make: Factory) -> str:
    for number in range(ROWS):
        image_set = make.finished_set(prompts="a fox", campaign=f"Campaign {number % 3}{number}")
        make.decide(image_set.images[0])
    return "/exports"


def add_rules(make: Factory) -> str:
    add_campaigns(make)
    return "/review/settings"


def add_uses(make: Factory) -> str:
    """Of each kind: in the newest version, in an earlier one, archived."""
    reference = make.reference()
    for number in range(ROWS):
        style = make.style(reference=reference)
        if number % 2:
            service.add_version(make.session, style.owner, style, make.draft())
        if number > 2:
            style.archived_at = now()
    return f"/references/{reference.id}"


def add_versions(make: Factory) -> str:
    style = make.style()
    for number in range(2, ROWS + 1):
        service.add_version(make.session, style.owner, style, make.draft(strength=number / 10))
    return f"/styles/{style.code}"


LISTS: dict[str, tuple[Callable[[Factory], str], object, str, str]] = {
    "styles": (add_styles, styles, "PAGE", r'class="setcard" href="(/styles/[^"]+)"'),
    "archived styles": (add_archived_styles, styles, "PAGE", r'class="setcard" href="(/styles/[^"]+)"'),
    "subjects": (add_subjects, subjects, "PAGE", r'class="setcard" href="(/subjects/\d+)"'),
    "campaigns": (add_campaigns, campaigns, "PAGE", r'href="(/sets\?campaign=\d+)"'),
    "campaigns to export": (add_exportable, approved, "CAMPAIGNS_PAGE", r'href="(/campaigns/\d+/export)"'),
    "rules of campaigns": (add_rules, reviews, "CAMPAIGNS_PAGE", r'<tr id="(campaign-\d+)"'),
    "uses of a reference": (add_uses, rights, "USES_PAGE", r'class="link" href="(/styles/SOR-[^"]+)"'),
    "versions": (add_versions, style_pages, "VERSIONS_SHOWN", r'<strong class="num">(\d+)</strong>\s+<span>'),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_long_list_loads_in_parts(
    server: Server, sign_in: Callable[..., Browser], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    add, module, constant, row = LISTS[name]
    browser = sign_in(Role.MANAGER)
    with making(server) as make:
        path = add(make)
    whole = re.findall(row, browser.get(path).text)
    assert len(set(whole)) == ROWS
    monkeypatch.setattr(module, constant, PART)
    parts, following = [], path
    while following:
        html = browser.get(following).text
        parts.append(re.findall(row, html))
        link = re.search(r'href="([^"]+)"\s+hx-get="[^"]+"\s+hx-sync="#main:drop"', html)
        following = link[1].replace("&amp;", "&") if link else ""
    assert [len(part) for part in parts] == [2, 2, 1]
    assert [each for part in parts for each in part] == whole


def test_a_rule_that_was_changed_is_in_view(
    server: Server, sign_in: Callable[..., Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = sign_in(Role.MANAGER)
    with making(server) as make:
        add_campaigns(make)
    last = re.findall(r'<tr id="campaign-(\d+)"', manager.get("/review/settings").text)[-1]
    monkeypatch.setattr(reviews, "CAMPAIGNS_PAGE", PART)
    there = manager.post(f"/review/campaigns/{last}", data={"approvals": "2"}).headers["location"]
    assert there == f"/review/settings?open={last}#campaign-{last}"
    assert f'<tr id="campaign-{last}">' in manager.get(there).text


def test_home_lists_the_latest_campaigns(server: Server, designer: Browser) -> None:
    with making(server) as make:
        for number in range(9):
            make.image_set(campaign=f"Campaign {number}")
    page = designer.get("/").text
    assert len(re.findall(r'<a href="/pictures\?campaign=\d+">Campaign', page)) == 8
    assert "All campaigns" in page


def test_open_links_load_in_parts(
    server: Server, sign_in: Callable[..., Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = sign_in(Role.MANAGER)
    with making(server) as make:
        image_set = make.finished_set(prompts="a fox")
        make.decide(image_set.images[0])
        set_id = image_set.id
    made = [shared_export(server, set_id)[0].id for _ in range(3)]
    monkeypatch.setattr(exports, "SHARES_PAGE", PART)
    first = manager.get("/exports").text
    (following,) = re.findall(r'hx-get="(/exports\?after=\d+)#links"', first)
    shown = [re.findall(r'href="/exports/(\d+)#shares"', html) for html in (first, manager.get(following).text)]
    assert [len(part) for part in shown] == [2, 1]
    assert sorted(int(each) for part in shown for each in part) == made


def test_the_links_of_an_export_load_in_parts(
    server: Server, sign_in: Callable[..., Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = sign_in(Role.MANAGER)
    with making(server) as make:
        image_set = make.finished_set(prompts="a fox")
        make.decide(image_set.images[0])
    export, _ = shared_export(server, image_set.id)
    for _ in range(2):
        share_link(server, export.id)
    assert "3 open" in manager.get("/exports").text
    monkeypatch.setattr(exports, "SHARES_PAGE", PART)
    first = manager.get(f"/exports/{export.id}").text
    (following,) = re.findall(r'hx-get="(/exports/\d+\?links=\d+)"', first)
    shown = [re.findall(r"/shares/(\d+)/revoke", html) for html in (first, manager.get(following).text)]
    assert shown == [["3", "2"], ["1"]]
