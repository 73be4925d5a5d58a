"""`soroe certificates`."""

import re
from pathlib import Path

import pytest

from app import cli
from app.database import Database
from app.exports import certificates
from app.models import Act, AuditEvent
from app.settings import Settings
from tests.exports.test_certificates import own


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["soroe", "certificates", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_it_makes_shows_and_renews(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOROE_DATA", str(tmp_path / "data"))
    assert run(monkeypatch) == 0
    first = capsys.readouterr().out
    assert "signed by Soroe (es256)" in first
    assert str(tmp_path / "data" / "certificates" / "authority.pem") in first
    identity = certificates.identity(Settings(data=tmp_path / "data"))
    assert identity.authority_fingerprint in first
    assert run(monkeypatch, "--renew") == 0
    again = capsys.readouterr().out
    assert re.findall("SHA-256 .*", again) == re.findall("SHA-256 .*", first), "the authority stays"
    assert certificates.identity(Settings(data=tmp_path / "data")).fingerprint != identity.fingerprint


def test_the_teams_own_certificate_is_shown_and_not_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = own(tmp_path, days=10)
    monkeypatch.setenv("SOROE_DATA", str(settings.data))
    monkeypatch.setenv("SOROE_SIGNING_CERTIFICATE", settings.signing_certificate)
    monkeypatch.setenv("SOROE_SIGNING_KEY", settings.signing_key)
    assert run(monkeypatch) == 0
    shown = capsys.readouterr().out
    assert "Example Studio" in shown
    assert "expires soon" in shown
    assert run(monkeypatch, "--renew") == 2
    assert "Renew it where you got it" in capsys.readouterr().err


def test_a_wrong_certificate_is_one_sentence_and_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = own(tmp_path, authority=False)
    monkeypatch.setenv("SOROE_SIGNING_CERTIFICATE", settings.signing_certificate)
    assert run(monkeypatch) == 2
    assert "belong together" in capsys.readouterr().err
    monkeypatch.setenv("SOROE_SIGNING_KEY", settings.signing_key)
    monkeypatch.setenv("SOROE_DATA", str(settings.data))
    assert run(monkeypatch) == 2
    assert "self-signed" in capsys.readouterr().err


def test_what_it_makes_is_in_the_record(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOROE_DATA", str(settings.data))
    assert run(monkeypatch) == run(monkeypatch) == run(monkeypatch, "--renew") == 0
    made = certificates.identity(settings)
    with database.read() as session:
        events = session.query(AuditEvent).order_by(AuditEvent.id).all()
        assert [event.act for event in events] == [Act.CERTIFICATE_MAKE, Act.CERTIFICATE_RENEW]
        assert events[1].details == {"certificate": made.fingerprint, "authority": made.authority_fingerprint}
