"""`soroe rank-layers`: which layers of the model carry the look."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.console import (
    INTERRUPTED,
    CommandRefused,
    check_folder,
    err,
    load_studio,
    out,
    progress_bar,
    read_settings,
    refusing,
)
from app.languages import gettext as _

PROMPTS = ("a fox", "a teapot", "a house", "a car")


@dataclass(frozen=True)
class RankLayersOptions:
    """The options of `soroe rank-layers`."""

    pairs: Annotated[int, typer.Option(min=1, max=24, help="Pairs of prompt and reference to measure on, 1 to 24.")] = (
        24
    )
    steps: Annotated[int, typer.Option(min=1, max=100, help="Denoising steps of each picture, 1 to 100.")] = 10
    model: Annotated[str | None, typer.Option(help="demo, a folder, a Hugging Face id or a .safetensors file.")] = None
    out_file: Annotated[
        Path | None, typer.Option("--out", help="File to write. Without it: the data folder, where the server looks.")
    ] = None


def rank_layers(options: RankLayersOptions) -> None:
    """Find which layers of the model carry the look, for styles that share only those. Run it again to resume."""
    settings = read_settings()
    if options.out_file:
        check_folder(options.out_file.parent)
        if options.out_file.is_dir():  # found at the end, it would cost the time of all measurements
            raise CommandRefused(_("%(file)s is a folder. Name the file to write.", file=options.out_file))

    from app.engine.sensitivity import file_of, rank

    studio = load_studio(options.model or settings.model, settings)
    file = options.out_file or file_of(studio, settings.data)
    kept = file.with_name(f"{file.name}.measured")
    with refusing(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        ranking = follow(rank(studio, pairs(options.pairs), options.steps, kept))
        if ranking is None:
            err.print(_("Stopped. Run the same command to resume."), markup=False)
            raise typer.Exit(INTERRUPTED)
        ranking.write(file)
        kept.unlink(missing_ok=True)
    for place, each in enumerate(ranking.layers, start=1):
        out.print(f"{place:3}  {each.score:7.3f}  {each.layer}", markup=False)
    out.print(_("%(file)s is ready. Restart the server to use it.", file=file), markup=False)


def pairs(count: int) -> list[Any]:
    """The first `count` pairs: every sample reference with each prompt, so that few pairs vary too."""
    from app.engine.sensitivity import RankedPair
    from app.styles.samples import FOLDER, SAMPLES

    samples = list(SAMPLES.values())
    each = [
        (PROMPTS[(turn + place) % len(PROMPTS)], sample) for turn in range(4) for place, sample in enumerate(samples)
    ]
    return [
        RankedPair(FOLDER / f"look-{sample.key}.webp", f"{sample.shows}, {sample.text}", prompt, seed)
        for seed, (prompt, sample) in enumerate(each[:count])
    ]


def follow(measured: Any) -> Any:
    """The ranking, with a progress bar; None if Ctrl-C interrupted it."""
    with progress_bar() as bar, closing(measured):
        task = bar.add_task(_("Measuring layers"), total=None)
        try:
            for event in measured:
                bar.update(task, completed=event.done, total=event.of)
                if event.ranking:
                    return event.ranking
        except KeyboardInterrupt:
            return None
    return None
