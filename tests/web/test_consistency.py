"""What was measured, on the page of a set and of a picture."""

import re

import pytest
from sqlalchemy import select

from app.measures.plot import Axis, nice, plot
from app.measures.queries import MeasuredPicture
from app.models import PictureFeatures, Role
from tests.factory import png
from tests.measures.conftest import finished, without_process
from tests.statements import counted
from tests.web.server import Browser, Server, making

PART = {"hx-request": "true"}


@pytest.fixture
def set_id(server: Server) -> int:
    with making(server) as make:
        made = finished(make, ["#c03020", "#c43424", "#2040d0"]).id
    resources = server.resources
    without_process(resources.settings, resources.database, resources.files).work()
    return made


def test_the_panel_says_what_was_found_and_why(designer: Browser, set_id: int) -> None:
    page = designer.get(f"/sets/{set_id}").text
    assert f'hx-get="/sets/{set_id}/measures"' in page
    panel = designer.get(f"/sets/{set_id}/measures", headers=PART).text
    assert "<html" not in panel
    found = re.search(r"Hue is (\d+)° from the reference; this style allows 40°\.", panel)
    assert found is not None
    assert int(found[1]) > 60
    assert panel.count('class="plot__point plot__point--none') == 3
    japanese = designer.get(f"/sets/{set_id}/measures", headers={**PART, "accept-language": "ja"}).text
    assert re.search(r"色相が参照画像から\d+°離れています", japanese)


def test_the_plot_takes_other_measures_and_leads_to_the_pictures(designer: Browser, set_id: int) -> None:
    page = designer.get(f"/sets/{set_id}/measures?x=blank&y=nearest").text
    assert re.search(r'<option value="blank" selected>Empty area', page)
    assert re.search(r'<option value="nearest" selected>', page)
    address = re.search(r'<a href="(/review\?set=\d+&amp;image=\d+)"\s+class="plot__point', page)
    assert address is not None
    assert designer.get(address[1].replace("&amp;", "&")).status_code == 200
    assert designer.get(f"/sets/{set_id}/measures?x=nonsense&y=%00").status_code == 200


def test_the_page_of_a_picture_has_its_numbers(designer: Browser, set_id: int) -> None:
    page = designer.get("/images/3/measures").text
    assert "Hue distance from the reference" in page
    assert "this style allows 40°" in page
    assert designer.get("/images/999/measures").status_code == 404


def test_a_large_set_costs_the_same_statements(server: Server, designer: Browser, set_id: int) -> None:
    with counted(server.resources.database) as seen:
        designer.get(f"/sets/{set_id}/measures", headers=PART)
    assert len(seen) <= 12


def test_what_is_not_measured_yet_says_so(server: Server, sign_in: object) -> None:
    with making(server) as make:
        made = make.finished_set()
    browser = sign_in(Role.REVIEWER)  # type: ignore[operator]
    panel = browser.get(f"/sets/{made.id}/measures", headers=PART).text
    assert "2 pictures are still being measured." in panel
    assert "load delay" in panel, "it asks again"
    assert "is not measured yet" in browser.get(f"/images/{made.images[0].id}/measures").text


def picture(number: int, **numbers: float) -> MeasuredPicture:
    return MeasuredPicture(number, number, "a fox", None, False, None, numbers, {}, {}, "")


def test_axes_are_round_and_hold_every_picture() -> None:
    assert [nice(step) for step in (0.013, 0.2, 3.0, 51.0)] == pytest.approx([0.02, 0.2, 5, 100])
    axis = Axis.over([3.0, 47.0], 0, 100)
    assert (axis.low, axis.high, axis.step) == (0, 60, 20)
    assert axis.at(30) == 50
    for same in (5.0, 0.9, -2.0, 1 / 3, 0.0):
        flat = Axis.over([same, same], 0, 100)
        assert flat.low <= same < flat.high
        assert (0 if same else -1) < flat.at(same) < 100, "it is not drawn on the edge, over the other axis's numbers"
        assert len(flat.ticks("blank")) >= 2
    laid = plot([picture(1, blank=3.0, seam=1.0), picture(2, blank=9.0, seam=2.0), picture(3, blank=1.0)], {})
    assert laid is not None
    assert laid.total == 2
    assert all(laid.left <= point.x <= laid.right and laid.top <= point.y <= laid.bottom for point in laid.points)
    assert plot([], {}) is None
    assert plot([picture(1, blank=1.0)], {}) is None, "one measure makes no plot"


def test_a_large_plot_is_a_sample_with_every_flag() -> None:
    many = [picture(number, blank=number, seam=number) for number in range(900)]
    many[7] = MeasuredPicture(7, 7, "", None, False, None, {"blank": 7, "seam": 7}, {"blank": 1}, {}, "")
    first, second = plot(many, {}), plot(many, {})
    assert first is not None
    assert second is not None
    assert len(first.points) == 300
    assert first.points == second.points
    assert 7 in {point.picture.id for point in first.points}


def test_the_panel_says_how_alike_the_attention_of_the_pictures_is(
    server: Server, designer: Browser, set_id: int
) -> None:
    assert "Attention-map similarity" not in designer.get(f"/sets/{set_id}/measures", headers=PART).text
    with making(server) as make:
        for features in make.session.scalars(select(PictureFeatures)):
            features.layout = png("white", (64, 64))
    panel = designer.get(f"/sets/{set_id}/measures", headers=PART).text
    assert "Attention-map similarity: 1.00, where 1 is pictures laid out alike." in panel
