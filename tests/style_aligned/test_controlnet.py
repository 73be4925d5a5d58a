"""ControlNet with a shared look: what it affects, when, with which prompts, and which files are accepted.

The ControlNets here are the bundled UNet's own encoder with random output layers, so that every map has an effect.
tests/structures/test_follow.py shows that pictures follow the maps of a trained one.
"""

import inspect
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, ControlNetUnionModel
from PIL import Image, ImageDraw
from torch import Tensor, nn

from app.style_aligned import Control, ModelError, Preview, Structure, Studio
from app.style_aligned.controlnet import UNION_MODES, fitted
from app.style_aligned.panorama import Window
from app.style_aligned.sharing import SharedLayers
from tests.demo import FACTOR, HINT_CHANNELS, SIDE, SQUARE
from tests.style_aligned.conftest import ready

WIDE = (5 * SIDE // 2, SIDE)
QUICK: dict[str, Any] = {"steps": 3, "preview_every": 0}


def opened(net: nn.Module) -> nn.Module:
    """A ControlNet's first and last layers start near zero; these have a small effect, the same each time."""
    generator = torch.Generator().manual_seed(0)
    for part, spread in ((net.controlnet_cond_embedding, 0.2), (net.controlnet_down_blocks, 0.05)):
        for parameter in part.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) * spread
    return net.eval().requires_grad_(False)


def square(size: tuple[int, int] = SQUARE, left: float = 1 / 4) -> Image.Image:
    picture = Image.new("L", size)
    corners = [(round(SIDE * x), round(SIDE * y)) for x, y in ((left, 1 / 4), (left + 3 / 8, 3 / 4))]
    ImageDraw.Draw(picture).rectangle(corners, outline=255, width=3)
    return picture


@pytest.fixture(scope="module")
def net(studio: Studio) -> nn.Module:
    return opened(ControlNetModel.from_unet(studio.unet, conditioning_embedding_out_channels=HINT_CHANNELS))


@pytest.fixture(scope="module")
def union(studio: Studio) -> nn.Module:
    """In the bundled UNet's shape; six kinds of map, like the published one."""
    torch.manual_seed(0)
    wanted = inspect.signature(ControlNetUnionModel.__init__).parameters
    config = {name: value for name, value in studio.unet.config.items() if name in wanted}
    width = config["block_out_channels"][0]
    own = {"num_trans_channel": width, "num_proj_channel": width}
    net = ControlNetUnionModel(**config, **own, conditioning_embedding_out_channels=HINT_CHANNELS)
    net.spatial_ch_projs.weight.data.normal_(std=0.5)
    return opened(net)


@pytest.fixture(scope="module")
def control(net: nn.Module) -> Control:
    return Control(net, "random")


@contextmanager
def calls(net: nn.Module) -> Iterator[list[dict[str, Any]]]:
    """Record a network's calls; the positional arguments as `x` and `t`."""
    seen: list[dict[str, Any]] = []

    def note(_: nn.Module, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
        seen.append({"x": positional[0], "t": positional[1], **named})

    handle = net.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield seen
    finally:
        handle.remove()


def picture(studio: Studio, *structures: Structure, **how: Any) -> Tensor:
    """Latents of one image that follows `structures`."""
    return ready(studio.generate(["a fox"], structures=structures, **QUICK | how))[0].latents


# What it affects


def test_the_references_recording_is_the_same_with_a_structure_and_without(
    studio: Studio, control: Control, looks: dict[str, Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings: list[list[Any]] = []
    record = SharedLayers.record

    @contextmanager
    def kept(layers: SharedLayers, *asked: Any) -> Iterator[Any]:
        with record(layers, *asked) as recording:
            yield recording
        recordings[-1].append(recording)

    monkeypatch.setattr(SharedLayers, "record", kept)
    reference = studio.reference(looks["poster-pear"])
    made = []
    for structures in ((), [Structure(control, [square()])]):
        recordings.append([])
        made.append(ready(studio.generate(["a fox"], reference=reference, structures=structures, **QUICK))[0].latents)
    assert not torch.equal(*made)
    plain, controlled = ([tensors(recording) for recording in run] for run in recordings)
    assert len(plain) == len(controlled) == 3
    for a, b in zip(plain, controlled, strict=True):
        assert len(a) == len(b) > 10
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def tensors(thing: Any) -> list[Tensor]:
    """All tensors in a recording, whatever its structure."""
    if isinstance(thing, Tensor):
        return [thing]
    parts = thing.values() if isinstance(thing, dict) else thing if isinstance(thing, list | tuple) else None
    if parts is None:
        parts = vars(thing).values() if hasattr(thing, "__dict__") else ()
    return [tensor for part in parts for tensor in tensors(part)]


def test_each_guidance_branch_uses_its_own_embeddings(studio: Studio, control: Control) -> None:
    with calls(control.net) as asked, calls(studio.unet) as painted:
        ready(
            studio.generate(
                ["a fox", "a house"],
                structures=[Structure(control, [square(), square(left=0.5)])],
                negative_prompt="a car",
                seeds=[1, 2],
                sharing=None,
                reference=studio.reference(square()),
                steps=1,
                preview_every=0,
            )
        )
    (own,), painting = asked, painted[-1]
    assert len(own["x"]) == 4  # both branches of both images
    tokens = own["encoder_hidden_states"]
    assert torch.equal(tokens, painting["encoder_hidden_states"])
    assert torch.equal(own["added_cond_kwargs"]["text_embeds"], painting["added_cond_kwargs"]["text_embeds"])
    assert torch.equal(tokens[0], tokens[1])  # the negative prompt is the same for both
    assert not torch.equal(tokens[2], tokens[3])
    assert not torch.equal(tokens[0], tokens[2])
    maps = own["controlnet_cond"]
    assert torch.equal(maps[0], maps[2])  # an image's map in both of its branches
    assert not torch.equal(maps[0], maps[1])
    assert maps.shape == (4, 3, *SQUARE)
    assert maps.min() == 0
    assert maps.max() == 1


def test_an_image_follows_the_map_of_its_own_prompt(studio: Studio, control: Control) -> None:
    """And not that of its position in the batch."""
    maps = [square(), square(left=0.5), square(left=0.1)]
    how = {"seeds": [5, 5, 5], "reference": studio.reference(square()), **QUICK}
    together = ready(studio.generate(["a fox"] * 3, structures=[Structure(control, maps)], **how))
    apart = ready(studio.generate(["a fox"] * 3, structures=[Structure(control, maps)], batch_size=1, **how))
    for one, other in zip(together, apart, strict=True):
        assert torch.allclose(one.latents, other.latents, atol=1e-3)
    assert not torch.allclose(together[0].latents, together[1].latents, atol=1e-2)


# When and how much


def test_weight_0_is_no_structure_bit_for_bit(studio: Studio, control: Control) -> None:
    plain = picture(studio)
    assert torch.equal(picture(studio, Structure(control, [square()], weight=0)), plain)
    assert not torch.equal(picture(studio, Structure(control, [square()], weight=0.1)), plain)


@pytest.mark.parametrize(("steps", "asked"), [((0, 1), 5), ((0, 0.5), 3), ((0.5, 1), 3), ((0.3, 0.6), 1), ((1, 1), 1)])
def test_a_structure_counts_in_its_steps_only(
    studio: Studio, control: Control, steps: tuple[float, float], asked: int
) -> None:
    with calls(control.net) as seen:
        picture(studio, Structure(control, [square()], steps=steps), steps=5)
    assert len(seen) == asked


def test_outside_its_steps_a_structure_changes_no_bit(studio: Studio, control: Control) -> None:
    def made(*structures: Structure) -> tuple[list[bytes], Tensor]:
        events = list(studio.generate(["a fox"], structures=structures, steps=4, preview_every=1))
        previews = [event.picture.tobytes() for event in events if isinstance(event, Preview)]
        return previews, ready(iter(events))[0].latents

    plain, late = made(), made(Structure(control, [square()], steps=(0.9, 1)))
    assert len(plain[0]) == 3
    assert late[0] == plain[0]
    assert not torch.equal(late[1], plain[1])


def test_several_structures_add_up(studio: Studio, control: Control) -> None:
    once = Structure(control, [square()], weight=1)
    half = Structure(control, [square()], weight=0.5)
    assert torch.allclose(picture(studio, half, half), picture(studio, once), atol=1e-4)
    other = Structure(control, [square(left=0.55)])
    assert not torch.allclose(picture(studio, once, other), picture(studio, once), atol=1e-2)


# Maps


def test_each_window_of_a_panorama_sees_its_own_part_of_the_map(studio: Studio, control: Control) -> None:
    wide = Image.fromarray(np.tile(np.linspace(0, 255, WIDE[0]).astype(np.uint8), (SIDE, 1)))
    hint = Structure(control, [wide]).hint([0], WIDE, studio.factor, torch.device("cpu"))
    middle = hint.within(Window(0, 12, 16, 16))  # latents
    assert torch.equal(middle.pixels, hint.pixels[..., 12 * FACTOR : 28 * FACTOR])
    around = hint.within(Window(0, 32, 16, 16))  # 8 latents before the right end, and 8 after it
    assert torch.equal(around.pixels, torch.cat([hint.pixels[..., 32 * FACTOR :], hint.pixels[..., : 8 * FACTOR]], -1))


def test_a_panoramas_windows_are_given_to_the_controlnet(studio: Studio, control: Control) -> None:
    wide = square(WIDE, left=1.5)
    with calls(control.net) as asked:
        how = {"size": WIDE, "steps": 1, "seamless": True, "guidance": 1.0}
        picture(studio, Structure(control, [wide]), **how)
    windows = torch.cat([call["controlnet_cond"] for call in asked])
    assert len(windows) >= 3
    assert windows.shape[1:] == (3, *SQUARE)
    # The square is in the picture's right half: some windows see it and some do not.
    assert {bool(window.any()) for window in windows} == {True, False}


def test_thin_lines_survive_a_large_map_made_small() -> None:
    large = Image.new("L", (1024, 1024))
    ImageDraw.Draw(large).line((512, 0, 512, 1023), fill=255, width=1)
    small = fitted(large, (128, 128))
    assert small.max() == 1
    assert (small[:, :, 0].max(axis=1) > 0.9).all()


def test_a_faint_map_stays_faint() -> None:
    assert fitted(Image.new("L", (256, 256), 51), (128, 128)).max() == pytest.approx(0.2)
    assert fitted(Image.new("L", (256, 256)), (128, 128)).max() == 0


# ControlNet-Union


def test_a_union_gets_the_kind_of_its_map_in_both_ways(studio: Studio, union: nn.Module, tmp_path: Path) -> None:
    union.save_pretrained(tmp_path / "union")
    made = {}
    for kind, mode in UNION_MODES.items():
        control = studio.control(str(tmp_path / "union"), kind)
        assert control.mode == mode
        with calls(control.net) as asked:
            # A whole number as weight, as people type it.
            made[kind] = picture(studio, Structure(control, [square()], weight=1))
        assert asked[0]["control_type_idx"] == [mode]
        assert asked[0]["control_type"].shape == (2, 6)  # two branches
        assert asked[0]["control_type"].argmax(1).tolist() == [mode, mode]
        assert asked[0]["control_type"].sum() == 2
    assert not torch.equal(made["edges"], made["depth"])
    assert not torch.equal(made["edges"], picture(studio))


def test_a_union_without_a_kind_is_refused(studio: Studio, union: nn.Module, tmp_path: Path) -> None:
    union.save_pretrained(tmp_path / "union")
    with pytest.raises(ModelError, match="knows several kinds of map; say which it is given: edges, silhouette, depth"):
        studio.control(str(tmp_path / "union"))


def test_a_union_is_recognised_by_its_weights(studio: Studio, union: nn.Module, tmp_path: Path) -> None:
    union.save_pretrained(tmp_path / "union")
    rewrite(tmp_path / "union", _class_name="ControlNetModel")
    assert isinstance(studio.control(str(tmp_path / "union"), "depth").net, ControlNetUnionModel)


# Which files are accepted


def rewrite(folder: Path, **values: Any) -> None:
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | values))


@pytest.fixture
def folder(net: nn.Module, tmp_path: Path) -> Path:
    net.save_pretrained(tmp_path / "net")
    return tmp_path / "net"


def refusal(studio: Studio, name: object, kind: str | None = None) -> str:
    with pytest.raises(ModelError) as refused:
        studio.control(str(name), kind)
    assert str(refused.value).endswith(".")
    return str(refused.value)


def test_a_folder_is_loaded_once_and_to_the_studios_place(studio: Studio, folder: Path) -> None:
    control = studio.control(str(folder))
    assert control.mode is None
    assert studio.control(str(folder), "edges").net is control.net
    assert control.net.dtype == studio.place.dtype
    assert control.net.device == studio.place.device
    assert not control.net.training


def test_a_half_precision_file_is_used_if_there_is_no_other(studio: Studio, net: nn.Module, tmp_path: Path) -> None:
    net.save_pretrained(tmp_path / "half", variant="fp16")
    assert studio.control(str(tmp_path / "half")).net.dtype == studio.place.dtype


def test_a_controlnet_for_another_model_is_refused(studio: Studio, folder: Path) -> None:
    rewrite(folder, cross_attention_dim=768, addition_embed_type=None)
    width = studio.unet.config.cross_attention_dim
    assert f"for another model: its cross_attention_dim is 768, not {width}." in refusal(studio, folder)


def test_a_controlnet_for_latents_of_another_scale_is_refused(studio: Studio, tmp_path: Path) -> None:
    """It would fit the UNet, but its maps would be twice as large as what they are added to."""
    layers = (8, *HINT_CHANNELS)
    ControlNetModel.from_unet(studio.unet, conditioning_embedding_out_channels=layers).save_pretrained(tmp_path / "net")
    scales = f"{2 * studio.factor} px of its maps per latent, not {studio.factor}."
    assert f"for another model: {scales}" in refusal(studio, tmp_path / "net")


def test_a_stable_diffusion_1_controlnet_is_refused(studio: Studio, tmp_path: Path) -> None:
    small = ControlNetModel(
        block_out_channels=(32, 32),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        cross_attention_dim=768,
        conditioning_embedding_out_channels=HINT_CHANNELS,
    )
    small.save_pretrained(tmp_path / "sd15")
    assert "is a ControlNet for another model" in refusal(studio, tmp_path / "sd15")


def test_pickles_are_refused(studio: Studio, net: nn.Module, tmp_path: Path) -> None:
    net.save_pretrained(tmp_path / "old", safe_serialization=False)
    assert "has no safetensors files" in refusal(studio, tmp_path / "old")
    assert "is not safetensors" in refusal(studio, tmp_path / "control_sd15_canny.pth")


def test_other_models_are_refused_as_controlnets(studio: Studio, tmp_path: Path) -> None:
    assert "is not a ControlNet." in refusal(studio, Path("app/demo_model/vae").absolute())
    assert "There is no ControlNet at" in refusal(studio, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "has no safetensors files" in refusal(studio, tmp_path / "empty")


def test_a_damaged_file_is_refused(studio: Studio, folder: Path) -> None:
    (folder / "diffusion_pytorch_model.safetensors").write_bytes(b"not at all")
    assert "damaged" in refusal(studio, folder)


def test_a_folder_without_its_config_is_refused(studio: Studio, folder: Path) -> None:
    (folder / "config.json").unlink()
    assert "could not be loaded" in refusal(studio, folder)


def test_an_unavailable_hub_id_is_refused(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "could not be downloaded" in refusal(studio, "soroe-tests/no-such-controlnet")


def test_a_kind_that_the_model_has_no_controlnet_for(studio: Studio) -> None:
    assert "depth" not in studio.controls
    assert refusal(studio, "depth") == "demo has no ControlNet for depth of its own; name a folder or a hub id."
