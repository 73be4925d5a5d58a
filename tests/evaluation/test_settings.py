"""Settings by name or by fields of `Sharing`, and the baselines against their plain definitions."""

import pytest
import torch
from diffusers.models.attention_processor import Attention
from torch import nn

from app.errors import Invalid
from app.evaluation.baselines import JointProcessor, WithoutAdaIN, all_to_all
from app.evaluation.settings import NAMED, chosen, parse
from app.style_aligned import Sharing, Studio
from app.style_aligned.attention import RecordingProcessor, SharingProcessor


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def layer() -> Attention:
    torch.manual_seed(3)
    return Attention(query_dim=32, heads=2, dim_head=16).requires_grad_(False)


def split(x: torch.Tensor) -> torch.Tensor:
    return x.unflatten(-1, (2, 16)).transpose(-3, -2)


def test_every_picture_attends_to_all_of_its_branch() -> None:
    """Against a softmax over concatenated keys, picture by picture."""
    attn, x = layer(), random(6, 5, 32)  # two branches of three pictures, five tokens each
    found = JointProcessor(2)(attn, x)
    rows = iter(found)
    for branch in x.split(3):
        keys, values = split(attn.to_k(branch.flatten(0, 1))), split(attn.to_v(branch.flatten(0, 1)))
        for picture in range(3):
            logits = split(attn.to_q(branch[picture])) @ keys.mT * attn.scale
            plain = attn.to_out[0]((logits.softmax(-1) @ values).transpose(0, 1).flatten(1))
            torch.testing.assert_close(next(rows), plain, atol=1e-5, rtol=1e-5)


def test_the_order_of_pictures_and_branches_is_kept() -> None:
    attn, x = layer(), random(6, 5, 32)
    found = JointProcessor(2)(attn, x)
    alone = JointProcessor(1)(attn, x[3:])
    torch.testing.assert_close(found[3:], alone, atol=1e-5, rtol=1e-5)
    one = JointProcessor(1)(attn, x[4:5])
    own = RecordingProcessor(1)(attn, x[4:5])
    torch.testing.assert_close(one, own, atol=1e-5, rtol=1e-5)


def test_without_adain_the_softmax_is_over_unchanged_queries_and_keys() -> None:
    attn, reference, targets = layer(), random(1, 5, 32) * 3 + 1, random(2, 5, 32, seed=1)
    recorder = RecordingProcessor(1)
    recorder(attn, reference)
    influence = WithoutAdaIN(1.0, adain_values=True).influence([1.0, 1.0], [1.0], torch.device("cpu"))
    found = SharingProcessor(recorder.memory, influence)(attn, targets)
    for picture, row in zip(targets, found, strict=True):
        both = torch.cat([picture, reference[0]])
        logits = split(attn.to_q(picture)) @ split(attn.to_k(both)).mT * attn.scale
        plain = attn.to_out[0]((logits.softmax(-1) @ split(attn.to_v(both))).transpose(0, 1).flatten(1))
        torch.testing.assert_close(row, plain, atol=1e-5, rtol=1e-5)
    usual = SharingProcessor(recorder.memory, Sharing(1.0).influence([1.0, 1.0], [1.0], torch.device("cpu")))
    assert not torch.allclose(found, usual(attn, targets), atol=1e-3)


def processors(unet: nn.Module) -> list[object]:
    return [module.processor for module in unet.modules() if isinstance(module, Attention)]


def interrupted(unet: nn.Module) -> None:
    with all_to_all(unet, 2):
        assert any(isinstance(each, JointProcessor) for each in processors(unet))
        raise RuntimeError("stop")


def test_the_unet_gets_its_processors_back(studio: Studio) -> None:
    before = processors(studio.unet)
    with pytest.raises(RuntimeError, match="stop"):
        interrupted(studio.unet)
    assert processors(studio.unet) == before


def test_fields_of_sharing_make_a_setting() -> None:
    setting = parse("gentle=strength:0.6, layers:up_blocks+mid_block,adain_values:yes,steps:0.2-0.8")
    assert setting.name == "gentle"
    assert setting.sharing == Sharing(0.6, layers=("up_blocks", "mid_block"), adain_values=True, steps=(0.2, 0.8))


def test_the_finished_first_picture_can_be_the_reference() -> None:
    setting = parse("mine=reference:picture,strength:0.8")
    assert (setting.kind, setting.sharing) == ("picture", Sharing(0.8))


def test_without_names_all_settings_are_compared() -> None:
    assert chosen([]) == list(NAMED.values())
    assert [setting.name for setting in chosen(["no sharing", "mine=scale:0.5"])] == ["no sharing", "mine"]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["nothing"], "There is no setting nothing. Name one of no sharing, StyleAligned"),
        (["a=power:1"], "Sharing has no power; it has strength, scale"),
        (["a=strength:much"], "strength cannot be much; write it like 0.8."),
        (["a=adain_values:1"], "adain_values cannot be 1; write it like yes."),
        (["a=colour_steps:0.5"], "colour_steps cannot be 0.5; write it like 0.2-0.8."),
        (["a=layers:up_blocks+"], "layers cannot be up_blocks+; write it like up_blocks+mid_block."),
        (["a=reference:bogus"], "reference is text or picture; bogus was given."),
        (["=strength:1"], "Put a name before the = of the setting =strength:1."),
        (["all to all=strength:1"], "all to all is a setting already; choose another name."),
        (["a b=strength:1", "a-b=strength:2"], "Two settings are called a-b; give each its own name."),
    ],
)
def test_a_wrong_setting_is_a_sentence(texts: list[str], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        chosen(texts)
    assert str(refused.value).startswith(said)


def test_a_number_out_of_range_names_the_field() -> None:
    with pytest.raises(ValueError, match="strength must be between 0 and 2"):
        parse("strong=strength:3")
