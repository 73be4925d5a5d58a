"""Every act notifies the pages that show it, and the queue if it queues work."""

import asyncio
from collections.abc import Callable
from itertools import count

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import slow, wiring
from app.database import Database
from app.engine.base import Slot
from app.errors import Conflict
from app.files import Files
from app.filing import service as filing
from app.gallery import service as gallery
from app.models import Act, AuditEvent, Image, ImageSet, Role, State, Unit, User, Verdict
from app.reviews import comments
from app.reviews import service as reviews
from app.scheduling import service as scheduling
from app.sets import service as sets
from app.sets import units, versions
from app.sets.queries import topic as set_topic
from app.sets.versions import RedoSpec
from app.subjects import service as subjects
from app.subjects import training
from app.subjects.training import topic as subject_topic
from app.work import queue
from app.work.bus import Bus, Changes
from app.work.dispatcher import Dispatcher
from app.work.notifier import Notifier
from app.work.topics import Topic
from tests.engine.painter import Painter
from tests.factory import MODEL, Factory

PATIENCE = 20.0

Doing = Callable[[Session], object]
Scene = Callable[[Factory], tuple[Topic, Doing]]
"""Prepares an act: returns the topic that the page watches, and a function that does the act."""

SCENES: dict[Act, Scene] = {}
NEW: dict[Act, Scene] = {}  # nobody watches these yet, but the queue must be woken
RESUMED = {Act.WORK_RESUME, Act.QUEUE_RESUME}  # these wake the queue, although nothing is added to it


def scene(act: Act, scenes: dict[Act, Scene] = SCENES) -> Callable[[Scene], Scene]:
    def keep(function: Scene) -> Scene:
        scenes[act] = function
        return function

    return keep


def of_set(
    do: Callable[[Session, ImageSet], object],
    before: Callable[[Factory, ImageSet], object] | None = None,
    finished: bool = True,
) -> Scene:
    """A set, finished or queued, after `before` was done to it."""

    def make_scene(make: Factory) -> tuple[Topic, Doing]:
        image_set = make.finished_set() if finished else make.image_set()
        if before:
            before(make, image_set)
        make.session.flush()
        return set_topic(image_set.id), lambda session: do(session, session.get_one(ImageSet, image_set.id))

    return make_scene


def ids(image_set: ImageSet) -> list[int]:
    return [image.id for image in image_set.images]


def redone(session: Session, image_set: ImageSet) -> list[Image]:
    first = image_set.images[0]
    return versions.redo(session, image_set.owner, first.id, RedoSpec.parse({"prompt": "an owl"}), MODEL, 4)


def cancelled(make: Factory, image_set: ImageSet) -> None:
    sets.cancel(make.session, image_set.owner, image_set.id)


def claimed(session: Session) -> Unit:
    unit = queue.claim_next(session)
    assert unit
    return unit


def unit_of(session: Session) -> Unit:
    return session.scalars(select(Unit).where(Unit.state == State.GENERATING)).one()


def finish_first(session: Session, _: ImageSet) -> None:
    unit = unit_of(session)
    assert units.finish_image(session, unit.id, unit.images[0].id, "0" * 64, 1, 1.0)


def commented(session: Session, image_set: ImageSet) -> int:
    return reviews.comment(session, image_set.owner, image_set.images[0].id, "The ear", None, None).thread_id or 0


def deleted_comment(session: Session, image_set: ImageSet) -> None:
    commented(session, image_set)
    comments.delete(session, image_set.owner, 1)


def lost(session: Session) -> None:
    unit = unit_of(session)
    unit.crashes = queue.MOST_CRASHES - 1
    queue.lose_unit(session, unit.id, "The engine stopped.")


def held(session: Session) -> None:
    claimed(session)
    lost(session)


SCENES |= {
    Act.SET_CANCEL: of_set(lambda s, each: sets.cancel(s, each.owner, each.id), finished=False),
    Act.SET_RETRY: of_set(lambda s, each: sets.retry_set(s, each.owner, each.id, 4), cancelled, finished=False),
    Act.SET_RENAME: of_set(lambda s, each: filing.rename(s, each.owner, "set", each.id, "Autumn")),
    Act.SET_MOVE: of_set(lambda s, each: filing.move(s, each.owner, each.id, "Autumn")),
    Act.SET_ARCHIVE: of_set(lambda s, each: filing.archive(s, each.owner, "set", each.id)),
    Act.SET_DELETE: of_set(lambda s, each: filing.delete(s, each.owner, "set", each.id)),
    Act.SET_RESTORE: of_set(
        lambda s, each: filing.restore(s, each.owner, "set", each.id),
        lambda make, each: filing.delete(make.session, each.owner, "set", each.id),
    ),
    Act.CAMPAIGN_RENAME: of_set(lambda s, each: filing.rename(s, each.owner, "campaign", each.campaign_id, "Autumn")),
    Act.SET_LOCK: of_set(lambda s, each: reviews.lock(s, each.owner, each.id)),
    Act.UNIT_FAIL: of_set(
        lambda s, _: queue.fail_unit(s, unit_of(s).id, "It broke."), lambda make, _: claimed(make.session), False
    ),
    Act.UNIT_HOLD: of_set(lambda s, _: lost(s), lambda make, _: claimed(make.session), False),
    Act.HELD_REMOVE: of_set(
        lambda s, each: sets.remove_held(s, each.owner, each.id), lambda make, _: held(make.session), False
    ),
    Act.IMAGE_CANCEL: of_set(lambda s, each: sets.cancel_image(s, each.owner, min(ids(each))), finished=False),
    Act.WORK_PAUSE: of_set(lambda s, each: scheduling.pause(s, each.owner, set_topic(each.id)), finished=False),
    Act.WORK_RESUME: of_set(
        lambda s, each: scheduling.resume(s, each.owner, set_topic(each.id)),
        lambda make, each: scheduling.pause(make.session, each.owner, set_topic(each.id)),
        finished=False,
    ),
    Act.IMAGE_FINISH: of_set(finish_first, lambda make, _: claimed(make.session), False),
    Act.IMAGE_REDO: of_set(redone),
    Act.IMAGE_DISCARD: of_set(
        lambda s, each: versions.discard(s, each.owner, max(ids(each))), lambda make, each: redone(make.session, each)
    ),
    Act.IMAGE_MOVE: of_set(lambda s, each: gallery.move(s, each.owner, ids(each), "Autumn")),
    Act.IMAGE_TAG: of_set(lambda s, each: gallery.tag(s, each.owner, ids(each), "hero")),
    Act.IMAGE_DELETE: of_set(lambda s, each: gallery.delete(s, each.owner, ids(each))),
    Act.IMAGE_RESTORE: of_set(
        lambda s, each: gallery.restore(s, each.owner, ids(each)),
        lambda make, each: gallery.delete(make.session, each.owner, ids(each)),
    ),
    Act.IMAGE_PURGE: of_set(
        lambda s, each: gallery.purged(s, ids(each)),
        lambda make, each: gallery.delete(make.session, each.owner, ids(each)),
    ),
    Act.COMMENT: of_set(commented),
    Act.COMMENT_EDIT: of_set(
        lambda s, each: comments.edit(s, each.owner, 1, "The nose"), lambda make, each: commented(make.session, each)
    ),
    Act.COMMENT_DELETE: of_set(
        lambda s, each: comments.delete(s, each.owner, 1), lambda make, each: commented(make.session, each)
    ),
    Act.COMMENT_RESTORE: of_set(
        lambda s, each: comments.restore(s, each.owner, 1), lambda make, each: deleted_comment(make.session, each)
    ),
    Act.THREAD_RESOLVE: of_set(
        lambda s, each: reviews.resolve(s, each.owner, 1), lambda make, each: commented(make.session, each)
    ),
}


@scene(Act.SET_UNLOCK)
def unlocked(make: Factory) -> tuple[Topic, Doing]:
    image_set, manager = make.finished_set(), make.user(Role.MANAGER)
    reviews.lock(make.session, manager, image_set.id)
    return set_topic(image_set.id), lambda session: reviews.unlock(session, manager, image_set.id)


@scene(Act.WORK_MOVE)
def moved(make: Factory) -> tuple[Topic, Doing]:
    first, second, manager = make.image_set(), make.image_set(), make.user(Role.MANAGER)
    return set_topic(first.id), lambda session: scheduling.move(session, manager, set_topic(second.id), "top")


@scene(Act.QUEUE_PAUSE)
def paused_queue(make: Factory) -> tuple[Topic, Doing]:
    image_set, admin = make.image_set(), make.user(Role.ADMIN)
    return set_topic(image_set.id), lambda session: scheduling.pause_queue(session, admin, "Maintenance")


@scene(Act.QUEUE_RESUME)
def resumed_queue(make: Factory) -> tuple[Topic, Doing]:
    image_set, admin = make.image_set(), make.user(Role.ADMIN)
    scheduling.pause_queue(make.session, admin, "Maintenance")
    return set_topic(image_set.id), lambda session: scheduling.resume_queue(session, admin)


@scene(Act.THREAD_REOPEN)
def reopened(make: Factory) -> tuple[Topic, Doing]:
    image_set = make.finished_set()
    thread_id = commented(make.session, image_set)
    reviews.resolve(make.session, image_set.owner, thread_id)
    return set_topic(image_set.id), lambda session: reviews.reopen(session, image_set.owner, thread_id)


@scene(Act.DECIDE)
def decided(make: Factory) -> tuple[Topic, Doing]:
    image_set, reviewer = make.finished_set(), make.user(Role.REVIEWER)
    first = image_set.images[0]
    return set_topic(image_set.id), lambda session: reviews.decide(session, reviewer, first.id, Verdict.APPROVED, None)


@scene(Act.CAMPAIGN_CHANGE)
def approvals(make: Factory) -> tuple[Topic, Doing]:
    image_set, manager = make.finished_set(), make.user(Role.MANAGER)
    return set_topic(image_set.id), lambda session: reviews.set_approvals(session, manager, image_set.campaign_id, 2)


@scene(Act.SUBJECT_CANCEL)
def cancel_training(make: Factory) -> tuple[Topic, Doing]:
    subject, manager = make.subject(), make.user(Role.MANAGER)
    return subject_topic(subject.id), lambda session: subjects.cancel(session, manager, subject.id)


@scene(Act.SUBJECT_RETRY)
def retry_training(make: Factory) -> tuple[Topic, Doing]:
    subject, manager = make.subject(), make.user(Role.MANAGER)
    subjects.cancel(make.session, manager, subject.id)
    return subject_topic(subject.id), lambda session: subjects.retry(session, manager, subject.id)


@scene(Act.SUBJECT_FINISH)
def finish_training(make: Factory) -> tuple[Topic, Doing]:
    subject, unit = make.subject(), claimed(make.session)
    return subject_topic(subject.id), lambda session: training.finish(session, unit.id, "0" * 64, 1)


@scene(Act.SUBJECT_FAIL)
def fail_training(make: Factory) -> tuple[Topic, Doing]:
    subject, unit = make.subject(), claimed(make.session)
    return subject_topic(subject.id), lambda session: queue.fail_unit(session, unit.id, "It broke.")


@scene(Act.SUBJECT_HOLD)
def hold_training(make: Factory) -> tuple[Topic, Doing]:
    subject, _ = make.subject(), claimed(make.session)
    return subject_topic(subject.id), lost


@scene(Act.SUBJECT_RENAME)
def rename_subject(make: Factory) -> tuple[Topic, Doing]:
    subject, manager = make.finished_subject(), make.user(Role.MANAGER)
    return subject_topic(subject.id), lambda session: filing.rename(session, manager, "subject", subject.id, "Cup")


@scene(Act.SUBJECT_DELETE)
def delete_subject(make: Factory) -> tuple[Topic, Doing]:
    subject, manager = make.finished_subject(), make.user(Role.MANAGER)
    return subject_topic(subject.id), lambda session: filing.delete(session, manager, "subject", subject.id)


@scene(Act.SUBJECT_RESTORE)
def restore_subject(make: Factory) -> tuple[Topic, Doing]:
    subject, manager = make.finished_subject(), make.user(Role.MANAGER)
    filing.delete(make.session, manager, "subject", subject.id)
    return subject_topic(subject.id), lambda session: filing.restore(session, manager, "subject", subject.id)


@scene(Act.SUBJECT_ARCHIVE)
def archive(make: Factory) -> tuple[Topic, Doing]:
    subject, manager = make.finished_subject(), make.user(Role.MANAGER)
    return subject_topic(subject.id), lambda session: subjects.archive(session, manager, subject.id)


@scene(Act.SET_CREATE, NEW)
def new_set(make: Factory) -> tuple[Topic, Doing]:
    user, spec = make.user(), make.spec()
    return set_topic(1), lambda session: sets.create(session, user, spec, MODEL, 4)


@scene(Act.SUBJECT_CREATE, NEW)
def new_subject(make: Factory) -> tuple[Topic, Doing]:
    user, spec = make.user(), make.subject_draft()
    kept = subjects.sizes(make.files, spec.pictures)
    return subject_topic(1), lambda session: subjects.create_from_pictures(session, user, kept, spec, MODEL)


# The tests


def test_every_act_says_whose_pages_show_it_or_why_none_does() -> None:
    assert set(wiring.NOTICES) == set(Act)
    watched = {act for act, notice in wiring.NOTICES.items() if not isinstance(notice, str)}
    assert watched == set(SCENES), "each has a scene here"
    assert all(notice.endswith(".") for notice in wiring.NOTICES.values() if isinstance(notice, str))


class Idle(Painter):
    """An engine that takes no work, and counts how often the dispatcher looked for some."""

    looks = 0

    async def slots(self) -> list[Slot]:
        self.looks += 1
        return []


class Room:
    """A dispatcher whose engine takes no work, so that nothing happens except the test's acts."""

    def __init__(self, database: Database, files: Files) -> None:
        self.database, self.files, self.bus = database, files, Bus()
        self.numbers = count(1)  # so that no two people of one test have the same address
        self.engine = Idle()
        self.dispatcher = Dispatcher(self.engine, database, files, self.bus)
        Notifier(database, self.dispatcher, wiring.NOTICES)

    def make(self, scene: Scene) -> tuple[Topic, Doing]:
        with slow.permitted(), self.database.write() as session:
            make = Factory(session, self.files)
            make._numbers = self.numbers
            return scene(make)

    def write(self, do: Doing) -> None:
        with self.database.write() as session:
            do(session)

    def count(self, *which: object) -> int:
        with self.database.read() as session:
            return session.scalar(select(func.count()).where(*which)) or 0  # type: ignore[arg-type]

    async def quiet(self) -> None:
        """Wait until all notifications so far are delivered."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def heard(self, topic: Topic, after: str) -> Changes:
        async with asyncio.timeout(PATIENCE):
            return await self.bus.changes(topic, after)


def run(database: Database, files: Files, story: Callable[[Room], object]) -> None:
    async def tell() -> None:
        room = Room(database, files)
        serving = asyncio.create_task(room.dispatcher.run())
        while not room.dispatcher.recovered:  # noqa: ASYNC110  (it says so to nobody)
            await asyncio.sleep(0.001)
        try:
            await story(room)  # type: ignore[misc]
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(tell())


@pytest.mark.parametrize("act", [*SCENES, *NEW], ids=lambda act: act.name)
def test_a_watcher_hears_of_the_act_and_the_queue_of_its_work(database: Database, files: Files, act: Act) -> None:
    async def story(room: Room) -> None:
        topic, do = await asyncio.to_thread(room.make, (SCENES | NEW)[act])
        await room.quiet()
        acts, queued = room.count(AuditEvent.act == act), room.count(Unit.state == State.QUEUED)
        cursor, looks = room.bus.cursor(), room.engine.looks
        await asyncio.to_thread(room.write, do)
        assert room.count(AuditEvent.act == act) > acts, "the scene does not do the act"
        if act in SCENES:
            assert (await room.heard(topic, cursor)).cursor != cursor
        await room.quiet()
        wakes = act in RESUMED or room.count(Unit.state == State.QUEUED) > queued
        assert (room.engine.looks > looks) is wakes

    run(database, files, story)


def test_a_rollback_notifies_nobody(database: Database, files: Files) -> None:
    async def story(room: Room) -> None:
        _, cancel = await asyncio.to_thread(room.make, SCENES[Act.SET_CANCEL])

        def refused(session: Session) -> None:
            cancel(session)
            raise Conflict("No.")

        await room.quiet()
        before = room.bus.cursor()
        with pytest.raises(Conflict):
            await asyncio.to_thread(room.write, refused)
        await room.quiet()
        assert room.bus.cursor() == before

    run(database, files, story)


def test_a_rollback_to_a_savepoint_notifies_nobody(database: Database, files: Files) -> None:
    async def story(room: Room) -> None:
        topic, lock = await asyncio.to_thread(room.make, SCENES[Act.SET_LOCK])
        other, tag = await asyncio.to_thread(room.make, SCENES[Act.IMAGE_TAG])

        def half(session: Session) -> None:
            with session.begin_nested() as outer:
                with session.begin_nested():
                    lock(session)
                outer.rollback()
            tag(session)

        await room.quiet()
        before = room.bus.cursor()
        await asyncio.to_thread(room.write, half)
        assert (await room.heard(other, before)).images
        assert room.bus._topics[topic].last <= int(before.split("-")[1])
        assert room.count(ImageSet.locked_at.is_not(None)) == 0

    run(database, files, story)


def test_a_savepoint_that_fails_to_flush_notifies_nobody(database: Database, files: Files) -> None:
    async def story(room: Room) -> None:
        topic, lock = await asyncio.to_thread(room.make, SCENES[Act.SET_LOCK])
        other, tag = await asyncio.to_thread(room.make, SCENES[Act.IMAGE_TAG])

        def clash(session: Session) -> None:
            twice = session.scalars(select(User.email)).first()
            with session.begin_nested():
                lock(session)
                session.add(User(email=twice, name="Again", role=Role.DESIGNER, password_hash=""))
                session.flush()

        def half(session: Session) -> None:
            with pytest.raises(IntegrityError):
                clash(session)
            tag(session)

        await room.quiet()
        before = room.bus.cursor()
        await asyncio.to_thread(room.write, half)
        assert (await room.heard(other, before)).images
        assert room.bus._topics[topic].last <= int(before.split("-")[1])
        assert room.count(ImageSet.locked_at.is_not(None)) == 0

    run(database, files, story)


def test_pictures_are_identified_by_number_and_others_stay_unchanged(database: Database, files: Files) -> None:
    async def story(room: Room) -> None:
        topic, decide = await asyncio.to_thread(room.make, SCENES[Act.DECIDE])
        await room.quiet()
        cursor = room.bus.cursor()
        await asyncio.to_thread(room.write, decide)
        assert (await room.heard(topic, cursor)).images == frozenset({1})
        cursor = room.bus.cursor()
        await asyncio.to_thread(
            room.write, lambda session: reviews.lock(session, session.get_one(ImageSet, 1).owner, 1)
        )
        assert (await room.heard(topic, cursor)).images is None, "all of them"

    run(database, files, story)


def test_a_failing_listener_fails_no_request(database: Database, files: Files) -> None:
    def broken(_: Session, __: object) -> dict[Topic, None]:
        raise RuntimeError("a fault of ours")

    async def story(room: Room) -> None:
        _, lock = await asyncio.to_thread(room.make, SCENES[Act.SET_LOCK])
        Notifier(database, room.dispatcher, {**wiring.NOTICES, Act.SET_LOCK: broken})
        await asyncio.to_thread(room.write, lock)
        assert room.count(ImageSet.locked_at.is_not(None)) == 1

    run(database, files, story)
