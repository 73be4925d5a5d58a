"""Faulty LoRA files: each is refused in a sentence, quickly, before anything in it is trusted."""

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig
from safetensors.torch import load, save
from torch import Tensor

from app.style_aligned import ModelError, lora_file
from app.style_aligned.subjects import PHRASE, check_lora, phrase_in
from tests import clock

LAYER = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
SHAPES = {LAYER: (8, 6)}
CONFIG = SimpleNamespace(layers_per_block=2)
DOWN, UP = f"{LAYER}.lora_A.weight", f"{LAYER}.lora_B.weight"
KOHYA = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"


def check(data: bytes) -> lora_file.LoraFile:
    return check_lora(data, "mug.safetensors", SHAPES, CONFIG)


def halves(rank: int = 2, **more: Tensor) -> dict[str, Tensor]:
    return {DOWN: torch.ones(rank, 6), UP: torch.ones(8, rank), **more}


def kohya(alpha: Tensor, rank: int = 2) -> bytes:
    down, up = torch.ones(rank, 6), torch.ones(8, rank)
    return save({f"{KOHYA}.lora_down.weight": down, f"{KOHYA}.lora_up.weight": up, f"{KOHYA}.alpha": alpha})


def packed(header: object, body: bytes = b"", length: int | None = None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + body


def one(dtype: str = "F32", shape: Any = (2, 6), offsets: Any = (0, 48), **more: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}


def with_header(change: Callable[[dict[str, Any]], None]) -> bytes:
    """A valid file with a changed header."""
    data = save(halves())
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    change(header)
    return packed(header, data[end:])


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_sound_file_is_taken_in_every_format(kind: torch.dtype) -> None:
    data = save({name: weight.to(kind) for name, weight in halves().items()}, {PHRASE: "sks mug"})
    assert check(data).phrase == phrase_in(data) == "sks mug"


@pytest.mark.parametrize("alpha", [torch.tensor(2.0), torch.tensor([1.5]), torch.tensor(1, dtype=torch.int64)])
def test_an_alpha_is_one_number_with_or_without_a_dimension(alpha: Tensor) -> None:
    assert check(kohya(alpha)).alphas == {f"{KOHYA}.alpha": alpha.item()}
    assert check(kohya(torch.tensor(2.0, dtype=torch.bfloat16))).alphas[f"{KOHYA}.alpha"] == 2


HEADERS: list[tuple[str, bytes, str]] = [
    ("a list", packed([1, 2]), "damaged or not a safetensors"),
    ("a number", packed(7), "damaged or not a safetensors"),
    ("a text", packed("text"), "damaged or not a safetensors"),
    ("nothing", packed(None), "damaged or not a safetensors"),
    ("deep", packed(b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}"), "damaged or not a safetensors"),
    ("deeper", packed(b'{"a":' + b'{"a":' * 40_000 + b"1" + b"}" * 40_001), "damaged or not a safetensors"),
    ("no UTF-8", packed(b'{"\xff\xfe": 1}'), "damaged or not a safetensors"),
    ("NaN", packed(b'{"a": NaN}'), "damaged or not a safetensors"),
    ("a huge number", packed(b'{"a": 1' + b"0" * 10_000 + b"}"), "damaged or not a safetensors"),
    ("a name twice", packed(b'{"a": {}, "a": {}}'), "damaged or not a safetensors"),
    ("a length of 2^63", packed({"a": one()}, bytes(48), 2**63), "damaged or not a safetensors"),
    ("a length beyond the file", packed({"a": one()}, b"", 2**20), "damaged or not a safetensors"),
    ("no length", packed(b"", b"", 0), "damaged or not a safetensors"),
    ("seven bytes", b"\x01" * 7, "damaged or not a safetensors"),
    ("an empty header", packed({}), "holds no adapter weights"),
    ("metadata alone", packed({"__metadata__": {}}), "holds no adapter weights"),
    ("metadata that are a list", packed({"__metadata__": [], "a": one()}, bytes(48)), "metadata are not texts"),
    ("metadata of numbers", packed({"__metadata__": {"a": 1}, "a": one()}, bytes(48)), "metadata are not texts"),
    ("a tensor that is none", packed({"a": 1}), "is not described"),
    ("a tensor without a shape", packed({"a": {"dtype": "F32"}}), "is not described"),
    ("a tensor with more", packed({"a": one(more=1)}, bytes(48)), "is not described"),
    ("a negative shape", packed({"a": one(shape=(-2, 6))}, bytes(48)), "is not described"),
    ("a shape of texts", packed({"a": one(shape=("2", 6))}, bytes(48)), "is not described"),
    ("a shape that is true", packed({"a": one(shape=(True, 6))}, bytes(48)), "is not described"),
    ("a shape of fractions", packed({"a": one(shape=(2.5, 6))}, bytes(48)), "is not described"),
    ("a huge shape", packed({"a": one(shape=(2**39, 2**39))}, bytes(48)), "another size than its shape"),
    ("a hundred dimensions", packed({"a": one(shape=(1,) * 100)}, bytes(48)), "is not described"),
    ("no dimension", packed({"a": one(shape=(), offsets=(0, 4))}, bytes(4)), r"has the shape \(?\[\]"),
    ("a zero side", packed({"a": one(shape=(0, 6), offsets=(0, 0))}), "has the shape"),
    ("one dimension", packed({"a": one(shape=(12,))}, bytes(48)), "has the shape"),
    ("whole numbers", packed({"a": one("I64", (1, 6))}, bytes(48)), "numbers of the kind I64"),
    ("yes and no", packed({"a": one("BOOL", (8, 6))}, bytes(48)), "numbers of the kind BOOL"),
    ("eight bits", packed({"a": one("F8_E4M3", (8, 6))}, bytes(48)), "numbers of the kind F8_E4M3"),
    ("no kind", packed({"a": one("X" * 5000)}, bytes(48)), "numbers of the kind X"),
    ("beyond the end", packed({"a": one(offsets=(0, 48))}, bytes(40)), "do not fill it"),
    ("backwards", packed({"a": one(offsets=(48, 0))}, bytes(48)), "another size"),
    ("far off", packed({"a": one(offsets=(2**39, 2**39 + 48))}, bytes(48)), "do not fill it"),
    ("too far off", packed({"a": one(offsets=(2**63, 2**63 + 48))}, bytes(48)), "is not described"),
    ("one over the other", packed({"a": one(), "b": one(offsets=(24, 72))}, bytes(72)), "do not fill it"),
    ("the same place", packed({"a": one(), "b": one()}, bytes(48)), "do not fill it"),
    ("a gap", packed({"a": one(), "b": one(offsets=(60, 108))}, bytes(108)), "do not fill it"),
    ("more behind", packed({"a": one()}, bytes(100)), "do not fill it"),
    ("a page-long name", packed({"a" * 5000: one()}, bytes(48)), "name has 5000 characters"),
    ("a strange name", packed({"a\n<b>": one()}, bytes(48)), "not a LoRA for SDXL"),
    (
        "blocks without number",
        packed({f"lora_unet_input_blocks_{10**6}_0.lora_down.weight": one()}, bytes(48)),
        "made for another model",
    ),
    ("an alpha of several", packed({"a.alpha": one(shape=(2, 6))}, bytes(48)), "is not one number"),
]


@pytest.mark.parametrize(("data", "sentence"), [row[1:] for row in HEADERS], ids=[row[0] for row in HEADERS])
def test_a_false_header_is_refused_in_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence) as refused:
        check(data)
    words = str(refused.value)
    assert words.startswith("mug.safetensors ")
    assert words.endswith(".")
    assert words.isprintable()
    assert len(words) < 300


@given(st.binary(max_size=200), st.integers(0, 2**64 - 1) | st.integers(0, 300), st.booleans())
def test_no_bytes_raise_anything_else(noise: bytes, length: int, sound: bool) -> None:
    """For noise, and for a valid file with something changed."""
    data = bytearray(save(halves()) if sound else noise)
    if sound:
        data[length % len(data)] = noise[0] if noise else 0
    for given_ in (bytes(data), struct.pack("<Q", length) + noise):
        with suppress(ModelError):
            check(given_)
        assert isinstance(phrase_in(given_), str)


def test_the_time_for_a_hostile_file_is_bounded() -> None:
    """A million empty tensors took half a minute; the largest and worst allowed file takes a second."""
    many = {f"t{n}": one(shape=(0,), offsets=(0, 0)) for n in range(200_000)}
    at_most = {f"unet.{'a' * 100}.{n % 100}.{n // 100}x.lora_A.weight": one("F16", (1, 1)) for n in range(12_000)}
    for place, each in enumerate(at_most.values()):
        each["data_offsets"] = (2 * place, 2 * place + 2)
    hostile = (
        packed(many),
        packed(b'{"a":[' + b"[]," * 2_700_000 + b"1]}"),
        packed(b"{" + b'"":1,' * 1_500_000 + b'"a":1}'),
        packed(at_most, bytes(24_000)),
    )
    for data in hostile:
        with clock.at_most(3), pytest.raises(ModelError):
            check(data)


# Numbers


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf"), 1e5, -1e30])
def test_weights_with_nan_or_infinity_are_refused(kind: torch.dtype, number: float) -> None:
    weights = {name: weight.to(kind) for name, weight in halves().items()}
    weights[UP][7, 1] = number
    with pytest.raises(ModelError, match="infinite or missing numbers"):
        check(save(weights))


def test_the_largest_number_is_one_that_half_precision_holds() -> None:
    for kind in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        weights = {name: weight.to(kind) for name, weight in halves().items()}
        weights[UP][0, 0] = -65504 if kind is not torch.bfloat16 else -65280
        assert check(save(weights))


def test_the_last_number_of_a_large_tensor_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lora_file, "CHUNK", 5)
    weights = halves()
    assert check(save(weights))
    weights[DOWN][1, 5] = float("nan")
    with pytest.raises(ModelError, match="infinite or missing numbers"):
        check(save(weights))


@pytest.mark.parametrize("alpha", [float("nan"), float("inf"), -1.0, 0.0, 129.0, 1e30])
def test_an_absurd_alpha_is_refused(alpha: float) -> None:
    with pytest.raises(ModelError, match=r"mug\.safetensors (cannot be used|is).*(alpha)"):
        check(kohya(torch.tensor(alpha)))
    assert check(kohya(torch.tensor(128.0)))  # 64 times the rank


def test_a_rank_beyond_all_training_is_refused() -> None:
    down, up = torch.ones(1025, 6), torch.ones(8, 1025)
    with pytest.raises(ModelError, match="rank 1025"):
        check(save({DOWN: down, UP: up}))


@pytest.mark.parametrize(
    "config",
    [
        "[]",
        "{",
        "[" * 50_000,
        '{"unet.lora_alpha": 1e30, "unet.r": 2}',
        '{"unet.lora_alpha": NaN, "unet.r": 2}',
        '{"unet.lora_alpha": "2", "unet.r": 2}',
        '{"unet.lora_alpha": 2, "unet.r": 1000000}',
        '{"unet.alpha_pattern": {"to_q": 1e9}}',
        '{"unet.lora_bias": true}',
        '{"unet.r": 2, "unet.rank_pattern": {"([a-z_.0-9]+)+!": 2}}',
        '{"unet.r": 2, "unet.alpha_pattern": {".*.*.*.*.*.*.*.*!": 2}}',
        '{"unet.r": 2, "unet.target_modules": "([a-z_.0-9]+)+!"}',
        '{"unet.r": 2, "unet.target_modules": ["to_q", 7]}',
        '{"unet.r": 2, "unet.init_lora_weights": "pissa"}',
        '{"unet.r": 2, "unet.modules_to_save": ["conv_in"]}',
        '{"unet.r": 2, "unet.layers_to_transform": [0]}',
        '{"unet.r": 2, "unet.use_qalora": true}',
        '{"unet.r": 2, "unet.bias": "all"}',
    ],
)
def test_settings_that_diffusers_would_heed_are_checked_too(config: str) -> None:
    with pytest.raises(ModelError, match=r"mug\.safetensors "):
        check(save(halves(), {"lora_adapter_metadata": config}))


def test_settings_as_diffusers_writes_them_are_taken() -> None:
    config = {"unet.r": 2, "unet.lora_alpha": 4, "unet.alpha_pattern": {}, "unet.use_dora": True, "unet.bias": "none"}
    assert check(save(halves(), {"lora_adapter_metadata": json.dumps(config)}))


def test_settings_as_peft_has_them_for_a_plain_lora_are_taken() -> None:
    settings = LoraConfig(
        r=2, lora_alpha=4, target_modules=["attn1.to_q", "to_k"], init_lora_weights="gaussian", rank_pattern={"to_k": 4}
    ).to_dict()
    config = {f"unet.{name}": list(value) if isinstance(value, set) else value for name, value in settings.items()}
    assert check(save(halves(), {"lora_adapter_metadata": json.dumps(config)}))


@pytest.mark.parametrize("shape", [(8,), (8, 1), (1, 8)])
@pytest.mark.parametrize("end", ["lora_magnitude_vector", "lora_magnitude_vector.weight", "dora_scale"])
def test_a_dora_has_one_magnitude_per_output(shape: tuple[int, ...], end: str) -> None:
    assert check(save({**halves(), f"{LAYER}.{end}": torch.ones(shape)}))
    with pytest.raises(ModelError, match="needs one magnitude per output"):
        check(save({**halves(), f"{LAYER}.{end}": torch.ones(1, 6)}))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (f"{KOHYA}.hada_w1_a", "a LoHa file"),
        (f"{KOHYA}.lokr_w1", "a LoKr file"),
        ("base_model.model.conv_in.lokr_w2_a", "a LoKr file"),
        (f"{KOHYA}.oft_blocks", "an OFT file"),
        (f"{KOHYA}.lora_mid.weight", "a LoCon with a Tucker decomposition"),
        (f"{KOHYA}.diff", "a file of full differences"),
    ],
)
def test_other_kinds_are_named(name: str, kind: str) -> None:
    with pytest.raises(ModelError, match=f"is {kind}; Soroe reads LoRA and DoRA"):
        check(save({name: torch.ones(2, 2, 2), f"{KOHYA}.alpha": torch.tensor(1.0)}))


def test_the_settings_say_the_alpha() -> None:
    settings = {"unet.r": 2, "unet.lora_alpha": 4, "unet.alpha_pattern": {"attn1.to_q": 6}}
    file = check(save(halves(), {"lora_adapter_metadata": json.dumps(settings)}))
    assert file.alpha_of(LAYER, 2) == 6
    assert file.alpha_of("unet.conv_in", 2) == 4
    assert file.alpha_of("text_encoder.conv_in", 2) == 2
    settings["unet.use_rslora"] = True
    assert check(save(halves(), {"lora_adapter_metadata": json.dumps(settings)})).alpha_of("unet.x", 4) == 8


# Metadata


def test_a_page_long_phrase_is_ignored() -> None:
    for length, phrase in ((200, "a" * 200), (201, ""), (2_000_000, "")):
        data = save(halves(), {PHRASE: "a" * length})
        assert check(data).phrase == phrase_in(data) == phrase


def test_a_name_of_a_file_stays_on_its_line() -> None:
    with pytest.raises(ModelError) as refused:
        check_lora(b"junk", "a\nb\x1b[31m" + "c" * 5000, SHAPES, CONFIG)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 200


def test_what_is_read_is_what_safetensors_reads() -> None:
    data = save(halves())
    found = check(data)
    for name, weight in load(data).items():
        each = found.tensors[name]
        numbers = np.frombuffer(data[each.start : each.end], "<f4").reshape(each.shape)
        assert np.array_equal(numbers, weight.numpy())
