"""Which addresses the compare room understands, what it shows for them, and what it refuses."""

import re
from collections.abc import Callable
from html import escape, unescape

import pytest
from starlette.datastructures import QueryParams

from app.models import Image, Role, Verdict, now
from app.reviews import service
from app.web.compare import LETTERS, asked_for
from tests.web.server import Browser, Server, making


@pytest.fixture
def image_ids(server: Server) -> list[int]:
    with making(server) as make:
        image_set = make.finished_set(
            prompts="a fox\na <b>teapot</b>\nan owl\na pear\na bell", name="Autumn", strength=1.25
        )
        image_set.images[1].decision = Verdict.REJECTED
        return [image.id for image in image_set.images]


@pytest.fixture
def reviewer(sign_in: Callable[..., Browser]) -> Browser:
    return sign_in(Role.REVIEWER, "Ito Kenji")


def shown(browser: Browser, address: str) -> list[str]:
    """The pictures' addresses in order, with their letters."""
    page = browser.get(address)
    assert page.status_code == 200, page.text
    found = re.findall(r'data-pane="(\w)".*?src="([^"]+)"', page.text, re.DOTALL)
    assert [letter for letter, _ in found] == list(LETTERS[: len(found)])
    return [src for _, src in found]


def refused(browser: Browser, address: str) -> tuple[int, str]:
    answer = browser.get(address)
    sentence = re.search(r"data-error-sentence>(.*?)</p>", answer.text, re.DOTALL)
    assert sentence is not None, answer.text
    return answer.status_code, unescape(sentence[1])


def test_ids_are_repeated_or_separated_by_commas_and_keep_their_order(designer: Browser, image_ids: list[int]) -> None:
    one, two, three, *_ = image_ids
    wanted = [f"/images/{id}.png" for id in (three, one, two)]
    for query in (
        f"ids={three},{one},{two}",
        f"ids={three}&ids={one}&ids={two}",
        f"ids={three},{one}&ids={two}",
        f"ids={three},,{three}, {one},&ids={one}&ids={two}&ids=",
    ):
        assert shown(designer, f"/compare?{query}") == wanted, query


def test_the_tray_describes_each_picture(designer: Browser, image_ids: list[int]) -> None:
    page = designer.get(f"/compare?ids={image_ids[0]},{image_ids[1]}").text
    slots = re.findall(r'<div class="slot".*?</div>', page, re.DOTALL)
    assert len(slots) == 2
    assert "a fox" in slots[0]
    assert "To review" in slots[0]
    assert "a &lt;b&gt;teapot&lt;/b&gt;" in slots[1]
    assert "strength 1.25" in slots[1]
    assert "Rejected" in slots[1]
    assert f'href="/review?set=1&amp;image={image_ids[1]}"' in slots[1]


def test_the_tray_states_the_version_and_its_own_strength(
    server: Server, designer: Browser, image_ids: list[int]
) -> None:
    with server.resources.database.write() as session:
        image = session.get_one(Image, image_ids[0])
        image.version, image.strength = 2, 0.5
    page = designer.get(f"/compare?ids={image_ids[0]},{image_ids[1]}").text
    assert re.findall(r"v(\d), seed [^,]*, strength ([\d.]+)", page) == [("2", "0.5"), ("1", "1.25")]


def test_the_reference_takes_a_place_among_the_four(server: Server, designer: Browser, image_ids: list[int]) -> None:
    with making(server) as make:
        other = make.reference().id
    ids = ",".join(map(str, image_ids[:3]))
    page = designer.get(f"/compare?ids={ids}").text
    add = re.search(r'href="(/compare[^"]+)"[^>]*>[^>]*>[^>]*>\s*</svg>Add reference', page)
    assert add is not None
    added = unescape(add[1])
    assert added == f"/compare?ids={ids}&reference=1"
    assert shown(designer, added)[-1] == "/references/1.png"
    assert "/styles/SOR-" in designer.get(added).text, "of the style that the pictures were made in"
    assert "/styles/SOR-" not in designer.get(f"/compare?ids={ids}&reference={other}").text
    assert "Add reference" not in designer.get(added).text
    four = ",".join(map(str, image_ids[:4]))
    assert "Add reference" not in designer.get(f"/compare?ids={four}").text
    assert refused(designer, f"/compare?ids={four}&reference=1") == (
        422,
        "At most four pictures can be compared, not 5. Remove some.",
    )
    assert refused(designer, f"/compare?ids={ids}&reference=1&reference={other}") == (
        422,
        "Only one reference can be compared at a time.",
    )


def test_pictures_in_the_bin_say_so_and_cannot_be_decided_on(
    server: Server, reviewer: Browser, designer: Browser, image_ids: list[int]
) -> None:
    one, two, *_ = image_ids
    with making(server) as make:
        image = make.session.get_one(Image, two)
        image.deleted_at, image.shown = now(), False
    address = f"/compare?ids={one},{two}"
    for browser in (reviewer, designer):
        page = browser.get(address).text
        (caption,) = re.findall(r'data-pane="B".*?</figure>', page, re.DOTALL)
        (slot,) = re.findall(r'data-slot="B".*?</div>', page, re.DOTALL)
        assert "In the bin" in caption
        assert "In the bin" in slot
        assert 'href="/pictures/bin"' in slot
        assert "/review" not in slot
    page = reviewer.get(address).text
    assert f'action="/images/{one}/decision"' in page
    assert f'action="/images/{two}/decision"' not in page
    assert "This picture is in the bin." in page
    with making(server) as make:
        make.session.get_one(Image, two).purged_at = now()
    assert refused(designer, address) == (
        404,
        f"Picture {two} was permanently deleted, so it cannot be compared.",
    )


def test_each_caption_leads_to_the_reference(designer: Browser, image_ids: list[int]) -> None:
    page = designer.get(f"/compare?ids={image_ids[0]},{image_ids[1]}&reference=1").text
    captions = re.findall(r"<figcaption.*?</figcaption>", page, re.DOTALL)[:3]
    assert all('href="/references/1"' in caption for caption in captions)
    assert [re.search(r'aria-label="(.*?)"', caption) is not None for caption in captions] == [True, True, False]
    assert "Reference of Retro sunburst" in captions[0]


def test_what_cannot_be_compared_is_named(server: Server, designer: Browser, image_ids: list[int]) -> None:
    one = image_ids[0]
    with making(server) as make:
        waiting = make.image_set(prompts="a fail").images[0].id
    for query, sentence in (
        (f"ids={one},999", "There is no picture 999."),
        (f"ids={one},0", "There is no picture 0."),
        (f"ids={one},fox", "There is no picture fox."),
        (f"ids={one},-2", "There is no picture -2."),
        (f"ids={one},{'9' * 30}", f"There is no picture {'9' * 19}…."),
        (f"ids={one}&reference=77", "There is no reference 77."),
        (f"ids={one}&reference=owl", "There is no reference owl."),
        (f"ids={one},{waiting}", f"Picture {waiting} is not finished, so it cannot be compared yet."),
    ):
        assert refused(designer, f"/compare?{query}") == (404, sentence)
    five = ",".join(map(str, image_ids))
    assert refused(designer, f"/compare?ids={five}")[0] == 422


def test_fewer_than_two_gives_a_sentence_and_a_link_to_the_pictures(designer: Browser, image_ids: list[int]) -> None:
    for address, sentence in (
        ("/compare", "Select two to four pictures to see them side by side."),
        (f"/compare?ids={image_ids[0]}", "One picture is not enough. Select two to four."),
        (f"/compare?ids={image_ids[0]},{image_ids[0]}", "One picture is not enough. Select two to four."),
    ):
        page = designer.get(address).text
        assert sentence in page
        assert 'class="btn" href="/pictures"' in page
        assert "data-compare" not in page


def test_taking_one_out_keeps_the_rest_of_the_address(designer: Browser, image_ids: list[int]) -> None:
    one, two, three, *_ = image_ids
    address = f"/compare?ids={one},{two},{three}&reference=1&mode=split&pair=BD&split=0&together=off&from=/sets/1"
    page = designer.get(address).text
    links = [unescape(link) for link in re.findall(r'href="([^"]+)"\s+aria-label="Remove ."', page)]
    rest = "mode=split&split=0&together=off&from=/sets/1"
    assert links == [
        f"/compare?ids={two},{three}&reference=1&{rest}",
        f"/compare?ids={one},{three}&reference=1&{rest}",
        f"/compare?ids={one},{two}&reference=1&{rest}",
        f"/compare?ids={one},{two},{three}&{rest}",
    ]
    assert shown(designer, links[0]) == [f"/images/{two}.png", f"/images/{three}.png", "/references/1.png"]
    assert 'data-mode="split"' in page
    assert 'data-pair="BD"' in page
    assert 'data-split="0"' in page
    assert 'aria-valuenow="0"' in page
    assert re.search(r"data-together[^>]*checked", page) is None


@pytest.mark.parametrize("mode", ["side", "split", "difference"])
def test_the_address_says_how_to_compare(designer: Browser, image_ids: list[int], mode: str) -> None:
    page = designer.get(f"/compare?ids={image_ids[0]},{image_ids[1]}&mode={mode}").text
    assert f'data-mode="{mode}"' in page
    assert re.findall(r'data-mode-link="(\w+)"[^>]*aria-current="true"', page) == [mode]
    assert re.search(r"data-together[^>]*checked", page)


def test_what_an_address_says_of_the_view_and_makes_no_sense_is_left_out() -> None:
    for query, pair in (("AC", "AC"), ("ca", "AC"), ("AD", "AB"), ("A", "AB"), ("ABC", "AB"), ("", "AB"), ("XY", "AB")):
        assert asked_for(QueryParams(ids="1,2,3", pair=query)).pair == pair, query
    assert asked_for(QueryParams(ids="1,2", mode="upside")).mode == "side"
    assert asked_for(QueryParams(ids="1,2", together="yes")).together
    for words, split in (
        ("37", 37),
        ("0", 0),
        ("100", 100),
        ("101", 50),
        ("-1", 50),
        ("37.5", 50),
        ("left", 50),
        ("", 50),
        ("９", 9),
    ):
        assert asked_for(QueryParams(ids="1,2", split=words)).split == split, words
    assert asked_for(QueryParams(ids="1,2", split="50")).url == "/compare?ids=1,2"
    assert asked_for(QueryParams(ids="1,2", split="8")).url == "/compare?ids=1,2&split=8"


def test_deciding_leads_back_to_the_comparison(reviewer: Browser, image_ids: list[int]) -> None:
    here = f"/compare?ids={image_ids[0]},{image_ids[2]}&mode=split&split=30"
    answer = decided(reviewer, image_ids[0], "approved", here)
    assert answer == f"{here}&undo=1"
    page = reviewer.get(answer).text
    assert ">Approved</span>" in slot(page, "A")
    assert "a fox: approved" in page
    assert f'name="from" value="{escape(here)}"' in page, "without what can be undone"
    taken_back = reviewer.post("/decisions/1/withdraw", data={"from": here})
    assert taken_back.headers["location"] == here
    assert ">Withdrawn</span>" in slot(reviewer.get(here).text, "A")

    # Earlier decisions of others are reported there too.
    assert decided(reviewer, image_ids[0], "approved", here, seen="") == here
    assert "You just withdrew a decision on this picture. Check it before you decide." in reviewer.get(here).text
    assert decided(reviewer, image_ids[2], "rejected", "https://example.com/?x") == "/?undo=3"
    assert decided(reviewer, image_ids[2], "rejected", "//example.com", seen="") == "/"


def decided(browser: Browser, image_id: int, verdict: str, here: str, seen: str | None = None) -> str:
    """Where a decision leads. `seen`: as on the page, unless given."""
    if seen is None:
        form = re.search(
            rf'action="/images/{image_id}/decision".*?name="seen" value="(\d*)"', compared(browser), re.DOTALL
        )
        assert form is not None
        seen = form[1]
    reason = "Off the look" if verdict == "rejected" else ""
    data = {"verdict": verdict, "seen": seen, "reason": reason, "from": here}
    answer = browser.post(f"/images/{image_id}/decision", data=data)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def compared(browser: Browser) -> str:
    return browser.get("/compare?ids=1,3").text


def slot(page: str, letter: str) -> str:
    found = re.search(rf'<div class="slot" data-slot="{letter}".*?</div>', page, re.DOTALL)
    assert found is not None
    return found[0]


def test_who_may_decide_and_on_what(server: Server, reviewer: Browser, designer: Browser, image_ids: list[int]) -> None:
    here = f"/compare?ids={image_ids[0]},{image_ids[1]},{image_ids[2]}&reference=1"
    assert "/decision" not in designer.get(here).text
    assert 'aria-label="Decision"' not in designer.get(here).text
    page = reviewer.get(here).text
    assert set(re.findall(r'action="(/images/\d+/decision)"', page)) == {
        f"/images/{id}/decision" for id in image_ids[:3]
    }
    assert "References need no decision." in page
    with making(server) as make:
        images = [make.session.get_one(Image, id) for id in image_ids]
        images[0].superseded, images[0].shown = True, False
        images[1].deleted_at, images[1].shown = now(), False
    page = reviewer.get(here).text
    assert "A newer version replaced this picture." in page
    assert "This picture is in the bin." in page
    assert set(re.findall(r'action="(/images/\d+/decision)"', page)) == {f"/images/{image_ids[2]}/decision"}
    with making(server) as make:
        service.lock(make.session, make.user(Role.MANAGER, "Mori Haruka"), 1)
    page = reviewer.get(here).text
    assert "Mori Haruka locked the decisions of this set on " in page
    assert "/decision" not in page


def test_the_way_back_stays_on_this_server(designer: Browser, image_ids: list[int]) -> None:
    def back(path: str) -> str:
        page = designer.get("/compare", params={"ids": f"{image_ids[0]},{image_ids[1]}", "from": path}).text
        found = re.search(r'href="([^"]*)" aria-label="Back"', page)
        assert found is not None
        return unescape(found[1])

    assert back("/sets/1?view=rows") == "/sets/1?view=rows"
    assert back("/pictures") == "/pictures"
    for elsewhere in (
        "https://example.com",
        "//example.com",
        "/\\example.com",
        "javascript:alert(1)",
        "sets/1",
        "/\nx",
    ):
        assert back(elsewhere) == "/", elsewhere
    page = designer.get(f"/compare?ids={image_ids[0]},{image_ids[1]}").text
    assert 'href="/pictures" aria-label="Back"' in page, "without a way back, to the pictures"
