"""Which layer of the model a tensor of a LoRA file belongs to, for any trainer's names.

Trainers name the same layer in many ways: with dots as diffusers and PEFT do, or underscores as kohya's scripts do; by
the blocks of diffusers, or by those of Stability's own code ("sgm": input_blocks, middle_block, output_blocks), which
kohya and ComfyUI use; below a prefix of their own. So every layer of the loaded model gets all its names, and a file's
are looked up. No name is rewritten by guess, and a name that is not found belongs to another model.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

UNET, ENCODER, ENCODER_2 = "unet", "text_encoder", "text_encoder_2"

# What comes before a layer's own name; PEFT saves each part alone, so its prefix says nothing about the part.
PREFIXES: Mapping[str, Sequence[str]] = {
    UNET: ("unet.", "lora_unet_", "diffusion_model.", "model.diffusion_model.", "base_model.model.unet."),
    ENCODER: ("text_encoder.", "lora_te1_", "lora_te_", "text_encoders.clip_l.transformer.", "clip_l.transformer."),
    ENCODER_2: ("text_encoder_2.", "lora_te2_", "text_encoders.clip_g.transformer.", "clip_g.transformer."),
}
ALONE = "base_model.model."

# The end of a tensor's name, and its meaning: `down` and `up` are the halves of the update.
ENDS = (
    (re.compile(r"\.(?:lora_down|lora_A|lora_A\.default|lora\.down|lora_linear_layer\.down)\.weight"), "down"),
    (re.compile(r"\.(?:lora_up|lora_B|lora_B\.default|lora\.up|lora_linear_layer\.up)\.weight"), "up"),
    (re.compile(r"\.(?:dora_scale|lora_magnitude_vector(?:\.default)?(?:\.weight)?)"), "magnitude"),
    (re.compile(r"(?:\.lora)?\.alpha"), "alpha"),
)
# diffusers' older names: "attn1.processor.to_q_lora.down.weight" belongs to "attn1.to_q".
OLDER = re.compile(r"(.*)\.to_(q|k|v|out)_lora(\.(?:down|up)\.weight|\.alpha)")

# Names that SDXL's layers have in any naming: such a layer belongs to a model of its kind, if not to this one.
OF_ITS_KIND = re.compile(r"(down|up|mid|input|middle|output)_blocks?[._]|encoder[._]layers|time_embed|conv_(in|out)")

# Names inside a residual block, in diffusers and in sgm.
RESIDUAL = {
    "conv1": "in_layers.2",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
OUTSIDE_BLOCKS = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
BLOCK = re.compile(r"(?:(down|up)_blocks\.(\d+)|mid_block)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)")


class UnknownName(ValueError):
    """A tensor whose name is none that a LoRA has, or one that another tensor of the file has too."""


class LayerNames:
    """All names of the layers of a model."""

    def __init__(self, layers: Iterable[str], layers_per_block: int) -> None:
        """`layers` are names such as "unet.conv_in", with their part first; `layers_per_block` is the UNet's."""
        self._found: dict[str, str] = {}
        self._alone: dict[str, list[str]] = {}  # for files of one part, by names that several parts may have
        for layer in layers:
            part, _, name = layer.partition(".")
            for each in _names(part, name, layers_per_block):
                for prefix in PREFIXES.get(part, ()):
                    whole = prefix + (each.replace(".", "_") if prefix.endswith("_") else each)
                    self._found.setdefault(whole, layer)
                self._alone.setdefault(each, []).append(layer)

    def candidates(self, stem: str) -> Sequence[str]:
        """The layers that a tensor's name without its end can mean; several if the file does not say which part."""
        if layer := self._found.get(stem):
            return [layer]
        return self._alone.get(stem.removeprefix(ALONE), ())


def by_stem(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Group a file's tensors by their layer's name in the file, then by meaning. Raises UnknownName."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        stem, meaning = split(name)
        if found.setdefault(stem, {}).setdefault(meaning, name) != name:
            raise UnknownName(name)
    return found


def split(name: str) -> tuple[str, str]:
    """ "unet.conv_in.lora_A.weight" -> ("unet.conv_in", "down"). Raises UnknownName."""
    plain = name.replace(".processor.", ".")
    if older := OLDER.fullmatch(plain):
        inside, which, end = older.groups()
        of_text = inside.endswith("self_attn")
        layer = f"{which}_proj" if of_text else "to_out.0" if which == "out" else f"to_{which}"
        plain = f"{inside}.{layer}.lora{end}"
    for pattern, meaning in ENDS:
        found = pattern.search(plain)
        if found and found.end() == len(plain):
            return plain[: found.start()], meaning
    raise UnknownName(name)


def is_kindred(stem: str) -> bool:
    """Whether a name without its end is one that models such as SDXL have."""
    prefixes = (ALONE, *(prefix for each in PREFIXES.values() for prefix in each))
    bare = stem.removeprefix(next(filter(stem.startswith, prefixes), ""))
    return OF_ITS_KIND.match(bare.removeprefix("text_model").lstrip("._")) is not None


def _names(part: str, name: str, layers_per_block: int) -> list[str]:
    """The names of one layer within its part."""
    if part == UNET:
        return [name, *_in_sgm(name, layers_per_block)]
    short = name.removeprefix("text_model.")  # versions of transformers differ by this level
    return [short, f"text_model.{short}"]


def _in_sgm(name: str, layers_per_block: int) -> list[str]:
    """A UNet layer's names in Stability's code."""
    if outside := OUTSIDE_BLOCKS.get(name):
        return [outside]
    found = BLOCK.fullmatch(name)
    if not found:
        return []
    way, block, kind, number, rest = found[1], int(found[2] or 0), found[3], int(found[4]), found[5]
    first = (layers_per_block + 1) * block
    place = 1 if kind == "attentions" else 0
    rest = RESIDUAL.get(rest, rest) if kind == "resnets" else rest
    if way is None:
        return [f"middle_block.{2 * number + place}.{rest}"]
    if kind == "downsamplers":
        return [f"input_blocks.{first + layers_per_block + 1}.0.op"]
    if way == "down":
        return [f"input_blocks.{first + number + 1}.{place}.{rest}"]
    if kind == "upsamplers":  # after the attention, if the block has one
        return [f"output_blocks.{first + layers_per_block}.{last}.{rest}" for last in (1, 2)]
    return [f"output_blocks.{first + number}.{place}.{rest}"]
