"""`soroe evaluate`: the field's benchmark of a model and its settings."""

from dataclasses import dataclass
from enum import StrEnum
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
from app.cli.files import decoded, reading
from app.languages import N_
from app.languages import gettext as _
from app.text import sentence, whole_number


class StyleIn(StrEnum):
    ALL = "all"
    FIRST = "first"


@dataclass(frozen=True)
class EvaluateOptions:
    """The options of `soroe evaluate`."""

    out_folder: Annotated[
        Path, typer.Option("--out", help="Output folder; created if missing. Run again with the same one to resume.")
    ]
    model: Annotated[str | None, typer.Option(help="demo, a folder, a Hugging Face id or a .safetensors file.")] = None
    prompts_file: Annotated[
        Path | None,
        typer.Option(
            help='One set per line: "style | object | object | object | object". Default: the list for the model.'
        ),
    ] = None
    setting: Annotated[
        list[str] | None,
        typer.Option(
            help='A setting by name, such as "all to all", or your own, such as "gentle=strength:0.6,layers:up_blocks".'
            " Repeat to compare. Default: all."
        ),
    ] = None
    styles: Annotated[int | None, typer.Option(min=1, help="Only the first styles of the list. Default: all.")] = None
    style_in: Annotated[
        StyleIn, typer.Option(help="Which prompts name the style: all, as in the paper, or only the first of a set.")
    ] = StyleIn.ALL
    steps: Annotated[int | None, typer.Option(min=1, max=1000, help="Denoising steps. Default: the model's.")] = None
    guidance: Annotated[
        float | None, typer.Option(min=0, max=30, help="Guidance scale (CFG). Default: the model's.")
    ] = None
    size: Annotated[str | None, typer.Option(help="WxH in px, such as 1024x768. Default: the model's.")] = None
    scheduler: Annotated[str | None, typer.Option(help="ddim, euler, euler-a, dpm++, unipc, heun, pndm or lcm.")] = None
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first picture.")] = 0
    processes: Annotated[int, typer.Option(min=1, max=64, help="Processes, each with the model; one per GPU.")] = 1


def evaluate(options: EvaluateOptions) -> None:
    """Make sets in many styles and settings, measure them, and write a table, a plot and a report.

    Run it again with the same folder after an interruption: finished sets are kept.
    """
    from app.cli.allowed import need_allowed

    settings = read_settings()
    check_folder(options.out_folder)
    model = options.model or settings.model
    sets = read_sets(options, model)
    need_allowed(settings, [text for each in sets for text in (each.style, *each.objects)])

    # torch takes seconds to import; the refusals above come without the wait.
    from app.evaluation.helpers import share_machine
    from app.evaluation.making import EvaluationPlan
    from app.evaluation.settings import chosen

    try:
        plan = EvaluationPlan(
            model=model,
            sets=tuple(sets),
            settings=tuple(chosen(options.setting or [])),
            style_in=options.style_in.value,
            steps=options.steps,
            guidance=options.guidance,
            size=read_size(options.size),
            scheduler=options.scheduler,
            seed=options.seed,
        )
    except ValueError as error:
        raise CommandRefused(sentence(error)) from error
    share_machine(0, options.processes)
    studio = load_studio(model, settings)
    need_size(studio, model, plan.size)
    embedders = load_embedders(settings)
    with refusing(options.out_folder):
        made = make_all(studio, options, plan, settings)
        results = measure_all(made, embedders)
    tell(options.out_folder, results)


def read_sets(options: EvaluateOptions, model: str) -> list[Any]:
    """The sets to make. Raises CommandRefused."""
    from app.evaluation.prompts import bundled, parse

    file = options.prompts_file or bundled(model)
    with reading(N_("prompts file"), file):
        return parse(decoded(file.read_bytes()))[: options.styles]


def read_size(text: str | None) -> tuple[int, int] | None:
    """A size as "1024x768". Raises CommandRefused."""
    if text is None:
        return None
    width, height = map(whole_number, text.lower().partition("x")[::2])
    if width is None or height is None:
        raise CommandRefused(_("%(size)s is no size; write width and height in px, such as 1024x768.", size=text))
    return width, height


def need_size(studio: Any, model: str, size: tuple[int, int] | None) -> None:
    """Raise CommandRefused for a size that the model cannot make, as for a set: a million px would take all memory."""
    from app.engine.facts import model_facts
    from app.sets.spec import size_problem

    if size and (problem := size_problem(*size, model_facts(studio, model, ()))):
        raise CommandRefused(problem)


def load_embedders(settings: Any) -> Any:
    """The embedders of `SOROE_MEASURES`. Raises CommandRefused."""
    from app.evaluation.measuring import Embedders
    from app.languages import translated
    from app.quality.embeddings import CannotEmbed, loaded

    try:
        return Embedders.of(loaded("" if settings.measures == "off" else settings.measures))
    except CannotEmbed as error:
        raise CommandRefused(translated(str(error))) from error


def make_all(studio: Any, options: EvaluateOptions, plan: Any, settings: Any) -> Any:
    """Make all sets with a progress bar; says what is there after Ctrl-C."""
    from app.evaluation.run import make_all

    done, total = 0, len(plan.tasks)
    with progress_bar() as bar:
        task = bar.add_task(_("Making sets"), total=total)

        def told(now: int, total: int) -> None:
            nonlocal done
            done = now
            bar.update(task, completed=now, total=total)

        try:
            return make_all(
                studio, options.out_folder, plan, options.processes, settings.device, settings.precision, told
            )
        except KeyboardInterrupt:
            err.print(
                _(
                    "Stopped. %(done)s of %(total)s sets are finished; the same command makes the rest.",
                    done=done,
                    total=total,
                ),
                markup=False,
            )
            raise typer.Exit(INTERRUPTED) from None


def measure_all(made: Any, embedders: Any) -> Any:
    from app.evaluation.run import report

    with progress_bar() as bar:
        task = bar.add_task(_("Measuring"), total=None)
        return report(made, embedders, lambda done, total: bar.update(task, completed=done, total=total))


def tell(folder: Path, results: Any) -> None:
    """Print the table and where the report is. Ends the command with status 1 if a set failed."""
    from rich.table import Table

    from app.evaluation.report import DIGITS, meaning

    rows = results.rows
    known = list(rows[0].measures)
    table = Table()
    for column in (_("Setting"), *(meaning(measure)["label"] for measure in known)):
        table.add_column(column)
    for row in rows:
        table.add_row(row.name, *(f"{row.measures[measure].mean:.{DIGITS}f}" for measure in known))
    out.print(table)
    said = sorted(set(results.embedders.values()))
    out.print(
        _("Measured with %(embedders)s.", embedders=", ".join(said)), markup=False, highlight=False, soft_wrap=True
    )
    out.print(_("The report is %(file)s.", file=folder / "report.html"), markup=False, highlight=False, soft_wrap=True)
    if failed := sum(row.failed for row in rows):
        err.print(_("%(failed)s sets failed. Their set.json says why.", failed=failed), markup=False)
        raise typer.Exit(1)
