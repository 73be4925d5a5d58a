"""Permissions follow today's role, and nobody can undo what a higher role stopped."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import MetaData, func, insert, select
from sqlalchemy.orm import Session

from app.accounts import authority
from app.database import Database, make_engine, migrate
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.exports import endings, shares
from app.exports import queries as exports
from app.exports import service as export_service
from app.exports.options import ExportOptions
from app.exports.shares import ShareSpec
from app.gallery import service as gallery
from app.models import (
    Act,
    Campaign,
    Export,
    ExportState,
    MapKind,
    Reference,
    RightsRecord,
    Role,
    Share,
    Style,
    Subject,
    User,
    Verdict,
)
from app.reviews import queries as review_queries
from app.reviews import service as reviews
from app.rights import queries as rights_queries
from app.rights import service as rights
from app.rights.spec import Reason, RightsSpec
from app.sets import queries as sets
from app.settings import Settings
from app.structures import service as structures
from app.styles import service as styles
from app.subjects import service as subjects
from tests.engine.painter import Painter
from tests.exports.test_service import approved_set
from tests.factory import MODEL, Factory, png

LEGAL = Reason(reason="Legal says no")
MISTAKE = Reason(reason="A mistake")
LOW, HIGH = (Role.DESIGNER, Role.REVIEWER), (Role.MANAGER, Role.ADMIN)


@pytest.fixture
def owner(make: Factory) -> User:
    return make.user(name="Mori Haruka")


def fall(user: User, role: Role) -> User:
    user.role = role
    return user


# The rule


@pytest.mark.parametrize("done_as", [None, *Role])
@pytest.mark.parametrize("role", Role)
def test_a_lower_role_cannot_undo_a_higher_one(make: Factory, role: Role, done_as: Role | None) -> None:
    user = make.user(role)
    low = done_as is None or done_as in LOW
    assert authority.may_undo(user, done_as) == (low or role.rank >= Role(done_as).rank)
    user.active = False
    assert not authority.may_undo(user, done_as)


# Rights


def withdrawn(session: Session, reference: Reference) -> RightsRecord | None:
    record = rights_queries.held(session, reference).record
    return record if record and record.withdrawn else None


@pytest.mark.parametrize("by", Role)
@pytest.mark.parametrize("then", Role)
def test_who_can_restore_withdrawn_rights(session: Session, make: Factory, owner: User, by: Role, then: Role) -> None:
    """`by` are the roles with which it was withdrawn, `then` those with which the uploader would restore them."""
    reference = make.reference(owner)
    who = fall(owner, by) if by in LOW else make.user(by, "Ito Kenji")
    record = rights.withdraw(session, who, reference, LEGAL)
    fall(owner, then)
    if by in LOW or then.rank >= by.rank:
        assert not rights.restore(session, owner, reference, MISTAKE, record.id).withdrawn
        return
    people = {Role.MANAGER: "managers", Role.ADMIN: "administrators"}[by]
    with pytest.raises(Forbidden, match=rf"^Ito Kenji withdrew these rights on .*; only {people} can restore them\."):
        rights.restore(session, owner, reference, MISTAKE, record.id)
    draft = RightsSpec.parse({"owned_by": "Mori", "licence": "Free", "valid_until": "2099-01-01"})
    with pytest.raises(Forbidden, match="withdrew these rights"):
        rights.save(session, owner, reference, draft, record.id)
    assert withdrawn(session, reference) is record


def test_a_former_manager_cannot_restore_what_they_withdrew(session: Session, make: Factory, owner: User) -> None:
    reference = make.reference(fall(owner, Role.MANAGER))
    record = rights.withdraw(session, owner, reference, LEGAL)
    with pytest.raises(Forbidden, match=r"^You withdrew these rights .* as a manager; only managers can restore them"):
        rights.restore(session, fall(owner, Role.DESIGNER), reference, MISTAKE, record.id)


def test_a_higher_role_can_withdraw_again(session: Session, make: Factory, owner: User) -> None:
    reference = make.reference(owner)
    manager, admin = make.user(Role.MANAGER), make.user(Role.ADMIN)
    record = rights.withdraw(session, owner, reference, MISTAKE)
    for higher in (manager, admin):
        higher_record = rights.withdraw(session, higher, reference, LEGAL)
        with pytest.raises(Forbidden):
            rights.restore(session, owner, reference, MISTAKE, record.id)
        with pytest.raises(Conflict, match="already withdrawn"):
            rights.withdraw(session, manager, reference, LEGAL)
    with pytest.raises(Forbidden, match="only administrators"):
        rights.restore(session, manager, reference, MISTAKE, higher_record.id)
    assert withdrawn(session, reference) is higher_record


def test_uploading_the_same_picture_restores_no_rights(session: Session, make: Factory, owner: User) -> None:
    reference = make.reference(owner, png("olive"))
    rights.withdraw(session, make.user(Role.MANAGER), reference, LEGAL)
    for person in (owner, make.user()):
        for data in (png("olive"), png((128, 128, 0, 255), mode="RGBA")):
            assert make.reference(person, data) is reference
        with pytest.raises(Invalid, match="were withdrawn on"):
            styles.create(session, person, make.draft(reference))
    assert withdrawn(session, reference)


def test_it_is_not_used_as_a_map_or_for_training_either(session: Session, make: Factory, owner: User) -> None:
    data = png("olive", (256, 256))
    rights.withdraw(session, make.user(Role.MANAGER), make.reference(owner, data), LEGAL)
    drawn, _ = structures.draw(owner, make.files, data, MapKind.EDGES, size=(256, 256), engine=Painter())
    with pytest.raises(Invalid, match="were withdrawn on"):
        structures.add(session, owner, drawn, "a.png")
    kept = subjects.keep_picture(owner, make.files, data, MODEL)
    draft = make.subject_draft()
    draft = draft.model_copy(update={"pictures": (*draft.pictures, kept)})
    with pytest.raises(Invalid, match="were withdrawn on"):
        subjects.create_from_pictures(session, owner, subjects.sizes(make.files, draft.pictures), draft, MODEL)
    assert session.scalar(select(func.count(Subject.id))) == 0


def test_a_managers_file_is_not_removed_by_the_uploader(session: Session, make: Factory, owner: User) -> None:
    reference, manager = make.reference(owner), make.user(Role.MANAGER, "Ito Kenji")
    theirs = rights.add_file(session, manager, reference, rights.keep_document(make.files, b"%PDF-1"), "ended.pdf")
    mine = rights.add_file(session, owner, reference, rights.keep_document(make.files, b"%PDF-2"), "licence.pdf")
    session.flush()
    with pytest.raises(Forbidden, match="Ito Kenji added this file"):
        rights.remove_file(session, owner, reference, theirs.id)
    for user, row in ((owner, mine), (manager, theirs)):
        assert rights.remove_file(session, user, reference, row.id).removed_at


def test_licences_are_read_by_the_uploader_and_managers(session: Session, make: Factory, owner: User) -> None:
    reference = make.reference(owner)
    row = rights.add_file(session, owner, reference, rights.keep_document(make.files, b"%PDF-1"), "consent.pdf")
    session.flush()
    for user in (owner, make.user(Role.MANAGER), make.user(Role.ADMIN)):
        assert rights_queries.files(session, user, reference.id) == [row]
        assert rights.note_download(session, user, reference, row.id) is row
    for user in (make.user(), make.user(Role.REVIEWER), fall(make.user(Role.MANAGER), Role.REVIEWER)):
        assert rights_queries.files(session, user, reference.id) == []
        assert rights_queries.files_count(session, user, reference.id) == 1
        with pytest.raises(Forbidden, match="Only Mori Haruka, who uploaded"):
            rights.note_download(session, user, reference, row.id)
        with pytest.raises(NotFound):
            rights_queries.file(session, user, reference.id, row.id)


# Exports and their links


@pytest.fixture
def export(session: Session, make: Factory) -> Callable[..., Export]:
    def export_of(user: User, set_id: int) -> Export:
        wanted = export_service.selection(session, user, set_id=set_id)
        made = export_service.create(session, user, export_service.plan(session, user, wanted, ExportOptions()))
        made.state = ExportState.READY
        session.flush()
        return made

    return export_of


def link(session: Session, user: User, export: Export) -> tuple[str, Share]:
    token = shares.create(session, user, export.id, ShareSpec(), None)
    session.flush()
    return token, exports.share(session, token)


def test_exports_of_a_manager_end_with_the_role(
    session: Session, make: Factory, owner: User, export: Callable[..., Export]
) -> None:
    manager = make.user(Role.MANAGER)
    image_set = approved_set(make, owner)
    made = export(manager, image_set.id)
    token, share = link(session, manager, made)
    own = export(manager, approved_set(make, manager).id)
    own_token, own_share = link(session, manager, own)
    assert (made.of_others, own.of_others) == (True, False)
    fall(manager, Role.DESIGNER)
    assert exports.recent(session, manager) == [own]
    assert exports.open_shares(session, manager) == [own_share]
    assert (exports.may_open(session, manager, made.id), exports.may_open(session, manager, own.id)) == (False, True)
    acts: tuple[Callable[[], object], ...] = (
        lambda: exports.get(session, manager, made.id),
        lambda: link(session, manager, made),
        lambda: shares.revoke(session, manager, made.id, share.id),
        lambda: export_service.planned_without_changed(session, manager, made.id),
        lambda: exports.share(session, token),
    )
    for act in acts:
        with pytest.raises(NotFound):
            act()
    assert not shares.may_go_on(session, share.id), "a running download ends too"
    assert exports.share(session, own_token) is own_share
    assert shares.may_go_on(session, own_share.id)


def test_a_managers_link_to_anothers_export_ends_with_the_role(
    session: Session, make: Factory, owner: User, export: Callable[..., Export]
) -> None:
    manager = make.user(Role.MANAGER)
    made = export(owner, approved_set(make, owner).id)
    token, _ = link(session, manager, made)
    fall(manager, Role.REVIEWER)
    with pytest.raises(NotFound):
        exports.share(session, token)
    assert exports.get(session, owner, made.id) is made


@pytest.mark.parametrize("by", HIGH)
def test_no_link_leads_to_what_a_higher_role_withdrew(
    session: Session, make: Factory, owner: User, export: Callable[..., Export], by: Role
) -> None:
    style = make.style(owner)
    reference = style.versions[0].references[0].reference
    made = export(owner, approved_set(make, owner, style=style).id)
    _, share = link(session, owner, made)
    higher = make.user(by, "Ito Kenji")
    record = rights.withdraw(session, higher, reference, LEGAL)
    assert share.suspended_at
    acts: tuple[Callable[[], object], ...] = (
        lambda: shares.resume(session, owner, made.id, share.id),
        lambda: link(session, owner, made),
        lambda: rights.restore(session, owner, reference, MISTAKE, record.id),
    )
    for act in acts:
        with pytest.raises(Forbidden, match="Ito Kenji withdrew"):
            act()
        assert share.suspended_at
    shares.resume(session, higher, made.id, share.id)
    assert share.suspended_at is None


def test_a_link_that_a_manager_revoked_stays_so(
    session: Session, make: Factory, owner: User, export: Callable[..., Export]
) -> None:
    made = export(owner, approved_set(make, owner).id)
    token, share = link(session, owner, made)
    shares.revoke(session, make.user(Role.MANAGER), made.id, share.id)
    shares.resume(session, owner, made.id, share.id)
    with pytest.raises(NotFound):
        exports.share(session, token)


# Decisions


def test_former_reviewers_cannot_withdraw(session: Session, make: Factory, owner: User) -> None:
    image = make.finished_set(owner).images[0]
    reviewer = make.user(Role.REVIEWER)
    decision = reviews.decide(session, reviewer, image.id, "approved", None)
    session.flush()
    assert review_queries.undoable(session, reviewer, decision.id)
    fall(reviewer, Role.DESIGNER)
    with pytest.raises(Forbidden, match="Only reviewers decide"):
        reviews.withdraw(session, reviewer, decision.id)
    assert review_queries.undoable(session, reviewer, decision.id) is None
    assert image.decision == Verdict.APPROVED, "what was decided as a reviewer stands"
    reviews.withdraw(session, fall(reviewer, Role.MANAGER), decision.id)


def test_a_managers_rejection_outweighs_reviewers(session: Session, make: Factory, owner: User) -> None:
    image = make.finished_set(owner).images[0]
    reason = review_queries.reasons(session)[0].words
    rejection = reviews.decide(session, make.user(Role.MANAGER), image.id, "rejected", None, reason)
    session.flush()
    reviewer = make.user(Role.REVIEWER)
    reviews.decide(session, reviewer, image.id, "approved", rejection.id)
    with pytest.raises(Forbidden):
        reviews.withdraw(session, reviewer, rejection.id)
    assert image.decision == Verdict.REJECTED


def test_a_lock_opens_to_the_role_that_closed_it(session: Session, make: Factory, owner: User) -> None:
    image_set = make.finished_set(owner)
    manager, admin = make.user(Role.MANAGER), make.user(Role.ADMIN)
    for by, able, unable in (
        (owner, manager, owner),
        (manager, manager, owner),
        (manager, admin, owner),
        (admin, admin, manager),
    ):
        reviews.lock(session, by, image_set.id)
        assert not reviews.may_unlock(unable, image_set)
        with pytest.raises(Forbidden):
            reviews.unlock(session, unable, image_set.id)
        reviews.unlock(session, able, image_set.id)
        assert sets.get(session, owner, image_set.id).locked_as is None


# Archiving and deleting


@pytest.mark.parametrize("by", HIGH)
def test_the_owner_cannot_restore_what_a_manager_archived(
    session: Session, make: Factory, owner: User, by: Role
) -> None:
    higher, style, subject = make.user(by), make.style(owner), make.finished_subject(owner)
    styles.archive(session, higher, style)
    subjects.archive(session, higher, subject.id)
    subjects.archive(session, owner, subject.id)  # already archived: this must not weaken the manager's act
    acts: tuple[Callable[[User], object], ...] = (
        lambda user: styles.unarchive(session, user, style),
        lambda user: subjects.unarchive(session, user, subject.id),
    )
    for act in acts:
        with pytest.raises(Forbidden, match=r"archived .*; only (managers|administrators) can restore it"):
            act(owner)
        act(higher)
    assert (style.archived_at, subject.archived_at) == (None, None)
    styles.archive(session, owner, style)
    styles.unarchive(session, owner, style)
    subjects.archive(session, owner, subject.id)
    subjects.archive(session, higher, subject.id)
    with pytest.raises(Forbidden):
        subjects.unarchive(session, owner, subject.id)


def test_the_owner_restores_what_they_deleted_themselves(session: Session, make: Factory, owner: User) -> None:
    images = make.finished_set(owner).images
    manager = make.user(Role.MANAGER)
    gallery.delete(session, owner, [images[0].id])
    gallery.delete(session, manager, [images[1].id])
    fall(manager, Role.DESIGNER)
    for person in (owner, manager):
        done = gallery.restore(session, person, [image.id for image in images])
        assert done.refused.total() == 1 + (person is manager)
    assert [image.deleted_at is None for image in images] == [True, False]


def test_a_former_manager_cannot_undo_their_own_stops(session: Session, make: Factory, owner: User) -> None:
    fall(owner, Role.MANAGER)
    style, subject, image_set = make.style(owner), make.finished_subject(owner), make.finished_set(owner)
    image = image_set.images[0]
    styles.archive(session, owner, style)
    subjects.archive(session, owner, subject.id)
    gallery.delete(session, owner, [image.id])
    reviews.lock(session, owner, image_set.id)
    fall(owner, Role.DESIGNER)
    acts: tuple[Callable[[User], object], ...] = (
        lambda user: styles.unarchive(session, user, style),
        lambda user: subjects.unarchive(session, user, subject.id),
        lambda user: reviews.unlock(session, user, image_set.id),
    )
    for act in acts:
        with pytest.raises(Forbidden):
            act(owner)
        act(make.user(Role.MANAGER))
    assert gallery.restore(session, owner, [image.id]).ids == []
    assert gallery.restore(session, make.user(Role.MANAGER), [image.id]).ids == [image.id]


def test_what_a_manager_deleted_of_an_export_is_gone(
    session: Session, make: Factory, owner: User, export: Callable[..., Export]
) -> None:
    image_set = approved_set(make, owner)
    made = export(owner, image_set.id)
    token, _ = link(session, owner, made)
    endings.end(session, make.user(Role.MANAGER), made, Act.EXPORT_DELETE)
    session.flush()
    with pytest.raises(NotFound):
        exports.get(session, owner, made.id)
    with pytest.raises(NotFound):
        exports.share(session, token)
    assert exports.recent(session, owner) == []
    another = export(owner, image_set.id)
    assert exports.recent(session, owner) == [another], "a new export is a new act"


def test_a_map_keeps_its_owner(session: Session, make: Factory, owner: User) -> None:
    first = make.structure_map(owner)
    assert make.structure_map(make.user(Role.MANAGER)) is first
    assert first.uploaded_by_id == owner.id


def test_the_file_of_a_subject_is_its_owners_and_managers(session: Session, make: Factory, owner: User) -> None:
    subject = make.finished_subject(owner)
    for user in (owner, make.user(Role.MANAGER)):
        subjects.note_download(session, user, subject)
    for user in (make.user(), make.user(Role.REVIEWER)):
        with pytest.raises(Forbidden, match="Only Mori Haruka or a manager"):
            subjects.note_download(session, user, subject)


# Existing rows


def test_earlier_acts_keep_the_role_in_the_audit_log(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    migrate(settings, "0009")
    engine = make_engine(settings.database_url, foreign_keys=False)
    with engine.execution_options(writes=True).begin() as connection:
        old = MetaData()
        old.reflect(connection)

        def add(table: str, month: int = 1, when: str = "created_at", **values: object) -> None:
            connection.execute(insert(old.tables[table]), {when: datetime(2026, month, 1, tzinfo=UTC), **values})

        for number, role in enumerate(("designer", "designer", "admin"), start=1):
            person = {"name": "A", "email": f"{number}@x", "password_hash": "-", "role": role, "active": True}
            add("users", id=number, **person)
            facts = dict.fromkeys(("width", "height", "bytes"), 1) | {"sha256": str(number), "original_name": "a"}
            add("references", id=number, rights={}, uploaded_by_id=number, **facts)
        texts = ("supplied_by", "owned_by", "licence", "allows", "territory", "source_url", "note", "reason")
        stated = {**dict.fromkeys(texts, ""), "withdrawn": True}
        for number, (reference, person, month) in enumerate(
            ((1, 1, 3), (1, 2, 3), (2, 2, 3), (2, 2, 5), (1, 3, 5)), start=1
        ):
            add("rights_records", month, id=number, reference_id=reference, made_by_id=person, **stated)
        # Person 2 was a manager until April.
        event = {"previous": "", "hash": "", "when": "at"}
        fell = {"user_id": 3, "subject": "users", "subject_id": 2, "details": {"role": ["manager", "designer"]}}
        add("audit_events", 4, id=1, act="account:user:change", **event | fell)
        add("campaigns", id=1, name="Autumn", approvals_needed=1, created_by_id=1)
        add("styles", id=1, code="S", name="S", owner_id=1, archived_at=datetime(2026, 3, 1, tzinfo=UTC))
        archived = {"user_id": 2, "subject": "styles", "subject_id": 1, "details": {}}
        add("audit_events", 3, id=2, act="style:style:archive", **event | archived)
    engine.dispose()
    migrate(settings)
    database = Database(settings)
    with database.read() as session:
        found = session.scalars(select(RightsRecord.made_as).order_by(RightsRecord.id)).all()
        assert found == ["designer", "manager", "manager", "designer", "admin"]
        assert session.scalars(select(Campaign.four_eyes)).all() == [False], "existing campaigns stay unchanged"
        assert session.scalars(select(Style.archived_as)).all() == ["manager"]
        triggers = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'images'"
        assert session.connection().exec_driver_sql(triggers).scalar() == 5
    database.close()
