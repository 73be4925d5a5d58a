"""What a link to a form fills in, such as the guide's: parameters of its address, named like its fields."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Filled:
    @property
    def values(self) -> dict[str, str]:
        """Those that were given."""
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(frozen=True)
class FilledSet(Filled):
    """The form of a new set."""

    name: str = ""
    campaign: str = ""
    prompts: str = ""
    count: str = ""
    seed: str = ""
    strength: str = ""
    steps: str = ""
    guidance: str = ""
    negative_prompt: str = ""
    seamless: str = ""


@dataclass(frozen=True)
class FilledStyle(Filled):
    """The form of a new style. A checkbox is off by 0, and all layers share by "all"."""

    name: str = ""
    text: str = ""
    reference_prompt: str = ""
    method: str = ""
    strength: str = ""
    scale: str = ""
    share_group_norm: str = ""
    adain_values: str = ""
    preset: str = ""
    layers: str = ""
    calibration: str = ""
    reference_queries: str = ""
    subject_attention: str = ""
    guide: str = ""

    @property
    def values(self) -> dict[str, str]:
        off = {name for name in ("share_group_norm", "adain_values") if getattr(self, name) == "0"}
        if self.layers == "all":
            off.add("layers")
        return super().values | dict.fromkeys(off, "")


@dataclass(frozen=True)
class FilledSubject(Filled):
    """The form of a new subject; `sample` names pictures of `app.subjects.samples`."""

    name: str = ""
    class_words: str = ""
    sample: str = ""


@dataclass(frozen=True)
class FilledRights(Filled):
    """The rights to a reference that has none recorded."""

    owned_by: str = ""
    licence: str = ""
    source_url: str = ""
    note: str = ""
