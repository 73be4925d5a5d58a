"""Subjects on the command line."""

from pathlib import Path

import pytest

from tests.cli.asked import REFUSED, asked


def test_files_weights_and_handles(tmp_path: Path) -> None:
    mug, odd = tmp_path / "Blue Mug.safetensors", tmp_path / "a:b.safetensors"
    mug.write_bytes(b"x")
    odd.write_bytes(b"y")
    first, second = asked(subject=[f"{mug}:0.8", str(odd)]).subjects
    assert (first.file, first.weight, first.handle) == (mug, 0.8, "blue-mug")
    assert (second.file, second.weight) == (odd, 1.0)
    assert first.record()["file"] == "Blue Mug.safetensors"
    assert len(first.record()["sha256"]) == 64


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["{}:3"], "weight must be a number from 0 to 2; '3' was given"),
        (["{}:nan"], "weight must be a number from 0 to 2"),
        (["gone.safetensors"], "no LoRA file at gone.safetensors"),
        (["{}", "{}:0.5"], "was given twice"),
        (["{}", "{0.parent}/ＭＵＧ.safetensors"], "Two subjects have the handle @mug"),
        (["{}"] * 9, "at most 8 subjects"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, given: list[str], sentence: str) -> None:
    file = tmp_path / "mug.safetensors"
    file.write_bytes(b"x")
    (tmp_path / "ＭＵＧ.safetensors").write_bytes(b"y")
    with pytest.raises(REFUSED, match=sentence):
        asked(subject=[text.format(file) for text in given])
