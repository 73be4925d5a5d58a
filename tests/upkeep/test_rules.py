"""Rules that the rows keep, where a clock or an order of events could mislead them."""

from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from app import days
from app.models import Image, ImageSet, Reference, Usage
from app.upkeep.rules import check_rules
from tests.factory import Factory


def about_quotas(session: Session) -> list[str]:
    return [found.sentence for found in check_rules(session) if "quota" in found.sentence]


def dated(session: Session, moment: datetime) -> None:
    for table in (ImageSet, Image, Reference):
        session.execute(update(table).values(created_at=moment))


def test_what_a_fast_clock_dated_tomorrow_was_not_used_today(session: Session, make: Factory) -> None:
    """It was counted for tomorrow, before somebody set the clock back."""
    make.finished_set(prompts="a fox\nan owl")
    session.execute(delete(Usage))
    dated(session, days.begin(days.today()))
    assert len(about_quotas(session)) == 3, "the set, its pictures and the upload are not counted"
    dated(session, days.begin(days.today() + timedelta(days=1)))
    assert about_quotas(session) == []
