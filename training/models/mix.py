"""Mix the UNet and the text encoders of finished models:
``python -m training.models.mix BEFORE AFTER --share 0.5 --out MODEL``.

Weights between before and after a run often keep what the run cost (Wortsman et al., CVPR 2022). ``--without FROM TO
--times T`` also subtracts ``T`` times what another run had changed (Ilharco et al., ICLR 2023).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import torch
import typer
from safetensors.torch import load_file, save_file
from torch import Tensor

PARTS = ("unet", "text_encoder", "text_encoder_2")
SIZES = "add_embedding."  # fitted to a side (`training.models.enlarge`), and the other run may be of a smaller model

Weights = dict[str, Tensor]


def mixed(before: Weights, after: Weights, share: float, change: Weights | None = None, times: float = 0.0) -> Weights:
    """``before + share · (after - before) - times · change``, in the type of ``before``.

    Nothing is subtracted from the size conditioning. Raises ValueError if names or shapes differ.
    """
    for other in (after, change or before):
        if {name: weight.shape for name, weight in other.items()} != {n: w.shape for n, w in before.items()}:
            raise ValueError("the models differ in shape")
    found = {}
    for name, weight in before.items():
        new = torch.lerp(weight.float(), after[name].float(), share)
        if change and not name.startswith(SIZES):
            new -= times * change[name]
        found[name] = new.to(weight.dtype)
    return found


def read(folder: Path) -> tuple[Weights, dict[str, list[str]]]:
    """All weights of a part, and the names that each of its files holds. Raises ValueError if there are none."""
    files = {file.name: load_file(file) for file in sorted(folder.glob("*.safetensors"))}
    if not files:
        raise ValueError(f"{folder} has no weights")
    return {name: weight for file in files.values() for name, weight in file.items()}, {
        file: list(weights) for file, weights in files.items()
    }


def mix(before: Path, after: Path, out: Path, share: float, without: tuple[Path, Path] | None, times: float) -> None:
    """Write ``before`` with mixed weights to ``out``, a new folder; see `mixed`. Raises ValueError before it writes."""
    if out.exists():
        raise ValueError(f"{out} exists")
    if bool(without) != bool(times):
        raise ValueError("what to subtract, and how many times, go together")
    made: dict[Path, Weights] = {}
    for part in PARTS:
        weights, files = read(before / part)
        change = None
        if without:
            first, last = (read(folder / part)[0] for folder in without)
            change = {name: weight.float() - first[name].float() for name, weight in last.items() if name in first}
        found = mixed(weights, read(after / part)[0], share, change, times)
        made |= {Path(part, file): {name: found[name] for name in names} for file, names in files.items()}
    shutil.copytree(before, out)
    for file, weights in made.items():
        save_file(weights, out / file, metadata={"format": "pt"})


def main(
    before: Annotated[Path, typer.Argument(help="a pipeline folder, for everything that is not mixed", exists=True)],
    after: Annotated[Path, typer.Argument(help="the pipeline folder after a run", exists=True)],
    out: Annotated[Path, typer.Option(help="the pipeline folder to write")],
    share: Annotated[float, typer.Option(min=0, max=1, help="0 gives BEFORE, 1 gives AFTER")] = 0.5,
    without: Annotated[
        tuple[Path, Path] | None, typer.Option(help="pipeline folders before and after a run whose change to subtract")
    ] = None,
    times: Annotated[float, typer.Option(help="how many times to subtract it")] = 0.0,
) -> None:
    """Mix the weights of two finished models."""
    try:
        mix(before, after, out, share, without, times)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    typer.echo(f"written: {out}")


if __name__ == "__main__":
    typer.run(main)
