"""How sets are made: the paper's method, its baselines, and any other sharing, each under a name."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from app.errors import Invalid
from app.evaluation.baselines import WithoutAdaIN
from app.languages import gettext as _
from app.style_aligned import Sharing
from app.style_aligned.layers import UP
from app.text import decimal_number, slug

Kind = Literal["sharing", "picture", "all to all"]
"""Where the look comes from: the first picture's own denoising, as in the paper; the finished first picture, as if it
had been uploaded; or every picture of the set."""


@dataclass(frozen=True)
class EvaluatedSetting:
    """A named way to make sets."""

    name: str
    sharing: Sharing = field(default_factory=Sharing)
    kind: Kind = "sharing"

    def described(self) -> dict[str, Any]:
        """Everything that its pictures depend on, as plain data."""
        return {"kind": self.kind, "adain": not isinstance(self.sharing, WithoutAdaIN), **asdict(self.sharing)}


PAPER = "StyleAligned"
NONE = "no sharing"

NAMED: dict[str, EvaluatedSetting] = {
    setting.name: setting
    for setting in (
        EvaluatedSetting(NONE, Sharing(0.0)),
        EvaluatedSetting(PAPER, Sharing(1.0)),
        EvaluatedSetting("without AdaIN", WithoutAdaIN(1.0)),
        EvaluatedSetting("all to all", Sharing(0.0), "all to all"),
        EvaluatedSetting("strength 0.5", Sharing(0.5)),
        EvaluatedSetting("as an upload", Sharing.for_picture(1.0), "picture"),
        EvaluatedSetting(
            "as an upload, subject dimmed", replace(Sharing.for_picture(1.0), subject_attention=0.3), "picture"
        ),
        EvaluatedSetting("up blocks only", Sharing(1.0, layers=UP)),
        EvaluatedSetting("colours calibrated", Sharing(1.0, colour=1.0)),
        EvaluatedSetting("colours, first half", Sharing(1.0, colour=1.0, colour_steps=(0.0, 0.5))),
        EvaluatedSetting("reference queries", Sharing(1.0, reference_queries=1.0)),
    )
}


def chosen(texts: Sequence[str]) -> list[EvaluatedSetting]:
    """The settings that texts name, each once; none: all of `NAMED`. Raises Invalid."""
    settings = list(map(parse, texts)) or list(NAMED.values())
    names = [slug(setting.name) for setting in settings]  # of their folders
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Invalid("setting", _("Two settings are called %(name)s; give each its own name.", name=twice))
    return settings


def parse(text: str) -> EvaluatedSetting:
    """A setting as "all to all", by its name, or as "gentle=strength:0.6,layers:up_blocks", fields of `Sharing`.

    Raises Invalid.
    """
    name, given, rest = text.partition("=")
    name = name.strip()
    if not given:
        if name not in NAMED:
            raise Invalid(
                "setting",
                _(
                    "There is no setting %(name)s. Name one of %(known)s, or make one such as %(example)s.",
                    name=name,
                    known=", ".join(NAMED),
                    example="gentle=strength:0.6,layers:up_blocks",
                ),
            )
        return NAMED[name]
    if not slug(name):
        raise Invalid("setting", _("Put a name before the = of the setting %(text)s.", text=text))
    if name in NAMED:
        raise Invalid("setting", _("%(name)s is a setting already; choose another name.", name=name))
    parts = [part.partition(":") for part in rest.split(",") if part.strip()]
    values = {key.strip(): value.strip() for key, _colon, value in parts}
    source = values.pop("reference", "text")
    if source not in ("text", "picture"):
        raise Invalid("setting", _("reference is text or picture; %(given)s was given.", given=source))
    kind: Kind = "picture" if source == "picture" else "sharing"
    return EvaluatedSetting(name, Sharing(**{key: _value(key, value) for key, value in values.items()}), kind)


def _named(text: str) -> str:
    """A name without the blanks around it. Raises ValueError if nothing is left."""
    if not text.strip():
        raise ValueError("a name is missing")
    return text.strip()


def _value(key: str, text: str) -> Any:
    """A value of a field of `Sharing`, by its type. Raises Invalid."""
    kinds = get_type_hints(Sharing)
    if key not in kinds:
        raise Invalid("setting", _("Sharing has no %(key)s; it has %(known)s.", key=key, known=", ".join(kinds)))
    kind = kinds[key]
    parts = get_args(kind)
    example = "0.8"
    try:
        if kind is bool:
            example = "yes"
            return {"yes": True, "no": False}[text]
        if kind is str or get_origin(kind) is Literal:
            return text
        if get_origin(kind) is Sequence and str in parts:
            example = "up_blocks+mid_block"
            return tuple(_named(part) for part in text.split("+"))
        if get_origin(kind) is tuple:
            example = "0.2-0.8"
            first, last = text.split("-")
            return decimal_number(first), decimal_number(last)
        return decimal_number(text)
    except (ValueError, KeyError):
        sentence = _("%(key)s cannot be %(text)s; write it like %(example)s.", key=key, text=text, example=example)
        raise Invalid("setting", sentence) from None
