"""Reports of pictures: who reports, what is held back until a manager decides, and what follows."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict, Forbidden, Invalid, Later, NotFound
from app.exports import queries as export_queries
from app.exports import service as exports
from app.exports import shares, single
from app.exports.options import ExportOptions
from app.exports.shares import ShareSpec
from app.models import Act, AuditEvent, Export, ExportFile, ExportState, ImageSet, Role, Share, User
from app.reports import queries, service
from app.reports.spec import ReportDecision, ReportSpec
from app.rights import service as rights
from app.rights.spec import Reason
from tests.factory import Factory

PERSON = ReportSpec.checked("person", "This is Yamada Taro.")


class Desk:
    """A designer with two approved pictures in an export with a share link, and a manager."""

    def __init__(self, make: Factory) -> None:
        self.make, self.session = make, make.session
        self.owner, self.manager = make.user(Role.DESIGNER, "Mori"), make.user(Role.MANAGER)
        self.set: ImageSet = make.finished_set(self.owner, prompts="a fox\nan owl")
        for image in self.set.images:
            make.decide(image)
        self.first, self.second = (image.id for image in self.set.images)
        export = exports.create(self.session, self.owner, self.planned())
        export.state = ExportState.READY
        self.session.flush()
        shares.create(self.session, self.owner, export.id, ShareSpec(note="Contoso"), None)
        self.session.flush()
        self.share = self.session.scalars(select(Share)).one()

    def planned(self) -> exports.Plan:
        wanted = exports.selection(self.session, self.owner, set_id=self.set.id)
        return exports.plan(self.session, self.owner, wanted, ExportOptions())

    def decide(self, report_id: int, outcome: str, user: User | None = None) -> None:
        decision = ReportDecision.parse({"outcome": outcome, "reason": "Checked with Mori"})
        service.decide(self.session, user or self.manager, report_id, decision)
        self.session.flush()


@pytest.fixture
def desk(make: Factory) -> Desk:
    return Desk(make)


def test_a_report_alone_stops_nothing_and_is_recorded(desk: Desk) -> None:
    row = service.report(desk.session, desk.make.user(), desk.first, PERSON)
    assert desk.planned().pictures == 2
    assert desk.share.suspended_at is None
    assert queries.open_of(desk.session, desk.first) == 1
    assert [need.count for need in queries.needs(desk.session, desk.manager)] == [1]
    assert queries.needs(desk.session, desk.owner) == []
    event = desk.session.scalars(select(AuditEvent).filter_by(act=Act.REPORT)).one()
    assert (event.subject, event.subject_id) == ("images", desk.first)
    assert event.details == {"report": row.id, "because": "person", "note": ""}
    assert [each.id for each in queries.listed(desk.session, desk.manager)] == [row.id]


def test_what_is_held_back_is_in_no_new_export_and_its_links_are_on_hold(desk: Desk) -> None:
    row = service.report(desk.session, desk.make.user(), desk.first, PERSON)
    service.hold(desk.session, desk.manager, row.id)
    assert desk.planned().pictures == 1
    wanted = exports.selection(desk.session, desk.owner, set_id=desk.set.id)
    assert exports.left_out(desk.session, desk.owner, wanted, exports.tally(desk.session, desk.owner, wanted)) == 0
    assert desk.share.suspended_at
    with pytest.raises(Conflict, match="reported and is held back"):
        single.picture(desk.session, desk.owner, desk.first)
    with pytest.raises(Conflict, match="held back already"):
        service.hold(desk.session, desk.manager, row.id)
    other = service.report(desk.session, desk.make.user(), desk.second, PERSON)
    service.hold(desk.session, desk.manager, other.id)
    with pytest.raises(Conflict, match="were reported and are held back"):
        desk.planned()
    service.release(desk.session, desk.manager, row.id)
    assert desk.share.suspended_at, "the other picture is still held back"
    desk.decide(other.id, "dismissed")
    assert desk.share.suspended_at is None
    assert desk.planned().pictures == 2
    with pytest.raises(Conflict, match="not held back"):
        service.release(desk.session, desk.manager, row.id)


def test_nobody_shares_what_is_held_back(desk: Desk) -> None:
    row = service.report(desk.session, desk.make.user(), desk.first, PERSON)
    service.hold(desk.session, desk.manager, row.id)
    for user in (desk.owner, desk.manager):
        with pytest.raises(Conflict, match="reported and are held back"):
            shares.resume(desk.session, user, desk.share.export_id, desk.share.id)
        with pytest.raises(Conflict, match="reported and are held back"):
            shares.create(desk.session, user, desk.share.export_id, ShareSpec(), None)
    assert desk.share.suspended_at
    desk.decide(row.id, "removed")
    shares.resume(desk.session, desk.owner, desk.share.export_id, desk.share.id)
    assert desk.share.suspended_at is None, "somebody took responsibility for it"


def test_a_link_stays_on_hold_for_withdrawn_rights(desk: Desk) -> None:
    reference = desk.set.style_version.references[0].reference
    desk.make.right(reference)
    row = service.report(desk.session, desk.make.user(), desk.first, PERSON)
    service.hold(desk.session, desk.manager, row.id)
    rights.withdraw(desk.session, desk.manager, reference, Reason(reason="Asked to"))
    desk.decide(row.id, "dismissed")
    assert desk.share.suspended_at


def test_a_removed_picture_goes_to_the_bin_with_all_its_reports(desk: Desk) -> None:
    rows = [service.report(desk.session, desk.make.user(), desk.first, PERSON) for _ in range(2)]
    desk.decide(rows[0].id, "removed")
    assert rows[0].image.deleted_at
    assert [row.outcome for row in rows] == ["removed", "removed"]
    assert rows[1].decision == "Checked with Mori"
    assert desk.share.suspended_at, "somebody takes responsibility for the link first"
    assert queries.listed(desk.session, desk.manager) == []
    assert len(queries.listed(desk.session, desk.manager, decided=True)) == 2
    event = desk.session.scalars(select(AuditEvent).filter_by(act=Act.REPORT_DECIDE)).one()
    assert event.details == {"report": rows[0].id, "verdict": "removed", "note": "Checked with Mori"}
    with pytest.raises(NotFound, match="decided already"):
        desk.decide(rows[0].id, "dismissed")


def test_a_picture_that_cannot_be_removed_says_why(desk: Desk) -> None:
    from app.reviews import service as reviews

    reviews.lock(desk.session, desk.owner, desk.set.id)
    row = service.report(desk.session, desk.make.user(), desk.first, PERSON)
    with pytest.raises(Conflict, match="cannot be removed: "):
        desk.decide(row.id, "removed")
    assert row.decided_at is None


def test_only_managers_see_and_decide(desk: Desk) -> None:
    reviewer, row = desk.make.user(Role.REVIEWER), service.report(desk.session, desk.owner, desk.first, PERSON)
    for act in (
        lambda: queries.listed(desk.session, reviewer),
        lambda: service.hold(desk.session, reviewer, row.id),
        lambda: service.release(desk.session, reviewer, row.id),
        lambda: desk.decide(row.id, "dismissed", reviewer),
    ):
        with pytest.raises(Forbidden):
            act()


def test_the_same_person_reports_once_and_visitors_not_without_end(desk: Desk) -> None:
    service.report(desk.session, desk.owner, desk.first, PERSON)
    with pytest.raises(Conflict, match="already reported"):
        service.report(desk.session, desk.owner, desk.first, PERSON)
    for _ in range(service.MOST_OPEN):
        row = service.report_shared(desk.session, desk.share, desk.first, PERSON)
    assert (row.reporter, row.share_note) == (None, f"{desk.share.export.name}, Contoso")
    with pytest.raises(Later, match="several times"):
        service.report_shared(desk.session, desk.share, desk.first, PERSON)
    service.report_shared(desk.session, desk.share, desk.second, PERSON)


def test_a_report_says_what_is_wrong() -> None:
    for kind, words, fields in (("", "x" * 1001, ["kind", "words"]), ("nonsense", "", ["kind"])):
        with pytest.raises(Invalid) as error:
            ReportSpec.checked(kind, words)
        assert list(error.value.errors) == fields
    with pytest.raises(Invalid):
        ReportDecision.parse({"outcome": "dismissed", "reason": ""})


def test_a_share_that_is_gone_leaves_its_reports(desk: Desk, session: Session) -> None:
    service.report_shared(session, desk.share, desk.first, PERSON)
    session.flush()
    session.query(ExportFile).delete()
    session.query(Share).delete()
    session.query(Export).delete()
    session.flush()
    assert len(queries.listed(session, desk.manager)) == 1


def test_a_removed_picture_keeps_its_links_on_hold_when_another_report_is_dismissed(desk: Desk) -> None:
    first, second = (service.report(desk.session, desk.make.user(), each, PERSON) for each in (desk.first, desk.second))
    service.hold(desk.session, desk.manager, first.id)
    service.hold(desk.session, desk.manager, second.id)
    desk.decide(first.id, "removed")
    desk.decide(second.id, "dismissed")
    assert desk.share.suspended_at is not None
    shares.resume(desk.session, desk.manager, desk.share.export_id, desk.share.id)
    assert desk.share.suspended_at is None


def test_undoing_a_revocation_opens_no_link_to_what_is_held_back(desk: Desk) -> None:
    shares.revoke(desk.session, desk.owner, desk.share.export_id, desk.share.id)
    assert desk.share.revoked_at
    at = desk.share.revoked_at.isoformat()
    row = service.report(desk.session, desk.make.user(), desk.first, PERSON)
    service.hold(desk.session, desk.manager, row.id)
    told = shares.undo_revocation(desk.session, desk.owner, desk.share.id, at)
    assert "on hold" in told.words
    assert desk.share.open
    assert desk.share.suspended_at is not None
    desk.decide(row.id, "dismissed")
    assert desk.share.suspended_at is None


def test_an_export_from_before_says_that_pictures_are_held_back(desk: Desk) -> None:
    export_id = desk.share.export_id
    row = service.report(desk.session, desk.make.user(), desk.first, PERSON)
    assert export_queries.changed(desk.session, [export_id]) == {}
    service.hold(desk.session, desk.manager, row.id)
    changed = export_queries.changed(desk.session, [export_id])[export_id]
    assert changed.told(2) == "1 of 2 pictures was reported and is held back."
    assert exports.planned_without_changed(desk.session, desk.owner, export_id).pictures == 1
