"""The units of docs/systemd agree with the server that they start."""

import configparser
from pathlib import Path

from app.cli.console import BAD_INPUT
from app.web.server import STOP_SECONDS

UNITS = Path(__file__).parents[1] / "docs" / "systemd"


def service(name: str) -> configparser.SectionProxy:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]  # its names have capitals
    unit.read(UNITS / name)
    return unit["Service"]


def test_systemd_waits_for_an_orderly_end_and_restarts_what_a_restart_helps() -> None:
    unit = service("soroe.service")
    assert float(unit["TimeoutStopSec"]) > STOP_SECONDS
    assert int(unit["RestartPreventExitStatus"]) == BAD_INPUT
    assert unit["Type"] == "notify", "the server says when it is ready: app/web/systemd.py"


def test_the_decoder_of_uploads_may_leave_the_network() -> None:
    """`app/decoding/sandbox.py` makes these namespaces."""
    assert service("soroe.service")["RestrictNamespaces"].split() == ["user", "net", "ipc"]


def test_both_services_have_the_same_data() -> None:
    data = [word for name in ("soroe", "soroe-backup") for word in service(f"{name}.service")["Environment"].split()]
    assert len({word for word in data if word.startswith("SOROE_DATA=")}) == 1
