"""Bounds of a style: saved with their history, fitted to decisions, and the flags that follow."""

from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import undo
from app.database import Database
from app.errors import Conflict, Forbidden, Invalid
from app.measures import bounds
from app.measures.measurer import Measurer
from app.models import Act, AuditEvent, Image, PictureMeasures, Role, Style, Verdict, now
from tests.factory import Factory
from tests.measures.conftest import finished, rows_of


def test_the_usual_bounds_count_until_somebody_saves_others(session: Session, make: Factory) -> None:
    style = make.style()
    assert bounds.bounds_of(session, style.id) == bounds.USUAL
    row = bounds.save(session, style.owner, style, {"hue_reference": 20.0, "seam": None}, None)
    assert row is not None
    session.flush()
    found = bounds.bounds_of(session, style.id)
    assert (found["hue_reference"], found["seam"]) == (20, None)
    assert found["blank"] == bounds.USUAL["blank"], "what is left out stays"
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.STYLE_BOUNDS)).one()
    assert event.details == {"bounds": "hue_reference 40 → 20, seam 4 → none"}


def test_a_second_tab_overwrites_nothing(session: Session, make: Factory) -> None:
    style = make.style()
    first = bounds.save(session, style.owner, style, {"blank": 50.0}, None)
    assert first is not None
    session.flush()
    with pytest.raises(Conflict, match="Someone saved other bounds"):
        bounds.save(session, style.owner, style, {"blank": 60.0}, None)
    assert bounds.save(session, style.owner, style, {"blank": 50.0}, first.id) is None, "nothing is different"


def test_only_the_owner_or_a_manager(session: Session, make: Factory) -> None:
    style = make.style()
    with pytest.raises(Forbidden):
        bounds.save(session, make.user(Role.REVIEWER), style, {"blank": 50.0}, None)
    assert bounds.save(session, make.user(Role.MANAGER), style, {"blank": 50.0}, None)


def test_it_is_undone_once(session: Session, make: Factory) -> None:
    style = make.style()
    bounds.save(session, style.owner, style, {"blank": 50.0}, None)
    (part,) = undo.open_parts(session, style.owner, undo.offered(session))
    assert undo.undo(session, style.owner, part.id).told == f"{style.name} has the same bounds as before."
    assert bounds.bounds_of(session, style.id) == bounds.USUAL
    assert len(bounds.history(session, style.owner, style.id)) == 2, "the history keeps both"


def test_those_of_a_style_in_the_bin_stay(session: Session, make: Factory) -> None:
    style = make.style()
    bounds.save(session, style.owner, style, {"blank": 50.0}, None)
    (part,) = undo.open_parts(session, style.owner, undo.offered(session))
    style.deleted_at = now()
    session.flush()
    with pytest.raises(Conflict, match="is in the bin"):
        undo.undo(session, style.owner, part.id)
    assert bounds.bounds_of(session, style.id)["blank"] == 50


def test_what_is_typed_is_checked_all_at_once() -> None:
    assert bounds.read({"hue_reference": " 20,5 ", "seam": "", "csd_set": "０．４"}) == {
        "csd_set": 0.4,
        "hue_reference": 20.5,
        "seam": None,
    }
    with pytest.raises(Invalid) as refused:
        bounds.read({"hue_reference": "200", "seam": "nan", "blank": "many", "noise": "3"})
    assert set(refused.value.errors) == {"hue_reference", "seam", "blank"}
    assert refused.value.errors["hue_reference"] == "Enter a number from 0 to 180, or nothing."


def test_pictures_are_flagged_by_new_bounds_without_measuring_again(
    database: Database, measurer: Measurer, making: Any
) -> None:
    with making() as make:
        image_set = finished(make, ["#c03020", "#c43424", "#2040d0"])
        style_id, owner = image_set.style_version.style_id, image_set.style_version.style.owner
    measurer.work()
    before = rows_of(database, image_set.id)
    with making() as make:
        make.session.add(owner)
        bounds.save(make.session, owner, make.session.get_one(Style, style_id), dict.fromkeys(bounds.USUAL), None)
    measurer.work()
    after = rows_of(database, image_set.id)
    assert [row.flagged for row in after] == [False] * 3
    assert [row.measured_at for row in after] == [row.measured_at for row in before]


def decide_all(session: Session, make: Factory) -> Style:
    """A style with 24 decided pictures: those with a hue of more than 25 were rejected."""
    made = make.finished_set(prompts="\n".join(f"p{n}" for n in range(24)))
    for number, image in enumerate(made.images):
        numbers = {"hue_reference": 2.0 * number, "blank": 50.0}
        row = update(PictureMeasures).where(PictureMeasures.image_id == image.id)
        session.execute(row.values(numbers=numbers, due=False, measured_at=image.finished_at))
        verdict = Verdict.APPROVED if 2 * number < 25 else Verdict.REJECTED
        session.execute(update(Image).where(Image.id == image.id).values(decision=verdict))
    return made.style_version.style


def test_bounds_are_fitted_to_what_people_decided(session: Session, make: Factory) -> None:
    style = decide_all(session, make)
    known = bounds.decided(session, style.owner, style.id)
    assert (known.approved_total, known.rejected_total) == (13, 11)
    found = bounds.fitted(known, bounds.bounds_of(session, style.id))
    assert found["hue_reference"] == 25
    assert found["blank"] == bounds.USUAL["blank"], "it told nothing apart"


def test_a_bound_has_the_digits_that_the_form_shows_again() -> None:
    """Or saving the form unchanged would change it."""
    assert bounds.read({"hue_reference": "12.3456789"}) == {"hue_reference": 12.3457}
