"""Sort by a measure, and filter what is flagged."""

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.gallery import matching, queries
from app.gallery.matching import Search
from app.gallery.search import EVERYTHING, PictureFilter
from app.models import Image, PictureMeasures
from tests.factory import Factory

HUES = [12.0, None, 40.0, 31.5, None, 0.0, 31.5]


@pytest.fixture
def ids(session: Session, make: Factory) -> list[int]:
    """Pictures with HUES."""
    images = make.finished_set(prompts="\n".join("abcdefg")).images
    for image, hue in zip(images, HUES, strict=True):
        numbers = {} if hue is None else {"hue_reference": hue, "clip_set": hue / 100}
        session.execute(
            update(PictureMeasures)
            .where(PictureMeasures.image_id == image.id)
            .values(numbers=numbers, flagged=(hue or 0) > 30)
        )
    return [image.id for image in images]


def shown(session: Session, make: Factory, query: str, limit: int = 2) -> list[int]:
    """The pictures of a filter, page after page."""
    user, wanted = make.user(), PictureFilter.of_query(query)
    found: list[int] = []
    while len(found) < 20:
        search = Search.of(session, user, wanted)
        cells = queries.pictures(session, search, found[-1] if found else None, limit)
        if not cells:
            assert queries.count(session, Search.of(session, user, wanted)) == len(found)
            return found
        found += [cell.id for cell in cells]
        upto = [cell.id for cell in queries.pictures(session, search, None, 20, found[-1])]
        assert upto == found, "as many are shown again"
    raise AssertionError("pictures repeat")


def test_the_worst_come_first_and_the_unmeasured_last(session: Session, make: Factory, ids: list[int]) -> None:
    a, b, c, d, e, f, g = ids
    assert shown(session, make, "order=hue_reference") == [c, g, d, a, f, e, b]
    assert shown(session, make, "order=clip_set") == [f, a, g, d, c, e, b], "of a likeness, the least"


def test_of_very_many_the_newest_are_sorted(
    session: Session, make: Factory, ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "MOST_SORTED", 4)
    a, b, c, d, e, f, g = ids
    assert shown(session, make, "order=hue_reference") == [g, d, f, e, c, b, a]


def test_flagged_pictures_alone(session: Session, make: Factory, ids: list[int]) -> None:
    assert shown(session, make, "flagged=1") == [ids[6], ids[3], ids[2]]
    assert shown(session, make, "flagged=1&order=hue_reference") == [ids[2], ids[6], ids[3]]


def test_addresses_hold_both() -> None:
    wanted = PictureFilter.of_query("flagged=on&order=hue_set")
    assert wanted.query == "flagged=1&order=hue_set"
    assert wanted
    assert not PictureFilter.of_query("order=hue_set")
    assert PictureFilter.of_query("order=subject_x") == EVERYTHING, "it describes only"
    assert PictureFilter.of_query("order=$.x") == EVERYTHING


def test_an_order_by_a_measure_needs_no_measures(session: Session, make: Factory) -> None:
    make.finished_set()
    assert len(shown(session, make, "order=seam")) == 2
    assert session.query(Image).count() == 2


def test_an_edited_address_names_a_picture_that_never_was(session: Session, make: Factory, ids: list[int]) -> None:
    search = Search.of(session, make.user(), PictureFilter.of_query("order=hue_reference"))
    unmeasured = [ids[4], ids[1]]
    assert [cell.id for cell in queries.pictures(session, search, after=9999)] == unmeasured
    assert [cell.id for cell in queries.pictures(session, search, upto=9999)] == [
        id for id in shown(session, make, "order=hue_reference") if id not in unmeasured
    ]
