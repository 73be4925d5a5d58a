"""The benchmarks run, on small inputs, so that they do not break unnoticed.

In the tests' process, which has imported what they take seconds to import.
"""

import io
import runpy
import subprocess
import sys
from contextlib import redirect_stdout, suppress

import pytest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["benchmarks.decoding", "--side", "512", "--photo", "400", "--kind", "WebP"], "MB in addition to the file"),
        (["benchmarks.large_set", "--pictures", "20", "--times", "1"], "retry it"),
        (
            ["benchmarks.prompts", "--prompts", "1", "--long", "1", "--seeds", "1", "--steps", "1"],
            "at most 4 chunks: any",
        ),
        (["benchmarks.on_cpu", "--steps", "1", "--times", "1"], "Set of 4 in 1 steps"),
        (["benchmarks.measures", "--side", "256", "--times", "1"], "compared with a set of 1000"),
        (["benchmarks.gallery", "--pictures", "60", "--times", "1"], "first page"),
    ],
    ids=["decoding", "large set", "prompts", "on_cpu", "measures", "gallery"],
)
def test_it_runs(monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str) -> None:
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.delitem(sys.modules, arguments[0], raising=False)  # imported by another benchmark
    out = io.StringIO()
    with redirect_stdout(out), suppress(SystemExit):
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    assert said in out.getvalue()


def test_the_one_of_exports_runs() -> None:
    """In a process of its own, because it forks one that has done nothing but imports."""
    command = [sys.executable, "-m", "benchmarks.export", "--pictures", "3", "--side", "64"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "ready, 3 files" in done.stdout, done.stderr[-2000:]
