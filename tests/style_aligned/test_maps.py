"""What is seen of attention as pictures are painted: against its definition, and on pictures whose subject is known."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from app.style_aligned import ImageReady, Region, Sharing, Studio
from app.style_aligned.attention import Attended, attend, fraction
from app.style_aligned.maps import (
    CELLS,
    SubjectRecorder,
    attended,
    cells_of,
    filled,
    level_of,
    middling,
    outline,
)
from app.style_aligned.panorama import Canvas
from tests.style_aligned.conftest import ready

FOX = {"seeds": [11], "steps": 6, "objects": ["fox"]}


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_fraction_is_the_mass_of_softmax_on_the_second_keys() -> None:
    query, *keys = random(2, 3, 5, 16), random(2, 3, 7, 16, seed=1), random(2, 3, 9, 16, seed=2)
    halves: list[Attended] = [attend(query, key, key, 0.25) for key in keys]
    logits = torch.cat([query @ keys[0].mT * 0.25, query @ keys[1].mT * 0.25 + 0.7], -1)
    torch.testing.assert_close(fraction(*halves, 0.7), logits.softmax(-1)[..., 7:].sum(-1))
    assert not fraction(*halves, -math.inf).any()


@pytest.mark.parametrize("channels", [1, 40, 64])
def test_attended_values_are_those_of_plain_softmax(studio: Studio, channels: int) -> None:
    layer = middling(studio.unet, "attn1").modules[0]
    width = layer.to_q.out_features
    query, key, values = random(2, 20, width), random(2, 30, width, seed=1), random(2, 30, channels, seed=2)
    q, k = (x.unflatten(-1, (layer.heads, -1)).transpose(1, 2) for x in (query, key))
    expected = ((q @ k.mT * layer.scale).softmax(-1) @ values[:, None]).mean(1)
    torch.testing.assert_close(attended(layer, query, key, values), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_an_image_is_the_same_bit_for_bit_whether_it_is_watched(
    small_studio: Studio, looks: dict[str, Image.Image], guidance: float
) -> None:
    how = {"reference": small_studio.reference(looks["poster-pear"]), "seeds": [1, 2], "steps": 4, "guidance": guidance}
    plain = ready(small_studio.generate(["a fox", "a teapot"], **how))
    watched = ready(small_studio.generate(["a fox", "a teapot"], **how, objects=["fox", "teapot"], maps=True))
    for one, other in zip(plain, watched, strict=True):
        assert torch.equal(one.latents, other.latents)
        assert one.seen.subject is None
        assert other.seen.subject is not None
        assert one.seen.style is None
    assert not any(module._forward_hooks for module in small_studio.unet.modules()), "nothing stays in the UNet"


def style_of(studio: Studio, strength: float, picture: Image.Image, **how: object) -> Tensor:
    """m of one image: (steps, groups, rows, columns)."""
    sharing = Sharing(strength, **how)
    reference = studio.reference(picture)
    (image,) = ready(studio.generate(["a fox"], reference=reference, sharing=sharing, maps=True, **FOX))
    assert image.seen.style is not None
    return image.seen.style.m


def test_more_strength_draws_more_from_the_reference(small_studio: Studio, looks: dict[str, Image.Image]) -> None:
    means = [float(style_of(small_studio, strength, looks["poster-pear"]).mean()) for strength in (0.3, 1.0, 2.0)]
    assert means == sorted(means)
    assert 0.1 < means[1] < 0.9
    assert means[2] - means[0] > 0.1


def test_a_map_has_every_group_and_is_0_where_nothing_is_shared(studio: Studio, looks: dict[str, Image.Image]) -> None:
    m = style_of(studio, 1.0, looks["poster-pear"], steps=(0.5, 1.0))
    assert m.shape == (6, 5, 16, 16)
    assert not m[:3].any()
    assert (m[3:] > 0).all()
    some = style_of(studio, 1.0, looks["poster-pear"], layers=("up_blocks",))
    assert some.shape == (6, 2, 16, 16)


def test_the_recorded_m_is_that_of_the_layers(studio: Studio, looks: dict[str, Image.Image]) -> None:
    """At strength s, exp(logit m) grows by s exactly in a layer that sees the same queries: the first of the UNet."""
    first, second = (style_of(studio, s, looks["neon-guitar"])[0, 0].logit() for s in (1.0, 2.0))
    assert ((second - first) > 0).all(), "averages over heads and layers, so not exactly log 2"
    assert float((second - first).mean()) == pytest.approx(math.log(2), abs=0.15)


def test_the_levels_of_sdxl() -> None:
    class Config:
        block_out_channels = (320, 640, 1280)
        sample_size = 128

    class Unet:
        config = Config

    names = ["down_blocks.1.x.attn1", "down_blocks.2.x.attn1", "mid_block.x.attn1", "up_blocks.0.x", "up_blocks.1.x"]
    assert [level_of(Unet, name) for name in names] == [1, 2, 2, 2, 1]


def test_an_outline_parts_two_heaps() -> None:
    attention = torch.cat([torch.full((60,), 0.1), torch.full((40,), 0.9)]).view(10, 10)
    assert torch.equal(outline(attention) > 0.5, attention > 0.5)
    faint = outline(attention * 1e-4)
    torch.testing.assert_close(faint, outline(attention), atol=1e-3, rtol=1e-3)


def test_a_ring_is_filled_and_a_gap_is_not() -> None:
    ring = torch.zeros(20, 20)
    ring[4:16, 4:16] = 0.8
    ring[6:14, 6:14] = 0.1
    solid = filled(ring)
    assert (solid[4:16, 4:16] == 0.8).all()
    assert not solid[:4].any()
    ring[10, 4:7] = 0.3  # a faint gap
    torch.testing.assert_close(filled(ring)[8, 8], torch.tensor(0.3))


def silhouette(picture: Image.Image, side: int = 32) -> np.ndarray:
    """What differs from a picture's plain ground: (side, side)."""
    pixels = np.asarray(picture.resize((side, side), Image.Resampling.BOX), float)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    far = np.linalg.norm(pixels - np.median(edge, axis=0), axis=2)
    return far > 0.25 * np.percentile(far, 98)


def test_the_words_of_an_object_outline_it(studio: Studio) -> None:
    """Pictures of one thing on a plain ground, so that their silhouette is known."""
    things = ["fox", "teapot", "mushroom", "balloon", "apple", "guitar", "pear", "tulip"]
    prompts = [f"a {thing}, papercut" for thing in things]
    found: list[float] = []
    for image in ready(studio.generate(prompts, sharing=Sharing(0.0), seeds=range(8), objects=things, batch_size=8)):
        assert image.seen.subject is not None
        mask = np.asarray(image.seen.subject.resize((32, 32), Image.Resampling.BICUBIC)) > 127
        truth = silhouette(image.picture)
        found.append(np.sum(mask & truth) / np.sum(mask | truth))
    assert np.mean(found) > 0.6, found


def mask_of(image: ImageReady) -> np.ndarray:
    assert image.seen.subject is not None
    return np.asarray(image.seen.subject, float) / 255


def test_only_the_words_that_name_it_count(studio: Studio) -> None:
    """The outline of the ground's words is another one."""
    how = {"seeds": [11], "steps": 20}
    fox, sticker = (
        mask_of(ready(studio.generate(["a fox, sticker"], objects=[words], **how))[0]) for words in ("fox", "sticker")
    )
    assert np.corrcoef(fox.ravel(), sticker.ravel())[0, 1] < 0.9
    (unknown,) = ready(studio.generate(["a fox"], seeds=[11], steps=2, objects=["zeppelin"]))
    assert unknown.seen.subject is None


def test_weights_and_regions_and_panoramas_have_outlines(small_studio: Studio) -> None:
    (weighed,) = ready(small_studio.generate(["a (fox:1.4), sticker"], **FOX))
    assert mask_of(weighed).shape == (8, 8)
    left = Region.box("a teapot", (0, 0, 0.5, 1), object="teapot")
    (parted,) = ready(small_studio.generate(["a fox"], **FOX, regions=[left]))
    assert mask_of(parted).any()
    assert parted.seen.layout is None, "no single call paints it"
    wide = (4 * small_studio.defaults.size[0], small_studio.defaults.size[1])
    (panorama,) = ready(small_studio.generate(["a fox"], **FOX, size=wide, seamless=True, maps=True))
    assert mask_of(panorama).shape == (8, 32)
    assert panorama.seen.layout is None


def test_regions_are_outlined_by_their_own_words(studio: Studio) -> None:
    """A picture of a fox whose left half is painted by a brush without words for it: only the right half is seen."""
    left = Region.box("a teapot", (0, 0, 0.5, 1))
    recorder_of = ready(studio.generate(["a fox"], **FOX, regions=[left]))[0]
    mask = mask_of(recorder_of)
    assert mask[:, 9:].mean() > mask[:, :7].mean()


def test_long_prompts_find_words_in_any_chunk(studio: Studio) -> None:
    texts = studio.texts
    before, texts.most_chunks = texts.most_chunks, 4
    try:
        long = "red, " * 15 + "fox"
        states, _ = texts.branches([long, "a fox"], "")
        marks = texts.marks([(long, "fox"), ("a fox", "fox")], states)
        assert marks.shape == states.shape[1:3]
        assert int(marks[0].argmax()) >= texts.length, "in a later chunk"
        assert marks[1].sum() == states.shape[2] / texts.length * marks[1, : texts.length].sum(), "in every repetition"
    finally:
        texts.most_chunks = before


def test_a_self_attention_map_is_plain_attention_summed_over_cells(studio: Studio) -> None:
    """By the definition, with all logits stored, in one call of the UNet."""
    layers = middling(studio.unet, "attn1")
    kept: list[Tensor] = []

    def keep(attn: torch.nn.Module, args: tuple[Tensor, ...], _: object) -> None:
        hidden = args[0][-1:]
        q, k = (project(hidden).unflatten(-1, (attn.heads, -1)).transpose(1, 2) for project in (attn.to_q, attn.to_k))
        kept.append((q @ k.mT * attn.scale).softmax(-1).mean(1)[0])

    hooks = [layer.register_forward_hook(keep) for layer in layers.modules]
    try:
        (image,) = ready(studio.generate(["a fox"], seeds=[11], steps=2))
    finally:
        for hook in hooks:
            hook.remove()
    plain = torch.stack(kept[len(kept) // 2 :]).mean(0)  # of the second of two steps
    cells = cells_of(16, 16)
    expected = cells.T @ plain @ cells / cells.sum(0)[:, None]
    assert image.seen.layout is not None
    torch.testing.assert_close(image.seen.layout, expected, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(image.seen.layout.sum(-1), torch.ones(CELLS**2), atol=1e-3, rtol=1e-3)


def test_cross_attention_is_plain_attention_to_the_words(studio: Studio) -> None:
    conditioning = studio.condition(["a fox"], "", 1.0, studio.defaults.size)
    words = studio.texts.marks([("a fox", "fox")], conditioning.tokens)
    canvas = Canvas.whole(16, 16)
    recorder = SubjectRecorder(studio.unet, [words], (16, 16))
    kept: list[Tensor] = []

    def keep(attn: torch.nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Tensor], _: object) -> None:
        text = kwargs["encoder_hidden_states"]
        q, k = (x.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for x in (attn.to_q(args[0]), attn.to_k(text)))
        kept.append(((q @ k.mT * attn.scale).softmax(-1).mean(1)[0] @ words[0]).view(16, 16))

    hooks = [layer.register_forward_hook(keep, with_kwargs=True) for layer in middling(studio.unet, "attn2").modules]
    ((patch,),) = canvas.patches([None])
    with torch.inference_mode(), recorder.call(9, 10, 0, patch):
        studio.sampler.predict(studio.noise([1], studio.defaults.size), 200.0, conditioning, 1.0)
    for hook in hooks:
        hook.remove()
    torch.testing.assert_close(recorder.total[0], torch.stack(kept[: len(kept)]).mean(0), atol=1e-5, rtol=1e-3)
