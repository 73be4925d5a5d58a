"""`soroe accounts`, on the server."""

import re
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import select

from app import effects
from app.accounts import factors, service
from app.accounts.vault import Vault
from app.database import Database
from app.models import Act, AuditEvent, Role, User
from app.settings import Settings
from tests.command import Done, soroe
from tests.factory import PASSWORD_HASH


def reset(settings: Settings, email: str, act: str = "reset") -> Done:
    return soroe("accounts", act, email, SOROE_DATA=str(settings.data), SOROE_URL="https://soroe.example.com/")


@pytest.fixture
def operator(database: Database) -> User:
    user = User(email="me@example.com", name="Me", role=Role.ADMIN, password_hash=PASSWORD_HASH)
    with database.write() as session:
        session.add(user)
    return user


def test_a_locked_out_operator_gets_a_link(settings: Settings, database: Database, operator: User) -> None:
    done = reset(settings, " Me@Example.com")
    assert (done.returncode, done.stderr) == (0, "")
    link = re.search(r"^  https://soroe\.example\.com/reset/(\S+)$", done.stdout, re.MULTILINE)
    assert link
    assert "within 24 hours" in done.stdout
    with database.read() as session:
        chosen = service.choose_password(session, link[1], "another long sentence")
    with database.write() as session:
        assert service.use_reset(session, link[1], chosen).email == "me@example.com"
        made = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.RESET_CREATE)).one()
        assert (made.user_id, made.subject_id) == (None, operator.id)


def test_it_refuses_in_a_sentence(settings: Settings, database: Database, operator: User, tmp_path: Path) -> None:
    unknown = reset(settings, "nobody@example.com")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert unknown.stderr == "soroe: No account here has the e-mail nobody@example.com.\n"
    with database.write() as session:
        session.get_one(User, operator.id).active = False
    assert "The account of Me is deactivated." in reset(settings, "me@example.com").stderr
    nowhere = reset(Settings(data=tmp_path / "nowhere"), "me@example.com")
    assert nowhere.returncode == 2
    assert "There is no account in" in nowhere.stderr
    assert not (tmp_path / "nowhere").exists()


def test_a_recovery_code_replaces_a_lost_phone(settings: Settings, database: Database, operator: User) -> None:
    secret, vault = factors.new_secret(), Vault(settings)
    with database.write() as session:
        factors.enable(session, operator, vault, secret, pyotp.TOTP(secret).now())
        token = service.start_session(session, operator)
    done = reset(settings, "me@example.com", "second-step")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Removed from Me: authenticator app.\n", "")
    with database.read() as session:
        assert not factors.has_app(session, operator)
        assert service.user_for_token(session, token) is None
        event = factors.told_of_reset(session, operator)
        assert event
        assert event.user_id is None
    assert "signs in with a password only" in reset(settings, "me@example.com", "second-step").stdout
    assert reset(settings, "nobody@example.com", "second-step").returncode == 2


def test_a_command_connects_the_packages_itself(settings: Settings, operator: User) -> None:
    effects.use({})  # as in a newly started process
    assert reset(settings, "me@example.com").returncode == 0
