"""`soroe check`: what it prints, how it exits, and what `--repair` mends."""

import errno
import fcntl
import json
import os
import shutil
from io import BufferedReader
from pathlib import Path
from random import Random

import pytest

from app import atomic
from app.cli.check import check
from app.cli.console import CommandRefused
from app.files import Kind
from tests.command import Done, soroe
from tests.upkeep.conftest import Data
from tests.upkeep.damage import DAMAGES, some_file


def run(data: Data, *arguments: str) -> Done:
    data.database.close()
    return soroe("check", *arguments, SOROE_DATA=str(data.settings.data))


def test_all_is_well(data: Data) -> None:
    done = run(data)
    assert (done.returncode, done.stdout, done.stderr) == (0, "All is well.\n", "")
    assert run(data, "--repair").stdout == "All is well.\n"


def test_findings_are_grouped_and_counted(data: Data) -> None:
    chance = Random(1)
    by_name = {damage.name: damage for damage in DAMAGES}
    for name in ("removed references", "orphan of images", "foreign file", "tag count"):
        by_name[name].do(data, chance)
    done = run(data)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == [
        "Files: 1",
        "Files without a row: 2",
        "Counts: 1",
        "4 things are wrong; `soroe check --repair` mends 3 of them.",
    ]
    assert "The server lost the file of the reference" in lines[1]
    assert "Upload the same picture again" in lines[1]
    found = json.loads(run(data, "--json").stdout)["findings"]
    assert [each["area"] for each in found] == ["files", "files without a row", "files without a row", "counts"]


def test_thumbnails_that_a_restore_left_out_are_a_few_lines_and_a_count(data: Data) -> None:
    shutil.rmtree(data.files.root / "thumbs")
    lines = run(data).stdout.splitlines()
    number = int(lines[0].removeprefix("Thumbnails: "))
    assert number > 5
    assert [line.startswith("  A thumbnail of") for line in lines[1:4]] == [True] * 3
    assert lines[4:] == [
        f"  and {number - 3} more; --json lists all.",
        f"{number} things are wrong; `soroe check --repair` mends {number} of them.",
    ]


def test_a_file_that_cannot_be_read_is_called_unreadable_not_damaged(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, path = atomic.opened, some_file(data, Random(1), Kind.REFERENCES)

    def refuse(file: Path) -> BufferedReader:
        if file == path:  # root, who may run the tests, reads everything
            raise PermissionError(errno.EACCES, "Permission denied", str(file))
        return opened(file)

    monkeypatch.setattr(atomic, "opened", refuse)
    lines = run(data).stdout.splitlines()
    assert lines[0] == "Files: 1"
    assert lines[1].startswith("  The server cannot read the file of the reference")
    assert "chown" in lines[1]


def test_orphans_are_moved_aside(data: Data) -> None:
    next(damage for damage in DAMAGES if damage.name == "orphan of references").do(data, Random(1))
    run(data, "--repair")
    (moved,) = (path for path in (data.settings.data / "lost+found").rglob("*") if path.is_file())
    assert moved.read_bytes() == b"left behind"


def test_repair_needs_the_server_stopped(data: Data) -> None:
    with (data.settings.data / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run(data).returncode == 0
        done = run(data, "--repair")
    assert (done.returncode, "already running" in done.stderr) == (2, True)


def test_a_repair_prints_nothing_but_its_report(data: Data) -> None:
    next(damage for damage in DAMAGES if damage.name == "removed references").do(data, Random(1))
    done = run(data, "--repair", "--json")
    assert json.loads(done.stdout)["done"]
    assert "a file is lost or damaged" in done.stderr


def test_a_repair_as_another_user_is_refused(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    data.database.close()
    monkeypatch.setenv("SOROE_DATA", str(data.settings.data))
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(CommandRefused, match="belongs to another user"):
        check(repair=True)
