"""Nobody approves their own pictures in campaigns with that setting."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Forbidden
from app.gallery import service as gallery
from app.gallery import words
from app.models import Act, AuditEvent, Campaign, Image, ImageSet, Role, State, User
from app.reviews import four_eyes, needs, news, pending, queries, service
from app.reviews.four_eyes import OwnPicture
from app.reviews.scoping import Scope
from app.sets import service as sets
from app.sets import versions
from app.sets.versions import RedoSpec
from tests.factory import MODEL, Factory

REASON = "Off the look"


@pytest.fixture
def maker(make: Factory) -> User:
    return make.user(Role.MANAGER, "Mori Haruka")


@pytest.fixture
def own(make: Factory, maker: User) -> ImageSet:
    return make.finished_set(maker, campaign="Autumn")


def decide(session: Session, user: User, image: Image, verdict: str = "approved") -> int:
    latest = queries.latest(session, image.id)
    decision = service.decide(session, user, image.id, verdict, latest.id if latest else None, REASON)
    session.flush()
    return decision.id


def again(session: Session, make: Factory, user: User, image: Image) -> Image:
    (made,) = versions.redo(session, user, image.id, RedoSpec(prompt="a red fox"), MODEL, unit_size=4)
    make.finish(image.image_set)
    session.refresh(made)
    assert made.state == State.FINISHED
    return made


def test_a_campaign_created_by_name_forbids_own_approvals(
    session: Session, make: Factory, maker: User, own: ImageSet
) -> None:
    assert own.campaign.four_eyes
    sets.campaign_named(session, maker, "Unsorted")
    gallery.move(session, maker, [own.images[0].id], "Winter")
    assert session.scalars(select(Campaign.four_eyes)).all() == [True, True, True]


def test_people_approve_others_pictures_and_reject_their_own(
    session: Session, make: Factory, maker: User, own: ImageSet
) -> None:
    fox, teapot = own.images
    with pytest.raises(OwnPicture, match=r"^You made this picture, and in Autumn nobody approves their own pictures\."):
        decide(session, maker, fox)
    assert (fox.decision, fox.approvals) == (None, 0)
    decide(session, maker, fox, "rejected")
    decide(session, maker, teapot, "changes_requested")
    assert (fox.decision, teapot.decision) == ("rejected", "changes_requested")
    other = make.finished_set(campaign="Autumn").images[0]
    decide(session, maker, other)
    assert other.decision == "approved"


def test_makers_who_manage_leave_the_decisions_of_others(
    session: Session, make: Factory, maker: User, own: ImageSet
) -> None:
    fox, teapot = own.images
    reviewer = make.user(Role.REVIEWER, "Ito Kenji")
    rejection = decide(session, reviewer, fox, "rejected")
    with pytest.raises(OwnPicture, match=r"Ito Kenji or another manager can withdraw this decision\.$"):
        service.withdraw(session, maker, rejection)
    assert fox.decision == "rejected"
    mine = decide(session, maker, teapot, "rejected")
    service.withdraw(session, maker, mine)
    service.withdraw(session, make.user(Role.MANAGER), rejection)
    assert (fox.decision, teapot.decision) == ("withdrawn", "withdrawn")
    rejection = decide(session, reviewer, fox, "rejected")
    service.set_four_eyes(session, maker, own.campaign_id, False)
    service.withdraw(session, maker, rejection)
    assert fox.decision == "withdrawn"


def test_a_version_also_belongs_to_its_maker(session: Session, make: Factory, maker: User) -> None:
    owner, reviewer = make.user(Role.REVIEWER), make.user(Role.REVIEWER)
    image = make.finished_set(owner, campaign="Autumn").images[0]
    decide(session, maker, image)
    newer = again(session, make, maker, image)
    for person in (owner, maker):
        with pytest.raises(OwnPicture):
            decide(session, person, newer)
    decide(session, reviewer, newer)
    assert (newer.decision, newer.approvals) == ("approved", 1)


def test_many_at_once_are_reported_by_campaign(session: Session, make: Factory, maker: User, own: ImageSet) -> None:
    other = make.finished_set(campaign="Autumn")
    ids = [image.id for image in (*own.images, *other.images)]
    done = gallery.decide(session, maker, ids, "approved", None)
    assert done.told(words.APPROVED) == (
        "2 pictures were approved. 2 of 4 could not be approved: "
        "you made them, and in Autumn nobody approves their own pictures."
    )
    assert [image.decision for image in own.images] == [None, None]
    with pytest.raises(OwnPicture):
        service.decide_many(session, maker, own.images, "approved", None)
    assert gallery.decide(session, maker, ids, "rejected", queries.newest(session, maker), REASON).refused.total() == 0


def test_switched_on_what_makers_approved_stays_and_does_not_count(
    session: Session, make: Factory, maker: User, own: ImageSet
) -> None:
    fox, teapot = own.images
    service.set_four_eyes(session, maker, own.campaign_id, False)
    decide(session, maker, fox)
    decide(session, maker, teapot)
    decide(session, make.user(Role.REVIEWER), teapot)
    assert [(image.decision, image.approvals) for image in own.images] == [("approved", 1), ("approved", 2)]
    service.set_four_eyes(session, maker, own.campaign_id, True)
    session.flush()
    assert [(image.decision, image.approvals) for image in own.images] == [(None, 0), ("approved", 1)]
    assert len(queries.standing(session, maker, fox.id)) == 1, "it stays"
    service.set_approvals(session, maker, own.campaign_id, 2)
    session.refresh(teapot)
    assert teapot.decision is None, "others are counted only"
    service.set_approvals(session, maker, own.campaign_id, 1)
    service.set_four_eyes(session, maker, own.campaign_id, False)
    session.flush()
    assert [image.decision for image in own.images] == ["approved", "approved"]
    events = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.CAMPAIGN_CHANGE).order_by(AuditEvent.id))
    told = [event.details.get("approving_own_pictures") for event in events]
    assert told == ["allowed", "not allowed", None, None, "allowed"]


def test_a_move_carries_no_own_approval_over(session: Session, make: Factory, maker: User, own: ImageSet) -> None:
    free = make.finished_set(maker, campaign="Free").images[0]
    service.set_four_eyes(session, maker, free.campaign_id, False)
    decide(session, maker, free)
    assert free.decision == "approved"
    gallery.move(session, maker, [free.id], "Autumn")
    assert (free.campaign_id, free.decision, free.approvals) == (own.campaign_id, None, 0)


def test_a_lock_keeps_what_was_decided_until_it_opens(
    session: Session, make: Factory, maker: User, own: ImageSet
) -> None:
    service.set_four_eyes(session, maker, own.campaign_id, False)
    for image in own.images:
        decide(session, maker, image)
    service.lock(session, maker, own.id)
    service.set_four_eyes(session, maker, own.campaign_id, True)
    session.expire_all()
    assert [image.decision for image in own.images] == ["approved", "approved"]
    service.unlock(session, maker, own.id)
    session.expire_all()
    assert [image.decision for image in own.images] == [None, None]


@pytest.mark.parametrize("role", [Role.DESIGNER, Role.REVIEWER])
def test_managers_set_it(session: Session, make: Factory, own: ImageSet, role: Role) -> None:
    with pytest.raises(Forbidden, match="Only managers"):
        service.set_four_eyes(session, make.user(role), own.campaign_id, False)
    assert own.campaign.four_eyes


def test_own_pictures_do_not_wait_for_oneself(session: Session, make: Factory, maker: User, own: ImageSet) -> None:
    reviewer = make.user(Role.REVIEWER)
    theirs = make.finished_set(reviewer, campaign="Autumn")
    newer = again(session, make, maker, theirs.images[0])
    of_theirs = theirs.images[1]
    assert pending.count(session, maker) == 1
    assert (pending.own_count(session, maker), pending.own_count(session, reviewer)) == (3, 2)
    assert pending.next_open(session, maker, Scope()) == of_theirs.id
    assert pending.next_open(session, maker, Scope(own.id)) is None
    assert pending.first_own(session, maker, Scope(own.id)) == own.images[0].id
    assert [(need.set_id, need.count) for need in needs.of_user(session, maker) if need.kind == "review"] == [
        (theirs.id, 1)
    ]
    service.set_four_eyes(session, maker, own.campaign_id, False)
    assert pending.count(session, maker) == 4
    decide(session, maker, newer)
    service.set_approvals(session, maker, own.campaign_id, 2)
    decide(session, reviewer, of_theirs)
    service.set_four_eyes(session, maker, own.campaign_id, True)
    assert (pending.count(session, maker), pending.count(session, reviewer)) == (1, 2)
    assert (pending.others_count(session, maker), pending.others_count(session, reviewer)) == (3, 2)


@pytest.mark.parametrize(
    ("role", "others", "end"),
    [
        (Role.REVIEWER, ["Ito Kenji"], "pictures. Ito Kenji can approve it."),
        (Role.ADMIN, ["A", "B", "C"], "pictures. A, B and others can approve it."),
        (Role.ADMIN, [], "invite a reviewer under People, or change that under Reasons and approvals."),
        (
            Role.MANAGER,
            [],
            "yet: ask an administrator to invite a reviewer, or change that under Reasons and approvals.",
        ),
        (Role.REVIEWER, [], "yet: ask an administrator to invite a reviewer."),
    ],
)
def test_it_says_who_can(session: Session, make: Factory, role: Role, others: list[str], end: str) -> None:
    user = make.user(role)
    image = make.finished_set(user).images[0]
    for name in others:
        make.user(Role.REVIEWER, name)
    make.user(Role.REVIEWER, "Gone", active=False)
    assert four_eyes.refusal(session, user, image).endswith(end)


def test_open_rooms_are_updated(session: Session, make: Factory, maker: User, own: ImageSet) -> None:
    reviewer, known = make.user(Role.REVIEWER), news.known(session)
    for on, end in ((False, "that people may approve"), (True, "that nobody approves")):
        service.set_four_eyes(session, maker, own.campaign_id, on)
        session.flush()
        assert max(news.latest(session, reviewer, own.id).values()) > known
        told = news.told(session, reviewer, own.images[0], known)[-1]
        assert (told.who, told.words) == (
            "Mori Haruka",
            f"Mori Haruka ruled {end} their own pictures in this campaign.",
        )
