"""The tokenizer and both text encoders, as SDXL uses them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from training.config import Size
from training.data.looks import LOOKS
from training.data.scenes import Scene, caption
from training.data.vocabulary import HUES
from training.tensors import onto

# Every character is a token: unknown words can then be spelled.
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789,.-!'\"()&/"

END = "<|endoftext|>"


def _sample_captions(size: Size) -> list[str]:
    rng = np.random.default_rng(0)
    scenes = [Scene((thing,), look, 0) for thing in size.objects for look in size.looks]
    colours = [Scene((thing,), look, 0, hue) for thing in size.objects for hue in HUES for look in size.looks[:1]]
    looks = [phrase for look in size.looks for phrase in LOOKS[look].phrases]
    return [caption(scene, rng) for scene in (scenes + colours) * 4] + looks * 4 + ["a cat and an apple"] * 4


def train_tokenizer(size: Size) -> CLIPTokenizer:
    """Train byte pair encoding on captions. CLIP's own 49,408 tokens would make up most of the model."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=END, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=size.vocabulary,
        special_tokens=["<|startoftext|>", END],
        end_of_word_suffix="</w>",
        initial_alphabet=list(_ALPHABET),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sample_captions(size), trainer)
    with TemporaryDirectory() as folder:
        tokenizer.model.save(folder)
        words = json.loads((Path(folder) / "vocab.json").read_text())
        lines = (Path(folder) / "merges.txt").read_text().splitlines()
    for letter in _ALPHABET:  # letters that end no word of the captions must be able to end other words
        words.setdefault(letter + "</w>", len(words))
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#")]
    return CLIPTokenizer(vocab=words, merges=merges, model_max_length=size.tokens, pad_token=END)


class Words:
    """Tokenises captions, and caches the tokens of each word because captions share few words."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        self.tokenizer = tokenizer
        self.length: int = tokenizer.model_max_length
        self._known: dict[str, list[int]] = {}

    def __call__(self, texts: list[str]) -> Tensor:
        """Padded token ids ``(B, T)``, the same as for whole captions: the tokenizer never merges across spaces."""
        ids = np.full((len(texts), self.length), self.tokenizer.pad_token_id, np.int64)
        ids[:, 0] = self.tokenizer.bos_token_id
        for row, text in enumerate(texts):
            said = [number for word in text.split() for number in self._word(word)][: self.length - 2]
            ids[row, 1 : 1 + len(said)] = said
            ids[row, 1 + len(said)] = self.tokenizer.eos_token_id
        return torch.from_numpy(ids)

    def _word(self, word: str) -> list[int]:
        if word not in self._known:
            self._known[word] = self.tokenizer(word, add_special_tokens=False).input_ids
        return self._known[word]


@dataclass
class TextEncoders:
    """SDXL's pair of text encoders: hidden states of both, concatenated, and the pooled projection of the second."""

    tokenizer: CLIPTokenizer
    first: CLIPTextModel
    second: CLIPTextModelWithProjection
    device: torch.device

    def __post_init__(self) -> None:
        self.words = Words(self.tokenizer)

    @classmethod
    def new(cls, size: Size, device: torch.device) -> TextEncoders:
        tokenizer = train_tokenizer(size)
        config = CLIPTextConfig(**size.text_config(len(tokenizer)))
        first, second = CLIPTextModel(config), CLIPTextModelWithProjection(config)
        return cls(tokenizer, first.to(device), second.to(device), device)

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> TextEncoders:
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        first = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
        second = CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder_2", dtype=torch.float32)
        return cls(tokenizer, first.to(device), second.to(device), device)

    @property
    def modules(self) -> dict[str, nn.Module]:
        return {"text_encoder": self.first, "text_encoder_2": self.second}

    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Encode to ``(B, T, 2 W)``, from the penultimate layer of each encoder as in SDXL, and pooled ``(B, W)``."""
        tokens = onto(self.words(captions), self.device)
        first = self.first(tokens, output_hidden_states=True)
        second = self.second(tokens, output_hidden_states=True)
        return torch.cat([first.hidden_states[-2], second.hidden_states[-2]], -1), second.text_embeds
