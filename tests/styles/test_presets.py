"""Presets are numbers under a name: choosing one sets them, other numbers are one's own."""

import pytest

from app.errors import Invalid
from app.styles.presets import BALANCED, OWN, PRESETS, USUAL, preset_of
from app.styles.spec import SharingSpec, StyleSpec

FORM = {"name": "Poster", "reference_id": "1", "strength": "1", "scale": "0.8", "adain_values": "1"}
RANKED = ("up_blocks.1.attentions.0.transformer_blocks.0.attn1", "mid_block.attentions.0.transformer_blocks.0.attn1")


def test_every_preset_is_a_valid_spec_of_its_own() -> None:
    for key, preset in PRESETS.items():
        assert preset.values.keys() == USUAL.keys()
        spec = StyleSpec.from_form(FORM | {"preset": key})
        assert preset_of(spec.model_dump()) == key
    assert len({str(dict(preset.values)) for preset in PRESETS.values()}) == len(PRESETS)


def test_a_preset_sets_the_numbers_whatever_the_fields_say() -> None:
    spec = StyleSpec.from_form(FORM | {"preset": BALANCED.key, "calibration": "0.3", "layers": "up_blocks"})
    assert (spec.scale, spec.share_group_norm, spec.calibration, spec.layers) == (1.0, True, 0.0, [])
    own = StyleSpec.from_form(FORM | {"preset": OWN, "calibration": "０.３", "layers": "up_blocks"})
    assert (own.scale, own.share_group_norm, own.calibration, own.layers) == (0.8, False, 0.3, ["up_blocks"])
    assert preset_of(own.model_dump()) == OWN


def test_a_form_without_these_fields_shares_as_it_did_before_there_were_any() -> None:
    spec = StyleSpec.from_form(FORM)
    assert {name: getattr(spec, name) for name in SharingSpec.model_fields} == SharingSpec().model_dump()
    assert (spec.layers, spec.calibration, spec.reference_queries, spec.subject_attention) == ([], 0.0, 0.0, 1.0)


def test_the_most_sensitive_layers_are_named_in_the_spec() -> None:
    wanted = {"preset": OWN, "layers": "sensitive", "layer_count": "1"}
    assert StyleSpec.from_form(FORM | wanted, RANKED).layers == [RANKED[0]]
    assert StyleSpec.from_form(FORM | wanted | {"layers": ",".join(RANKED)}).layers == list(RANKED)


@pytest.mark.parametrize(
    ("wrong", "name", "sentence"),
    [
        ({"layers": "sensitive"}, "layers", "The layers of this model are not ranked yet."),
        ({"layers": "up_blocks.*"}, "layers", "Layers cannot be 'up_blocks.*'."),
        ({"preset": "magic"}, "preset", "There is no such way of sharing."),
        ({"blend": "mix"}, "blend", "Several references must be 'weight' or 'sphere'; 'mix' was given."),
        ({"calibration": "2"}, "calibration", "Colour calibration must be a number from 0 to 1; '2' was given."),
        ({"subject_attention": "-1"}, "subject_attention", "Attention to the subject must be a number from 0 to 1"),
    ],
)
def test_a_wrong_number_is_a_sentence_at_its_field(wrong: dict[str, str], name: str, sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        StyleSpec.from_form(FORM | wrong)
    assert refused.value.errors[name].startswith(sentence)


def test_layers_that_the_model_does_not_have_are_refused_in_one_sentence() -> None:
    """A hand-made form; the name of a block around known layers is one."""
    with pytest.raises(Invalid) as refused:
        StyleSpec.from_form(FORM | {"layers": "up_blocks.1,up_block"}, RANKED, RANKED)
    assert refused.value.errors == {"layers": "This model has no layer “up_block”. Choose other layers."}
    assert StyleSpec.from_form(FORM | {"layers": "up_blocks.1,mid_block"}, RANKED, RANKED).layers
    assert StyleSpec.from_form(FORM | {"layers": "up_block"}).layers, "no model is loaded that could tell"


def test_what_was_published_has_a_name() -> None:
    """A picture's setting in the paper: group norms are shared, and values keep their statistics."""
    spec = StyleSpec.from_form({"name": "Poster", "reference_id": "1", "share_group_norm": "1"})
    assert preset_of(spec.model_dump()) == "published"


def test_a_wrong_number_of_layers_is_a_sentence() -> None:
    with pytest.raises(Invalid) as refused:
        StyleSpec.from_form(FORM | {"layers": "sensitive", "layer_count": "0"}, RANKED)
    assert refused.value.errors.keys() == {"layer_count"}
