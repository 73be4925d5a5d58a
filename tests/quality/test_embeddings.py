"""Models that embed pictures: the bundled CLIP for real; the others with small random weights in their own formats."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from app.quality import embeddings
from app.quality.embedder import parsed
from app.quality.embeddings import BUNDLED, CannotEmbed, Clip, Csd, loaded
from app.quality.features import Features, compared, features
from app.quality.measures import Measure
from app.style_aligned.loading import DEMO
from tests.quality.drawn import scene
from tests.quality.models import small_dino

LOOKS = Path(__file__).parents[1] / "data" / "looks"


@pytest.fixture(scope="module")
def bundled() -> Clip:
    (only,) = loaded("")
    assert isinstance(only, Clip)
    return only


def drawn(name: str) -> Image.Image:
    with Image.open(LOOKS / f"{name}.webp") as picture:
        return picture.convert("RGB")


def test_without_a_setting_the_bundled_clip_is_used_and_says_so(bundled: Clip) -> None:
    assert (bundled.role, bundled.name) == ("clip", BUNDLED)
    measured = features(scene((200, 30, 40)), embedders=[bundled])
    assert measured.made_by == {"clip": BUNDLED}
    assert len(measured.vectors["clip"]) == 128


def test_a_picture_is_likest_to_itself_and_what_it_shows_is_found_in_text(bundled: Clip) -> None:
    names = ["blueprint-camera", "neon-guitar", "pencil-handbag", "poster-pear"]
    seen = np.stack([bundled.picture(drawn(name)) for name in names])
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), 1, atol=1e-5)
    assert (seen @ seen.T).argmax(axis=1).tolist() == [0, 1, 2, 3]
    said = [bundled.text(f"a {name.split('-')[1]}") for name in names]
    assert (seen @ np.stack([vector for vector in said if vector is not None]).T).argmax(axis=1).tolist() == [
        0,
        1,
        2,
        3,
    ]


def test_parts_of_a_picture_cover_it_in_order(bundled: Clip) -> None:
    picture = Image.new("RGB", (256, 128), "white")
    picture.paste(drawn("neon-guitar").resize((128, 128)), (128, 0))
    parts = bundled.patches(picture)
    assert parts.shape == (8, 8, 128)
    left, right = parts[:, :4].reshape(-1, 128), parts[:, 4:].reshape(-1, 128)
    assert (left @ left.T).mean() > (left @ right.T).mean()


def test_a_long_text_is_cut_and_not_refused(bundled: Clip) -> None:
    vector = bundled.text("a red fox " * 100)
    assert vector is not None
    assert np.isfinite(vector).all()


def test_likeness_is_only_between_vectors_of_the_same_model(bundled: Clip) -> None:
    measured = features(scene((200, 30, 40)), embedders=[bundled])
    again = Features.from_json(measured.to_json())
    assert compared(measured, [again], [])[Measure.CLIP_REFERENCE] == pytest.approx(1, abs=1e-3)
    other = Features.from_json(measured.to_json() | {"made_by": {"clip": "another"}})
    assert Measure.CLIP_REFERENCE not in compared(measured, [other], [other])


@pytest.mark.parametrize("setting", ["dino", "dino=", "sam=x/y", "dino=a/b, dino=c/d"])
def test_a_setting_that_is_no_list_of_models_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match="it is a list such as"):
        parsed(setting)


def test_a_folder_without_a_model_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CannotEmbed, match=r"cannot be loaded as dino: it has no safetensors"):
        loaded(f"dino={tmp_path}")
    with pytest.raises(CannotEmbed, match=r"cannot be loaded as csd: it is not CSD"):
        loaded(f"csd={DEMO / 'clip'}")
    with pytest.raises(CannotEmbed, match=r"cannot be loaded as dino: it is of the kind clip"):
        loaded(f"dino={DEMO / 'clip'}")


def test_dino_gives_the_class_token_and_its_parts(tmp_path: Path) -> None:
    model = small_dino(tmp_path)
    dino, clip = loaded(f"dino={tmp_path}")
    assert (dino.role, dino.name, clip.name) == ("dino", str(tmp_path), BUNDLED)
    picture = scene((200, 30, 40), side=64)
    scaled = (np.asarray(picture, np.float32) / 255 - embeddings.CLIP_MEAN) / embeddings.CLIP_SPREAD
    pixels = torch.from_numpy(scaled).float().permute(2, 0, 1)[None]
    with torch.no_grad():
        token = model.eval()(pixel_values=pixels).last_hidden_state[0, 0].numpy()
    np.testing.assert_allclose(dino.picture(picture), token / np.linalg.norm(token), atol=1e-5)
    assert dino.patches(picture).shape == (8, 8, 32)
    assert dino.text("a fox") is None


class _Block(nn.Module):
    """A block of OpenAI's image tower, as published: pre-norm attention and a quick GELU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, width // 64, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        y = self.mlp["c_fc"](self.ln_2(x))
        return x + self.mlp["c_proj"](y * torch.sigmoid(1.702 * y))


class _Published(nn.Module):
    """CSD as published, in miniature: OpenAI's image tower, and the projection for style."""

    def __init__(self, width: int = 128, patch: int = 16, side: int = 64, layers: int = 2, out: int = 48) -> None:
        super().__init__()
        tower = nn.Module()
        tower.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        tower.class_embedding = nn.Parameter(torch.randn(width))
        tower.positional_embedding = nn.Parameter(torch.randn((side // patch) ** 2 + 1, width))
        tower.ln_pre, tower.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        tower.transformer = nn.Module()
        tower.transformer.resblocks = nn.ModuleList(_Block(width) for _ in range(layers))
        self.backbone = tower
        self.last_layer_style = nn.Parameter(torch.randn(width, out))
        self.last_layer_content = nn.Parameter(torch.randn(width, out))
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.2)

    def forward(self, pixels: Tensor) -> Tensor:
        tower = self.backbone
        x = tower.conv1(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([tower.class_embedding.expand(len(x), 1, -1), x], 1) + tower.positional_embedding
        x = tower.ln_pre(x)
        for block in tower.transformer.resblocks:
            x = block(x)
        return nn.functional.normalize(tower.ln_post(x[:, 0]) @ self.last_layer_style, dim=-1)


def test_csd_is_loaded_as_it_is_published(tmp_path: Path) -> None:
    torch.manual_seed(0)
    published = _Published().eval()
    save_file(published.state_dict(), tmp_path / "model.safetensors")
    csd = Csd(tmp_path, "csd")
    picture = scene((200, 30, 40), side=64)
    pixels = csd.preparation.pixels(picture, "cpu")
    with torch.no_grad():
        expected = published(pixels)[0].numpy()
    np.testing.assert_allclose(csd.picture(picture), expected, atol=1e-5)
    assert csd.patches(picture).shape == (4, 4, 48)


def test_csd_that_lacks_a_tensor_is_refused(tmp_path: Path) -> None:
    weights = _Published().state_dict()
    del weights["backbone.transformer.resblocks.1.ln_2.weight"]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(CannotEmbed, match="as csd"):
        loaded(f"csd={tmp_path}")
