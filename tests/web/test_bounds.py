"""The page with a style's bounds: what they would have flagged, proposals, saving, and their history."""

import re
from collections.abc import Iterator

import pytest

from app.models import Role
from tests.measures.test_bounds import decide_all
from tests.web.server import Browser, Server, making, signed_in_browser


@pytest.fixture
def style(server: Server) -> Iterator[tuple[str, Browser]]:
    """The code of a style with decisions, and its owner's browser."""
    with making(server) as make:
        made = decide_all(make.session, make)
        code, owner = made.code, made.owner
    with signed_in_browser(server, owner) as browser:
        yield code, browser


def form(page: str) -> dict[str, list[str] | str]:
    """What its form sends as it is."""
    bounds = re.findall(r'name="bound" value="([^"]*)"', page)
    seen = re.search(r'name="seen" value="([^"]*)"', page)
    fitted = {"fitted": "1"} if 'name="fitted"' in page else {}
    assert seen is not None
    return {"measure": re.findall(r'name="measure" value="([^"]+)"', page), "bound": bounds, "seen": seen[1], **fitted}


def test_it_says_how_well_each_bound_agrees(style: tuple[str, Browser]) -> None:
    code, owner = style
    page = owner.get(f"/styles/{code}/bounds").text
    assert '<span class="strong">1.00</span>' in page, "the area of the hue"
    assert "13 approved, 11 rejected" in page
    assert "3 of 11 rejected, 0 of 13 approved" in page, "by the usual 40 degrees"
    assert f'href="/styles/{code}/bounds"' in owner.get(f"/styles/{code}").text


def test_a_proposal_says_what_would_change_and_saves_nothing_by_itself(style: tuple[str, Browser]) -> None:
    code, owner = style
    page = owner.get(f"/styles/{code}/bounds?fit=1").text
    assert "Nothing is saved yet" in page
    assert "<strong>11 of 11 rejected, 0 of 13 approved</strong>" in page
    assert "so far: 3 of 11 rejected, 0 of 13 approved" in page
    assert "Nobody has changed the bounds" in page
    assert owner.post(f"/styles/{code}/bounds", data=form(page)).status_code == 303
    after = owner.get(f"/styles/{code}/bounds").text
    assert "Hue distance from the reference: 40° → 25°" in after
    assert "fitted to decisions" in after
    assert "/undo/" in after, "it can be undone"


def test_a_page_from_before_is_refused_and_nothing_is_lost(style: tuple[str, Browser]) -> None:
    code, owner = style
    mine = form(owner.get(f"/styles/{code}/bounds").text)
    mine["bound"][mine["measure"].index("blank")] = "61"  # type: ignore[index, union-attr, operator]
    owner.post(f"/styles/{code}/bounds", data={"measure": "seam", "bound": "5", "seen": ""})
    answer = owner.post(f"/styles/{code}/bounds", data=mine)
    assert answer.status_code == 409
    assert "Someone saved other bounds" in answer.text
    assert "<title>This did not work" in answer.text
    assert re.search(r'id="blank" name="bound" value="61"', answer.text), "what was typed is still there"
    assert '<p class="small">now 5' in answer.text, "next to what is saved now"
    assert owner.post(f"/styles/{code}/bounds", data=form(answer.text)).status_code == 303, "who has compared can save"


def test_what_is_wrong_is_said_and_what_was_typed_stays(style: tuple[str, Browser]) -> None:
    code, owner = style
    answer = owner.post(
        f"/styles/{code}/bounds", data={"measure": ["seam", "blank"], "bound": ["many", "61"], "seen": ""}
    )
    assert answer.status_code == 422
    assert "Enter a number from 0 to 100, or nothing." in answer.text
    assert re.search(r'id="seam" name="bound" value="many"', answer.text)
    assert re.search(r'id="blank" name="bound" value="61"', answer.text)


def test_others_read_it_and_few_decisions_propose_nothing(server: Server, sign_in: object) -> None:
    with making(server) as make:
        code = make.style().code
    browser = sign_in(Role.REVIEWER)  # type: ignore[operator]
    page = browser.get(f"/styles/{code}/bounds?fit=1").text
    assert "at least 10 approved and 10 rejected pictures are needed" in page
    assert "Save bounds" not in page
