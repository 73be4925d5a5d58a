"""The order of the queue, its pauses, and single pictures that leave it."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict, Forbidden, Invalid
from app.filing import service as filing
from app.models import Act, AuditEvent, Image, ImageSet, Role, State, Unit
from app.scheduling import queries, service
from app.sets import queries as sets
from app.sets import service as set_service
from app.sets import strips, units
from app.sets.queries import topic
from app.subjects import service as subjects
from app.subjects.training import topic as subject_topic
from app.work import line, order, queue
from tests.factory import MODEL, Factory


def served(session: Session) -> list[int | None]:
    """The sets in the order in which their units are claimed, each claim finished; None for a training."""
    found: list[int | None] = []
    while unit := queue.claim_next(session):
        for image in unit.images:
            if image.state == State.GENERATING:
                units.finish_image(session, unit.id, image.id, "0" * 64, 1, 1.0)
        unit.state = State.FINISHED
        session.flush()
        if found[-1:] != [unit.set_id]:
            found.append(unit.set_id)
    return found


def three(make: Factory) -> tuple[ImageSet, ImageSet, ImageSet]:
    """One set each of three people."""
    style = make.style()
    first, second, third = (make.image_set(make.user(), style, unit_size=1) for _ in range(3))
    return first, second, third


def test_a_manager_moves_a_set_of_anyone_to_the_top(session: Session, make: Factory) -> None:
    first, second, third = three(make)
    service.move(session, make.user(Role.MANAGER), topic(third.id), "top")
    assert [each.topic.id for each in order.waiting(session)] == [third.id, first.id, second.id]
    assert served(session)[0] == third.id, "and all of it comes first, although people take turns"


@pytest.mark.parametrize(
    ("to", "moved", "expected"),
    [("up", 2, [0, 2, 1]), ("down", 0, [1, 0, 2]), ("last", 0, [1, 2, 0]), ("top", 0, [0, 1, 2]), ("up", 0, [0, 1, 2])],
)
def test_a_manager_moves_by_steps(
    session: Session, make: Factory, to: service.Place, moved: int, expected: list[int]
) -> None:
    found = three(make)
    service.move(session, make.user(Role.MANAGER), topic(found[moved].id), to)
    assert [each.topic.id for each in order.waiting(session)] == [found[place].id for place in expected]
    assert [each.id for each in line.served_order(session)] == [found[place].id for place in expected]


def test_moves_do_not_send_work_behind_what_comes_later(session: Session, make: Factory) -> None:
    first, second, third = three(make)
    service.move(session, make.user(Role.MANAGER), topic(first.id), "last")
    later = make.image_set()
    expected = [second.id, third.id, first.id, later.id]
    assert [each.topic.id for each in order.waiting(session)] == expected


def test_a_set_is_moved_before_another_one_and_before_a_training(session: Session, make: Factory) -> None:
    first, second, third = three(make)
    subject, manager = make.subject(), make.user(Role.MANAGER)
    service.move(session, manager, subject_topic(subject.id), topic(second.id))
    service.move(session, manager, topic(third.id), subject_topic(subject.id))
    expected = [topic(first.id), topic(third.id), subject_topic(subject.id), topic(second.id)]
    assert [each.topic for each in order.waiting(session)] == expected


def test_owners_order_their_own_and_nobody_else_waits_longer(session: Session, make: Factory) -> None:
    mine, other = make.user(), make.user()
    style = make.style()
    first = make.image_set(mine, style, unit_size=1)
    between = make.image_set(other, style, unit_size=1)
    second = make.image_set(mine, style, unit_size=1, prompts="a\nb\nc")
    service.move(session, mine, topic(second.id), "top")
    waiting = [each.topic.id for each in order.waiting(session)]
    assert waiting.index(second.id) < waiting.index(first.id)
    turns = [unit.owner_id for unit in iter(lambda: claimed(session), None)][:4]
    assert turns == [mine.id, other.id, mine.id, other.id]
    assert between.id in waiting
    with pytest.raises(Forbidden, match=f"Only {other.name} or a manager can do this"):
        service.move(session, mine, topic(between.id), "top")


def claimed(session: Session) -> Unit | None:
    unit = queue.claim_next(session)
    if unit:
        unit.state = State.FINISHED
        session.flush()
    return unit


def test_what_was_started_meanwhile_is_not_moved(session: Session, make: Factory) -> None:
    image_set = make.image_set(unit_size=4)
    claimed(session)
    with pytest.raises(Conflict, match="it was started, finished or cancelled"):
        service.move(session, image_set.owner, topic(image_set.id), "up")


def running_and_three(make: Factory) -> tuple[ImageSet, list[ImageSet]]:
    """A set with one picture running and one waiting, and three more that wait."""
    runs = make.image_set(make.user(), unit_size=1)
    assert queue.claim_next(make.session)
    return runs, [make.image_set(make.user(), runs.style_version.style, unit_size=1) for _ in range(3)]


def test_steps_pass_what_the_page_shows(session: Session, make: Factory) -> None:
    """What runs is shown first and what is paused last, whatever their place."""
    runs, (one, two, three) = running_and_three(make)
    manager = make.user(Role.MANAGER)

    def shown() -> list[int]:
        return [row.row.topic.id for row in queries.listed(session, manager, {})]

    service.move(session, manager, topic(one.id), "top")
    assert shown() == [runs.id, one.id, two.id, three.id]
    service.pause(session, manager, topic(two.id))
    assert shown() == [runs.id, one.id, three.id, two.id]
    assert service.move(session, manager, topic(three.id), "up")
    assert shown() == [runs.id, three.id, one.id, two.id]
    assert service.move(session, manager, topic(three.id), "down")
    assert shown() == [runs.id, one.id, three.id, two.id]
    assert not service.move(session, manager, topic(three.id), "down"), "nothing but a paused one follows"


def test_something_urgent_comes_before_the_rest_of_what_runs(session: Session, make: Factory) -> None:
    runs = make.image_set(make.user(), unit_size=1, prompts="a\nb\nc")
    assert queue.claim_next(session)
    urgent = make.image_set(make.user(), runs.style_version.style)
    manager = make.user(Role.MANAGER)

    def act() -> tuple[bool, bool, bool]:
        (row,) = [row for row in queries.listed(session, manager, {}) if row.row.topic.id == urgent.id]
        return row.can_move, row.first, row.last

    assert act() == (True, False, True)
    assert service.move(session, manager, topic(urgent.id), "up")
    assert act() == (False, True, True), "there is nowhere else to go"
    assert not service.move(session, manager, topic(urgent.id), "top")
    claimed = queue.claim_next(session)
    assert claimed
    assert claimed.set_id == urgent.id


# Pauses


def test_a_paused_set_is_passed_over_until_it_is_resumed(session: Session, make: Factory) -> None:
    first, second, _ = three(make)
    service.pause(session, first.owner, topic(first.id))
    assert line.served_order(session)[-1] == topic(first.id)
    assert first.id not in served(session)
    assert second.id not in [each.topic.id for each in order.waiting(session)]
    service.resume(session, first.owner, topic(first.id))
    assert served(session) == [first.id]
    with pytest.raises(Conflict, match="not paused"):
        service.resume(session, first.owner, topic(first.id))


def test_what_runs_of_a_paused_set_ends_and_waits_if_it_is_queued_again(session: Session, make: Factory) -> None:
    image_set = make.image_set(prompts="a\nb", unit_size=1)
    unit = queue.claim_next(session)
    assert unit
    service.pause(session, image_set.owner, topic(image_set.id))
    assert unit.state == State.GENERATING
    queue.give_back(session, unit.id)
    session.flush()
    assert queue.claim_next(session) is None


def test_new_pictures_of_a_paused_set_wait_too(session: Session, make: Factory) -> None:
    image_set = make.image_set(prompts="a\nb", unit_size=1)
    set_service.cancel_image(session, image_set.owner, image_set.images[0].id)
    service.pause(session, image_set.owner, topic(image_set.id))
    set_service.retry_image(session, image_set.owner, image_set.images[0].id)
    assert queue.claim_next(session) is None


def test_nothing_is_left_to_pause_once_all_of_it_runs(session: Session, make: Factory) -> None:
    image_set = make.image_set()
    queue.claim_next(session)
    with pytest.raises(Conflict, match="already being generated"):
        service.pause(session, image_set.owner, topic(image_set.id))


def test_what_a_manager_paused_managers_resume(session: Session, make: Factory) -> None:
    image_set = make.image_set()
    service.pause(session, make.user(Role.MANAGER), topic(image_set.id))
    with pytest.raises(Forbidden, match="only managers can resume it"):
        service.resume(session, image_set.owner, topic(image_set.id))
    service.resume(session, make.user(Role.ADMIN), topic(image_set.id))


def test_a_pause_outlasts_cancelling_retrying_deleting_and_undoing(session: Session, make: Factory) -> None:
    image_set, subject, manager = make.image_set(), make.subject(), make.user(Role.MANAGER)
    owner, of_set, of_subject = image_set.owner, topic(image_set.id), subject_topic(subject.id)
    for paused in (of_set, of_subject):
        service.pause(session, manager, paused)
    set_service.cancel(session, owner, image_set.id)
    set_service.retry_set(session, owner, image_set.id, 4)
    subjects.cancel(session, subject.owner, subject.id)
    assert not order.paused(session, of_subject)[0], "nothing of it waits"
    subjects.retry(session, subject.owner, subject.id)
    session.flush()
    filing.delete(session, owner, "set", image_set.id)
    filing.restore(session, owner, "set", image_set.id)
    assert queue.claim_next(session) is None
    for paused in (of_set, of_subject):
        service.resume(session, manager, paused)
    set_service.cancel(session, owner, image_set.id)
    set_service.retry_set(session, owner, image_set.id, 4)
    assert len(served(session)) == 2


def test_a_strip_lends_its_priority_to_nothing(session: Session, make: Factory) -> None:
    other, own = make.image_set(), make.image_set()
    strips.create(session, own.owner, make.spec(), MODEL, make.files)
    service.move(session, own.owner, topic(own.id), "top")
    manager = make.user(Role.MANAGER)
    for _ in range(6):
        service.move(session, manager, topic(other.id), "top")
        service.move(session, manager, topic(own.id), "top")
    assert served(session) == [None, own.id, other.id]


def test_administrators_pause_the_whole_queue_with_a_reason(session: Session, make: Factory) -> None:
    image_set, admin = make.image_set(), make.user(Role.ADMIN, "Ito Kenji")
    with pytest.raises(Invalid, match="Say why"):
        service.pause_queue(session, admin, "  ")
    with pytest.raises(Forbidden, match="Only administrators pause the queue"):
        service.pause_queue(session, make.user(Role.MANAGER), "Lunch")
    service.pause_queue(session, admin, "New disk.")
    with pytest.raises(Conflict, match="already paused"):
        service.pause_queue(session, admin, "Again")
    pause = queries.current_pause(session)
    assert pause
    assert pause.sentence == "Ito Kenji paused the queue: New disk. Nothing is lost; an administrator can resume it."
    assert queue.claim_next(session) is None
    service.resume_queue(session, make.user(Role.ADMIN))
    assert queries.current_pause(session) is None
    assert served(session) == [image_set.id]
    events = session.scalars(select(AuditEvent.act).where(AuditEvent.subject == "queue_pauses")).all()
    assert events == [Act.QUEUE_PAUSE, Act.QUEUE_RESUME]


# One picture


def test_a_waiting_picture_is_removed_and_the_others_of_its_unit_continue(session: Session, make: Factory) -> None:
    image_set = make.image_set(prompts="a\nb\nc", unit_size=3)
    first = image_set.images[0]
    set_service.cancel_image(session, image_set.owner, first.id)
    progress = sets.progress(session, image_set.owner, image_set.id)
    assert (progress.cancelled, progress.queued, progress.total) == (1, 2, 3)
    unit = queue.claim_next(session)
    assert unit
    assert [image.state for image in image_set.images] == [State.CANCELLED, State.GENERATING, State.GENERATING]


def test_the_unit_of_the_last_picture_is_stopped(session: Session, make: Factory) -> None:
    image_set = make.image_set(prompts="a\nb", unit_size=1)
    unit = queue.claim_next(session)
    assert unit
    image_id = unit.images[0].id
    set_service.cancel_image(session, image_set.owner, image_id)
    session.refresh(unit)
    assert unit.state == State.CANCELLED
    assert units.finish_image(session, unit.id, image_id, "0" * 64, 1, 1.0) is None
    with pytest.raises(Conflict, match="no longer waiting or generating"):
        set_service.cancel_image(session, image_set.owner, image_id)


def test_a_running_picture_is_removed_and_its_result_is_dropped(session: Session, make: Factory) -> None:
    image_set = make.image_set(prompts="a\nb", unit_size=2)
    unit = queue.claim_next(session)
    assert unit
    first, second = unit.images
    set_service.cancel_image(session, image_set.owner, first.id)
    for image in (first, second):
        units.finish_image(session, unit.id, image.id, "0" * 64, 1, 1.0)
    queue.end_unit(session, unit.id)
    states = session.scalars(select(Image.state).where(Image.set_id == image_set.id).order_by(Image.position)).all()
    assert (states, unit.state) == ([State.CANCELLED, State.FINISHED], State.FINISHED)


# What people see


def test_the_queue_says_what_each_person_may_do_and_when_work_is_done(session: Session, make: Factory) -> None:
    style, mine = make.style(), make.user()
    first, second = (make.image_set(mine, style, unit_size=1) for _ in range(2))
    other = make.image_set(make.user(), style, unit_size=1)
    rows = queries.listed(session, mine, {})
    assert [(row.row.topic.id, row.can_move, row.first, row.last, row.can_pause) for row in rows] == [
        (first.id, True, True, False, True),
        (second.id, True, False, True, True),
        (other.id, False, False, False, False),
    ]
    assert [row.seconds for row in rows] == [None] * 3, "nothing was measured yet"
    unit = queue.claim_next(session)
    assert unit
    assert unit.started_at
    units.finish_image(session, unit.id, unit.images[0].id, "0" * 64, 1, 1.0)
    unit.state, unit.ended_at = State.FINISHED, unit.started_at + timedelta(seconds=30)
    session.flush()
    service.pause(session, mine, topic(second.id))
    seconds = {row.row.topic.id: row.seconds for row in queries.listed(session, make.user(Role.MANAGER), {})}
    assert seconds[second.id] is None
    assert seconds[first.id] == pytest.approx(30, abs=0.1), "one more picture"
    assert seconds[other.id] == pytest.approx(90, abs=0.1), "two, after that one"
