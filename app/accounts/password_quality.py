"""Check whether a password is one that attackers guess first.

zxcvbn (https://github.com/dwolfhub/zxcvbn-python) counts guesses. First, a simple check removes the words that anyone
knows about the person and this server, and looks at what is left of the password.

There are no rules about required characters (NIST SP 800-63B, OWASP ASVS 5.0 6.2): they make passwords worse.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import combinations, product
from threading import Lock
from urllib.parse import urlsplit

from zxcvbn import matching, zxcvbn

from app.languages import N_, translated
from app.languages import gettext as _
from app.languages.formats import sentences
from app.text import clean_line, normalized

GUESSES = 10**8  # zxcvbn's third of five scores: out of reach for guessing over the network
SHARED_GUESSES = 10**6  # for a link that ends, with limited attempts
# zxcvbn's time grows with the square of the length and with the number of ways to read digits as letters.
LENGTH, READINGS = 24, 8
LONGEST, MOST = 256, 64  # characters that are read, and that are searched for words
WORDS = 24  # of the person's own, at most
PRODUCT = ("soroe", "揃え", "そろえ", "stylealigned", "style aligned")
# Guessed early, but missing from zxcvbn's English lists, or too far down in them.
COMMON = frozenset(
    """
    ぱすわーど あんしょうばんごう ひみつ にほん とうきょう さくら ありがとう こんにちは あいうえお いろはにほへと
    暗証番号 秘密 日本 東京 桜 haru natsu aki fuyu passwort kennwort motdepasse contraseña senha sommer herbst frühling
    welcome willkommen bienvenue changeme letmein admin administrator sysadmin root guest test testing demo default
    secret login company office design designer studio marketing spring summer autumn winter january february march
    april may june july august september october november december monday tuesday wednesday thursday friday saturday
    sunday correcthorsebatterystaple
    """.split()  # noqa: SIM905  (a list of literals is three pages long)
)
# Parts of addresses that do not identify anyone.
PUBLIC = {"com", "net", "org", "info", "www", "mail", "email", "local", "localhost", "gmail", "outlook", "example"}

# Letters that digits and signs stand for.
LOOKS = {
    "a": "a4@",
    "b": "b8",
    "e": "e3€",
    "g": "g69",
    "i": "i1!|",
    "l": "l1!|",
    "o": "o0",
    "s": "s5$",
    "t": "t7+",
    "z": "z2",
}
READ = [
    str.maketrans({sign: letter for letter, signs in LOOKS.items() if letter != other for sign in signs})
    for other in "li"
]
INVISIBLE = ("\u200b", "\u200c", "\u200d", "\ufeff", "\u00ad")
LETTERS = r"[^\W\d_]+"
FEW = 4  # fewer extra letters than this do not help
REMEDY = N_("Use a sentence of your own, or four unrelated words.")

_alone = Lock()  # zxcvbn keeps a person's words in a module-level table
_server: list[str] = []


def use(public_url: str) -> None:
    """Treat the words of this server's address, such as the company's name, as guessable from now on."""
    _server[:] = _parts(urlsplit(public_url).hostname or "")
    _common()  # built now, not while someone waits


def problem(
    password: str, known: Sequence[str] = (), guesses: int = GUESSES, whose: str = N_("your own name or address")
) -> str | None:
    """Say why `password` is easy to guess, as a sentence with a remedy; None for a good one.

    `known`: what is known about the person, such as name and e-mail; `whose` describes it. Takes less than 50 ms of CPU
    for any input.
    """
    password = password[:LONGEST]
    server = frozenset(map(fold, _server))
    own = {
        N_("the name of this product"): frozenset(map(fold, PRODUCT)),
        whose: frozenset(_words(known)),
        N_("this server’s own name"): server,
    }
    if found := _made_of(password, own):
        little = _("This password is little more than %(found)s, so it is easy to guess.", found=translated(found))
        return sentences((little, translated(REMEDY)))
    if _guesses(password, frozenset().union(*own.values())) < guesses:
        easy = _("This password is easy to guess: it is common, a pattern, or common words with digits.")
        return sentences((easy, translated(REMEDY)))
    return None


def _made_of(password: str, own: dict[str, frozenset[str]]) -> str | None:
    """The word that a password consists of, if hardly anything else is left."""
    every = frozenset().union(*own.values())
    texts = [_once(text[:MOST]) for text in (fold(password), _tight(password))]
    for text, (what, words) in product(texts, own.items()):
        left = _without(text, words)
        if left != text and _is_little(_without(left, every)):
            return what
    return "one common word" if any(map(_is_common, texts)) else None


def _tight(password: str) -> str:
    """Remove the separators between words or letters."""
    return re.sub(r"[\s\-_.,:;/\\'\"]+", "", fold(password))


def _once(text: str) -> str:
    """Collapse repetitions: "soroe soroe soroe" -> "soroe"."""
    return re.sub(r"(.{2,}?)(?:\W*\1)+", r"\1", text)


def _without(text: str, words: Iterable[str]) -> str:
    """Remove words from `text`, forwards or backwards, also where digits and signs stand for letters."""
    for word in sorted(words, key=len, reverse=True):
        for spelt in dict.fromkeys((word, word[::-1])):
            text = re.sub("".join(f"[{re.escape(LOOKS.get(c, c))}]" for c in spelt), "\n", text)
    return text


def _is_little(text: str) -> bool:
    """Whether only a few letters, or one common word, are left."""
    return _letters(text) < FEW or _is_common(text)


def _is_common(text: str) -> bool:
    """Whether a text is one common word and little else, ignoring digits and signs around or in place of parts."""
    letters = _letters(text)
    if letters < FEW or "".join(re.findall(LETTERS, text)) in _common():
        return letters >= FEW
    return any(
        text[start:end].translate(read) in _common() and letters - _letters(text[start:end]) < FEW
        for start, end in combinations(range(min(len(text), LENGTH) + 1), 2)
        for read in (*READ, {})
    )


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def fold(text: str) -> str:
    """Fold letters that people consider equal: case, width, accents, kana; removes invisible characters."""
    plain = normalized("NFKC", text).casefold()
    marked = normalized("NFKD", plain)
    kept = "".join(c for c in marked if (unicodedata.category(c) != "Mn" or c in "\u3099\u309a") and c not in INVISIBLE)
    return "".join(
        chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c  # katakana as hiragana
        for c in normalized("NFC", kept)
    )


def _words(known: Sequence[str]) -> list[str]:
    """The parts of names and addresses that are long enough to search for."""
    found: list[str] = []
    for text in known:
        text = fold(clean_line(text[:254]))
        name, at, domain = text.rpartition("@") if "@" in text else (text, "", "")
        found += [text, name, *_parts(name), *(_parts(domain) if at else [])]
        found.append("".join(re.findall(LETTERS, name)))
    return [word for word in dict.fromkeys(found) if _is_word(word)][:WORDS]


def _parts(text: str) -> list[str]:
    return [part for part in re.split(r"[\W_\d]+", fold(text)) if _is_word(part) and part not in PUBLIC]


def _is_word(word: str) -> bool:
    """At least three letters of an alphabet, or two Japanese or Chinese characters."""
    return len(word) >= (2 if any(ord(c) > 0x2E80 for c in word) else 3)


@cache
def _common() -> frozenset[str]:
    """zxcvbn's most used passwords, names and English words, plus ours."""
    listed = (word for ranks in matching.RANKED_DICTIONARIES.values() for word in ranks if len(word) >= FEW)
    return frozenset((*listed, *map(fold, COMMON)))


def _guesses(password: str, own: frozenset[str]) -> float:
    """The number of guesses a password takes. For a long one, the stronger end counts."""
    ends = dict.fromkeys((password[:LENGTH], password[-LENGTH:]))
    words = sorted(own | set(map(fold, COMMON)))
    with _alone:
        return max(float(zxcvbn(_bounded(end), user_inputs=words)["guesses"]) for end in ends)


def _bounded(text: str) -> str:
    """Replace signs in `text` that could be read as letters in too many ways."""
    table = matching.relevant_l33t_subtable(text, matching.L33T_TABLE)
    readings = 1
    for letter, signs in table.items():
        readings *= len(signs)
        if readings > READINGS:
            dull = {sign for other in list(table)[list(table).index(letter) :] for sign in table[other]}
            return "".join("~" if c in dull and not c.isdecimal() else c for c in text)
    return text
