"""Blind tests: how pairs are formed, who may do what, no result before its time, and what is left out."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.blind import queries, results, service, sides, words
from app.blind.order import turns
from app.blind.spec import BlindSpec
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.gallery import service as gallery
from app.models import (
    Act,
    AuditEvent,
    BlindChoice,
    BlindJudgement,
    BlindPair,
    BlindTest,
    DamagedFile,
    Image,
    ImageSet,
    LeftOut,
    Role,
    User,
    now,
)
from app.reports import service as reports
from app.reports.spec import ReportSpec
from app.rights import service as rights
from app.rights.spec import Reason
from app.sets import safety
from tests.factory import Factory

PROMPTS = "a fox\nan owl\na pear\na bell"


class Lab:
    """Two sets in one style with the same four prompts, a maker and two people who judge."""

    def __init__(self, make: Factory) -> None:
        self.make, self.session = make, make.session
        self.maker = make.user(Role.REVIEWER, "Sato")
        self.mori, self.ito = make.user(name="Mori"), make.user(name="Ito")
        self.style = make.style()
        self.one: ImageSet = make.finished_set(self.style.owner, self.style, prompts=PROMPTS, name="Soft")
        self.other: ImageSet = make.finished_set(self.style.owner, self.style, prompts=PROMPTS, name="Strong")

    def create(self, user: User | None = None, **values: Any) -> BlindTest:
        given: dict[str, Any] = {
            "name": "Which look",
            "a": f"set-{self.one.id}",
            "b": f"set-{self.other.id}",
            "people": (self.mori.id, self.ito.id),
            "planned": 8,
        }
        return service.create(self.session, user or self.maker, BlindSpec.parse(given | values))

    def judge_all(self, test: BlindTest, person: User, choices: list[BlindChoice]) -> None:
        """Let a person judge their next pairs so that the answers mean `choices`."""
        for choice in choices:
            asked = queries.asked(self.session, person, test)
            assert asked
            service.judge(self.session, person, test.id, asked.turn.number, answer_for(asked, choice))

    def judged(self, test: BlindTest) -> int:
        return queries.standing(self.session, self.maker, test).judged


def answer_for(asked: queries.NextTurn, choice: BlindChoice) -> str:
    if choice is BlindChoice.TIE:
        return "tie"
    return "left" if asked.turn.a_left == (choice is BlindChoice.A) else "right"


A, B, TIE = BlindChoice


@pytest.fixture
def lab(make: Factory) -> Lab:
    return Lab(make)


def pairs_of(session: Session, test: BlindTest) -> list[tuple[int, int]]:
    rows = session.scalars(select(BlindPair).where(BlindPair.test_id == test.id).order_by(BlindPair.position))
    return [(row.a_image_id, row.b_image_id) for row in rows]


# Pairs


def test_pairs_have_equal_prompts_in_any_order(lab: Lab) -> None:
    mixed = lab.make.finished_set(lab.style.owner, lab.style, prompts="a bell\na lamp\nA  Fox", name="Mixed")
    test = lab.create(b=f"set-{mixed.id}", planned=2)
    prompts = {image.id: image.prompt for image in (*lab.one.images, *mixed.images)}
    assert [(prompts[a], prompts[b]) for a, b in pairs_of(lab.session, test)] == [
        ("a fox", "A  Fox"),
        ("a bell", "a bell"),
    ]
    assert (test.by_prompt, test.a_alone, test.b_alone) == (True, 2, 1)
    said = words.all_left_out(test, queries.standing(lab.session, lab.maker, test), names=True)
    assert said == ["2 pictures of the set Soft have no partner.", "1 picture of the set Mixed has no partner."]


def test_without_a_common_prompt_pairs_go_by_position_and_their_prompts_stay_hidden(lab: Lab) -> None:
    strange = lab.make.finished_set(prompts="a lamp\na chair", name="Strange")
    test = lab.create(b=f"set-{strange.id}", planned=2)
    first, second = lab.one.images[:2]
    assert pairs_of(lab.session, test) == [(first.id, strange.images[0].id), (second.id, strange.images[1].id)]
    assert not test.by_prompt
    asked = queries.asked(lab.session, lab.mori, test)
    assert asked
    assert asked.pair.prompt == ""


def test_style_versions_and_campaigns_can_be_compared(lab: Lab) -> None:
    another = lab.make.finished_set(prompts=PROMPTS, campaign="Winter")
    version = f"version-{lab.style.versions[0].id}"
    test = lab.create(a=version, b=f"campaign-{another.campaign_id}")
    assert len(pairs_of(lab.session, test)) == 4
    assert test.a_alone == 4
    assert words.side_a(test) == "version 1 of the style Retro sunburst"
    assert words.side_b(test) == "the campaign Winter"


def test_equal_files_make_no_pair(lab: Lab) -> None:
    lab.other.images[0].sha256 = lab.one.images[0].sha256
    lab.session.flush()
    assert len(pairs_of(lab.session, lab.create(planned=6))) == 3


def test_many_pictures_are_thinned_evenly() -> None:
    def side(first: int) -> list[sides.SidePicture]:
        return [sides.SidePicture(first + number, f"{first + number}", f"p {number}", 1) for number in range(700)]

    found = sides.paired(side(0), side(1000))
    assert len(found.pairs) == sides.MOST_PAIRS
    assert (found.pairs[0][0].image_id, found.pairs[-1][0].image_id) == (0, 697)
    assert found.a_alone == found.b_alone == 400


def test_the_reference_question_needs_a_common_reference(lab: Lab) -> None:
    test = lab.create(question="closer")
    assert test.reference_id == lab.style.versions[0].references[0].reference_id
    stranger = lab.make.finished_set(prompts=PROMPTS)
    with pytest.raises(Invalid, match="no reference in common"):
        lab.create(b=f"set-{stranger.id}", question="closer")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"b": "set-999"}, "b"),
        ({"a": "secret-1"}, "a"),
        ({"people": ()}, "people"),
        ({"planned": 9}, "planned"),
        ({"planned": 0}, "planned"),
        ({"question": "own"}, "own_question"),
        ({"name": ""}, "name"),
    ],
)
def test_a_test_that_makes_no_sense_is_refused(lab: Lab, values: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as error:
        lab.create(**values)
    assert field in error.value.errors


def test_a_side_is_not_compared_with_itself(lab: Lab) -> None:
    with pytest.raises(Invalid, match="Both sides are the same"):
        lab.create(b=f"set-{lab.one.id}")


def test_designers_make_no_tests(lab: Lab) -> None:
    with pytest.raises(Forbidden, match="Only reviewers"):
        lab.create(lab.mori)


# Judging


def test_only_invited_people_judge(lab: Lab) -> None:
    test = lab.create()
    with pytest.raises(Forbidden, match="not invited"):
        service.judge(lab.session, lab.maker, test.id, 1, "left")
    with pytest.raises(Forbidden):
        queries.picture(lab.session, lab.make.user(Role.ADMIN), test.id, 1, "left")
    with pytest.raises(NotFound):
        service.judge(lab.session, lab.mori, test.id, 5, "left")
    with pytest.raises(Invalid):
        service.judge(lab.session, lab.mori, test.id, 1, "both")


def test_left_and_right_mean_what_the_person_saw(lab: Lab) -> None:
    test = lab.create()
    for person in (lab.mori, lab.ito):
        plan = {turn.number: turn for turn in turns(test.seed, person.id, range(1, 5))}
        for number in (1, 2):
            service.judge(lab.session, person, test.id, number, "left")
            left = queries.picture(lab.session, person, test.id, number, "left").sha256
            row = lab.session.scalars(select(BlindJudgement).order_by(BlindJudgement.id.desc())).first()
            assert row
            pair = lab.session.get_one(BlindPair, row.pair_id)
            chosen = pair.a_image if row.choice == A else pair.b_image
            assert chosen.sha256 == left
            assert (pair.position, row.a_left) == (plan[number].position, plan[number].a_left)


def test_the_same_answer_twice_counts_once_and_another_is_refused(lab: Lab) -> None:
    test = lab.create()
    service.judge(lab.session, lab.mori, test.id, 1, "left")
    service.judge(lab.session, lab.mori, test.id, 1, "left")
    assert lab.judged(test) == 1
    with pytest.raises(Conflict, match="answered this pair already"):
        service.judge(lab.session, lab.mori, test.id, 1, "right")


def test_the_last_answer_can_be_undone_once(lab: Lab) -> None:
    test = lab.create()
    service.judge(lab.session, lab.mori, test.id, 1, "left")
    service.judge(lab.session, lab.ito, test.id, 1, "tie")
    service.judge(lab.session, lab.mori, test.id, 2, "left")
    with pytest.raises(Conflict):  # another tab still shows the first answer
        service.undo_last(lab.session, lab.mori, test.id, 1)
    service.undo_last(lab.session, lab.mori, test.id, 2)
    asked = queries.asked(lab.session, lab.mori, test)
    assert asked
    assert (asked.turn.number, asked.place, lab.judged(test)) == (2, 2, 2)
    with pytest.raises(Conflict):
        service.undo_last(lab.session, lab.mori, test.id, 2)


def test_a_person_who_leaves_is_asked_no_more_and_can_come_back(lab: Lab) -> None:
    test = lab.create()
    service.judge(lab.session, lab.mori, test.id, 1, "left")
    assert [(need.left, need.judged) for need in queries.needs(lab.session, lab.mori)] == [(3, 1)]
    service.leave(lab.session, lab.mori, test.id)
    assert queries.needs(lab.session, lab.mori) == []
    with pytest.raises(Conflict, match="You left"):
        service.judge(lab.session, lab.mori, test.id, 2, "left")
    standing = queries.standing(lab.session, lab.maker, test)
    assert (standing.judged, standing.possible) == (1, 4)
    service.join(lab.session, lab.mori, test.id)
    assert len(queries.needs(lab.session, lab.mori)) == 1


def test_a_closed_account_leaves_too_and_its_judgements_count(lab: Lab) -> None:
    test = lab.create()
    service.judge(lab.session, lab.ito, test.id, 1, "left")
    lab.ito.active = False
    lab.session.flush()
    standing = queries.standing(lab.session, lab.maker, test)
    assert (standing.judged, standing.possible) == (1, 4)
    with pytest.raises(NotFound):
        service.judge(lab.session, lab.ito, test.id, 2, "left")


def test_more_people_can_be_invited_by_the_maker_and_managers(lab: Lab) -> None:
    test = lab.create()
    third = lab.make.user(name="Kato")
    with pytest.raises(Forbidden, match="Only Sato and managers"):
        service.invite(lab.session, lab.make.user(Role.REVIEWER), test.id, [third.id])
    assert service.invite(lab.session, lab.maker, test.id, [third.id, lab.mori.id]) == 1
    assert service.invite(lab.session, lab.make.user(Role.MANAGER), test.id, [third.id]) == 0
    assert len(queries.needs(lab.session, third)) == 1


# The end


def test_nobody_gets_a_result_before_the_planned_number(lab: Lab) -> None:
    test = lab.create()
    lab.judge_all(test, lab.mori, [A, A, A, TIE])
    lab.judge_all(test, lab.ito, [A, B, A])
    for user in (lab.mori, lab.maker, lab.make.user(Role.MANAGER), lab.make.user(Role.ADMIN)):
        with pytest.raises(Conflict, match="after the planned number"):
            results.of(lab.session, user, test)
    details = [event.details for event in lab.session.scalars(select(AuditEvent).where(AuditEvent.act.like("%blind%")))]
    assert details == [{"planned": 8, "pairs": 4, "people": 2}]
    lab.judge_all(test, lab.ito, [A])
    found = results.of(lab.session, lab.mori, test)
    assert (found.a, found.b, found.ties) == (6, 1, 1)
    event = lab.session.scalars(select(AuditEvent).where(AuditEvent.act == Act.BLIND_FINISH)).one()
    assert (event.user_id, event.details) == (None, {"a": 6, "b": 1, "ties": 1, "p": 0.125})


def test_the_last_judgement_cannot_be_undone_and_none_follows(lab: Lab) -> None:
    test = lab.create(planned=4)
    lab.judge_all(test, lab.mori, [A, A, A, A])
    with pytest.raises(Conflict, match="is closed"):
        service.undo_last(lab.session, lab.mori, test.id, 4)
    with pytest.raises(Conflict, match="is closed"):
        service.judge(lab.session, lab.ito, test.id, 1, "left")
    with pytest.raises(Conflict, match="closed already"):
        service.stop(lab.session, lab.maker, test.id, "")
    assert queries.needs(lab.session, lab.ito) == []


def test_the_result_is_by_pair_and_person_and_said_in_a_sentence(lab: Lab) -> None:
    test = lab.create()
    lab.judge_all(test, lab.mori, [A, A, A, A])
    lab.judge_all(test, lab.ito, [A, A, A, TIE])
    found = results.of(lab.session, lab.maker, test)
    assert [(each.person.name, each.split.a, each.split.b, each.split.ties) for each in found.by_person] == [
        ("Ito", 3, 0, 1),
        ("Mori", 4, 0, 0),
    ]
    assert sum(each.split.a for each in found.by_pair) == 7
    assert sorted(each.split.ties for each in found.by_pair) == [0, 0, 0, 1]
    assert 0 <= found.left <= 7
    assert words.verdict(test, found) == (
        "People prefer the set Soft: they chose it 7 of 7 times, more often than chance explains."
    )
    assert words.numbers(found) == "Preferred in 100 % of judgements; 95 % interval 59 to 100 %; p = 0.016."


def test_a_result_that_chance_explains_says_so(lab: Lab) -> None:
    test = lab.create()
    lab.judge_all(test, lab.mori, [B, B, B, A])
    lab.judge_all(test, lab.ito, [B, B, A, A])
    found = results.of(lab.session, lab.maker, test)
    assert words.verdict(test, found) == (
        "No clear preference: the set Strong was chosen 5 of 8 times, which chance alone could explain."
    )


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ([TIE] * 4, "Nobody saw a difference: all judgements are ties."),
        ([A, B, A, B], "No difference was found: the set Soft and the set Strong were preferred equally often."),
    ],
)
def test_ties_and_draws_are_said(lab: Lab, choices: list[BlindChoice], said: str) -> None:
    test = lab.create(planned=4)
    lab.judge_all(test, lab.mori, choices)
    assert words.verdict(test, results.of(lab.session, lab.maker, test)) == said


def test_a_stopped_test_has_no_result_for_anyone(lab: Lab) -> None:
    test = lab.create()
    lab.judge_all(test, lab.mori, [A, A, A, A])
    with pytest.raises(Forbidden):
        service.stop(lab.session, lab.mori, test.id, "")
    service.stop(lab.session, lab.maker, test.id, "  The brief changed ")
    assert test.ended_why == "The brief changed"
    with pytest.raises(Conflict, match="has no result"):
        results.of(lab.session, lab.make.user(Role.ADMIN), test)
    with pytest.raises(Conflict, match="is closed"):
        service.judge(lab.session, lab.ito, test.id, 1, "left")


# What is left out


def test_deleted_pictures_leave_their_pair_out_with_its_judgements(lab: Lab) -> None:
    test = lab.create()
    lab.judge_all(test, lab.mori, [A, A, A, A])
    gallery.delete(lab.session, lab.make.user(Role.MANAGER), [lab.other.images[1].id])
    lab.session.flush()
    standing = queries.standing(lab.session, lab.maker, test)
    assert (standing.judged, standing.possible, standing.left_out) == (3, 3, {LeftOut.DELETED: 1})
    lab.judge_all(test, lab.ito, [A, A, A])
    assert queries.asked(lab.session, lab.ito, test) is None
    assert not test.ended_at
    third = lab.make.user()
    service.invite(lab.session, lab.maker, test.id, [third.id])
    lab.judge_all(test, third, [B, B])
    found = results.of(lab.session, lab.maker, test)
    assert (found.a, found.b, len(found.by_pair)) == (6, 2, 3)


def test_a_pair_that_was_left_out_stays_out(lab: Lab) -> None:
    test = lab.create()
    manager, gone = lab.make.user(Role.MANAGER), lab.one.images[0]
    service.judge(lab.session, lab.mori, test.id, 1, "tie")
    gallery.delete(lab.session, manager, [gone.id])
    asked = queries.asked(lab.session, lab.ito, test)
    assert asked
    service.judge(lab.session, lab.ito, test.id, asked.turn.number, "tie")
    gallery.restore(lab.session, manager, [gone.id])
    assert queries.standing(lab.session, lab.maker, test).left_out == {LeftOut.DELETED: 1}


def test_what_happens_after_the_end_changes_no_result(lab: Lab) -> None:
    test = lab.create(planned=4)
    lab.judge_all(test, lab.mori, [A, A, B, TIE])
    before = results.of(lab.session, lab.maker, test)
    gallery.delete(lab.session, lab.make.user(Role.MANAGER), [image.id for image in lab.one.images])
    lab.session.flush()
    after = results.of(lab.session, lab.maker, test)
    assert (after.a, after.b, after.ties) == (before.a, before.b, before.ties) == (2, 1, 1)


def test_withdrawn_rights_leave_all_pairs_out(lab: Lab) -> None:
    test = lab.create()
    reference = lab.style.versions[0].references[0].reference
    lab.make.right(reference)
    rights.withdraw(lab.session, lab.make.user(Role.MANAGER), reference, Reason(reason="The photographer objects"))
    lab.session.flush()
    standing = queries.standing(lab.session, lab.maker, test)
    assert (standing.left_out, standing.possible) == ({LeftOut.RIGHTS: 4}, 0)
    with pytest.raises(Conflict, match="left out"):
        queries.picture(lab.session, lab.mori, test.id, 1, "left")
    assert queries.needs(lab.session, lab.mori) == []
    with pytest.raises(Invalid, match="make no pairs"):
        lab.create()


def test_flagged_and_reported_pictures_leave_their_pairs_out(lab: Lab) -> None:
    test = lab.create()
    safety.flag(lab.session, lab.one.images[0], 0.9)
    reports.report(lab.session, lab.mori, lab.other.images[1].id, ReportSpec.checked("other", ""))
    lab.session.flush()
    assert queries.standing(lab.session, lab.maker, test).left_out == {LeftOut.FLAGGED: 1}
    reports.hold(lab.session, lab.make.user(Role.MANAGER), 1)
    assert queries.standing(lab.session, lab.maker, test).left_out == {LeftOut.FLAGGED: 1, LeftOut.HELD: 1}


def test_both_pictures_are_shown_as_large_as_the_smaller(lab: Lab) -> None:
    small = lab.make.finished_set(lab.style.owner, lab.style, prompts=PROMPTS, size="custom", width="128", height="192")
    test = lab.create(b=f"set-{small.id}")
    found = [queries.picture(lab.session, lab.mori, test.id, 1, side).longer for side in ("left", "right")]
    assert found == [192, 192]


def test_who_is_to_judge_does_not_read_what_is_compared(lab: Lab) -> None:
    manager = lab.make.user(Role.MANAGER)
    test = lab.create(people=(lab.mori.id, lab.maker.id, manager.id), planned=4)
    sees = {user.name: queries.sees_sides(user, test, invited=True) for user in (lab.mori, lab.maker, manager)}
    assert sees == {"Mori": False, "Sato": True, manager.name: False}
    assert queries.sees_sides(lab.make.user(Role.MANAGER), test, invited=False)
    test.ended_at = now() - timedelta(days=1)
    assert queries.sees_sides(lab.mori, test, invited=True)


def test_pictures_that_were_redone_stay_as_they_were_paired(lab: Lab) -> None:
    test = lab.create()
    shown = lab.session.get_one(Image, lab.one.images[0].id)
    shown.superseded, shown.shown = True, False
    lab.session.flush()
    assert queries.standing(lab.session, lab.maker, test).left_out == {}


def test_a_pair_whose_file_is_lost_waits_until_it_is_healed(lab: Lab) -> None:
    """Nobody judges a placeholder; but a disk that comes back costs no pairs."""
    test = lab.create()
    lab.judge_all(test, lab.mori, [A])
    lost = DamagedFile(kind="images", sha256=lab.one.images[3].sha256, flaw="missing")
    lab.session.add(lost)
    lab.session.flush()
    assert queries.standing(lab.session, lab.maker, test).left_out == {LeftOut.LOST: 1}
    turn = next(
        turn
        for turn in turns(test.seed, lab.ito.id, range(1, 5))
        if turn.position == next(pair.position for pair in queries.pairs(lab.session, test) if pair.left_out)
    )
    with pytest.raises(Conflict, match="left out"):
        service.judge(lab.session, lab.ito, test.id, turn.number, "left")
    lab.judge_all(test, lab.ito, [A])
    lab.session.delete(lost)
    lab.session.flush()
    lab.session.expire_all()
    assert queries.standing(lab.session, lab.maker, test).left_out == {}


def test_a_pair_whose_file_is_lost_at_the_end_is_in_no_result(lab: Lab) -> None:
    test = lab.create(planned=2, people=(lab.mori.id,))
    lab.judge_all(test, lab.mori, [A])
    judged = next(
        pair for pair in queries.pairs(lab.session, test) if pair.id in queries.judged_by(lab.session, test, lab.mori)
    )
    lost = DamagedFile(kind="images", sha256=judged.a.sha256, flaw="missing")
    lab.session.add(lost)
    lab.session.flush()
    lab.judge_all(test, lab.mori, [B, B])
    assert test.ended_at
    lab.session.delete(lost)
    lab.session.flush()
    found = results.of(lab.session, lab.maker, test)
    assert (found.a, found.b) == (0, 2)
