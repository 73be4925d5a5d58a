"""A short slice of `make test-faults`, without a model and without root."""

import sys
from pathlib import Path

import pytest

from tests.faults import strikes
from tests.faults.machine import Machine
from tests.faults.server import COMMAND
from tests.faults.storm import storm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems preload no library")

QUICK = (
    strikes.server_killed,
    strikes.killed_while_starting,
    strikes.server_stopped,
    strikes.clock_set,
    strikes.hung_up,
)


def test_faults_lose_nothing_double_nothing_and_damage_nothing(tmp_path: Path) -> None:
    with Machine(tmp_path, COMMAND, disk=False) as machine:
        report = storm(machine, dict.fromkeys(QUICK, 1), seed=5, minutes=2, most=5)
    assert not report.problems, str(report)
    assert report.struck.total() == 5
    assert report.pictures > 8, "people could work"
