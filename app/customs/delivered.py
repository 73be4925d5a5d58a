"""The checklists that come with the app: what to look for in pictures for a market, why, and where that is written.

Each market has a file of items per language in `lists/`, with the same keys; `sources.toml` has the sources of all of
them. They state customs and rules so that a reviewer can ask about them. They are no legal advice.
"""

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from app.languages import ENGLISH, N_
from app.languages import gettext as _

FOLDER = Path(__file__).parent / "lists"
# Read at once: the first to ask for a list may hold the database, in which everyone else waits to write.
FILES: dict[str, dict[str, Any]] = {path.name: tomllib.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.toml")}
PRACTICE = "practice"  # a custom without a text to cite

MARKETS = {
    "jp": N_("Japan"),
    "cn": N_("China"),
    "kr": N_("South Korea"),
    "eu": N_("European Union"),
    "us": N_("United States"),
    "gulf": N_("Gulf states"),
}
TOPICS = {  # in the order of the pages
    "colours": N_("Colours and flowers"),
    "numbers": N_("Numbers and gifts"),
    "hands": N_("Hands, bodies and roles"),
    "animals": N_("Animals"),
    "religion": N_("Religious signs"),
    "nation": N_("National signs, maps and money"),
    "food": N_("Food, drink and smoking"),
    "dress": N_("Dress"),
    "other": N_("Other"),
}


@dataclass(frozen=True)
class Citation:
    """Where an item is written: a law, a standard, an official page, a reference work."""

    title: str
    publisher: str = ""
    year: int | None = None
    url: str = ""

    @property
    def words(self) -> str:
        """In one line, for records."""
        return ", ".join(str(part) for part in (self.title, self.publisher, self.year) if part)


@dataclass(frozen=True)
class Item:
    """One thing to look for: a sentence that is true of a fine picture."""

    key: str
    topic: str
    text: str
    why: str
    sources: tuple[Citation, ...]
    practice: bool  # common practice, if nothing else is cited
    stamp: str  # changes with the words, and is the same in every language
    delivered: bool = True  # the words are the app's own, not the team's

    @property
    def source_words(self) -> str:
        """What the record says about where it is from."""
        cited = [source.words for source in self.sources]
        return "; ".join([*cited, *([_("Common practice")] if self.practice or not cited else [])])


def stamp_of(*words: str) -> str:
    """A short name for words: an answer is to these words and no others."""
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]


@cache
def items(market: str, language: str = ENGLISH) -> dict[str, Item]:
    """A market's items by key, in the order of its file. A language without a file has English."""
    english = FILES.get(f"{market}.{ENGLISH}.toml", {})
    told = FILES.get(f"{market}.{language}.toml", english)
    return {key: _item(key, told.get(key, entry), entry, language) for key, entry in english.items()}


def _item(key: str, told: dict[str, Any], english: dict[str, Any], language: str) -> Item:
    cited = [name for name in english["sources"] if name != PRACTICE]
    return Item(
        key=key,
        topic=english["topic"],
        text=told["text"],
        why=told["why"],
        sources=tuple(_source(name, language) for name in cited),
        practice=PRACTICE in english["sources"],
        stamp=stamp_of(english["text"], english["why"]),
    )


@cache
def _source(name: str, language: str) -> Citation:
    entry = sources()[name]
    title = entry.get(language, entry["title"])
    publisher = entry.get(f"publisher_{language}", entry["publisher"])
    return Citation(title, publisher, entry.get("year"), entry.get("url", ""))


def sources() -> dict[str, dict[str, Any]]:
    return FILES["sources.toml"]
