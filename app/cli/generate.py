"""`soroe generate`: a set without a server."""

import secrets
from dataclasses import asdict
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
from app.cli.inputs import (
    load_structures,
    load_subjects,
    parse_size,
    read_prompts,
    read_reference,
    read_region,
    read_structures,
    read_subjects,
)

MAX_IMAGES = 1000


class Method(StrEnum):
    NOISE = "noise"
    DDIM = "ddim"


class Format(StrEnum):
    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"


def generate(
    out_folder: Annotated[Path, typer.Option("--out", help="Output folder; created if missing.")],
    prompt: Annotated[list[str] | None, typer.Option(help="What to show. Repeat for more pictures.")] = None,
    prompts_file: Annotated[Path | None, typer.Option(help="Text file with one prompt per line.")] = None,
    reference: Annotated[
        Path | None, typer.Option(help="The picture to take the look from. Default: the first prompt's picture.")
    ] = None,
    reference_prompt: Annotated[str, typer.Option(help='What the reference shows, such as "a pear".')] = "",
    reference_method: Annotated[
        Method, typer.Option(help="noise is fast; ddim inverts the reference first.")
    ] = Method.NOISE,
    style_text: Annotated[str, typer.Option(help='Added to every prompt, such as "watercolor".')] = "",
    strength: Annotated[
        float, typer.Option(help="How closely to follow the reference: 0 not at all, 1 as in the paper, up to 2.")
    ] = 1.0,
    count: Annotated[int, typer.Option(min=1, max=100, help="Pictures per prompt.")] = 1,
    model: Annotated[str | None, typer.Option(help="demo, a folder, a Hugging Face id or a .safetensors file.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, max=1000, help="Denoising steps.")] = None,
    guidance: Annotated[
        float | None, typer.Option(min=0, max=30, help="Guidance scale (CFG): how closely to follow the prompts.")
    ] = None,
    negative_prompt: Annotated[str, typer.Option(help="What to avoid.")] = "",
    seed: Annotated[int | None, typer.Option(min=0, max=2**31 - 1, help="Seed of the first picture.")] = None,
    size: Annotated[str | None, typer.Option(help="WxH in px, such as 1024x768.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="ddim, euler, euler-a, dpm++, unipc, heun, pndm or lcm.")
    ] = None,
    seamless: Annotated[bool, typer.Option(help="Join the left and right edges, for patterns and panoramas.")] = False,
    region: Annotated[
        list[str] | None,
        typer.Option(
            help="An area of every picture: box or mask, prompt, and optionally a reference and strength of its own,"
            ' such as "0.5,0,0.5,1|a fox|neon.png|1.2" or "mask.png|a fox". A box is left, top, width and height as'
            " fractions of the picture."
        ),
    ] = None,
    structure: Annotated[
        list[str] | None,
        typer.Option(
            help="A map to follow: edges=chair.png,weight=0.8,end=0.7, or a ready map as edges=ready:map.png."
        ),
    ] = None,
    subject: Annotated[
        list[str] | None,
        typer.Option(help="A LoRA, optionally with a weight, such as mug.safetensors:0.8. Prompts name it @mug."),
    ] = None,
    format: Annotated[Format, typer.Option(help="File format.")] = Format.PNG,
    overwrite: Annotated[bool, typer.Option(help="Replace a set that is already in the folder.")] = False,
) -> None:
    """Generate a set: one picture per prompt, all in the look of the reference."""
    prompts = [p for p in read_prompts(prompt or [], prompts_file) for _ in range(count)]
    if len(prompts) > MAX_IMAGES:
        raise CommandRefused(f"A set has at most {MAX_IMAGES} pictures; this would be {len(prompts)}.")
    wanted_size = parse_size(size) if size else None
    parts = [read_region(text) for text in region or []]
    followed = read_structures(structure, len(prompts) // count)
    subjects = read_subjects(subject)
    picture, digest = read_reference(reference) if reference else (None, None)
    check_folder(out_folder)
    if not overwrite and (out_folder / "set.json").exists():
        raise CommandRefused(f"There is already a set in {out_folder}. Choose another folder or pass --overwrite.")
    settings = read_settings()
    first_seed = secrets.randbelow(2**31 - len(prompts)) if seed is None else seed

    # torch takes seconds to import; the refusals above come without the wait.
    from app.cli.folder import SetFolder
    from app.style_aligned import Sharing
    from app.subjects.handles import spoken
    from app.text import plural

    studio = load_studio(model or settings.model, settings)
    defaults = studio.defaults
    how = {
        "seeds": [first_seed + i for i in range(len(prompts))],
        "steps": steps or defaults.steps,
        "guidance": defaults.guidance if guidance is None else guidance,
        "size": wanted_size or defaults.size,
        "scheduler": scheduler or defaults.scheduler,
        "negative_prompt": negative_prompt,
    }
    folder = SetFolder(out_folder, format)
    structures = load_structures(studio, followed, wanted_size or defaults.size, count, settings)
    adapters, phrases = load_subjects(studio, subjects)
    with refusing(out_folder):
        sharing = Sharing.for_picture(strength) if picture else Sharing(strength)
        look = studio.reference(picture, reference_prompt, method=reference_method.value) if picture else None
        texts = [spoken(f"{p}, {style_text}" if style_text else p, phrases) for p in prompts]
        events = studio.generate(
            texts,
            reference=look,
            sharing=sharing,
            structures=structures,
            regions=[part.made(studio, style_text) for part in parts],
            adapters=adapters,
            seamless=seamless,
            batch_size=settings.unit_size,
            preview_every=0,
            **how,
        )
        interrupted = save_all(events, folder, prompts)
        if folder.pictures:
            folder.save_sheet(picture)
            folder.save_record(
                model=studio.name,
                place=str(studio.place),
                reference={"file": reference.name, "sha256": digest, "prompt": reference_prompt} if reference else None,
                reference_method=reference_method.value if reference else "text",
                sharing=asdict(sharing),
                structures=[o.record(s.control.name) for o, s in zip(followed, structures, strict=True)],
                regions=[part.record for part in parts],
                subjects=[option.record() for option in subjects],
                seamless=seamless,
                style_text=style_text,
                prompts=prompts,
                versions=versions(),
                **how,
            )
    done = len(folder.pictures)
    if interrupted:
        err.print(
            f"Stopped. {done} of {len(prompts)} pictures were finished and are kept in {out_folder}.", markup=False
        )
        raise typer.Exit(INTERRUPTED)
    if done:
        out.print(f"{plural(done, 'picture')} and sheet.png are in {out_folder}.", markup=False, highlight=False)
    if done < len(prompts):
        raise typer.Exit(1)


def save_all(events: Any, folder: Any, prompts: list[str]) -> bool:
    """Write pictures as they come, with a progress bar over all images' steps. True if Ctrl-C interrupted it."""
    from app.style_aligned import ImageFailed, ImageReady, Inversion, Step

    with progress_bar() as bar:
        task = bar.add_task("Generating", total=None)
        try:
            for event in events:
                match event:
                    case Inversion(step=step, steps=total):
                        bar.update(task, description=f"Inverting the reference, {step} of {total}")
                    case Step(images=images, steps=steps):  # some schedulers take more steps than requested
                        total = len(prompts) * steps
                        bar.update(task, description="Generating", advance=len(images), total=total)
                    case ImageReady(index=index, picture=picture, prompt=text, seed=seed):
                        name = folder.save(index, picture, prompts[index], text=text, seed=seed).name
                        if not out.is_terminal:
                            out.print(name, markup=False, highlight=False)
                    case ImageFailed(index=index, error=error):
                        err.print(
                            f"Picture {index + 1} could not be generated: {error}. Lower the weight of subjects and"
                            " structures, or choose another scheduler or precision.",
                            markup=False,
                        )
        except KeyboardInterrupt:
            events.close()
            return True
    return False


def versions() -> dict[str, str]:
    """The versions of what shapes a picture."""
    from importlib.metadata import version

    return {name: version(name) for name in ("soroe", "torch", "diffusers", "transformers")}
