"""`soroe subject`: a LoRA from pictures of a thing."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from app import atomic
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
from app.cli.files import read_picture
from app.languages import N_
from app.languages import gettext as _


@dataclass(frozen=True)
class SubjectOptions:
    """The options of `soroe subject`; numbers are texts, as in `app.cli.generate`."""

    out_file: Annotated[Path, typer.Option("--out", help="LoRA file to write, such as mug.safetensors.")]
    class_words: Annotated[str, typer.Option("--class", help="The kind of thing, such as teapot.")]
    picture: Annotated[list[Path] | None, typer.Option(help="A picture of the thing. Repeat for 3 to 20 pictures.")] = (
        None
    )
    ground: Annotated[
        str,
        typer.Option(metavar="<colour>", help="Behind transparent pictures: white, black, grey or such as '#ffcc00'."),
    ] = ""
    steps: Annotated[str | None, typer.Option(metavar="<int>", help="Training steps, 1 to 10000.")] = None
    rank: Annotated[str | None, typer.Option(metavar="<int>", help="Capacity of the LoRA, 1 to 128.")] = None
    rate: Annotated[str | None, typer.Option(metavar="<float>", help="Learning rate, 0.000001 to 0.01.")] = None
    text_encoders: Annotated[bool | None, typer.Option(help="Train the text encoders too.")] = None
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the training.")] = 0
    model: Annotated[str | None, typer.Option(help="demo, a folder, a Hugging Face id or a .safetensors file.")] = None


def teach(options: SubjectOptions) -> None:
    """Train a LoRA of your own product for --subject. Run the same command again to resume."""
    from app.cli.allowed import need_allowed
    from app.engine.base import TrainingFacts
    from app.errors import Invalid
    from app.grounds import ground_of
    from app.prompts.handles import handle_from
    from app.subjects.spec import SubjectSpec

    file, files, form = options.out_file, options.picture or [], form_of(options)
    Invalid.check(SubjectSpec.from_form(form, TrainingFacts()).training_problems(len(files), TrainingFacts()))
    if file.suffix != ".safetensors":
        raise CommandRefused(_("--out is a .safetensors file; %(name)s was given.", name=file.name))
    check_folder(file.parent)
    ground = ground_of(options.ground)
    settings = read_settings()
    need_allowed(settings, [options.class_words])
    pictures = [read_picture(each, N_("picture"), ground).picture for each in files]

    from app.engine.facts import training_facts
    from app.style_aligned.dreambooth import train

    studio = load_studio(options.model or settings.model, settings)
    facts = training_facts(studio)
    state = file.with_name(f"{file.name}.training")
    with refusing(file.parent):
        spec = SubjectSpec.from_form({"text_encoders": facts.text_encoders} | form, facts)
        data = follow_training(train(studio, pictures, recipe(studio, spec, facts.words[0], options.seed), state))
        if data is None:
            err.print(_("Stopped. Run the same command to resume."), markup=False)
            raise typer.Exit(INTERRUPTED)
        atomic.write(file, data)
        shutil.rmtree(state)
    out.print(
        _("%(file)s is ready; prompts name it @%(handle)s.", file=file, handle=handle_from(file.stem)), markup=False
    )


def form_of(options: SubjectOptions) -> dict[str, Any]:
    """The options as fields of a subject's form; its name is the file's."""
    numbers = {name: getattr(options, name) or "" for name in ("steps", "rank", "rate")}
    encoders = {} if options.text_encoders is None else {"text_encoders": options.text_encoders}
    return {"name": options.out_file.stem, "class_words": options.class_words, **numbers, **encoders}


def recipe(studio: Any, spec: Any, word: str, seed: int) -> Any:
    """A training whose prompts use `word`, such as "sks", for the thing. Raises ValueError."""
    from app.engine.facts import TRAINING
    from app.style_aligned.dreambooth import Recipe, suited

    asked = {name: getattr(spec, name) for name in TRAINING}
    return Recipe(
        **suited(studio)
        | asked
        | {"phrase": f"{word} {spec.class_words}", "class_words": spec.class_words, "seed": seed, "sample_every": 0}
    )


def follow_training(events: Any) -> bytes | None:
    """The finished LoRA, with progress bars; None if Ctrl-C interrupted it."""
    from app.style_aligned.dreambooth import Finished, PriorImage, TrainStep

    with progress_bar() as bar:
        task = bar.add_task(_("Training"), total=None)
        try:
            for event in events:
                match event:
                    case PriorImage(number=number, count=count):
                        bar.update(task, description=_("Preparing training"), completed=number, total=count)
                    case TrainStep(step=step, steps=total, loss=loss):
                        bar.update(
                            task,
                            description=_("Training, loss %(loss)s", loss=f"{loss:.3f}"),
                            completed=step,
                            total=total,
                        )
                    case Finished(safetensors=data):
                        return bytes(data)
        except KeyboardInterrupt:
            events.close()
    return None
