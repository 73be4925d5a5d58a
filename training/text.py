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
from training.looks import LOOKS
from training.scenes import Scene, caption
from training.vocabulary import HUES

# Characters are tokens of their own, so that a word never heard of still has a spelling.
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789,.-!'\"()&/"

END = "<|endoftext|>"


def _sample_captions(size: Size) -> list[str]:
    rng = np.random.default_rng(0)
    scenes = [Scene((thing,), look, 0) for thing in size.objects for look in size.looks]
    colours = [Scene((thing,), look, 0, hue) for thing in size.objects for hue in HUES for look in size.looks[:1]]
    looks = [phrase for look in size.looks for phrase in LOOKS[look].phrases]
    return [caption(scene, rng) for scene in (scenes + colours) * 4] + looks * 4 + ["a cat and an apple"] * 4


def train_tokenizer(size: Size) -> CLIPTokenizer:
    """Byte pair encoding learnt from captions; CLIP's own 49,408 tokens would be most of the model."""
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
    for letter in _ALPHABET:  # a letter that ends no word of the captions must still be able to end one
        words.setdefault(letter + "</w>", len(words))
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#")]
    return CLIPTokenizer(vocab=words, merges=merges, model_max_length=size.tokens, pad_token=END)


class Words:
    """Token ids of captions. There are few thousand different ones, so each is tokenised once."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        self.tokenizer = tokenizer
        self._known: dict[str, Tensor] = {}

    def __call__(self, texts: list[str]) -> Tensor:
        """``(B, T)``, padded."""
        for text in set(texts) - self._known.keys():
            self._known[text] = token_ids(self.tokenizer, text)
        return torch.stack([self._known[text] for text in texts])


@dataclass
class TextEncoders:
    """SDXL's pair: the hidden states of both side by side, and the pooled projection of the second."""

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
        """``(B, T, 2 W)`` and pooled ``(B, W)``. Of each encoder the layer before the last, as SDXL takes it."""
        tokens = self.words(captions).to(self.device)
        first = self.first(tokens, output_hidden_states=True)
        second = self.second(tokens, output_hidden_states=True)
        return torch.cat([first.hidden_states[-2], second.hidden_states[-2]], -1), second.text_embeds


def token_ids(tokenizer: CLIPTokenizer, text: str) -> Tensor:
    length = tokenizer.model_max_length
    encoded = tokenizer(text, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    ids: Tensor = encoded.input_ids[0]
    return ids
