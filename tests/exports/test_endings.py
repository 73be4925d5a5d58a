"""Acts that end an export or its links, or put them on hold."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.days import today
from app.errors import Conflict
from app.exports import contents, endings, queries, service, shares
from app.exports.preparer import Preparer
from app.exports.queries import Changed
from app.exports.removal import remove_holding
from app.exports.shares import ShareSpec
from app.gallery import service as gallery
from app.gallery.purger import Purger
from app.models import (
    Act,
    AuditEvent,
    Export,
    ExportState,
    ImageSet,
    Reference,
    RightsRecord,
    Role,
    Share,
    User,
    Verdict,
    now,
)
from app.rights import service as rights
from app.rights.spec import Reason
from tests.exports.conftest import Make
from tests.exports.test_service import approved_set
from tests.factory import Factory

WHY = Reason(reason="The photographer asked for it")
Link = Callable[..., Share]


@pytest.fixture
def user(make: Factory) -> User:
    return make.user(name="Mori Haruka")


@pytest.fixture
def link(session: Session, user: User) -> Link:
    """A link to an export that counts as ready."""

    def make_link(export: Export, by: User | None = None) -> Share:
        export.state = ExportState.READY
        session.flush()
        token = shares.create(session, by or user, export.id, ShareSpec(), None)
        session.flush()
        return queries.share(session, token)

    return make_link


def of(session: Session, user: User, image_set: ImageSet) -> Export:
    export = service.create(
        session,
        user,
        service.plan(session, user, service.selection(session, user, set_id=image_set.id), service.ExportOptions()),
    )
    session.flush()
    return export


def reference_of(image_set: ImageSet) -> Reference:
    return image_set.style_version.references[0].reference


def acts(session: Session, share: Share) -> list[Act]:
    session.flush()
    events = select(AuditEvent).where(AuditEvent.subject == "shares", AuditEvent.subject_id == share.id)
    return [Act(event.act) for event in session.scalars(events.order_by(AuditEvent.id))]


def restore(session: Session, user: User, reference: Reference) -> None:
    withdrawn = rights.queries.held(session, reference).record
    assert withdrawn
    rights.restore(session, user, reference, WHY, withdrawn.id)


def test_later_changes_are_counted(session: Session, make: Factory, user: User) -> None:
    image_set = approved_set(make, user, prompts="a fox\nan owl\na pear", style=make.style(user))
    export, other = of(session, user, image_set), of(session, user, approved_set(make, user))
    assert queries.changed(session, [export.id, other.id]) == {}
    make.decide(image_set.images[0], Verdict.REJECTED)
    gallery.delete(session, user, [image_set.images[1].id])
    rights.withdraw(session, user, reference_of(image_set), WHY)
    session.flush()
    assert queries.changed(session, [export.id, other.id]) == {export.id: Changed(1, 1, 1)}
    assert [held.name for held in queries.restraining(session, export.id)] == [reference_of(image_set).original_name]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (Changed(0, 1, 0), "1 of 3 pictures is no longer approved."),
        (Changed(1, 0, 0), "1 of 3 pictures was deleted."),
        (
            Changed(1, 2, 2),
            "2 of 3 pictures are no longer approved; 2 come from a reference without valid rights; 1 was deleted.",
        ),
    ],
)
def test_it_is_reported_in_a_sentence(changed: Changed, told: str) -> None:
    assert changed.told(3) == told


def test_exported_again_it_leaves_them_out(session: Session, make: Factory, user: User) -> None:
    image_set = approved_set(make, user, prompts="a fox\nan owl", style=make.style(user))
    other = approved_set(make, user, prompts="a pear", style=make.style(user))
    wanted = service.selection(session, user, image_ids=[each.id for each in (*image_set.images, *other.images)])
    export = service.create(session, user, service.plan(session, user, wanted, service.ExportOptions(format="webp")))
    make.decide(image_set.images[0], Verdict.REJECTED)
    rights.withdraw(session, user, reference_of(other), WHY)
    session.flush()
    again = service.create(session, user, service.planned_without_changed(session, user, export.id))
    session.flush()
    assert (again.pictures, again.name, again.options) == (1, export.name, export.options)
    assert contents.first_names(session, again.id) == ["unsorted-retro-sunburst-001-an-owl.webp"]
    make.decide(image_set.images[1], Verdict.REJECTED)
    with pytest.raises(Conflict, match="nothing to export"):
        service.planned_without_changed(session, user, export.id)


def test_withdrawn_rights_put_links_on_hold_until_valid_again(
    session: Session, make: Factory, user: User, link: Link
) -> None:
    style, plain = make.style(user), make.style(user)
    region = json.dumps([{"prompt": "an owl", "box": [0, 0, 0.5, 0.5], "style_code": style.code}])
    held = [link(of(session, user, approved_set(make, user, style=style)))]
    held.append(link(of(session, user, approved_set(make, user, style=plain, regions=region))))
    free = link(of(session, user, approved_set(make, user, style=plain)))
    revoked = link(held[0].export)
    shares.revoke(session, user, revoked.export_id, revoked.id)
    reference = style.versions[0].references[0].reference
    make.right(reference)
    rights.withdraw(session, user, reference, WHY)
    assert all(share.suspended_at and not shares.may_go_on(session, share.id) for share in held)
    assert free.suspended_at is revoked.suspended_at is None
    assert shares.may_go_on(session, free.id)
    restore(session, user, reference)
    assert all(share.suspended_at is None for share in held)
    for share in held:
        assert acts(session, share) == [Act.SHARE_CREATE, Act.SHARE_SUSPEND, Act.SHARE_RESUME]
    assert acts(session, free) == [Act.SHARE_CREATE]


def test_a_revoked_link_that_works_again_is_on_hold_like_the_others(
    session: Session, make: Factory, user: User, link: Link
) -> None:
    image_set = approved_set(make, user, style=make.style(user))
    share, reference = link(of(session, user, image_set)), reference_of(image_set)
    shares.revoke(session, user, share.export_id, share.id)
    assert share.revoked_at
    rights.withdraw(session, user, reference, WHY)
    told = shares.undo_revocation(session, user, share.id, share.revoked_at.isoformat())
    assert told.words.startswith("The link is on hold")
    assert not shares.may_go_on(session, share.id)
    restore(session, user, reference)
    assert shares.may_go_on(session, share.id)


def test_rights_that_expired_keep_links_on_hold(session: Session, make: Factory, user: User, link: Link) -> None:
    image_set = approved_set(make, user, style=make.style(user))
    share, reference = link(of(session, user, image_set)), reference_of(image_set)
    make.right(reference, valid_until=(today() - timedelta(days=1)).isoformat())
    rights.withdraw(session, user, reference, WHY)
    restore(session, user, reference)
    assert share.suspended_at
    make.right(reference, valid_until=(today() + timedelta(days=9)).isoformat())
    assert share.suspended_at is None


def test_links_to_people_wait_while_their_consent_does_not_hold(
    session: Session, make: Factory, preparer: Preparer, user: User, link: Link
) -> None:
    image_set = approved_set(make, user, style=make.style(user))
    share, reference = link(of(session, user, image_set)), reference_of(image_set)
    make.right(reference, person="Aiko Mori")
    assert share.suspended_at, "a person without consent is known of now"
    make.right(reference, person="Aiko Mori", consent="Signed release", consent_until=today().isoformat())
    endings.suspend_lapsed(session)
    assert share.suspended_at is None, "today is its last day"
    yesterday = today() - timedelta(days=1)
    session.execute(update(RightsRecord.__table__).values(consent_until=yesterday))  # as a day later
    session.commit()
    preparer.make_ready()
    session.expire_all()
    assert share.suspended_at
    with pytest.raises(Conflict, match="shows Aiko Mori, without valid consent"):
        shares.resume(session, user, share.export_id, share.id)
    endings.suspend_lapsed(session)
    assert acts(session, share)[2:] == [Act.SHARE_RESUME, Act.SHARE_SUSPEND], "once"
    make.right(reference, person="Aiko Mori", consent="Signed release")
    assert share.suspended_at is None


def test_two_rights_must_both_be_valid_again(session: Session, make: Factory, user: User, link: Link) -> None:
    one, two = (approved_set(make, user, style=make.style(user)) for _ in range(2))
    wanted = service.selection(session, user, image_ids=[each.images[0].id for each in (one, two)])
    share = link(service.create(session, user, service.plan(session, user, wanted, service.ExportOptions())))
    for image_set in (one, two):
        rights.withdraw(session, user, reference_of(image_set), WHY)
    restore(session, user, reference_of(one))
    assert share.suspended_at
    restore(session, user, reference_of(two))
    assert share.suspended_at is None


def test_the_exports_owner_may_confirm_a_link(session: Session, make: Factory, user: User, link: Link) -> None:
    image_set = approved_set(make, user, style=make.style(user))
    share = link(of(session, user, image_set))
    rights.withdraw(session, user, reference_of(image_set), WHY)
    shares.resume(session, user, share.export_id, share.id)
    assert share.suspended_at is None
    assert acts(session, share)[-1] == Act.SHARE_RESUME


def test_a_picture_removed_for_good_ends_the_exports_that_hold_it(
    session: Session, make: Factory, preparer: Preparer, ready: Make, user: User, link: Link
) -> None:
    image_set = approved_set(make, user, prompts="a fox\nan owl")
    export, other = ready(user, set_id=image_set.id), ready(user, set_id=approved_set(make, user, prompts="a pear").id)
    share = link(export)
    gone, ended = export.id, Share(id=share.id)
    gallery.delete(session, user, [image_set.images[0].id])
    image_set.images[0].deleted_at = now() - timedelta(days=31)
    session.flush()
    session.commit()
    Purger(preparer.database, make.files, remove_holding).purge()
    session.expire_all()
    assert session.scalars(select(Export)).all() == [other]
    assert acts(session, ended) == [Act.SHARE_CREATE, Act.SHARE_REVOKE]
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.EXPORT_EXPIRE)).one()
    assert (event.subject_id, event.user_id, event.details["because"]) == (
        gone,
        None,
        "a picture was removed for good",
    )


def test_a_closed_account_ends_its_links(session: Session, make: Factory, user: User, link: Link) -> None:
    export = of(session, user, approved_set(make, user))
    mine, theirs = link(export), link(export, make.user(Role.MANAGER))
    accounts.set_active(session, make.user(Role.ADMIN), user.id, active=False)
    assert not mine.open
    assert theirs.open
    assert acts(session, mine) == [Act.SHARE_CREATE, Act.SHARE_REVOKE]
    accounts.set_active(session, make.user(Role.ADMIN), user.id, active=True)
    assert not mine.open, "opening the account again opens no link"


def test_deleting_an_export_records_the_end_of_each_link(
    session: Session, user: User, make: Factory, link: Link, preparer: Preparer
) -> None:
    export = of(session, user, approved_set(make, user))
    ended = Share(id=link(export).id)
    session.commit()
    preparer.delete(user, export.id)
    session.expire_all()
    assert acts(session, ended) == [Act.SHARE_CREATE, Act.SHARE_REVOKE]
