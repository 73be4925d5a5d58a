"""A power cut at any moment loses nothing that a person was told."""

import sys
from pathlib import Path

import pytest

from tests.faults import promises
from tests.faults.client import Client
from tests.faults.disk import Disk
from tests.faults.server import COMMAND
from tests.web.process import Process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems preload no library")


def test_a_power_cut_loses_nothing_acknowledged(tmp_path: Path) -> None:
    root = tmp_path / "before"
    root.mkdir()
    disk = Disk(root, tmp_path / "disk")
    with Process(root / "new" / "data", log=tmp_path / "log", command=COMMAND, extra=disk.environment) as server:
        with Client(server.url, server.setup_link) as client:
            for _ in range(3):
                client.round()
        server.kill()
    disk.after_cut(tmp_path / "after")
    data = tmp_path / "after" / "new" / "data"
    assert client.done.pictures, "it saw finished pictures"
    assert client.done.heads, "and the audit log"
    assert promises.lost(data, client.done) == {}
    assert (data / "keys" / "accounts.key").read_bytes() == (
        root / "new" / "data" / "keys" / "accounts.key"
    ).read_bytes()
