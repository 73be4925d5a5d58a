"""Train a ControlNet: ``python -m training.models.controlnet DATA --pipeline DIR/pipeline --kind edges --out DIR``.

The map comes from the bare object and the picture from the drawn look, so one map suits every look. A ControlNet learns
fast: it starts as the UNet's encoder and only has to add what the map says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import ControlNetModel, StableDiffusionXLControlNetPipeline, UNet2DConditionModel
from PIL import Image
from torch import Tensor

from training.config import SIZES, Size
from training.data.pictures import Pictures
from training.data.scenes import CHECK, TRAIN, Mix, caption
from training.data.structure import KINDS
from training.loop import MODEL_SHARD, Draw, Run, autocast, compiled, forget_paths, laid_out, pick_device, prepare
from training.models.attention import use_plain_self_attention
from training.models.diffusion import Noised, Noising, encode_all, time_ids
from training.models.sample import GUIDANCE, STEPS, load, tiled
from training.models.text import TextEncoders
from training.options import Device, Minutes, SizeName, Steps, Threads, planned
from training.tensors import Rows, as_hints

# Sometimes structure must replace words: more captions are empty than when the UNet is trained.
CAPTIONS = Mix(empty=0.25, no_look=0.15)
Models = tuple[ControlNetModel, UNet2DConditionModel]
SHEET_LOOKS = ("watercolor", "neon sign", "flat design", "papercut")


@dataclass
class ControlTask:
    """Predicts noise with the help of a structure map. Only the ControlNet is trained."""

    size: Size
    kind: str
    folder: Path
    text: TextEncoders
    unet: UNet2DConditionModel
    control: ControlNetModel
    data: Pictures
    latents: Rows
    device: torch.device

    def __post_init__(self) -> None:
        self.noising = Noising(self.device)
        self.maps = Rows(self.data.structure[..., KINDS.index(self.kind)], self.device)
        self.train_rows = torch.from_numpy(self.data.rows(TRAIN))
        self.check_rows = torch.from_numpy(self.data.rows(CHECK))
        if self.device.type == "cpu":
            use_plain_self_attention(self.unet)
            use_plain_self_attention(self.control)
        self.fast = compiled(self.control, self.device), compiled(self.unet, self.device)

    def hints(self, rows: Tensor, draw: Draw) -> Tensor:
        """The maps ``(B, 3, S, S)`` in 0..1. Half of the edge maps are binary, as the usual detectors return them."""
        maps = self.maps[rows]
        if self.kind == "edges":
            hard = draw.uniform((len(rows), 1, 1)) < 0.5
            maps = torch.where(hard, (maps > 96).to(torch.uint8) * 255, maps)
        return as_hints(maps)

    def errors(self, rows: Tensor, draw: Draw, models: Models, strength: float = 1.0) -> tuple[Tensor, Tensor]:
        captions = [caption(self.data.scenes[row], draw.numpy, CAPTIONS) for row in rows.tolist()]
        noised = self.noising(self.latents[rows].float(), draw)
        hints = self.hints(rows, draw)
        with autocast(self.device):
            with torch.no_grad():
                states, pooled = self.text.encode(captions)
            found = self._predict(noised, hints, states, pooled, models, strength)
        return self.noising.loss(found, noised)

    def _predict(
        self, noised: Noised, hints: Tensor, states: Tensor, pooled: Tensor, models: Models, strength: float
    ) -> Tensor:
        conditions = {"text_embeds": pooled, "time_ids": time_ids(self.size.pixels, len(hints), self.device)}
        control, unet = models
        down, middle = control(
            noised.latents,
            noised.times,
            encoder_hidden_states=states,
            controlnet_cond=hints,
            conditioning_scale=strength,
            added_cond_kwargs=conditions,
            return_dict=False,
        )
        found: Tensor = unet(
            noised.latents,
            noised.times,
            encoder_hidden_states=states,
            added_cond_kwargs=conditions,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0]
        return found

    def loss(self, draw: Draw) -> tuple[Tensor, dict[str, Tensor]]:
        loss, error = self.errors(draw.rows(self.train_rows, self.size.controlnet.batch), draw, self.fast)
        return loss, {"mse": error}

    def check(self) -> dict[str, float]:
        """Held-out mean squared error with the map and, for comparison, without it."""
        order = torch.randperm(len(self.check_rows), generator=torch.Generator().manual_seed(0))
        batches = self.check_rows[order][:256].split(self.size.controlnet.batch)
        numbers = {}
        for name, strength in (("mse", 1.0), ("mse_without", 0.0)):
            draws = (Draw.of(99, number, self.device) for number in range(len(batches)))
            models = self.control, self.unet
            errors = [self.errors(*pair, models, strength)[1] for pair in zip(batches, draws, strict=True)]
            numbers[name] = torch.stack(errors).mean().item()
        return numbers

    def export(self, folder: Path) -> None:
        twin = ControlNetModel.from_config(self.control.config)
        twin.load_state_dict(self.control.state_dict())
        twin.half().save_pretrained(folder / "controlnet", max_shard_size=MODEL_SHARD)
        forget_paths(folder / "controlnet")
        self.sheet(folder / "sheet.png", twin.float())

    def sheet(self, file: Path, control: ControlNetModel) -> None:
        """Write a PNG with one row per structure map: the map, then samples in four looks with the same noise."""
        pipeline = StableDiffusionXLControlNetPipeline(
            **load(self.folder, self.device).components, add_watermarker=False, controlnet=control
        ).to(self.device)
        control.to(pipeline.unet.dtype)
        pipeline.set_progress_bar_config(disable=True)
        rows = self.check_rows[:: max(1, len(self.check_rows) // 4)][:4]
        tiles = []
        for row, hint in zip(rows.tolist(), self.hints(rows, Draw.of(99, 0, self.device)).cpu(), strict=True):
            shown = Image.fromarray((hint.permute(1, 2, 0) * 255).byte().numpy())
            thing = self.data.scenes[row].objects[0]
            result = pipeline(
                [f"a {thing}, {look}" for look in SHEET_LOOKS],
                image=[shown] * len(SHEET_LOOKS),
                num_inference_steps=STEPS,
                guidance_scale=GUIDANCE,
                generator=[torch.Generator().manual_seed(row) for _ in SHEET_LOOKS],
                output_type="np",
            )
            tiles += [(hint.permute(1, 2, 0) * 255).byte().numpy(), *(result.images * 255).round().astype("uint8")]
        tiled(tiles, 1 + len(SHEET_LOOKS)).save(file)


def control_run(
    size: Size,
    kind: str,
    data: Pictures,
    pipeline: Path,
    folder: Path,
    device: torch.device,
    start: Path | None = None,
) -> Run:
    torch.manual_seed(size.controlnet.seed)
    folder.mkdir(parents=True, exist_ok=True)
    parts = load(pipeline, torch.device("cpu"))
    unet = laid_out(parts.unet.float(), device).requires_grad_(False).eval()
    text = TextEncoders.load(pipeline, device)
    encoded = encode_all(parts.vae.float().to(device), data, device, folder)
    if start:
        control = ControlNetModel.from_pretrained(start, torch_dtype=torch.float32)
    else:
        control = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=size.hint_channels)
    control = laid_out(control, device).requires_grad_(True).train()
    task = ControlTask(size, kind, pipeline, text, unet, control, data, Rows(encoded, device), device)
    return Run(folder, size.controlnet, {"controlnet": control}, task.loss, task.check, task.export, typer.echo)


def main(
    data: Annotated[Path, typer.Argument(help="folder made by training.data.pictures", exists=True)],
    pipeline: Annotated[Path, typer.Option(help="the trained pipeline", exists=True)],
    out: Annotated[Path, typer.Option(help="folder for the ControlNet, the log and the state to resume from")],
    kind: Annotated[str, typer.Option(help=" or ".join(KINDS))] = KINDS[0],
    start: Annotated[
        Path | None, typer.Option(help="a ControlNet to continue from, of either kind", exists=True)
    ] = None,
    size: SizeName = "small",
    minutes: Minutes = None,
    steps: Steps = None,
    rate: Annotated[float | None, typer.Option(help="peak learning rate; use a lower one with --start")] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train a ControlNet for one kind of structure."""
    if kind not in KINDS:
        raise typer.BadParameter(f"--kind is {' or '.join(KINDS)}")
    place = pick_device(device)
    prepare(place, threads)
    chosen = planned(SIZES[size], "controlnet", steps, rate)
    run = control_run(chosen, kind, Pictures.open(data), pipeline, out, place, start)
    if not run.fit(minutes):
        raise typer.Exit(3)


if __name__ == "__main__":
    typer.run(main)
