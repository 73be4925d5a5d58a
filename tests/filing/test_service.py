"""Sets, campaigns, styles, subjects and references that are renamed, moved, archived, deleted and restored."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import bin, undo
from app.database import Database
from app.errors import Conflict, Forbidden, Invalid
from app.files import Files, Kind
from app.filing import queries, removal, service
from app.gallery import queries as gallery_queries
from app.gallery import service as gallery
from app.models import (
    Act,
    AuditEvent,
    Campaign,
    Image,
    ImageSet,
    Reference,
    Role,
    State,
    Style,
    Subject,
    Undo,
    User,
    Verdict,
    now,
)
from app.reviews import pending
from app.reviews import service as reviews
from app.scheduling import service as scheduling
from app.sets import campaigns, versions
from app.sets import queries as sets
from app.sets import service as set_service
from app.sets.versions import RedoSpec
from app.styles import queries as styles
from app.subjects import queries as subjects
from app.upkeep.findings import Finding
from app.upkeep.needed import needed
from app.upkeep.rules import check_rules
from app.work import order, queue
from tests.factory import MODEL, Factory, png


@pytest.fixture
def image_set(make: Factory) -> ImageSet:
    return make.finished_set(make.user(name="Mori Haruka"), campaign="Autumn", name="Table")


def acts(session: Session) -> list[str]:
    return list(session.scalars(select(AuditEvent.act).order_by(AuditEvent.id)))


def findings(session: Session) -> list[Finding]:
    session.flush()
    return list(check_rules(session))


# Names, campaigns, the archive


def test_the_last_name_counts_and_the_record_has_all(session: Session, image_set: ImageSet) -> None:
    owner = image_set.owner
    for name in ("Spring", " Summer "):
        service.rename(session, owner, "set", image_set.id, name)
    assert image_set.name == "Summer"
    renamed = session.scalars(select(AuditEvent.details).where(AuditEvent.act == Act.SET_RENAME)).all()
    assert renamed == [{"name": "Spring", "before": "Table"}, {"name": "Summer", "before": "Spring"}]
    service.rename(session, owner, "set", image_set.id, "Summer")
    assert acts(session).count(Act.SET_RENAME) == 2, "the same name is no change"


@pytest.mark.parametrize(("name", "sentence"), [(" ", "Enter a name"), ("a" * 121, "at most 120 fit")])
def test_poor_name_422(session: Session, image_set: ImageSet, name: str, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        service.rename(session, image_set.owner, "set", image_set.id, name)


def test_two_campaigns_have_two_names(session: Session, make: Factory, image_set: ImageSet) -> None:
    make.image_set(campaign="Winter")
    manager = make.user(Role.MANAGER)
    with pytest.raises(Invalid, match="already a campaign 'Winter'"):
        service.rename(session, manager, "campaign", image_set.campaign_id, "Winter")
    service.rename(session, manager, "campaign", image_set.campaign_id, "Herbst")
    assert image_set.campaign.name == "Herbst"


def test_a_subject_keeps_its_handle(session: Session, make: Factory) -> None:
    subject = make.finished_subject()
    service.rename(session, subject.owner, "subject", subject.id, "Green mug")
    assert (subject.name, subject.handle) == ("Green mug", "blue-mug")


@pytest.mark.parametrize("act", [service.archive, service.unarchive, service.delete, service.restore])
def test_only_owners_and_managers(
    session: Session, make: Factory, image_set: ImageSet, act: Callable[..., object]
) -> None:
    with pytest.raises(Forbidden, match="Only Mori Haruka or a manager"):
        act(session, make.user(Role.REVIEWER), "set", image_set.id)


def test_pictures_move_with_their_set_and_follow_the_new_rules(
    session: Session, make: Factory, image_set: ImageSet
) -> None:
    first, second = image_set.images
    make.decide(first)
    gallery.move(session, image_set.owner, [second.id], "Elsewhere")
    strict = make.image_set(campaign="Strict").campaign
    reviews.set_approvals(session, make.user(Role.MANAGER), strict.id, 2)
    service.move(session, image_set.owner, image_set.id, "Strict")
    session.flush()
    session.refresh(second)
    assert (image_set.campaign, first.campaign, second.campaign.name) == (strict, strict, "Elsewhere")
    assert (first.decision, first.approvals) == (None, 1)
    assert findings(session) == []


def test_a_locked_set_is_renamed_but_not_moved_or_deleted(session: Session, make: Factory, image_set: ImageSet) -> None:
    manager = make.user(Role.MANAGER)
    reviews.lock(session, manager, image_set.id)
    service.rename(session, manager, "set", image_set.id, "Spring")
    service.archive(session, manager, "set", image_set.id)
    for act in (
        lambda: service.move(session, manager, image_set.id, "B"),
        lambda: service.delete(session, manager, "set", 1),
    ):
        with pytest.raises(Conflict, match="The decisions of Spring are locked"):
            act()


def test_sets_without_a_campaign_always_have_a_place(session: Session, make: Factory) -> None:
    image_set = make.finished_set()
    for act in (service.archive, service.delete):
        with pytest.raises(Conflict, match="Rename it first"):
            act(session, image_set.owner, "campaign", image_set.campaign_id)


def test_a_set_is_not_moved_into_the_bin(session: Session, make: Factory, image_set: ImageSet) -> None:
    winter = make.image_set(image_set.owner, campaign="Winter").campaign
    service.delete(session, image_set.owner, "campaign", winter.id)
    with pytest.raises(Invalid, match="in the bin") as refused:
        service.move(session, image_set.owner, image_set.id, "Winter")
    assert refused.value.field == "campaign_name", "as its form calls it"


def test_an_archived_set_is_left_out_of_lists_only(session: Session, make: Factory, image_set: ImageSet) -> None:
    owner = image_set.owner
    service.archive(session, owner, "set", image_set.id)
    session.flush()
    assert sets.cards(session, owner) == []
    assert [card.id for card in sets.cards(session, owner, archived=True)] == [image_set.id]
    assert len(image_set.images) == 2
    assert all(image.shown for image in image_set.images)
    service.unarchive(session, owner, "set", image_set.id)
    assert [card.id for card in sets.cards(session, owner)] == [image_set.id]


def test_an_archived_campaign_hides_its_sets_and_takes_no_new_ones(
    session: Session, make: Factory, image_set: ImageSet
) -> None:
    manager = make.user(Role.MANAGER)
    service.archive(session, manager, "campaign", image_set.campaign_id)
    session.flush()
    assert sets.cards(session, manager) == []
    assert campaigns.listed(session, manager) == []
    assert [each.name for each in campaigns.listed(session, manager, archived=True)] == ["Autumn"]
    assert "Autumn" not in gallery_queries.campaigns(session, manager)
    with pytest.raises(Invalid, match="campaign Autumn is archived"):
        make.image_set(campaign="Autumn")
    with pytest.raises(Forbidden, match="only managers can restore it"):
        service.unarchive(session, image_set.owner, "campaign", image_set.campaign_id)


# The bin: sets


def test_a_deleted_set_goes_with_its_pictures_and_comes_back_as_it_was(
    session: Session, make: Factory, image_set: ImageSet
) -> None:
    owner, (first, second) = image_set.owner, image_set.images
    make.decide(first)
    gallery.delete(session, owner, [second.id])
    before = second.deleted_at
    service.delete(session, owner, "set", image_set.id)
    assert sets.cards(session, owner) == []
    session.refresh(first)
    assert not first.shown
    assert findings(session) == []
    assert [each.name for each in queries.binned(session, owner)] == ["Table"]
    assert gallery_queries.deleted(session, owner) == [], "its pictures are listed with it"
    assert gallery.restore(session, owner, [second.id]).refused, "and come back with it"
    service.restore(session, owner, "set", image_set.id)
    for image in (first, second):
        session.refresh(image)
    assert (first.shown, first.decision, second.deleted_at) == (True, Verdict.APPROVED, before)
    assert findings(session) == []
    assert [each.id for each in gallery_queries.deleted(session, owner)] == [second.id]


def test_versions_come_back_in_their_order(session: Session, make: Factory, image_set: ImageSet) -> None:
    owner, first = image_set.owner, image_set.images[0]
    (again,) = versions.redo(session, owner, first.id, RedoSpec.parse({"prompt": "an owl"}), MODEL, 4)
    make.finish(image_set)
    service.delete(session, owner, "set", image_set.id)
    assert findings(session) == []
    service.restore(session, owner, "set", image_set.id)
    for image in (first, again):
        session.refresh(image)
    assert [(image.superseded, image.shown) for image in (first, again)] == [(True, False), (False, True)]
    assert findings(session) == []


@pytest.mark.parametrize("unit_size", [1, 3])
def test_deleting_stops_the_generation_and_restoring_resumes_it(
    session: Session, make: Factory, unit_size: int
) -> None:
    image_set = make.image_set(prompts="a\nb\nc", unit_size=unit_size)
    unit = queue.claim_next(session)
    assert unit
    set_service.cancel_image(session, image_set.owner, image_set.images[2].id)
    assert service.delete(session, image_set.owner, "set", image_set.id) == 2
    assert queue.claim_next(session) is None
    session.refresh(unit)
    assert unit.state == State.CANCELLED
    assert findings(session) == []
    assert service.restore(session, image_set.owner, "set", image_set.id) == 2
    progress = sets.progress(session, image_set.owner, image_set.id)
    assert (progress.queued, progress.cancelled) == (2, 1), "what was cancelled before stays so"
    assert findings(session) == []


def test_a_restored_set_is_where_it_was_in_the_queue(session: Session, make: Factory) -> None:
    """Before what a manager moved behind it, and among its owner's sets in the order that they gave them."""
    owner, manager = make.user(), make.user(Role.MANAGER)
    one, two, three = (make.image_set(owner, prompts="a\nb", unit_size=1) for _ in range(3))
    other = make.image_set(make.user())
    scheduling.move(session, owner, sets.topic(two.id), "top")
    scheduling.move(session, manager, sets.topic(other.id), "top")
    before = [each.topic for each in order.waiting(session)]
    assert [each.id for each in before] == [other.id, two.id, one.id, three.id]
    for image_set in (two, other):
        service.delete(session, manager, "set", image_set.id)
        service.restore(session, manager, "set", image_set.id)
    assert [each.topic for each in order.waiting(session)] == before


def test_nothing_is_done_with_a_set_in_the_bin(session: Session, make: Factory, image_set: ImageSet) -> None:
    owner, first, reviewer = image_set.owner, image_set.images[0], make.user(Role.REVIEWER)
    thread = reviews.comment(session, owner, first.id, "Darker, please.").thread
    service.delete(session, owner, "set", image_set.id)
    session.refresh(first)
    for act in (
        lambda: service.rename(session, owner, "set", image_set.id, "B"),
        lambda: service.delete(session, owner, "set", image_set.id),
        lambda: set_service.retry_set(session, owner, image_set.id, 4),
        lambda: versions.redo(session, owner, first.id, RedoSpec.parse({"prompt": "an owl"}), MODEL, 4),
        lambda: reviews.comment(session, owner, first.id, "Lighter, please."),
        lambda: reviews.reply(session, owner, thread.id, "Lighter, please."),
        lambda: reviews.lock(session, owner, image_set.id),
        lambda: reviews.decide(session, reviewer, first.id, "approved", None),
    ):
        with pytest.raises(Conflict, match="in the bin"):
            act()
    assert pending.count(session, reviewer) == 0


def test_what_a_manager_deleted_managers_restore(session: Session, make: Factory, image_set: ImageSet) -> None:
    service.delete(session, make.user(Role.MANAGER), "set", image_set.id)
    with pytest.raises(Forbidden, match="only managers can restore it"):
        service.restore(session, image_set.owner, "set", image_set.id)
    assert not queries.binned(session, image_set.owner)[0].restorable
    service.restore(session, make.user(Role.MANAGER), "set", image_set.id)
    with pytest.raises(Conflict, match="not in the bin"):
        service.restore(session, image_set.owner, "set", image_set.id)


def test_a_set_of_a_thousand_pictures_holds_the_lock_shortly(
    session: Session, make: Factory, database: Database
) -> None:
    image_set = make.image_set(prompts="a fox\n" * 62, count=16)
    session.commit()
    with database.write() as own:
        service.delete(own, image_set.owner, "set", image_set.id)
    with database.write() as own:
        service.restore(own, image_set.owner, "set", image_set.id)


# Undo


def next_transaction(session: Session) -> str:
    """Let what follows be undone apart from what came before; returns the token of that."""
    session.flush()
    session.expire_all()
    token = undo.offered(session)
    session.info.pop(undo.OFFERED, None)
    return token


def undone(session: Session, user: User) -> str:
    """Undo the latest act, in the next transaction, as the toast does."""
    session.flush()
    token = session.scalars(select(Undo.token).where(Undo.user_id == user.id).order_by(Undo.id.desc())).first()
    session.info.pop(undo.OFFERED, None)
    (part,) = undo.open_parts(session, user, token or "")
    return undo.undo(session, user, part.id).told


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda s, each: service.rename(s, each.owner, "set", each.id, "Spring"), "The name is Table again."),
        (lambda s, each: service.move(s, each.owner, each.id, "Winter"), "Table is in Autumn again."),
        (lambda s, each: service.archive(s, each.owner, "set", each.id), "Table is no longer archived."),
        (lambda s, each: service.delete(s, each.owner, "set", each.id), "Table is restored."),
    ],
)
def test_every_act_is_undone(
    session: Session, image_set: ImageSet, act: Callable[[Session, ImageSet], object], told: str
) -> None:
    session.info.pop(undo.OFFERED, None)
    act(session, image_set)
    assert undone(session, image_set.owner) == told
    session.flush()
    session.refresh(image_set)
    assert (image_set.name, image_set.campaign.name, image_set.archived_at, image_set.deleted_at) == (
        "Table",
        "Autumn",
        None,
        None,
    )
    assert findings(session) == []


def test_undoing_a_move_puts_back_just_what_moved(session: Session, make: Factory, image_set: ImageSet) -> None:
    owner, autumn = image_set.owner, image_set.campaign
    first, second = image_set.images
    gallery.move(session, owner, [first.id], "Winter")
    next_transaction(session)
    service.move(session, owner, image_set.id, "Winter")
    next_transaction(session)
    service.rename(session, make.user(Role.MANAGER), "campaign", autumn.id, "Fall")
    assert undone(session, owner) == "Table is in Fall again."
    assert (image_set.campaign, first.campaign.name, second.campaign) == (autumn, "Winter", autumn)


def test_nothing_is_moved_back_into_the_bin(session: Session, make: Factory, image_set: ImageSet) -> None:
    owner = image_set.owner
    winter = make.image_set(owner, campaign="Winter").campaign
    picture = image_set.images[0]
    gallery.move(session, owner, [picture.id], "Winter")
    next_transaction(session)
    gallery.move(session, owner, [picture.id], "Spring")
    token = next_transaction(session)
    service.delete(session, owner, "campaign", winter.id)
    (part,) = undo.open_parts(session, owner, token)
    assert undo.undo(session, owner, part.id).told == ("1 of 1 could not be undone: their campaign was deleted since.")
    assert picture.campaign.name == "Spring"


def test_an_archive_is_undone_exactly(session: Session, make: Factory, image_set: ImageSet) -> None:
    owner, manager = image_set.owner, make.user(Role.MANAGER)
    service.archive(session, owner, "set", image_set.id)
    before = image_set.archived_at, image_set.archived_as
    next_transaction(session)
    service.unarchive(session, manager, "set", image_set.id)
    undone(session, manager)
    assert (image_set.archived_at, image_set.archived_as) == before, "not as by the manager"
    service.unarchive(session, manager, "set", image_set.id)
    next_transaction(session)
    service.archive(session, owner, "set", image_set.id)
    with pytest.raises(Conflict, match="Mori Haruka changed Table since"):
        undone(session, manager)


def test_undoing_a_deletion_resumes_the_generation(session: Session, make: Factory) -> None:
    image_set = make.image_set(prompts="a\nb", unit_size=1)
    session.info.pop(undo.OFFERED, None)
    service.delete(session, image_set.owner, "set", image_set.id)
    undone(session, image_set.owner)
    assert sets.progress(session, image_set.owner, image_set.id).queued == 2


def test_what_someone_changed_since_is_not_undone(session: Session, make: Factory, image_set: ImageSet) -> None:
    session.info.pop(undo.OFFERED, None)
    service.rename(session, image_set.owner, "set", image_set.id, "Spring")
    session.flush()
    session.info.pop(undo.OFFERED, None)
    service.rename(session, make.user(Role.MANAGER, name="Ito Kenji"), "set", image_set.id, "Summer")
    session.flush()
    rows = session.scalars(select(Undo).where(Undo.user_id == image_set.owner_id)).all()
    with pytest.raises(Conflict, match="Ito Kenji changed the name since"):
        undo.undo(session, image_set.owner, rows[-1].id)
    assert image_set.name == "Summer"


# The bin: campaigns


def test_a_campaign_goes_with_its_sets(session: Session, make: Factory, image_set: ImageSet) -> None:
    manager, campaign = make.user(Role.MANAGER), image_set.campaign
    other = make.finished_set(image_set.owner, campaign="Autumn")
    service.delete(session, image_set.owner, "set", other.id)
    service.delete(session, manager, "campaign", campaign.id)
    session.flush()
    assert {each.name for each in queries.binned(session, manager)} == {"Autumn", other.name}
    assert image_set.deleted_at == campaign.deleted_at
    with pytest.raises(Conflict, match="Restore the campaign first"):
        service.restore(session, manager, "set", image_set.id)
    with pytest.raises(Invalid, match="campaign Autumn is in the bin"):
        make.image_set(campaign="Autumn")
    service.restore(session, manager, "campaign", campaign.id)
    assert image_set.deleted_at is None
    assert other.deleted_at, "it was deleted before"
    assert findings(session) == []


def test_a_campaign_with_sets_of_others_or_pictures_from_elsewhere_is_not_deleted(
    session: Session, make: Factory, image_set: ImageSet
) -> None:
    owner, manager = image_set.owner, make.user(Role.MANAGER)
    other = make.finished_set(campaign="Autumn")
    with pytest.raises(Forbidden, match="1 set of other people in Autumn"):
        service.delete(session, owner, "campaign", image_set.campaign_id)
    guest = make.finished_set(campaign="Winter")
    gallery.move(session, manager, [guest.images[0].id], "Autumn")
    with pytest.raises(Conflict, match="1 picture of a set in another campaign"):
        service.delete(session, manager, "campaign", image_set.campaign_id)
    assert other.deleted_at is None


# The bin: styles, subjects, references


def test_a_deleted_style_is_not_offered_and_its_sets_keep_their_pictures(session: Session, make: Factory) -> None:
    style = make.style()
    image_set = make.finished_set(style.owner, style)
    service.delete(session, style.owner, "style", style.id)
    session.flush()
    assert styles.choices(session, style.owner) == []
    assert all(image.shown for image in image_set.images)
    with pytest.raises(Invalid, match="no style"):
        make.image_set(style=style)
    service.restore(session, style.owner, "style", style.id)
    assert [card.id for card in styles.choices(session, style.owner)] == [style.id]


def test_a_deleted_subject_is_not_offered(session: Session, make: Factory) -> None:
    subject = make.finished_subject()
    service.delete(session, subject.owner, "subject", subject.id)
    session.flush()
    assert subjects.listed(session, subject.owner) == []
    assert subjects.choices(session, subject.owner, MODEL.name) == []
    with pytest.raises(Invalid, match="@blue-mug was deleted"):
        make.image_set(prompts="@blue-mug on a beach")
    with pytest.raises(Invalid, match="handle of a deleted subject"):
        make.subject()
    service.restore(session, subject.owner, "subject", subject.id)
    make.image_set(prompts="@blue-mug on a beach")


def test_a_training_is_cancelled_before_its_subject_is_deleted(session: Session, make: Factory) -> None:
    subject = make.subject()
    for act in (service.delete, service.archive):
        with pytest.raises(Conflict, match="is not finished"):
            act(session, subject.owner, "subject", subject.id)


def test_a_reference_in_use_is_not_deleted(session: Session, make: Factory) -> None:
    style = make.style(name="Poster")
    reference = style.versions[0].references[0].reference
    uploader = reference.uploaded_by
    with pytest.raises(Conflict, match="used by the style Poster"):
        service.delete(session, uploader, "reference", reference.id)
    image_set = make.finished_set(style.owner, style, name="Table")
    service.delete(session, style.owner, "style", style.id)
    session.flush()
    with pytest.raises(Conflict, match="used by the set Table"):
        service.delete(session, uploader, "reference", reference.id)
    image_set.purged_at = image_set.deleted_at = now()
    session.flush()
    with pytest.raises(Forbidden, match="can only be deleted"):
        service.rename(session, uploader, "reference", reference.id, "B")
    service.delete(session, uploader, "reference", reference.id)


def test_a_reference_that_is_used_again_leaves_the_bin(session: Session, make: Factory) -> None:
    style, data = make.style(), png("red")
    reference = style.versions[0].references[0].reference
    service.delete(session, style.owner, "style", style.id)
    service.delete(session, reference.uploaded_by, "reference", reference.id)
    again = make.reference(data=data)
    service.delete(session, again.uploaded_by, "reference", again.id)
    session.flush()
    with pytest.raises(Invalid, match="is in the bin"):
        make.style(reference=again)
    assert make.reference(data=data) is again, "uploaded again"
    make.style(reference=again)
    service.restore(session, style.owner, "style", style.id)
    long_ago(session, Reference, Style)
    assert removal.remove_expired(session) == 0
    assert (reference.deleted_at, again.deleted_at) == (None, None)
    assert findings(session) == []


def test_a_reference_stays_as_long_as_a_style_in_the_bin(session: Session, make: Factory) -> None:
    style = make.style()
    reference = style.versions[0].references[0].reference
    service.delete(session, style.owner, "style", style.id)
    service.delete(session, reference.uploaded_by, "reference", reference.id)
    session.flush()
    long_ago(session, Reference)
    assert removal.remove_expired(session) == 0
    service.restore(session, style.owner, "style", style.id)
    assert (reference.deleted_at, reference.purged_at) == (None, None)


# Removal for good


def long_ago(session: Session, *tables: type[Campaign | Image | ImageSet | Reference | Style | Subject]) -> None:
    past = now() - timedelta(days=bin.kept_days(), minutes=1)
    for table in tables:
        for row in session.scalars(select(table).where(table.deleted_at.is_not(None))):
            row.deleted_at = past
    session.flush()


def test_the_name_of_a_campaign_is_free_again(session: Session, make: Factory, image_set: ImageSet) -> None:
    campaign = image_set.campaign
    make.finished_set(campaign=f"Autumn (deleted {campaign.id})")
    service.delete(session, image_set.owner, "campaign", campaign.id)
    session.flush()
    long_ago(session, Campaign)
    removal.remove_expired(session)
    session.flush()
    assert campaign.name == f"Autumn (deleted {campaign.id}.1)"


def test_a_set_is_removed_for_good_after_its_pictures(session: Session, make: Factory, image_set: ImageSet) -> None:
    manager: User = make.user(Role.MANAGER)
    campaign = image_set.campaign
    service.delete(session, manager, "campaign", campaign.id)
    session.flush()
    assert removal.remove_expired(session) == 0
    long_ago(session, Image, ImageSet, Campaign)
    removal.remove_expired(session)
    assert image_set.purged_at is None, "its pictures come first"
    gallery.purged(session, gallery.over(session, 10))
    removal.remove_expired(session)
    assert image_set.purged_at
    assert campaign.purged_at
    with pytest.raises(Conflict, match="cannot be restored"):
        service.restore(session, manager, "campaign", campaign.id)
    assert queries.binned(session, manager) == []
    make.image_set(campaign="Autumn")
    assert findings(session) == []
    assert {Act.SET_PURGE, Act.CAMPAIGN_PURGE, Act.IMAGE_PURGE} <= set(acts(session))


def test_files_of_what_was_removed_for_good_are_of_no_use(session: Session, make: Factory, files: Files) -> None:
    subject, style = make.finished_subject(), make.style()
    reference = style.versions[0].references[0].reference
    service.delete(session, subject.owner, "subject", subject.id)
    service.delete(session, style.owner, "style", style.id)
    session.flush()
    lora, picture = subject.sha256, reference.sha256
    kept = needed(session)
    assert lora in kept[Kind.LORAS], "what is in the bin keeps its files"
    assert picture in kept[Kind.REFERENCES]
    long_ago(session, Subject, Style)
    removal.remove_expired(session)
    session.flush()
    left = needed(session)
    assert not left[Kind.LORAS]
    assert not left[Kind.SUBJECTS]
    assert picture not in left[Kind.REFERENCES], "nothing else used it"
    assert findings(session) == []


def test_a_reference_stays_as_long_as_a_set_shows_it(session: Session, make: Factory) -> None:
    style = make.style()
    make.finished_set(style.owner, style)
    service.delete(session, style.owner, "style", style.id)
    long_ago(session, Style)
    removal.remove_expired(session)
    assert style.purged_at
    reference = session.scalars(select(Reference)).one()
    assert reference.purged_at is None
