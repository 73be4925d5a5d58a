"""Every act is undone exactly, or asks first, or is harmless; the table here knows all of them."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import undo
from app.accounts import demands
from app.accounts import service as accounts
from app.accounts.language import choose_language
from app.blocked import service as blocked
from app.blocked.service import WordSpec
from app.brand import service as brand_rules
from app.brand.spec import BrandSpec
from app.customs import queries as customs_queries
from app.customs import service as customs
from app.errors import Conflict, Forbidden, NotFound
from app.files import Files
from app.filing import service as filing
from app.gallery import handover, searches
from app.gallery import service as gallery
from app.measures import bounds
from app.models import Act, Base, BrandVersion, Checklist, Image, Role, SavedSearch, Style, TemplateKind, Undo, now
from app.reviews import comments, reasons, requirements
from app.reviews import queries as review_queries
from app.reviews import service as reviews
from app.reviews.standing import standing
from app.rights import service as rights
from app.sets import templates
from app.styles import service as styles
from app.subjects import service as subjects
from app.wiring import UNDO
from tests.factory import Factory

UNDONE, ASKS = "can be undone", "asks first"
# Each act: undone, asks first, or a sentence that says why neither is needed.
ACTS: dict[Act, str] = {
    **dict.fromkeys((Act.DECIDE, Act.SET_LOCK, Act.SET_UNLOCK, Act.REASONS_CHANGE, Act.CAMPAIGN_CHANGE), UNDONE),
    **dict.fromkeys((Act.CHECKLIST_CHANGE, Act.CHECKLIST_RENAME, Act.CHECKLIST_DELETE), UNDONE),
    **dict.fromkeys((Act.IMAGE_MOVE, Act.IMAGE_TAG, Act.IMAGE_DELETE, Act.IMAGE_RESTORE), UNDONE),
    **dict.fromkeys((Act.SEARCH_SAVE, Act.SEARCH_RENAME, Act.SEARCH_DELETE), UNDONE),
    **dict.fromkeys((Act.STYLE_ARCHIVE, Act.SUBJECT_ARCHIVE, Act.RIGHTS_FILE_REMOVE, Act.SHARE_REVOKE), UNDONE),
    **dict.fromkeys((Act.ACCOUNT_CHANGE, Act.ACCOUNT_TRANSFER, Act.INVITATION_REVOKE, Act.RESET_REVOKE), UNDONE),
    Act.FACTOR_DEMAND: UNDONE,
    Act.STYLE_BOUNDS: UNDONE,
    Act.POLICY_PUBLISH: "Earlier versions stay, and an edit makes the next.",
    Act.WORD_REMOVE: UNDONE,
    Act.SAFETY_FLAG: "The engine does it.",
    Act.SAFETY_CLEAR: "It is typed and sent on purpose; the picture can be rejected.",
    Act.BRAND_CHANGE: UNDONE,
    **dict.fromkeys((Act.BLIND_CREATE, Act.BLIND_INVITE), "It adds, and takes nothing away."),
    **dict.fromkeys((Act.BLIND_LEAVE, Act.BLIND_JOIN), "The opposite button takes its place."),
    Act.BLIND_STOP: ASKS,
    Act.BLIND_FINISH: "It follows from something else.",
    Act.REPORT: "It is typed and sent on purpose, and decided by a manager.",
    **dict.fromkeys((Act.REPORT_HOLD, Act.REPORT_RELEASE), "The opposite button takes its place."),
    Act.REPORT_DECIDE: "It is typed and sent on purpose; a removed picture is in the bin, and can be reported again.",
    **dict.fromkeys((Act.LIKENESS_ADD, Act.LIKENESS_REMOVE), "The opposite is on the same page."),
    **dict.fromkeys((Act.WORD_ADD, Act.WORD_CHANGE), "Edit and Remove are next to it."),
    Act.POLICY_ACCEPT: "It is done on purpose, and a proof.",
    Act.POLICY_END: ASKS,
    **dict.fromkeys((Act.SET_CANCEL, Act.EXPORT_DELETE, Act.SHARE_RESUME), ASKS),
    **dict.fromkeys((Act.RIGHTS_WITHDRAW, Act.RIGHTS_RESTORE), ASKS),
    **dict.fromkeys((Act.FACTOR_REMOVE, Act.FACTOR_RESET, Act.RECOVERY_CODES, Act.SIGN_OUT), ASKS),
    **dict.fromkeys((Act.STYLE_CREATE, Act.CAMPAIGN_CREATE, Act.SUBJECT_CREATE), "It adds, and takes nothing away."),
    **dict.fromkeys((Act.CHECKLIST_CREATE, Act.CHECKLIST_RESTORE), "It adds, and takes nothing away."),
    **dict.fromkeys((Act.SET_CREATE, Act.SET_RETRY, Act.IMAGE_REDO, Act.SUBJECT_RETRY), "It can be cancelled."),
    **dict.fromkeys((Act.STYLE_VERSION, Act.RIGHTS_SAVE), "Earlier versions stay, and an edit makes the next."),
    **dict.fromkeys((Act.SUBJECT_CANCEL, Act.HELD_REMOVE, Act.IMAGE_DISCARD), "Resume, Retry or Redo are next to it."),
    **dict.fromkeys((Act.THREAD_RESOLVE, Act.THREAD_REOPEN), "The opposite button takes its place."),
    **dict.fromkeys((Act.REFERENCE_UPLOAD, Act.MAP_UPLOAD, Act.MASK_UPLOAD), "The form shows it, and is not sent yet."),
    **dict.fromkeys((Act.RIGHTS_FILE_ADD, Act.FACTOR_ADD, Act.IDENTITY_LINK), "Remove is next to it."),
    **dict.fromkeys((Act.ACCOUNT_INVITE, Act.RESET_CREATE, Act.SHARE_CREATE), "Revoke is next to it."),
    **dict.fromkeys((Act.EXPORT_CREATE, Act.EXPORT_REBUILD), "It makes a copy, which can be deleted."),
    **dict.fromkeys(
        (Act.EXPORT, Act.IMAGE_DOWNLOAD, Act.LORA_DOWNLOAD, Act.RIGHTS_FILE_DOWNLOAD, Act.RECORD_DOWNLOAD),
        "It only reads.",
    ),
    **dict.fromkeys((Act.RECORD_CHECK, Act.SHARE_OPEN, Act.SHARE_DOWNLOAD, Act.SHARE_REFUSED), "It only reads."),
    **dict.fromkeys((Act.SIGN_IN, Act.SIGN_IN_REFUSED, Act.CONFIRM, Act.CONFIRM_REFUSED), "It proves who is there."),
    **dict.fromkeys((Act.PASSWORD_REFUSED, Act.ACCOUNT_CREATE, Act.RESET_USE), "Its person typed it on purpose."),
    **dict.fromkeys((Act.COMMENT, Act.COMMENT_EDIT), "It is typed and sent on purpose, and can be edited."),
    **dict.fromkeys((Act.SET_RENAME, Act.CAMPAIGN_RENAME, Act.STYLE_RENAME, Act.SUBJECT_RENAME), UNDONE),
    **dict.fromkeys((Act.SET_DELETE, Act.CAMPAIGN_DELETE, Act.STYLE_DELETE, Act.SUBJECT_DELETE), UNDONE),
    **dict.fromkeys((Act.SET_MOVE, Act.SET_ARCHIVE, Act.CAMPAIGN_ARCHIVE, Act.REFERENCE_DELETE), UNDONE),
    **dict.fromkeys((Act.SET_RESTORE, Act.CAMPAIGN_RESTORE, Act.STYLE_RESTORE), "It can be deleted again."),
    **dict.fromkeys((Act.SUBJECT_RESTORE, Act.REFERENCE_RESTORE), "It can be deleted again."),
    **dict.fromkeys((Act.SET_PURGE, Act.CAMPAIGN_PURGE, Act.STYLE_PURGE), "The system does it, when a time is over."),
    **dict.fromkeys((Act.SUBJECT_PURGE, Act.REFERENCE_PURGE), "The system does it, when a time is over."),
    **dict.fromkeys((Act.TEMPLATE_SAVE, Act.TEMPLATE_CHANGE), "It is typed and sent on purpose, and can be changed."),
    **dict.fromkeys((Act.TEMPLATE_DELETE, Act.TEMPLATE_RESTORE), "The opposite is in its toast or next to it."),
    Act.COMMENT_DELETE: UNDONE,
    Act.SAMPLE_OPEN: "Remove is next to it.",
    Act.SAMPLE_REMOVE: UNDONE,
    Act.COMMENT_RESTORE: "It can be deleted again.",
    **dict.fromkeys(
        (Act.WORK_PAUSE, Act.WORK_RESUME, Act.QUEUE_PAUSE, Act.QUEUE_RESUME), "The opposite is next to it."
    ),
    **dict.fromkeys((Act.WORK_MOVE, Act.IMAGE_CANCEL), "Moving back, or Retry, is next to it."),
    **dict.fromkeys((Act.IMAGE_PURGE, Act.EXPORT_EXPIRE, Act.RETENTION), "The system does it, when a time is over."),
    **dict.fromkeys((Act.SUBJECT_FINISH, Act.SUBJECT_FAIL, Act.SUBJECT_HOLD, Act.IMAGE_FINISH), "The engine does it."),
    **dict.fromkeys((Act.UNIT_FAIL, Act.UNIT_HOLD, Act.EXPORT_READY, Act.EXPORT_FAIL), "The system does it."),
    **dict.fromkeys((Act.SHARE_SUSPEND, Act.FILE_DAMAGE, Act.FILE_HEAL), "It follows from something else."),
    **dict.fromkeys(
        (Act.CERTIFICATE_MAKE, Act.CERTIFICATE_RENEW, Act.BACKUP, Act.BACKUP_RESTORE), "A command does it."
    ),
}


def test_every_act_is_undone_or_asks_or_says_why_not() -> None:
    assert set(ACTS) == set(Act), "say in the table here how the act is undone"
    assert all(how in (UNDONE, ASKS) or how.endswith(".") for how in ACTS.values())


class World:
    """One of everything that can be undone, and people of each role."""

    def __init__(self, session: Session, files: Files) -> None:
        self.session, self.make = session, Factory(session, files)
        self.owner, self.reviewer = self.make.user(Role.DESIGNER, "Owner"), self.make.user(Role.REVIEWER, "Kenji")
        self.manager, self.admin = self.make.user(Role.MANAGER, "Mori"), self.make.user(Role.ADMIN, "Aoki")
        self.other = self.make.user(Role.ADMIN, "Other")
        look = self.make.style(self.owner, self.make.reference(self.owner))
        self.set = self.make.finished_set(self.owner, look, prompts="a fox\nan owl\na pear", campaign="Autumn")
        self.ids = [image.id for image in self.set.images]


Do = Callable[[World], object]


def deactivate_admin(world: World) -> None:
    accounts.set_active(world.session, world.admin, world.other.id, False)


def demote_admin(world: World) -> None:
    accounts.set_role(world.session, world.admin, world.other.id, "designer")


def demand_of_managers(world: World) -> None:
    demands.demand(world.session, world.admin, "manager", True)


def handed_out(world: World) -> None:
    """Links that end with the role of the one who made them."""
    accounts.invite(world.session, world.other, "reviewer", "new@example.com")
    accounts.create_reset(world.session, world.other, world.owner.id)


def decided(world: World) -> None:
    reviews.decide_many(world.session, world.reviewer, world.set.images[:2], "approved", None)


def tagged(world: World) -> None:
    gallery.tag(world.session, world.manager, world.ids[:2], "hero")


def binned(world: World) -> None:
    gallery.delete(world.session, world.owner, world.ids[:2])


def saved(world: World) -> None:
    searches.save(world.session, world.owner, "Foxes", "q=fox", shared=True)


def with_word(world: World) -> None:
    blocked.add(world.session, world.manager, WordSpec(name="Acme", reason="A competitor", whole=False))


def own(world: World) -> SavedSearch:
    return world.session.scalars(select(SavedSearch)).one()


def with_document(world: World) -> None:
    kept = rights.keep_document(world.make.files, b"%PDF-1.7")
    rights.add_file(world.session, world.owner, style(world).versions[0].references[0].reference, kept, "a.pdf")


def remove_document(world: World) -> None:
    reference = style(world).versions[0].references[0].reference
    rights.remove_file(world.session, world.owner, reference, 1)


def style(world: World) -> Any:
    return world.set.style_version.style


def locked(world: World) -> None:
    reviews.lock(world.session, world.owner, world.set.id)


def archived(world: World) -> None:
    styles.archive(world.session, world.owner, style(world))


def subject(world: World) -> None:
    world.make.finished_subject(world.owner)


def with_winter(world: World) -> None:
    decided(world)
    world.make.finished_set(world.owner, style(world), campaign="Winter")


def commented(world: World) -> None:
    reviews.comment(world.session, world.owner, world.ids[0], "The ear")


def hand_over_set(world: World) -> None:
    """To a reviewer who has approved its pictures: these approvals no longer count."""
    handover.hand_over_set(world.session, world.admin, world.set.id, world.owner.id, world.reviewer.id)


def hand_over_others(world: World) -> None:
    _, to, work = handover.work_of(world.session, world.admin, world.owner.id, world.reviewer.email)
    assert work.words == "1 set, 1 style, 1 subject, 1 template and 1 search"
    handover.hand_over_others(world.session, world.admin, work, world.owner.id, to.id)


def owned(world: World) -> None:
    subject(world)
    saved(world)
    templates.save(world.session, world.owner, TemplateKind.NEGATIVE, "Plain", {"negative_prompt": "text"}, shared=True)


def add_item(w: World) -> None:
    number = len(customs_queries.items_of(checklist := w.session.get_one(Checklist, 1), checklist.items))
    customs.add(w.session, w.manager, 1, "other", f"No logos of others, {number}", "They belong to others")


def with_rules(w: World, colour: str, seen: int) -> None:
    spec = BrandSpec.checked({"colours": colour})
    brand_rules.save(w.session, w.manager, "style", style(w).id, spec, seen)


def brand(w: World) -> None:
    customs.create(w.session, w.manager, "Brand")


# What was there before, who acts, what they do, and the kind that undoes it.
CASES: list[tuple[str, Do, str, Do]] = [
    ("role", handed_out, "admin", demote_admin),
    ("active", handed_out, "admin", deactivate_admin),
    ("active", deactivate_admin, "admin", lambda w: accounts.set_active(w.session, w.admin, w.other.id, True)),
    ("language", lambda w: None, "owner", lambda w: choose_language(w.session, w.owner, "ja")),
    ("invitation", handed_out, "admin", lambda w: accounts.revoke_invitation(w.session, w.admin, 1)),
    ("reset", handed_out, "admin", lambda w: accounts.revoke_reset(w.session, w.admin, 1)),
    ("factor demand", lambda w: None, "admin", demand_of_managers),
    ("set owner", decided, "admin", hand_over_set),
    ("owners", owned, "admin", hand_over_others),
    ("style", lambda w: None, "owner", archived),
    ("style", archived, "owner", lambda w: styles.unarchive(w.session, w.owner, style(w))),
    ("subject", subject, "owner", lambda w: subjects.archive(w.session, w.owner, 1)),
    ("decisions", lambda w: None, "reviewer", decided),
    ("decisions", decided, "reviewer", lambda w: gallery.decide(w.session, w.reviewer, w.ids, "rejected", 99, REASON)),
    ("decisions", decided, "reviewer", lambda w: reviews.withdraw(w.session, w.reviewer, 1)),
    ("approvals", decided, "manager", lambda w: reviews.set_approvals(w.session, w.manager, w.set.campaign_id, 2)),
    ("four eyes", decided, "manager", lambda w: reviews.set_four_eyes(w.session, w.manager, w.set.campaign_id, False)),
    ("lock", decided, "owner", locked),
    ("unlock", locked, "manager", lambda w: reviews.unlock(w.session, w.manager, w.set.id)),
    ("bounds", lambda w: None, "manager", lambda w: bounds.save(w.session, w.manager, style(w), {"blank": 50.0}, None)),
    ("reasons", lambda w: None, "manager", lambda w: reasons.add(w.session, w.manager, "Too dark")),
    ("reasons", lambda w: None, "manager", lambda w: reasons.rename(w.session, w.manager, 1, "Too dark")),
    ("reasons", lambda w: None, "manager", lambda w: reasons.remove(w.session, w.manager, 1)),
    ("reasons", lambda w: None, "manager", lambda w: reasons.move(w.session, w.manager, 1, 1)),
    ("checklists", decided, "manager", lambda w: requirements.require(w.session, w.manager, w.set.campaign_id, [1])),
    ("checklist items", lambda w: None, "manager", add_item),
    ("checklist items", add_item, "manager", add_item),
    ("checklist items", lambda w: None, "manager", lambda w: customs.remove(w.session, w.manager, 1, "four-nine")),
    ("checklist name", brand, "manager", lambda w: customs.rename(w.session, w.manager, 7, "House style")),
    ("brand rules", lambda w: None, "manager", lambda w: with_rules(w, "#008080", 0)),
    ("brand rules", lambda w: with_rules(w, "#008080", 0), "manager", lambda w: with_rules(w, "#d01010", 1)),
    ("checklist", brand, "manager", lambda w: customs.delete(w.session, w.manager, 7)),
    ("move", decided, "owner", lambda w: gallery.move(w.session, w.owner, w.ids[:2], "Winter")),
    ("tag", tagged, "owner", lambda w: gallery.tag(w.session, w.owner, w.ids, "hero")),
    ("untag", tagged, "owner", lambda w: gallery.untag(w.session, w.owner, w.ids, "hero")),
    ("star", lambda w: gallery.star(w.session, w.owner, w.ids[:1]), "owner", lambda w: star(w, True)),
    ("star", lambda w: gallery.star(w.session, w.owner, w.ids[:1]), "owner", lambda w: star(w, False)),
    ("deletion", decided, "owner", binned),
    ("restoration", binned, "owner", lambda w: gallery.restore(w.session, w.owner, w.ids[:2])),
    ("blocked word", with_word, "manager", lambda w: blocked.remove(w.session, w.manager, 1)),
    ("search", lambda w: None, "owner", saved),
    ("search", saved, "owner", lambda w: searches.save(w.session, w.owner, "Foxes", "q=red", shared=False)),
    ("search", saved, "owner", lambda w: searches.rename(w.session, w.owner, own(w).id, "Red foxes")),
    ("search", saved, "owner", lambda w: searches.delete(w.session, w.owner, own(w).id)),
    ("rights file", with_document, "owner", remove_document),
    ("name", decided, "owner", lambda w: filing.rename(w.session, w.owner, "set", w.set.id, "Spring")),
    ("set campaign", with_winter, "owner", lambda w: filing.move(w.session, w.owner, w.set.id, "Winter")),
    ("set campaign", decided, "owner", lambda w: filing.move(w.session, w.owner, w.set.id, "Spring")),
    ("move", decided, "owner", lambda w: gallery.move(w.session, w.owner, w.ids[:2], "Spring")),
    ("archive", decided, "owner", lambda w: filing.archive(w.session, w.owner, "campaign", w.set.campaign_id)),
    ("bin", decided, "owner", lambda w: filing.delete(w.session, w.owner, "set", w.set.id)),
    ("bin", decided, "manager", lambda w: filing.delete(w.session, w.manager, "campaign", w.set.campaign_id)),
    ("bin", decided, "owner", lambda w: filing.delete(w.session, w.owner, "style", style(w).id)),
    ("comment", commented, "owner", lambda w: comments.delete(w.session, w.owner, 1)),
]
REASON = "Off the look"
WITH_OTHERS = {
    "share",
    "sample",
    "sample export",
}  # covered by tests/web and tests/samples: an export is prepared, or another made


def star(world: World, on: bool) -> None:
    gallery.star(world.session, world.owner, world.ids, on)


def test_every_kind_of_undo_is_driven() -> None:
    assert {kind for kind, *_ in CASES} | WITH_OTHERS == set(UNDO)


@pytest.fixture
def world(session: Session, files: Files) -> World:
    world = World(session, files)
    session.commit()
    return world


UNLIKE = {"audit_events", "audit_head", "undos", "decisions", "login_sessions", "tag_uses", "checklist_versions"}
UNLIKE |= {"style_bounds", "flags_due", "brand_versions"}  # whose newest row counts
UNLIKE |= {"set_measures"}  # which counts changes


def state(session: Session) -> dict[str, list[tuple[Any, ...]]]:
    """All rows, and which decisions count; without the records of what happened."""
    session.flush()
    session.expire_all()
    rows = {
        name: sorted((tuple(row) for row in session.execute(select(table))), key=repr)
        for name, table in Base.metadata.tables.items()
        if name not in UNLIKE
    }
    history = review_queries.histories(session, session.scalars(select(Image.id)).all())
    rows["standing"] = [
        (each.image_id, each.user_id, each.verdict, each.reason) for of in history.values() for each in standing(of)
    ]
    rows["bounds"] = [tuple(bounds.bounds_of(session, each.id).items()) for each in session.scalars(select(Style))]
    newest = session.scalars(select(BrandVersion).order_by(BrandVersion.number)).all()
    latest = {(each.style_id, each.campaign_id): str(each.rules) for each in newest}
    rows["brand"] = [(of, rules) for of, rules in latest.items() if rules != "{}"]
    return rows


@pytest.mark.parametrize(("kind", "before", "who", "do"), CASES, ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)])
def test_undone_everything_is_as_before(world: World, kind: str, before: Do, who: str, do: Do) -> None:
    session, user = world.session, getattr(world, who)
    before(world)
    session.commit()
    was = state(session)
    session.commit()
    do(world)
    token = undo.offered(session)
    assert state(session) != was
    session.commit()
    (part,) = undo.open_parts(session, user, token)
    assert kind in {step["kind"] for step in part.steps}
    done = undo.undo(session, user, part.id)
    assert done.told.endswith(".")
    assert not done.refused
    assert state(session) == was
    with pytest.raises(Conflict, match="already undone"):
        undo.open_parts(session, user, token)


@pytest.mark.parametrize(("kind", "before", "who", "do"), CASES, ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)])
def test_what_was_changed_since_is_not_undone(world: World, kind: str, before: Do, who: str, do: Do) -> None:
    """Undone by someone else, or by hand: then the first undo has nothing to put back, says so, and changes nothing."""
    session, user = world.session, getattr(world, who)
    before(world)
    session.commit()
    do(world)
    token = undo.offered(session)
    session.commit()
    (part,) = undo.open_parts(session, user, token)
    undo.undo(session, user, part.id)
    session.commit()
    part.undone_at = None
    session.commit()
    was = state(session)
    session.commit()
    try:
        done = undo.undo(session, user, part.id)
    except Conflict:
        session.rollback()
    else:
        assert kind == "star" or done.refused
        assert kind == "star" or not done.pictures
    assert state(session) == was


def test_only_the_person_who_did_it_can_undo_it_and_for_an_hour(world: World) -> None:
    session = world.session
    archived(world)
    token = undo.offered(session)
    session.commit()
    for user, wanted in ((world.manager, token), (world.owner, "unknown")):
        with pytest.raises(NotFound):
            undo.open_parts(session, user, wanted)
    (part,) = undo.open_parts(session, world.owner, token)
    part.created_at = now() - 2 * (now() - part.created_at) - undo.timedelta(minutes=undo.MINUTES)
    session.flush()
    with pytest.raises(NotFound, match="no longer"):
        undo.open_parts(session, world.owner, token)
    assert undo.forget(session) == 1
    assert not session.scalars(select(Undo)).all()


def test_permissions_are_checked_again(world: World) -> None:
    session = world.session
    demote_admin(world)
    token = undo.offered(session)
    session.commit()
    world.admin.role = Role.MANAGER
    session.commit()
    (part,) = undo.open_parts(session, world.admin, token)
    with pytest.raises(Forbidden):
        undo.undo(session, world.admin, part.id)


def test_the_last_administrator_stays_one(world: World) -> None:
    session = world.session
    accounts.set_role(session, world.admin, world.reviewer.id, "admin")
    token = undo.offered(session)
    session.commit()
    for person in (world.other, world.admin):
        person.active = False
    session.commit()
    (part,) = undo.open_parts(session, world.admin, token)
    with pytest.raises((Conflict, Forbidden)):
        undo.undo(session, world.admin, part.id)


def test_another_person_s_decision_stays_when_mine_is_undone(world: World) -> None:
    session, second = world.session, world.make.user(Role.REVIEWER)
    reviews.decide_many(session, world.reviewer, world.set.images, "rejected", None, REASON)
    token = undo.offered(session)
    session.commit()
    newest = review_queries.newest(session, second)
    reviews.decide_many(session, second, world.set.images[:1], "approved", newest)
    session.commit()
    reviews.lock(session, world.owner, world.set.id)
    session.commit()
    (part,) = undo.open_parts(session, world.reviewer, token)
    assert undo.undo(session, world.reviewer, part.id).told == "3 of 3 could not be undone: their set is locked."
    session.rollback()
    reviews.unlock(session, world.manager, world.set.id)
    assert undo.undo(session, world.reviewer, part.id).pictures == 3
    assert [image.decision for image in world.set.images] == ["approved", None, None]


def test_searches_are_given_only_where_their_name_is_free(world: World) -> None:
    session, owner, to = world.session, world.owner, world.reviewer
    saved(world)
    searches.save(session, owner, "Owls", "q=owl", shared=True)
    person, heir, work = handover.work_of(session, world.admin, owner.id, to.email)
    searches.save(session, to, "Foxes", "q=red")
    session.info.pop(undo.OFFERED, None)
    handover.hand_over_others(session, world.admin, work, person.id, heir.id)
    session.flush()
    token = undo.offered(session)
    mine = select(SavedSearch.name).where(SavedSearch.owner_id == owner.id).order_by(SavedSearch.name)
    assert session.scalars(mine).all() == ["Foxes"], "the heir has one of that name by now"
    session.info.pop(undo.OFFERED, None)
    searches.save(session, owner, "Owls", "q=snow")
    (part,) = undo.open_parts(session, world.admin, token)
    undo.undo(session, world.admin, part.id)
    assert session.scalars(mine).all() == ["Foxes", "Owls"]
