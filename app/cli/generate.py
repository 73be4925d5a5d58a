"""`soroe generate`: a set without a server."""

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
from app.languages import gettext as _
from app.languages import ngettext, translated


class Format(StrEnum):
    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"


@dataclass(frozen=True)
class GenerateOptions:
    """The options of `soroe generate`.

    Numbers are texts: `app.cli.spec` parses them, with the same messages as the page.
    """

    out_folder: Annotated[Path, typer.Option("--out", help="Output folder; created if missing.")]
    prompt: Annotated[
        list[str] | None, typer.Option(help="What to show, in English or Japanese. Repeat for more pictures.")
    ] = None
    prompts_file: Annotated[Path | None, typer.Option(help="Text file with one prompt per line.")] = None
    prompts_encoding: Annotated[
        str, typer.Option(help="Encoding of that file, such as cp932. Default: UTF-8, UTF-16 or cp932, if certain.")
    ] = ""
    reference: Annotated[
        list[Path] | None,
        typer.Option(
            help="The picture to take the look from. Repeat for several. Default: the first prompt's picture."
        ),
    ] = None
    ground: Annotated[
        str,
        typer.Option(metavar="<colour>", help="Behind transparent pictures: white, black, grey or such as '#ffcc00'."),
    ] = ""
    reference_prompt: Annotated[str, typer.Option(help='What the reference shows, such as "a pear".')] = ""
    reference_method: Annotated[
        str, typer.Option(metavar="<noise|ddim>", help="noise is fast; ddim inverts the reference first.")
    ] = "noise"
    style_text: Annotated[str, typer.Option(help='Added to every prompt, such as "watercolor".')] = ""
    strength: Annotated[
        str,
        typer.Option(
            metavar="<float>", help="How closely to follow the reference: 0 not at all, 1 as in the paper, up to 2."
        ),
    ] = "1.0"
    layers: Annotated[
        str,
        typer.Option(
            metavar="<names>",
            help="Layers that share: up_blocks for the upper half, sensitive for the most style-sensitive ones,"
            " or names joined by commas. Default: all.",
        ),
    ] = ""
    layer_count: Annotated[
        str, typer.Option(metavar="<int>", help="How many layers share with --layers sensitive.")
    ] = "6"
    calibration: Annotated[
        str,
        typer.Option(metavar="<float>", help="Colour calibration: 0 not at all, 1 all colours of the reference."),
    ] = ""
    calibration_start: Annotated[
        str, typer.Option(metavar="<float>", help="Calibrate from this part of the steps: 0 is the first, 1 the last.")
    ] = ""
    calibration_end: Annotated[
        str, typer.Option(metavar="<float>", help="Calibrate until this part of the steps, 0 to 1.")
    ] = ""
    reference_queries: Annotated[
        str,
        typer.Option(metavar="<float>", help="How far guidance leads away from the reference's layout, 0 to 1."),
    ] = ""
    subject_attention: Annotated[
        str,
        typer.Option(metavar="<float>", help="Attention to the reference's subject: 1 as in the paper, 0 none."),
    ] = ""
    blend: Annotated[
        str,
        typer.Option(metavar="<weight|sphere>", help="How several references combine: each by weight, or on a sphere."),
    ] = ""
    count: Annotated[str, typer.Option(metavar="<int>", help="Pictures per prompt, 1 to 16.")] = "1"
    model: Annotated[str | None, typer.Option(help="demo, a folder, a Hugging Face id or a .safetensors file.")] = None
    steps: Annotated[str | None, typer.Option(metavar="<int>", help="Denoising steps, 1 to 100.")] = None
    guidance: Annotated[
        str | None,
        typer.Option(metavar="<float>", help="Guidance scale (CFG), 0 to 30: how closely to follow the prompts."),
    ] = None
    negative_prompt: Annotated[str, typer.Option(help="What to avoid.")] = ""
    seed: Annotated[str | None, typer.Option(metavar="<int>", help="Seed of the first picture.")] = None
    size: Annotated[str | None, typer.Option(help="WxH in px, such as 1024x768.")] = None
    scheduler: Annotated[str | None, typer.Option(help="ddim, euler, euler-a, dpm++, unipc, heun, pndm or lcm.")] = None
    seamless: Annotated[bool, typer.Option(help="Join the left and right edges, for patterns and panoramas.")] = False
    region: Annotated[
        list[str] | None,
        typer.Option(
            help="An area of every picture: box or mask, prompt, and optionally a reference and strength of its own,"
            ' such as "0.5,0,0.5,1|a fox|neon.png|1.2" or "mask.png|a fox". A box is left, top, width and height as'
            " fractions of the picture."
        ),
    ] = None
    structure: Annotated[
        list[str] | None,
        typer.Option(
            help="A map to follow: edges=chair.png,weight=0.8,end=0.7, or a ready map as edges=ready:map.png."
        ),
    ] = None
    subject: Annotated[
        list[str] | None,
        typer.Option(help="A LoRA, optionally with a weight, such as mug.safetensors:0.8. Prompts name it @mug."),
    ] = None
    format: Annotated[Format, typer.Option(help="File format.")] = Format.PNG
    overwrite: Annotated[bool, typer.Option(help="Replace a set that is already in the folder.")] = False


def generate(options: GenerateOptions) -> None:
    """Generate a set: one picture per prompt, all in the look of the reference."""
    from app.cli.allowed import need_allowed
    from app.cli.inputs import Inputs
    from app.cli.spec import CommandSpec, form_of

    settings = read_settings()
    form = form_of(options)
    spec = CommandSpec.before_loading(form)
    check_out(options.out_folder, options.overwrite)
    need_allowed(settings, spec.shown_texts)
    inputs = Inputs.of(spec)

    # torch takes seconds to import; the refusals above come without the wait.
    from app.cli.folder import SetFolder
    from app.cli.job import SetJob

    model = options.model or settings.model
    studio = load_studio(model, settings)
    folder = SetFolder(options.out_folder, options.format)
    with refusing(options.out_folder):
        job = SetJob(form, inputs, studio, model, settings)
        need_allowed(settings, [*job.spec.shown_texts, *job.texts_read], job.spec.drawn_as)
        for text, english in job.spec.drawn_as.items():
            err.print(
                _("%(text)s will be drawn as: %(english)s", text=text, english=english),
                markup=False,
                highlight=False,
                emoji=False,
                soft_wrap=True,
            )
        for warning in job.warnings():
            err.print(
                _("Warning: %(warning)s", warning=warning), markup=False, highlight=False, emoji=False, soft_wrap=True
            )
        interrupted = save_all(job.events(), folder, job.prompts)
        if folder.pictures:
            folder.save_sheet([given.picture for given in inputs.references])
            folder.save_record(**job.record())
    tell(options.out_folder, len(folder.pictures), len(job.prompts), interrupted)


def check_out(folder: Path, overwrite: bool) -> None:
    """Raise CommandRefused if a set cannot be written to the folder, or would replace another."""
    check_folder(folder)
    if not overwrite and (folder / "set.json").exists():
        raise CommandRefused(
            _("There is already a set in %(folder)s. Choose another folder or pass --overwrite.", folder=folder)
        )


def save_all(events: Any, folder: Any, prompts: list[str]) -> bool:
    """Write pictures as they come, with a progress bar over all images' steps. True if Ctrl-C interrupted it."""
    from app.style_aligned import ImageFailed, ImageReady, Inversion, Step

    with progress_bar() as bar:
        task = bar.add_task(_("Generating"), total=None)
        try:
            for event in events:
                match event:
                    case Inversion(step=step, steps=total):
                        bar.update(
                            task,
                            description=_("Inverting the reference, %(step)s of %(total)s", step=step, total=total),
                        )
                    case Step(images=images, steps=steps):  # some schedulers take more steps than requested
                        total = len(prompts) * steps
                        bar.update(task, description=_("Generating"), advance=len(images), total=total)
                    case ImageReady(index=index, picture=picture, prompt=text, seed=seed):
                        name = folder.save(index, picture, prompts[index], text=text, seed=seed).name
                        if not out.is_terminal:
                            out.print(name, markup=False, highlight=False)
                    case ImageFailed(index=index, error=error):
                        err.print(
                            _(
                                "Picture %(index)s could not be generated: %(error)s. Lower the weight of"
                                " subjects and structures, or choose another scheduler or precision.",
                                index=index + 1,
                                error=translated(str(error)),
                            ),
                            markup=False,
                        )
        except KeyboardInterrupt:
            events.close()
            return True
    return False


def tell(folder: Path, done: int, wanted: int, interrupted: bool) -> None:
    """Report what is in the folder now. Ends the command with a status if that is not everything."""
    if interrupted:
        err.print(
            _(
                "Stopped. %(done)s of %(wanted)s pictures were finished and are kept in %(folder)s.",
                done=done,
                wanted=wanted,
                folder=folder,
            ),
            markup=False,
        )
        raise typer.Exit(INTERRUPTED)
    if done:
        out.print(
            ngettext(
                "%(number)s picture and sheet.png are in %(folder)s.",
                "%(number)s pictures and sheet.png are in %(folder)s.",
                done,
                folder=folder,
            ),
            markup=False,
            highlight=False,
        )
    if done < wanted:
        raise typer.Exit(1)
