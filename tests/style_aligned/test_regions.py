"""Regions: several prompts and several looks in one picture."""

from typing import Any

import pytest
import torch
from diffusers import ControlNetModel
from PIL import Image, ImageDraw

from app.quality.look import Look
from app.style_aligned import Region, Sharing, Structure, Studio
from app.style_aligned.controlnet import Control
from app.style_aligned.panorama import Canvas
from app.style_aligned.regions import split
from tests.demo import HALF, HINT_CHANNELS, SIDE
from tests.style_aligned.conftest import ready

PICTURE = Sharing.for_picture()
TWICE = (2 * HALF, HALF)
LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 0.5, 1.0)


def mask(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (100, 100), fill: int = 255) -> Image.Image:
    drawn = Image.new("L", size)
    for box in boxes:
        ImageDraw.Draw(drawn).rectangle(box, fill=fill)
    return drawn


def part(picture: Image.Image, left: float, right: float) -> Image.Image:
    """What is between two columns, in heights."""
    return picture.crop((round(left * picture.height), 0, round(right * picture.height), picture.height))


def nearest(picture: Image.Image, looks: dict[str, Image.Image]) -> str:
    look = Look.of(picture)
    distances = {name: look.distance(Look.of(other)) for name, other in looks.items()}
    print({name: round(distance, 3) for name, distance in distances.items()})
    return min(distances, key=distances.__getitem__)


def make(studio: Studio, look: Image.Image, regions: list[Region], **how: Any) -> Image.Image:
    asked = {"steps": 10, "seeds": [4], "preview_every": 0, "sharing": PICTURE, "reference": studio.reference(look)}
    return ready(studio.generate(["a house"], regions=regions, **{**asked, **how}))[0].picture


# Looks


def test_each_region_has_its_own_look(studio: Studio, looks: dict[str, Image.Image]) -> None:
    """Three looks in one panorama: each third is closer to its own reference than to any other."""
    regions = [
        Region.box("a tulip", (1 / 3, 0, 1 / 3, 1), studio.reference(looks["neon-guitar"])),
        Region.box("a car", (2 / 3, 0, 1 / 3, 1), studio.reference(looks["blueprint-camera"])),
    ]
    picture = make(studio, looks["pencil-handbag"], regions, size=(3 * SIDE, SIDE))
    thirds = [part(picture, left, left + 0.875) for left in (0, 1.0625, 2.0625)]
    assert [nearest(third, looks) for third in thirds] == ["pencil-handbag", "neon-guitar", "blueprint-camera"]


def test_a_region_smaller_than_a_window_has_its_own_look(studio: Studio, looks: dict[str, Image.Image]) -> None:
    region = Region.box("a tulip", (0.45, 0.3, 0.5, 0.65), studio.reference(looks["neon-guitar"]))
    picture = make(studio, looks["pencil-handbag"], [region])
    assert (
        nearest(picture.crop((SIDE * 15 // 32, SIDE * 21 // 64, SIDE * 15 // 16, SIDE * 15 // 16)), looks)
        == "neon-guitar"
    )
    assert nearest(part(picture, 0, 0.4375), looks) == "pencil-handbag"


def test_strength_0_ignores_the_look(small_studio: Studio, looks: dict[str, Image.Image]) -> None:
    def with_strength(strength: float) -> Image.Image:
        sharing = Sharing.for_picture(strength)
        region = Region.box("a tulip", RIGHT, small_studio.reference(looks["neon-guitar"]), sharing)
        return make(small_studio, looks["pencil-handbag"], [region], size=TWICE, steps=6).crop(
            (17 * HALF // 16, 0, *TWICE)
        )

    neon = Look.of(looks["neon-guitar"])
    assert Look.of(with_strength(1.0)).distance(neon) < 0.6 * Look.of(with_strength(0.0)).distance(neon)


# Prompts and masks


def test_a_region_changes_only_its_own_part(small_studio: Studio, looks: dict[str, Image.Image]) -> None:
    """Another prompt in the right half leaves the far left of a panorama almost unchanged."""
    one, other = (
        make(small_studio, looks["poster-pear"], [Region.box(prompt, RIGHT)], size=(3 * HALF, HALF), steps=6)
        for prompt in ("a tulip", "a car")
    )

    def difference(left: float, right: float) -> float:
        a, b = (torch.tensor(list(part(p, left, right).tobytes())).float() for p in (one, other))
        return (a - b).abs().mean().item()

    assert difference(0, 0.75) < 0.5 * difference(1.75, 3)


def test_a_region_over_everything_is_its_prompt(small_studio: Studio, looks: dict[str, Image.Image]) -> None:
    """What is below a hard-edged region does not matter, bit for bit, and its look is the image's."""
    reference = small_studio.reference(looks["poster-pear"])
    how = {"reference": reference, "sharing": PICTURE, "seeds": [4], "steps": 3, "preview_every": 0}
    covered = ready(small_studio.generate(["a house"], regions=[Region.box("a fox", (0, 0, 1, 1))], **how))[0]
    alone = ready(small_studio.generate(["a fox"], **how))[0]
    assert covered.picture.tobytes() == alone.picture.tobytes()


def test_later_regions_cover_earlier_ones_and_grey_blends() -> None:
    below = Region("a fox", mask((0, 0, 99, 99)))
    above = Region("a car", mask((50, 0, 99, 99), fill=128))
    rest, (fox, car) = split([below, above], 4, 4)
    assert rest.abs().max() == 0
    assert torch.allclose(fox + car, torch.ones(4, 4))
    assert torch.allclose(car[0], torch.tensor([0, 0, 128 / 255, 128 / 255]))


def test_windows_gather_around_a_small_region() -> None:
    """A region that fits into a window is seen once, in its middle; a long one by the windows under it."""
    canvas = Canvas.covered(16, 64, (16, 16))
    rest, (small, long) = split(
        [Region("a fox", mask((30, 0, 40, 99))), Region("a car", mask((50, 50, 99, 99)))], 16, 64
    )
    patches = canvas.patches([rest, small, long])
    (only,) = patches[1]
    columns = small.amax(0).nonzero().flatten()
    assert abs((columns[0] + columns[-1] + 1) / 2 - (only.window.left + 8)) <= 1
    assert [patch.window.left for patch in patches[2]] == [24, 32, 40, 48]
    total = torch.zeros(16, 64)
    for patch in [patch for own in patches for patch in own]:
        patch.window.add(total, patch.weight)
    assert torch.allclose(total, torch.ones(16, 64), atol=1e-5)


def test_a_region_at_the_end_of_a_ring_is_seen_across_it() -> None:
    canvas = Canvas.covered(16, 64, (16, 16), seamless=True)
    rest, [end] = split([Region("a fox", mask((94, 0, 99, 99)))], 16, 64)
    _, [patch] = canvas.patches([rest, end])
    assert patch.window.left + patch.window.width > 64


def test_a_region_that_is_wholly_covered_is_not_painted(small_studio: Studio, looks: dict[str, Image.Image]) -> None:
    calls: list[int] = []
    hook = small_studio.unet.register_forward_hook(lambda *_: calls.append(1))
    try:
        covered = [
            Region.box("a fox", LEFT, small_studio.reference(looks["neon-guitar"])),
            Region.box("a car", (0, 0, 1, 1)),
        ]
        make(small_studio, looks["poster-pear"], covered, steps=2)
    finally:
        hook.remove()
    assert len(calls) == 2 * 2  # of the one that is seen: its reference and itself, in two steps


def test_the_first_picture_has_regions_too_when_it_is_the_reference(small_studio: Studio) -> None:
    how: dict[str, Any] = {"seeds": [1, 2], "steps": 2, "preview_every": 0}
    plain = ready(small_studio.generate(["a fox", "a car"], **how))
    with_region = ready(small_studio.generate(["a fox", "a car"], regions=[Region.box("a tulip", RIGHT)], **how))
    for before, after in zip(plain, with_region, strict=True):
        assert before.picture.tobytes() != after.picture.tobytes()


# Combinations


def test_structure_regions_and_a_panorama_go_together(small_studio: Studio, looks: dict[str, Image.Image]) -> None:
    """All in one call; each of them changes the picture, and another map changes it again."""
    torch.manual_seed(0)
    net = ControlNetModel.from_unet(small_studio.unet, conditioning_embedding_out_channels=HINT_CHANNELS).eval()
    for layer in (*net.controlnet_down_blocks, net.controlnet_mid_block, net.controlnet_cond_embedding.conv_out):
        torch.nn.init.normal_(layer.weight, std=0.05)  # untrained: it only has to reach the UNet
    control = Control(net, "random")

    def together(*boxes: tuple[int, int, int, int], region: bool = True) -> bytes:
        structure = Structure(control, [mask(*boxes, size=TWICE).convert("RGB")])
        regions = [Region.box("a fox", RIGHT, small_studio.reference(looks["neon-guitar"]))] if region else []
        picture = make(
            small_studio, looks["pencil-handbag"], regions, size=TWICE, steps=2, structures=[structure], seamless=True
        )
        assert picture.size == TWICE
        return picture.tobytes()

    assert len({together((0, 0, 60, 60)), together((150, 0, 250, 90)), together((0, 0, 60, 60), region=False)}) == 3
    assert together((0, 0, 60, 60)) == together((0, 0, 60, 60))


# Bad input


@pytest.mark.parametrize("box", [(0.5, 0, 0.6, 1), (-0.1, 0, 0.5, 1), (0, 0, 0, 1), (0, 0.2, 1, 0.9)])
def test_a_box_outside_of_the_image_is_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="must lie within the image"):
        Region.box("a fox", box)


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="the region of 'a fox' is empty: its mask is black"):
        Region("a fox", mask())
