"""`--region "0.5,0,0.5,1|a fox|neon.png|1.2"`: a box or mask file, a prompt, optionally a picture and a strength."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.cli.console import CommandRefused
from app.cli.files import PictureFile, read_picture
from app.grounds import GROUNDS
from app.languages import N_
from app.languages import gettext as _
from app.sets.spec import RegionSettings


class RegionOption(RegionSettings):
    """A box or a mask, in the look of the set's reference or of its own picture."""

    mask: Path | None = None
    picture: Path | None = None


@dataclass(frozen=True)
class ReadRegion:
    """A region with its files read."""

    option: RegionOption
    mask: PictureFile | None
    picture: PictureFile | None

    @classmethod
    def of(cls, option: RegionOption, ground: str = "") -> "ReadRegion":
        """Read the files of a region; a look on `ground` if it is transparent, as a mask is outside."""
        mask = read_picture(option.mask, N_("mask"), GROUNDS["black"]) if option.mask else None
        return cls(option, mask, read_picture(option.picture, ground=ground) if option.picture else None)

    @property
    def strength(self) -> float:
        return 1.0 if self.option.strength is None else self.option.strength

    @property
    def record(self) -> dict[str, Any]:
        """Its entry in `set.json`."""
        return {
            "prompt": self.option.prompt,
            "box": self.option.box,
            "mask": self.mask and self.mask.record,
            "reference": self.picture and self.picture.record,
            "strength": self.strength if self.picture else None,
        }

    def made(self, studio: Any, prompt: str) -> Any:
        """The region for the studio, with its prompt as the model reads it. Raises ValueError."""
        from app.style_aligned import Region, Sharing

        look = studio.reference(self.picture.picture) if self.picture else None
        sharing = Sharing.for_picture(self.strength) if look else None
        if self.option.box:
            return Region.box(prompt, self.option.box, look, sharing)
        if self.mask:
            return Region(prompt, self.mask.picture, look, sharing)
        raise ValueError("a region needs a box or a mask")


def read(text: str) -> dict[str, Any]:
    """Parse the fields of a `RegionOption`. Raises CommandRefused."""
    where, prompt, file, strength = (part.strip() for part in (text + "|||").split("|")[:4])
    if not where or not prompt or text.count("|") > 3:
        raise CommandRefused(
            _('--region is written like "0.5,0,0.5,1|a fox|neon.png|1.2"; %(text)s was given.', text=text)
        )
    place = {"box": box} if (box := _numbers(where)) else {"mask": Path(where)}
    look = {"picture": Path(file)} if file else {}
    return {"prompt": prompt, **place, **look, **({"strength": strength} if strength else {})}


def _numbers(text: str) -> list[str] | None:
    """Parse "0.5,0,0.5,1" as four numbers; None if it is something else, such as a file name."""
    numbers = text.split(",")
    try:
        return numbers if len([float(number) for number in numbers]) == 4 else None
    except ValueError:
        return None
