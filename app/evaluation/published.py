"""Figures that others published for the same protocol, to stand next to ours, never among them."""

from typing import NamedTuple


class Published(NamedTuple):
    """A line of the paper's comparison: 100 styles x 4 objects, SDXL at 1024 px."""

    name: str
    alignment: float  # CLIP
    consistency: float  # DINO ViT-B/8


SOURCE = "Hertz et al., CVPR 2024, arXiv 2312.02133"
PUBLISHED = (
    Published("StyleAligned", 0.287, 0.51),
    Published("without AdaIN", 0.289, 0.428),
    Published("every image to every other", 0.28, 0.55),
    Published("DreamBooth-LoRA", 0.276, 0.537),
    Published("StyleDrop on SDXL", 0.272, 0.529),
    Published("IP-Adapter", 0.281, 0.44),
)
# What they were measured with. Others have scales of their own, and their numbers do not compare.
DINO = "dino-vitb8"
CLIPS = ("clip-vit-base-patch32", "clip-vit-base-patch16", "clip-vit-large-patch14")


def comparable(names: dict[str, str]) -> bool:
    """Whether embedders, by measure, are of the kinds that the published figures were measured with."""
    aligned = any(clip in names["alignment"] for clip in CLIPS)
    return aligned and DINO in names["consistency"]
