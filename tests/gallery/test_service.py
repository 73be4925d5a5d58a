"""Acts on many pictures at once, each checked separately; the bin; saved searches."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.exports.removal import remove_holding
from app.files import Files, Kind
from app.gallery import matching, queries, searches, service, words
from app.gallery.purger import Purger
from app.gallery.search import EVERYTHING, PictureFilter
from app.languages import speaking
from app.models import (
    Act,
    AuditEvent,
    Campaign,
    Decision,
    Image,
    ImageSet,
    ImageTag,
    RejectReason,
    Role,
    SavedSearch,
    Star,
    User,
    Verdict,
    now,
)
from app.reviews import queries as review_queries
from app.reviews import service as reviews
from app.sets import versions
from tests.engine.painter import FACTS
from tests.factory import Factory
from tests.statements import counted


@pytest.fixture
def manager(make: Factory) -> User:
    return make.user(Role.MANAGER, "Mori")


@pytest.fixture
def image_set(make: Factory) -> ImageSet:
    return make.finished_set(prompts="a fox\nan owl\na teapot\na cat", campaign="Spring")


def ids(image_set: ImageSet) -> list[int]:
    return [image.id for image in image_set.images]


def acts(session: Session, act: Act) -> list[AuditEvent]:
    session.flush()
    return list(session.scalars(select(AuditEvent).where(AuditEvent.act == act).order_by(AuditEvent.id)))


# Choosing


def test_chosen_by_ids_or_by_the_filter(session: Session, manager: User, image_set: ImageSet) -> None:
    first = ids(image_set)
    assert service.chosen(session, manager, [first[0], first[0], 99]) == [first[0], 99]
    assert service.chosen(session, manager, [first[0]], EVERYTHING, 4) == first[::-1]
    assert service.chosen(session, manager, [], PictureFilter(q="fox"), 1) == first[:1]


def test_a_changed_number_is_a_conflict_that_names_it(session: Session, manager: User, image_set: ImageSet) -> None:
    with pytest.raises(Conflict, match="4 pictures match now, not 3"):
        service.chosen(session, manager, [], EVERYTHING, 3)
    with pytest.raises(Conflict, match="1 picture matches now, not 0"):
        service.chosen(session, manager, [], PictureFilter(q="fox"), None)


def test_none_and_too_many_are_refused(
    session: Session, manager: User, image_set: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Invalid, match="Select pictures first"):
        service.chosen(session, manager, [])
    monkeypatch.setattr(service, "MOST", 3)
    for arguments in (([1, 2, 3, 4],), ([], EVERYTHING, 4)):
        with pytest.raises(Invalid, match="4 pictures were selected; at most 3 pictures"):
            service.chosen(session, manager, *arguments)


def test_a_closed_account_does_nothing(session: Session, make: Factory, image_set: ImageSet) -> None:
    closed = make.user(Role.ADMIN, active=False)
    for do in (service.delete, service.restore, service.star):
        with pytest.raises(Forbidden):
            do(session, closed, ids(image_set))


# Deciding


def test_each_is_decided_separately(session: Session, make: Factory, manager: User, image_set: ImageSet) -> None:
    locked = make.finished_set(prompts="a bell")
    reviews.lock(session, manager, locked.id)
    done = service.decide(session, manager, [*ids(image_set), *ids(locked), 999], "approved", None)
    assert done.ids == ids(image_set)
    assert {image.decision for image in image_set.images} == {Verdict.APPROVED}
    assert done.told(words.APPROVED) == (
        "4 pictures were approved. 1 of 6 could not be approved: their set is locked."
        " 1 of 6 could not be approved: they no longer exist."
    )
    with speaking("ja"):
        done = service.decide(session, manager, [image_set.images[0].id, 999_999], "approved", None)
        assert done.told(words.APPROVED) == (
            "画像1点を承認しました。2点中1点は承認できませんでした：すでに存在しません。"
        )
    assert len(acts(session, Act.DECIDE)) == 5


def test_others_decisions_stay(session: Session, make: Factory, manager: User, image_set: ImageSet) -> None:
    fox = image_set.images[0]
    make.decide(fox, Verdict.REJECTED)
    done = service.decide(session, manager, [fox.id], "approved", review_queries.newest(session, manager))
    assert fox.decision == Verdict.REJECTED
    assert len(session.scalars(select(Decision).where(Decision.image_id == fox.id)).all()) == 2
    assert done.told(words.APPROVED) == "1 picture is still rejected."


def test_concurrent_decisions_are_not_overruled(
    session: Session, make: Factory, manager: User, image_set: ImageSet
) -> None:
    fox, owl, teapot, cat = image_set.images
    ito, kato = make.user(Role.REVIEWER, "Ito Kenji"), make.user(Role.REVIEWER, "Kato")
    make.decide(owl, Verdict.APPROVED, ito)
    seen = review_queries.newest(session, manager)
    make.decide(fox, Verdict.REJECTED, kato)
    make.decide(fox, Verdict.CHANGES_REQUESTED, ito)  # it withdraws Kato's first
    make.decide(teapot, Verdict.CHANGES_REQUESTED, ito)
    make.decide(cat, Verdict.CHANGES_REQUESTED, manager)
    done = service.decide(session, manager, ids(image_set), "approved", seen)
    assert done.ids == [owl.id, cat.id], "what was seen, and one's own, is no conflict"
    assert done.told(words.APPROVED) == (
        "2 pictures were approved. 2 of 4 could not be approved: Ito Kenji just asked for changes to them."
    )
    assert [image.decision for image in (fox, teapot)] == [Verdict.CHANGES_REQUESTED] * 2
    assert len(session.scalars(select(Decision).where(Decision.image_id == teapot.id)).all()) == 1
    again = service.decide(session, manager, [teapot.id], "approved", review_queries.newest(session, manager))
    assert again.ids == [teapot.id], "once it was seen, it can be decided on"


def test_a_withdrawal_in_between_is_noticed(
    session: Session, make: Factory, manager: User, image_set: ImageSet
) -> None:
    reviewer = make.user(Role.REVIEWER)
    (fox, *_), owl = ids(image_set), image_set.images[1]
    own = reviews.decide(session, reviewer, fox, "approved", None)
    seen = review_queries.newest(session, reviewer)
    reviews.withdraw(session, manager, own.id)
    make.decide(owl, Verdict.APPROVED, manager)
    assert service.decide(session, reviewer, [fox, owl.id], "rejected", seen, "Off the look").refused == {
        "Mori just withdrew a decision on them": 1,
        "Mori just approved them": 1,
    }


def test_the_message_counts_by_outcome(session: Session, make: Factory, manager: User) -> None:
    images = make.finished_set(prompts="\n".join(f"thing {n}" for n in range(6)), campaign="Strict").images
    reviews.set_approvals(session, manager, images[0].campaign_id, 3)
    ito, kato = make.user(Role.REVIEWER), make.user(Role.REVIEWER)
    for reviewer in (ito, kato):
        make.session.add(Decision(image_id=images[0].id, user_id=reviewer.id, verdict=Verdict.APPROVED))
    make.decide(images[1], Verdict.APPROVED, ito)
    make.decide(images[2], Verdict.REJECTED, ito)
    make.decide(images[3], Verdict.CHANGES_REQUESTED, ito)
    newest = review_queries.newest(session, manager)
    done = service.decide(session, manager, [image.id for image in images], "approved", newest)
    assert done.told(words.APPROVED) == (
        "1 picture was approved; 2 need 2 more approvals; 1 needs one more approval; 1 is still rejected;"
        " 1 still has changes requested."
    )
    assert len(done.ids) == 6
    few = service.decide(session, manager, [images[4].id, images[5].id], "approved", newest)
    assert few.told(words.APPROVED) == "2 pictures need 2 more approvals."
    changes = service.decide(session, manager, [images[2].id, images[4].id], "changes_requested", newest)
    assert changes.told(words.CHANGES_REQUESTED) == ("1 picture was marked as changes requested; 1 is still rejected.")


def test_many_are_read_and_recorded_together(
    database: Database, session: Session, make: Factory, manager: User
) -> None:
    sets = [make.finished_set(prompts="a\nb\nc", campaign=f"Campaign {n}") for n in range(4)]
    every = [image.id for image_set in sets for image in image_set.images]
    acts = (
        lambda some: service.decide(session, manager, some, "approved", None),
        lambda some: service.move(session, manager, some, "Campaign 0"),
        lambda some: service.star(session, manager, some),
        lambda some: service.tag(session, manager, some, "hero"),
        lambda some: service.untag(session, manager, some, "hero"),
        lambda some: service.delete(session, manager, some),
        lambda some: service.restore(session, manager, some),
    )
    for act in acts:
        numbers = []
        for some in (every[3:5], every[5:]):
            session.flush()
            session.expire_all()
            assert manager.active  # reloaded, outside of what is counted
            with counted(database) as statements:
                assert act(some).ids == some
                session.flush()
            numbers.append(sum(each.startswith(("SELECT", "UPDATE audit_head")) for each in statements))
        assert numbers[1] <= numbers[0] + 4, statements  # moves are recorded by campaign, each in two statements


def test_a_rejection_needs_a_reason_of_the_list(session: Session, manager: User, image_set: ImageSet) -> None:
    known = session.scalars(select(RejectReason.words)).first()
    assert known
    with pytest.raises(Invalid, match="Choose a reason"):
        service.decide(session, manager, ids(image_set), "rejected", None, "I do not like it")
    service.decide(session, manager, ids(image_set), "rejected", None, known)
    assert set(session.scalars(select(Decision.reason))) == {known}


def test_who_may_decide_and_what(session: Session, make: Factory, manager: User, image_set: ImageSet) -> None:
    with pytest.raises(Forbidden, match="Only reviewers"):
        service.decide(session, make.user(Role.DESIGNER), ids(image_set), "approved", None)
    with pytest.raises(Invalid, match="verdict must be one of"):
        service.decide(session, manager, ids(image_set), "withdrawn", None)


# Moving


def test_move_makes_the_campaign_and_counts_its_approvals(
    session: Session, make: Factory, manager: User, image_set: ImageSet
) -> None:
    fox, owl, *_ = image_set.images
    make.decide(fox)
    strict = make.finished_set(campaign="Strict").campaign
    reviews.set_approvals(session, manager, strict.id, 2)
    service.move(session, manager, [fox.id, owl.id], " Strict ")
    assert (fox.campaign_id, fox.decision, fox.approvals) == (strict.id, None, 1)
    service.move(session, image_set.owner, [fox.id], "Brand new")
    moved = session.scalars(select(Campaign).where(Campaign.name == "Brand new")).one()
    assert (fox.campaign_id, fox.decision) == (moved.id, Verdict.APPROVED)
    assert image_set.campaign.name == "Spring"
    service.move(session, manager, [fox.id], strict.id)
    assert fox.decision is None
    assert [event.details for event in acts(session, Act.IMAGE_MOVE)][-1] == {"to": "Strict", "before": "Brand new"}


def test_who_may_move(session: Session, make: Factory, manager: User, image_set: ImageSet) -> None:
    done = service.move(session, make.user(Role.REVIEWER), ids(image_set), "Autumn")
    assert not done.ids
    assert done.told(words.MOVED, campaign="Spring") == (
        "4 of 4 could not be moved to Spring: only the set’s owner or a manager may."
    )
    reviews.lock(session, manager, image_set.id)
    assert service.move(session, manager, ids(image_set), "Autumn").refused == {service.LOCKED: 4}
    with pytest.raises(Invalid, match="Choose a campaign"):
        service.move(session, manager, ids(image_set), "\n ")
    with pytest.raises(Invalid, match="121 characters"):
        service.move(session, manager, ids(image_set), "x" * 121)
    with pytest.raises(NotFound):
        service.move(session, manager, ids(image_set), 404)


# Stars and tags


def test_stars_are_personal(session: Session, make: Factory, manager: User, image_set: ImageSet) -> None:
    other = make.user()
    first, second, *_ = ids(image_set)
    service.star(session, manager, [first, second])
    service.star(session, manager, [first])
    service.star(session, other, [first])
    service.star(session, manager, [first], on=False)
    rows = {(star.user_id, star.image_id) for star in session.scalars(select(Star))}
    assert rows == {(manager.id, second), (other.id, first)}


def test_tags(session: Session, make: Factory, image_set: ImageSet) -> None:
    anybody = make.user()
    done = service.tag(session, anybody, ids(image_set), " Hero  Shot ")
    assert len(done.ids) == 4
    service.tag(session, anybody, ids(image_set)[:1], "hero shot")
    assert len(acts(session, Act.IMAGE_TAG)) == 4
    assert set(session.scalars(select(ImageTag.tag))) == {"hero shot"}
    service.untag(session, anybody, ids(image_set)[:3], "HERO shot")
    assert list(session.scalars(select(ImageTag.image_id))) == ids(image_set)[3:]
    for wrong, sentence in (("  ", "Enter a tag"), ("x" * 41, "41 characters")):
        with pytest.raises(Invalid, match=sentence):
            service.tag(session, anybody, ids(image_set), wrong)


def test_at_most_twenty_tags_a_picture(session: Session, make: Factory, image_set: ImageSet) -> None:
    user, (fox, *_) = make.user(), ids(image_set)
    for number in range(20):
        service.tag(session, user, [fox], f"tag {number}")
    assert service.tag(session, user, [fox], "one more").refused == {"a picture has at most 20 tags": 1}
    assert service.tag(session, user, [fox], "tag 3").ids == [fox]


# The bin


def test_deleted_and_brought_back(session: Session, manager: User, image_set: ImageSet) -> None:
    fox, owl, *rest = ids(image_set)
    done = service.delete(session, manager, [fox, owl])
    assert done.at
    assert queries.ids(session, matching.Search.of(session, manager, EVERYTHING), 9) == rest[::-1]
    assert [(row.id, row.days_left, row.deleted_by) for row in queries.deleted(session, manager)] == [
        (owl, 30, "Mori"),
        (fox, 30, "Mori"),
    ]
    assert service.delete(session, manager, [fox]).refused == {"they were just deleted": 1}
    assert service.decide(session, manager, [fox], "approved", None).refused

    only = "they were deleted by one of the managers, and only managers can restore them"
    assert service.restore(session, image_set.owner, [fox]).refused == {only: 1}
    assert [row.restorable for row in queries.deleted(session, image_set.owner)] == [False, False]
    assert service.restore(session, manager, [fox, owl, rest[0]]).refused == {"they are not in the bin": 1}
    assert all(image.shown for image in image_set.images)
    assert queries.deleted_count(session, manager) == 0
    assert [len(acts(session, act)) for act in (Act.IMAGE_DELETE, Act.IMAGE_RESTORE)] == [2, 2]


def test_the_previous_version_comes_back(session: Session, make: Factory, manager: User, image_set: ImageSet) -> None:
    fox = image_set.images[0]
    (again,) = versions.redo(session, manager, fox.id, versions.RedoSpec(prompt="a red fox"), FACTS, 4)
    make.finish(image_set)
    session.refresh(again)
    session.refresh(fox)
    assert (again.shown, fox.shown) == (True, False)
    assert service.delete(session, manager, [fox.id]).refused == {"a newer version replaced them": 1}
    service.delete(session, manager, [again.id])
    assert (again.shown, fox.shown, fox.superseded) == (False, True, False)
    service.restore(session, manager, [again.id])
    assert (again.shown, fox.shown, fox.superseded) == (True, False, True)

    owl = image_set.images[2]
    service.delete(session, manager, [again.id, owl.id])
    service.delete(session, manager, [fox.id])
    assert service.restore(session, manager, [fox.id, again.id, owl.id]).ids == [fox.id, again.id, owl.id]
    assert (again.shown, fox.shown, fox.superseded, owl.shown) == (True, False, True, True), "both of a place at once"


def test_who_may_delete(session: Session, make: Factory, manager: User, image_set: ImageSet) -> None:
    stranger = make.user(Role.REVIEWER)
    assert service.delete(session, stranger, ids(image_set)).refused == {service.NOT_YOURS: 4}
    service.delete(session, image_set.owner, ids(image_set)[:1])
    assert service.restore(session, stranger, ids(image_set)[:1]).refused == {service.NOT_YOURS: 1}
    assert [row.restorable for row in queries.deleted(session, stranger)] == [False]
    assert [row.restorable for row in queries.deleted(session, manager)] == [True]
    reviews.lock(session, manager, image_set.id)
    assert service.delete(session, manager, ids(image_set)[1:]).refused == {service.LOCKED: 3}
    assert service.restore(session, manager, ids(image_set)[:1]).refused == {service.LOCKED: 1}
    assert [row.restorable for row in queries.deleted(session, manager)] == [False]


def test_the_bin_page_by_page(session: Session, make: Factory, manager: User) -> None:
    image_set = make.finished_set(prompts="\n".join(f"thing {n}" for n in range(7)))
    for some in (ids(image_set)[:3], ids(image_set)[3:]):
        service.delete(session, manager, some)
    seen: list[queries.Deleted] = []
    while page := queries.deleted(session, manager, (seen[-1].deleted_at, seen[-1].id) if seen else None, limit=2):
        seen += page
    assert [row.id for row in seen] == ids(image_set)[::-1]


@pytest.fixture
def old(session: Session, manager: User, image_set: ImageSet) -> list[Image]:
    """Two pictures whose 30 days are over, and two on their last day."""
    service.delete(session, manager, ids(image_set))
    images = list(image_set.images)
    for image, days in zip(images, (31, 30, 29, 0), strict=True):
        image.deleted_at = now() - timedelta(days=days)
    session.flush()
    return images


@pytest.fixture
def purge(session: Session, database: Database, files: Files) -> Callable[[], int]:
    """Empty the bin as the server does."""

    def empty() -> int:
        session.commit()
        number = Purger(database, files, remove_holding).purge()
        session.expire_all()
        return number

    return empty


def test_after_thirty_days_the_files_go(
    session: Session, manager: User, files: Files, old: list[Image], purge: Callable[[], int]
) -> None:
    kept, gone = [image.sha256 or "" for image in old[2:]], [image.sha256 or "" for image in old[:2]]
    assert service.restore(session, manager, [old[1].id]).refused == {"they were in the bin for 30 days": 1}
    assert purge() == 2
    assert purge() == 0
    for sha256, there in [*((each, False) for each in gone), *((each, True) for each in kept)]:
        assert files.has(Kind.IMAGES, sha256) is there
        assert files.thumbnail(sha256, 320).exists() is files.thumbnail(sha256, 960).exists() is there
    assert [bool(image.purged_at) for image in old] == [True, True, False, False]
    assert [row.id for row in queries.deleted(session, manager)] == [old[3].id, old[2].id]
    assert [event.user_id for event in acts(session, Act.IMAGE_PURGE)] == [None, None]
    assert service.restore(session, manager, [old[0].id]).refused


def test_a_file_that_another_picture_has_stays(
    session: Session, files: Files, old: list[Image], purge: Callable[[], int]
) -> None:
    shared = old[2].sha256 or ""
    old[0].sha256 = shared
    purge()
    assert files.has(Kind.IMAGES, shared)
    old[2].deleted_at = old[0].deleted_at
    session.flush()
    purge()
    assert not files.has(Kind.IMAGES, shared)


def test_a_file_shared_by_two_expired_pictures_is_removed(
    files: Files, old: list[Image], purge: Callable[[], int]
) -> None:
    old[0].sha256 = shared = old[1].sha256 or ""
    assert purge() == 2
    assert not files.has(Kind.IMAGES, shared)


def test_a_crash_leaves_no_picture_without_its_file(
    session: Session, files: Files, old: list[Image], purge: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "remove", crash)
    with pytest.raises(KeyboardInterrupt):
        purge()
    session.expire_all()
    assert [bool(image.purged_at) for image in old] == [True, True, False, False], "before any file is removed"


def test_thumbnails_of_a_reference_stay(files: Files, old: list[Image], purge: Callable[[], int]) -> None:
    sha256 = old[0].sha256 or ""
    files.put(Kind.REFERENCES, files.path(Kind.IMAGES, sha256).read_bytes())
    purge()
    assert not files.has(Kind.IMAGES, sha256)
    assert files.thumbnail(sha256, 320).exists()


def test_the_purger_continues_until_nothing_is_expired(
    session: Session, database: Database, files: Files, old: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    session.commit()
    monkeypatch.setattr("app.gallery.purger.BATCH", 1)
    assert Purger(database, files, remove_holding).purge() == 2


# Saved searches


def test_searches_are_saved_replaced_shared(session: Session, make: Factory) -> None:
    mori, ito = make.user(), make.user()
    searches.save(session, mori, " Foxes ", "q=fox&decision=nonsense&page=3")
    searches.save(session, mori, "Approved", "decision=approved", shared=True)
    searches.save(session, ito, "Foxes", "q=red+fox")
    assert [(row.name, row.query) for row in queries.searches(session, mori)] == [
        ("Approved", "decision=approved"),
        ("Foxes", "q=fox"),
    ]
    assert [row.name for row in queries.searches(session, ito)] == ["Foxes", "Approved"]
    searches.save(session, mori, "Foxes", "q=owl", shared=True)
    assert [row.query for row in queries.searches(session, ito)] == ["q=red+fox", "decision=approved", "q=owl"]


def test_what_cannot_be_saved(session: Session, make: Factory) -> None:
    user = make.user()
    long = "&".join(f"tag={n:030}" for n in range(70))
    for name, query, sentence in (
        ("", "q=fox", "Enter a name"),
        ("x" * 61, "q=fox", "61 characters"),
        ("All", "", "nothing to save"),
        ("Long", "&".join([long, *(f"style={n}{'X' * 30}" for n in range(50))]), "too many filters"),
    ):
        with pytest.raises(Invalid, match=sentence):
            searches.save(session, user, name, query)


def test_whose_searches_can_be_changed(session: Session, make: Factory, manager: User) -> None:
    mori, ito = make.user(name="Mori"), make.user()
    shared = searches.save(session, mori, "Shared", "q=a", shared=True)
    hidden = searches.save(session, mori, "Hidden", "q=b")
    with pytest.raises(Forbidden, match="Only Mori or a manager can rename"):
        searches.rename(session, ito, shared.id, "Mine")
    for user in (ito, manager):
        with pytest.raises(NotFound):
            searches.delete(session, user, hidden.id)
    with pytest.raises(Invalid, match="already"):
        searches.rename(session, mori, shared.id, "Hidden")
    assert searches.rename(session, manager, shared.id, "Everybody's").name == "Everybody's"
    searches.delete(session, mori, hidden.id)
    searches.delete(session, manager, shared.id)
    session.flush()
    assert session.scalars(select(SavedSearch)).all() == []
