"""Read the pictures for `soroe generate` before the model is loaded."""

from dataclasses import dataclass

from app.cli.files import PictureFile, read_picture
from app.cli.options.region import ReadRegion
from app.cli.spec import CommandSpec


@dataclass(frozen=True)
class Inputs:
    reference: PictureFile | None
    regions: tuple[ReadRegion, ...]

    @classmethod
    def of(cls, spec: CommandSpec) -> "Inputs":
        """Read the files that a spec names. Raises CommandRefused."""
        reference = read_picture(spec.reference) if spec.reference else None
        return cls(reference, tuple(ReadRegion.of(option) for option in spec.regions))
