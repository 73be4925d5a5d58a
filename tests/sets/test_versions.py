"""Redone pictures: what is queued, who may, and which version is shown after any sequence of events."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import slow
from app.database import Database
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.files import Files, Kind
from app.models import (
    Act,
    AuditEvent,
    DamagedFile,
    Image,
    ImageSet,
    ImageTag,
    Role,
    SetStructure,
    Star,
    State,
    Unit,
    User,
    Verdict,
    now,
)
from app.reviews.needs import of_user as needs
from app.rights import service as rights
from app.rights.spec import Reason
from app.sets import campaigns, queries, service, units, versions
from app.sets.ingredients import structures
from app.sets.ingredients.base import Batch
from app.sets.mosaics import mosaics
from app.sets.stack import restack
from app.sets.versions import MOST_VERSIONS, RedoSpec
from app.settings import Settings
from app.work import line, queue
from tests.factory import MODEL, Factory
from tests.noted import stopped


def again(session: Session, user: User, image: Image, unit_size: int = 4, **values: object) -> list[Image]:
    """As a form requests it; the prompt is the old one unless given."""
    draft = RedoSpec.parse({"prompt": image.prompt} | values)
    made = versions.redo(session, user, image.id, draft, MODEL, unit_size)
    session.flush()
    return made


def claim(session: Session) -> Unit:
    unit = queue.claim_next(session)
    assert unit
    return unit


def finish(session: Session, image: Image) -> None:
    """As a dispatcher does, at any place of the unit in the queue."""
    assert image.unit
    image.state = image.unit.state = State.GENERATING
    session.flush()
    units.finish_image(session, image.unit.id, image.id, f"{image.id:064}", 1, 1.0)


def delete(session: Session, image: Image) -> None:
    image.deleted_at, image.shown = now(), False
    session.flush()
    restack(session, image.set_id, image.position)


def restore(session: Session, image: Image) -> None:
    image.deleted_at, image.shown = None, not image.superseded
    session.flush()
    restack(session, image.set_id, image.position)


def shown(session: Session, image_set: ImageSet) -> list[tuple[int, int]]:
    """Position and version of each shown picture."""
    wanted = select(Image.position, Image.version).where(Image.set_id == image_set.id, Image.shown)
    return [(position, version) for position, version in session.execute(wanted.order_by(Image.position))]


# Queueing


def test_the_new_version_is_queued_at_the_old_ones_position(session: Session, make: Factory) -> None:
    user = make.user()
    old = make.finished_set(user, strength="1.2", seed="7").images[1]
    (new,) = again(session, user, old, prompt=" a blue teapot ", seed="90", strength="0.5")
    assert (new.set_id, new.position, new.version) == (old.set_id, 2, 2)
    assert (new.prompt, new.seed, new.strength, new.state) == ("a blue teapot", 90, 0.5, State.QUEUED)
    assert (new.owner_id, new.campaign_id, new.style_id) == (old.owner_id, old.campaign_id, old.style_id)
    assert (new.decision, new.shown, old.shown) == (None, False, True)
    assert new.unit
    assert [image.id for image in new.unit.images] == [new.id]


def test_each_try_has_the_next_seed(session: Session, make: Factory) -> None:
    user = make.user()
    old = make.finished_set(user, prompts="a fox", seed="2147483646").images[0]
    tries = again(session, user, old, prompt="a red fox", seed=str(old.seed), count="3", unit_size=2)
    assert [(image.version, image.seed) for image in tries] == [(2, 2147483646), (3, 2147483647), (4, 0)]
    assert [len(unit.images) for unit in session.scalars(select(Unit).order_by(Unit.id))][1:] == [2, 1]


def test_no_seed_is_a_new_one(session: Session, make: Factory) -> None:
    user = make.user()
    old = make.finished_set(user, prompts="a fox", seed="7").images[0]
    (new,) = again(session, user, old)
    assert new.seed != old.seed


def test_the_strength_of_the_set_is_kept_as_such(session: Session, make: Factory) -> None:
    user = make.user()
    old = make.finished_set(user, prompts="a fox", strength="1.2").images[0]
    assert [
        each.strength for strength in ("", "1.2", "1.3") for each in again(session, user, old, strength=strength)
    ] == [
        None,
        None,
        1.3,
    ]


def test_it_is_recorded(session: Session, make: Factory) -> None:
    user = make.user()
    old = make.finished_set(user, prompts="a fox").images[0]
    again(session, user, old, prompt="a red fox", count="2")
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.IMAGE_REDO)).one()
    assert (event.user_id, event.subject_id) == (user.id, old.id)
    assert event.details == {"versions": [2, 3], "changed": ["prompt", "seed"]}


def test_tags_stars_and_a_moved_pictures_campaign_go_along(session: Session, make: Factory) -> None:
    user, other = make.user(), make.image_set(campaign="Spring")
    old = make.finished_set(user, prompts="a fox").images[0]
    session.add(ImageTag(image_id=old.id, tag="hero", added_by_id=user.id))
    session.add(Star(image_id=old.id, user_id=user.id))
    old.campaign_id = other.campaign_id
    (new,) = again(session, user, old)
    assert new.campaign_id == other.campaign_id
    assert session.scalar(select(ImageTag.tag).where(ImageTag.image_id == new.id)) == "hero"
    assert session.scalar(select(Star.user_id).where(Star.image_id == new.id)) == user.id


def test_a_unit_shares_its_strength(session: Session, make: Factory, files: Files) -> None:
    user = make.user()
    image_set = make.finished_set(user, prompts="a\nb\nc", strength="1")
    first, second, third = image_set.images
    for image, strength in ((first, "0"), (second, "1"), (third, "0")):
        again(session, user, image, strength=strength)
    service.cancel(session, user, image_set.id)
    for image in session.scalars(select(Image).where(Image.version == 2)):
        image.state = State.FAILED
    session.flush()
    assert service.retry_set(session, user, image_set.id, unit_size=4) == 3
    shared = []
    while unit := queue.claim_next(session):
        made = units.engine_unit(session, unit, files)
        shared.append((made.strength, sorted(image.prompt for image in made.images)))
        for image in unit.images:
            units.finish_image(session, unit.id, image.id, "0" * 64, 1, 1.0)
        queue.end_unit(session, unit.id)
    assert sorted(shared) == [(0.0, ["a", "c"]), (1.0, ["b"])]


def test_a_map_for_each_prompt_stays_with_its_place(session: Session, make: Factory, files: Files) -> None:
    user = make.user()
    maps = [make.structure_map(user).id, make.structure_map(user).id]
    image_set = make.finished_set(user, prompts="a\nb", size="128x128")
    image_set.structures = (SetStructure(control="edges", maps=(maps[0], 404)),)
    (new,) = again(session, user, image_set.images[0], prompt="c")
    (structure,) = structures.for_engine(Batch(session, image_set, [new], files))
    assert len(structure.maps) == 1, "the map of the second place, which is not there, was not asked for"


# Permissions


def test_owner_and_managers_only(session: Session, make: Factory) -> None:
    image = make.finished_set(make.user(name="Mori"), prompts="a fox").images[0]
    for role in (Role.DESIGNER, Role.REVIEWER):
        with pytest.raises(Forbidden, match="Only Mori or a manager can change this set"):
            again(session, make.user(role), image)
    assert again(session, make.user(Role.MANAGER), image)
    with pytest.raises(NotFound):
        again(session, make.user(Role.MANAGER, active=False), image)


def test_what_cannot_be_redone(session: Session, make: Factory) -> None:
    user = make.user()
    waiting = make.image_set(user, prompts="an owl").images[0]
    image = make.finished_set(user, prompts="a fox").images[0]
    with pytest.raises(Conflict, match="Only a finished picture can be redone"):
        again(session, user, waiting)
    delete(session, image)
    with pytest.raises(Conflict, match="or was deleted"):
        again(session, user, image)
    restore(session, image)
    image.image_set.locked_at = now()
    with pytest.raises(Conflict, match="Ask a manager to unlock it"):
        again(session, user, image)
    image.image_set.locked_at = None
    image.image_set.model = "another"
    with pytest.raises(Conflict, match="This set was created with another, but the server now runs demo"):
        again(session, user, image)


def test_a_withdrawn_right_refuses_and_an_archived_style_does_not(session: Session, make: Factory) -> None:
    user = make.user()
    style = make.style(user)
    image = make.finished_set(user, style, prompts="a fox").images[0]
    style.archived_at = now()
    assert again(session, user, image)
    rights.withdraw(session, user, style.versions[0].references[0].reference, Reason(reason="the licence was sold"))
    with pytest.raises(Conflict, match=r"were withdrawn on .* nothing new can be made from it"):
        again(session, user, image)


def test_a_locked_set_retries_nothing(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = make.image_set(user, prompts="a fox")
    service.cancel(session, user, image_set.id)
    image_set.locked_at = now()
    with pytest.raises(Conflict, match="locked"):
        service.retry_set(session, user, image_set.id, unit_size=4)
    with pytest.raises(Conflict, match="locked"):
        service.retry_image(session, user, image_set.images[0].id)


def test_the_same_picture_once_more_is_refused(session: Session, make: Factory) -> None:
    user = make.user()
    image = make.finished_set(user, prompts="a fox", strength="1.2").images[0]
    with pytest.raises(Invalid) as raised:
        again(session, user, image, seed=str(image.seed), strength="1.2")
    assert raised.value.errors == {
        "seed": "The same prompt, seed and strength give the same picture; change one of them."
    }
    assert again(session, user, image, seed=str(image.seed), strength="1.25")
    session.add(DamagedFile(kind=Kind.IMAGES, sha256=image.sha256, flaw="damaged"))
    assert again(session, user, image, seed=str(image.seed), strength="1.2"), "the same bytes repair its file"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"prompt": ""}, "Prompt is missing."),
        ({"prompt": "x" * 1001}, "Prompt has 1001 characters; at most 1000 fit."),
        ({"seed": "-1"}, "Seed must be a whole number from 0 to 2147483647; '-1' was given."),
        ({"strength": "2.1"}, "Strength must be a number from 0 to 2; '2.1' was given."),
        ({"count": "5"}, "Versions must be a whole number from 1 to 4; '5' was given."),
    ],
)
def test_wrong_forms(values: dict[str, str], sentence: str) -> None:
    with pytest.raises(Invalid) as raised:
        RedoSpec.parse({"prompt": "a fox"} | values)
    assert str(raised.value) == sentence


def test_a_place_has_at_most_twenty_versions(session: Session, make: Factory) -> None:
    user = make.user()
    image = make.finished_set(user, prompts="a fox").images[0]
    for _ in range(4):
        again(session, user, image, count="4")
    with pytest.raises(Invalid, match="This picture has 17 versions of at most 20"):
        again(session, user, image, count="4")
    again(session, user, image, count="3")
    with pytest.raises(Conflict, match=f"has {MOST_VERSIONS} versions, the most there can be"):
        again(session, user, image)


def test_prompts_name_subjects_of_the_set(session: Session, make: Factory) -> None:
    user = make.user()
    mug, kettle = make.finished_subject(user), make.finished_subject(user, name="Kettle")
    image = make.finished_set(user, prompts=f"@{mug.handle} on a table").images[0]
    mug.archived_at = now()  # existing sets keep it
    assert again(session, user, image, prompt=f"@{mug.handle} on a beach")
    for prompt, sentence in (
        ("@nobody on a beach", "There is no subject @nobody"),
        (f"@{kettle.handle} on a beach", f"@{kettle.handle} is not a subject of this set; create a new set with it."),
    ):
        with pytest.raises(Invalid, match=sentence):
            again(session, user, image, prompt=prompt)


# Which version is shown


def test_the_new_one_is_shown_when_it_is_finished_and_is_not_reviewed(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = make.finished_set(user, prompts="a fox\nan owl")
    old = image_set.images[0]
    make.decide(old, Verdict.CHANGES_REQUESTED)
    (new,) = again(session, user, old)
    assert shown(session, image_set) == [(1, 1), (2, 1)]
    finish(session, new)
    assert shown(session, image_set) == [(1, 2), (2, 1)]
    assert (old.decision, old.superseded, new.decision) == (Verdict.CHANGES_REQUESTED, True, None)


def test_a_version_finished_after_a_newer_one_goes_underneath(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = make.finished_set(user, prompts="a fox")
    second, third = again(session, user, image_set.images[0], count="2")
    finish(session, third)
    finish(session, second)
    assert shown(session, image_set) == [(1, 3)]
    assert (second.state, second.superseded, second.shown) == (State.FINISHED, True, False)


def test_deleting_the_newest_shows_the_previous_one(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = make.finished_set(user, prompts="a fox")
    old = image_set.images[0]
    (new,) = again(session, user, old)
    finish(session, new)
    delete(session, new)
    assert shown(session, image_set) == [(1, 1)]
    delete(session, old)
    assert shown(session, image_set) == []
    restore(session, new)
    assert shown(session, image_set) == [(1, 2)]
    restore(session, old)
    assert shown(session, image_set) == [(1, 2)]


@contextmanager
def fresh(migrated: Path) -> Iterator[tuple[Session, Factory]]:
    """A new empty database, for each example of a property."""
    with TemporaryDirectory() as folder:
        copy(migrated, folder)
        database = Database(Settings(data=Path(folder)))
        with slow.permitted(), database.write() as session:
            yield session, Factory(session, Files(Path(folder) / "files"))
        database.close()


ACTS = st.tuples(st.sampled_from(["finish", "fail", "give up", "delete", "restore", "again"]), st.integers(1, 5))


@hypothesis_settings(max_examples=40)
@given(acts=st.lists(ACTS, max_size=14))
def test_after_any_events_the_newest_finished_version_is_shown(migrated: Path, acts: list[tuple[str, int]]) -> None:
    with fresh(migrated) as (session, make):
        user = make.user()
        image_set = make.finished_set(user, prompts="a fox")
        again(session, user, image_set.images[0], count="2")
        for act, number in acts:
            rows = list(session.scalars(select(Image).order_by(Image.version)))
            image = rows[min(number, len(rows)) - 1]
            match act:
                case "finish" if image.state in (State.QUEUED, State.FAILED):
                    finish(session, image)
                case "fail" if image.state == State.QUEUED and image.unit:
                    image.state = image.unit.state = State.GENERATING
                    queue.fail_unit(session, image.unit.id, "It broke.")
                case "give up" if image.version > 1 and image.state in versions.UNMADE:
                    versions.discard(session, user, image.id)
                case "delete" if image.state == State.FINISHED and not image.deleted_at:
                    delete(session, image)
                case "restore" if image.deleted_at:
                    restore(session, image)
                case "again" if image.state == State.FINISHED and not image.deleted_at:
                    again(session, user, image)
            session.flush()
            session.expire_all()
            rows = list(session.scalars(select(Image).order_by(Image.version)))
            standing = [each.version for each in rows if each.state == State.FINISHED and not each.deleted_at]
            assert [each.version for each in rows if each.shown] == standing[-1:]
            assert all(each.superseded == any(each.version < other for other in standing) for each in rows)
            made = queries.progress(session, user, image_set.id)
            places = queries.places(session, user, image_set.id)
            assert made.total == len(places) <= 1
            assert made.finished == len(standing[-1:])
            assert sum(len(place.others) for place in places) <= 4 * len(acts) + 2
            if standing:
                assert places[0].face.version == standing[-1]
                assert made.redo_queued + made.redo_generating + made.redo_failed == len(places[0].others)


# Counts and lists


def test_four_of_four_stays_true_while_one_is_redone(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = make.finished_set(user, prompts="a\nb\nc\nd")
    old = image_set.images[0]
    make.decide(old)
    first, second, third = again(session, user, old, count="3", unit_size=1)
    claim(session)
    made = queries.progress(session, user, image_set.id)
    assert (made.total, made.finished, made.approved, made.to_review) == (4, 4, 1, 3)
    assert (made.redo_generating, made.redo_queued, made.done, made.state) == (1, 2, False, State.GENERATING)
    (card,) = queries.cards(session, user)
    assert (card.total, card.finished, card.state) == (4, 4, State.GENERATING)
    (row,) = line.listed(session, user)
    assert isinstance(row, units.QueuedSet)
    assert (row.finished, row.total, row.line) == (4, 4, None)
    place = queries.places(session, user, image_set.id)[0]
    assert (place.face.id, [image.id for image in place.others]) == (old.id, [third.id, second.id, first.id])

    assert first.unit_id
    queue.fail_unit(session, first.unit_id, "It broke.")
    for image in (second, third):
        versions.discard(session, user, image.id)
    made = queries.progress(session, user, image_set.id)
    assert (made.total, made.finished, made.redo_failed, made.done, made.state) == (4, 4, 1, True, State.FINISHED)
    assert [image.id for image in queries.places(session, user, image_set.id)[0].others] == [first.id]
    assert service.retry_set(session, user, image_set.id, unit_size=4) == 1


def test_a_failure_under_a_newer_version_no_longer_matters(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = make.finished_set(user, prompts="a fox")
    second, third = again(session, user, image_set.images[0], count="2", unit_size=1)
    unit = claim(session)
    queue.fail_unit(session, unit.id, "It broke.")
    finish(session, third)
    made = queries.progress(session, user, image_set.id)
    assert (made.total, made.finished, made.redo_failed) == (1, 1, 0)
    assert queries.places(session, user, image_set.id)[0].others == ()
    with pytest.raises(Conflict, match="There is nothing to retry"):
        service.retry_set(session, user, image_set.id, unit_size=4)
    with pytest.raises(Conflict, match="A newer version already replaced this picture"):
        service.retry_image(session, user, second.id)


def test_a_position_without_pictures_does_not_count_until_redone(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = make.finished_set(user, prompts="a\nb")
    old = image_set.images[0]
    tries = again(session, user, old, count="2")
    delete(session, old)
    made = queries.progress(session, user, image_set.id)
    assert (made.total, made.finished, made.queued, made.redo_queued) == (2, 1, 1, 1)
    for image in tries:
        versions.discard(session, user, image.id)
    made = queries.progress(session, user, image_set.id)
    assert (made.total, made.finished) == (1, 1)
    assert [place.position for place in queries.places(session, user, image_set.id)] == [2]
    assert sorted(queries.positions(session, user, image_set.id)) == [1, 2]


def test_lists_only_have_the_shown_version(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = make.finished_set(user, prompts="a\nb", campaign="Spring")
    old, other = image_set.images
    make.decide(old)
    (new,) = again(session, user, old)
    finish(session, new)
    assert mosaics(session, [image_set.id], 6) == [(image_set.id, new.id), (image_set.id, other.id)]
    (campaign,) = campaigns.listed(session, user)
    assert (campaign.total, campaign.approved) == (2, 0)


def test_a_campaign_counts_the_pictures_that_moved_into_it(session: Session, make: Factory) -> None:
    user = make.user()
    spring, autumn = make.finished_set(user, campaign="Spring"), make.finished_set(user, campaign="Autumn")
    spring.images[0].campaign_id = autumn.campaign_id
    session.flush()
    assert [(row.name, row.total) for row in campaigns.listed(session, user)] == [("Autumn", 3), ("Spring", 1)]


def test_a_request_for_changes_ends_with_the_new_version(session: Session, make: Factory) -> None:
    user = make.user()
    image = make.finished_set(user, prompts="a fox").images[0]
    make.decide(image, Verdict.CHANGES_REQUESTED)
    assert [need.kind for need in needs(session, user)] == ["changes"]
    (new,) = again(session, user, image)
    assert [need.kind for need in needs(session, user)] == []
    finish(session, new)
    assert [need.kind for need in needs(session, user)] == []


# The stack


def test_the_stack_says_what_changed(session: Session, make: Factory) -> None:
    user = make.user()
    old = make.finished_set(user, prompts="a fox", seed="7", strength="1").images[0]
    (second,) = again(session, user, old, prompt="a red fox", seed="7")
    finish(session, second)
    (third,) = again(session, user, second, strength="0.5")
    (fourth,) = again(session, user, second, prompt="a blue fox")
    versions.discard(session, user, fourth.id)
    (hidden,) = again(session, user, second)
    finish(session, hidden)
    delete(session, hidden)
    found = versions.stack(session, user, old)
    assert [(each.image.version, each.changed) for each in found] == [
        (3, ["seed", "strength"]),
        (2, ["prompt"]),
        (1, []),
    ]
    assert versions.stack(session, make.user(active=False), old) == []
    assert third.state == State.QUEUED


# Giving up


def test_give_up(session: Session, make: Factory) -> None:
    user = make.user()
    image = make.finished_set(user, prompts="a fox").images[0]
    first, second = again(session, user, image, count="2", unit_size=2)
    unit = claim(session)
    versions.discard(session, user, first.id)
    assert stopped(session) == [], "the other one of its unit continues"
    assert unit.state == State.GENERATING
    versions.discard(session, user, second.id)
    assert stopped(session) == [unit.id]
    assert unit.state == State.CANCELLED
    units.finish_image(session, unit.id, second.id, "0" * 64, 1, 1.0)
    assert shown(session, image.image_set) == [(1, 1)], "what the engine says after it changes nothing"
    for wrong in (image, first):
        with pytest.raises(Conflict, match="Only a version that is not finished can be cancelled"):
            versions.discard(session, user, wrong.id)
    with pytest.raises(Forbidden):
        versions.discard(session, make.user(Role.REVIEWER), second.id)
    events = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.IMAGE_DISCARD)).all()
    assert [event.details for event in events] == [{"version": 2}, {"version": 3}]


def test_numbers_are_never_given_twice(session: Session, make: Factory) -> None:
    user = make.user()
    image = make.finished_set(user, prompts="a fox").images[0]
    (second,) = again(session, user, image)
    versions.discard(session, user, second.id)
    (third,) = again(session, user, image)
    assert third.version == 3
    assert session.scalar(select(func.count()).where(Image.created_at > now() - timedelta(days=1))) == 3
