"""Models that are small enough to be made for a test."""

from pathlib import Path

import torch
from transformers import ViTConfig, ViTModel


def small_dino(folder: Path) -> ViTModel:
    """Save a DINO with random weights."""
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=64, patch_size=8
    )
    model = ViTModel(config, add_pooling_layer=False)
    model.save_pretrained(folder)
    return model
