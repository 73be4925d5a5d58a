"""Read and check options and files; the model comes after, because it takes seconds to load."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.cli.console import CommandRefused, read_settings
from app.settings import Settings


def read_prompts(given: list[str], file: Path | None) -> list[str]:
    """All prompts, those of the command line first; blank lines of the file are ignored."""
    lines = list(given)
    if file:
        try:
            lines += file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise CommandRefused(f"The prompts in {file} cannot be read: {reason(error)}.") from error
    prompts = [line.strip() for line in lines if line.strip()]
    if not prompts:
        raise CommandRefused("At least one --prompt or a --prompts-file is needed.")
    return prompts


def read_reference(file: Path, what: str = "reference") -> tuple[Any, str]:
    """The reference (or another picture, named by `what`), cleaned like an upload, and its SHA-256."""
    from app.errors import UserError
    from app.pictures import Limits, clean_upload, decoded

    try:
        data = file.read_bytes()
        clean = clean_upload(data, Limits.of(read_settings()))
    except OSError as error:
        raise CommandRefused(f"The {what} {file} cannot be read: {reason(error)}.") from error
    except UserError as error:
        raise CommandRefused(f"The {what} {file} cannot be used: {error}") from error
    return decoded(clean.png, "RGB"), hashlib.sha256(data).hexdigest()


def read_subjects(given: list[str] | None) -> list[Any]:
    """Read the command's subjects, without the model."""
    from app.cli.options import subject as command
    from app.errors import UserError

    try:
        return command.read(given or [])
    except UserError as error:
        raise CommandRefused(str(error)) from error


def load_subjects(studio: Any, options: list[Any]) -> tuple[list[Any], dict[str, str]]:
    """The subjects for the studio, and the trigger phrase for each of their handles."""
    from app.style_aligned import ModelError
    from app.style_aligned.subjects import phrase_in
    from app.text import clean_line

    try:
        adapters = [studio.adapter(option.file, option.weight) for option in options]
    except ModelError as error:
        raise CommandRefused(str(error)) from error
    return adapters, {option.handle: clean_line(phrase_in(option.file.read_bytes())) for option in options}


def read_structures(given: list[str] | None, prompts: int) -> list[Any]:
    """Read the command's structures, without the model."""
    from app.cli.options import structure as command
    from app.errors import UserError

    try:
        return command.read(given or [], prompts)
    except UserError as error:
        raise CommandRefused(str(error)) from error


def load_structures(
    studio: Any, options: list[Any], size: tuple[int, int], count: int, settings: Settings
) -> list[Any]:
    """The structures with their ControlNets and maps, one per picture if there is one per prompt."""
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
        raise CommandRefused(str(error)) from error
    return made


@dataclass(frozen=True)
class PartOption:
    """A parsed --region: its box or mask, and the picture whose look it takes."""

    prompt: str
    box: tuple[float, float, float, float] | None
    mask: Any  # a picture, if there is no box
    picture: Any
    strength: float
    record: dict[str, Any]  # for set.json

    def made(self, studio: Any, style_text: str) -> Any:
        """The region for the studio. Raises ValueError."""
        from app.style_aligned import Region, Sharing

        prompt = f"{self.prompt}, {style_text}" if style_text else self.prompt
        look = studio.reference(self.picture) if self.picture else None
        sharing = Sharing.for_picture(self.strength) if look else None
        if self.box:
            return Region.box(prompt, self.box, look, sharing)
        return Region(prompt, self.mask, look, sharing)


def read_region(text: str) -> PartOption:
    """Parse "0.5,0,0.5,1|a fox|neon.png|1.2": a box or a mask file, a prompt, and optionally a picture and a
    strength.
    """
    where, prompt, file, strength = (part.strip() for part in (text + "|||").split("|")[:4])
    try:
        strong = float(strength or 1)
    except ValueError:
        strong = -1.0
    if not where or not prompt or text.count("|") > 3 or not 0 <= strong <= 2:
        raise CommandRefused(f'--region is written like "0.5,0,0.5,1|a fox|neon.png|1.2"; {text} was given.')
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
    """Parse "0.5,0,0.5,1" as numbers; None if it is something else, such as a file name."""
    try:
        left, top, width, height = (float(side) for side in text.split(","))
    except ValueError:
        return None
    return left, top, width, height


def parse_size(text: str) -> tuple[int, int]:
    """Parse "1024x768" as (1024, 768)."""
    width, _, height = text.lower().replace("×", "x").partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise CommandRefused(f"--size is written WxH, such as 1024x768; {text} was given.")
    return int(width), int(height)


def reason(error: Exception) -> str:
    """Why a file could not be read, in a few words."""
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not text in UTF-8"
