"""docs/security.md compared with OWASP ASVS 5.0, levels 1 and 2, and with our own tests."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text()

# How many requirements of levels 1 and 2 each section has; they come first.
REQUIREMENTS = {
    "1.1": 2,
    "1.2": 9,
    "1.3": 11,
    "1.4": 3,
    "1.5": 2,
    "2.1": 3,
    "2.2": 3,
    "2.3": 4,
    "2.4": 1,
    "3.2": 2,
    "3.3": 4,
    "3.4": 6,
    "3.5": 5,
    "3.7": 2,
    "4.1": 3,
    "4.2": 1,
    "4.3": 2,
    "4.4": 4,
    "5.1": 1,
    "5.2": 3,
    "5.3": 2,
    "5.4": 3,
    "6.1": 3,
    "6.2": 12,
    "6.3": 4,
    "6.4": 4,
    "6.5": 5,
    "6.6": 3,
    "6.8": 4,
    "7.1": 3,
    "7.2": 4,
    "7.3": 2,
    "7.4": 5,
    "7.5": 2,
    "7.6": 2,
    "8.1": 2,
    "8.2": 3,
    "8.3": 1,
    "8.4": 1,
    "9.1": 3,
    "9.2": 4,
    "10.1": 2,
    "10.2": 2,
    "10.3": 4,
    "10.4": 11,
    "10.5": 5,
    "10.6": 2,
    "10.7": 3,
    "11.1": 2,
    "11.2": 3,
    "11.3": 3,
    "11.4": 4,
    "11.5": 1,
    "11.6": 1,
    "12.1": 3,
    "12.2": 2,
    "12.3": 4,
    "13.1": 1,
    "13.2": 5,
    "13.3": 2,
    "13.4": 5,
    "14.1": 2,
    "14.2": 4,
    "14.3": 3,
    "15.1": 3,
    "15.2": 3,
    "15.3": 7,
    "16.1": 1,
    "16.2": 5,
    "16.3": 4,
    "16.4": 3,
    "16.5": 3,
    "17.1": 1,
    "17.2": 4,
    "17.3": 2,
}
ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| ([^|]+) \| ([^|]+) \| (.+) \|$", re.MULTILINE)
STANDING = {"tested", "documented", "left to you", "not here", "not met"}


def rows() -> list[tuple[str, str, str, str]]:
    return ROW.findall(PAGE)


def test_every_requirement_has_one_row_in_its_order() -> None:
    wanted = [f"{section}.{number}" for section, count in REQUIREMENTS.items() for number in range(1, count + 1)]
    assert [row[0] for row in rows()] == wanted


def test_each_row_has_a_status_and_a_reason() -> None:
    for number, _, standing, why in rows():
        assert standing in STANDING, number
        assert len(why) > 5, number
        if standing == "documented":
            assert "](" in why or "`" in why, number


def test_the_tests_that_it_names_are_there() -> None:
    named = {why.strip("`") for _, _, standing, why in rows() if standing == "tested"}
    for name in sorted(named):
        file, _, test = name.partition("::")
        assert re.search(rf"^(?:async )?def {test}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE), name


def test_the_counts_that_it_gives_are_true() -> None:
    counted = {standing: sum(row[2] == standing for row in rows()) for standing in STANDING}
    for standing, count in counted.items():
        assert f"| {standing} | {count} |" in PAGE, (standing, count)
