"""Waiting exports take turns, and makers of files share their memory."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture
from sqlalchemy.orm import Session

from app.errors import Invalid
from app.exports import preparer as preparing
from app.exports import provenance, service, shapes
from app.exports.making import PIXEL, Budget, Maker
from app.exports.options import FORMATS, ExportOptions
from app.exports.preparer import Preparer
from app.exports.turns import Turns
from app.models import Export, ExportFile, ExportState, Role, User
from tests.decoding.held import wait_for
from tests.exports.test_service import approved_set
from tests.factory import Factory


@pytest.fixture(autouse=True)
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice is one batch, and a batch two files."""
    monkeypatch.setattr(preparing, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(preparing, "BATCH", 2)


def asked(session: Session, make: Factory, pictures: int, user: User | None = None) -> Export:
    user = user or make.user(Role.MANAGER)
    image_set = approved_set(make, user, prompts="\n".join(f"{user.id} {n}" for n in range(pictures)))
    wanted = service.selection(session, user, set_id=image_set.id)
    export = service.create(session, user, service.plan(session, user, wanted, ExportOptions(format="jpeg")))
    session.commit()
    return export


def progress(session: Session, *exports: Export) -> list[int]:
    for export in exports:
        session.refresh(export)
    found = [export.done for export in exports]
    session.commit()
    return found


def test_a_small_export_does_not_wait_for_a_large_one(session: Session, make: Factory, preparer: Preparer) -> None:
    large = asked(session, make, 12)
    assert preparer._next()
    assert progress(session, large) == [2]
    small = asked(session, make, 2)
    assert preparer._next(), "who had no turn yet is next"
    assert progress(session, large, small) == [2, 2]
    assert preparer._next()
    assert preparer._next()
    assert progress(session, large, small) == [4, 2]
    assert (small.state, large.state) == (ExportState.READY, ExportState.PREPARING)
    while preparer._next():
        pass
    assert progress(session, large) == [12]
    assert large.state == ExportState.READY
    assert not preparer._going


def test_people_take_turns_however_much_they_ask_for(session: Session, make: Factory, preparer: Preparer) -> None:
    many = make.user(Role.MANAGER)
    theirs = [asked(session, make, 6, many) for _ in range(3)]
    other = asked(session, make, 6)
    for _ in range(6):
        preparer._next()
    assert progress(session, *theirs, other) == [2, 2, 2, 6]


def test_a_deleted_or_repeated_export_does_not_stop_the_others(
    session: Session, make: Factory, preparer: Preparer
) -> None:
    owner = make.user(Role.MANAGER)
    gone, other = asked(session, make, 6, owner), asked(session, make, 4)
    preparer._next()
    preparer.delete(owner, gone.id)
    session.expunge(gone)
    while preparer._next():
        pass
    assert progress(session, other) == [4]
    assert other.state == ExportState.READY
    again = asked(session, make, 4)  # SQLite may reuse the id
    while preparer._next():
        pass
    session.refresh(again)
    assert (again.state, again.done) == (ExportState.READY, 4)


def test_a_restart_between_two_slices_loses_no_file(session: Session, make: Factory, preparer: Preparer) -> None:
    export = asked(session, make, 5)
    preparer._next()
    after = Preparer(preparer.settings, preparer.database, preparer.files)
    while after._next():
        pass
    assert progress(session, export) == [5]
    keys = session.query(ExportFile.key).filter_by(export_id=export.id).all()
    assert len({key for (key,) in keys if key}) == 5


def test_positions_are_forgotten_if_there_are_too_many(
    session: Session, make: Factory, preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "MOST_GOING", 1)
    both = [asked(session, make, 5), asked(session, make, 5)]
    while preparer._next():
        assert len(preparer._going) <= 1
    assert progress(session, *both) == [5, 5]


@given(st.dictionaries(st.integers(1, 50), st.integers(1, 5), min_size=1, max_size=12))
def test_nobody_has_two_turns_before_all_had_one(exports: dict[int, int]) -> None:
    turns, waiting = Turns(), list(exports.items())
    people = set(exports.values())
    for _ in range(3):
        had = [exports[turns.next(waiting) or 0] for _ in people]
        assert set(had) == people
    assert turns.next([]) is None


# Memory


def test_a_large_file_is_made_alone_and_is_not_overtaken() -> None:
    budget, order, inside = Budget(100), [], threading.Event()
    go_on = threading.Event()

    def make(wanted: int) -> None:
        with budget.taken(wanted):
            order.append(wanted)
            inside.set()
            assert go_on.wait(60)
            assert budget._taken <= 100 or budget._taken == wanted

    with ThreadPoolExecutor(4) as pool:
        made = [pool.submit(make, 40)]
        inside.wait(60)
        made.append(pool.submit(make, 30))
        wait_for(lambda: order == [40, 30])
        made.append(pool.submit(make, 500))
        wait_for(lambda: len(budget._queue) == 1)
        made.append(pool.submit(make, 20))
        wait_for(lambda: len(budget._queue) == 2)
        assert order == [40, 30], "the large one waits to be alone, and the small one behind it"
        go_on.set()
        for each in made:
            each.result()
    assert order == [40, 30, 500, 20]
    assert budget._taken == 0


def test_the_costs_know_every_format() -> None:
    assert set(PIXEL) == {form.kind for form in FORMATS.values()}
    assert Maker.cost


def test_a_large_jpeg_is_not_progressive_and_a_small_one_is(make: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = provenance.Origin("", "m", make.user().created_at, "s", ())
    monkeypatch.setattr(provenance, "PROGRESSIVE_PIXELS", 64 * 64)
    for side, progressive in ((64, True), (65, False)):
        data = provenance.encoded(Picture.new("RGB", (side, side)), FORMATS["jpeg"], 90, origin)
        assert (b"\xff\xc2" in data) == progressive


def test_a_padded_picture_has_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Picture.effect_noise((20, 15), 60).resize((90, 70)).convert("RGB")
    whole = shapes.fitted(given, (700, 900), "pad")
    monkeypatch.setattr(shapes, "WHOLE_PIXELS", 1)
    apart = np.abs(np.asarray(shapes.fitted(given, (700, 900), "pad"), int) - np.asarray(whole, int))
    assert apart.max() <= 2, "the last bits are rounded elsewhere"


def test_an_avif_that_would_take_gigabytes_is_refused(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = approved_set(make, user, prompts="a fox")
    wanted = service.selection(session, user, set_id=image_set.id)
    with pytest.raises(Invalid, match=r"An AVIF of 8192 × 8192 px takes too much memory"):
        service.create(
            session,
            user,
            service.plan(session, user, wanted, ExportOptions(format="avif", sizes=("original", "8192x8192"))),
        )
    assert (
        service.create(
            session, user, service.plan(session, user, wanted, ExportOptions(format="avif", sizes=("8192x4096",)))
        ).total
        == 1
    )
    assert (
        service.create(
            session, user, service.plan(session, user, wanted, ExportOptions(format="png", sizes=("8192x8192",)))
        ).total
        == 1
    )
