"""LoRA adapters: a team's own product, or any other, added to the loaded model for the images alone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Adapted:
    """An adapter that is loaded, and how strongly it counts."""

    name: str
    weight: float = 1.0
