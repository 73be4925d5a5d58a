"""Fill the figures in the model card: ``python -m training.measures.card PIPELINE --data DATA --runs OUT``.

The figures are kept in ``docs/demo-model.json``; only this module writes them between the markers of
``docs/demo-model.md``. Without a pipeline it writes the kept figures again.
"""

from __future__ import annotations

import json
from collections import Counter
from math import prod
from pathlib import Path
from typing import Annotated

import typer
from safetensors import safe_open

from training.config import SIZES, Size
from training.data.pictures import Pictures
from training.data.scenes import CHECK, TRAIN, UNSEEN
from training.loop import read_log
from training.measures.evaluate import examine, load_examiner
from training.measures.examiner import Figures
from training.measures.figures import filled
from training.options import Device, SizeName

DOCS = Path(__file__).parents[2] / "docs"

# The path of each part in a finished model, and in the folders of the runs.
PARTS = {
    "UNet": ("unet", "sets/pipeline/unet"),
    "first text encoder": ("text_encoder", "sets/pipeline/text_encoder"),
    "second text encoder": ("text_encoder_2", "sets/pipeline/text_encoder_2"),
    "VAE": ("vae", "decoder/vae"),
    "ControlNet, edges": ("controlnet_edges", "edges/controlnet"),
    "ControlNet, silhouette": ("controlnet_silhouette", "silhouette/controlnet"),
    "CLIP": ("clip", "clip/clip"),
}
# The folder of each run, its plan in a Size, and what it trains.
RUNS = {
    "vae": ("vae", "VAE"),
    "unet": ("unet", "UNet and text encoders"),
    "sets": ("sets", "UNet and text encoders, on sets too"),
    "edges": ("controlnet", "ControlNet, edges"),
    "silhouette": ("controlnet", "ControlNet, silhouette"),
    "clip": ("clip", "CLIP"),
    "encoder": ("encoder", "VAE's encoder, from a smaller one"),
    "decoder": ("decoder", "VAE's decoder, once more"),
}


def parameters(folder: Path) -> int:
    """The number of parameters in the safetensors files of a folder."""
    count = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            count += sum(prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    return count


def parts(pipeline: Path, runs: Path | None) -> list[Figures]:
    """Name, parameters and bytes on disk of every existing part."""
    found = []
    for part, (here, there) in PARTS.items():
        places = [pipeline / here, *([runs / there] if runs else [])]
        if (place := next((place for place in places if any(place.glob("*.safetensors"))), None)) is not None:
            weights = sum(file.stat().st_size for file in place.glob("*.safetensors"))
            found.append({"part": part, "parameters": parameters(place), "bytes": weights})
    return found


def trainings(size: Size, runs: Path) -> list[Figures]:
    """Length, time, and each held-out measure before and after, of every run, from the logs."""
    found = []
    for name, (plan, learnt) in RUNS.items():
        if (runs / name / "log.jsonl").exists():
            log = read_log(runs / name)
            seconds = [line["seconds"] for line in log if "seconds" in line]  # restarts at 0 with each time slice
            slices = [a for a, b in zip(seconds, [*seconds[1:], 0.0], strict=True) if b < a]
            measured = [line for line in log if any(key.startswith("held_out_") for key in line)]
            held_out = {
                key.removeprefix("held_out_"): [measured[0][key], measured[-1][key]]
                for key in measured[-1]
                if key.startswith("held_out_")
            }
            steps = int(log[-1]["step"])
            processes = next((int(line["processes"]) for line in log if "processes" in line), 1)
            samples = steps * getattr(size, plan).batch * processes
            found.append(
                {
                    "learnt": learnt,
                    "steps": steps,
                    "samples": samples,
                    "hours": sum(slices) / 3600,
                    "held_out": held_out,
                }
            )
    return found


def world(size: Size, data: Pictures) -> Figures:
    """Counts of the pictures, objects and looks in the data."""
    splits = Counter(scene.split for scene in data.scenes)
    return {
        "pixels": size.pixels,
        "objects": len({thing for scene in data.scenes for thing in scene.objects}),
        "looks": len({scene.look for scene in data.scenes}),
        "pictures": {split: splits[split] for split in (TRAIN, CHECK, UNSEEN)},
        "of_two_objects": sum(len(scene.objects) == 2 for scene in data.scenes),
        "in_a_colour": sum(scene.colour is not None for scene in data.scenes),
    }


def main(
    pipeline: Annotated[
        Path | None, typer.Argument(help="a pipeline folder; without it, kept figures", exists=True)
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="the data folder that the model was trained on", exists=True)
    ] = None,
    clip: Annotated[Path | None, typer.Option(help="a CLIP folder; without it, write sizes only", exists=True)] = None,
    runs: Annotated[
        Path | None, typer.Option(help="the parent folder of all runs, for their logs", exists=True)
    ] = None,
    size: SizeName = "small",
    further: Annotated[
        bool, typer.Option("--further", help="these runs continue the card's weights: list them after its runs")
    ] = False,
    samples: Annotated[int, typer.Option(help="pictures to draw for the largest measure")] = 500,
    device: Device = "auto",
    docs: Annotated[Path, typer.Option(help="the folder of demo-model.md")] = DOCS,
) -> None:
    """Measure a model and write the figures into the model card."""
    page, kept = docs / "demo-model.md", docs / "demo-model.json"
    if pipeline is None:
        page.write_text(filled(page.read_text(), json.loads(kept.read_text())))
        return
    chosen = SIZES[size]
    figures: Figures = {"size": size, "parts": parts(pipeline, runs)}
    if runs:
        earlier, label = (json.loads(kept.read_text())["training"], ", further") if further else ([], "")
        later = trainings(chosen, runs)
        figures["training"] = [*earlier, *({**run, "learnt": run["learnt"] + label} for run in later)]
    if data:
        figures["world"] = world(chosen, Pictures.open(data))
    if data and clip:
        figures |= examine(load_examiner(pipeline, clip, chosen, data, device), samples, docs / "images", typer.echo)
    known: Figures = json.loads(kept.read_text()) if kept.exists() else {}
    if "fidelity" in known:
        figures["fidelity"] = known["fidelity"]  # measured by `training.measures.fidelity`
    text = filled(page.read_text(), figures)
    kept.write_text(json.dumps(figures, indent=1) + "\n")
    page.write_text(text)
    typer.echo(f"written: {page}")


if __name__ == "__main__":
    typer.run(main)
