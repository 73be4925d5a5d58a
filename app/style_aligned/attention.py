"""Shared self-attention: StyleAligned's equation as two merged fused attentions.

Source: Hertz, Voynov, Fruchter, Cohen-Or, "Style Aligned Image Generation via Shared Attention", CVPR 2024, arXiv
2312.02133, section 4 and equations 2 and 3.

    Q' = AdaIN(Q_target, Q_reference)       K' = AdaIN(K_target, K_reference)
    out = softmax([Q' K'^T, scale * Q' K_reference^T + shift] / sqrt(d)) [V_target; V_reference]

(`shift` is added to the logits after the division.) Keys and values are never concatenated, and logits never stored.
Each half is one fused attention that also returns the log-sum-exp (lse) of its logits. Merging them by

    m = sigmoid(lse_reference + shift - lse_self)       out = out_self + m (out_reference - out_self)

equals the concatenated softmax exactly. `m` is the fraction of attention that goes to the reference.

Shapes: G guidance branches (1, or 2 with classifier-free guidance), N targets, R references, H heads, L tokens per
picture, D channels per head.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log
from typing import NamedTuple

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor

from app.style_aligned.dimming import Dimmed, Dimming
from app.style_aligned.on_cpu import var_mean

EPSILON = 1e-5  # inside the root of AdaIN's standard deviation, as in the authors' code


class Stats(NamedTuple):
    """Mean and standard deviation of every channel over the tokens, each (..., 1, D)."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, x: Tensor) -> "Stats":
        """Statistics over the tokens of `x` (..., L, D), in the precision of `x`."""
        variance, mean = var_mean(x, -2)
        return cls(mean, (variance + EPSILON).sqrt())


def adain(x: Tensor, target: Stats, amount: Tensor) -> Tensor:
    """Give the channels of `x` (..., L, D) the statistics of `target`, blended in by `amount`, 0 to 1 (eq. 3)."""
    own = Stats.of(x)
    gain = target.std / own.std
    offset = target.mean - gain * own.mean
    # x + amount * (gain * x + offset - x), in one pass over x.
    return torch.addcmul(amount * offset, x, 1 + amount * (gain - 1))


class Attended(NamedTuple):
    """Attention to a subset of the tokens: the output, and the log-sum-exp of the logits."""

    out: Tensor  # (B, H, L, D)
    lse: Tensor  # (B, H, L), float32: log-sum-exp of the logits


def attend(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Attended:
    """Compute softmax attention and its log-sum-exp.

    `query` (B, H, Lq, D), `key` and `value` (B, H, Lk, D); logits are multiplied by `scale`. These are the kernels
    behind `scaled_dot_product_attention`, which discards the second result.
    """
    aten = torch.ops.aten
    if any(x.requires_grad for x in (query, key, value)):  # the kernels have no gradient of the log-sum-exp
        return attend_plainly(query, key, value, scale)
    if query.device.type == "cpu":
        # The kernel expects batch, heads and tokens that are dense in the last axis.
        out, lse = aten._scaled_dot_product_flash_attention_for_cpu(query, key, value, scale=scale)
    elif query.device.type == "cuda" and query.shape[-1] % 8 == 0 and _has_flash(query):
        out, lse, *_ = aten._scaled_dot_product_flash_attention(query, key, value, scale=scale)
    elif query.device.type == "cuda" and query.shape[-1] % 8 == 0:
        out, lse, *_ = aten._scaled_dot_product_efficient_attention(query, key, value, None, True, scale=scale)
        lse = lse[..., : query.shape[-2]]  # the kernel pads the queries to a multiple of 32
    else:
        return attend_plainly(query, key, value, scale)
    return Attended(out, lse)


def _has_flash(x: Tensor) -> bool:
    """Whether the flash kernel accepts `x`: half precision, on Ampere or newer."""
    half = x.dtype in (torch.float16, torch.bfloat16)
    return half and torch.cuda.get_device_capability(x.device) >= (8, 0)


def attend_plainly(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Attended:
    """Compute `attend` by its definition, for devices without a kernel that returns the log-sum-exp.

    Stores the logits.
    """
    logits = (query @ key.transpose(-2, -1)).float() * scale
    return Attended(logits.softmax(-1).to(value.dtype) @ value, logits.logsumexp(-1))


def merge(first: Attended, second: Attended, shift: Tensor | float = 0.0) -> Attended:
    """Merge attention to two sets of tokens, with `shift` added to the second's logits.

    `shift` broadcasts to (B, H, L); -inf returns the first exactly.
    """
    m = fraction(first, second, shift)[..., None].to(first.out.dtype)
    return Attended(torch.lerp(first.out, second.out, m), torch.logaddexp(first.lse, second.lse + shift))


def fraction(first: Attended, second: Attended, shift: Tensor | float = 0.0) -> Tensor:
    """The merge weight m (B, H, L), float32: how much of the attention goes to the second set of tokens."""
    return torch.sigmoid(second.lse + shift - first.lse)


def attend_dimmed(query: Tensor, key: Tensor, value: Tensor, scale: float, dimmed: Dimmed | None) -> Attended:
    """Compute `attend` with less weight on some of the keys: two parts again, merged with their factor's logarithm."""
    if dimmed is None:
        return attend(query, key, value, scale)
    rest, subject = (
        attend(query, key.index_select(-2, places), value.index_select(-2, places), scale)
        for places in (dimmed.rest, dimmed.subject)
    )
    return merge(rest, subject, log(dimmed.factor) if dimmed.factor else -inf)


@dataclass(frozen=True)
class AttentionMemory:
    """What one self-attention layer recorded of the references."""

    key: Tensor  # (G, R, H, L, D)
    value: Tensor  # (G, R, H, L, D)
    queries: Stats  # of the references' queries, each (G, R, H, 1, D)
    keys: Stats
    values: Stats
    query: Tensor | None = None  # (R, H, L, D), of the unconditional branch, if it was asked for


@dataclass(frozen=True)
class Influence:
    """How strongly the targets of one step attend to the references: the numbers of `Sharing` as tensors."""

    weights: Tensor  # (R,), sum 1
    strength: Tensor  # (N,), 0 to 2
    scale: float
    shift: float
    adain_values: bool
    queries: float = 0.0
    """0 to 1: how far the unconditional branch asks with the references' queries."""
    dimming: Dimming | None = None
    """Where the references show their subjects, if those are to count less."""

    @property
    def blend(self) -> Tensor:
        """How much AdaIN applies to each target, 0 to 1: (1, N, 1, 1, 1)."""
        return self.strength.clamp(max=1).view(1, -1, 1, 1, 1)

    @property
    def shifts(self) -> Tensor:
        """The shift of each target's logits towards the references: (1, N, 1, 1); -inf where the strength is 0."""
        return (self.strength.float().log() + self.shift).view(1, -1, 1, 1)

    def mix(self, stats: Stats) -> Stats:
        """Average the references' statistics by weight: (G, R, H, 1, D) to (G, 1, H, 1, D)."""
        weights = self.weights.view(1, -1, 1, 1, 1).to(stats.mean.dtype)
        return Stats((stats.mean * weights).sum(1, keepdim=True), (stats.std * weights).sum(1, keepdim=True))

    def mislead(self, query: Tensor, recorded: Tensor) -> Tensor:
        """`query` (G, N, H, L, D) with the references' `recorded` queries (R, H, L, D) in the unconditional branch.

        That branch then lays out the references' content, and guidance leads away from it. The queries of several
        references are averaged by weight. Source: negative visual query guidance in Jeong et al., "StyleKeeper", ICCV
        2025, arXiv 2510.06827.
        """
        unconditional, conditional = query
        wanted = torch.einsum("r,rhld->hld", self.weights.to(recorded.dtype), recorded)
        amount = self.queries * self.blend[0].to(query.dtype)
        return torch.stack([torch.lerp(unconditional, wanted.expand_as(unconditional), amount), conditional])


def project(attn: Attention, hidden_states: Tensor, groups: int) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of (G * rows, L, C), each as (G, rows, H, L, D)."""

    def heads(x: Tensor) -> Tensor:
        return x.unflatten(0, (groups, -1)).unflatten(-1, (attn.heads, -1)).transpose(-3, -2)

    return heads(attn.to_q(hidden_states)), heads(attn.to_k(hidden_states)), heads(attn.to_v(hidden_states))


def join(attn: Attention, out: Tensor) -> Tensor:
    """The layer's output (B, L, C) from attended values (B, H, L, D)."""
    linear, dropout = attn.to_out
    result: Tensor = dropout(linear(out.transpose(1, 2).flatten(2)))
    return result


class RecordingProcessor:
    """Plain self-attention over the references that records what the targets need: `memory`."""

    memory: AttentionMemory

    def __init__(self, groups: int, keeps_query: bool = False) -> None:
        """`keeps_query`: keep the queries of the unconditional branch too, if there are two branches."""
        self.groups = groups
        self.keeps_query = keeps_query and groups == 2

    def __call__(self, attn: Attention, hidden_states: Tensor, *_: object, **__: object) -> Tensor:
        query, key, value = project(attn, hidden_states, self.groups)
        kept = query[0] if self.keeps_query else None
        self.memory = AttentionMemory(key, value, Stats.of(query), Stats.of(key), Stats.of(value), kept)
        own = attend(query.flatten(0, 1), key.flatten(0, 1), value.flatten(0, 1), attn.scale)
        return join(attn, own.out)


class SharingProcessor:
    """Self-attention in which every target also attends to the references (section 4.2)."""

    def __init__(
        self, memory: AttentionMemory, influence: Influence, merged: Callable[[Tensor], object] | None = None
    ) -> None:
        """`merged` receives the merge weight m (G * N, H, L) of every call."""
        self.memory, self.influence, self.merged = memory, influence, merged

    def __call__(self, attn: Attention, hidden_states: Tensor, *_: object, **__: object) -> Tensor:
        memory, by = self.memory, self.influence
        groups, references = memory.key.shape[:2]
        query, key, value = project(attn, hidden_states, groups)  # each (G, N, H, L, D)
        blend = by.blend.to(query.dtype)
        query = adain(query, by.mix(memory.queries), blend)
        key = adain(key, by.mix(memory.keys), blend)
        if by.adain_values:
            value = adain(value, by.mix(memory.values), blend)
        if memory.query is not None:
            query = by.mislead(query, memory.query)
        own = attend(query.flatten(0, 1), key.flatten(0, 1), value.flatten(0, 1), attn.scale)
        seen = self._look(query, 0, attn.scale)
        for reference in range(1, references):
            seen = merge(seen, self._look(query, reference, attn.scale))
        shifts = by.shifts.expand(groups, -1, -1, -1).flatten(0, 1)  # (G * N, 1, 1)
        if self.merged:
            self.merged(fraction(own, seen, shifts))
        return join(attn, merge(own, seen, shifts).out)

    def _look(self, query: Tensor, reference: int, scale: float) -> Attended:
        """Attend from all targets to one reference, as a single long query (G, H, N * L, D).

        The lse includes its weight.
        """
        targets = query.shape[1]
        folded = query.transpose(1, 2).flatten(2, 3)
        key, value = self.memory.key[:, reference], self.memory.value[:, reference]
        by = self.influence
        dimmed = by.dimming.at(reference, key.shape[-2]) if by.dimming else None
        out, lse = attend_dimmed(folded, key, value, scale * by.scale, dimmed)

        def unfold(x: Tensor) -> Tensor:
            return x.unflatten(2, (targets, -1)).transpose(1, 2).flatten(0, 1)

        return Attended(unfold(out), unfold(lse) + by.weights[reference].log())
