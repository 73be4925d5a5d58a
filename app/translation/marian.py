"""Translate with a Marian model, such as Helsinki-NLP/opus-mt-ja-en: small, on the CPU, in the engine's process."""

import warnings
from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

from app.languages import gettext as _
from app.translation.translator import CannotTranslate

BATCH = 16  # texts at a time
MOST_TOKENS = 128  # of a text, and of its translation


class Marian:
    """A loaded Marian model. Thread-safe; runs one call at a time."""

    def __init__(self, name: str) -> None:
        """`name` is a folder in transformers' format or a hub id. Raises CannotTranslate."""
        import torch
        from transformers import AutoTokenizer, MarianMTModel

        from app.style_aligned.loading import UNLOADABLE, helper_folder

        try:
            folder = helper_folder(name, "*.spm")
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Recommended: pip install sacremoses")  # texts are normalised already
                self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
            model = MarianMTModel.from_pretrained(folder, use_safetensors=True, dtype=torch.float32)
        except UNLOADABLE as error:
            raise CannotTranslate(
                _(
                    "The translation model %(name)s cannot be loaded, so prompts in Japanese cannot be translated."
                    " Write them in English, or ask an administrator to check SOROE_TRANSLATION and the network.",
                    name=name,
                )
            ) from error
        self._model: Any = model.eval().requires_grad_(False)
        self._lock = Lock()

    def translate(self, texts: Sequence[str]) -> list[str]:
        """The texts in English, in order; always the same for a text."""
        import torch

        found: list[str] = []
        with self._lock, torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                batch = list(texts[start : start + BATCH])
                given = self._tokenizer(
                    batch, return_tensors="pt", padding=True, truncation=True, max_length=MOST_TOKENS
                )
                made = self._model.generate(**given, num_beams=1, do_sample=False, max_new_tokens=MOST_TOKENS)
                found += self._tokenizer.batch_decode(made, skip_special_tokens=True)
        return found


_loading = Lock()


def marian(name: str) -> Marian:
    """Load the model `name`, once. Raises CannotTranslate."""
    with _loading:
        return _loaded(name)


@lru_cache(maxsize=1)
def _loaded(name: str) -> Marian:
    return Marian(name)
