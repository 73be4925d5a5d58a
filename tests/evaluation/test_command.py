"""`soroe evaluate` on the demo model: from a list to a report, killed, resumed, and by two processes."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.command import soroe

LIST = "neon sign | a cat | a rocket | a rose | a bell\nblueprint | a bicycle | a robot | a snail | a key\n"
SETTINGS = (
    "no sharing",
    "StyleAligned",
    "without AdaIN",
    "all to all",
    "gentle=strength:0.5,layers:up_blocks",
    "as an upload",
)


def picture(folder: Path, name: str, place: int) -> np.ndarray:
    return np.asarray(Image.open(folder / "sets" / name / f"{place}.png").convert("RGB"), np.int16)


def asked(folder: Path, *more: str, settings: tuple[str, ...] = SETTINGS) -> list[str]:
    prompts = folder.with_suffix(".txt")
    prompts.write_text(LIST)
    options = ["--out", str(folder), "--prompts-file", str(prompts), "--model", "demo", "--steps", "2"]
    options += ["--size", "128x128", *more]
    return ["evaluate", *options, *(part for each in settings for part in ("--setting", each))]


def records(folder: Path) -> dict[str, dict[str, object]]:
    return {
        str(file.parent.relative_to(folder / "sets")): json.loads(file.read_text())
        for file in sorted(folder.glob("sets/*/*/set.json"))
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation") / "two styles"
    done = soroe(*asked(folder))
    assert done.returncode == 0, done.stderr
    assert "bundled CLIP" in done.stdout
    assert "report.html" in done.stdout
    return folder


def test_two_styles_in_six_settings(finished: Path) -> None:
    made = records(finished)
    assert len(made) == 12
    assert made["all-to-all/002"]["prompts"] == [
        f"a {thing}, blueprint" for thing in ("bicycle", "robot", "snail", "key")
    ]
    first = [
        picture(finished, f"{name}/001", 1)
        for name in ("no-sharing", "stylealigned", "without-adain", "gentle", "as-an-upload")
    ]
    # The first picture gives the look and takes none; alone in its batch, it is rounded a little differently.
    assert max(int(np.abs(one - other).max()) for one in first for other in first) <= 2
    second = [
        picture(finished, f"{name}/001", 2)
        for name in ("no-sharing", "stylealigned", "without-adain", "all-to-all", "as-an-upload")
    ]
    assert min(int(np.abs(one - other).max()) for one, other in combinations(second, 2)) > 20


def test_the_table_agrees_with_the_sets(finished: Path) -> None:
    results = json.loads((finished / "results.json").read_text())
    lines = list(csv.DictReader((finished / "table.csv").read_text("utf-8-sig").splitlines()))
    ours = {line["setting"]: line for line in lines if line["source"] == "ours"}
    assert list(ours) == ["no sharing", "StyleAligned", "without AdaIN", "all to all", "gentle", "as an upload"]
    for name, line in ours.items():
        for measure in ("alignment", "consistency", "leakage", "look"):
            values = [each["measures"][name][measure] for each in results["sets"]]
            assert float(line[measure]) == pytest.approx(sum(values) / 2, abs=1e-5)
            assert line[f"{measure} by"] in ("bundled CLIP", "pixels")
    assert len(lines) == 6 + 6
    assert results["settings"]["without AdaIN"]["adain"] is False


def test_the_report_is_one_file(finished: Path) -> None:
    html = (finished / "report.html").read_text()
    assert html.count('src="data:image/webp;base64,') == 2 * 6 * 4
    assert "do not compare with the published ones" in html
    assert 'src="http' not in html
    assert "<script" not in html


def test_nothing_is_made_twice(finished: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in finished.glob("sets/*/*/*.*")}
    assert soroe(*asked(finished)).returncode == 0
    assert {file: file.stat().st_mtime_ns for file in finished.glob("sets/*/*/*.*")} == before


def test_other_settings_under_a_name_are_made_anew(tmp_path: Path) -> None:
    folder, only = tmp_path / "out", ("no sharing",)
    assert soroe(*asked(folder, settings=only)).returncode == 0
    (one,) = {record["hash"] for name, record in records(folder).items() if name == "no-sharing/001"}
    assert soroe(*asked(folder, "--seed", "9", settings=only)).returncode == 0
    assert records(folder)["no-sharing/001"]["hash"] != one


def started(arguments: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from app.cli import main; main()", *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def until_sets(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    while len(records(folder)) < count:
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_at_any_moment_it_resumes_with_the_same_pictures(
    finished: Path, tmp_path: Path, number: signal.Signals
) -> None:
    folder, four = tmp_path / "out", SETTINGS[:4]
    with started(asked(folder, settings=four)) as process:
        until_sets(folder, 3, process)
        process.send_signal(number)
        _, said = process.communicate()
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    if number == signal.SIGINT:
        assert "the same command makes the rest" in said
    kept = {file: file.stat().st_mtime_ns for file in folder.glob("sets/*/*/set.json")}
    assert 3 <= len(kept) < 8
    assert not (folder / "report.html").exists()
    assert soroe(*asked(folder, settings=four)).returncode == 0
    assert all(file.stat().st_mtime_ns == then for file, then in kept.items())
    made = list(folder.glob("sets/*/*/*.png"))
    assert len(made) == 4 * 2 * 4
    assert all(file.read_bytes() == (finished / file.relative_to(folder)).read_bytes() for file in made)


def test_two_processes_share_the_work(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    done = soroe(*asked(folder, "--processes", "2"))
    assert done.returncode == 0, done.stderr
    assert {name: record["hash"] for name, record in records(folder).items()} == {
        name: record["hash"] for name, record in records(finished).items()
    }


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--setting", "paper"], "There is no setting paper."),
        (["--size", "large"], "large is no size; write width and height in px, such as 1024x768."),
        (["--prompts-file", "nowhere.txt"], "The prompts file nowhere.txt cannot be read"),
        (["--size", "100x100"], "Width must be a multiple of 16 px from 64 to"),
        (["--scheduler", "magic"], "The scheduler must be one of"),
    ],
)
def test_wrong_options_are_a_sentence(tmp_path: Path, more: list[str], said: str) -> None:
    done = soroe("evaluate", "--out", tmp_path / "out", "--model", "demo", *more)
    assert done.returncode == 2
    assert said in done.stderr
    assert not list(tmp_path.glob("out/sets/*/*/*.png"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp932"])
def test_a_list_may_be_saved_as_in_japan(tmp_path: Path, encoding: str) -> None:
    """It is read: what is refused is the size."""
    file = tmp_path / "list.txt"
    file.write_bytes("水彩 | きつね | ねこ | いぬ | なし".encode(encoding))
    done = soroe("evaluate", "--out", tmp_path / "out", "--prompts-file", file, "--size", "large")
    assert done.stderr.startswith("soroe: large is no size;")


@pytest.mark.parametrize("data", [bytes(range(256)), b"\xff\xfea"])
def test_a_list_that_is_no_text_is_a_sentence(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(data)
    done = soroe("evaluate", "--out", tmp_path / "out", "--prompts-file", file)
    assert done.returncode == 2
    assert f"The prompts file {file} cannot be read: its encoding is not certain; save it as UTF-8." in done.stderr


def test_a_size_that_would_take_all_memory_is_refused(tmp_path: Path) -> None:
    done = soroe("evaluate", "--out", tmp_path / "out", "--model", "demo", "--size", "1000000x1000000")
    assert done.returncode == 2
    assert "Width must be a multiple of" in done.stderr
