"""`soroe audit`: its output and exit status."""

from pathlib import Path

import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from app.audit import chain
from app.audit.service import record
from app.database import migrate
from app.models import Act, AuditEvent, AuditHead, Role, User
from app.settings import Settings
from tests.command import soroe
from tests.factory import Factory

EVENT = AuditEvent.__table__


def audit(settings: Settings, *arguments: str) -> tuple[int, str]:
    """The exit status, and the output on both streams."""
    done = soroe("audit", *arguments, SOROE_DATA=str(settings.data))
    return done.returncode, (done.stdout + done.stderr).strip()


@pytest.fixture
def user(session: Session, make: Factory) -> User:
    """Someone who signed in 1 204 times."""
    user = make.user(Role.ADMIN)
    for _ in range(1204):
        record(session, user, Act.SIGN_IN, user)
    session.commit()
    return user


def test_an_unbroken_record(settings: Settings, session: Session, user: User) -> None:
    assert audit(settings, "verify") == (0, "The audit log is intact: 1,204 events.")
    status, head = audit(settings, "head")
    assert (status, head) == (0, f"{chain.head(session).hash} 1204")
    record(session, user, Act.SIGN_OUT, user)
    session.commit()
    found = "The audit log is intact: 1,205 events. The saved hash is that of event 1,204."
    assert audit(settings, "verify", "--head", head) == (0, found)
    assert audit(settings, "verify", "--head", head.split()[0].upper()) == (0, found)


def test_a_broken_record(settings: Settings, session: Session, user: User) -> None:
    noted = chain.head(session).hash
    session.execute(delete(EVENT).where(EVENT.c.id > 1200))
    session.commit()
    assert audit(settings, "verify") == (1, "The audit log was altered. Events 1201 to 1204 were removed.")
    latest = session.get_one(AuditEvent, 1200)
    session.execute(update(AuditHead).values(count=1200, hash=latest.hash))
    session.commit()
    assert audit(settings, "verify") == (0, "The audit log is intact: 1,200 events.")
    status, sentence = audit(settings, "verify", "--head", noted)
    assert status == 1
    assert sentence.startswith("The audit log was altered. The saved hash is not in the audit log")


def test_no_head(settings: Settings, session: Session, user: User) -> None:
    session.execute(delete(AuditHead))
    session.commit()
    assert audit(settings, "head") == (2, "soroe: The head of the audit log was removed.")
    assert audit(settings, "verify") == (1, "The audit log was altered. The head of the audit log was removed.")


def test_what_cannot_be_looked_at(settings: Settings, tmp_path: Path) -> None:
    assert audit(settings, "verify", "--head", "9f2c")[0] == 2
    nothing = Settings(data=tmp_path / "nothing")
    status, sentence = audit(nothing, "verify")
    assert status == 2
    assert sentence.startswith("soroe: There is no audit log in")
    assert not nothing.data.exists(), "looking makes nothing"
    (settings.data / "soroe.sqlite3").write_bytes(b"not a database" * 100)
    status, sentence = audit(settings, "verify")
    assert (status, "is not a database" in sentence) == (2, True)


def test_data_from_an_earlier_release(tmp_path: Path) -> None:
    old = Settings(data=tmp_path / "old")
    migrate(old, "0002")
    status, sentence = audit(old, "verify")
    assert status == 2
    assert sentence.endswith("is from an earlier version of Soroe. Start this version on it once to update it.")
