"""Read the pictures for `soroe generate` before the model is loaded."""

from dataclasses import dataclass

from app.cli.files import PictureFile, read_picture
from app.cli.options.region import ReadRegion
from app.cli.spec import CommandSpec


@dataclass(frozen=True)
class Inputs:
    references: tuple[PictureFile, ...]
    regions: tuple[ReadRegion, ...]

    @classmethod
    def of(cls, spec: CommandSpec) -> "Inputs":
        """Read the files that a spec names. Raises CommandRefused."""
        references = tuple(read_picture(file, ground=spec.ground) for file in spec.references)
        return cls(references, tuple(ReadRegion.of(option, spec.ground) for option in spec.regions))
