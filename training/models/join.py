"""Join one VAE's encoder and another's decoder:
``python -m training.models.join ENCODER DECODER --out VAE``.

The two are trained separately (`training.models.encoder`, `training.models.decoder`), in any order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import AutoencoderKL

from training.loop import forget_paths


def joined(encoder: Path, decoder: Path, out: Path) -> None:
    """Write the joined VAE in half precision. Raises ValueError if the two differ in shape or scale."""
    first, second = (AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32) for folder in (encoder, decoder))
    for name in ("block_out_channels", "latent_channels", "scaling_factor"):
        if first.config[name] != second.config[name]:
            raise ValueError(f"{encoder} and {decoder} do not belong together: their {name} differs")
    first.decoder, first.post_quant_conv = second.decoder, second.post_quant_conv
    first.half().save_pretrained(out)
    forget_paths(out)


def main(
    encoder: Annotated[Path, typer.Argument(help="the VAE whose encoder to use", exists=True)],
    decoder: Annotated[Path, typer.Argument(help="the VAE whose decoder to use", exists=True)],
    out: Annotated[Path, typer.Option(help="the VAE to write")],
) -> None:
    """Join the encoder of one VAE and the decoder of another."""
    joined(encoder, decoder, out)
    typer.echo(f"written: {out}")


if __name__ == "__main__":
    typer.run(main)
