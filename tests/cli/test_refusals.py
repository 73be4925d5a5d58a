"""What an operator reads when a command cannot begin: one sentence for what is wrong, one for what to do."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.upkeep.restore import BUILDING
from tests.command import soroe

# A program of another module that takes long, in place of what the command imports.
WAITING = """
import sys, time, types
class Slow:
    def find_spec(self, name, path, target=None):
        if name == "typer":
            print("importing", flush=True)
            time.sleep(60)
sys.meta_path.insert(0, Slow())
from app.cli import main
main()
"""


def test_ctrl_c_is_quiet_while_a_command_is_still_imported() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", WAITING, "check"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert (process.returncode, said) == (130, "")


@pytest.mark.parametrize("command", [["check"], ["backup", "backups"], ["audit", "head"], ["serve"]])
def test_after_an_interrupted_restore_every_command_says_so(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / BUILDING).mkdir()
    done = soroe(*command, SOROE_DATA=str(tmp_path), SOROE_PORT="0")
    assert done.returncode == 2
    assert done.stderr == f"soroe: A restore into {tmp_path} was interrupted. Run `soroe restore` again.\n"


@pytest.mark.parametrize("arguments", [["--list"], []])
def test_a_folder_without_a_snapshot_is_a_sentence(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "snapshots" / "of another program").mkdir(parents=True)
    done = soroe("restore", str(tmp_path), *arguments, SOROE_DATA=str(tmp_path / "data"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"soroe: There is no snapshot in {tmp_path}. Name the folder that `soroe backup` was given.\n"
    )


def test_a_file_in_the_place_of_a_folder_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    done = soroe("serve", SOROE_DATA=str(tmp_path / "data"), SOROE_PORT="0")
    assert done.returncode == 2
    assert f"{tmp_path / 'data'}" in done.stderr
    assert "There is a file in the place of a folder. Move it away, or choose another folder." in done.stderr


def test_a_lock_of_another_user_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "server.lock").mkdir()  # nobody refuses root a file
    done = soroe("serve", SOROE_DATA=str(tmp_path), SOROE_PORT="0")
    assert done.returncode == 2
    assert "server.lock cannot be used: Is a directory. There is a folder in the place of a file." in done.stderr
    if os.geteuid():
        (tmp_path / "server.lock").rmdir()
        (tmp_path / "server.lock").touch(0o000)
        assert "chown" in soroe("serve", SOROE_DATA=str(tmp_path), SOROE_PORT="0").stderr
