"""A set of more pictures than its page loads at once."""

import re

import pytest
from sqlalchemy import update

from app.models import Image, State
from tests.web.server import Browser, Server, making
from tests.web.test_live import messages


@pytest.fixture
def path(server: Server, designer: Browser) -> str:
    with making(server) as make:
        prompts = "\n".join(f"thing {number}" for number in range(150))
        image_set = make.image_set(designer.user, prompts=prompts)
        failed = Image.position.in_([10, 70, 71, 149])
        make.session.execute(update(Image).where(failed).values(state=State.FAILED, error="Too dark."))
        make.session.execute(update(Image).where(~failed).values(state=State.CANCELLED))
        return f"/sets/{image_set.id}"


def shown(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'id="place-(\d+)"\s+data-state', page)]


def hidden(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'id="place-(\d+)" hidden', page)]


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("", 1, 60),
        ("?after=60", 61, 120),
        ("?after=120", 121, 150),
        ("?before=121", 61, 120),
        ("?before=31", 1, 30),
        ("?at=60", 1, 60),
        ("?at=61", 61, 120),
        ("?at=150", 121, 150),
        ("?at=x&after=&before=", 1, 60),
        ("?whole=on", 1, 150),
        ("?after=150", 0, 0),
    ],
)
def test_a_page_shows_one_part(designer: Browser, path: str, query: str, first: int, last: int) -> None:
    page = designer.get(path + query).text
    assert shown(page) == [*range(first, last + 1)][: last and None]
    assert hidden(page) == []


def test_more_is_added_without_the_rest_of_the_page(designer: Browser, path: str) -> None:
    more = designer.get(f"{path}?after=60&first=1", headers={"hx-request": "true"}).text
    assert "<html" not in more
    assert shown(more) == [*range(61, 121)]
    assert "first=1&amp;last=120" in more, "it listens to all that the page has now"
    assert "after=120" in more
    earlier = designer.get(f"{path}?before=61&last=120", headers={"hx-request": "true"}).text
    assert shown(earlier) == [*range(1, 61)]
    assert "first=1&amp;last=120" in earlier


def test_a_filter_finds_pictures_of_all_parts_and_keeps_places_for_the_others(designer: Browser, path: str) -> None:
    page = designer.get(f"{path}?show=failed").text
    assert shown(page) == [10, 70, 71, 149]
    assert len(hidden(page)) == 146
    assert designer.get(f"{path}?show=nonsense").status_code == 200


def test_events_are_of_what_the_page_has(designer: Browser, path: str) -> None:
    first = next(messages(designer, f"{path}/events?first=61&last=70"))
    assert shown(first.data) == [*range(61, 71)]
    assert 'id="progress"' in first.data
    everything = next(messages(designer, f"{path}/events"))
    assert len(shown(everything.data)) == 150


def test_a_picture_far_down_is_retried_where_it_is(designer: Browser, path: str) -> None:
    assert designer.post("/images/10/retry").headers["location"] == path
    assert designer.post("/images/70/retry").headers["location"] == f"{path}?at=70#place-70"


def test_its_weight_and_work_stay_the_same(server: Server, designer: Browser, path: str) -> None:
    with making(server) as make:
        prompts = "\n".join(f"thing {number}" for number in range(500))
        largest = make.image_set(designer.user, prompts=prompts, count=2)
    assert len(designer.get(f"/sets/{largest.id}").content) < 150_000
    assert abs(len(designer.get(f"/sets/{largest.id}").content) - len(designer.get(path).content)) < 40_000


def test_a_huge_number_finds_nothing(designer: Browser, path: str) -> None:
    assert designer.get(f"{path}?at={10**17}").status_code == 200
