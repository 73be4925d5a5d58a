"""What a version changed: nothing that determines a look is left unsaid."""

from typing import Any

import pytest

from app.models import StyleVersion
from app.styles.changes import changes, in_words
from app.styles.service import version_of
from app.styles.spec import StyleSpec

OTHER: dict[str, tuple[Any, str]] = {
    "text": ("ink", "New text"),
    "reference_prompt": ("an owl", "New words for what the picture shows"),
    "drawn_as": ({"墨": "ink"}, "New translation"),
    "method": ("ddim", "Inversion"),
    "strength": (1.4, "Strength 1.4"),
    "scale": (0.5, "Scale 0.5"),
    "share_group_norm": (True, "Shared group norm"),
    "adain_values": (True, "AdaIN on values"),
    "layers": (["up_blocks"], "Upper half of the layers"),
    "calibration": (0.25, "Colour calibration 0.25"),
    "calibration_start": (0.1, "Calibration from 0.1"),
    "calibration_end": (0.5, "Calibration until 0.5"),
    "reference_queries": (0.3, "Reference queries 0.3"),
    "subject_attention": (0.4, "Attention to the subject 0.4"),
    "blend": ("sphere", "References blended on a sphere"),
}
PICTURE = {"reference_id": 1, "weight": 1.0, "crop": {}}


def version(**values: Any) -> StyleVersion:
    """A version of two pictures, with the defaults of the form but for `values`."""
    usual = {"name": "Ink", "references": [PICTURE, PICTURE | {"reference_id": 2}]}
    return version_of(StyleSpec.model_validate(usual | values))


@pytest.mark.parametrize("name", sorted(StyleSpec.model_fields.keys() - {"name", "references"}))
def test_every_setting_that_a_version_changes_is_named(name: str) -> None:
    other, words = OTHER[name]
    assert in_words(version(), version(**{name: other})) == words
    assert changes(version(**{name: other}), version()), "also when it is as it was before"


def test_several_changes_are_one_line() -> None:
    line = in_words(version(), version(strength=0.7, layers=["a", "b"], blend="sphere"), ["a", "b", "c"])
    assert line == "Strength 0.7, 2 most style-sensitive layers, references blended on a sphere"
    assert in_words(None, version()) == "First version"


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ({"reference_id": 3}, "New picture"),
        ({"weight": 0.5}, "Weights 0.5, 1"),
        ({"crop": {"x": 0.25, "width": 0.5}}, "New crop"),
    ],
)
def test_a_change_of_the_references_is_named(reference: dict[str, Any], words: str) -> None:
    assert in_words(version(), version(references=[PICTURE | reference, PICTURE | {"reference_id": 2}])) == words
