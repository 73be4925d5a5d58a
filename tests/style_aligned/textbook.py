"""StyleAligned as the paper writes it: slow, plain, and independent of the code under test.

The reference is row 0 of the batch, keys and values are concatenated, the softmax is explicit, and shared group norm
concatenates the pictures in space. Used to check `app.style_aligned`, and as the other side of the benchmark.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

EPS = 1e-5


def adain(x: Tensor, reference: Tensor) -> Tensor:
    def stats(y: Tensor) -> tuple[Tensor, Tensor]:
        return y.mean(-2, keepdim=True), (y.var(-2, keepdim=True) + EPS).sqrt()

    (mean, std), (reference_mean, reference_std) = stats(x), stats(reference)
    return reference_std * (x - mean) / std + reference_mean


class ConcatenatedAttention:
    """Attention processor for batches (reference, target, target, ...) in each guidance branch."""

    def __init__(
        self,
        branches: int,
        strength: float,
        scale: float = 1.0,
        adain_values: bool = False,
        reference_queries: float = 0.0,
        subject: tuple[Tensor, float] | None = None,
    ) -> None:
        """`subject`: a mask (h, w) of the reference's subject, and the factor of the attention to it."""
        self.branches, self.strength, self.scale, self.adain_values = branches, strength, scale, adain_values
        self.reference_queries, self.subject = reference_queries, subject

    def __call__(self, attn: Any, hidden_states: Tensor, *args: object, **kwargs: object) -> Tensor:
        def heads(x: Tensor) -> Tensor:
            return x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)

        q, k, v = heads(attn.to_q(hidden_states)), heads(attn.to_k(hidden_states)), heads(attn.to_v(hidden_states))
        rows = len(q) // self.branches
        out = torch.empty_like(q)
        for row in range(len(q)):
            first = row // rows * rows  # the reference of this row's branch
            if row == first:
                out[row] = (q[row] @ k[row].mT / math.sqrt(q.shape[-1])).softmax(-1) @ v[row]
                continue
            amount = min(self.strength, 1.0)
            query = q[row].lerp(adain(q[row], q[first]), amount)
            key = k[row].lerp(adain(k[row], k[first]), amount)
            value = v[row].lerp(adain(v[row], v[first]), amount) if self.adain_values else v[row]
            if self.branches == 2 and row < rows:  # the unconditional branch
                query = query.lerp(q[first], self.reference_queries * amount)
            own = query @ key.mT / math.sqrt(q.shape[-1])
            shared = self.scale * query @ k[first].mT / math.sqrt(q.shape[-1]) + math.log(self.strength)
            if self.subject:
                shared = shared + dimming(*self.subject, k.shape[-2])
            weights = torch.cat([own, shared], -1).softmax(-1)
            out[row] = weights @ torch.cat([value, v[first]], -2)
        return attn.to_out[0](out.transpose(1, 2).flatten(2))


def dimming(mask: Tensor, factor: float, tokens: int) -> Tensor:
    """What is added to the logits of each of the reference's tokens, (L,)."""
    part = int(math.sqrt(mask.numel() / tokens))  # a square mask, halved with the layers
    inside = avg_pool2d(mask[None], part).flatten() >= 0.5
    return torch.where(inside, math.log(factor), 0.0)


def calibrated(output: Tensor, x: Tensor, alpha: float, reference: Tensor, amount: float) -> Tensor:
    """Predicted noise (N, C, h, w) whose x_0 has the mean and deviation of the reference's in each channel."""
    changed = torch.empty_like(output)
    for n in range(len(output)):
        for c in range(output.shape[1]):
            clean = (x[n, c] - math.sqrt(1 - alpha) * output[n, c]) / math.sqrt(alpha)
            wanted = (clean - clean.mean()) / clean.std(correction=0) * reference[c].std(correction=0)
            clean = clean + amount * (wanted + reference[c].mean() - clean)
            changed[n, c] = (x[n, c] - math.sqrt(alpha) * clean) / math.sqrt(1 - alpha)
    return changed


def concatenated_group_norm(norm: nn.GroupNorm, branches: int) -> Callable[[Tensor], Tensor]:
    """Normalise each row together with its branch's reference, next to each other in space."""

    def forward(x: Tensor) -> Tensor:
        rows = len(x) // branches
        reference = x[::rows].repeat_interleave(rows, 0)
        return nn.GroupNorm.forward(norm, torch.cat([x, reference], 2))[:, :, : x.shape[2]]

    return forward


@contextmanager
def textbook(
    unet: nn.Module, branches: int, strength: float, group_norm: bool = False, layers: str = "", **more: Any
) -> Iterator[None]:
    """Replace every self-attention of the UNet whose name begins with `layers`, and optionally every group norm."""
    before = dict(unet.attn_processors)
    processor = ConcatenatedAttention(branches, strength, **more)
    unet.set_attn_processor(
        {name: processor if "attn1" in name and name.startswith(layers) else p for name, p in before.items()}
    )
    norms = [m for m in unet.modules() if isinstance(m, nn.GroupNorm)] if group_norm else []
    for norm in norms:
        norm.forward = concatenated_group_norm(norm, branches)
    try:
        yield
    finally:
        unet.set_attn_processor(before)
        for norm in norms:
            del norm.forward


@torch.inference_mode()
def style_aligned(
    pipeline: Any,
    prompts: list[str],
    noise: Tensor,
    reference_at: Callable[[int, Tensor], Tensor],
    scheduler: Any,
    guidance: float,
    reference_prompt: str = "",
    colour: float = 0.0,
    clean: Tensor | None = None,
    **how: Any,
) -> Tensor:
    """Final latents (N, C, h, w) of `prompts`, with the reference's noisy latents put into row 0 at each step.

    `colour` calibrates towards the reference's x_0 `clean` (C, h, w), with a scheduler that does not scale its input.
    """
    size = noise.shape[-1] * pipeline.vae_scale_factor
    guided = guidance > 1
    positive, negative, pooled, negative_pooled = pipeline.encode_prompt(
        [reference_prompt, *prompts], device=noise.device, do_classifier_free_guidance=guided
    )
    tokens = torch.cat([negative, positive]) if guided else positive
    texts = torch.cat([negative_pooled, pooled]) if guided else pooled
    branches = 2 if guided else 1
    time_ids = torch.tensor([[size, size, 0, 0, size, size]], dtype=noise.dtype).repeat(len(tokens), 1)
    latents = noise * scheduler.init_noise_sigma
    with textbook(pipeline.unet, branches, **how):
        for step, t in enumerate(scheduler.timesteps):
            seen = scheduler.scale_model_input(latents, t)
            batch = torch.cat([reference_at(step, t), seen]).repeat(branches, 1, 1, 1)
            added = {"text_embeds": texts, "time_ids": time_ids}
            output = pipeline.unet(batch, t, encoder_hidden_states=tokens, added_cond_kwargs=added).sample
            rows = output.unflatten(0, (branches, -1))[:, 1:]
            output = rows[0] + guidance * (rows[1] - rows[0]) if guided else rows[0]
            if clean is not None:
                output = calibrated(output, latents, float(scheduler.alphas_cumprod[t]), clean, colour)
            latents = scheduler.step(output, t, latents).prev_sample
    return latents
