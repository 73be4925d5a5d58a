"""Clean typed text before it is stored, and make it safe for file names; format numbers with their words."""

import re
import unicodedata
from functools import cache
from pathlib import PurePath
from typing import Literal

from app.languages import formats
from app.languages import gettext as _
from app.languages.formats import THIN_SPACE as THIN_SPACE
from app.languages.formats import listed as listed

# Names that Windows does not allow for folders or files.
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(1, 10))}

NO_ARTICLE = {"cherries", "glasses", "headphones", "lightning", "scissors"}  # of what the demo model draws

MOST_MARKS = 30  # after one letter, as in the Stream-Safe Text Format of Unicode Annex 15
MARKS = range(0x300, 0x1F000)  # all combining marks are among these
RARE = "\U00010000"  # above this, regular expressions check each character of a class in turn
LINE_END = re.compile("\r\n|[\r\n]")  # as in a form's text field: nothing else ends a line there
# What ends a line or page elsewhere, and would otherwise join two words as it is removed.
SPACES = str.maketrans(dict.fromkeys("\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029", " "))
WIDE = re.compile("[\u3000\uff01-\uffee]+")  # full-width and half-width forms, and the ideographic space
NARROWED = re.compile("[\uff66-\uff9d][\uff9e\uff9f]?|.", re.DOTALL)  # half-width kana with their voice marks
COMMAS = re.compile(" *、 *")
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
JOINERS = "\u200c\u200d"
# A number as people type it. The only exponents are those of small numbers, as learning rates are written.
DECIMAL = re.compile(r"[+-]?([0-9]{1,15}(\.[0-9]{0,15})?|\.[0-9]{1,15})(e-0?[1-9])?", re.IGNORECASE)


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


def narrow(text: str) -> str:
    """Full-width letters, digits and signs as the usual ones, half-width kana as full-width: "１，ｷﾂﾈ" -> "1,キツネ".

    Only these take their compatibility form (NFKC), so "½", "…" and "①" stay as they are.
    """
    return text if text.isascii() else WIDE.sub(lambda match: normalized("NFKC", match[0]), text)


def narrow_places(text: str) -> tuple[str, list[int]]:
    """`narrow(text)`, and for each of its characters, and its end, where it comes from in `text`."""
    made: list[str] = []
    places: list[int] = []
    for match in NARROWED.finditer(text):
        part = narrow(match[0])
        made.append(part)
        places += [match.start()] * len(part)
    return "".join(made), [*places, len(text)]


def clean_line(text: str) -> str:
    """`text` as one line: composed, trimmed, without control characters, broken surrogates and hidden direction marks.

    Joiners stay (they hold family emoji and Persian words together).
    """
    line = normalized("NFC", text.replace("\r\n", "\n").translate(SPACES))
    if not line.isprintable():  # true for nearly every line
        line = CONTROLS.sub("", line).translate(_hidden())
    return line.strip()


def clean_prompt(text: str) -> str:
    """A line that a model reads: cleaned, without full-width signs; the ideographic comma separates like a comma."""
    line = clean_line(narrow(text))
    return line if line.isascii() else COMMAS.sub(", ", line).strip()


def may_fit(text: str, most: int) -> bool:
    """Whether a text can have at most `most` characters once it is cleaned; of others, cleaning would take long."""
    return len(text) <= 20 * most


def lines(text: str) -> list[str]:
    """The lines of a text as browsers count them, blank ones too.

    `str.splitlines` also ends a line at a vertical tab, a form feed or U+2028, which a text field shows within a line.
    """
    return LINE_END.split(text)


def clean_text(text: str) -> str:
    """Clean each line of `text` and drop blank lines at its ends."""
    return "\n".join(clean_line(line) for line in lines(text)).strip()


def whole_number(text: str) -> int | None:
    """The number that `text` writes in digits, such as an id; None for anything else, or a number too large.

    The largest is what a column can hold. Full-width digits are digits. `int` itself accepts other scripts' digits,
    signs and spaces, and raises for very long ones.
    """
    text = narrow(text)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def plain_number(text: str) -> str:
    """A typed number with the usual digits and signs: "－１．５" -> "-1.5". Raises ValueError.

    What `int` and `float` accept besides is refused: underscores, other scripts' digits, "nan", "inf" and "1e3".
    """
    plain = narrow(text).strip().replace("\u2212", "-")
    if not DECIMAL.fullmatch(plain):
        raise ValueError(f"{text[:80]!r} is no number")
    return plain


def decimal_number(text: str) -> float:
    """The number that `text` writes, a finite one. Raises ValueError."""
    return float(plain_number(text))


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


def thin(number: float | None) -> str:
    """1631 -> "1 631", as the language of now writes it; "" for None."""
    return "" if number is None else formats.number(number)


def filesize(size: int | None) -> str:
    """38_000_000 -> "36 MB"."""
    if size is None:
        return ""
    for unit, factor in (("GB", 2**30), ("MB", 2**20), ("kB", 2**10)):
        if size >= factor:
            value = size / factor
            return f"{formats.decimal(value)} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return _("%(number)s bytes", number=size)


def plural(number: int | None, word: str, words: str | None = None) -> str:
    """(3, "picture") -> "3 pictures"; "" for None. For what only English says; pages say `ngettext`."""
    return "" if number is None else f"{thin(number)} {word if number == 1 else words or word + 's'}"


def with_article(words: str) -> str:
    """A thing with its article, if it takes one: "a fox", "an owl", "scissors"."""
    if words in NO_ARTICLE:
        return words
    vowel = words.startswith(("a", "e", "i", "o", "u", "hour")) and not words.startswith(("uni", "uku"))
    return f"{'an' if vowel else 'a'} {words}"


def file_name(name: str, length: int = 255) -> str:
    """The name of an uploaded file to show: without folders, as one line, never empty."""
    return clean_line(PurePath(name.replace("\\", "/")).name)[:length] or "file"


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
def marks() -> str:
    """All combining marks, and the few characters that become one in a normal form."""
    return "".join(c for c in map(chr, MARKS) if unicodedata.combining(unicodedata.normalize("NFKD", c)[0]))


@cache
def _perhaps_many_marks() -> re.Pattern[str]:
    """Match more than `MOST_MARKS` marks in a row, or letters of rare scripts: fast, because it lists no rare mark."""
    common = "".join(mark for mark in marks() if mark < RARE)
    return re.compile(f"[{common}{RARE}-{max(marks())}]{{{MOST_MARKS + 1}}}")


@cache
def _row_of_marks() -> re.Pattern[str]:
    """Match marks in a row; the group contains those to keep."""
    return re.compile(f"([{marks()}]{{1,{MOST_MARKS}}})[{marks()}]*")


@cache
def _hidden() -> dict[int, None]:
    """Invisible control characters (Unicode category Cf), except the joiners."""
    planes = (*range(0x20000), *range(0xE0000, 0xE1000))
    return {code: None for code in planes if unicodedata.category(chr(code)) == "Cf" and chr(code) not in JOINERS}
