"""`soroe subject`: a LoRA from pictures of a thing."""

import shutil
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
from app.cli.inputs import read_reference


def teach(
    out_file: Annotated[Path, typer.Option("--out", help="LoRA file to write, such as mug.safetensors.")],
    class_words: Annotated[str, typer.Option("--class", help="The kind of thing, such as teapot.")],
    picture: Annotated[
        list[Path] | None, typer.Option(help="A picture of the thing. Repeat for 3 to 20 pictures.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, max=10_000, help="Training steps.")] = None,
    rank: Annotated[int | None, typer.Option(min=1, max=128, help="Capacity of the LoRA.")] = None,
    rate: Annotated[float | None, typer.Option(help="Learning rate.")] = None,
    text_encoders: Annotated[bool | None, typer.Option(help="Train the text encoders too.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the training.")] = 0,
    model: Annotated[str | None, typer.Option(help="demo, a folder, a Hugging Face id or a .safetensors file.")] = None,
) -> None:
    """Train a LoRA of your own product for --subject. Run the same command again to resume."""
    files = picture or []
    from app.cli.options import subject as command
    from app.errors import UserError
    from app.subjects.handles import handle_from

    try:
        command.check_pictures(files)
    except UserError as error:
        raise CommandRefused(str(error)) from error
    if out_file.suffix != ".safetensors":
        raise CommandRefused(f"--out is a .safetensors file; {out_file.name} was given.")
    check_folder(out_file.parent)
    pictures = [read_reference(file, "picture")[0] for file in files]
    settings = read_settings()

    from app.style_aligned.dreambooth import Recipe, rare_words, suited, train

    studio = load_studio(model or settings.model, settings)
    word = rare_words([studio.pipeline.tokenizer, studio.pipeline.tokenizer_2])[0]
    asked = {"steps": steps, "rank": rank, "rate": rate, "text_encoders": text_encoders}
    with refusing(out_file.parent):
        recipe = Recipe(
            **suited(studio)
            | {name: value for name, value in asked.items() if value is not None}
            | {"phrase": f"{word} {class_words}", "class_words": class_words, "seed": seed, "sample_every": 0}
        )
        state = command.state_folder(out_file)
        data = follow_training(train(studio, pictures, recipe, state))
        if data is None:
            err.print("Stopped. Run the same command to resume.", markup=False)
            raise typer.Exit(INTERRUPTED)
        atomic.write(out_file, data)
        shutil.rmtree(state)
    out.print(f"{out_file} is ready; prompts name it @{handle_from(out_file.stem)}.", markup=False)


def follow_training(events: Any) -> bytes | None:
    """The finished LoRA, with progress bars; None if Ctrl-C interrupted it."""
    from app.style_aligned.dreambooth import Finished, PriorImage, TrainStep

    with progress_bar() as bar:
        task = bar.add_task("Training", total=None)
        try:
            for event in events:
                match event:
                    case PriorImage(number=number, count=count):
                        bar.update(task, description="Preparing training", completed=number, total=count)
                    case TrainStep(step=step, steps=total, loss=loss):
                        bar.update(task, description=f"Training, loss {loss:.3f}", completed=step, total=total)
                    case Finished(safetensors=data):
                        return bytes(data)
        except KeyboardInterrupt:
            events.close()
    return None
