"""The audit log's chain: it survives concurrent writers, and reveals anything done to it outside Soroe."""

import json
import re
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, literal, select, text, type_coerce, update
from sqlalchemy.orm import Session
from sqlalchemy.types import NullType

from app.audit import chain
from app.audit.service import record, record_all
from app.database import Database, alembic_config, make_engine, migrate
from app.languages import speaking, translated
from app.models import Act, AuditEvent, AuditHead, Campaign, User, now
from app.settings import Settings
from tests.factory import Factory

EVENTS = 8
EVENT, HEAD = AuditEvent.__table__, AuditHead.__table__
numbers = st.integers(1, EVENTS)
examples = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


@pytest.fixture
def chained(session: Session, make: Factory) -> Iterator[Session]:
    """A record of eight events, kept. What a test does to it is undone by `session.rollback()`."""
    user = make.user(name="森 はるか")
    for number in range(EVENTS):
        record(session, user if number % 3 else None, Act.SIGN_IN, user, number=number, why="雨", ratio=0.1)
    session.commit()
    assert chain.verify(session).problem is None
    yield session
    session.rollback()


def rows(session: Session) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in session.execute(select(EVENT).order_by(EVENT.c.id))]


def rewrite(session: Session, events: list[dict[str, Any]]) -> None:
    """Replace all events with these, as someone with the database file could."""
    session.execute(delete(EVENT))
    session.execute(insert(EVENT), events)


def problem(session: Session, noted: str | None = None) -> str:
    """The fault found; restores the audit log afterwards."""
    found = chain.verify(session, noted).problem
    session.rollback()
    return found or "unbroken"


@pytest.mark.parametrize("message", chain.PROBLEMS)
def test_a_stored_problem_is_told_in_the_language_of_now(message: str) -> None:
    named = dict.fromkeys(("number", "first", "second", "last", "before"), 1631)
    stored = message % named
    assert translated(stored) == stored
    with speaking("ja"):
        told = translated(stored)
        assert told == translated(message) % named
        assert not re.search("[A-Za-z]", told)
        assert translated("Something else.") == "Something else."


def test_an_empty_record_is_unbroken(session: Session) -> None:
    assert chain.verify(session) == chain.Verification(0, chain.BEGINNING)
    assert chain.verify(session, chain.BEGINNING).noted == 0


def test_each_event_carries_the_hash_of_the_one_before(chained: Session) -> None:
    events = rows(chained)
    assert [event["id"] for event in events] == list(range(1, EVENTS + 1))
    assert [event["previous"] for event in events] == [chain.BEGINNING, *(event["hash"] for event in events[:-1])]
    assert chain.head(chained) == chain.Head(EVENTS, events[-1]["hash"])
    assert chain.verify(chained) == chain.Verification(EVENTS, events[-1]["hash"])


def test_the_hash_matches_the_docs() -> None:
    """Anyone can compute it: these bytes, SHA-256."""
    event = {
        "id": 7,
        "at": datetime(2026, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=9))),
        "user_id": None,
        "act": Act.DECIDE,
        "subject": "images",
        "subject_id": 3,
        "details": {"verdict": "approved"},
        "previous": chain.BEGINNING,
    }
    written = (
        '{"act":"review:image:decide","at":"2026-03-01T00:30:00.000000+00:00","details":{"verdict":"approved"},'
        f'"id":7,"previous":"{chain.BEGINNING}","subject":"images","subject_id":3,"user_id":null}}'
    )
    assert json.loads(written)["at"] == datetime(2026, 3, 1, 0, 30, tzinfo=UTC).isoformat(timespec="microseconds")
    assert chain.event_hash(event) == chain.sha256(written.encode()).hexdigest()


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("aé10", max_size=2), inner, max_size=3),
    max_leaves=6,
)


@examples
@given(details=st.dictionaries(st.text("abc", min_size=1, max_size=3), json_values, max_size=3))
def test_any_details_hash_the_same_when_read_back(chained: Session, details: dict[str, Any]) -> None:
    record(
        chained, None, Act.SIGN_OUT, chained.get_one(User, 1), kept=details, by_number={10: "a", 9: "b"}, pair=(1, 2)
    )
    chained.flush()
    chained.expire_all()
    assert chain.verify(chained).problem is None
    chained.rollback()


# Detecting changes


changes: dict[str, st.SearchStrategy[Any]] = {
    "at": st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    "user_id": st.none() | st.integers(1, 99),
    "act": st.sampled_from(list(Act)).map(str) | st.text("abc:", min_size=1),
    "subject": st.text("abc", min_size=1),
    "subject_id": st.none() | st.integers(0, 99),
    "details": st.dictionaries(st.text("abc", max_size=3), json_values, max_size=3),
    "previous": st.text("0123456789abcdef", min_size=64, max_size=64),
    "hash": st.text("0123456789abcdef", max_size=64),
}


@examples
@given(number=numbers, change=st.sampled_from(list(changes)).flatmap(lambda c: st.tuples(st.just(c), changes[c])))
def test_any_altered_column_is_found_where_it_is(chained: Session, number: int, change: tuple[str, Any]) -> None:
    column, value = change
    chained.execute(text("PRAGMA defer_foreign_keys = ON"))
    if rows(chained)[number - 1][column] == value:
        return
    chained.execute(update(EVENT).where(EVENT.c.id == number).values({column: value}))
    assert problem(chained) == f"Event {number} was altered."


@examples
@given(number=numbers)
def test_an_altered_and_rehashed_event_is_detected(chained: Session, number: int) -> None:
    """The next event, or the head, still has the old hash."""
    event = rows(chained)[number - 1] | {"subject_id": 77}
    event["hash"] = chain.event_hash({name: value for name, value in event.items() if name != "hash"})
    chained.execute(update(EVENT).where(EVENT.c.id == number).values(event))
    after = f"Event {number + 1} does not follow event {number}: one of the two was replaced."
    at_end = f"Event {number}, the latest, does not match the head of the audit log: one was altered."
    assert problem(chained) == (at_end if number == EVENTS else after)


@examples
@given(first=numbers, count=st.integers(1, EVENTS))
def test_removed_events_are_found_where_they_were(chained: Session, first: int, count: int) -> None:
    last = min(first + count - 1, EVENTS)
    chained.execute(delete(EVENT).where(EVENT.c.id.between(first, last)))
    which = f"Event {first} was" if first == last else f"Events {first} to {last} were"
    assert problem(chained) == f"{which} removed."


@examples
@given(number=st.integers(1, EVENTS - 1))
def test_a_removed_event_is_found_when_the_others_close_the_gap(chained: Session, number: int) -> None:
    chained.execute(delete(EVENT).where(EVENT.c.id == number))
    for later in range(number + 1, EVENTS + 1):
        chained.execute(update(EVENT).where(EVENT.c.id == later).values(id=later - 1))
    chained.execute(update(HEAD).values(count=EVENTS - 1))
    assert problem(chained) == f"Event {number} was removed and later ones renumbered."


@examples
@given(pair=st.lists(numbers, min_size=2, max_size=2, unique=True).map(sorted))
def test_events_that_changed_places_are_found(chained: Session, pair: list[int]) -> None:
    one, two = pair
    events = rows(chained)
    events[one - 1]["id"], events[two - 1]["id"] = two, one
    rewrite(chained, events)
    found = problem(chained)
    assert found == (f"Events {one} and {two} have changed places." if two == one + 1 else f"Event {one} was altered.")


@examples
@given(place=st.integers(1, EVENTS), model=numbers, hashed=st.booleans())
def test_an_inserted_event_is_detected(chained: Session, place: int, model: int, hashed: bool) -> None:
    """Even one that correctly follows its predecessor: the next event does not follow it."""
    events = rows(chained)
    new = events[model - 1] | {"id": place, "at": datetime(2026, 1, 1, tzinfo=UTC)}
    if hashed:
        new["previous"] = events[place - 1]["previous"]
        new["hash"] = chain.event_hash({name: value for name, value in new.items() if name != "hash"})
    later = [event | {"id": event["id"] + 1} for event in events[place - 1 :]]
    rewrite(chained, [*events[: place - 1], new, *later])
    chained.execute(update(HEAD).values(count=EVENTS + 1))
    found = problem(chained)
    assert found == f"Event {place} was inserted."


@examples
@given(number=st.integers(-3, 0) | st.integers(EVENTS + 1, EVENTS + 3), model=numbers)
def test_an_event_added_at_an_end_is_detected(chained: Session, number: int, model: int) -> None:
    new = rows(chained)[model - 1] | {"id": number, "previous": chain.head(chained).hash}
    new["hash"] = chain.event_hash({name: value for name, value in new.items() if name != "hash"})
    chained.execute(insert(EVENT), new)
    found = problem(chained)
    if number < 1:
        assert found == f"Event {number} was inserted: the audit log begins at event 1."
    elif number == EVENTS + 1:
        assert found == f"Event {number} was added after the end of the audit log."
    else:
        assert "removed" in found


@pytest.mark.parametrize(
    ("column", "value"),
    [("at", "yesterday"), ("details", "not JSON"), ("user_id", "5.5"), ("subject", b"\xff"), ("details", "[NaN")],
)
def test_a_column_that_cannot_be_read_is_found(chained: Session, column: str, value: object) -> None:
    chained.execute(text("PRAGMA defer_foreign_keys = ON"))
    chained.execute(update(EVENT).where(EVENT.c.id == 5).values({column: type_coerce(literal(value), NullType)}))
    assert problem(chained).startswith("Event 5 was altered")


def test_invalid_unicode_is_found(chained: Session) -> None:
    chained.execute(text("UPDATE audit_events SET subject = CAST(x'ff' AS TEXT) WHERE id = 5"))
    assert problem(chained) == "Event 5 was altered: it cannot even be read."


def test_a_changed_head_is_found(chained: Session) -> None:
    chained.execute(update(HEAD).values(hash="f" * 64))
    assert "the head of the audit log" in problem(chained)
    chained.execute(update(HEAD).values(count=EVENTS + 2))
    assert problem(chained) == f"Events {EVENTS + 1} to {EVENTS + 2} were removed."
    chained.execute(update(HEAD).values(count=EVENTS - 1))
    assert problem(chained) == f"Event {EVENTS} was added after the end of the audit log."
    chained.execute(delete(HEAD))
    assert problem(chained) == "The head of the audit log was removed."


def test_removing_all_events_is_detected(chained: Session) -> None:
    chained.execute(delete(EVENT))
    assert problem(chained) == f"Events 1 to {EVENTS} were removed."


def test_only_a_noted_head_reveals_a_rehashed_chain(chained: Session) -> None:
    noted, events = rows(chained)[4]["hash"], rows(chained)
    assert chain.verify(chained, noted).noted == 5
    events[1]["details"], last = {"number": 99}, chain.BEGINNING
    for event in events:
        event["previous"] = last
        event["hash"] = last = chain.event_hash({name: value for name, value in event.items() if name != "hash"})
    rewrite(chained, events)
    chained.execute(update(HEAD).values(hash=last))
    assert chain.verify(chained).problem is None
    assert problem(chained, noted).startswith("The saved hash is not in the audit log")


# Writing


def test_no_event_is_added_without_the_head(chained: Session) -> None:
    chained.execute(delete(HEAD))
    with pytest.raises(chain.BrokenChain, match="The head of the audit log was removed"):
        record(chained, None, Act.SIGN_IN, chained.get_one(User, 1))


def test_several_events_of_one_session_follow_one_another(session: Session, make: Factory) -> None:
    """With rows that have no id yet, all written in one flush."""
    users = [make.user() for _ in range(3)]
    for _ in range(4):
        for user in users:
            record(session, user, Act.SIGN_IN, user)
    make.finished_set()
    session.commit()
    assert chain.verify(session).problem is None


def test_many_at_once_make_the_same_chain_as_one_by_one(
    session: Session, make: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = now()
    monkeypatch.setattr("app.audit.service.now", lambda: moment)
    users = [make.user() for _ in range(4)]
    nested = session.begin_nested()
    for user in users:
        record(session, users[0], Act.SIGN_IN, user, day="秋", number=1.5)
    session.flush()
    one_by_one = rows(session)
    nested.rollback()
    record_all(session, users[0], Act.SIGN_IN, users, day="秋", number=1.5)
    assert record_all(session, users[0], Act.SIGN_IN, []) == []
    session.flush()
    assert rows(session) == one_by_one
    assert chain.verify(session).problem is None


def test_recording_keeps_no_half_finished_row(session: Session, make: Factory) -> None:
    user, campaign = make.user(), Campaign(name="Spring")
    session.add(campaign)
    record(session, user, Act.SIGN_IN, user)
    campaign.created_by_id = user.id
    session.commit()
    assert chain.verify(session).problem is None


def test_a_rollback_leaves_no_trace_in_the_chain(session: Session, make: Factory) -> None:
    user = make.user()
    record(session, user, Act.SIGN_IN, user)
    with pytest.raises(ZeroDivisionError), session.begin_nested():  # noqa: PT012
        record(session, user, Act.SIGN_OUT, user)
        raise ZeroDivisionError
    record(session, user, Act.COMMENT, user)
    session.commit()
    assert [event["act"] for event in rows(session)] == [Act.SIGN_IN, Act.COMMENT]
    assert chain.verify(session).problem is None


def test_writers_at_the_same_time_make_one_chain(database: Database) -> None:
    """Some give up at the end; a duplicate number or hash would show."""
    with database.write() as session:
        session.add(User(email="a@example.com", name="A", role="admin", password_hash="-"))

    def act(number: int) -> None:
        try:
            with database.write() as session:
                user = session.get_one(User, 1)
                for _ in range(3):
                    record(session, user, Act.SIGN_IN, user, number=number)
                assert number % 5
        except AssertionError:
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(60)))
    with database.read() as session:
        verdict = chain.verify(session)
        assert (verdict.problem, verdict.count) == (None, 48 * 3)


def test_events_added_during_a_check_are_not_faults(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also without a snapshot that holds still, as on Postgres."""
    monkeypatch.setattr(chain, "CHUNK", 2)
    with database.write() as session:
        user = User(email="a@example.com", name="A", role="admin", password_hash="-")
        session.add(user)
        for _ in range(6):
            record(session, user, Act.SIGN_IN, user)

    def during_the_walk(*_: int) -> None:
        walking.rollback()
        with database.write() as other:
            record(other, None, Act.SIGN_OUT, other.get_one(User, 1))

    with database.read() as walking:
        verdict = chain.verify(walking, progress=during_the_walk)
    assert verdict.problem is None
    assert verdict.count > 6


def test_the_check_uses_little_memory(session: Session, make: Factory) -> None:
    user = make.user()
    for number in range(5_000):
        record(session, user, Act.SIGN_IN, user, note="x" * 200, number=number)
    session.commit()
    session.expunge_all()

    def peak() -> int:
        tracemalloc.start()
        assert chain.verify(session).count == 5_000
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak() < 3 * 2**20, "so many events take more"


# Existing events


def test_the_migration_chains_what_was_there(settings: Settings, session: Session, make: Factory) -> None:
    """Including gaps in the numbers. After downgrade and upgrade, the audit log still reads the same."""
    make.finished_set()
    session.execute(delete(EVENT).where(EVENT.c.id == 2))
    session.commit()
    before = rows(session)
    session.close()
    engine = make_engine(settings.database_url, foreign_keys=False)
    with engine.execution_options(writes=True).begin() as connection:
        command.downgrade(alembic_config(connection), "0002")
        names = connection.exec_driver_sql("PRAGMA table_info(audit_events)").scalars(1).all()
        assert not {"previous", "hash"} & set(names)
    migrate(settings)
    engine.dispose()
    after = rows(session)
    kept = ("at", "user_id", "act", "subject", "subject_id", "details")
    assert [[event[name] for name in kept] for event in after] == [[event[name] for name in kept] for event in before]
    assert [event["id"] for event in after] == list(range(1, len(before) + 1))
    assert chain.verify(session).problem is None
