"""Transparent pictures on the command line: refused in a sentence without a ground, else put on it."""

from pathlib import Path

import pytest
from PIL import Image

from app.cli.console import CommandRefused
from app.cli.files import read_picture
from app.cli.options import region
from app.cli.options.region import ReadRegion, RegionOption
from app.grounds import GROUNDS
from app.pictures import Limits
from tests.command import soroe
from tests.factory import MODEL


@pytest.fixture
def glass(tmp_path: Path) -> Path:
    drawn = Image.new("RGBA", (128, 128), (255, 255, 255, 128))
    drawn.paste("white", (0, 0, 64, 128))
    drawn.save(tmp_path / "glass.png")
    return tmp_path / "glass.png"


def test_a_transparent_picture_needs_a_ground(glass: Path) -> None:
    done = soroe("generate", "--out", str(glass.parent / "out"), "--prompt", "a fox", "--reference", str(glass))
    assert done.returncode == 2
    said = f"soroe: The reference {glass} is transparent. Say what is behind it, such as --ground '#ffffff'.\n"
    assert done.stderr == said


def test_the_ground_is_behind_it(glass: Path) -> None:
    black, grey = (read_picture(glass, ground=GROUNDS[name]).picture for name in ("black", "grey"))
    assert [black.getpixel((x, 9)) for x in (9, 100)] == [(255, 255, 255), (128, 128, 128)]
    assert grey.getpixel((100, 9)) == (192, 192, 192)


def test_transparent_parts_of_a_mask_are_outside(glass: Path) -> None:
    option = RegionOption(**region.read(f"{glass}|a fox"))
    read = ReadRegion.of(option)
    assert read.mask is not None
    assert [read.mask.picture.getpixel((x, 9)) for x in (9, 100)] == [(255, 255, 255), (128, 128, 128)]


def test_only_a_silhouette_is_made_from_transparency(glass: Path) -> None:
    from app.cli.options.structure import StructureOption, read

    def maps(kind: str, ground: str = "") -> list[Image.Image]:
        option = StructureOption(**read(f"{kind}={glass}"))
        return option.maps((128, 128), MODEL, lambda picture: picture, Limits(), ground)

    with pytest.raises(CommandRefused, match=r"The structure .* is transparent"):
        maps("edges")
    assert len(maps("edges", "#000000")) == len(maps("silhouette")) == 1
