import re

import pytest

from app.models import Verdict
from tests.web.server import Browser, Server, making


@pytest.fixture(autouse=True)
def pictures(server: Server) -> None:
    with making(server) as make:
        haruka, kenji = make.user(name="Mori Haruka"), make.user(name="Ito Kenji")
        poster, sticker = make.style(name="Poster"), make.style(name="Sticker")
        prompts = "\n".join(f"thing number {n}." for n in range(60))
        make.finished_set(haruka, poster, prompts=prompts, campaign="Spring")
        foxes = make.finished_set(kenji, sticker, prompts="a fox\na <b>bold</b> fox\nan owl", campaign="Winter")
        make.decide(foxes.images[0])
        make.decide(foxes.images[2], Verdict.REJECTED)


def shown(browser: Browser, query: str) -> int:
    page = browser.get(f"/pictures{query}")
    assert page.status_code == 200
    return page.text.count('<li class="cell')


def test_the_newest_come_first_and_the_rest_on_demand(designer: Browser) -> None:
    page = designer.get("/pictures").text
    assert page.count('<li class="cell') == 60
    assert "a &lt;b&gt;bold&lt;/b&gt; fox" in page
    more = re.search(r'href="(/pictures\?after=\d+)"', page)
    assert more is not None
    assert shown(designer, more[1].removeprefix("/pictures")) == 3


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("?decision=approved", 1),
        ("?decision=approved&decision=rejected", 2),
        ("?decision=none&q=fox", 1),
        ("?decision=nonsense&q=fox", 2),
        ("?q=owl", 1),
        ("?q=fox+bold", 1),
        ("?q=%25", 0),
        ("?set=2", 3),
        ("?campaign=2", 3),
        ("?campaign=x&q=fox", 2),
        ("?owner=2", 3),
        ("?style=SOR-0000", 0),
        ("?q=zebra", 0),
    ],
)
def test_filters(designer: Browser, query: str, number: int) -> None:
    assert shown(designer, query) == number


def test_a_filtered_page_names_its_filters_and_how_many_are_hidden(designer: Browser) -> None:
    page = designer.get("/pictures?decision=approved&q=fox&campaign=2").text
    assert re.search(r"<strong>1</strong>.*?of 63 pictures", page)
    assert 'aria-label="Remove the filter Approved"' in page
    assert 'aria-label="Remove the filter Winter"' in page
    assert 'href="/pictures?decision=approved&amp;campaign=2"' in page, "the address without the words"
