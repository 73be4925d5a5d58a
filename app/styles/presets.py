"""Ways of sharing in people's words: each sets the numbers that are folded away beneath.

A preset is not stored: a version has the numbers, and is called what has the same ones, or "own settings".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from app.languages import N_, ngettext
from app.languages import gettext as _

OWN = "own"
UPPER = ("up_blocks",)  # the upper half of the layers
USUAL: Mapping[str, Any] = MappingProxyType(
    {
        "scale": 1.0,
        "share_group_norm": True,
        "adain_values": True,
        "layers": (),
        "calibration": 0.0,
        "calibration_start": 0.0,
        "calibration_end": 1.0,
        "reference_queries": 0.0,
        "subject_attention": 1.0,
    }
)
"""The numbers that a preset sets; these are the paper's for pictures, with AdaIN on values."""


@dataclass(frozen=True)
class Preset:
    """A choice in the form of a style."""

    key: str  # as the form sends it
    label: str  # a message
    says: str  # a message: what it is good for
    values: Mapping[str, Any]  # all of `USUAL`'s names

    def is_what(self, values: Mapping[str, Any]) -> bool:
        """Whether these values, of a spec or a version, are this preset's."""
        return all(_plain(values.get(name)) == _plain(value) for name, value in self.values.items())


def _preset(key: str, label: str, says: str, **values: Any) -> Preset:
    return Preset(key, label, says, MappingProxyType({**USUAL, **values}))


BALANCED = _preset(
    "balanced", N_("Balanced"), N_("The look of the reference, the subject of the prompt. Right for most styles.")
)
PRESETS: Mapping[str, Preset] = {
    each.key: each
    for each in (
        _preset(
            "closest",
            N_("Closest look"),
            N_("Colours exactly as in the reference, for series that stand next to each other."),
            calibration=1.0,
            calibration_end=0.5,
        ),
        BALANCED,
        _preset(
            "no_copying",
            N_("No copying"),
            N_("Least of the reference’s subject shows through; the look is a little freer."),
            layers=UPPER,
        ),
        _preset(
            "published",
            N_("As published"),
            N_("The setting of the StyleAligned paper. Looks vary more than with “Balanced”."),
            adain_values=False,
        ),
    )
}


def preset_of(values: Mapping[str, Any]) -> str:
    """The key of the preset with these values, or `OWN`."""
    return next((key for key, preset in PRESETS.items() if preset.is_what(values)), OWN)


def layers_words(layers: Sequence[str], ranked: Sequence[str] = ()) -> str:
    """Which layers share, in words. `ranked` are the model's, the most style-sensitive first; none: not known."""
    if not layers:
        return _("all layers")
    if tuple(layers) == UPPER:
        return _("upper half of the layers")
    if list(layers) == list(ranked[: len(layers)]):
        return ngettext("%(number)s most style-sensitive layer", "%(number)s most style-sensitive layers", len(layers))
    return ngettext("%(number)s layer", "%(number)s layers", len(layers))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value
