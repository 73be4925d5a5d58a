"""The `soroe` command: `generate` makes a set without a server, `serve` is the server, `audit` checks its record."""

import asyncio
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.settings import Settings
from app.text import sentence

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A matched set of pictures from one reference.",
)
audit = typer.Typer(no_args_is_help=True, help="The record of who did what: is it unbroken?")
app.add_typer(audit, name="audit")
out = Console()
err = Console(stderr=True, highlight=False, soft_wrap=True)

T = TypeVar("T")

MAX_IMAGES = 1000
BROKEN, BAD_INPUT, INTERRUPTED = 1, 2, 130


class Refused(Exception):
    """What was asked for cannot be done; the message is one sentence. Ends the command with status 2."""


class Method(StrEnum):
    NOISE = "noise"
    DDIM = "ddim"


class Format(StrEnum):
    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"


def main() -> None:
    """Run the command. Bad input is one sentence on stderr and status 2."""
    # Threads that wait for each other by spinning take the processor from the web server and from other programs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        status = app(standalone_mode=False)
    except typer.Exit as stop:
        status = stop.exit_code
    except typer.Abort:
        status = INTERRUPTED
    except (Refused, typer.TyperException) as error:
        message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        err.print(f"soroe: {message}", markup=False)
        status = BAD_INPUT
    sys.exit(status if isinstance(status, int) else 0)


@app.command()
def generate(
    out_folder: Annotated[Path, typer.Option("--out", help="Folder for the pictures; made if missing.")],
    prompt: Annotated[list[str] | None, typer.Option(help="What to show; give it once for each picture.")] = None,
    prompts_file: Annotated[Path | None, typer.Option(help="A text file with one prompt a line.")] = None,
    reference: Annotated[
        Path | None, typer.Option(help="The picture whose look is wanted; without it the first prompt's picture is.")
    ] = None,
    reference_prompt: Annotated[str, typer.Option(help='What the reference shows, such as "a pear".')] = "",
    reference_method: Annotated[
        Method, typer.Option(help="noise costs nothing; ddim inverts the reference first.")
    ] = Method.NOISE,
    style_text: Annotated[str, typer.Option(help='Added to every prompt, such as "watercolor".')] = "",
    strength: Annotated[float, typer.Option(help="0 plain, 1 the usual, up to 2.")] = 1.0,
    count: Annotated[int, typer.Option(min=1, max=100, help="Pictures a prompt.")] = 1,
    model: Annotated[str | None, typer.Option(help="demo, a folder, a hub id or a .safetensors file.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, max=1000, help="Denoising steps.")] = None,
    guidance: Annotated[float | None, typer.Option(min=0, max=30, help="How closely prompts are followed.")] = None,
    negative_prompt: Annotated[str, typer.Option(help="What is not wanted.")] = "",
    seed: Annotated[int | None, typer.Option(min=0, max=2**31 - 1, help="Of the first picture.")] = None,
    size: Annotated[str | None, typer.Option(help="WxH in px, such as 1024x768.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="ddim, euler, euler-a, dpm++, unipc, heun, pndm or lcm.")
    ] = None,
    seamless: Annotated[bool, typer.Option(help="Let the right end go on at the left one.")] = False,
    region: Annotated[
        list[str] | None,
        typer.Option(
            help="A part of every picture: box or mask, what it shows, and whose look and how strongly if it is not"
            ' the reference\'s, such as "0.5,0,0.5,1|a fox|neon.png|1.2" or "mask.png|a fox". A box is left, top, width'
            " and height as shares of the picture."
        ),
    ] = None,
    structure: Annotated[
        list[str] | None,
        typer.Option(help="What pictures follow: edges=chair.png,weight=0.8,end=0.7; a map as edges=ready:map.png."),
    ] = None,
    subject: Annotated[
        list[str] | None,
        typer.Option(help="A LoRA, with a weight such as mug.safetensors:0.8; prompts name it @mug."),
    ] = None,
    format: Annotated[Format, typer.Option(help="Of the picture files.")] = Format.PNG,
    overwrite: Annotated[bool, typer.Option(help="Write over a set that is already in the folder.")] = False,
) -> None:
    """Make a set: one picture a prompt, all in the look of the reference."""
    prompts = [p for p in read_prompts(prompt or [], prompts_file) for _ in range(count)]
    if len(prompts) > MAX_IMAGES:
        raise Refused(f"A set has at most {MAX_IMAGES} pictures; this would be {len(prompts)}.")
    wanted_size = parse_size(size) if size else None
    parts = [read_region(text) for text in region or []]
    followed = read_structures(structure, len(prompts) // count)
    subjects = read_subjects(subject)
    picture, digest = read_reference(reference) if reference else (None, None)
    check_folder(out_folder)
    if not overwrite and (out_folder / "set.json").exists():
        raise Refused(f"There is already a set in {out_folder}; choose another folder or pass --overwrite.")
    settings = read_settings()
    first_seed = secrets.randbelow(2**31 - len(prompts)) if seed is None else seed

    # torch takes seconds to import; what is refused above is refused at once.
    from app.sets.folder import SetFolder
    from app.style_aligned import Sharing
    from app.subjects.handles import spoken

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
    pictures = "1 picture" if done == 1 else f"{done} pictures"
    out.print(f"{pictures} and sheet.png are in {out_folder}.", markup=False, highlight=False)


def save_all(events: Any, folder: Any, prompts: list[str]) -> bool:
    """Write pictures as they come, with a progress bar of all images' steps. True when Ctrl-C interrupted it."""
    from app.style_aligned import ImageReady, Inversion, Step

    with progress_bar() as bar:
        task = bar.add_task("Generating", total=None)
        try:
            for event in events:
                match event:
                    case Inversion(step=step, steps=total):
                        bar.update(task, description=f"Inverting the reference, {step} of {total}")
                    case Step(images=images, steps=steps):  # some schedulers take more steps than were asked for
                        total = len(prompts) * steps
                        bar.update(task, description="Generating", advance=len(images), total=total)
                    case ImageReady(index=index, picture=picture, prompt=text, seed=seed):
                        name = folder.save(index, picture, prompts[index], text=text, seed=seed).name
                        if not out.is_terminal:
                            out.print(name, markup=False, highlight=False)
        except KeyboardInterrupt:
            events.close()
            return True
    return False


def check_folder(folder: Path) -> None:
    """Raises Refused for a folder that cannot be written to, before minutes are spent on pictures. Makes nothing."""
    there = next(path for path in (folder, *folder.absolute().parents) if os.access(path, os.F_OK))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = f"{there} is not writable" if there.is_dir() else f"{there} is a file"
        raise Refused(f"The pictures cannot be written to {folder}: {why}.")


@contextmanager
def refusing(folder: Path) -> Iterator[None]:
    """What the method or the disk refuses, in a sentence."""
    try:
        yield
    except ValueError as error:  # in the method's own words
        raise Refused(sentence(error)) from error
    except OSError as error:
        raise Refused(f"The pictures could not be written to {folder}: {error.strerror}.") from error


@audit.command("verify")
def audit_verify(
    head: Annotated[str | None, typer.Option(help="A head that was noted elsewhere, by `soroe audit head`.")] = None,
) -> None:
    """Look whether the record is unbroken: status 0 when it is, 1 when it is not."""
    from app.audit import chain

    noted = parse_head(head) if head else None
    with open_record() as session, progress_bar() as bar:
        task = bar.add_task("Checking the record", total=None)
        verdict = chain.verify(session, noted, lambda done, total: bar.update(task, completed=done, total=total))
    if verdict.problem:
        out.print(f"The record is broken. {verdict.problem}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(BROKEN)
    events = "1 event" if verdict.count == 1 else f"{verdict.count:,} events"
    where = f" The noted head is that of event {verdict.noted:,}." if verdict.noted is not None else ""
    out.print(f"The record is unbroken: {events}.{where}", markup=False, highlight=False, soft_wrap=True)


@audit.command("head")
def audit_head() -> None:
    """Print the head of the record: a hash to note outside of Soroe, and the number of the latest event."""
    from app.audit import chain

    with open_record() as session:
        try:
            head = chain.head(session)
        except chain.Broken as broken:
            raise Refused(str(broken)) from broken
    out.print(f"{head.hash} {head.count}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def open_record() -> Iterator[Any]:
    """A session that reads the record of the settings' database, which it neither makes nor changes."""
    from sqlalchemy import inspect
    from sqlalchemy.exc import DatabaseError

    from app.database import Database

    settings = read_settings()
    if not (settings.data / "soroe.sqlite3").exists():
        raise Refused(f"There is no record in {settings.data}; SOROE_DATA says where the server keeps its data.")
    database = Database(settings)
    try:
        if not inspect(database.engine).has_table("audit_head"):
            raise Refused(f"The data in {settings.data} is of an earlier Soroe; start this one on it once.")
        with database.read() as session:
            yield session
    except DatabaseError as error:
        raise Refused(f"The database in {settings.data} cannot be read: {error.orig}.") from error
    finally:
        database.close()


def parse_head(text: str) -> str:
    """The hash in what was noted, with or without the number that `soroe audit head` prints after it."""
    found = re.search(r"\b[0-9a-f]{64}\b", text.lower())
    if not found:
        raise Refused(f"A head is a hash of 64 hexadecimal digits; {text[:80]} was given.")
    return found[0]


@app.command(name="subject")
def teach(
    out_file: Annotated[Path, typer.Option("--out", help="The LoRA to write, such as mug.safetensors.")],
    class_words: Annotated[str, typer.Option("--class", help="What kind of thing it is, such as teapot.")],
    picture: Annotated[list[Path] | None, typer.Option(help="A picture of the thing; give 3 to 20.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, max=10_000, help="Training steps.")] = None,
    rank: Annotated[int | None, typer.Option(min=1, max=128, help="How much the LoRA can hold.")] = None,
    rate: Annotated[float | None, typer.Option(help="Learning rate.")] = None,
    text_encoders: Annotated[bool | None, typer.Option(help="Train the text encoders too.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of the training.")] = 0,
    model: Annotated[str | None, typer.Option(help="demo, a folder, a hub id or a .safetensors file.")] = None,
) -> None:
    """Teach the model a thing from pictures of it, as a LoRA for --subject. Stopped, the same command goes on."""
    files = picture or []
    from app.errors import UserError
    from app.subjects import command
    from app.subjects.handles import handle_from

    try:
        command.check_pictures(files)
    except UserError as error:
        raise Refused(str(error)) from error
    if out_file.suffix != ".safetensors":
        raise Refused(f"The LoRA is a .safetensors file; {out_file.name} was given.")
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
            err.print("Stopped. The same command goes on from there.", markup=False)
            raise typer.Exit(INTERRUPTED)
        out_file.parent.mkdir(parents=True, exist_ok=True)
        command.write(out_file, data)
        shutil.rmtree(state)
    out.print(f"{out_file} is ready; prompts name it @{handle_from(out_file.stem)}.", markup=False)


def follow_training(events: Any) -> bytes | None:
    """The finished LoRA, with a progress bar on the way; None when Ctrl-C interrupted it."""
    from app.style_aligned.dreambooth import Finished, PriorImage, TrainStep

    with progress_bar() as bar:
        task = bar.add_task("Training", total=None)
        try:
            for event in events:
                match event:
                    case PriorImage(number=number, count=count):
                        bar.update(task, description="Drawing the class", completed=number, total=count)
                    case TrainStep(step=step, steps=total, loss=loss):
                        bar.update(task, description=f"Training, loss {loss:.3f}", completed=step, total=total)
                    case Finished(safetensors=data):
                        return bytes(data)
        except KeyboardInterrupt:
            events.close()
    return None


@app.command()
def serve() -> None:
    """Start the server; every setting is an environment variable (SOROE_*, see the README)."""
    settings = read_settings()
    opened(lambda: settings.data.mkdir(mode=0o700, parents=True, exist_ok=True))
    with only_one_server(settings), listening_socket(settings) as listener:
        import uvicorn

        from app.accounts.service import create_setup_link
        from app.database import Database
        from app.engine.local import LocalEngine
        from app.logs import configure_logging
        from app.main import Server, create_app

        configure_logging(settings)
        engine = load_engine(lambda progress: LocalEngine(settings, progress))
        application = create_app(settings, engine)
        database = Database(settings)
        with database.write() as session:
            link = create_setup_link(session, settings)
        database.close()
        listener.listen()  # who follows the link at once waits a moment instead of being turned away
        out.print(f"Soroe is ready at {settings.public_url} with the model {settings.model} on {engine.model.device}.")
        if link:
            out.print(
                "Set up the first administrator here; the link works once:", f"  {link}", sep="\n", soft_wrap=True
            )
        config = uvicorn.Config(application, log_config=None, access_log=False, timeout_graceful_shutdown=5)
        Server(config).run(sockets=[listener])


@app.command()
def certificates(
    renew: Annotated[
        bool, typer.Option("--renew", help="Make a new signing certificate of the same authority.")
    ] = False,
) -> None:
    """Show who signs delivered pictures, and make this server's authority where it is missing."""
    from app.errors import UserError
    from app.exports import certificates as signing

    settings = read_settings()
    if renew and settings.signing_certificate:
        raise Refused("SOROE_SIGNING_CERTIFICATE names the team's own certificate; renew it where it was made.")
    opened(lambda: settings.data.mkdir(mode=0o700, parents=True, exist_ok=True))
    try:
        if renew:
            opened(lambda: signing.renew(settings))
        found = opened(lambda: signing.identity(settings))
    except UserError as error:
        raise Refused(str(error)) from error
    for line in signing.told(found, settings):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def read_prompts(given: list[str], file: Path | None) -> list[str]:
    """All prompts, those of the command line first; blank lines of the file do not count."""
    lines = list(given)
    if file:
        try:
            lines += file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"The prompts in {file} cannot be read: {reason(error)}.") from error
    prompts = [line.strip() for line in lines if line.strip()]
    if not prompts:
        raise Refused("At least one --prompt or a --prompts-file is needed.")
    return prompts


def read_reference(file: Path, what: str = "reference") -> tuple[Any, str]:
    """The reference, or `what` the picture is, cleaned as an upload would be, and its SHA-256."""
    import io

    from PIL import Image

    from app.errors import UserError
    from app.pictures import Limits, clean_upload

    try:
        data = file.read_bytes()
        clean = clean_upload(data, Limits.of(read_settings()))
    except OSError as error:
        raise Refused(f"The {what} {file} cannot be read: {reason(error)}.") from error
    except UserError as error:
        raise Refused(f"The {what} {file} cannot be used: {error}") from error
    return Image.open(io.BytesIO(clean.png)), hashlib.sha256(data).hexdigest()


def read_subjects(given: list[str] | None) -> list[Any]:
    """What the command's subjects ask for, checked without the model."""
    from app.errors import UserError
    from app.subjects import command

    try:
        return command.read(given or [])
    except UserError as error:
        raise Refused(str(error)) from error


def load_subjects(studio: Any, options: list[Any]) -> tuple[list[Any], dict[str, str]]:
    """The subjects as the studio takes them, and what prompts say for each of their handles."""
    from app.style_aligned import ModelError
    from app.style_aligned.subjects import phrase_in

    try:
        adapters = [studio.adapter(option.file, option.weight) for option in options]
    except ModelError as error:
        raise Refused(str(error)) from error
    return adapters, {option.handle: phrase_in(option.file.read_bytes()) for option in options}


def read_structures(given: list[str] | None, prompts: int) -> list[Any]:
    """What the command's structures ask for, checked without the model."""
    from app.errors import UserError
    from app.structures import command

    try:
        return command.read(given or [], prompts)
    except UserError as error:
        raise Refused(str(error)) from error


def load_structures(
    studio: Any, options: list[Any], size: tuple[int, int], count: int, settings: Settings
) -> list[Any]:
    """The structures with their ControlNets and maps, one a picture where there is one a prompt."""
    from app.errors import UserError
    from app.pictures import Limits
    from app.style_aligned import ModelError, Structure

    names = studio.controls | settings.controlnet_names
    made = []
    try:
        for option in options:
            control = studio.control(names.get(option.kind, option.kind), option.kind)
            drawn = option.maps(size, settings.depth_model, Limits.of(settings))
            maps = [each for each in drawn for _ in range(count if len(drawn) > 1 else 1)]
            made.append(Structure(control, maps, option.weight, (option.start, option.end)))
    except (UserError, ModelError) as error:
        raise Refused(str(error)) from error
    return made


@dataclass(frozen=True)
class PartOption:
    """A --region, read: its box or its mask, and the picture whose look it takes."""

    prompt: str
    box: tuple[float, float, float, float] | None
    mask: Any  # a picture, where there is no box
    picture: Any
    strength: float
    record: dict[str, Any]  # for set.json

    def made(self, studio: Any, style_text: str) -> Any:
        """The region as the studio takes it. Raises ValueError."""
        from app.style_aligned import Region, Sharing

        prompt = f"{self.prompt}, {style_text}" if style_text else self.prompt
        look = studio.reference(self.picture) if self.picture else None
        sharing = Sharing.for_picture(self.strength) if look else None
        if self.box:
            return Region.box(prompt, self.box, look, sharing)
        return Region(prompt, self.mask, look, sharing)


def read_region(text: str) -> PartOption:
    """ "0.5,0,0.5,1|a fox|neon.png|1.2": a box or a mask's file, a prompt, and perhaps a picture and a strength."""
    where, prompt, file, strength = (part.strip() for part in (text + "|||").split("|")[:4])
    try:
        strong = float(strength or 1)
    except ValueError:
        strong = -1.0
    if not where or not prompt or text.count("|") > 3 or not 0 <= strong <= 2:
        raise Refused(f'--region is written like "0.5,0,0.5,1|a fox|neon.png|1.2"; {text} was given.')
    box = parse_box(where)
    mask, mask_digest = (None, None) if box else read_reference(Path(where), "mask")
    picture, digest = read_reference(Path(file)) if file else (None, None)
    record = {
        "prompt": prompt,
        "box": box,
        "mask": {"file": Path(where).name, "sha256": mask_digest} if mask else None,
        "reference": {"file": Path(file).name, "sha256": digest} if picture else None,
        "strength": strong if picture else None,
    }
    return PartOption(prompt, box, mask, picture, strong, record)


def parse_box(text: str) -> tuple[float, float, float, float] | None:
    """ "0.5,0,0.5,1" as numbers; None when it is something else, such as the name of a file."""
    try:
        left, top, width, height = (float(share) for share in text.split(","))
    except ValueError:
        return None
    return left, top, width, height


def parse_size(text: str) -> tuple[int, int]:
    """ "1024x768" as (1024, 768)."""
    width, _, height = text.lower().replace("×", "x").partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise Refused(f"--size is written WxH, such as 1024x768; {text} was given.")
    return int(width), int(height)


def reason(error: Exception) -> str:
    """Why a file could not be read, in few words."""
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not text in UTF-8"


def opened(make: Callable[[], T]) -> T:
    """What `make` makes, or Refused when the disk refuses."""
    try:
        return make()
    except OSError as error:
        raise Refused(f"{error.filename} cannot be used: {error.strerror}.") from error


def read_settings() -> Settings:
    from pydantic import ValidationError

    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(f"SOROE_{str(first['loc'][0]).upper()} is wrong: {first['msg']}.") from error


def progress_bar() -> Progress:
    """A bar on a terminal; nothing elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=out, transient=True, disable=not out.is_terminal)


@contextmanager
def loading() -> Iterator[Callable[[str, float], None]]:
    """A progress bar for a model; yields what is told about it."""
    columns = (TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task("Loading the model", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)


def load_studio(model: str, settings: Settings) -> Any:
    from app.style_aligned import ModelError, Studio

    try:
        with loading() as progress:
            return Studio.load(model, settings.device, settings.precision, progress=progress)
    except ModelError as error:
        raise Refused(str(error)) from error


def load_engine(make: Callable[[Callable[[str, float], None]], Any]) -> Any:
    """An engine with its model loaded, before the server says that it is ready."""
    from app.style_aligned import ModelError

    try:
        with loading() as progress:
            engine = make(progress)
            asyncio.run(engine.start())
            return engine
    except ModelError as error:
        raise Refused(str(error)) from error


@contextmanager
def only_one_server(settings: Settings) -> Iterator[None]:
    """Two servers on one data folder would make pictures twice. The lock ends with the process, however it ends."""
    with opened(lambda: (settings.data / "server.lock").open("w")) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(f"Another Soroe is already running on the data in {settings.data}.") from error
        yield


@contextmanager
def listening_socket(settings: Settings) -> Iterator[socket.socket]:
    """The server's address, taken before the model is loaded, so that a port in use is said at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[
            0
        ]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise Refused(f"The address {settings.host}:{settings.port} cannot be used: {error.strerror}.") from error
    settings.port = listener.getsockname()[1]
    with listener:
        yield listener


def versions() -> dict[str, str]:
    """Of what shapes a picture."""
    from importlib.metadata import version

    return {name: version(name) for name in ("soroe", "torch", "diffusers", "transformers")}
