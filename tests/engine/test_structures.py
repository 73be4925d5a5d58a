"""A runner passes structures to its studio: ControlNets from the settings, maps from their files."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel
from PIL import Image, ImageDraw

from app.engine.events import Event, Failed, ImageReady, Unit, UnitStructure
from app.engine.runner import Runner
from app.settings import Settings
from app.style_aligned.loading import Placement, load_pipeline
from tests.demo import HINT_CHANNELS, SIDE, SQUARE
from tests.engine.conftest import Made


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """With a ControlNet for depth that has an effect, and a missing one for edges."""
    folder = tmp_path_factory.mktemp("engine")
    unet = load_pipeline("demo", Placement.choose("cpu"), lambda what, share: None).unet
    net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=HINT_CHANNELS)
    generator = torch.Generator().manual_seed(0)
    for parameter in (*net.controlnet_down_blocks.parameters(), *net.controlnet_cond_embedding.parameters()):
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    net.save_pretrained(folder / "net")
    names = f"depth={folder / 'net'}, edges={folder / 'gone'}"
    return Runner.load(Settings(data=folder, device="cpu", controlnets=names))


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    picture = Image.new("L", SQUARE)
    ImageDraw.Draw(picture).rectangle((SIDE // 4, SIDE // 4, 3 * SIDE // 4, 3 * SIDE // 4), outline=255, width=3)
    picture.save(tmp_path / "lines.png")
    return tmp_path / "lines.png"


def short(unit: Unit, *structures: UnitStructure) -> Unit:
    return replace(unit, steps=2, structures=structures)


def pictures(events: list[Event]) -> list[bytes]:
    return [event.png for event in events if isinstance(event, ImageReady)]


def test_the_model_says_which_maps_it_follows(runner: Runner) -> None:
    assert {"depth", "edges"} <= set(runner.facts.controls)


def test_a_unit_follows_its_maps(made: Made, unit: Unit, lines: Path) -> None:
    plain = pictures(made(short(unit)))
    one = pictures(made(short(unit, UnitStructure("depth", (lines,)))))
    each = pictures(made(short(unit, UnitStructure("depth", (lines, lines)))))
    assert len(one) == 2
    assert one != plain
    assert each == one
    assert pictures(made(short(unit, UnitStructure("depth", (lines,), weight=0)))) == plain


def test_what_cannot_be_followed_is_a_sentence(made: Made, unit: Unit, lines: Path) -> None:
    *_, last = made(short(unit, UnitStructure("edges", (lines,))))
    assert isinstance(last, Failed)
    assert not last.transient
    assert last.message.startswith("There is no ControlNet at ")
    *_, last = made(short(unit, UnitStructure("depth", (Path("/nowhere/gone.png"),))))
    assert isinstance(last, Failed)
    assert last.message == "A picture’s file is missing: gone.png. Restore the data folder or upload it again."
