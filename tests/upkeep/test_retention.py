"""What is kept for a time is removed when it is over, and nothing else is."""

import os
import re
from datetime import timedelta
from pathlib import Path
from time import time

import pytest
from sqlalchemy.orm import Session

from app import days
from app.database import Database
from app.exports.removal import remove_holding
from app.files import Files
from app.gallery import service as gallery
from app.gallery.purger import Purger
from app.models import (
    HELD,
    Act,
    AuditEvent,
    Invitation,
    LoginSession,
    PasswordReset,
    Role,
    Usage,
    What,
    now,
)
from app.settings import Settings
from app.upkeep.retention import RULES, USAGE_DAYS, Retention
from tests.factory import Factory

DOCS = (Path(__file__).parents[2] / "docs" / "operate.md").read_text()


@pytest.fixture
def retention(settings: Settings, database: Database, files: Files) -> Retention:
    return Retention(settings, database, Purger(database, files, remove_holding))


def test_rows_that_are_over_are_removed_and_recorded(retention: Retention, session: Session, make: Factory) -> None:
    person = make.user(Role.ADMIN)
    tomorrow, long_ago = now() + timedelta(days=1), now() - timedelta(days=91)
    for number, ends in enumerate((tomorrow, now() - timedelta(minutes=1))):
        session.add(LoginSession(token_hash=f"session {number}", user_id=person.id, expires_at=ends))
    link = {"role": Role.DESIGNER, "invited_by_id": person.id}
    session.add(Invitation(token_hash="open", expires_at=tomorrow, **link))
    session.add(Invitation(token_hash="just used", expires_at=tomorrow, used_at=now(), **link))
    session.add(Invitation(token_hash="expired", expires_at=long_ago, **link))
    session.add(Invitation(token_hash="revoked", expires_at=tomorrow, revoked_at=long_ago, **link))
    session.add(PasswordReset(token_hash="used", user_id=person.id, expires_at=tomorrow, used_at=long_ago))
    for day in (HELD, days.today(), days.today() - timedelta(days=USAGE_DAYS + 1)):
        session.add(Usage(user_id=person.id, day=day, what=What.STORAGE if day == HELD else What.SETS, amount=1))
    session.commit()

    assert retention.apply() == {"sessions": 1, "links": 3, "usage": 1}
    assert [each.token_hash for each in session.query(LoginSession)] == ["session 0"]
    assert sorted(each.token_hash for each in session.query(Invitation)) == ["just used", "open"]
    assert session.query(PasswordReset).count() == 0
    assert {each.day for each in session.query(Usage)} == {HELD, days.today()}
    told = session.query(AuditEvent).filter_by(act=Act.RETENTION).one()
    assert told.details == {"sessions": 1, "links": 3, "usage": 1}
    session.commit()

    assert retention.apply() == {}, "nothing more is over"
    assert session.query(AuditEvent).filter_by(act=Act.RETENTION).count() == 1


def test_states_of_trainings_are_kept_for_a_time(retention: Retention) -> None:
    folder = retention.settings.data / "cache" / "training"
    stopped, resumed = folder / "7", folder / "8"
    for each, age in ((stopped, 31), (resumed, 29)):
        (each / "state").mkdir(parents=True)
        os.utime(each, (time() - age * 86400,) * 2)
    assert retention.apply() == {"trainings": 1}
    assert (stopped.exists(), resumed.exists()) == (False, True)


def test_the_bin_is_emptied(retention: Retention, session: Session, make: Factory) -> None:
    (kept, over) = make.finished_set(prompts="a fox\nan owl").images
    gallery.delete(session, make.user(Role.MANAGER), [kept.id, over.id])
    kept.deleted_at, over.deleted_at = now() - timedelta(days=29), now() - timedelta(days=31)
    session.commit()
    assert retention.apply() == {"bin": 1}
    session.refresh(over)
    assert over.purged_at


def test_the_docs_list_every_rule() -> None:
    table = DOCS.split("## What is kept, and for how long", 1)[1].split("\n## ", 1)[0]
    assert {rule.name for rule in RULES} <= set(re.findall(r"`(\w+)`", table))
    settings = set(re.findall(r"`SOROE_(\w+)`", table))
    assert {name.lower() for name in settings} <= set(Settings.model_fields)
