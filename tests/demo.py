"""Sizes of the bundled model, from its own files: tests of pages and commands must not wait for PyTorch to say them."""

import json
from pathlib import Path

DEMO = Path(__file__).parents[1] / "app" / "demo_model"
_VAE = json.loads((DEMO / "vae" / "config.json").read_text())

SIDE: int = _VAE["sample_size"]  # px, of its pictures
SQUARE = (SIDE, SIDE)
HALF = SIDE // 2
SMALL = (HALF, HALF)  # a quarter of the work, where nobody looks at the pictures
FACTOR: int = 2 ** (len(_VAE["block_out_channels"]) - 1)  # px per latent: sides are multiples of it
# Of small untrained ControlNets for it: a halving between any two.
HINT_CHANNELS = (8, 16, *(32,) * (FACTOR.bit_length() - 2))
