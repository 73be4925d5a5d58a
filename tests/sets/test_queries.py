"""Reading sets, the queue and the gallery."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import NotFound
from app.gallery import service as gallery
from app.models import Image, ImageSet, Role, State, User, Verdict, now
from app.sets import campaigns, queries, service, units
from app.sets.queries import PictureCounts
from app.styles import service as styles
from app.work import line, queue
from tests.factory import Factory
from tests.statements import counted, plan

# One set, one picture


def test_get_loads_everything_a_page_shows(session: Session, make: Factory, database: Database) -> None:
    user = make.user()
    image_set = make.image_set()
    session.commit()
    with database.read() as reading:
        found = queries.get(reading, user, image_set.id)
        with counted(database) as seen:
            assert found.owner.name
            assert found.campaign.name
            assert found.style_version.style.code
            assert found.style_version.references[0].reference.sha256
        assert seen == []


def test_image_loads_everything_a_page_shows(session: Session, make: Factory, database: Database) -> None:
    user = make.user()
    image = make.finished_set().images[0]
    session.commit()
    with database.read() as reading:
        found = queries.image(reading, user, image.id)
        with counted(database) as seen:
            assert found.image_set.owner.name
            assert found.image_set.campaign.name
            assert found.image_set.style_version.style.name
        assert seen == []


def test_places_in_order_with_units(session: Session, make: Factory, database: Database) -> None:
    user = make.user()
    image_set = make.image_set(prompts="a\nb\nc", unit_size=2)
    session.commit()
    with database.read() as reading, counted(database) as seen:
        faces = [place.face for place in queries.places(reading, user, image_set.id)]
        assert [(image.prompt, image.unit and image.unit.tries) for image in faces] == [("a", 0), ("b", 0), ("c", 0)]
        assert {image.campaign.name for image in faces} == {"Unsorted"}
    assert len(seen) == 1


READS: list[Callable[[Session, User], object]] = [
    lambda session, user: queries.get(session, user, 404),
    lambda session, user: queries.image(session, user, 404),
    lambda session, user: queries.progress(session, user, 404),
    lambda session, user: queries.campaign(session, user, 404),
]


@pytest.mark.parametrize("read", READS)
def test_unknown_404(session: Session, make: Factory, read: Callable[[Session, User], object]) -> None:
    with pytest.raises(NotFound):
        read(session, make.user())


def test_closed_account_sees_nothing(session: Session, make: Factory) -> None:
    image_set, closed = make.finished_set(), make.user(active=False)
    for read in (queries.get, queries.progress):
        with pytest.raises(NotFound):
            read(session, closed, image_set.id)
    with pytest.raises(NotFound):
        queries.image(session, closed, image_set.images[0].id)
    with pytest.raises(NotFound):
        queries.campaign(session, closed, image_set.campaign_id)
    assert queries.places(session, closed, image_set.id) == queries.positions(session, closed, image_set.id) == []
    for every in (queries.cards, line.listed, campaigns.listed):
        assert every(session, closed) == []
    assert queries.count(session, closed) == 0


# Sets


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        (PictureCounts(total=2, queued=2), State.QUEUED),
        (PictureCounts(total=2, queued=1, generating=1), State.GENERATING),
        (PictureCounts(total=2, queued=1, finished=1), State.GENERATING),
        (PictureCounts(total=2, finished=2), State.FINISHED),
        (PictureCounts(total=2, finished=1, failed=1), State.FAILED),
        (PictureCounts(total=2, failed=1, cancelled=1), State.FAILED),
        (PictureCounts(total=2, finished=1, cancelled=1), State.CANCELLED),
    ],
)
def test_state_of_a_set(counts: PictureCounts, state: State) -> None:
    assert counts.state == state
    assert counts.done == (state not in (State.QUEUED, State.GENERATING))


def test_card(session: Session, make: Factory) -> None:
    user = make.user(name="Mori Haruka")
    image_set = make.finished_set(user, prompts="a\nb\nc\nd\ne", name="Autumn", campaign="Spring")
    images = image_set.images
    for image, verdict in zip(images[1:], Verdict, strict=False):
        make.decide(image, Verdict.APPROVED)
        if verdict != Verdict.APPROVED:
            make.decide(image, verdict)
    (card,) = queries.cards(session, user)
    assert (card.name, card.campaign, card.owner, card.state) == ("Autumn", "Spring", "Mori Haruka", State.FINISHED)
    assert (card.total, card.finished, card.failed) == (5, 5, 0)
    assert (card.approved, card.changes, card.rejected, card.to_review) == (1, 1, 1, 2)  # the withdrawn one waits again
    assert card.image_ids == [images[1].id, images[0].id, images[2].id, images[3].id, images[4].id]


def test_a_set_without_pictures_counts_those_in_the_bin(session: Session, make: Factory, database: Database) -> None:
    user, today = make.user(Role.MANAGER), now()
    first, second = (make.finished_set(user, prompts="a\nb\nc") for _ in range(2))
    gallery.delete(session, user, [image.id for image in [*first.images, *second.images[:2]]])
    session.commit()
    with database.read() as reading, counted(database) as seen:
        left, emptied = queries.cards(reading, user)
    assert (left.total, left.binned) == (1, 0)
    assert (emptied.total, emptied.binned, emptied.image_ids) == (0, 3, [])
    assert queries.progress(session, user, first.id).binned == 3
    assert len(seen) == 4, "one more than where each set has a picture"

    first.images[0].deleted_at = today - timedelta(days=31)
    first.images[1].purged_at = today
    session.flush()
    assert queries.progress(session, user, first.id).binned == 1, "those that can be restored"


def test_card_shows_at_most_six(session: Session, make: Factory) -> None:
    image_set = make.finished_set(prompts="a\n" * 9)
    (card,) = queries.cards(session, make.user())
    assert card.image_ids == [image.id for image in image_set.images[:6]]


def test_cards_page_by_page(session: Session, make: Factory) -> None:
    style, user = make.style(), make.user()
    made = [make.image_set(style=style).id for _ in range(5)]
    first = queries.cards(session, user, limit=2)
    make.image_set(style=style)  # a new row shifts nothing
    second = queries.cards(session, user, after=first[-1].id, limit=2)
    third = queries.cards(session, user, after=second[-1].id, limit=2)
    assert [card.id for card in first + second + third] == made[::-1]


def test_cards_filtered(session: Session, make: Factory) -> None:
    user, style = make.user(), make.style()
    owned, styled = make.image_set(user), make.image_set(style=style)
    spring = make.image_set(campaign="Spring")
    for filters, wanted in (
        ({"owner_id": user.id}, owned),
        ({"style_code": style.code}, styled),
        ({"campaign_id": spring.campaign_id}, spring),
    ):
        assert [card.id for card in queries.cards(session, user, **filters)] == [wanted.id]
        assert queries.count(session, user, **filters) == 1
    assert queries.count(session, user) == 3


def test_sets_of_a_style_are_those_of_all_its_versions(session: Session, make: Factory) -> None:
    user = make.user()
    style = make.style(user)
    make.image_set(style=style)
    styles.add_version(session, user, style, make.draft(strength=2))
    session.flush()
    make.image_set(style=style)
    assert queries.count(session, user, style_code=style.code) == 2


def test_campaigns(session: Session, make: Factory) -> None:
    make.decide(make.finished_set(campaign="Spring").images[0])
    make.image_set(campaign="Autumn")
    make.finished_set(campaign="Spring")
    rows = campaigns.listed(session, make.user())
    assert [(row.name, row.approved, row.total) for row in rows] == [("Spring", 1, 4), ("Autumn", 0, 2)]


# The queue


def test_the_fraction_counts_steps_and_redone_pictures() -> None:
    counts = queries.PictureCounts()
    counts.add(State.GENERATING, None, 1)
    assert counts.fraction == 0.0, "nothing is done at 0 of 1"
    counts.under_way = 0.5
    assert counts.fraction == 0.5
    counts.add(State.FINISHED, None, 3)
    assert counts.fraction == 3.5 / 4
    counts.add(State.QUEUED, None, 1, face=False)
    assert (counts.total, counts.work, counts.fraction) == (4, 5, 3.5 / 5)
    assert queries.PictureCounts().fraction == 0.0


def test_progress_and_line(session: Session, make: Factory) -> None:
    user = make.user()
    running, waiting, last = (make.image_set(user, prompts="a\nb", unit_size=1) for _ in range(3))
    unit = queue.claim_next(session)
    assert unit
    session.flush()
    first = queries.progress(session, user, running.id)
    assert (first.state, first.line, first.generating, first.queued) == (State.GENERATING, None, 1, 1)
    assert queries.progress(session, user, waiting.id).line == 1
    assert queries.progress(session, user, last.id).line == 2
    service.cancel(session, user, waiting.id)
    session.flush()
    stopped = queries.progress(session, user, waiting.id)
    assert (stopped.state, stopped.line, stopped.done) == (State.CANCELLED, None, True)
    assert queries.progress(session, user, last.id).line == 1


def test_queue(session: Session, make: Factory) -> None:
    user = make.user(name="Mori")
    finished = make.finished_set(user)
    first = make.image_set(user, prompts="a\nb", unit_size=1)
    second = make.image_set(user, name="Second")
    unit = queue.claim_next(session)
    assert unit
    units.finish_image(session, unit.id, unit.images[0].id, "0" * 64, 1, 1.0)
    session.flush()
    rows = line.listed(session, make.user())
    assert [row.topic for row in rows] == [queries.topic(first.id), queries.topic(second.id)]
    assert queries.topic(finished.id) not in [row.topic for row in rows]
    assert (rows[0].state, rows[0].finished, rows[0].total) == (State.GENERATING, 1, 2)
    assert rows[0].image_id == unit.images[0].id
    assert (rows[1].name, rows[1].owner, rows[1].state, rows[1].image_id) == ("Second", "Mori", State.QUEUED, None)
    assert rows[1].reference_id == second.style_version.references[0].reference_id


def test_priority_goes_first_in_the_queue(session: Session, make: Factory) -> None:
    slow, urgent = make.image_set(), make.image_set()
    for image in urgent.images:
        assert image.unit
        image.unit.priority = 1
    session.flush()
    assert line.place(session, queries.topic(urgent.id)) == 0
    assert line.place(session, queries.topic(slow.id)) == 1
    assert line.place(session, queries.topic(404)) is None


def test_mean_unit_seconds(session: Session, make: Factory) -> None:
    image_set = make.image_set()
    assert line.mean_unit_seconds(session, queries.topic(image_set.id)) is None
    unit = queue.claim_next(session)
    assert unit
    for image in unit.images:
        units.finish_image(session, unit.id, image.id, "0" * 64, 1, 1.0)
    queue.end_unit(session, unit.id)
    session.flush()
    seconds = line.mean_unit_seconds(session, queries.topic(image_set.id))
    assert seconds is not None
    assert 0 <= seconds < 60


# Cost


def statements(database: Database, user: User, set_id: int) -> list[int]:
    """How many statements each page takes."""
    pages: list[Callable[[Session], object]] = [
        lambda session: queries.cards(session, user),
        lambda session: line.listed(session, user),
        lambda session: campaigns.listed(session, user),
        lambda session: queries.progress(session, user, set_id),
    ]
    numbers = []
    for page in pages:
        with database.read() as session, counted(database) as seen:
            page(session)
        numbers.append(len(seen))
    return numbers


def test_pages_take_as_many_statements_for_many_as_for_few(session: Session, make: Factory, database: Database) -> None:
    user = make.user()

    def more(number: int) -> ImageSet:
        for _ in range(number):
            make.finished_set(campaign=f"Campaign {make.user().id}")
            waiting = make.image_set()
        session.commit()
        return waiting

    few = statements(database, user, more(1).id)
    many = statements(database, user, more(6).id)
    assert many[:-1] == few[:-1]


def test_counts_use_indexes(session: Session) -> None:
    steps = plan(session, select(func.count()).where(Image.shown, queries.TO_REVIEW))
    assert steps
    assert not any(step.startswith("SCAN") for step in steps)
