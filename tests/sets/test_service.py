"""Making, cancelling and retrying sets. The queue has its own tests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import languages
from app.campaign_names import NO_CAMPAIGN
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.filing import service as filing
from app.models import Act, AuditEvent, Campaign, Image, ImageSet, Role, State, Unit
from app.sets import service, units
from app.sets.spec import SEEDS, SetSpec
from app.styles import service as styles
from app.work import queue
from tests.factory import MODEL, Factory
from tests.noted import stopped

FORM = {
    "name": "Autumn table",
    "campaign": "秋のキャンペーン",
    "style": "SOR-7K2Q",
    "prompts": "an owl\r\n\r\n  a fox  \n露のついたぶどうの房\n",
    "count": "2",
    "size": "384x256",
    "seed": "7",
    "strength": "1.2",
    "steps": "8",
    "guidance": "7.5",
    "scheduler": "ddim",
    "negative_prompt": "text",
}


def states(session: Session, image_set: ImageSet) -> list[str]:
    return list(session.scalars(select(Image.state).where(Image.set_id == image_set.id).order_by(Image.position)))


def unit_states(session: Session, image_set: ImageSet) -> list[str]:
    return list(session.scalars(select(Unit.state).where(Unit.set_id == image_set.id).order_by(Unit.id)))


# Input


def test_spec_from_form() -> None:
    spec = SetSpec.from_form(FORM, MODEL)
    assert spec.prompts == ("an owl", "a fox", "露のついたぶどうの房")
    assert (spec.name, spec.campaign, spec.style_code) == ("Autumn table", "秋のキャンペーン", "SOR-7K2Q")
    assert (spec.count, spec.width, spec.height, spec.seed) == (2, 384, 256, 7)
    assert (spec.steps, spec.guidance, spec.scheduler, spec.strength) == (8, 7.5, "ddim", 1.2)


def test_spec_of_an_almost_empty_form_is_as_the_model_likes_it() -> None:
    spec = SetSpec.from_form({"style": "SOR-7K2Q", "prompts": "a fox", "seed": "", "count": ""}, MODEL)
    assert (spec.count, spec.width, spec.height, spec.seed, spec.strength) == (1, 256, 256, None, None)
    assert (spec.steps, spec.guidance, spec.scheduler) == (20, 5.0, "euler")


def test_spec_reports_all_wrong_fields_together() -> None:
    wrong = {"count": "17", "steps": "2.5", "guidance": "inf", "seed": "-1", "strength": "strong", "size": "big"}
    with pytest.raises(Invalid) as raised:
        SetSpec.from_form({**wrong, "name": "x" * 121, "prompts": " \n ", "style": ""}, MODEL)
    assert raised.value.errors == {
        "name": "Name has 121 characters; at most 120 fit.",
        "prompts": "Write at least one prompt, one per line.",
        "count": "Variations must be a whole number from 1 to 16; '17' was given.",
        "steps": "Steps must be a whole number from 1 to 100; '2.5' was given.",
        "guidance": "Guidance must be a number from 0 to 30; 'inf' was given.",
        "seed": "Seed must be a whole number from 0 to 2147483647; '-1' was given.",
        "strength": "Strength must be a number from 0 to 2; 'strong' was given.",
        "size": "The size is width x height in pixels, such as 1024x768; 'big' was given.",
        "style": "Choose a style.",
    }


def test_wrong_prompt_is_named_by_its_line() -> None:
    prompts = "\n".join(["a fox", "", "x" * 1001, "an owl", "y" * 1100])
    with pytest.raises(Invalid) as raised:
        SetSpec.from_form({**FORM, "prompts": prompts}, MODEL)
    assert raised.value.errors["prompts"] == (
        "Line 3 is too long: 1001 characters; at most 1000 fit. Another line is too long as well."
    )


def test_too_many_prompts_422() -> None:
    with pytest.raises(Invalid, match="There are 501 prompts; a set takes at most 500"):
        SetSpec.from_form({**FORM, "prompts": "a fox\n" * 501}, MODEL)


@pytest.mark.parametrize("prompts", [7, None, [1, 2], {"a": "b"}])
def test_spec_of_other_things_422(prompts: object) -> None:
    with pytest.raises(Invalid):
        SetSpec.parse({"style_code": "SOR-7K2Q", "prompts": prompts, "width": 1, "height": 1, "steps": 1})


@given(st.dictionaries(st.sampled_from(list(FORM)), st.text(max_size=40)))
def test_any_form_is_a_spec_or_a_sentence(form: dict[str, str]) -> None:
    prompts: tuple[str, ...] = ()
    errors: dict[str, str] = {}
    try:
        prompts = SetSpec.from_form({**FORM, **form}, MODEL).prompts
    except Invalid as invalid:
        errors = invalid.errors
    assert bool(prompts) != bool(errors)
    assert all(prompt == prompt.strip() != "" for prompt in prompts)
    assert set(errors) <= set(FORM)
    assert all(sentence.endswith(".") for sentence in errors.values())


# Creating


def test_create(session: Session, make: Factory) -> None:
    user, style = make.user(), make.style()
    spec = SetSpec.from_form(FORM | {"style": style.code}, MODEL)
    image_set = service.create(session, user, spec, MODEL, unit_size=4)
    assert (image_set.name, image_set.campaign.name, image_set.owner_id) == (
        "Autumn table",
        "秋のキャンペーン",
        user.id,
    )
    assert (image_set.model, image_set.style_version_id) == ("demo", style.versions[0].id)
    rows = session.execute(select(Image.position, Image.prompt, Image.seed, Image.state).order_by(Image.position)).all()
    assert rows == [
        (1, "an owl", 7, State.QUEUED),
        (2, "an owl", 8, State.QUEUED),
        (3, "a fox", 9, State.QUEUED),
        (4, "a fox", 10, State.QUEUED),
        (5, "露のついたぶどうの房", 11, State.QUEUED),
        (6, "露のついたぶどうの房", 12, State.QUEUED),
    ]
    sizes = [len(unit.images) for unit in session.scalars(select(Unit).order_by(Unit.id))]
    assert sizes == [4, 2]


def test_create_is_recorded(session: Session, make: Factory) -> None:
    image_set = make.image_set()
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.SET_CREATE)).one()
    assert (event.user_id, event.subject_id) == (image_set.owner_id, image_set.id)
    assert event.details == {"name": image_set.name, "pictures": 2}


@pytest.mark.parametrize(
    ("prompts", "name"),
    [
        ("an owl\na fox", "an owl"),
        (
            "a cup of black coffee, steam rising, seen slightly from above, on a small saucer",
            "a cup of black coffee, steam rising, seen slightly from…",
        ),
    ],
)
def test_name_is_the_first_prompt_unless_given(make: Factory, prompts: str, name: str) -> None:
    assert make.image_set(prompts=prompts).name == name


def test_strength_and_version_are_the_styles_latest(session: Session, make: Factory) -> None:
    user = make.user()
    style = make.style(user)
    version = styles.add_version(session, user, style, make.draft(strength=1.7))
    session.flush()
    assert make.image_set(style=style).strength == 1.7
    assert make.image_set(style=style).style_version_id == version.id
    assert make.image_set(style=style, strength="0").strength == 0


def test_seed_is_drawn_and_kept(make: Factory) -> None:
    image_sets = [make.image_set() for _ in range(3)]
    assert len({image_set.seed for image_set in image_sets}) == 3
    assert all(0 <= image_set.seed < SEEDS for image_set in image_sets)


def test_seeds_begin_again_after_the_last(make: Factory) -> None:
    image_set = make.image_set(seed=SEEDS - 1)
    assert [image.seed for image in image_set.images] == [SEEDS - 1, 0]


def test_campaign_is_found_or_made(session: Session, make: Factory) -> None:
    first, second = make.image_set(campaign="Spring"), make.image_set(campaign=" Spring ")
    assert first.campaign_id == second.campaign_id
    assert make.image_set().campaign.name == NO_CAMPAIGN
    with languages.speaking("ja"):
        assert make.image_set().campaign.name == NO_CAMPAIGN, "the one that is there"
    assert len(session.scalars(select(Campaign)).all()) == 2


def test_the_campaign_of_sets_without_one_is_called_as_its_reader_reads(session: Session, make: Factory) -> None:
    with languages.speaking("ja"):
        campaign = make.image_set().campaign
    assert campaign.name == "未分類"
    assert make.image_set().campaign is campaign
    manager = make.user(Role.MANAGER)
    for language, called in (("en", "^Unsorted takes the new sets"), ("ja", "未分類")):
        with languages.speaking(language), pytest.raises(Conflict, match=called):
            filing.archive(session, manager, "campaign", campaign.id)


def test_anybodys_style_can_be_used(make: Factory) -> None:
    assert make.image_set(make.user(), make.style(make.user())).images


def test_code_as_typed_is_understood(make: Factory) -> None:
    style = make.style()
    spec = make.spec(style).model_copy(update={"style_code": style.code[4:].lower()})
    assert service.create(make.session, make.user(), spec, MODEL, 4).style_version_id == style.versions[0].id


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        (
            {"size": "250x256"},
            {"size": "Width must be a multiple of 32 px from 64 to 512; 250 was given, 256 is nearest."},
        ),
        ({"size": "256x0"}, {"size": "Height must be a multiple of 32 px from 64 to 512; 0 was given, 64 is nearest."}),
        (
            {"size": "9999x256"},
            {"size": "Width must be a multiple of 32 px from 64 to 512; 9999 was given, 512 is nearest."},
        ),
        (
            {"scheduler": "ddim", "steps": "1"},
            {"steps": "ddim takes at least 2 steps; 1 was given. Change that or the scheduler."},
        ),
        (
            {"scheduler": "ddim", "steps": "60"},
            {"steps": "ddim takes at most 50 steps; 60 was given. Change that or the scheduler."},
        ),
        ({"scheduler": "magic"}, {"scheduler": "The scheduler must be one of euler, ddim; 'magic' was given."}),
        (
            {"prompts": "a fox\n" * 100, "count": 16},
            {"count": "100 prompts × 16 are 1\u202f600 pictures; a set has at most 1\u202f000."},
        ),
    ],
)
def test_what_the_model_cannot_do_422(make: Factory, values: dict[str, object], errors: dict[str, str]) -> None:
    with pytest.raises(Invalid) as raised:
        make.image_set(**values)  # type: ignore[arg-type]
    assert raised.value.errors == errors


def test_largest_set(make: Factory) -> None:
    assert len(make.image_set(prompts="a fox\n" * 500, count=2).images) == 1000


def test_unknown_and_archived_style_422(session: Session, make: Factory) -> None:
    owner = make.user()
    style = make.style(owner)
    spec = make.spec(style)
    styles.archive(session, owner, style)
    for code in (style.code, "SOR-0000"):
        with pytest.raises(Invalid) as raised:
            service.create(session, make.user(), spec.model_copy(update={"style_code": code}), MODEL, 4)
        assert raised.value.field == "style"
    assert session.scalars(select(ImageSet)).all() == []


def test_closed_account_create_403(make: Factory) -> None:
    with pytest.raises(Forbidden):
        make.image_set(make.user(active=False))


# Cancelling


def test_cancel_keeps_what_is_finished(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = make.image_set(user, prompts="a\nb\nc\nd\ne\nf", unit_size=2)
    done, running = queue.claim_next(session), queue.claim_next(session)
    assert done
    assert running
    for image in done.images:
        units.finish_image(session, done.id, image.id, "0" * 64, 1, 1.0)
    queue.end_unit(session, done.id)
    service.cancel(session, user, image_set.id)
    assert stopped(session) == [running.id]
    assert states(session, image_set) == [State.FINISHED] * 2 + [State.CANCELLED] * 4
    assert unit_states(session, image_set) == [State.FINISHED, State.CANCELLED, State.CANCELLED]
    assert image_set.cancelled_at
    assert queue.claim_next(session) is None


def test_events_after_a_cancel_change_nothing(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = make.image_set(user)
    unit = queue.claim_next(session)
    assert unit
    service.cancel(session, user, image_set.id)
    assert units.finish_image(session, unit.id, image_set.images[0].id, "0" * 64, 1, 1.0) is None
    queue.fail_unit(session, unit.id, "too late", transient=True)
    queue.give_back(session, unit.id)
    queue.end_unit(session, unit.id)
    assert states(session, image_set) == [State.CANCELLED] * 2
    assert unit_states(session, image_set) == [State.CANCELLED]


def test_cancel_of_a_finished_set_409(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = make.finished_set(user)
    with pytest.raises(Conflict, match="nothing to cancel"):
        service.cancel(session, user, image_set.id)
    assert image_set.cancelled_at is None


# Retrying


def fail(session: Session, make: Factory, image_set: ImageSet) -> None:
    while unit := queue.claim_next(session):
        queue.fail_unit(session, unit.id, "The GPU ran out of memory.")
    assert set(states(session, image_set)) == {State.FAILED}


def test_retry_set(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = make.image_set(user, prompts="a\nb\nc", unit_size=3)
    fail(session, make, image_set)
    assert service.retry_set(session, user, image_set.id, unit_size=2) == 3
    assert states(session, image_set) == [State.QUEUED] * 3
    assert [image.error for image in image_set.images] == [None] * 3
    assert unit_states(session, image_set) == [State.FAILED, State.QUEUED, State.QUEUED]
    make.finish(image_set)
    assert states(session, image_set) == [State.FINISHED] * 3


def test_retry_makes_only_what_is_missing(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = make.image_set(user, prompts="a\nb\nc", unit_size=3)
    unit = queue.claim_next(session)
    assert unit
    first = image_set.images[0]
    units.finish_image(session, unit.id, first.id, "0" * 64, 1, 1.0)
    service.cancel(session, user, image_set.id)
    assert service.retry_set(session, user, image_set.id, unit_size=4) == 2
    assert image_set.cancelled_at is None
    again = queue.claim_next(session)
    assert again
    assert [image.prompt for image in again.images] == ["b", "c"]


def test_retry_image(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = make.image_set(user, prompts="a\nb\nc")
    fail(session, make, image_set)
    image = service.retry_image(session, user, image_set.images[1].id)
    assert image.state == State.QUEUED
    assert states(session, image_set) == [State.FAILED, State.QUEUED, State.FAILED]


def test_retry_of_nothing_409(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = make.finished_set(user)
    with pytest.raises(Conflict):
        service.retry_set(session, user, image_set.id, 4)
    with pytest.raises(Conflict):
        service.retry_image(session, user, image_set.images[0].id)


@pytest.mark.parametrize("role", [Role.DESIGNER, Role.REVIEWER])
def test_others_change_set_403(session: Session, make: Factory, role: Role) -> None:
    image_set, user = make.image_set(), make.user(role)
    with pytest.raises(Forbidden):
        service.cancel(session, user, image_set.id)
    with pytest.raises(Forbidden):
        service.retry_set(session, user, image_set.id, 4)
    with pytest.raises(Forbidden):
        service.retry_image(session, user, image_set.images[0].id)


@pytest.mark.parametrize("role", [Role.MANAGER, Role.ADMIN])
def test_managers_change_any_set(session: Session, make: Factory, role: Role) -> None:
    user, image_set = make.user(role), make.image_set()
    service.cancel(session, user, image_set.id)
    assert stopped(session) == []
    assert service.retry_set(session, user, image_set.id, 4) == 2


def test_unknown_404(session: Session, make: Factory) -> None:
    user = make.user()
    with pytest.raises(NotFound):
        service.cancel(session, user, 404)
    with pytest.raises(NotFound):
        service.retry_image(session, user, 404)


def test_variations_are_made_round_by_round(make: Factory, session: Session) -> None:
    """Everyone sees one picture of every prompt first; seeds and positions are those of a set grouped by prompt."""
    user = make.user()
    image_set = make.image_set(user, prompts="a\nb\nc", count="3", seed="10", unit_size=2)
    made = [[(each.prompt, each.position, each.seed) for each in unit.images] for unit in units_of(session, image_set)]
    assert ["".join(prompt for prompt, _, _ in unit) for unit in made] == ["ab", "ac", "bc", "ab", "c"]
    assert sorted(place for unit in made for _, *place in unit) == [[n, n + 9] for n in range(1, 10)]
    service.cancel(session, user, image_set.id)
    service.retry_set(session, user, image_set.id, unit_size=3)
    again = [unit.images for unit in units_of(session, image_set) if unit.images]
    assert [{image.prompt for image in images} for images in again] == [set("abc")] * 3


def units_of(session: Session, image_set: ImageSet) -> list[Unit]:
    session.expire_all()
    return list(session.scalars(select(Unit).where(Unit.set_id == image_set.id).order_by(Unit.id)))


def test_the_engine_is_told_which_words_name_the_subject(make: Factory, session: Session) -> None:
    make.image_set(prompts="a (red:1.2) fox in the snow, at night\nowl")
    unit = queue.claim_next(session)
    assert unit
    work = units.engine_unit(session, unit, make.files)
    assert [image.object for image in work.images] == ["red fox", "owl"]
