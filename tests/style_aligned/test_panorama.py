"""Panoramas: windows denoised together make one picture, without seams, at any width in the same memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from app.quality.look import Look
from app.style_aligned import ImageReady, Preview, Sharing, Studio
from app.style_aligned.panorama import Canvas, Window, window_size
from app.style_aligned.sampler import Brush, guide
from tests.demo import FACTOR, HALF, SIDE, SMALL
from tests.style_aligned.conftest import ready

WIDE = (4 * SIDE, SIDE)  # four windows wide
TWICE = (2 * HALF, HALF)
BORDERS = 1.5  # maximum step across a window's border, relative to the steps around it; measured 1.1, side by side 16
ENDS = 3  # the same for seamless ends, of which there are few; measured 1.5, and 6.4 for other ends
AROUND = [place for place in range(-6, 7) if place]  # columns


@pytest.fixture(scope="module")
def studio(small_studio: Studio) -> Studio:
    return small_studio


def sharpness(picture: Image.Image, columns: Sequence[int]) -> float:
    """How the step from each of `columns` to the next compares with those within 6 px, on average: 1 is no seam.

    A seam is one sharp step; an object's outlines are many around it. After the last column comes the first.
    """
    pixels = np.asarray(picture.convert("RGB"), np.float64)
    steps = np.abs(np.roll(pixels, -1, 1) - pixels).mean((0, 2))
    around = [steps[[(column + place) % len(steps) for place in AROUND]].mean() for column in columns]
    return float(np.mean(steps[list(columns)] / around))


def borders(canvas: Canvas, factor: int) -> list[int]:
    """The pixel columns after which a window begins or ends within the picture."""
    width = canvas.width * factor
    edges = {side * factor % width for window in canvas.windows for side in (window.left, window.left + window.width)}
    return sorted(edge - 1 for edge in edges if edge)


def wide_canvas(seamless: bool = False) -> Canvas:
    return Canvas.covered(16, 64, (16, 16), seamless)


@pytest.fixture(scope="module")
def made(whole_studio: Studio, looks: dict[str, Image.Image]) -> dict[str, ImageReady]:
    """A panorama in each of four looks, and in two of them a seamless one."""

    def make(look: str, prompt: str, seamless: bool) -> ImageReady:
        how = {"reference": whole_studio.reference(looks[look]), "sharing": Sharing.for_picture(), "seamless": seamless}
        return ready(whole_studio.generate([prompt], size=WIDE, seeds=[3], steps=4, preview_every=0, **how))[0]

    # In the order of the looks. A car in pink neon: a tree or a tulip would bring its own green.
    prompts = ["a house", "a car", "a tree", "a tulip"]
    images = {look: make(look, prompt, False) for look, prompt in zip(looks, prompts, strict=True)}
    return images | {f"{look}, seamless": make(look, "a tulip", True) for look in list(looks)[:2]}


@pytest.fixture(scope="module")
def panoramas(made: dict[str, ImageReady]) -> dict[str, Image.Image]:
    return {name: image.picture for name, image in made.items()}


# One picture


def test_no_seam_where_windows_begin_or_end(panoramas: dict[str, Image.Image]) -> None:
    columns = borders(wide_canvas(), FACTOR)
    assert columns == [place * SIDE // 2 - 1 for place in range(1, 8)]
    at_borders = np.mean([sharpness(picture, columns) for picture in panoramas.values()])
    elsewhere = np.mean([sharpness(picture, range(FACTOR, WIDE[0] - FACTOR)) for picture in panoramas.values()])
    print(f"the step across a border: {at_borders:.2f} of those around it; elsewhere {elsewhere:.2f}")
    assert at_borders < BORDERS * elsewhere


def test_pictures_side_by_side_have_seams(whole_studio: Studio, looks: dict[str, Image.Image]) -> None:
    """The same measure for four pictures in one look that know nothing of each other."""
    how = {"reference": whole_studio.reference(looks["poster-pear"]), "sharing": Sharing.for_picture()}
    parts = ready(whole_studio.generate(["a house"] * 4, steps=4, preview_every=0, **how))
    side_by_side = Image.new("RGB", WIDE)
    for place, part in enumerate(parts):
        side_by_side.paste(part.picture, (SIDE * place, 0))
    seams = sharpness(side_by_side, [SIDE - 1, 2 * SIDE - 1, 3 * SIDE - 1])
    print(f"side by side: {seams:.2f}")
    assert seams > 1.5 * BORDERS


def test_seamless_ends_meet(panoramas: dict[str, Image.Image]) -> None:
    open_ends, closed = (
        np.mean([sharpness(p, [WIDE[0] - 1]) for name, p in panoramas.items() if ("seamless" in name) is seamless])
        for seamless in (False, True)
    )
    print(f"from the last column to the first: {closed:.2f} of the steps around it, {open_ends:.2f} without seamless")
    assert closed < ENDS
    assert closed < 0.6 * open_ends


def test_decoding_by_windows_adds_no_seam(whole_studio: Studio, made: dict[str, ImageReady]) -> None:
    """The VAE by windows is as good as the whole picture at once, which needs memory that grows with it."""
    columns = borders(wide_canvas(), FACTOR)
    with torch.inference_mode():
        whole = [whole_studio.decode(image.latents) for name, image in made.items() if "seamless" not in name]
    parts = [image.picture for name, image in made.items() if "seamless" not in name]
    at_once, by_windows = (np.mean([sharpness(picture, columns) for picture in kind]) for kind in (whole, parts))
    print(f"at borders: {by_windows:.2f} by windows, {at_once:.2f} at once")
    assert by_windows < at_once + 0.15


def test_every_part_has_the_look(panoramas: dict[str, Image.Image], looks: dict[str, Image.Image]) -> None:
    """Each quarter of a panorama is closer to its own reference than to any other."""
    for look in looks:
        for left in range(0, WIDE[0], SIDE):
            part = Look.of(panoramas[look].crop((left, 0, left + SIDE, SIDE)))
            distances = {other: part.distance(Look.of(picture)) for other, picture in looks.items()}
            assert min(distances, key=distances.__getitem__) == look


# Exactness


def test_one_window_equals_none_bit_for_bit(studio: Studio) -> None:
    def last(canvas: Canvas | None) -> Tensor:
        with torch.inference_mode():
            brush = Brush(studio.condition(["a fox"], "", 4.0, SMALL))
            noise = studio.noise([1], SMALL)
            steps = studio.sampler.denoise(
                studio.scheduler("ddim", 3), noise, [brush], guidance=4.0, generators=[], canvas=canvas
            )
            *_, state = steps
            return state.latents

    assert torch.equal(last(None), last(Canvas.covered(8, 8, (8, 8))))
    with torch.inference_mode():
        assert torch.equal(last(None), by_the_book(studio, 3, [Window(0, 0, 8, 8)], (8, 8)))


def by_the_book(studio: Studio, steps: int, windows: list[Window], size: tuple[int, int]) -> Tensor:
    """MultiDiffusion as in the paper's equation 5: step every window separately, then average the latents."""
    scheduler = studio.scheduler("ddim", steps)
    latents = studio.noise([1], (size[1] * FACTOR, size[0] * FACTOR))
    conditioning = studio.condition(["a fox"], "", 4.0, SMALL)
    for t in scheduler.timesteps:
        value, count = torch.zeros_like(latents), torch.zeros_like(latents)
        for w in windows:
            rows, columns = slice(w.top, w.top + w.height), slice(w.left, w.left + w.width)
            view = latents[..., rows, columns]
            both = studio.unet(torch.cat([view] * 2), t, **conditioning.arguments()).sample
            output = guide(both.unflatten(0, (2, 1)), 4.0)
            weight = Canvas(*size, tuple(windows)).weight(w)
            value[..., rows, columns] += weight * scheduler.step(output, t, view).prev_sample
            count[..., rows, columns] += weight
        latents = value / count
    return latents


def test_the_mean_of_predictions_is_the_papers_mean_of_latents(studio: Studio) -> None:
    canvas = Canvas.covered(8, 16, (8, 8))
    assert len(canvas.windows) == 3
    with torch.inference_mode():
        brush = Brush(studio.condition(["a fox"], "", 4.0, SMALL))
        noise = studio.noise([1], TWICE)
        *_, state = studio.sampler.denoise(
            studio.scheduler("ddim", 4), noise, [brush], guidance=4.0, generators=[], canvas=canvas
        )
        expected = by_the_book(studio, 4, list(canvas.windows), (8, 16))
    assert (state.latents - expected).abs().max() < 1e-4


sizes = st.integers(1, 60)


@given(height=sizes, width=sizes, high=sizes, wide=sizes, seamless=st.booleans())
def test_windows_cover_everything_once(height: int, width: int, high: int, wide: int, seamless: bool) -> None:
    canvas = Canvas.covered(height, width, (high, wide), seamless)
    (patches,) = canvas.patches([None])
    total = torch.zeros(height, width)
    for patch in patches:
        assert patch.weight.shape == (min(high, height), min(wide, width))
        patch.window.add(total, patch.weight)
    assert torch.allclose(total, torch.ones(height, width), atol=1e-5)


@given(length=sizes, left=sizes, width=sizes)
def test_cut_and_add_go_around(length: int, left: int, width: int) -> None:
    window = Window(0, left % length, 1, min(width, length))
    x = torch.arange(length).float()[None]
    columns = [(window.left + i) % length for i in range(window.width)]
    assert window.cut(x)[0].tolist() == columns
    y = torch.zeros(1, length)
    window.add(y, window.cut(x))
    assert y[0].nonzero().flatten().tolist() == sorted(c for c in columns if c)


# Memory


@contextmanager
def largest(*modules: Any) -> Iterator[Callable[[], int]]:
    """The largest tensor, in numbers, that any layer of `modules` takes or returns within."""
    most = 0

    def look(_: nn.Module, *given: Any) -> None:
        nonlocal most
        for part in given:
            for value in part if isinstance(part, tuple) else (part,):
                most = max(most, value.numel() if isinstance(value, Tensor) else 0)

    hooks = [layer.register_forward_hook(look) for module in modules for layer in module.modules()]
    try:
        yield lambda: most
    finally:
        for hook in hooks:
            hook.remove()


def test_memory_does_not_grow_with_width(studio: Studio, looks: dict[str, Image.Image]) -> None:
    def seen(width: int) -> int:
        with largest(studio.unet, studio.vae) as most:
            reference = studio.reference(looks["neon-guitar"])
            ready(studio.generate(["a fox"], reference=reference, size=(width, HALF), steps=1, preview_every=0))
            return most()

    assert seen(2 * HALF) == seen(8 * HALF) == seen(HALF)


# Shapes


@pytest.mark.parametrize(
    ("size", "window"),
    [
        ((1024, 1024), (1024, 1024)),
        ((1344, 768), (1344, 768)),
        ((2560, 720), (1440, 720)),
        ((1080, 1920), (1024, 1024)),
        ((2912, 360), (1440, 360)),
        ((4096, 4096), (1024, 1024)),
    ],
)
def test_window_of(size: tuple[int, int], window: tuple[int, int]) -> None:
    """About SDXL's training area, never longer than the longest of its training shapes."""
    assert window_size(size, (1024, 1024), 32) == window


def test_previews_have_the_panoramas_shape(studio: Studio) -> None:
    events = studio.generate(["a fox"], size=TWICE, steps=2, preview_every=1)
    assert [event.picture.size for event in events if isinstance(event, Preview)] == [TWICE]


def test_the_first_panorama_is_the_reference_of_the_others(studio: Studio) -> None:
    """Without a picture, like the paper's text-only sets: the second picture changes with the first prompt."""
    how = {"size": TWICE, "seeds": [1, 2], "steps": 3, "preview_every": 0}
    one = ready(studio.generate(["a fox", "a car"], **how))
    other = ready(studio.generate(["a house", "a car"], **how))
    alone = ready(studio.generate(["a fox"], **{**how, "seeds": [1]}))
    assert one[1].picture.size == TWICE
    assert one[1].picture.tobytes() != other[1].picture.tobytes()
    assert one[0].picture.tobytes() == alone[0].picture.tobytes()


@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        ((30 * HALF, HALF), f"at most 16 times as long as it is high or wide; {30 * HALF} x {HALF} was given"),
        ((HALF, 30 * HALF), f"at most 16 times as long as it is high or wide; {HALF} x {30 * HALF} was given"),
        ((500, HALF), f"multiples of {FACTOR} px; 500 x {HALF} was given"),
        ((0, HALF), f"multiples of {FACTOR} px; 0 x {HALF} was given"),
    ],
)
def test_bad_sizes_are_refused_before_anything_runs(studio: Studio, size: tuple[int, int], sentence: str) -> None:
    with largest(studio.unet, studio.vae) as most:
        with pytest.raises(ValueError, match=sentence):
            next(studio.generate(["a fox"], size=size))
        assert most() == 0


def test_masks_that_leave_a_hole_are_refused() -> None:
    with pytest.raises(ValueError, match="covered by nothing"):
        wide_canvas().patches([torch.cat([torch.ones(16, 20), torch.zeros(16, 44)], 1)])
