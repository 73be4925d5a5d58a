"""Enlarge a model to twice the side with the same latents: ``python -m training.models.enlarge MODEL --out DIR``.

The VAE gets one more level. Size conditioning and the ControlNets' first layers are fitted, not trained: for a picture
of the new size they compute what they did for half the side. Then the VAE learns (`training.models.encoder`,
`training.models.decoder`); the UNet, the text encoders and the rest of the ControlNets stay as they are.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from diffusers.models.embeddings import get_timestep_embedding
from safetensors.torch import load_file
from torch import Tensor, nn

from training.data.structure import KINDS
from training.loop import MODEL_SHARD, forget_paths

# Shares of the new side at which the fit is exact; 0 is the crop's corner.
SIZES = (0.0, 0.5, 0.75, 1.0, 1.5, 2.0)
# Lines of maps are one px wide at any side. The gain makes their means of 2 x 2 px as bright as the lines were.
GAINS = {"edges": 2.0, "silhouette": 1.0}
STEEP = 256.0  # for values of 0..1 times this, SiLU is the identity to within a thousandth
DECODING = ("decoder.", "post_quant_conv.")
NUMBERS = 6  # count of SDXL's size conditioning values


def _between(old: dict[str, Tensor], new: nn.Module, moved: dict[str, str]) -> None:
    """Load ``old`` weights into ``new``, renaming the prefixes in ``moved``; other weights of ``new`` stay."""
    state = new.state_dict()
    for name, weight in old.items():
        prefix = next((prefix for prefix in moved if name.startswith(prefix)), "")
        state[moved.get(prefix, "") + name.removeprefix(prefix)] = weight
    new.load_state_dict(state)


def _as_nothing(block: Any) -> None:
    """Initialise residual blocks to add nothing."""
    for residual in block.resnets:
        nn.init.zeros_(residual.conv2.weight)
        nn.init.zeros_(residual.conv2.bias)


def enlarged_vae(vae: AutoencoderKL) -> AutoencoderKL:
    """A VAE with one more level, at full resolution.

    The encoder starts as the mean of 2 x 2 px followed by the old encoder, except for one column of px in six. The
    decoder starts as the old one with its last features upsampled by repetition.
    """
    channels = tuple(vae.config.block_out_channels)
    levels = len(channels) + 1
    config = {
        **vae.config,
        "block_out_channels": (channels[0], *channels),
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "sample_size": 2 * vae.config.sample_size,
    }
    larger = AutoencoderKL.from_config(config)
    down = {f"encoder.down_blocks.{level}.": f"encoder.down_blocks.{level + 1}." for level in range(levels - 1)}
    kept = {name: weight for name, weight in vae.state_dict().items() if not name.startswith("encoder.conv_in")}
    _between(kept, larger, down)
    _begin_encoder(vae.encoder.conv_in, larger.encoder)
    _begin_decoder(larger.decoder, levels)
    return larger


@torch.no_grad()
def _begin_encoder(old: nn.Conv2d, encoder: Any) -> None:
    """Initialise two layers to compute the old first layer on means of 2 x 2 px.

    Along each axis, the first layer outputs two values for each px: the mean of the px and the next one, and the
    previous px. The second layer, of stride 2, reads the means for the middle and the last of the old taps, and the
    previous px for the first tap.
    """
    first, second = encoder.conv_in, encoder.down_blocks[0].downsamplers[0].conv
    if len(first.bias) < 4 * old.in_channels:
        raise ValueError(f"the first layer needs {4 * old.in_channels} channels or more; it has {len(first.bias)}")
    for layer in (first, second):
        nn.init.normal_(layer.weight, std=1e-3)  # not zero: unused channels must be able to learn
        nn.init.zeros_(layer.bias)
    second.bias.copy_(old.bias)
    before, mean = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.5, 0.5])
    kinds = ((before, {0: 0}), (mean, {1: 0, 2: 2}))  # taps of the first layer; {old tap: tap of the second layer}
    channel = 0
    for vertical, rows in kinds:
        for horizontal, columns in kinds:
            for colour in range(old.in_channels):
                first.weight[channel] = 0
                first.weight[channel, colour] = torch.outer(vertical, horizontal)
                second.weight[:, channel] = 0
                for was_row, row in rows.items():
                    for was_column, column in columns.items():
                        second.weight[:, channel, row, column] = old.weight[:, colour, was_row, was_column]
                channel += 1
    _as_nothing(encoder.down_blocks[0])


@torch.no_grad()
def _begin_decoder(decoder: Any, levels: int) -> None:
    repeat = decoder.up_blocks[levels - 2].upsamplers[0].conv
    nn.init.dirac_(repeat.weight)
    nn.init.zeros_(repeat.bias)
    _as_nothing(decoder.up_blocks[levels - 1])


def enlarged_controlnet(control: ControlNetModel, gain: float = 1.0) -> ControlNetModel:
    """A ControlNet that treats grey maps of twice the side like the old one treated their means of 2 x 2 px.

    The means are multiplied by ``gain`` and clipped to 0..1. Two new layers in front compute them, on values large
    enough for SiLU to be the identity.
    """
    channels = tuple(control.config.conditioning_embedding_out_channels)
    larger = ControlNetModel.from_config(
        {**control.config, "conditioning_embedding_out_channels": (channels[0], *channels)}
    )
    place = "controlnet_cond_embedding."
    moved = {f"{place}blocks.{n}.": f"{place}blocks.{n + 2}." for n in range(2 * len(channels) - 2)}
    kept = {name: weight for name, weight in control.state_dict().items() if not name.startswith(f"{place}conv_in")}
    _between(kept, larger, moved)
    _begin_hint(control.controlnet_cond_embedding.conv_in, larger.controlnet_cond_embedding, gain)
    return larger


@torch.no_grad()
def _begin_hint(old: nn.Conv2d, hint: Any, gain: float) -> None:
    """Initialise three layers to compute the old first layer on means of 2 x 2 px.

    The first outputs the mean of each px and its next neighbours, and the part of the mean above 1. The second
    subtracts that part and shifts the result by one px in both directions along each axis. The third, of stride 2,
    reads one shift for the first and the middle of the old taps, and the other for the last.
    """
    first, second, third = hint.conv_in, hint.blocks[0], hint.blocks[1]
    if len(first.bias) < 4:
        raise ValueError(f"the layers for maps need 4 channels or more; they have {len(first.bias)}")
    for layer in (first, second, third):
        nn.init.normal_(layer.weight, std=1e-3)
        nn.init.zeros_(layer.bias)
    third.bias.copy_(old.bias)
    grey = old.weight.sum(1)  # (O, 3, 3): maps have three equal channels
    mean, excess = 0, 1
    for channel, most in ((mean, 0.0), (excess, 1.0)):
        first.weight[channel] = 0
        first.weight[channel, :, 1:, 1:] = gain * STEEP / 4 / old.in_channels
        first.bias[channel] = -most * STEEP
    kinds = ((0, {0: 0, 1: 2}), (2, {2: 2}))  # tap of the second layer; {old tap: tap of the third layer}
    channel = 0
    for row, rows in kinds:
        for column, columns in kinds:
            second.weight[channel] = 0
            second.weight[channel, mean, row, column] = 1
            second.weight[channel, excess, row, column] = -1
            third.weight[:, channel] = 0
            for was_row, now_row in rows.items():
                for was_column, now_column in columns.items():
                    third.weight[:, channel, now_row, now_column] = grey[:, was_row, was_column] / STEEP
            channel += 1


@torch.no_grad()
def told_half(net: UNet2DConditionModel | ControlNetModel, side: int) -> None:
    """Change a net of SDXL's kind to treat each size as it treated half of that size.

    The first layer that reads the embedded sizes is linear. It is multiplied by the matrix that maps the embeddings of
    ``SIZES`` to those of their halves and is nearest to the identity. (A matrix exact for every multiple of 16 px is no
    option: it would have entries in the thousands, and the sizes in between would become meaningless.)
    """
    width = net.config.addition_time_embed_dim
    sizes = torch.tensor(SIZES, dtype=torch.float64) * side

    def embedded(numbers: Tensor) -> Tensor:
        found: Tensor = get_timestep_embedding(
            numbers, width, flip_sin_to_cos=net.config.flip_sin_to_cos, downscale_freq_shift=net.config.freq_shift
        )
        return found.double()

    change = embedded(sizes / 2) - embedded(sizes)
    nearest = torch.linalg.lstsq(embedded(sizes), change, driver="gelsd").solution  # (W, W), of minimum norm
    halved = torch.eye(width, dtype=torch.float64) + nearest
    layer = net.add_embedding.linear_1
    text = layer.in_features - NUMBERS * width
    for place in range(text, layer.in_features, width):
        layer.weight[:, place : place + width] = (layer.weight[:, place : place + width].double() @ halved.T).float()


def begun(vae: AutoencoderKL, file: Path) -> None:
    """Load a pretrained decoder into ``vae``. Raises ValueError if the decoder in ``file`` has another shape."""
    weights = load_file(file)
    mine = {name: weight for name, weight in vae.state_dict().items() if name.startswith(DECODING)}
    if {name: weight.shape for name, weight in weights.items()} != {name: mine[name].shape for name in mine}:
        raise ValueError(f"{file} is not a decoder of this VAE")
    vae.load_state_dict(weights, strict=False)


def enlarged(model: Path, out: Path, decoder: Path | None = None) -> None:
    """Enlarge a whole model folder, in half precision. All parts not enlarged are copied unchanged."""
    if out.exists():
        raise typer.BadParameter(f"{out} already exists: delete it or name another folder")
    shutil.copytree(model, out)
    vae = enlarged_vae(AutoencoderKL.from_pretrained(model / "vae", torch_dtype=torch.float32))
    if decoder:
        begun(vae, decoder)
    _saved(vae, out / "vae")
    unet = UNet2DConditionModel.from_pretrained(model / "unet", torch_dtype=torch.float32)
    told_half(unet, vae.config.sample_size)
    _saved(unet, out / "unet")
    for kind, folder in _controlnets(model):
        control = ControlNetModel.from_pretrained(folder, torch_dtype=torch.float32)
        control = enlarged_controlnet(control, GAINS[kind])
        told_half(control, vae.config.sample_size)
        _saved(control, out / folder.name)


def _controlnets(model: Path) -> Iterable[tuple[str, Path]]:
    return ((kind, folder) for kind in KINDS if (folder := model / f"controlnet_{kind}").is_dir())


def _saved(part: Any, folder: Path) -> None:
    for file in folder.glob("*.safetensors*"):
        file.unlink()
    part.half().save_pretrained(folder, max_shard_size=MODEL_SHARD)
    forget_paths(folder)


def main(
    model: Annotated[Path, typer.Argument(help="a model folder: a pipeline, and its ControlNets if any", exists=True)],
    out: Annotated[Path, typer.Option(help="folder for the larger model, whose VAE still needs training")],
    decoder: Annotated[Path | None, typer.Option(help="weights of a pretrained decoder", exists=True)] = None,
) -> None:
    """Make a model for twice the side from a finished one."""
    enlarged(model, out, decoder)
    typer.echo(f"written: {out}")


if __name__ == "__main__":
    typer.run(main)
