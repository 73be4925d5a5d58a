"""Prompt files in the encodings that people have: read if it is certain which, else asked for."""

import codecs
from pathlib import Path

import pytest

from app.cli.console import CommandRefused
from app.cli.files import read_prompts

LINES = "a fox\n露のついたリンゴ"


def read(data: bytes, folder: Path, encoding: str = "") -> str:
    file = folder / "prompts.txt"
    file.write_bytes(data)
    return read_prompts([], file, encoding)


@pytest.mark.parametrize(
    "data",
    [
        LINES.encode(),
        LINES.encode("utf-8-sig"),
        LINES.encode("utf-16"),
        codecs.BOM_UTF16_BE + LINES.encode("utf-16-be"),
        LINES.encode("cp932"),
    ],
)
def test_what_is_certain_is_read(data: bytes, tmp_path: Path) -> None:
    assert read(data, tmp_path) == LINES


@pytest.mark.parametrize(
    "data", [LINES.encode("euc_jp"), "un café".encode("cp1252"), "naïve".encode("latin-1"), b"\xff\xfe\x00"]
)
def test_what_is_not_is_asked_for(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(CommandRefused, match=r"--prompts-encoding|can't decode|truncated"):
        read(data, tmp_path)


def test_a_named_encoding_is_used(tmp_path: Path) -> None:
    assert read(LINES.encode("euc_jp"), tmp_path, "euc_jp") == LINES
    with pytest.raises(CommandRefused, match="unknown encoding"):
        read(b"a fox", tmp_path, "klingon")
