"""Subjects: the model learns an unknown thing and draws it in several looks; nothing else changes."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image, ImageDraw
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from app.style_aligned import ModelError, Region, Sharing, Structure, Studio, subjects
from app.style_aligned.dreambooth import (
    Finished,
    PriorImage,
    Recipe,
    Sample,
    TrainingEvent,
    TrainStep,
    rare_words,
    train,
)
from app.style_aligned.subjects import PHRASE, Adapted, phrase_in
from tests.demo import HALF, SMALL, SQUARE
from tests.style_aligned.conftest import ready
from tests.style_aligned.drawings import drawing, likeness

QUICK = Recipe("sks toy", "toy", steps=6, rank=2, rate=1e-3, batch=1, priors=2, sample_every=0, keep_every=2)
EVERY_PART = replace(QUICK, rate=1e-2, text_encoders=True)
PLAIN = Sharing(0.0)


@pytest.fixture(scope="module")
def studio() -> Studio:
    """A separate studio, because adapters add layers to it. Its pictures of a class take few steps."""
    studio = Studio.load("demo", device="cpu")
    studio.defaults = replace(studio.defaults, steps=8, size=SMALL)
    return studio


@contextmanager
def whole_pictures(studio: Studio) -> Iterator[None]:
    """For the duration, the studio draws in the model's own size."""
    usual = studio.defaults
    studio.defaults = replace(usual, size=SQUARE)
    yield
    studio.defaults = usual


@pytest.fixture(scope="module")
def drawings() -> list[Image.Image]:
    return [drawing(number) for number in range(6)]


@pytest.fixture(scope="module")
def learnt(studio: Studio, drawings: list[Image.Image], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The LoRA of the thing in the drawings: this training takes most of this module's time."""
    recipe = Recipe("sks toy", "toy", steps=100, rank=16, rate=2e-3, batch=2, priors=8, sample_every=0)
    file = tmp_path_factory.mktemp("learnt") / "toy.safetensors"
    with whole_pictures(studio):
        file.write_bytes(lora_of(train(studio, drawings, recipe)))
    return file


@pytest.fixture(scope="module")
def whole(studio: Studio, drawings: list[Image.Image]) -> list[TrainingEvent]:
    """An uninterrupted training of all parts of the model."""
    return list(train(studio, drawings, EVERY_PART))


@pytest.fixture(scope="module")
def quick(whole: list[TrainingEvent], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA of all parts of the model, changed a little by a few steps."""
    file = tmp_path_factory.mktemp("quick") / "quick.safetensors"
    file.write_bytes(lora_of(iter(whole)))
    return file


def lora_of(events: Iterator[TrainingEvent]) -> bytes:
    return next(event.safetensors for event in events if isinstance(event, Finished))


def pixels(studio: Studio, prompts: list[str], **how: object) -> list[bytes]:
    options = {"sharing": PLAIN, "size": SMALL, "steps": 3, "preview_every": 0} | how
    return [image.picture.tobytes() for image in ready(studio.generate(prompts, **options))]  # type: ignore[arg-type]


# It works


def test_the_thing_appears_in_its_own_and_in_two_other_looks(
    studio: Studio, learnt: Path, drawings: list[Image.Image], looks: dict[str, Image.Image]
) -> None:
    """Closer to the drawings, in shape, than what the model draws for the same words and seeds without the subject."""
    subject = studio.adapter(learnt)
    cases = {
        "plain": {"sharing": PLAIN},
        "poster": {"sharing": Sharing.for_picture(), "reference": studio.reference(looks["poster-pear"], "a pear")},
        "pencil": {
            "sharing": Sharing.for_picture(),
            "reference": studio.reference(looks["pencil-handbag"], "a handbag"),
        },
    }
    prompts = ["a sks toy"] * 4
    for name, how in cases.items():
        how |= {"steps": 6, "preview_every": 0}
        with whole_pictures(studio):
            shown = [image.picture for image in ready(studio.generate(prompts, adapters=[subject], **how))]
            without = [image.picture for image in ready(studio.generate(prompts, **how))]
        with_it = np.mean([likeness(picture, drawings) for picture in shown])
        bare = np.mean([likeness(picture, drawings) for picture in without])
        print(f"{name}: likeness {with_it:.2f} with the subject, {bare:.2f} without")
        assert with_it > bare + 0.1, name
        assert with_it > 0.7, name


def test_a_subject_on_a_map_in_a_look_in_a_panorama(studio: Studio, quick: Path, looks: dict[str, Image.Image]) -> None:
    """All ingredients in one call: leaving out any one changes the picture; repeating gives the same one."""
    wide = (2 * HALF, HALF)
    outline = Image.new("RGB", wide)
    ImageDraw.Draw(outline).ellipse((HALF // 3, HALF // 6, HALF, HALF - 9), outline="white", width=3)
    everything = {
        "adapters": [studio.adapter(quick)],
        "structures": [Structure(studio.control("edges"), [outline])],
        "regions": [Region.box("a fox", (0.5, 0, 0.5, 1), studio.reference(looks["neon-guitar"]))],
        "seamless": True,
    }
    common = {"size": wide, "sharing": Sharing.for_picture(), "reference": studio.reference(looks["poster-pear"])}

    def drawn(left_out: str = "") -> bytes:
        how = {name: value for name, value in everything.items() if name != left_out}
        return pixels(studio, ["a sks toy"], **common, **how)[0]

    whole = drawn()
    assert drawn() == whole
    assert len({whole, *map(drawn, everything)}) == 1 + len(everything)


def test_a_weight_of_zero_is_bit_for_bit_no_subject(studio: Studio, quick: Path) -> None:
    def distance(weight: float) -> float:
        (picture,) = pixels(studio, ["a sks toy"], adapters=[studio.adapter(quick, weight)])
        return float(np.abs(np.frombuffer(picture, np.uint8).astype(int) - plain).mean())

    plain = np.frombuffer(pixels(studio, ["a sks toy"])[0], np.uint8).astype(int)
    assert distance(0.0) == 0
    assert 0 < distance(0.3) < distance(1.5)


def test_several_subjects_together_are_neither_alone(studio: Studio, learnt: Path, quick: Path) -> None:
    one, other = studio.adapter(learnt, 0.7), studio.adapter(quick, 0.7)
    pictures = [pixels(studio, ["a sks toy"], adapters=chosen)[0] for chosen in ([one], [other], [one, other])]
    assert len(set(pictures)) == 3
    assert pixels(studio, ["a sks toy"], adapters=[other, one])[0] != pictures[0]


# Nothing else changes


def test_the_model_is_unchanged_during_and_afterwards(studio: Studio, quick: Path) -> None:
    fresh = Studio.load("demo", device="cpu")
    expected = pixels(fresh, ["a fox", "a teapot"])
    subject = studio.adapter(quick)
    assert pixels(studio, ["a fox", "a teapot"]) == expected
    assert pixels(studio, ["a fox", "a teapot"], adapters=[subject]) != expected
    assert pixels(studio, ["a fox", "a teapot"]) == expected


def test_a_generate_that_is_closed_halfway_leaves_nothing_on(studio: Studio, quick: Path) -> None:
    before = pixels(studio, ["a fox"])
    events = studio.generate(["a fox"], sharing=PLAIN, steps=5, adapters=[studio.adapter(quick)])
    next(events)
    assert pixels(studio, ["a fox"]) == before, "while the other one waits"
    events.close()
    assert pixels(studio, ["a fox"]) == before


@pytest.mark.parametrize("method", ["noise", "ddim"])
def test_references_never_see_the_subject(
    studio: Studio, quick: Path, looks: dict[str, Image.Image], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The UNet's output for references, at recording and inversion, is the same to the bit."""
    seen: dict[bool, list[torch.Tensor]] = {}
    predict = studio.sampler.__class__.call

    def spying(self: object, x: torch.Tensor, t: object, conditioning: object, hints: object = ()) -> torch.Tensor:
        output = predict(self, x, t, conditioning, hints)  # type: ignore[arg-type]
        if x.shape[0] == 1:  # the reference; there are two targets
            seen[adapted].append(output)
        return output

    monkeypatch.setattr(studio.sampler.__class__, "call", spying)
    pictures = {}
    for adapted in (False, True):
        seen[adapted] = []
        reference = studio.reference(looks["poster-pear"], "a pear", method=method)  # type: ignore[arg-type]
        pictures[adapted] = pixels(
            studio,
            ["a sks toy", "a fox"],
            reference=reference,
            sharing=Sharing.for_picture(),
            adapters=[studio.adapter(quick)] if adapted else [],
        )
    assert len(seen[True]) == len(seen[False]) >= 3
    assert all(torch.equal(one, other) for one, other in zip(seen[True], seen[False], strict=True))
    assert pictures[True] != pictures[False]


def test_processors_survive(studio: Studio, quick: Path) -> None:
    before = {name: type(processor) for name, processor in studio.unet.attn_processors.items()}
    pixels(studio, ["a fox"], adapters=[studio.adapter(quick)])
    assert {name: type(processor) for name, processor in studio.unet.attn_processors.items()} == before


def test_loading_one_looks_through_the_model_once_not_for_each_layer(
    studio: Studio, quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """diffusers finds a model's number format by a walk through all of it."""
    asked: list[object] = []
    usual = type(studio.unet).dtype.fget
    monkeypatch.setattr(type(studio.unet), "dtype", property(lambda unet: asked.append(unet) or usual(unet)))
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(quick.read_bytes())
    studio.adapters.drop(studio.adapter(copy).name)
    assert 1 <= len(asked) < 10


def test_only_the_last_few_stay_loaded(
    studio: Studio, quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subjects, "MOST_LOADED", most := 2)
    before = pixels(studio, ["a fox"])
    names = []
    for number in range(most + 1):
        copy = tmp_path / f"{number}.safetensors"
        copy.write_bytes(quick.read_bytes())
        names.append(studio.adapter(copy).name)
    assert len(set(names)) == most + 1
    loaded = {name for layer in studio.adapters._layers for name in layer.lora_A}  # type: ignore[union-attr]
    assert loaded == set(names[1:])
    with pytest.raises(ValueError, match="load its file first"):
        next(studio.generate(["a fox"], adapters=[Adapted(names[0])]))
    assert pixels(studio, ["a fox"]) == before
    assert pixels(studio, ["a fox"], adapters=[Adapted(names[-1])]) != before


# Training


def losses(events: Iterator[TrainingEvent]) -> list[float]:
    return [event.loss for event in events if isinstance(event, TrainStep)]


def test_the_events_of_a_training(studio: Studio, drawings: list[Image.Image]) -> None:
    events = list(train(studio, drawings, replace(QUICK, sample_every=3, flips=True, min_snr=5.0)))
    assert [event.number for event in events if isinstance(event, PriorImage)] == [1, 2]
    assert [(e.step, e.steps) for e in events if isinstance(e, TrainStep)] == [(step, 6) for step in range(1, 7)]
    samples = [event for event in events if isinstance(event, Sample)]
    assert [sample.step for sample in samples] == [3, 3, 6, 6]
    assert samples[0].picture.size == SMALL
    assert isinstance(events[-1], Finished)
    assert "lesson" not in {name for layer in studio.adapters._layers for name in layer.lora_A}  # type: ignore[union-attr]


@pytest.mark.parametrize("stopped_at", [1, 3, 4])
def test_a_stopped_training_resumes_to_the_same_end(
    studio: Studio, drawings: list[Image.Image], whole: list[TrainingEvent], tmp_path: Path, stopped_at: int
) -> None:
    events = train(studio, drawings, EVERY_PART, tmp_path)
    seen = []
    for event in events:
        seen.append(event)
        if isinstance(event, TrainStep) and event.step == stopped_at:
            break
    events.close()
    rest = list(train(studio, drawings, EVERY_PART, tmp_path))
    assert not any(isinstance(event, PriorImage) for event in rest), "the class pictures were kept"
    assert losses(iter(seen)) + losses(iter(rest)) == losses(iter(whole))
    assert lora_of(iter(rest)) == lora_of(iter(whole))


def test_a_crash_costs_no_more_than_the_steps_since_the_last_state(
    studio: Studio, drawings: list[Image.Image], whole: list[TrainingEvent], tmp_path: Path
) -> None:
    events = train(studio, drawings, EVERY_PART, tmp_path)
    for event in events:
        if isinstance(event, TrainStep) and event.step == 5:
            state = (tmp_path / "state.safetensors").read_bytes()  # as a crash would leave it: that of step 4
            break
    events.close()
    (tmp_path / "state.safetensors").write_bytes(state)
    rest = list(train(studio, drawings, EVERY_PART, tmp_path))
    assert [event.step for event in rest if isinstance(event, TrainStep)] == [5, 6]
    assert lora_of(iter(rest)) == lora_of(iter(whole))


def test_another_recipe_or_a_damaged_state_starts_over(
    studio: Studio, drawings: list[Image.Image], tmp_path: Path
) -> None:
    lora_of(train(studio, drawings, QUICK, tmp_path))
    assert len(losses(train(studio, drawings, replace(QUICK, seed=1), tmp_path))) == 6
    (tmp_path / "state.safetensors").write_bytes(b"half of it")
    (tmp_path / "class.safetensors").write_bytes(b"")
    assert len(losses(train(studio, drawings, QUICK, tmp_path))) == 6


@pytest.mark.parametrize("count", [2, 21])
def test_too_few_and_too_many_pictures(studio: Studio, drawings: list[Image.Image], count: int) -> None:
    with pytest.raises(ValueError, match=f"needs 3 to 20 pictures; {count} were given"):
        next(train(studio, (drawings * 4)[:count], QUICK))


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"rank": 0}, {"rate": 1.0}, {"batch": 0}, {"phrase": ""}])
def test_a_wrong_recipe(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be between|are needed"):
        replace(QUICK, **wrong)  # type: ignore[arg-type]


def test_rare_words_are_those_in_few_pieces(studio: Studio) -> None:
    tokenizers = [studio.pipeline.tokenizer, studio.pipeline.tokenizer_2]
    words = rare_words(tokenizers)
    pieces = [sum(len(t(word, add_special_tokens=False)["input_ids"]) for t in tokenizers) for word in words]
    assert pieces == sorted(pieces)
    assert words[0] == "sks"


# Files


def test_the_file_is_one_that_diffusers_itself_loads(studio: Studio, quick: Path) -> None:
    """With all of its weights, into another pipeline, where it draws the same."""
    with safe_open(quick, "pt") as file:
        metadata = file.metadata()
    assert metadata[PHRASE] == phrase_in(quick.read_bytes()) == "sks toy"
    assert (metadata["soroe.class"], metadata["soroe.model"], metadata["soroe.steps"]) == ("toy", "demo", "6")
    theirs = Studio.load("demo", device="cpu")
    pipeline: StableDiffusionXLPipeline = theirs.pipeline
    pipeline.load_lora_weights(str(quick.parent), weight_name=quick.name, adapter_name="theirs")
    assert set(pipeline.get_list_adapters()) == {"unet", "text_encoder", "text_encoder_2"}
    assert pixels(theirs, ["a sks toy"]) == pixels(studio, ["a sks toy"], adapters=[studio.adapter(quick)])


PREFIXES = {"unet": "lora_unet", "text_encoder": "lora_te1", "text_encoder_2": "lora_te2"}


def as_kohya(weights: dict[str, torch.Tensor], alpha: float = 1.0) -> dict[str, torch.Tensor]:
    """The same LoRA under kohya's names, each layer with an alpha."""
    renamed = {}
    for key, weight in weights.items():
        part, _, rest = key.partition(".")
        name, _, half = rest.partition(".lora_")
        base = f"{PREFIXES[part]}_{name.replace('.', '_')}"
        renamed[f"{base}.lora_{'down' if half.startswith('A') else 'up'}.weight"] = weight
        renamed[f"{base}.alpha"] = torch.tensor(alpha)
    return renamed


def as_peft(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The UNet's part as PEFT saves it alone."""
    return {key.replace("unet.", "base_model.model."): w for key, w in weights.items() if key.startswith("unet.")}


def as_comfy(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The UNet's part under the names of Stability's code, for the demo model's two blocks of one layer."""
    blocks = {
        "down_blocks.0.attentions.0.": "input_blocks.1.1.",
        "down_blocks.1.attentions.0.": "input_blocks.3.1.",
        "mid_block.attentions.0.": "middle_block.1.",
        "up_blocks.0.attentions.0.": "output_blocks.0.1.",
        "up_blocks.0.attentions.1.": "output_blocks.1.1.",
        "up_blocks.1.attentions.0.": "output_blocks.2.1.",
        "up_blocks.1.attentions.1.": "output_blocks.3.1.",
    }
    renamed = {}
    for key, weight in weights.items():
        if key.startswith("unet."):
            block = next(each for each in blocks if each in key)
            renamed[key.replace(f"unet.{block}", f"diffusion_model.{blocks[block]}")] = weight
    return renamed


def as_older(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The UNet's part under diffusers' older names."""
    renamed = {}
    for key, weight in weights.items():
        name, _, half = key.partition(".lora_")
        end = f"{'down' if half.startswith('A') else 'up'}.weight"
        where, _, layer = name.removesuffix(".0").rpartition(".")
        if key.startswith("unet.") and layer.startswith("to_"):
            renamed[f"{where}.processor.{layer}_lora.{end}"] = weight
        elif key.startswith("unet."):
            renamed[f"{name}.lora.{end}"] = weight
    return renamed


def saved(weights: dict[str, torch.Tensor], folder: Path, name: str = "given") -> Path:
    file = folder / f"{name}.safetensors"
    save_file({key: weight.contiguous() for key, weight in weights.items()}, file)
    return file


def test_a_file_in_kohyas_format_draws_what_it_should(studio: Studio, quick: Path, tmp_path: Path) -> None:
    """Its alpha is half of the rank, so twice the weight is the original."""
    kohya = studio.adapter(saved(as_kohya(load_file(quick)), tmp_path), 2.0)
    ours = studio.adapter(quick)
    assert pixels(studio, ["a sks toy"], adapters=[kohya]) == pixels(studio, ["a sks toy"], adapters=[ours])


@pytest.mark.parametrize("style", [as_peft, as_comfy, as_older])
def test_each_way_of_naming_draws_the_same(
    studio: Studio, quick: Path, tmp_path: Path, style: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]
) -> None:
    weights = load_file(quick)
    plain = saved({key: w for key, w in weights.items() if key.startswith("unet.")}, tmp_path, "plain")
    given = saved(style(weights), tmp_path)
    assert len(load_file(given)) == len(load_file(plain))
    ours, theirs = (pixels(studio, ["a sks toy"], adapters=[studio.adapter(each)]) for each in (plain, given))
    assert ours == theirs
    assert ours != pixels(studio, ["a sks toy"])


@pytest.mark.parametrize("layers", ["q_proj", "fc1", "v_proj"])
def test_kohyas_text_encoders_need_no_particular_layer(studio: Studio, tmp_path: Path, layers: str) -> None:
    """A file without `out_proj` was called not for SDXL."""
    weights = {}
    for layer, shape in studio.adapters.shapes.items():
        if layer.startswith("text_encoder") and layer.endswith(layers):
            out, inside = shape
            weights[f"{layer}.lora_A.weight"] = torch.full((2, inside), 0.05)
            weights[f"{layer}.lora_B.weight"] = torch.full((out, 2), 0.05)
    adapter = studio.adapter(saved(as_kohya(weights, 2.0), tmp_path))
    assert pixels(studio, ["a fox"], adapters=[adapter]) != pixels(studio, ["a fox"])


def test_a_dora_draws_what_its_equal_lora_does(studio: Studio, quick: Path, tmp_path: Path) -> None:
    """A DoRA whose magnitudes are the norms of the changed weights is the plain LoRA, at weight 1."""
    weights = {key: w for key, w in load_file(quick).items() if key.startswith("unet.")}
    modules = dict(Studio.load("demo", device="cpu").pipeline.unet.named_modules())
    dora = as_kohya(weights, 2.0)
    for key, down in weights.items():
        name, _, half = key.removeprefix("unet.").partition(".lora_")
        if half == "A.weight":
            changed = modules[name].weight + weights[f"unet.{name}.lora_B.weight"] @ down
            dora[f"lora_unet_{name.replace('.', '_')}.dora_scale"] = changed.norm(dim=1, keepdim=True).detach()
    plain, given = studio.adapter(saved(weights, tmp_path, "plain")), studio.adapter(saved(dora, tmp_path))
    ours, theirs = (
        np.frombuffer(pixels(studio, ["a sks toy"], adapters=[each])[0], np.uint8).astype(int)
        for each in (plain, given)
    )
    assert np.abs(ours - theirs).max() <= 2
    doubled = {key: w * 1.2 if "dora_scale" in key else w for key, w in dora.items()}
    other = np.frombuffer(
        pixels(studio, ["a sks toy"], adapters=[studio.adapter(saved(doubled, tmp_path, "other"))])[0], np.uint8
    )
    assert np.abs(other.astype(int) - ours).max() > 10
    off = replace(given, weight=0.0)
    assert pixels(studio, ["a sks toy"], adapters=[off]) == pixels(studio, ["a sks toy"])


def altered(quick: Path, folder: Path, kind: str) -> Path:
    file, weights = folder / "given.safetensors", load_file(quick)
    key = next(key for key in weights if "attn2.to_k.lora_A" in key)
    match kind:
        case "narrow":
            weights |= {k: w[:, :-1].contiguous() for k, w in weights.items() if "attn1.to_q.lora_A" in k}
        case "sd15":
            weights = {k: torch.zeros(2, 768) if "attn2.to_k.lora_A" in k else w for k, w in weights.items()}
        case "sdxl":
            weights = {k: torch.zeros(2, 2048) if "attn2.to_k.lora_A" in k else w for k, w in weights.items()}
        case "deeper":
            weights["unet.down_blocks.7.attentions.0.proj_in.lora_A.weight"] = torch.zeros(2, 4)
            weights["unet.down_blocks.7.attentions.0.proj_in.lora_B.weight"] = torch.zeros(4, 2)
        case "half":
            del weights[key]
        case "flux":
            weights = {k.replace("unet.", "transformer."): w for k, w in weights.items() if k.startswith("unet.")}
        case "model":
            weights = {"model.weight": torch.zeros(3)}
        case "dora":
            weights[key.replace("lora_A.weight", "dora_scale")] = torch.ones(weights[key].shape[1], 1)
        case "nothing":
            weights = {}
    save_file(weights, file)
    return file


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("narrow", "was made for another model: its"),
        ("sd15", "was made for Stable Diffusion 1.5, not for the loaded model"),
        ("sdxl", "was made for SDXL, not for the loaded model"),
        ("deeper", "the loaded one has no layer unet.down_blocks.7"),
        ("half", "is damaged: one half of its weights"),
        ("flux", "is not a LoRA for SDXL"),
        ("model", "is not a LoRA for SDXL"),
        ("dora", "needs one magnitude per output|some of its layers are a DoRA"),
        ("nothing", "holds no adapter weights"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    studio: Studio, quick: Path, tmp_path: Path, kind: str, sentence: str
) -> None:
    before = pixels(studio, ["a fox"])
    with pytest.raises(ModelError, match=sentence) as refused:
        studio.adapter(altered(quick, tmp_path, kind))
    assert str(refused.value).startswith("given.safetensors")
    assert str(refused.value).endswith(".")
    assert pixels(studio, ["a fox"]) == before


def pickled() -> bytes:
    written = io.BytesIO()
    torch.save({"weight": torch.zeros(2)}, written)
    return written.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.ckpt", b"anything", "not a safetensors file; other formats can carry code"),
        ("a.safetensors", pickled(), "not a safetensors file; other formats can carry code"),
        ("a.safetensors", b"", "damaged or not a safetensors file"),
        ("a.safetensors", b"\x10\0\0\0\0\0\0\0not json at all!", "damaged or not a safetensors file"),
    ],
)
def test_other_formats_and_damaged_files(studio: Studio, tmp_path: Path, name: str, data: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelError, match=sentence):
        studio.adapter(tmp_path / name)


def test_a_file_cut_short(studio: Studio, quick: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.safetensors").write_bytes(quick.read_bytes()[:-100])
    with pytest.raises(ModelError, match="damaged"):
        studio.adapter(tmp_path / "cut.safetensors")
    with pytest.raises(ModelError, match="There is no LoRA file"):
        studio.adapter(tmp_path / "missing.safetensors")


@pytest.mark.parametrize("weight", [-0.1, 2.5])
def test_a_weight_out_of_its_range(weight: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 2"):
        Adapted("x", weight)
