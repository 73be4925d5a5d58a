"""Days are in the configured time zone, in every decision and on every page."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy.orm import Session

from app import days
from app.audit import queries as audit
from app.audit.queries import RecordFilter
from app.cli import console
from app.gallery import matching
from app.gallery.search import PictureFilter
from app.models import AuditEvent, Image, RightsRecord, Role
from app.rights.standing import standing
from app.settings import Settings
from app.web import filters
from app.web.record import Line, by_day
from tests.factory import Factory

EVENING = datetime(2026, 3, 31, 20, 30, tzinfo=UTC)  # already the 1st of April in Tokyo
TOKYO = date(2026, 4, 1)


@pytest.fixture
def tokyo() -> Iterator[None]:
    days.use("Asia/Tokyo")
    yield
    days.use("UTC")


@pytest.mark.parametrize(
    ("zone", "day", "first"),
    [
        ("UTC", TOKYO, datetime(2026, 4, 1, tzinfo=UTC)),
        ("Asia/Tokyo", TOKYO, datetime(2026, 3, 31, 15, tzinfo=UTC)),
        ("America/New_York", date(2026, 3, 8), datetime(2026, 3, 8, 5, tzinfo=UTC)),
        ("America/New_York", date(2026, 3, 9), datetime(2026, 3, 9, 4, tzinfo=UTC)),  # after a day of 23 hours
        ("Africa/Cairo", date(2026, 4, 24), datetime(2026, 4, 23, 22, tzinfo=UTC)),  # which has no midnight
        ("Asia/Tokyo", date.min, datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_when_a_day_begins(tokyo: None, zone: str, day: date, first: datetime) -> None:
    days.use(zone)
    assert days.begin(day) == first
    if day != date.min:
        assert days.local(first).date() == day
        assert days.local(first - timedelta(microseconds=1)).date() == day - timedelta(days=1)


@pytest.mark.parametrize("name", ["Tokyo", "America", "../etc/passwd", "", "Asia/Tokyo\n"])
def test_an_unknown_zone_is_reported_at_start(name: str) -> None:
    with pytest.raises(ValidationError, match="the name of a time zone, such as Europe/Berlin"):
        Settings(time_zone=name)


def test_pages_write_the_days_of_the_zone(tokyo: None) -> None:
    assert filters.day(EVENING) == ("1 Apr" if days.today().year == 2026 else "1 Apr 2026")
    assert filters.day(date(2020, 3, 31)) == "31 Mar 2020", "a day is a day everywhere"
    assert filters.clock(EVENING) == "05:30"
    assert filters.exactly(EVENING) == "2026-04-01 05:30:00 JST"
    assert days.written_exactly(EVENING) == "1 Apr 2026 at 05:30 JST"
    assert days.zone() == "Asia/Tokyo"


def test_a_right_is_withdrawn_on_a_day_of_the_zone(tokyo: None) -> None:
    row = RightsRecord(owned_by="Mori", withdrawn=True, created_at=EVENING)
    assert standing(row, TOKYO).day == TOKYO


def test_the_record_and_the_gallery_ask_for_days_of_the_zone(tokyo: None, session: Session, make: Factory) -> None:
    user = make.user(Role.MANAGER)
    image: Image = make.finished_set(user).images[0]
    image.finished_at = EVENING
    session.flush()
    on, before = ({"since": day, "until": day} for day in (TOKYO, TOKYO - timedelta(days=1)))
    assert session.scalars(matching.Search.of(session, user, PictureFilter(**on)).ids).all() == [image.id]
    assert session.scalars(matching.Search.of(session, user, PictureFilter(**before)).ids).all() == []
    now = days.today()
    assert audit.events(session, user, RecordFilter(since=now, until=now))
    line = Line(AuditEvent(at=EVENING), "", "", "", None, "")
    assert by_day([line]) == [(TOKYO, [line])]


@pytest.mark.usefixtures("tokyo")
def test_files_state_the_time_with_its_offset() -> None:
    assert days.stamped(EVENING) == "2026-04-01T05:30:00+09:00"
    assert days.in_names(EVENING) == "20260401-053000"


def test_every_command_uses_the_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOROE_TIME_ZONE", "Asia/Tokyo")
    try:
        console.read_settings()
        assert days.zone() == "Asia/Tokyo"
    finally:
        days.use("UTC")
