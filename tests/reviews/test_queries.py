"""Reading what to review, and what needs attention."""

import pytest
from sqlalchemy.orm import Session

from app.audit.service import record
from app.database import Database
from app.exports import contents
from app.exports import service as exports
from app.exports.options import ExportOptions
from app.models import Act, Image, ImageSet, Role, State, User, Verdict, now
from app.reviews import needs, pending, queries, scoping, service
from app.reviews.needs import Need
from app.reviews.scoping import Scope
from app.sets import service as sets
from app.sets.queries import NOT_REVIEWED
from app.work import queue
from tests.factory import Factory
from tests.statements import counted


@pytest.fixture
def image_set(make: Factory) -> ImageSet:
    """a is approved, b waits, c is rejected, d was withdrawn, e waits."""
    made = make.finished_set(prompts="a\nb\nc\nd\ne")
    a, _, c, d, _ = made.images
    make.decide(a)
    make.decide(c, Verdict.REJECTED)
    make.decide(d)
    make.decide(d, Verdict.WITHDRAWN)
    return made


def ids(image_set: ImageSet) -> list[int]:
    return [image.id for image in image_set.images]


def scopes(image_set: ImageSet) -> list[Scope]:
    code = image_set.style_version.style.code
    return [
        Scope(image_set.id),
        Scope(style_code=code),
        Scope(campaign_id=image_set.campaign_id),
        Scope(owner_id=image_set.owner_id),
        Scope(image_set.id, code, image_set.campaign_id, image_set.owner_id),
    ]


@pytest.mark.parametrize("which", range(5))
def test_scope(session: Session, make: Factory, image_set: ImageSet, which: int) -> None:
    make.finished_set(campaign="Another")
    make.image_set(style=image_set.style_version.style, campaign=image_set.campaign.name)  # queued: not to review
    user, scope = make.user(Role.REVIEWER), scopes(image_set)[which]
    assert pending.neighbours(session, user, scope, ids(image_set)[4]).place == 5
    assert pending.neighbours(session, user, scope, ids(image_set)[0]).total == 5
    assert pending.count(session, user, scope) == 3
    assert pending.count(session, user) == 5
    assert pending.next_open(session, user, scope) == ids(image_set)[1]
    assert scoping.tally(session, user, scope) == {
        "approved": 1,
        "changes_requested": 0,
        "rejected": 1,
        "withdrawn": 1,
        NOT_REVIEWED: 2,
    }


def test_neighbours(session: Session, make: Factory, image_set: ImageSet) -> None:
    user, scope = make.user(Role.REVIEWER), Scope(image_set.id)
    a, b, c, d, e = ids(image_set)
    first = pending.neighbours(session, user, scope, a)
    assert (first.place, first.total, first.previous_id, first.next_id, first.next_open_id) == (1, 5, None, b, b)
    third = pending.neighbours(session, user, scope, c)
    assert (third.place, third.previous_id, third.next_id, third.next_open_id) == (3, b, d, d)
    last = pending.neighbours(session, user, scope, e)
    assert (last.place, last.previous_id, last.next_id, last.next_open_id) == (5, d, None, b)  # wraps around


def test_last_open_picture_has_no_next(session: Session, make: Factory) -> None:
    image_set, user = make.finished_set(prompts="a\nb"), make.user(Role.REVIEWER)
    a, b = image_set.images
    make.decide(a)
    assert pending.neighbours(session, user, Scope(image_set.id), b.id).next_open_id is None
    make.decide(b)
    assert pending.next_open(session, user, Scope(image_set.id)) is None


def test_approvers_are_done_with_a_picture(session: Session, make: Factory) -> None:
    """Where two must approve, a picture leaves an approver's queue, and returns when the approval is withdrawn."""
    image_set = make.finished_set(prompts="a\nb")
    a, b = image_set.images
    one, two, manager = make.user(Role.REVIEWER), make.user(Role.REVIEWER), make.user(Role.MANAGER)
    service.set_approvals(session, manager, image_set.campaign_id, 2)
    decision = service.decide(session, one, a.id, "approved", None)
    session.flush()
    assert [pending.count(session, who) for who in (one, two)] == [1, 2]
    assert [pending.next_open(session, who, Scope()) for who in (one, two)] == [b.id, a.id]
    assert [[need.count for need in needs.of_user(session, who)] for who in (one, two)] == [[1], [2]]
    assert [(row.decision, row.approvals) for row in pending.strip(session, one, image_set.id, 1)] == [
        (None, 1),
        (None, 0),
    ]
    service.withdraw(session, one, decision.id)
    session.flush()
    assert pending.next_open(session, one, Scope()) == a.id


def test_locked_pictures_wait_for_nobody(session: Session, make: Factory, image_set: ImageSet) -> None:
    user, owner = make.user(Role.REVIEWER), image_set.owner
    open_set = make.finished_set(owner, image_set.style_version.style, campaign=image_set.campaign.name)
    service.lock(session, owner, image_set.id)
    session.flush()
    first, second = ids(open_set)
    for scope in (Scope(), *scopes(image_set)[1:4]):
        assert pending.count(session, user, scope) == 2
        assert pending.next_open(session, user, scope) == first
        assert pending.next_open(session, user, scope, second) == first
    assert pending.count(session, user, Scope(image_set.id)) == 0
    assert pending.next_open(session, user, Scope(image_set.id)) is None
    assert kinds(session, user) == [("review", open_set.id)]


def test_a_review_goes_position_by_position(session: Session, make: Factory, image_set: ImageSet) -> None:
    """A redone picture keeps its position, which its older versions share."""
    user, (a, b, c, d, _) = make.user(Role.REVIEWER), ids(image_set)
    after = make.finished_set(campaign="Another").images[0].id
    again = made_again(session, image_set.images[2]).id
    for scope in (Scope(), *scopes(image_set)):
        total = 7 if scope == Scope() else 5
        for version in (c, again):
            found = pending.neighbours(session, user, scope, version)
            assert (found.place, found.total, found.previous_id, found.next_id) == (3, total, b, d)
            assert found.next_open_id == d
        assert pending.next_open(session, user, scope, b) == again
        assert pending.neighbours(session, user, scope, b).next_id == again
        assert pending.neighbours(session, user, scope, a).previous_id is None
    assert pending.neighbours(session, user, Scope(image_set.id), after).place is None, "outside"


def test_the_newer_version_is_next_after_the_older_one(session: Session, make: Factory) -> None:
    image_set, user = make.finished_set(prompts="a\nb"), make.user(Role.REVIEWER)
    make.decide(image_set.images[1])
    again = made_again(session, image_set.images[0])
    assert pending.next_open(session, user, Scope(image_set.id), image_set.images[0].id) == again.id


def test_the_strip_counts_by_each_pictures_own_campaign(session: Session, make: Factory, image_set: ImageSet) -> None:
    other = make.finished_set(campaign="Winter")
    service.set_approvals(session, make.user(Role.MANAGER), other.campaign_id, 3)
    image_set.images[1].campaign_id = other.campaign_id
    session.flush()
    assert [row.needed for row in pending.strip(session, make.user(), image_set.id, 1)] == [1, 3, 1, 1, 1]


def test_strip_around_a_picture(session: Session, make: Factory) -> None:
    image_set, user = make.finished_set(prompts="a fox\n" * 12), make.user(Role.REVIEWER)
    rows = pending.strip(session, user, image_set.id, around=7, limit=6)
    assert [row.position for row in rows] == [4, 5, 6, 7, 8, 9]


def made_again(session: Session, image: Image) -> Image:
    """The next version of a picture, finished."""
    copied = ("set_id", "position", "owner_id", "campaign_id", "style_id", "prompt", "seed", "sha256", "bytes")
    again = Image(**{name: getattr(image, name) for name in copied}, version=image.version + 1)
    again.state, again.shown, again.finished_at = State.FINISHED, True, image.finished_at
    image.superseded, image.shown = True, False
    session.add(again)
    session.flush()
    return again


def test_only_the_newest_version_is_to_review(session: Session, make: Factory, image_set: ImageSet) -> None:
    user, (_, *others) = make.user(Role.REVIEWER), ids(image_set)
    again = made_again(session, image_set.images[0])
    assert [row.id for row in pending.strip(session, user, image_set.id, 1)] == [again.id, *others]
    assert pending.count(session, user) == 4, "it begins undecided"
    assert scoping.tally(session, user, Scope())["approved"] == 0
    assert pending.neighbours(session, user, Scope(), again.id).total == 5


def test_comments_on_all_versions_are_together(session: Session, make: Factory, image_set: ImageSet) -> None:
    user, first = make.user(), image_set.images[0]
    service.comment(session, user, first.id, "The ear is gone", 0.5, 0.5)
    service.comment(session, user, first.id, "And brighter")
    service.comment(session, user, image_set.images[1].id, "Another picture")
    again = made_again(session, first)
    service.comment(session, user, again.id, "The tail too", 0.1, 0.9)
    for image in (first, again):
        found = queries.conversations(session, user, image)
        assert [(each.version, each.number, each.thread.comments[0].body) for each in found] == [
            (1, 1, "The ear is gone"),
            (1, None, "And brighter"),
            (2, 2, "The tail too"),
        ]


def test_comments_on_a_deleted_version_stay(session: Session, make: Factory, image_set: ImageSet) -> None:
    owner, haruka = image_set.owner, make.user(name="Mori Haruka")
    first = image_set.images[0]
    again = made_again(session, first)
    service.comment(session, owner, again.id, "@Mori Haruka, the ear?", 0.5, 0.5)
    again.superseded, again.shown, again.deleted_at = False, False, now()
    first.superseded, first.shown = False, True
    session.flush()
    (found,) = queries.conversations(session, haruka, first)
    assert (found.version, found.deleted, found.number) == (2, True, 1)
    need = only(session, haruka)
    assert (need.kind, need.image_ids) == ("mention", [first.id])
    service.see_mentions(session, haruka, first, queries.unseen_mentions(session, haruka, first))
    assert kinds(session, haruka) == []


def test_scope_options(session: Session, make: Factory, image_set: ImageSet) -> None:
    done, locked = make.finished_set(image_set.owner, prompts="a"), make.finished_set(image_set.owner, prompts="b")
    make.decide(done.images[0])
    service.lock(session, image_set.owner, locked.id)
    newer = make.finished_set(image_set.owner, prompts="c")
    user = make.user()

    def offered(scope: Scope) -> list[int]:
        return [key for key, _ in scoping.options(session, user, scope).sets]

    assert offered(Scope()) == [newer.id, image_set.id]
    assert offered(Scope(done.id)) == [newer.id, done.id, image_set.id]


def test_scope_options_by_name(session: Session, make: Factory, image_set: ImageSet) -> None:
    options = scoping.options(session, make.user(), Scope())
    assert options.campaigns == [(image_set.campaign_id, image_set.campaign.name)]
    assert options.styles == [(image_set.style_version.style.code, image_set.style_version.style.name)]
    assert options.owners == [(image_set.owner_id, image_set.owner.name)]


def test_the_queue_is_read_by_indexes(session: Session, make: Factory, image_set: ImageSet, database: Database) -> None:
    """No query of every page and every decision scans the table of all pictures; samples are few, one per person."""
    user = make.user(Role.REVIEWER)
    session.commit()
    with database.read() as reading, counted(database) as seen:
        for scope in (Scope(), *scopes(image_set)):
            pending.count(reading, user, scope)
            pending.next_open(reading, user, scope, 2)
            pending.neighbours(reading, user, scope, 2)
            scoping.tally(reading, user, scope)
    with database.read() as reading:
        for statement in seen:
            plan = reading.connection().exec_driver_sql("EXPLAIN QUERY PLAN " + statement.replace("?", "1"))
            scans = [row.detail for row in plan if row.detail.startswith("SCAN") and row.detail != "SCAN samples"]
            assert all("INDEX" in scan or "CONSTANT ROW" in scan for scan in scans), (statement, scans)


def test_latest_has_its_author(session: Session, make: Factory, image_set: ImageSet) -> None:
    reviewer = make.user(Role.REVIEWER, name="Ito Kenji")
    image = image_set.images[1]
    assert queries.latest(session, image.id) is None
    make.decide(image, reviewer=reviewer)
    latest = queries.latest(session, image.id)
    assert latest
    assert (latest.user.name, latest.verdict) == ("Ito Kenji", "approved")


def test_history_in_one_statement_each(
    session: Session, make: Factory, image_set: ImageSet, database: Database
) -> None:
    user, image = make.user(), image_set.images[3]
    for _ in range(3):
        service.comment(session, make.user(), image.id, "hello")
    session.commit()
    with database.read() as reading, counted(database) as seen:
        assert all(row.user.name for row in queries.decisions(reading, user, image.id))
        found = queries.conversations(reading, user, image)
        assert [comment.user.name for each in found for comment in each.thread.comments]
    assert len(seen) == 3  # decisions; threads; comments


def test_closed_account_sees_nothing(session: Session, make: Factory, image_set: ImageSet) -> None:
    closed = make.user(Role.ADMIN, active=False)
    assert pending.count(session, closed) == 0
    assert pending.strip(session, closed, image_set.id, 1) == []
    assert pending.next_open(session, closed, Scope()) is None
    assert queries.decisions(session, closed, image_set.images[0].id) == []
    assert queries.conversations(session, closed, image_set.images[0]) == []
    assert queries.people(session, closed) == []
    assert needs.of_user(session, closed) == []


# What needs attention


def kinds(session: Session, user: User) -> list[tuple[str, int]]:
    session.flush()
    return [(need.kind, need.set_id) for need in needs.of_user(session, user)]


def only(session: Session, user: User) -> Need:
    session.flush()
    (need,) = needs.of_user(session, user)
    return need


def test_need_to_review_is_the_reviewers(session: Session, make: Factory, image_set: ImageSet) -> None:
    assert kinds(session, make.user(Role.REVIEWER)) == [("review", image_set.id)]
    assert kinds(session, image_set.owner) == []
    need = only(session, make.user(Role.REVIEWER))
    _, b, _, d, e = ids(image_set)
    assert (need.count, need.who, need.set_name, need.bytes) == (3, image_set.owner.name, "a", None)
    assert set(need.image_ids) == {b, d, e}
    assert need.at == max(image.finished_at for image in image_set.images if image.finished_at)


def test_need_to_change_is_the_owners(session: Session, make: Factory) -> None:
    owner = make.user()
    image_set = make.finished_set(owner)
    ito, image = make.user(Role.REVIEWER, name="Ito Kenji"), image_set.images[1]
    make.decide(image, Verdict.CHANGES_REQUESTED, ito)
    need = only(session, owner)
    assert (need.kind, need.count, need.who, need.comment, need.image_ids) == (
        "changes",
        1,
        "Ito Kenji",
        None,
        [image.id],
    )
    service.comment(session, ito, image.id, "魚の目をもう少し大きく")
    service.comment(session, owner, image.id, "I will")
    service.comment(session, ito, image_set.images[0].id, "This one is perfect")
    assert only(session, owner).comment == "魚の目をもう少し大きく"
    make.decide(image)
    assert ("changes", image_set.id) not in kinds(session, owner)


def test_need_to_change_names_the_latest_requester(session: Session, make: Factory) -> None:
    owner = make.user()
    first, second = make.finished_set(owner).images
    make.decide(first, Verdict.CHANGES_REQUESTED, make.user(Role.REVIEWER, name="Ito Kenji"))
    make.decide(second, Verdict.CHANGES_REQUESTED, make.user(Role.REVIEWER, name="佐藤 美咲"))
    make.decide(second, Verdict.REJECTED)
    assert only(session, owner).who == "Ito Kenji"


def test_need_to_change_needs_no_decision(session: Session, make: Factory) -> None:
    """As with pictures imported with their outcome."""
    owner = make.user()
    image = make.finished_set(owner).images[0]
    image.decision = Verdict.CHANGES_REQUESTED
    session.flush()
    need = only(session, owner)
    assert (need.kind, need.who, need.at, need.image_ids) == ("changes", "", image.finished_at, [image.id])


def test_need_to_answer_ends_when_the_picture_is_opened(session: Session, make: Factory) -> None:
    owner, haruka = make.user(name="Ito Kenji"), make.user(name="Mori Haruka")
    image = make.finished_set(owner).images[0]
    for body in ("@Mori Haruka the ear", "and @mori haruka the tail"):
        service.comment(session, owner, image.id, body)
    need = only(session, haruka)
    assert (need.kind, need.who, need.count, need.comment, need.image_ids) == (
        "mention",
        "Ito Kenji",
        2,
        "and @mori haruka the tail",
        [image.id],
    )
    service.see_mentions(session, haruka, image, queries.unseen_mentions(session, haruka, image))
    assert kinds(session, haruka) == []


def test_need_to_retry_is_the_owners(session: Session, make: Factory) -> None:
    owner = make.user()
    image_set = make.image_set(owner)
    unit = queue.claim_next(session)
    assert unit
    queue.fail_unit(session, unit.id, "The GPU ran out of memory.")
    need = only(session, owner)
    assert (need.kind, need.set_id, need.count, need.image_ids) == ("failed", image_set.id, 2, [])
    assert kinds(session, make.user(Role.ADMIN)) == []
    sets.retry_set(session, owner, image_set.id, 4)
    assert kinds(session, owner) == []


def test_need_to_hand_over_ends_with_the_download(session: Session, make: Factory) -> None:
    owner, manager = make.user(), make.user(Role.MANAGER)
    image_set = make.finished_set(owner)
    a, b = image_set.images
    make.decide(a)
    assert kinds(session, owner) == []  # b has no decision yet
    make.decide(b, Verdict.REJECTED)
    for user in (owner, manager):
        need = only(session, user)
        assert (need.kind, need.set_id, need.count, need.bytes, need.image_ids) == (
            "ready",
            image_set.id,
            1,
            a.bytes,
            [a.id],
        )
    assert kinds(session, make.user(Role.REVIEWER)) == []
    chosen = exports.selection(session, manager, set_id=image_set.id)
    export = exports.create(session, manager, exports.plan(session, manager, chosen, ExportOptions()))
    assert kinds(session, owner) == [("ready", image_set.id)]  # requested, not downloaded yet
    exports.downloaded(session, manager, export, contents.set_ids(session, export.id))
    assert kinds(session, owner) == []
    session.delete(export)
    assert kinds(session, owner) == [], "it stays handed over when the export is over"
    make.decide(b)
    assert kinds(session, owner) == [("ready", image_set.id)]
    record(session, manager, Act.EXPORT, image_set)
    assert kinds(session, owner) == [], "as it was written at first, set by set"


def test_needs_take_as_many_statements_for_many_as_for_few(session: Session, make: Factory, database: Database) -> None:
    admin = make.user(Role.ADMIN)

    def more(number: int) -> int:
        for _ in range(number):
            done, changed, _ = (make.finished_set(owner) for owner in (admin, admin, None))
            for image in done.images:
                make.decide(image)
            make.decide(changed.images[0], Verdict.CHANGES_REQUESTED)
        session.commit()
        with database.read() as reading, counted(database) as seen:
            assert {need.kind for need in needs.of_user(reading, admin)} == {"review", "changes", "ready"}
        return len(seen)

    assert more(1) == more(3)
