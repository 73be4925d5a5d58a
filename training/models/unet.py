"""Train the UNet and the text encoders: ``python -m training.models.unet DATA --vae DIR/vae --out DIR``.

Writes ``DIR/pipeline``, a Stable Diffusion XL in diffusers format. ``--start PIPELINE`` continues from finished weights
and keeps their tokenizer, text encoders, UNet and VAE; with ``--sets`` half of the steps train on sets.
"""

from __future__ import annotations

import copy
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor2_0
from torch import Tensor, nn

from app.style_aligned import Sharing
from app.style_aligned.sharing import SharedLayers
from training import together
from training.config import SIZES, Plan, Size
from training.data.pictures import Pictures
from training.data.scenes import CHECK, TRAIN, UNSEEN, caption
from training.loop import (
    MODEL_SHARD,
    PRECISION,
    Draw,
    Run,
    autocast,
    compiled,
    forget_paths,
    laid_out,
    pick_device,
    prepare,
)
from training.models.attention import use_plain_self_attention
from training.models.diffusion import Noised, Noising, encode_all, sdxl_scheduler, time_ids
from training.models.sample import sheet
from training.models.sets import SetDrawing, Sets
from training.models.text import TextEncoders
from training.options import Device, Minutes, SizeName, Steps, Threads, planned
from training.tensors import Rows

IN_SETS = 0.5  # share of steps on sets in a run on sets; the others preserve what prompts alone can do
OFTEN = 0.25  # share of each batch that shows the objects which are to be learnt best
CHECKED = 1024  # held-out latents for measuring: enough to detect a difference of a thousandth


@dataclass
class DiffusionTask:
    """Predicts the noise in latents from their captions."""

    size: Size
    plan: Plan
    vae: AutoencoderKL
    text: TextEncoders
    unet: UNet2DConditionModel
    data: Pictures
    latents: Rows
    device: torch.device
    in_sets: float = 0.0
    often: tuple[str, ...] = ()  # objects to learn best

    def __post_init__(self) -> None:
        self.noising = Noising(self.device)
        self.sets, self.check_sets = SetDrawing(self.data), SetDrawing(self.data, CHECK)
        self.rows = {split: torch.from_numpy(self.data.rows(split)) for split in (TRAIN, CHECK, UNSEEN)}
        shown = [row for row in self.rows[TRAIN].tolist() if set(self.data.scenes[row].objects) & set(self.often)]
        self.rows_often = torch.tensor(shown, dtype=torch.int64)
        if self.device.type == "cpu":
            use_plain_self_attention(self.unet)
        self.fast_unet = compiled(self.unet, self.device)

    def errors(self, rows: Tensor, draw: Draw, unet: UNet2DConditionModel) -> tuple[Tensor, Tensor]:
        captions = [caption(self.data.scenes[row], draw.numpy) for row in rows.tolist()]
        noised = self.noising(self.latents[rows].float(), draw)
        return self.noising.loss(self.found(noised, captions, unet), noised)

    def found(self, noised: Noised, captions: list[str], unet: UNet2DConditionModel) -> Tensor:
        """The UNet's noise prediction ``(B, C, H, W)``."""
        with autocast(self.device):
            states, pooled = self.text.encode(captions)
            conditions = {"text_embeds": pooled, "time_ids": time_ids(self.size.pixels, len(captions), self.device)}
            found: Tensor = unet(
                noised.latents,
                noised.times,
                encoder_hidden_states=states,
                added_cond_kwargs=conditions,
                return_dict=False,
            )[0]
        return found

    def errors_in_sets(self, sets: Sets, draw: Draw) -> tuple[Tensor, Tensor]:
        """Like ``errors``, for sets whose targets attend to their reference."""
        times = self.noising.times(sets.count, draw)
        references = self.noising(self.latents[sets.references].float(), draw, times)
        targets = self.noising(self.latents[sets.targets].float(), draw, times.repeat_interleave(sets.size))
        alone, beside = self.found_in_sets(sets, references, targets)
        losses = self.noising.loss(alone, references), self.noising.loss(beside, targets)
        of_one = 1 / (1 + sets.size)
        loss, error = (
            torch.lerp(of_targets, of_references, of_one) for of_references, of_targets in zip(*losses, strict=True)
        )
        return loss, error

    def found_in_sets(self, sets: Sets, references: Noised, targets: Noised) -> tuple[Tensor, Tensor]:
        """Noise predictions for references and targets, with the product's own layers. Each set is one branch."""
        sharing = Sharing.for_picture()
        layers = SharedLayers(self.unet, group_norms=sharing.share_group_norm)
        with layers.record(sets.count) as recording:
            alone = self.found(references, sets.reference_captions, self.unet)
        influence = sharing.influence(sharing.strengths(sets.size), [1.0], self.device)
        with layers.share(recording, influence):
            return alone, self.found(targets, sets.captions, self.unet)

    def loss(self, draw: Draw) -> tuple[Tensor, dict[str, Tensor]]:
        if draw.numpy.random() < self.in_sets:
            loss, error = self.errors_in_sets(self.sets(draw, self.plan.batch), draw)
        else:
            loss, error = self.errors(self.batch(draw), draw, self.fast_unet)
        return loss, {"mse": error}

    def batch(self, draw: Draw) -> Tensor:
        """Rows of the data, a quarter of them (`OFTEN`) showing the objects to learn best."""
        if not self.often:
            return draw.rows(self.rows[TRAIN], self.plan.batch)
        first = round(OFTEN * self.plan.batch)
        return torch.cat([draw.rows(self.rows_often, first), draw.rows(self.rows[TRAIN], self.plan.batch - first)])

    def check(self) -> dict[str, float]:
        """Mean squared error on held-out pictures and sets, always with the same noise."""
        numbers = {}
        for name, split in (("mse", CHECK), ("unseen_mse", UNSEEN)):
            rows = self.rows[split][torch.randperm(len(self.rows[split]), generator=torch.Generator().manual_seed(0))]
            parts = rows[:CHECKED].split(self.plan.batch) if len(rows) else ()
            draws = (Draw.of(99, number, self.device) for number in range(len(parts)))
            errors = [self.errors(part, draw, self.unet)[1].item() for part, draw in zip(parts, draws, strict=True)]
            if errors:
                numbers[name] = float(np.average(errors, weights=[len(part) for part in parts]))
        seeds = [Draw.of(98, number, self.device) for number in range(CHECKED // 2 // self.plan.batch)]
        in_sets = [self.errors_in_sets(self.check_sets(draw, self.plan.batch), draw)[1] for draw in seeds]
        return {**numbers, "in_sets_mse": float(torch.stack(in_sets).mean())}

    def export(self, folder: Path) -> None:
        pipeline = save_pipeline(folder / "pipeline", self.vae, self.text, self.unet)
        sheet(pipeline, folder / "sheet.png", self.size.pixels)


def save_pipeline(
    folder: Path, vae: AutoencoderKL, text: TextEncoders, unet: UNet2DConditionModel
) -> StableDiffusionXLPipeline:
    """Write half precision in shards; the folder appears completely or not at all. Returns a copy in float32."""
    parts = {"vae": vae, "unet": unet, **text.modules}
    pipeline = _pipeline({name: _copied(module) for name, module in parts.items()}, text)
    pipeline.unet.set_attn_processor(AttnProcessor2_0())
    partial = folder.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    for module in pipeline.components.values():
        if isinstance(module, nn.Module):
            module.half()
    pipeline.save_pretrained(partial, max_shard_size=MODEL_SHARD)
    forget_paths(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return pipeline.to(torch.float32)


def _pipeline(parts: dict[str, Any], text: TextEncoders) -> StableDiffusionXLPipeline:
    return StableDiffusionXLPipeline(
        **parts,
        tokenizer=text.tokenizer,
        tokenizer_2=text.tokenizer,
        scheduler=sdxl_scheduler(),
        force_zeros_for_empty_prompt=False,  # the empty caption was trained and works better than zeros
        add_watermarker=False,
    )


def _copied(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module).requires_grad_(False).eval()


def new_unet(size: Size, device: torch.device) -> UNet2DConditionModel:
    return laid_out(UNet2DConditionModel(**size.unet_config()), device)


def diffusion_run(
    size: Size,
    data: Pictures,
    vae: AutoencoderKL,
    folder: Path,
    device: torch.device,
    start: Path | None = None,
    on_sets: bool = False,
    in_sets: float | None = None,
    often: tuple[str, ...] = (),
) -> Run:
    """A run of ``size.unet``, or of ``size.sets`` if it is ``on_sets``; ``in_sets`` is the share of steps on sets."""
    plan = size.sets if on_sets else size.unet
    torch.manual_seed(plan.seed)
    folder.mkdir(parents=True, exist_ok=True)
    saved = folder / "pipeline"
    if (source := start or (saved if saved.exists() else None)) is not None:
        text = TextEncoders.load(source, device)
        unet = laid_out(UNet2DConditionModel.from_pretrained(source / "unet", torch_dtype=torch.float32), device)
    else:
        text, unet = TextEncoders.new(size, device), new_unet(size, device)
    vae = laid_out(vae, device).eval().requires_grad_(False)
    with together.first_goes_first():
        latents = Rows(encode_all(vae, data, device, folder), device)
    modules: dict[str, nn.Module] = {"unet": unet.train(), **text.modules}
    if in_sets is None:
        in_sets = IN_SETS if on_sets else 0.0
    task = DiffusionTask(size, plan, vae, text, unet, data, latents, device, in_sets, often)
    return Run(folder, plan, modules, task.loss, task.check, task.export, typer.echo)


def main(
    data: Annotated[Path, typer.Argument(help="folder made by training.data.pictures", exists=True)],
    out: Annotated[Path, typer.Option(help="folder for the pipeline, the log and the state to resume from")],
    vae: Annotated[Path | None, typer.Option(help="a trained VAE; needed unless --start is given", exists=True)] = None,
    start: Annotated[Path | None, typer.Option(help="a pipeline to continue from", exists=True)] = None,
    sets: Annotated[bool, typer.Option("--sets", help="continue from --start, half of the steps on sets")] = False,
    in_sets: Annotated[float | None, typer.Option(help="another share of steps on sets, 0 to 1", min=0, max=1)] = None,
    often: Annotated[str, typer.Option(help="objects to learn best, separated by commas")] = "",
    first: Annotated[int | None, typer.Option(help="train on this many pictures, the first ones")] = None,
    size: SizeName = "small",
    minutes: Minutes = None,
    steps: Steps = None,
    rate: Annotated[float | None, typer.Option(help="peak learning rate; use a lower one with --start")] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train UNet and text encoders."""
    source = vae or (start / "vae" if start else None)
    if source is None:
        raise typer.BadParameter("give --vae or --start")
    if sets and start is None:
        raise typer.BadParameter("give --start, the pipeline to train further on sets")
    place = pick_device(device)
    prepare(place, threads)
    together.join()
    PRECISION.agree()
    autoencoder = AutoencoderKL.from_pretrained(source, torch_dtype=torch.float32)
    chosen = planned(SIZES[size], "sets" if sets else "unet", steps, rate)
    objects = tuple(filter(None, (name.strip() for name in often.split(","))))
    if unknown := set(objects) - set(chosen.objects):
        raise typer.BadParameter(f"the data does not show {', '.join(sorted(unknown))}", param_hint="--often")
    pictures = Pictures.open(data, first)
    run = diffusion_run(chosen, pictures, autoencoder, out, place, start, sets, in_sets, objects)
    if not run.fit(minutes):
        raise typer.Exit(3)


if __name__ == "__main__":
    typer.run(main)
