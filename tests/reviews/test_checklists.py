"""Checklists before approval: every way to an approval asks for answers, and answers are kept word for word."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app import undo
from app.customs import queries as customs
from app.customs import service as editing
from app.customs import sheets
from app.customs.sheets import Answers, Given, Unanswered
from app.errors import Conflict, Forbidden, Invalid
from app.filing import service as filing
from app.gallery import service as gallery
from app.models import Act, AuditEvent, ChecklistSheet, Image, ImageSet, ItemAnswer, Role, User, Verdict
from app.reviews import queries, requirements
from app.reviews import service as reviews
from app.upkeep.answered import check_answers
from app.upkeep.outcomes import check_outcomes
from tests.factory import Factory

JAPAN, CHINA = 1, 2


@pytest.fixture
def manager(make: Factory) -> User:
    return make.user(Role.MANAGER, "Mori")


@pytest.fixture
def reviewer(make: Factory) -> User:
    return make.user(Role.REVIEWER, "Ito")


@pytest.fixture
def image_set(session: Session, make: Factory, manager: User) -> ImageSet:
    """Of a campaign that requires the list of Japan."""
    made = make.finished_set(prompts="a fox\nan owl\na teapot", campaign="Autumn")
    requirements.require(session, manager, made.campaign_id, [JAPAN])
    session.flush()
    return made


def all_fine(session: Session, *lists: int, **other: Given) -> Answers:
    """Answers to every item; `other` by key, with "_" for "-"."""
    found = {}
    for each in customs.required(session, lists or [JAPAN]).values():
        for item in each.items:
            given = other.get(item.key.replace("-", "_"), Given(ItemAnswer.FINE))
            found[each.id, item.key, item.stamp] = given
    return found


def approve(session: Session, user: User, image: Image, seen: int | None = None) -> None:
    reviews.decide(session, user, image.id, "approved", seen)
    session.flush()


def wrong(session: Session) -> list[str]:
    session.flush()
    session.expire_all()
    return [each.sentence for each in check_outcomes(session, lambda what, done, total: None)]


def test_an_approval_without_complete_answers_is_refused_in_a_sentence(
    session: Session, reviewer: User, image_set: ImageSet
) -> None:
    image = image_set.images[0]
    with pytest.raises(Unanswered, match=r"Answer the checklists before approving; not answered: Japan \(17 of 17\)"):
        approve(session, reviewer, image)
    some = dict(list(all_fine(session).items())[:10])
    assert sheets.save(session, reviewer, image, some).open == 7
    with pytest.raises(Unanswered, match=r"Japan \(7 of 17\)"):
        approve(session, reviewer, image)
    assert image.decision is None
    sheets.save(session, reviewer, image, all_fine(session))
    approve(session, reviewer, image)
    assert image.decision == Verdict.APPROVED


def test_answers_are_each_persons_and_pictures_own(
    session: Session, make: Factory, reviewer: User, image_set: ImageSet
) -> None:
    one, two = image_set.images[:2]
    sheets.save(session, reviewer, one, all_fine(session))
    with pytest.raises(Unanswered):
        approve(session, reviewer, two)
    with pytest.raises(Unanswered):
        approve(session, make.user(Role.REVIEWER), one)
    with pytest.raises(Forbidden, match="Only reviewers"):
        sheets.save(session, make.user(Role.DESIGNER), one, all_fine(session))


def test_what_is_not_fine_blocks_approval_and_becomes_the_reason_for_changes(
    session: Session, reviewer: User, image_set: ImageSet
) -> None:
    image = image_set.images[0]
    bad = Given(ItemAnswer.NOT_FINE, "  four cups ")
    sheets.save(session, reviewer, image, all_fine(session, four_nine=bad))
    with pytest.raises(Unanswered, match=r"“No groups of four.*\(Japan\) is answered as not fine"):
        approve(session, reviewer, image)
    decision = reviews.decide(session, reviewer, image.id, "changes_requested", None)
    assert decision.reason.startswith("Not fine: No groups of four or nine things")
    assert decision.reason.endswith("(four cups)")
    assert decision.sheet_id
    mine = reviews.decide(session, reviewer, image.id, "changes_requested", decision.id, " Use five cups. ")
    assert mine.reason == "Use five cups."


def test_answers_are_in_the_record_word_for_word_even_after_the_list_changes(
    session: Session, manager: User, reviewer: User, image_set: ImageSet
) -> None:
    one, two = image_set.images[:2]
    for image in (one, two):
        sheets.save(session, reviewer, image, all_fine(session, kimono=Given(ItemAnswer.NOT_APPLICABLE)))
        approve(session, reviewer, image)
    (sheet,) = session.scalars(select(ChecklistSheet)).all()  # the same answers are kept once
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.DECIDE)).all()[-1]
    assert event.details["checklists"] == ["Japan 0: 16 fine, 1 not applicable"]
    assert event.details["answers"] == sheet.sha256 == sheets.hash_of(sheet.content)
    editing.remove(session, manager, JAPAN, "kimono")
    decision, kept = customs.answered(session, reviewer, queries.standing(session, reviewer, one.id)[0].id)
    assert decision.sheet_id == kept.id
    kimono = next(item for item in kept.content["lists"][0]["items"] if item["key"] == "kimono")
    assert kimono["text"].startswith("Every kimono")
    assert kimono["source"] == "Common practice"
    assert sheets.summary(kept.content) == [("Japan", "16 fine, 1 does not apply")]


def test_changed_answers_are_found(session: Session, reviewer: User, image_set: ImageSet) -> None:
    sheets.save(session, reviewer, image_set.images[0], all_fine(session))
    approve(session, reviewer, image_set.images[0])
    session.commit()
    assert list(check_answers(session)) == []
    session.execute(text("UPDATE checklist_sheets SET content = replace(content, 'fine', 'not_fine')"))
    session.expire_all()
    assert [each.sentence for each in check_answers(session)] == [
        "The answers 1 to checklists are not those that were recorded."
    ]


def test_a_change_of_the_list_asks_only_what_changed(
    session: Session, manager: User, reviewer: User, image_set: ImageSet
) -> None:
    image = image_set.images[0]
    before = all_fine(session)
    sheets.save(session, reviewer, image, before)
    seen = customs.required(session, [JAPAN])[JAPAN].by_key["kimono"].stamp
    editing.change(session, manager, JAPAN, "kimono", seen, "dress", "Left over right.", "Tradition.")
    with pytest.raises(Unanswered, match=r"Japan \(1 of 17\)"):
        approve(session, reviewer, image)
    assert sheets.save(session, reviewer, image, before).open == 1  # a second tab, with the old words
    assert sheets.save(session, reviewer, image, all_fine(session)).open == 0
    approve(session, reviewer, image)


def test_a_note_that_is_too_long_is_refused(session: Session, reviewer: User, image_set: ImageSet) -> None:
    with pytest.raises(Invalid, match="301 characters"):
        sheets.save(
            session, reviewer, image_set.images[0], all_fine(session, kimono=Given(ItemAnswer.NOT_FINE, "n" * 301))
        )


def test_many_are_approved_with_the_same_answers_or_each_with_its_own(
    session: Session, reviewer: User, image_set: ImageSet
) -> None:
    ids = [image.id for image in image_set.images]
    sheets.save(session, reviewer, image_set.images[0], all_fine(session))
    done = gallery.decide(session, reviewer, ids, "approved", 0)
    assert done.ids == ids[:1]
    assert dict(done.refused) == {"Autumn requires Japan to be answered": 2}
    bad = all_fine(session, kimono=Given(ItemAnswer.NOT_FINE))
    done = gallery.decide(session, reviewer, ids[1:], "approved", 99, answers=bad)
    assert dict(done.refused) == {"something in their checklists is not fine": 2}
    sheets.save(session, reviewer, image_set.images[1], bad)
    done = gallery.decide(session, reviewer, ids[1:], "approved", 99, answers=all_fine(session))
    assert customs.saved(session, reviewer, ids[1:]) == {}  # the later answers count
    assert done.ids == ids[1:]
    assert {image.decision for image in image_set.images} == {Verdict.APPROVED}
    assert len(session.scalars(select(ChecklistSheet)).all()) == 1
    with pytest.raises(Unanswered):
        reviews.decide_many(session, reviewer, image_set.images, "approved", 99, answered={ids[0]: SHEET(session)})


def SHEET(session: Session) -> sheets.Sheet:
    return sheets.Sheet((customs.required(session, [JAPAN])[JAPAN],))


def test_requesting_changes_for_many_says_what_is_not_fine(
    session: Session, reviewer: User, image_set: ImageSet
) -> None:
    ids = [image.id for image in image_set.images]
    bad = all_fine(session, four_nine=Given(ItemAnswer.NOT_FINE, "four cups"))
    gallery.decide(session, reviewer, ids, "changes_requested", 0, answers=bad)
    reasons = {queries.latest(session, image_id).reason for image_id in ids}  # type: ignore[union-attr]
    assert len(reasons) == 1
    assert reasons.pop().endswith("(four cups)")


def test_rejecting_and_other_campaigns_need_no_answers(
    session: Session, make: Factory, reviewer: User, image_set: ImageSet
) -> None:
    make.decide(image_set.images[0], Verdict.REJECTED, reviewer)
    other = make.finished_set(campaign="Winter")
    approve(session, reviewer, other.images[0])
    assert queries.latest(session, other.images[0].id).sheet_id is None  # type: ignore[union-attr]


def test_what_is_approved_stays_approved_when_the_requirement_changes(
    session: Session, make: Factory, manager: User, reviewer: User
) -> None:
    made = make.finished_set(campaign="Spring")
    one, two = made.images
    approve(session, reviewer, one)
    requirements.require(session, manager, made.campaign_id, [CHINA, JAPAN])
    assert made.images[0].campaign.checklists == [JAPAN, CHINA]
    reviews.settle(session, made.images)
    assert one.decision == Verdict.APPROVED
    sheets.save(session, reviewer, two, all_fine(session, JAPAN))
    with pytest.raises(Unanswered, match=r"China \(17 of 17\)"):
        approve(session, reviewer, two)
    assert wrong(session) == []
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.CAMPAIGN_CHANGE)).all()[-1]
    assert event.details == {"checklists": "none → Japan, China"}
    with pytest.raises(Forbidden, match="Only managers"):
        requirements.require(session, reviewer, made.campaign_id, [])
    with pytest.raises(Invalid, match="just deleted"):
        requirements.require(session, manager, made.campaign_id, [77])


def test_moving_an_approved_picture_is_no_way_around_the_checklist(
    session: Session, make: Factory, manager: User, reviewer: User, image_set: ImageSet
) -> None:
    other = make.finished_set(campaign="Winter")
    one = other.images[0]
    approve(session, reviewer, one)
    session.commit()
    gallery.move(session, manager, [one.id], "Autumn")
    session.flush()
    assert (one.decision, one.approvals) == (None, 0)
    assert wrong(session) == []
    with pytest.raises(Unanswered):
        approve(session, reviewer, one, queries.latest(session, one.id).id)  # type: ignore[union-attr]
    (part,) = undo.open_parts(session, manager, undo.offered(session))
    undo.undo(session, manager, part.id)
    session.commit()
    session.expire_all()
    assert one.decision == Verdict.APPROVED
    filing.move(session, manager, other.id, "Autumn")
    assert (one.decision, one.approvals) == (None, 0)
    sheets.save(session, reviewer, one, all_fine(session))
    approve(session, reviewer, one, queries.latest(session, one.id).id)  # type: ignore[union-attr]
    assert one.decision == Verdict.APPROVED
    session.expire_all()
    # With answers it counts elsewhere too.
    third = make.finished_set(campaign="Third")
    requirements.require(session, manager, third.campaign_id, [JAPAN])
    gallery.move(session, manager, [one.id], "Third")
    assert one.decision == Verdict.APPROVED
    assert wrong(session) == []


def test_undoing_a_move_from_a_campaign_without_a_list_is_no_way_around_either(
    session: Session, make: Factory, manager: User, reviewer: User, image_set: ImageSet
) -> None:
    image = image_set.images[0]
    make.finished_set(campaign="Winter")
    session.commit()
    gallery.move(session, manager, [image.id], "Winter")
    session.flush()
    (part,) = undo.open_parts(session, manager, undo.offered(session))
    session.commit()
    session.expire_all()
    approve(session, reviewer, image)
    undo.undo(session, manager, part.id)
    session.commit()
    session.expire_all()
    assert image.campaign.name == "Autumn"
    assert (image.decision, image.approvals) == (None, 0)


@pytest.mark.parametrize("whole", [False, True])
def test_undoing_a_move_keeps_the_new_campaign_that_a_decision_names(
    session: Session, make: Factory, manager: User, reviewer: User, whole: bool
) -> None:
    made = make.finished_set(prompts="a fox", campaign="Plain")
    (image,) = made.images
    if whole:
        filing.move(session, manager, made.id, "Brand new")
    else:
        gallery.move(session, manager, [image.id], "Brand new")
    session.flush()
    (part,) = undo.open_parts(session, manager, undo.offered(session))
    approve(session, reviewer, image)
    undo.undo(session, manager, part.id)
    session.flush()
    assert (image.campaign.name, image.decision) == ("Plain", Verdict.APPROVED)


def test_a_moved_approval_that_counts_keeps_counting_and_one_that_does_not_begins_to(
    session: Session, make: Factory, manager: User, reviewer: User, image_set: ImageSet
) -> None:
    elsewhere = make.finished_set(campaign="Winter")
    one, two = elsewhere.images
    for image in (one, two):
        approve(session, reviewer, image)
    plain = make.finished_set(campaign="Plain")
    gallery.move(session, manager, [one.id], "Plain")
    gallery.move(session, manager, [two.id], "Autumn")
    requirements.require(session, manager, plain.campaign_id, [JAPAN])
    reviews.settle(session, [one])
    assert (one.decision, two.decision) == (Verdict.APPROVED, None)
    requirements.require(session, manager, image_set.campaign_id, [])
    assert two.decision == Verdict.APPROVED
    assert wrong(session) == []


def test_a_locked_set_keeps_its_outcomes_until_it_is_unlocked(
    session: Session, make: Factory, manager: User, reviewer: User, image_set: ImageSet
) -> None:
    elsewhere = make.finished_set(campaign="Winter")
    image = elsewhere.images[0]
    approve(session, reviewer, image)
    gallery.move(session, manager, [image.id], "Autumn")
    reviews.lock(session, manager, elsewhere.id)
    requirements.require(session, manager, image_set.campaign_id, [])
    assert image.decision is None
    reviews.unlock(session, manager, elsewhere.id)
    assert image.decision == Verdict.APPROVED


def test_a_list_in_use_in_the_bin_is_still_asked(
    session: Session, make: Factory, manager: User, reviewer: User
) -> None:
    brand = editing.create(session, manager, "Brand")
    session.flush()
    editing.add(session, manager, brand.id, "other", "The logo has its margin.", "The brand book says so.")
    made = make.finished_set(manager, campaign="Spring")
    requirements.require(session, manager, made.campaign_id, [brand.id])
    filing.delete(session, manager, "campaign", made.campaign_id)
    editing.delete(session, manager, brand.id)
    filing.restore(session, manager, "campaign", made.campaign_id)
    with pytest.raises(Unanswered, match=r"Brand \(1 of 1\)"):
        approve(session, reviewer, made.images[0])
    with pytest.raises(Conflict):
        editing.rename(session, manager, brand.id, "Other")


def test_a_required_list_never_comes_to_ask_nothing(session: Session, make: Factory, manager: User) -> None:
    own = editing.create(session, manager, "Brand")
    session.commit()
    key = editing.add(session, manager, own.id, "other", "The logo is whole.", "It is our rule.")
    session.flush()
    part = undo.open_parts(session, manager, undo.offered(session))[0]
    session.commit()
    campaign = make.finished_set(campaign="Spring").campaign
    requirements.require(session, manager, campaign.id, [own.id])
    session.flush()
    for empty in (
        lambda: editing.remove(session, manager, own.id, key),
        lambda: editing.restore_version(session, manager, own.id, 0),
        lambda: undo.undo(session, manager, part.id),
    ):
        with pytest.raises(Conflict, match="Spring requires Brand, so at least one item must stay"):
            empty()
    requirements.require(session, manager, campaign.id, [])
    editing.remove(session, manager, own.id, key)
