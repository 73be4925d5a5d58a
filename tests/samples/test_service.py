"""The sample campaign: ordinary rows that nobody made, and nothing of them left after its removal."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image as Picture
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import undo
from app.audit.chain import verify
from app.customs import queries as customs
from app.database import Database
from app.errors import Conflict, Forbidden
from app.exports.preparer import Preparer
from app.exports.service import archive
from app.files import Files
from app.filing import service as filing
from app.gallery import service as gallery
from app.languages import speaking
from app.models import (
    Act,
    AuditEvent,
    Campaign,
    Comment,
    Export,
    Image,
    ImageSet,
    ImageTag,
    Reference,
    Role,
    Sample,
    Style,
    Thread,
    Undo,
    Unit,
    Usage,
    User,
    Verdict,
    now,
)
from app.quotas import queries as quotas
from app.reviews import needs, pending, requirements
from app.reviews import service as reviews
from app.rights import queries as rights
from app.samples import contents, queries, service
from app.samples.contents import APPROVED, THINGS
from app.sets import estimate
from app.sets.estimate import Speed
from app.sets.versions import RedoSpec, redo
from app.settings import Settings
from app.styles import service as styles
from app.upkeep.check import check
from app.upkeep.rules import check_rules
from tests.demo import SQUARE
from tests.factory import MODEL, Factory

Open = Callable[[User], Sample]


@pytest.fixture
def opened(session: Session, files: Files) -> Open:
    def open_sample(user: User) -> Sample:
        sample = service.open_sample(session, user, service.store(files))
        session.flush()
        return sample

    return open_sample


def set_of(session: Session, sample: Sample) -> ImageSet:
    return session.get_one(ImageSet, sample.set_id)


def undone(session: Session, user: User) -> str:
    (offer,) = session.scalars(select(Undo).where(Undo.undone_at.is_(None)).order_by(Undo.id.desc()).limit(1))
    return undo.undo(session, user, offer.id).told


def test_it_has_one_of_everything(session: Session, make: Factory, opened: Open) -> None:
    sample = opened(make.user())
    image_set = set_of(session, sample)
    decided = [image.decision for image in image_set.images]
    assert len(image_set.images) == 12
    assert all(image.shown for image in image_set.images)
    assert {*decided} == {Verdict.APPROVED, Verdict.CHANGES_REQUESTED, Verdict.REJECTED, None}
    assert decided == [thing.verdict for thing in THINGS]
    (style,) = session.scalars(select(Style))
    assert image_set.style_version.style is style
    (reference,) = session.scalars(select(Reference))
    assert rights.held(session, reference).standing.kind == "valid"
    threads = session.scalars(select(Thread)).all()
    assert {bool(thread.resolved_at) for thread in threads} == {True, False}
    assert any(thread.x is not None for thread in threads)
    assert session.scalars(select(ImageTag.tag).distinct().order_by(ImageTag.tag)).all() == ["menu", "sample"]
    assert session.get_one(Export, sample.export_id).pictures == decided.count(Verdict.APPROVED)
    assert list(check_rules(session)) == []


def test_it_speaks_the_language_of_its_person(session: Session, make: Factory, opened: Open) -> None:
    with speaking("ja"):
        image_set = set_of(session, opened(make.user()))
    assert image_set.campaign.name == "サンプルキャンペーン"
    fox = next(image for image in image_set.images if image.drawn_as == "a fox")
    assert fox.prompt == "キツネ"
    assert fox.said == "a fox"
    assert "ポスター" in session.scalars(select(Comment.body)).first()  # type: ignore[operator]


def test_nobody_pays_for_it_and_nobody_is_said_to_have_worked(session: Session, make: Factory, opened: Open) -> None:
    user = make.user()
    opened(user)
    assert session.scalars(select(Usage)).all() == []
    assert all(use.used == 0 for use in quotas.uses(session, user).values())
    assert session.scalars(select(Unit)).all() == []
    assert Speed.of(session, contents.MODEL).picture(estimate.Effort(*SQUARE, 20, 4.0, "ddim")) is None
    acts = session.scalars(select(AuditEvent.act).order_by(AuditEvent.id)).all()
    assert acts == [Act.EXPORT_CREATE, Act.SAMPLE_OPEN]


def test_what_is_used_beside_it_is_still_counted(session: Session, make: Factory, opened: Open) -> None:
    """Rows of a sample are left out of the check of counts; those that somebody made in it are not."""
    user = make.user(Role.MANAGER)
    image_set = set_of(session, opened(user))
    redo(session, user, image_set.images[0].id, RedoSpec(prompt="a fox"), MODEL, unit_size=4)
    session.flush()
    assert list(check_rules(session)) == []
    session.query(Usage).delete()
    session.flush()
    assert any("pictures" in finding.sentence for finding in check_rules(session))


def test_a_person_has_one_and_others_have_their_own(session: Session, make: Factory, opened: Open) -> None:
    user, other = make.user(), make.user()
    mine = opened(user)
    with pytest.raises(Conflict, match="already open"):
        opened(user)
    theirs = opened(other)
    assert queries.opened(session, user) == queries.OpenSample(mine.campaign_id, "Sample campaign", mine.set_id)
    assert queries.opened(session, other) == queries.OpenSample(theirs.campaign_id, "Sample campaign 2", theirs.set_id)
    assert mine.reference_id != theirs.reference_id
    copy = Sample(
        user_id=user.id,
        campaign_id=mine.campaign_id,
        set_id=make.finished_set(user).id,
        style_id=mine.style_id,
        reference_id=mine.reference_id,
    )
    session.add(copy)
    with pytest.raises(IntegrityError):  # whatever the service does
        session.flush()


def test_its_pictures_can_be_tried_where_nobody_approves_their_own(
    session: Session, make: Factory, opened: Open
) -> None:
    """They are nobody's own; a version that somebody made is, and so are other sets in the campaign."""
    user = make.user(Role.REVIEWER)
    image_set = set_of(session, opened(user))
    assert image_set.campaign.four_eyes
    open_ = next(image for image in image_set.images if image.decision is None)
    assert pending.count(session, user) == sum(thing.verdict is None for thing in THINGS)
    reviews.decide(session, user, open_.id, "approved", None)
    assert open_.decision is Verdict.APPROVED
    assert pending.count(session, user) == sum(thing.verdict is None for thing in THINGS) - 1
    own = make.finished_set(user, campaign=image_set.campaign.name)
    with pytest.raises(Forbidden, match="nobody approves their own"):
        reviews.decide(session, user, own.images[0].id, "approved", None)
    (again,) = redo(session, user, open_.id, RedoSpec(prompt="a fox"), MODEL, unit_size=4)
    make.finish(image_set)
    with pytest.raises(Forbidden, match="nobody approves their own"):
        reviews.decide(session, user, again.id, "approved", None)


def test_its_approvals_count_only_in_its_own_campaign(session: Session, make: Factory, opened: Open) -> None:
    designer, manager = make.user(), make.user(Role.MANAGER)
    sample, strict = opened(designer), make.image_set(designer).campaign
    requirements.require(session, manager, strict.id, [customs.listed(session, manager)[0].id])
    image = next(each for each in set_of(session, sample).images if each.decision == Verdict.APPROVED)
    gallery.move(session, designer, [image.id], strict.id)
    assert image.decision is None
    gallery.move(session, designer, [image.id], sample.campaign_id)
    assert image.decision == Verdict.APPROVED


def test_it_waits_for_nobody_else(session: Session, make: Factory, opened: Open) -> None:
    image_set = set_of(session, opened(make.user(Role.DESIGNER)))
    reviewer, manager = make.user(Role.REVIEWER), make.user(Role.MANAGER)
    assert pending.count(session, reviewer) == 0
    assert needs.of_user(session, reviewer) == []
    for image in image_set.images:
        if image.decision is None:
            reviews.decide(session, reviewer, image.id, "approved", None)  # but they can
    assert needs.of_user(session, manager) == []
    assert {need.kind for need in needs.of_user(session, image_set.owner)} == {"changes", "ready"}


def test_removing_takes_all_of_it_and_undoing_brings_it_back(session: Session, make: Factory, opened: Open) -> None:
    user = make.user()
    sample = opened(user)
    session.commit()
    said = service.remove(session, user)
    assert said == "The sample is removed."
    for table, row_id in (
        (Campaign, sample.campaign_id),
        (ImageSet, sample.set_id),
        (Style, sample.style_id),
    ):
        assert session.get_one(table, row_id).deleted_at, table
    assert session.scalars(select(Export)).all() == []
    assert not any(image.shown for image in set_of(session, sample).images)
    assert queries.opened(session, user) is None
    session.commit()
    assert list(check_rules(session)) == []
    with pytest.raises(Conflict, match="no sample campaign open"):
        service.remove(session, user)
    session.rollback()
    assert "The sample is back." in undone(session, user)
    session.flush()
    assert queries.opened(session, user)
    assert all(image.shown for image in set_of(session, sample).images)
    assert session.get_one(Export, sample.export_id).pictures == sum(thing.verdict is APPROVED for thing in THINGS)
    assert not session.get_one(Style, sample.style_id).deleted_at
    assert list(check_rules(session)) == []


def test_after_the_bin_no_file_of_it_is_left(
    session: Session, make: Factory, opened: Open, files: Files, database: Database
) -> None:
    """But those of pictures that another sample has."""
    user, other = make.user(), make.user()
    for each in (user, other):
        opened(each)
    session.commit()

    def left() -> int:
        return sum(1 for _ in files.root.glob("*/*/*.png"))

    shared = left()
    assert shared == 2 + 12
    for each in (user, other):
        service.remove(session, each)
        session.query(Image).filter(Image.deleted_at.is_not(None)).update({"deleted_at": now() - timedelta(days=40)})
        for table in (Campaign, ImageSet, Style, Reference):
            old = {"deleted_at": now() - timedelta(days=40)}
            session.query(table).filter(table.deleted_at.is_not(None)).update(old)
        session.commit()
        sweep(database, files)
        assert left() == (13 if each is user else 0)
        assert check(database, files) == []


def sweep(database: Database, files: Files) -> None:
    """Apply the rule of the bin, then remove files without a row as if they were old."""
    from app.exports.removal import remove_holding
    from app.filing.removal import remove_expired
    from app.gallery.purger import Purger
    from app.upkeep.needed import needed

    files._reused.clear()
    Purger(database, files, remove_holding).purge()
    with database.write() as session:
        remove_expired(session)
    with database.read() as session:
        found = needed(session)
    for each in list(files.found(now().timestamp())):
        if each.kind and each.sha256 not in found[each.kind]:
            files.remove(each.kind, each.sha256)


def test_what_somebody_added_stays(session: Session, make: Factory, opened: Open) -> None:
    user = make.user()
    sample = opened(user)
    campaign, style = session.get_one(Campaign, sample.campaign_id), session.get_one(Style, sample.style_id)
    own = make.finished_set(make.user(), campaign=campaign.name)
    spec = make.draft(style.versions[0].references[0].reference, name=style.name, text="two inks")
    styles.add_version(session, user, style, spec)
    session.flush()
    said = service.remove(session, user)
    assert "The campaign Sample campaign stays, because other sets or pictures are in it." in said
    assert f"The style {style.name} stays, because it has other versions or sets." in said
    assert not own.deleted_at
    assert not campaign.deleted_at
    assert not style.deleted_at
    assert not session.get_one(Reference, sample.reference_id).deleted_at
    assert set_of(session, sample).deleted_at
    session.flush()
    assert list(check_rules(session)) == []
    service.open_sample(session, user, service.store(make.files))
    assert queries.opened(session, user).campaign == "Sample campaign 2"  # type: ignore[union-attr]


def test_sets_and_styles_of_its_own_keep_what_they_need(session: Session, make: Factory, opened: Open) -> None:
    user = make.user()
    sample = opened(user)
    reference = session.get_one(Reference, sample.reference_id)
    make.style(user, reference)  # from the same picture
    service.remove(session, user)
    assert session.get_one(Style, sample.style_id).deleted_at
    assert not reference.deleted_at


def test_a_set_that_was_moved_or_deleted_is_found(session: Session, make: Factory, opened: Open) -> None:
    user = make.user()
    sample = opened(user)
    filing.move(session, user, sample.set_id, "Elsewhere")
    session.flush()
    service.remove(session, user)
    session.flush()
    assert set_of(session, sample).deleted_at
    assert session.get_one(Campaign, sample.campaign_id).deleted_at
    other = opened(user)
    filing.delete(session, user, "campaign", other.campaign_id)
    session.flush()
    assert queries.opened(session, user) is None
    assert opened(user).set_id != other.set_id
    assert session.get_one(Style, other.style_id).deleted_at, "what was left of it goes when the next is opened"


def test_a_locked_set_is_not_removed(session: Session, make: Factory, opened: Open) -> None:
    user = make.user()
    sample = opened(user)
    reviews.lock(session, user, sample.set_id)
    session.commit()
    with pytest.raises(Conflict, match="locked"):
        service.remove(session, user)
    session.rollback()
    assert queries.opened(session, user)


def test_undoing_is_refused_once_another_is_open(session: Session, make: Factory, opened: Open) -> None:
    user = make.user()
    opened(user)
    session.commit()
    service.remove(session, user)
    session.commit()
    (offer,) = session.scalars(select(Undo))
    opened(user)
    with pytest.raises(Conflict, match="opened another sample"):
        undo.undo(session, user, offer.id)


def test_its_export_can_be_downloaded(
    session: Session, make: Factory, opened: Open, settings: Settings, database: Database, files: Files
) -> None:
    user = make.user()
    sample = opened(user)
    session.commit()
    preparer = Preparer(settings, database, files)
    assert preparer.prepare(sample.export_id or 0)
    session.expire_all()
    zipped = archive(session, session.get_one(Export, sample.export_id), preparer.store)
    assert b"".join(zipped.read()).startswith(b"PK")
    service.remove(session, user)
    session.commit()
    assert verify(session).problem is None


def test_the_reference_is_a_picture_with_a_note(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(service.marked(contents.reference(), "one"))
    with Picture.open(file) as marked, Picture.open(contents.REFERENCE_PNG) as plain:
        assert marked.text == {"Comment": "Soroe sample one"}  # type: ignore[attr-defined]
        assert marked.tobytes() == plain.tobytes()
        assert plain.size == (contents.side(contents.REFERENCE_PNG),) * 2


def test_the_pictures_are_there_and_small() -> None:
    stored = {path.name for path in contents.PICTURES.glob("*.png")}
    assert stored == {"reference.png", *(thing.png.name for thing in THINGS)}
    for thing in THINGS:
        with Picture.open(thing.png) as picture:
            assert picture.size == (contents.side(THINGS[0].png),) * 2, thing.prompt
    assert sum(path.stat().st_size for path in contents.PICTURES.iterdir()) < 1024 * 1024


def test_it_asks_only_for_what_the_model_knows() -> None:
    known = (Path(contents.__file__).parents[1] / "demo_model" / "words.txt").read_text().splitlines()
    assert {thing.png.stem.replace("-", " ") for thing in THINGS} <= {*known}
