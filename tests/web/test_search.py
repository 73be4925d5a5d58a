"""One search for everything: its page, the palette, and the lists' own fields."""

import re
from collections.abc import Callable
from html import unescape

import pytest

from app.filing import service as filing
from app.gallery import service as gallery
from app.models import Role
from app.web import sets as sets_page
from app.web.search import COMMANDS
from tests.web.server import Browser, Server, making
from tests.web.test_reading import ENDLESS
from tests.web.world import routes


@pytest.fixture
def names(server: Server) -> None:
    """Things of every kind with "car" in their names, the worst match newest."""
    with making(server) as make:
        owner = make.user(Role.MANAGER, "Oscar Carter", email="car@example.com")
        styles = [make.style(owner, name=name) for name in ("Car paint", "Cartoon", "Scarf")]
        for number, name in enumerate(("Red car", "Cardigans", "Scarves", "車の写真")):
            make.finished_set(
                owner, styles[min(number, 2)], name=name, campaign=f"{name}, campaign", prompts=name.lower()
            )
        make.finished_subject(owner, name="Car seat")


def links(page: str, part: str = "") -> list[str]:
    """The addresses that a page's main part leads to, those with `part`, in order."""
    found = re.findall(r'<a[^>]*href="([^"]+)"', page.split("<main")[-1])
    return [unescape(each) for each in found if part in each]


def named(browser: Browser, address: str) -> list[str]:
    """The sets of a page in order, by name."""
    return re.findall(r'<h[23] class="setcard__name"[^>]*>([^<]*)<', browser.get(address).text)


@pytest.mark.usefixtures("names")
def test_everything_is_found_from_one_field_with_whole_words_first(designer: Browser) -> None:
    page = designer.get("/search?q=CAR").text
    found = re.findall(r'class="found__name"[^>]*>([^<]*)<', page)
    assert found[:6] == ["Red car", "Cardigans", "Scarves", "Car paint", "Cartoon", "Scarf"]
    assert found[6:] == ["Red car, campaign", "Cardigans, campaign", "Scarves, campaign", "Car seat", "Oscar Carter"]
    assert links(page, "/review?set=") == [f"/review?set={number}&image={number}" for number in (1, 2, 3)]
    assert "/pictures?owner=" in page, "whose pictures a designer can see"
    assert "車の写真" in designer.get("/search?q=写真").text
    assert "Nothing found" in designer.get("/search?q=zebra").text


@pytest.mark.usefixtures("names")
def test_each_kind_shows_a_few_and_leads_to_all(designer: Browser, server: Server) -> None:
    with making(server) as make:
        for number in range(6):
            make.finished_set(name=f"Lorry {number}")
    page = designer.get("/search?q=lorry").text
    assert "All 6 sets" in page
    assert "/sets?q=lorry" in links(page)
    assert len(named(designer, "/sets?q=lorry")) == 6


@pytest.mark.usefixtures("names")
def test_only_administrators_find_people_by_address(designer: Browser, admin: Browser) -> None:
    assert "Oscar Carter" not in designer.get("/search?q=example.com").text
    page = admin.get("/search?q=example.com").text
    assert "Oscar Carter" in page
    assert links(page, "/people?open=")


@pytest.mark.usefixtures("names")
def test_what_is_archived_is_marked_and_what_is_binned_is_not_found(admin: Browser, server: Server) -> None:
    with making(server) as make:
        filing.archive(make.session, admin.user, "set", 1)
        filing.delete(make.session, admin.user, "set", 2)
        gallery.delete(make.session, admin.user, [3])
    page = admin.get("/search?q=car").text
    assert re.findall(r'class="found__name"[^>]*>([^<]*)<', page)[:2] == ["Scarves", "Red car"]
    assert page.count("Archived</span>") == 1
    assert links(page, "/review?set=3") == []
    assert named(admin, "/sets?q=car") == ["Scarves"]
    assert named(admin, "/sets?q=car&archived=1") == ["Red car"]


@pytest.mark.usefixtures("names")
def test_lists_are_searched_in_the_same_order_page_by_page(
    designer: Browser, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with making(server) as make:
        make.finished_set(name="Old car")
    monkeypatch.setattr(sets_page, "PAGE", 2)
    seen, address = [], "/sets?q=car"
    while address:
        page = designer.get(address).text
        seen += named(designer, address)
        address = next(iter(links(page, "after=")), "")
    assert seen == ["Old car", "Red car", "Cardigans", "Scarves"]
    assert links(designer.get("/styles?q=car").text, "/styles/SOR-") != []
    assert re.findall(r">(Car paint|Cartoon|Scarf)<", designer.get("/styles?q=car").text) == [
        "Car paint",
        "Cartoon",
        "Scarf",
    ]
    assert "Car seat" in designer.get("/subjects?q=@car").text
    assert "No matching subjects" in designer.get("/subjects?q=zebra").text
    assert "Red car, campaign" in designer.get("/campaigns?q=car").text
    assert "No matching campaigns" in designer.get("/campaigns?q=zebra").text


@pytest.mark.usefixtures("names")
def test_the_gallery_shows_whole_words_first_on_every_page(designer: Browser, server: Server) -> None:
    with making(server) as make:
        make.finished_set(name="More", prompts="a car\na scarf\nＣＡＲ")

    def shown(query: str) -> list[int]:
        return [int(number) for number in re.findall(r'id="picture-(\d+)"', designer.get(f"/pictures{query}").text)]

    assert shown("?q=car") == [7, 5, 1, 2, 6, 3]
    assert shown("?q=car&order=oldest") == [1, 5, 7, 2, 3, 6]
    assert shown("?q=car&after=1") == [2, 6, 3]
    assert shown("?q=car&after=6") == [3]
    assert shown("?q=car&upto=2") == [7, 5, 1, 2]


@pytest.mark.parametrize(
    ("role", "seen", "hidden"),
    [
        (Role.DESIGNER, {"New set", "Open review room", "Theme: dark"}, {"Audit log", "People"}),
        (Role.MANAGER, {"New set", "Audit log", "Reasons and approvals"}, {"People"}),
        (Role.ADMIN, {"Audit log", "People", "Invite a person"}, set()),
    ],
)
def test_the_palette_offers_what_the_role_may_do(
    sign_in: Callable[[Role], Browser], role: Role, seen: set[str], hidden: set[str]
) -> None:
    names = set(re.findall(r'class="palette__name"[^>]*>([^<]*)<', sign_in(role).get("/search/palette").text))
    assert seen <= names
    assert not hidden & names


# Pages that the palette does not offer.
NOT_OFFERED = {
    "/search": "It is the palette's own page.",
    "/compare": "It compares what was selected.",
    "/confirm": "It asks when something needs it.",
    **dict.fromkeys(("/account/authenticator", "/account/security"), "“Your account” leads to it."),
    **dict.fromkeys(("/policy/edit", "/policy/people", "/policy/versions"), "“Usage policy” leads to it."),
}


def test_the_palette_offers_every_page_that_needs_no_choice(sign_in: Callable[[Role], Browser]) -> None:
    admin = sign_in(Role.ADMIN)
    offered = {command.href.partition("#")[0] for command in COMMANDS}
    missing = set()
    for method, path in routes():
        if method != "GET" or "{" in path or path in offered or path.endswith(ENDLESS):
            continue
        answer = admin.get(path)
        if answer.status_code == 200 and "<html" in answer.text:
            missing.add(path)
    assert missing == set(NOT_OFFERED)


@pytest.mark.usefixtures("names")
def test_the_palette_finds_things_pages_and_acts(designer: Browser) -> None:
    def found(words: str) -> list[str]:
        return re.findall(r'class="palette__name"[^>]*>([^<]*)<', designer.get(f"/search/palette?q={words}").text)

    assert found("car")[:3] == ["Red car", "Cardigans", "Scarves"]
    assert found("set")[:1] == ["Sets"] or "New set" in found("set")
    assert "Theme: dark" in found("dark")
    assert found("<b>")[-1] == "All results: &lt;b&gt;"


def test_the_palette_finds_acts_in_the_language_of_the_person_and_in_english(designer: Browser) -> None:
    for words in ("ゴミ箱", "復元", "bin"):
        shown = designer.get("/search/palette", params={"q": words}, headers={"accept-language": "ja"}).text
        assert '<span class="palette__name">ゴミ箱</span>' in shown, words
