"""Prompts for SDXL's two text encoders: in as many chunks as they need, and with weights of words.

**Chunks.** An encoder reads 77 tokens, two of which frame the text. As in AUTOMATIC1111's web UI and ComfyUI, a longer
text is divided; each chunk is encoded in a frame of its own, and the hidden states are joined for the UNet to attend
to. The pooled state is the first chunk's, as there: SDXL takes one such vector, and has learned it from whole captions,
which begin with what matters. A text of one chunk without weights gives what diffusers gives, bit for bit.

**Equal lengths.** The rows of one call of the UNet need equally many tokens: several prompts, and the negative one. The
common tools pad with empty chunks, so that a picture depends on the length of texts that are not its own. Here the
shorter text is repeated (`level`), which leaves its attention as it was: with every key there k times, a softmax gives
each copy a k-th of the weight, and the copies' values are the same.

**Weights.** With e what an encoder gives for a chunk, and e_w the same with the words of weight w hidden from all
others by its attention mask, and the empty text's states in their places:

    e' = e + sum over w of (w - 1) (e - e_w)        for hidden states and the pooled state

So 0 is the text without these words, 1 the text itself, and what is between and beyond is on the line through both. The
common tools scale the words' own states alone; but the states of the other words, of the frame's end and of the padding
know them too, so that a weight of 0 hardly removes anything. `docs/prompts.md` has the measurements.
"""

import re
from collections.abc import Sequence
from math import lcm
from typing import Any

import torch
from torch import Tensor

from app.weighted import divided, segments, weighted

FRAME = 2  # tokens that begin and end a chunk

Chunk = list[tuple[int, float]]  # tokens, each with its weight


class TextEncoders:
    """The tokenizers and text encoders of an SDXL pipeline."""

    def __init__(self, pipeline: Any, most_chunks: int) -> None:
        """`most_chunks` are read of a text, at least one; what comes after them is dropped."""
        self.pairs = (
            (pipeline.tokenizer, pipeline.text_encoder),
            (pipeline.tokenizer_2, pipeline.text_encoder_2),
        )
        self.most_chunks = most_chunks
        self.empty_is_zero: bool = pipeline.config.force_zeros_for_empty_prompt  # as a negative prompt

    @property
    def length(self) -> int:
        """Tokens of a chunk with its frame: what all parts of this model take."""
        return min(
            min(tokenizer.model_max_length, encoder.config.max_position_embeddings) for tokenizer, encoder in self.pairs
        )

    def branches(self, prompts: Sequence[str], negative_prompt: str | None) -> tuple[Tensor, Tensor]:
        """Encode N prompts for G guidance branches: hidden states (G, N, T, C) and pooled states (G, N, P).

        Without a negative prompt (None) there is one branch; with one, even "", it is the first of two.
        """
        tokens, pooled = self.encode(prompts)
        if negative_prompt is None:
            return level(tokens)[None], pooled[None]
        if negative_prompt or not self.empty_is_zero:
            no_tokens, no_pooled = self.encode([negative_prompt] * len(prompts))
        else:
            no_tokens, no_pooled = [torch.zeros_like(each) for each in tokens], torch.zeros_like(pooled)
        return level([*no_tokens, *tokens]).unflatten(0, (2, -1)), torch.stack([no_pooled, pooled])

    def encode(self, texts: Sequence[str]) -> tuple[list[Tensor], Tensor]:
        """Encode N texts: the hidden states (T, C) of each, T a multiple of `length`, and the pooled states (N, P)."""
        read = [weighted(text) for text in texts]
        divisions = [[self._chunks(each, text.plain, text.weights) for text in read] for each, _ in self.pairs]
        counts = [max(map(len, both)) for both in zip(*divisions, strict=True)]
        states: list[Tensor] = []
        pooled = torch.empty(0)
        for (tokenizer, encoder), chunks in zip(self.pairs, divisions, strict=True):
            rows = [row for own, n in zip(chunks, counts, strict=True) for row in (own + [[]] * n)[:n]]
            hidden, pooled = self._states(tokenizer, encoder, rows)  # the second encoder's are what SDXL takes
            states.append(hidden)
        dtype = self.pairs[1][1].dtype
        whole = torch.cat(states, -1).to(dtype).split(counts)
        first = torch.tensor([0, *counts[:-1]]).cumsum(0)
        return [each.flatten(0, 1) for each in whole], pooled[first.to(pooled.device)].to(dtype)

    def marks(self, texts: Sequence[tuple[str, str]], states: Tensor) -> Tensor:
        """Which hidden states of N prompts are of their words: (N, T), for `states` (G, N, T, C).

        `texts` are pairs of a prompt and words of it.
        """
        return torch.stack([self.where(*each, states.shape[2]) for each in texts]).to(states.device)

    def where(self, prompt: str, words: str, length: int) -> Tensor:
        """Which of the `length` hidden states of a prompt are of these words, where they first stand: 0 or 1 each.

        `length` is a multiple of what the prompt takes alone, as in a batch (`level`).
        """
        plain = weighted(prompt).plain
        marks = [0.0] * len(plain)
        for word in words.split():
            if found := re.search(rf"(?<!\w){re.escape(word)}(?!\w)", plain, re.IGNORECASE):
                marks[slice(*found.span())] = [1.0] * len(found[0])
        chunks, *more = (self._chunks(tokenizer, plain, marks) for tokenizer, _ in self.pairs)
        row = torch.zeros(max(map(len, (chunks, *more))), self.length)
        for place, chunk in enumerate(chunks):
            row[place, 1 : 1 + len(chunk)] = torch.tensor([mark for _, mark in chunk])  # after the frame's beginning
        return row.flatten().repeat(length // row.numel())

    def _chunks(self, tokenizer: Any, plain: str, values: Sequence[float]) -> list[Chunk]:
        """The tokens of a text without weights in chunks, each with the value of its first character."""
        chunks: list[Chunk] = []
        for start, end in segments(plain):
            part = plain[start:end]
            read = tokenizer(part, add_special_tokens=False, return_offsets_mapping=True)
            spans = read["offset_mapping"]
            tokens = [(each, values[start + a]) for each, (a, _) in zip(read["input_ids"], spans, strict=True)]
            chunks += [tokens[slice(*chunk)] for chunk in divided(part, spans, self.length - FRAME)]
        return chunks[: self.most_chunks]

    def _states(self, tokenizer: Any, encoder: Any, rows: Sequence[Chunk]) -> tuple[Tensor, Tensor]:
        """The hidden states (R, L, C) and pooled states (R, P) of R chunks, with their weights."""
        ids, weights = (each.to(encoder.device) for each in self._framed(tokenizer, rows))
        hidden, pooled = _encoded(encoder, ids)
        more, more_pooled = torch.zeros_like(hidden), torch.zeros_like(pooled)
        for weight in weights.unique().tolist():
            if weight == 1:
                continue
            among = (weights == weight).any(1)
            others = weights[among] != weight
            empty, _ = _encoded(encoder, self._framed(tokenizer, [[]])[0].to(encoder.device))
            without, pooled_without = _encoded(encoder, ids[among], others.long())
            without = torch.where(others[..., None], without, empty)
            more[among] += (weight - 1) * (hidden[among] - without)
            more_pooled[among] += (weight - 1) * (pooled[among] - pooled_without)
        return hidden + more, pooled + more_pooled

    def _framed(self, tokenizer: Any, rows: Sequence[Chunk]) -> tuple[Tensor, Tensor]:
        """Token ids and weights (R, L) of chunks in their frames."""
        begin, end, padding = ((id, 1.0) for id in _frame_ids(tokenizer))
        framed = [[begin, *row, end] for row in rows]
        framed = [row + [padding] * (self.length - len(row)) for row in framed]
        ids, weights = (torch.tensor([[token[part] for token in row] for row in framed]) for part in (0, 1))
        return ids, weights


def level(states: Sequence[Tensor]) -> Tensor:
    """Stack hidden states (T, C) of N texts to (N, T', C), T' the least common multiple: each repeated as a whole."""
    length = lcm(*map(len, states))
    return torch.stack([each.repeat(length // len(each), 1) for each in states])


def _frame_ids(tokenizer: Any) -> tuple[int, int, int]:
    return tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id


def _encoded(encoder: Any, ids: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The hidden states (R, L, C) that SDXL reads, of the last layer but one, and the pooled states (R, P)."""
    found = encoder(ids, attention_mask=mask, output_hidden_states=True)
    return found.hidden_states[-2], found.pooler_output if "pooler_output" in found else found.text_embeds
