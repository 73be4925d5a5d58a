"""The benchmarks run, on small inputs, so that they do not break unnoticed."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["benchmarks.export", "--pictures", "3", "--side", "64"], "ready, 3 files"),
        (["benchmarks.decoding", "--side", "512", "--photo", "400", "--kind", "WebP"], "MB in addition to the file"),
        (["benchmarks.large_set", "--pictures", "20", "--times", "1"], "retry it"),
        (
            ["benchmarks.prompts", "--prompts", "1", "--long", "1", "--seeds", "1", "--steps", "1"],
            "at most 4 chunks: any",
        ),
        (["benchmarks.measures", "--side", "256", "--times", "1"], "compared with a set of 1000"),
        (["benchmarks.gallery", "--pictures", "60", "--times", "1"], "first page"),
    ],
    ids=["export", "decoding", "large set", "prompts", "measures", "gallery"],
)
def test_it_runs(arguments: list[str], said: str) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, check=False)
    assert said in done.stdout, done.stderr[-2000:]
