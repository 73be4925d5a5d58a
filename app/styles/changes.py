"""What a version of a style changed, in words: every setting and every option that determines a look."""

from collections.abc import Callable, Sequence
from typing import Any

from app.languages import gettext as _
from app.models import Blend, ReferenceMethod, StyleVersion
from app.styles.presets import layers_words

Said = Callable[[Any], str]


def changes(before: StyleVersion, after: StyleVersion, ranked: Sequence[str] = ()) -> list[str]:
    """What `after` has that `before` had not; `ranked` as of `layers_words`."""
    said = [words(getattr(after, name)) for name, words in _settings(ranked).items() if _differ(before, after, name)]
    return [*_of_references(before, after), *said]


def in_words(before: StyleVersion | None, after: StyleVersion, ranked: Sequence[str] = ()) -> str:
    """The changes as a line of a history."""
    if before is None:
        return _("First version")
    said = _(", ").join(changes(before, after, ranked)) or _("changed")
    return said[:1].upper() + said[1:]


def _differ(before: StyleVersion, after: StyleVersion, name: str) -> bool:
    return bool(getattr(before, name) != getattr(after, name))


def _settings(ranked: Sequence[str]) -> dict[str, Said]:
    """Each setting of a version, and how its new value is said."""
    return {
        "strength": lambda value: _("strength %(strength)s", strength=f"{value:g}"),
        "text": lambda value: _("new text") if value else _("no text"),
        "reference_prompt": lambda _value: _("new words for what the picture shows"),
        "drawn_as": lambda _value: _("new translation"),
        "method": lambda value: _("noise") if value == ReferenceMethod.NOISE else _("inversion"),
        "scale": lambda value: _("scale %(value)s", value=f"{value:g}"),
        "share_group_norm": lambda on: _("shared group norm") if on else _("no shared group norm"),
        "adain_values": lambda on: _("AdaIN on values") if on else _("no AdaIN on values"),
        "layers": lambda value: layers_words(value, ranked),
        "calibration": lambda value: _("colour calibration %(value)s", value=f"{value:g}"),
        "calibration_start": lambda value: _("calibration from %(value)s", value=f"{value:g}"),
        "calibration_end": lambda value: _("calibration until %(value)s", value=f"{value:g}"),
        "reference_queries": lambda value: _("reference queries %(value)s", value=f"{value:g}"),
        "subject_attention": lambda value: _("attention to the subject %(value)s", value=f"{value:g}"),
        "blend": lambda value: (
            _("references blended on a sphere") if value == Blend.SPHERE else _("references by weight")
        ),
    }


def _of_references(before: StyleVersion, after: StyleVersion) -> list[str]:
    old, new = before.references, after.references
    if [each.reference_id for each in old] != [each.reference_id for each in new]:
        return [_("new picture")]
    weights = [each.weight for each in new]
    crops = [[(each.crop_x, each.crop_y, each.crop_width, each.crop_height) for each in all] for all in (old, new)]
    return [
        *(
            [_("weights %(weights)s", weights=_(", ").join(f"{each:g}" for each in weights))]
            if [each.weight for each in old] != weights
            else []
        ),
        *([_("new crop")] if crops[0] != crops[1] else []),
    ]
