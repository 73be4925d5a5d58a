"""What the model reads of the texts of sets, styles and new versions, before and after anything is made."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from sqlalchemy.orm import Session

from app import languages
from app.blocked import queries as blocked
from app.blocked.matching import Matcher
from app.languages import N_, current
from app.languages import gettext as _
from app.models import ImageSet, User
from app.prompts.reader import Reader
from app.prompts.remarks import Kind, Remarks, barred, remarks, summary, translated
from app.sets.ingredients import regions
from app.sets.looks import latest_version
from app.subjects import queries as subjects
from app.text import clean_prompt
from app.translation.translator import Translator, drawn_as, missed

MOST_REMARKS = 5  # that a set's page shows
NO_GUIDANCE = 1.0  # and below: the pictures follow the prompt alone
NEGATIVE_UNUSED = N_("The negative prompt does nothing at guidance 1 or below. Raise the guidance, or leave it empty.")

Phrases = tuple[tuple[str, str], ...]


def style_text(session: Session, code: str) -> str:
    """The text of the style with this code; "" if there is no such style."""
    style = latest_version(session, code) if code else None
    return style.said_text if style else ""


def read(
    session: Session,
    reader: Reader,
    texts: Sequence[str],
    kind: Kind,
    style_text: str = "",
    translator: Translator | None = None,
    corrected: Mapping[str, str] | None = None,
    user: User | None = None,
) -> list[Remarks]:
    """What to say of texts that `user` writes: prompts for a style with this text, negative prompts, style texts.

    An unknown handle counts as a word. Texts in Japanese are read as they are `corrected`, by `clean_prompt` of the
    text, or else translated. Raises CannotTranslate.
    """
    own = {text: (corrected or {}).get(clean_prompt(text), "") for text in texts}
    named = subjects.named_in(session, [*texts, *own.values()]) if kind != "negative" else {}
    said = drawn_as(texts, own, translator, named)
    phrases = tuple(sorted((handle, subject.phrase) for handle, subject in named.items()))
    told = _remarks(reader, texts, kind, style_text, phrases, tuple(said.items()), translator)
    if user is None or kind == "negative":  # what must not be shown may be named
        return told
    known = blocked.matcher(session, user)
    return [_barred(known, each, text, said.get(text, "")) for each, text in zip(told, texts, strict=True)]


def _barred(known: Matcher, told: Remarks, text: str, english: str) -> Remarks:
    """With the words that are blocked."""
    here, there = blocked.finds(known, text), blocked.finds(known, english) if english else []
    words = {find.word for find in here}
    why = [blocked.said(word) for word in dict.fromkeys(find.word for find in here)]
    why += [blocked.said_drawn(word, text) for word in dict.fromkeys(find.word for find in there) if word not in words]
    return barred(told, text, [(find.start, find.end) for find in here], why) if why else told


def of_set(session: Session, image_set: ImageSet, reader: Reader, translator: Translator | None = None) -> list[str]:
    """What to say of a set's prompts, regions and negative prompt, in a few lines."""
    phrases = tuple(
        sorted((subject.handle, subject.phrase) for subject, _weight in subjects.of_set(session, image_set))
    )
    text, said = image_set.style_version.said_text, tuple(image_set.drawn_as.items())
    told = list(_of_prompts(reader, tuple(image_set.prompts), text, phrases, said, translator, current()))
    own = regions.styles_of(session, image_set)
    for number, region in enumerate(image_set.regions, start=1):
        version = own.get(region.style_version_id) or image_set.style_version
        (found,) = _remarks(reader, [region.prompt], "prompt", version.said_text, phrases, said, translator)
        told += [_("Region %(number)s: %(problem)s", number=number, problem=note) for note in found.notes]
    if negative := image_set.negative_prompt:
        told += _remarks(reader, [negative], "negative", "", (), said, translator)[0].notes
    return [*told, *filter(None, [negative_unused(negative, image_set.guidance)])]


def negative_unused(negative_prompt: str, guidance: float) -> str | None:
    """Why a negative prompt has no effect, in a sentence; None if it has, or there is none."""
    return languages.translated(NEGATIVE_UNUSED) if negative_prompt and guidance <= NO_GUIDANCE else None


@lru_cache(256)
def _of_prompts(
    reader: Reader,
    prompts: tuple[str, ...],
    style_text: str,
    phrases: Phrases,
    said: Phrases,
    translator: Translator | None,
    language: str,
) -> list[str]:
    """Remembered, since a set's prompts and style never change, and its page is shown often in a few languages."""
    found = _remarks(reader, prompts, "prompt", style_text, phrases, said, translator)
    return summary(list(enumerate(found, start=1)), MOST_REMARKS)


def _remarks(
    reader: Reader,
    texts: Iterable[str],
    kind: Kind,
    style_text: str,
    phrases: Phrases,
    said: Phrases = (),
    translator: Translator | None = None,
) -> list[Remarks]:
    """`said` are the texts in English that are drawn in place of others."""
    spoken, english = dict(phrases), dict(said)
    return [drawn_remarks(reader, text, english.get(text, ""), kind, style_text, spoken, translator) for text in texts]


def drawn_remarks(
    reader: Reader,
    text: str,
    english: str,
    kind: Kind,
    style_text: str,
    phrases: Mapping[str, str],
    translator: Translator | None,
) -> Remarks:
    """What to say of a text that is drawn as `english`; "" for as it is written."""
    if not english:
        return remarks(reader.read(text, style_text, phrases), text, kind, style_text)
    told = remarks(reader.read(english, style_text, phrases), english, kind, style_text)
    return translated(told, text, english, missed(translator, text, english, phrases) if translator else ())
