"""Clean typed text before it is stored, and make it safe for file names; format numbers with their words."""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Literal

THIN_SPACE = "\u202f"  # narrow and non-breaking: "1 631"

# Names that Windows does not allow for folders or files.
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(1, 10))}

MOST_MARKS = 30  # after one letter, as in the Stream-Safe Text Format of Unicode Annex 15
MARKS = range(0x300, 0x1F000)  # all combining marks are among these
RARE = "\U00010000"  # above this, regular expressions check each character of a class in turn
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
JOINERS = "\u200c\u200d"


def normalized(form: Literal["NFC", "NFKC", "NFKD"], text: str) -> str:
    """Normalise `text` to a Unicode form, in linear time.

    Python sorts the marks after a letter in quadratic time: 40 000 of them blocked the whole process for three seconds.
    No language puts 30 on one letter, so those after the 30th are dropped.
    """
    if text.isascii():
        return text
    if _perhaps_many_marks().search(text):
        text = _row_of_marks().sub(r"\1", text)
    return unicodedata.normalize(form, text)


def clean_line(text: str) -> str:
    """`text` as one line: composed, trimmed, without control characters, broken surrogates and hidden direction marks.

    Joiners stay (they hold family emoji and Persian words together).
    """
    line = normalized("NFC", text.replace("\t", " "))
    if not line.isprintable():  # true for nearly every line
        line = CONTROLS.sub("", line).translate(_hidden())
    return line.strip()


def clean_text(text: str) -> str:
    """Clean each line of `text` and drop blank lines at its ends."""
    return "\n".join(clean_line(line) for line in text.splitlines()).strip()


def whole_number(text: str) -> int | None:
    """The number that `text` writes in digits, such as an id; None for anything else, or a number too large.

    The largest is what a column can hold. `int` itself accepts other scripts' digits, signs and spaces, and raises for
    very long ones.
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def sentence(error: Exception) -> str:
    """An error's message, which starts with a small letter and has no full stop, as a sentence."""
    message = str(error)
    return f"{message[:1].upper()}{message[1:]}."


def shorten(text: str, length: int) -> str:
    """Shorten `text` to at most `length` characters with an ellipsis, between words if possible."""
    if len(text) <= length:
        return text
    head = text[: length - 1]
    words = head.rsplit(" ", 1)[0]
    return (words if len(words) > length // 2 else head).rstrip(" ,.;:、。") + "…"


def listed(parts: Sequence[str]) -> str:
    """ "A", "A and B", "A, B and C"."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def thin(number: float | None) -> str:
    """1631 -> "1 631"; "" for None."""
    return "" if number is None else f"{number:,}".replace(",", THIN_SPACE)


def filesize(size: int | None) -> str:
    """38_000_000 -> "36 MB"."""
    if size is None:
        return ""
    for unit, factor in (("GB", 2**30), ("MB", 2**20), ("kB", 2**10)):
        if size >= factor:
            value = size / factor
            return f"{value:.1f} {unit}".replace(".0 ", " ") if value < 10 else f"{value:.0f} {unit}"
    return f"{size} bytes"


def plural(number: int | None, word: str, words: str | None = None) -> str:
    """(3, "picture") -> "3 pictures"; "" for None."""
    return "" if number is None else f"{thin(number)} {word if number == 1 else words or word + 's'}"


def slug(text: str, length: int = 40) -> str:
    """A file name from a text: letters and digits of any script, the rest as single hyphens; "" if nothing is left.

    "A fox, smiling!" -> "a-fox-smiling";  "雪をかぶった富士山" stays;  "🦊" -> "".

    At most `length` characters and 120 bytes, so that a number and an extension still fit into a name of 255 bytes.
    """
    # One character can become 18 in the compatibility form.
    words = re.sub(r"[\W_]+", "-", normalized("NFKC", text[: 8 * length]).lower())
    name = words[:length].encode()[:120].decode(errors="ignore").strip("-")
    return f"{name}-" if name in RESERVED else name


@cache
def _marks() -> str:
    """All combining marks, and the few characters that become one in a normal form."""
    return "".join(c for c in map(chr, MARKS) if unicodedata.combining(unicodedata.normalize("NFKD", c)[0]))


@cache
def _perhaps_many_marks() -> re.Pattern[str]:
    """Match more than `MOST_MARKS` marks in a row, or letters of rare scripts: fast, because it lists no rare mark."""
    common = "".join(mark for mark in _marks() if mark < RARE)
    return re.compile(f"[{common}{RARE}-{max(_marks())}]{{{MOST_MARKS + 1}}}")


@cache
def _row_of_marks() -> re.Pattern[str]:
    """Match marks in a row; the group contains those to keep."""
    return re.compile(f"([{_marks()}]{{1,{MOST_MARKS}}})[{_marks()}]*")


@cache
def _hidden() -> dict[int, None]:
    """Invisible control characters (Unicode category Cf), except the joiners."""
    planes = (*range(0x20000), *range(0xE0000, 0xE1000))
    return {code: None for code in planes if unicodedata.category(chr(code)) == "Cf" and chr(code) not in JOINERS}
