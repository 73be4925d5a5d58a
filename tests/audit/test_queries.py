"""Finding events, and describing them in words."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.audit import queries, table, words
from app.audit.queries import SYSTEM, RecordFilter
from app.audit.service import record
from app.errors import Forbidden
from app.exports import contents, shares
from app.exports import service as exports
from app.exports.options import ExportOptions
from app.exports.shares import ShareSpec
from app.files import Kind
from app.languages import speaking
from app.models import Act, AuditEvent, ExportState, Image, Role, User, Verdict
from app.work import queue
from tests.factory import Factory


@pytest.fixture
def manager(make: Factory) -> User:
    return make.user(Role.MANAGER, "Mori Haruka")


def at(session: Session, moment: datetime, user: User, monkeypatch: pytest.MonkeyPatch) -> AuditEvent:
    monkeypatch.setattr("app.audit.service.now", lambda: moment)
    return record(session, user, Act.COMMENT, user)


def ids(session: Session, manager: User, **wanted: Any) -> list[int]:
    return [event.id for event in queries.events(session, manager, RecordFilter(**wanted))]


def test_the_latest_come_first_a_page_at_a_time(session: Session, manager: User) -> None:
    for _ in range(7):
        record(session, manager, Act.SIGN_IN, manager)
    session.flush()

    def numbers(**where: Any) -> list[int]:
        return [event.id for event in queries.events(session, manager, RecordFilter(), limit=3, **where)]

    assert numbers() == [7, 6, 5]
    assert numbers(before=5) == [4, 3, 2]
    assert numbers(before=2) == [1]
    assert numbers(after=1) == [4, 3, 2]
    assert numbers(after=7) == []


@pytest.mark.parametrize("role", [Role.DESIGNER, Role.REVIEWER])
def test_the_record_is_for_managers(session: Session, make: Factory, role: Role) -> None:
    user = make.user(role)
    with pytest.raises(Forbidden, match="The audit log is for managers"):
        queries.events(session, user, RecordFilter())
    with pytest.raises(Forbidden):
        queries.people(session, user)
    with pytest.raises(Forbidden):
        queries.last_check(session, user)
    with pytest.raises(Forbidden):
        queries.events(session, make.user(Role.ADMIN, active=False), RecordFilter())


def test_events_are_found_by_person_act_and_subject(session: Session, make: Factory, manager: User) -> None:
    image_set = make.finished_set(name="Autumn table")
    image = image_set.images[0]
    reviewer = make.user(Role.REVIEWER)
    make.decide(image, reviewer=reviewer)
    everything = queries.events(session, manager, RecordFilter(), limit=100)

    def expected(true: Any) -> list[int]:
        found = [event.id for event in everything if true(event)]
        assert 0 < len(found) < len(everything)
        return found

    assert ids(session, manager, person=reviewer.id) == expected(lambda e: e.user_id == reviewer.id)
    assert ids(session, manager, person=SYSTEM) == expected(lambda e: e.user_id is None)
    assert ids(session, manager, act=Act.SET_CREATE) == expected(lambda e: e.act == Act.SET_CREATE)
    assert ids(session, manager, act="set") == expected(lambda e: e.act.startswith("set:"))
    on_image = expected(lambda e: (e.subject, e.subject_id) == ("images", image.id))
    assert ids(session, manager, subject=("images", image.id)) == on_image
    assert ids(session, manager, subject=("images", image.id), person=reviewer.id) == on_image[:1]


def test_what_happened_to_an_export_is_found_with_its_links_and_by_its_sets(
    session: Session, make: Factory, manager: User
) -> None:
    one, two = (make.finished_set(name=name) for name in ("Spring", "Autumn"))
    for image_set in (one, two):
        make.decide(image_set.images[0])
    wanted = exports.selection(session, manager, image_ids=[image_set.images[0].id for image_set in (one, two)])
    export = exports.create(session, manager, exports.plan(session, manager, wanted, ExportOptions()))
    export.state = ExportState.READY
    shares.create(session, manager, export.id, ShareSpec(note="Agency"), None)
    session.flush()
    exports.downloaded(session, manager, export, contents.set_ids(session, export.id))
    session.flush()
    found = queries.events(session, manager, RecordFilter(subject=("exports", export.id)))
    assert [event.act for event in found] == [Act.EXPORT, Act.SHARE_CREATE, Act.EXPORT_CREATE]
    assert found[0].details["sets"] == [one.id, two.id]
    for image_set in (one, two):
        assert ids(session, manager, subject=("image_sets", image_set.id))[0] == found[0].id
    assert ids(session, manager, subject=("exports", export.id + 1)) == []
    told = queries.things(session, found)
    sentences = [f"{words.did(event)} {words.name_of(told[event.subject, event.subject_id])}" for event in found]
    assert sentences == [
        "downloaded the export pictures-approved",
        "created a share link to the export pictures-approved for Agency",
        "created the export pictures-approved",
    ]


def test_days_begin_and_end_at_midnight_utc(session: Session, manager: User, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [(1, 0, 0, 0), (1, 23, 59, 59), (2, 0, 0, 0), (2, 23, 59, 59), (3, 0, 0, 0)]
    for day, *clock in moments:
        at(session, datetime(2026, 3, day, *clock, tzinfo=UTC), manager, monkeypatch)
    session.flush()
    second = date(2026, 3, 2)
    assert ids(session, manager, since=second, until=second) == [4, 3]
    assert ids(session, manager, since=second) == [5, 4, 3]
    assert ids(session, manager, until=second) == [4, 3, 2, 1]
    assert ids(session, manager, since=date.min, until=date.max) == [5, 4, 3, 2, 1]


def test_words_are_looked_for_in_details_and_names(session: Session, make: Factory, manager: User) -> None:
    one, two = make.user(name="森 はるか"), make.user(name="Ito_Kenji")
    record(session, one, Act.SIGN_IN, one, name="100% 秋の食卓")
    record(session, two, Act.SIGN_IN, two, name="Autumn table")
    session.flush()
    assert ids(session, manager, q="秋の") == [1]
    assert ids(session, manager, q="はるか") == [1]
    assert ids(session, manager, q="AUTUMN ito") == [2]
    assert ids(session, manager, q=two.email) == [2]
    assert ids(session, manager, q="100%") == [1], "% and _ are letters like others"
    assert ids(session, manager, q="o_K") == [2]
    assert ids(session, manager, q="autumn nobody") == []


def test_words_are_looked_for_in_the_names_of_things_too(session: Session, make: Factory, manager: User) -> None:
    image_set = make.finished_set(name="Herbst Küche", style=make.style(name="Kupferstich"), campaign="Winter")
    make.decide(image_set.images[0])
    session.flush()

    def acts(q: str) -> set[str]:
        return {event.act for event in queries.events(session, manager, RecordFilter(q=q), limit=100)}

    assert acts("herbst küche") == {Act.SET_CREATE, Act.IMAGE_FINISH, Act.DECIDE}
    assert acts("kupferstich") == {Act.STYLE_CREATE, Act.STYLE_VERSION}
    assert acts("winter") == {Act.CAMPAIGN_CREATE}
    assert acts(image_set.style_version.references[0].reference.original_name) == {Act.REFERENCE_UPLOAD}


def test_subjects_of_events_are_read_together_and_named(session: Session, make: Factory, manager: User) -> None:
    image_set = make.finished_set(name="Autumn table")
    make.decide(image_set.images[1])
    found = queries.events(session, manager, RecordFilter(), limit=100)
    things = queries.things(session, [*found, AuditEvent(subject="images", subject_id=999)])
    assert {words.name_of(thing) for thing in things.values()} >= {
        "Autumn table",
        "Retro sunburst",
        "version 1 of Retro sunburst",
        "picture 2 of Autumn table",
    }
    assert ("images", 999) not in things
    assert isinstance(things["images", image_set.images[0].id], Image)


# In words


def test_every_act_has_words_in_a_group() -> None:
    assert set(words.DID) == set(Act)
    assert {act.split(":")[0] for act in Act} == set(words.GROUPS)


@pytest.mark.parametrize(
    ("act", "details", "did"),
    [
        (Act.DECIDE, {"verdict": "approved"}, "approved"),
        (Act.DECIDE, {"verdict": "other"}, "decided on"),
        (Act.STYLE_ARCHIVE, {"archived": True}, "archived"),
        (Act.STYLE_ARCHIVE, {"archived": False}, "restored"),
        (Act.RECORD_CHECK, {"problem": None, "events": 3}, "checked the audit log and found it intact"),
        (Act.RECORD_CHECK, {"problem": "Event 2 was altered."}, "checked the audit log"),
        ("old:act:retired", {}, "old:act:retired"),
    ],
)
def test_what_was_done(act: Act, details: dict[str, Any], did: str) -> None:
    assert words.did(AuditEvent(act=act, details=details)) == did


def test_the_first_administrator_creates_their_own_account(session: Session, make: Factory) -> None:
    first = make.user(Role.ADMIN)
    assert words.did(record(session, first, Act.ACCOUNT_CREATE, first)) == "created their own account"
    assert words.did(record(session, first, Act.ACCOUNT_CREATE, make.user())) == "created the account of"


@pytest.mark.parametrize(
    ("act", "details", "more"),
    [
        (Act.DECIDE, {"verdict": "approved"}, ""),
        (Act.ACCOUNT_CHANGE, {"role": ["designer", "manager"]}, "role designer → manager"),
        (Act.ACCOUNT_CHANGE, {"active": False}, "active no"),
        (Act.EXPORT, {"name": "spring", "sets": [4, 5], "bytes": 1706125}, "name spring, sets 2, bytes 1.6 MB"),
        (Act.SET_RETRY, {"pictures": [1, 2], "other": None}, "pictures 1, 2"),
        (Act.ACCOUNT_CREATE, {"role": "admin", "invited_by": 1}, "role admin, invited by 1"),
    ],
)
def test_the_details_that_the_sentence_does_not_tell(act: Act, details: dict[str, Any], more: str) -> None:
    assert words.more(AuditEvent(act=act, details=details)) == more


def test_an_event_is_told_in_the_language_of_now(session: Session, make: Factory) -> None:
    user = make.user()
    event = record(session, user, Act.ACCOUNT_CHANGE, user, role=["designer", "manager"], active=True, note="role")
    with speaking("ja"):
        assert words.did(event) == "アカウントの変更"
        assert words.more(event) == "役割：デザイナー → マネージャー、利用中：はい、メモ：role", "typed text stays"
        table_of = table.lines([event], {})
    assert table_of == table.lines([event], {}), "the CSV is the same for everyone"


def test_the_csv_is_harmless_and_whole(session: Session, make: Factory, manager: User) -> None:
    person = make.user(name="=HYPERLINK(1)")
    event = record(session, person, Act.SIGN_IN, person, why="雨")
    session.flush()
    csv = (table.head() + table.lines([event], queries.things(session, [event]))).decode("utf-8-sig")
    head, line = csv.splitlines()
    assert head.split(",") == list(table.COLUMNS)
    assert "'=HYPERLINK(1)" in line
    assert ",=HYPERLINK" not in line
    assert '"{""why"": ""雨""}"' in line
    assert line.endswith(f"{event.previous},{event.hash}")


# Acts recorded without anyone signed in


def test_a_refused_sign_in_to_an_existing_account_is_recorded(session: Session, make: Factory) -> None:
    person = make.user()
    accounts.note_refused_sign_in(session, f" {person.email.upper()}", "password")
    accounts.note_refused_sign_in(session, person.email, "email")
    accounts.note_refused_sign_in(session, "my password, typed in the wrong place", "password")
    session.flush()
    events = session.query(AuditEvent).order_by(AuditEvent.id).all()
    assert [(event.act, event.subject_id, event.user_id) for event in events] == [
        (Act.SIGN_IN_REFUSED, person.id, None)
    ] * 2
    assert [event.details["reason"] for event in events] == ["wrong password", "closed account"]
    assert words.who(events[0]) == "Someone"


def test_a_set_that_fails_and_a_new_campaign_are_recorded(session: Session, make: Factory, manager: User) -> None:
    image_set = make.image_set(campaign="Spring")
    unit = queue.claim_next(session)
    assert unit
    queue.fail_unit(session, unit.id, "The disk is full.")
    session.flush()
    failed, *_ = queries.events(session, manager, RecordFilter(act=Act.UNIT_FAIL))
    assert (failed.subject_id, failed.details, failed.user) == (image_set.id, {"error": "The disk is full."}, None)
    made, *_ = queries.events(session, manager, RecordFilter(act=Act.CAMPAIGN_CREATE))
    assert (made.subject_id, made.user_id) == (image_set.campaign_id, image_set.owner_id)


def test_a_picture_uploaded_again_is_recorded_again(session: Session, make: Factory) -> None:
    first = make.reference()
    path = make.files.path(Kind.REFERENCES, first.sha256)
    assert make.reference(data=path.read_bytes()) is first
    uploads = session.query(AuditEvent).filter_by(act=Act.REFERENCE_UPLOAD).order_by(AuditEvent.id).all()
    assert [event.details.get("again") for event in uploads] == [None, True]
    assert len({event.user_id for event in uploads}) == 2


def test_a_decision_reads_as_a_sentence(session: Session, make: Factory, manager: User) -> None:
    image = make.finished_set(name="Autumn table").images[2 - 1]
    make.decide(image, Verdict.REJECTED, make.user(Role.REVIEWER, "Ito Kenji"))
    event = queries.of(session, image)[0]
    thing = queries.things(session, [event])["images", image.id]
    sentence = f"{words.who(event)} {words.did(event)} {words.name_of(thing)}"
    assert sentence == "Ito Kenji rejected picture 2 of Autumn table"
