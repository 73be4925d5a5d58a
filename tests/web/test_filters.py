from datetime import timedelta

import pytest

from app.models import now
from app.web import filters


@pytest.mark.parametrize(
    ("size", "written"),
    [(0, "0 bytes"), (1024, "1 kB"), (32 * 2**20, "32 MB"), (int(1.5 * 2**20), "1.5 MB"), (2**31, "2 GB"), (None, "")],
)
def test_filesize(size: int | None, written: str) -> None:
    assert filters.filesize(size) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.2, "1 s"),
        (59, "59 s"),
        (100, "1 min 40 s"),
        (120, "2 min"),
        (1000, "17 min"),
        (7300, "2 h 2 min"),
        (None, ""),
    ],
)
def test_duration(seconds: float | None, written: str) -> None:
    assert filters.duration(seconds) == written


@pytest.mark.parametrize(
    ("before", "written"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(minutes=20, seconds=5), "20 min ago"),
        (timedelta(hours=3, minutes=50), "3 h ago"),
        (timedelta(hours=30), "yesterday"),
    ],
)
def test_ago(before: timedelta, written: str) -> None:
    assert filters.ago(now() - before) == written


def test_a_day_of_another_year_says_which() -> None:
    assert filters.day(now().replace(year=2020, month=11, day=19)) == "19 Nov 2020"
    assert filters.ago(None) == filters.day(None) == ""


@pytest.mark.parametrize(
    ("text", "japanese"), [("a fox", False), ("", False), ("露のついた", True), ("カ", True), ("é 🦊", False)]
)
def test_japanese(text: str, japanese: bool) -> None:
    assert filters.japanese(text) is japanese
