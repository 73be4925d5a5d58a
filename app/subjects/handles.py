"""Handles: how prompts name subjects, `@mug`."""

import re
from collections.abc import Iterable, Mapping

from app.text import slug

HANDLE_LENGTH = 40
MENTION = re.compile(r"(?<![\w@])@([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)", re.IGNORECASE | re.ASCII)


def handle_from(name: str) -> str:
    """Make a handle from a subject's name, in letters that every keyboard has: "Kettle No. 2" -> "kettle-no-2".

    "" if nothing of the name can be written in them.
    """
    return re.sub(r"[^a-z0-9]+", "-", slug(name, HANDLE_LENGTH)).strip("-")


def mentioned(prompts: Iterable[str]) -> list[str]:
    """The handles that prompts name, each once, in lower case."""
    found = (match[1].lower() for prompt in prompts for match in MENTION.finditer(prompt))
    return list(dict.fromkeys(found))


def spoken(prompt: str, phrases: Mapping[str, str]) -> str:
    """Replace every known `@handle` in a prompt by its phrase; one without a phrase disappears."""

    def said(match: re.Match[str]) -> str:
        return phrases.get(match[1].lower(), match[0])

    text = MENTION.sub(said, prompt)
    if text == prompt:
        return prompt
    # A handle without a phrase leaves double spaces behind, and commas without a word before them.
    parts = (" ".join(part.split()) for part in text.split(","))
    return ", ".join(part for part in parts if part)
