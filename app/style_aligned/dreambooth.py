"""DreamBooth (Ruiz et al., CVPR 2023, arXiv 2208.12242) as a LoRA: pictures of one thing teach the model a phrase.

The model learns "a sks teapot" from the pictures. *Prior preservation* keeps "a teapot" unchanged: the model first
draws teapots itself, and sees them with the pictures in every step. Its teapots come in many looks, so that it learns
the thing and not the look of its photographs. Only the adapter's weights are trained, in float32, over the frozen
model.
"""

import hashlib
import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from PIL import Image
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from app.style_aligned import keeping
from app.style_aligned.events import ImageFailed, ImageReady
from app.style_aligned.finite import NotFinite, is_finite
from app.style_aligned.prompts import level
from app.style_aligned.sampler import Conditioning
from app.style_aligned.sharing import Sharing
from app.style_aligned.studio import Studio
from app.style_aligned.subjects import PARTS, PHRASE, Adapted, several_adapters

FEWEST_TRAINING_PICTURES, MOST_TRAINING_PICTURES = 3, 20
LAYERS = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2")  # of the UNet's transformers
TEXT_LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj")
NAME = "lesson"  # of the adapter while it is trained
VIEWS = 4  # of each picture: the whole, and crops of it
SMALLEST_CROP = 0.85  # of a side: otherwise the model would learn the thing cut in half
CLIP = 1.0  # of the gradient's norm
SAMPLES = 2  # pictures per sampling
CLASS_SEEDS = 2**40  # and above: noise that no sample starts from

# Words without meaning that are short in CLIP's tokenizers; "sks" is DreamBooth's own.
RARE_WORDS = ("sks", "zwx", "qvk", "xjq", "vqz", "jxw", "kzv", "wqj", "ptzx", "gvq", "bxk", "fqz")

# The looks of class pictures: SDXL and the bundled model know them all.
LOOKS = ("flat design", "watercolor", "3d render", "pencil sketch", "vintage poster", "oil painting", "papercut")


@dataclass(frozen=True)
class Recipe:
    """How to train a subject. Raises ValueError, which names the wrong value."""

    phrase: str  # what the model learns: "sks teapot"
    class_words: str  # the kind of thing: "teapot"
    steps: int = 800
    rank: int = 16
    alpha: float | None = None  # the update is scaled by alpha / rank; None: by 1
    rate: float = 1e-4
    batch: int = 1  # pictures per step, plus as many class pictures
    text_encoders: bool = False
    priors: int = 48  # class pictures; 0: none, and the whole class may turn into the thing
    prior_weight: float = 1.0
    min_snr: float | None = None  # gamma of min-SNR weighting, 5 in its paper; None: all steps weigh the same
    flips: bool = False  # also train on mirrored pictures: not for lettering
    checkpoints: bool = False  # gradient checkpointing: less memory, a third more time
    seed: int = 0
    sample_every: int = 200  # steps; 0: no samples
    keep_every: int = 100  # steps between two saved states

    def __post_init__(self) -> None:
        ranges = {
            "steps": (self.steps, 1, 20_000),
            "rank": (self.rank, 1, 256),
            "rate": (self.rate, 1e-7, 1e-1),
            "batch": (self.batch, 1, 64),
            "priors": (self.priors, 0, 1000),
            "prior_weight": (self.prior_weight, 0, 10),
        }
        for name, (value, low, high) in ranges.items():
            if not low <= value <= high:
                raise ValueError(f"{name} must be between {low:g} and {high:g}; {value:g} was given")
        if not self.phrase or not self.class_words:
            raise ValueError("a phrase and a class are needed, such as 'sks teapot' and 'teapot'")


@dataclass(frozen=True)
class PriorImage:
    """The model drew class picture `number` of `count`; training follows."""

    number: int
    count: int


@dataclass(frozen=True)
class TrainStep:
    """Step `step` of `steps` is done."""

    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class Sample:
    """Pictures drawn with the adapter after `step` steps."""

    picture: Image.Image
    step: int


@dataclass(frozen=True)
class Finished:
    """The trained LoRA, as a safetensors file."""

    safetensors: bytes


TrainingEvent = PriorImage | TrainStep | Sample | Finished


def suited(studio: Studio) -> dict[str, Any]:
    """Recipe fields that suit the loaded model: a small model learns in fewer, larger steps."""
    if max(studio.defaults.size) < 512:
        little = {"steps": 300, "rate": 1e-3, "batch": 2, "priors": 16, "sample_every": 100}
        return little | {"text_encoders": True}  # which have not learned the rare words yet
    return {"checkpoints": True}


def rare_words(tokenizers: Sequence[Any]) -> tuple[str, ...]:
    """Words without meaning to name subjects with, starting with those that these tokenizers split the least."""
    pieces = {w: sum(len(t(w, add_special_tokens=False)["input_ids"]) for t in tokenizers) for w in RARE_WORDS}
    return tuple(sorted(RARE_WORDS, key=pieces.__getitem__))


def train(
    studio: Studio, pictures: Sequence[Image.Image], recipe: Recipe, folder: Path | None = None
) -> Generator[TrainingEvent, None, None]:
    """Teach the model the thing in `pictures` (3 to 20, any size), yielding events as they happen.

    The state is saved to `folder` regularly, and when the generator is closed, which stops within a step. The next call
    with the same pictures and recipe resumes from it and gives the same result, bit for bit; another recipe starts
    over. Afterwards the studio is as it was. Raises ValueError.
    """
    if not FEWEST_TRAINING_PICTURES <= len(pictures) <= MOST_TRAINING_PICTURES:
        raise ValueError(
            f"training needs {FEWEST_TRAINING_PICTURES} to {MOST_TRAINING_PICTURES} pictures; {len(pictures)} were"
            " given"
        )
    course = _Course(studio, list(pictures), recipe, folder)
    lessons, priors = yield from course.prepared()
    with course.adapter():
        yield from course.trained(lessons, priors)


class _Course:
    """One training."""

    def __init__(self, studio: Studio, pictures: list[Image.Image], recipe: Recipe, folder: Path | None) -> None:
        self.studio, self.pictures, self.recipe, self.folder = studio, pictures, recipe, folder
        self.random = torch.Generator("cpu").manual_seed(recipe.seed)
        digest = hashlib.sha256(json.dumps([asdict(recipe), studio.identity, str(studio.place)]).encode())
        for picture in pictures:
            digest.update(picture.convert("RGB").tobytes())
        self.key = digest.hexdigest()
        self.step = 0

    # Before training: the training data, as latents.

    def prepared(self) -> Generator[PriorImage, None, tuple[Tensor, Tensor]]:
        """Prepare the latents of the pictures' views (V, C, h, w) and of the class pictures (P, C, h, w)."""
        with torch.no_grad():
            lessons = torch.cat([self.studio.encode(view) for view in self._views()])
        file = self.folder / "class.safetensors" if self.folder else None
        kept = keeping.read(file, self.key)
        if kept is None:
            drawn: list[Tensor] = []
            for number, latents in enumerate(self._class_pictures(), start=1):
                drawn.append(latents)
                yield PriorImage(number, self.recipe.priors)
            kept = {"latents": torch.cat(drawn) if drawn else lessons[:0]}
            keeping.write(file, kept, self.key)
        return lessons, kept["latents"].to(lessons.device, lessons.dtype)

    def _views(self) -> Iterator[Image.Image]:
        """Cut views of every picture: its whole middle square, then slightly smaller crops at random positions."""
        side = min(self.studio.defaults.size)
        for picture in self.pictures:
            picture = picture.convert("RGB")
            short = min(picture.size)
            for view in range(VIEWS):
                part = 1.0 if view == 0 else 1 - (1 - SMALLEST_CROP) * self._uniform()
                left, top = (
                    (length - part * short) * (0.5 if view == 0 else self._uniform()) for length in picture.size
                )
                box = (left, top, left + part * short, top + part * short)
                cut = picture.resize((side, side), Image.Resampling.LANCZOS, box)
                yield cut
                if self.recipe.flips:
                    yield cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)

    def _uniform(self) -> float:
        return torch.rand((), generator=self.random).item()

    def _prompts(self) -> list[str]:
        """Prompts for the class pictures: plain ones and every look in turn."""
        looks = ("", *LOOKS)
        plain = _with_article(self.recipe.class_words)
        texts = (f"{plain}, {looks[i % len(looks)]}" if i % len(looks) else plain for i in range(self.recipe.priors))
        return list(texts)

    def _class_pictures(self) -> Iterator[Tensor]:
        """Draw the class with the bare model: latents (1, C, h, w)."""
        if not self.recipe.priors:
            return
        prompts = self._prompts()
        seeds = [CLASS_SEEDS + self.recipe.seed * 1000 + i for i in range(len(prompts))]
        for event in self.studio.generate(prompts, sharing=Sharing(0.0), seeds=seeds, preview_every=0):
            if isinstance(event, ImageFailed):
                raise NotFinite("the numbers overflowed while preparing the training")
            if isinstance(event, ImageReady):
                yield event.latents.clone()  # tensors from inference mode cannot be trained on

    # Training.

    @contextmanager
    def adapter(self) -> Iterator[None]:
        """Add the adapter to train to the model for the duration."""
        adapters, recipe = self.studio.adapters, self.recipe
        alpha = recipe.alpha or float(recipe.rank)
        for part in self._parts():
            layers = LAYERS if part == "unet" else TEXT_LAYERS
            config = LoraConfig(r=recipe.rank, lora_alpha=alpha, target_modules=list(layers))
            module: Any = adapters.parts[part]
            with several_adapters():
                module.add_adapter(config, adapter_name=NAME)
        adapters.added(NAME, torch.float32)
        unet: Any = adapters.parts["unet"]
        try:
            if recipe.checkpoints:
                unet.enable_gradient_checkpointing()
                unet.train()  # otherwise diffusers skips gradient checkpointing; there is no dropout to turn on
            yield
        finally:
            if recipe.checkpoints:
                unet.disable_gradient_checkpointing()
                unet.eval()
            adapters.drop(NAME)

    def trained(self, lessons: Tensor, priors: Tensor) -> Iterator[TrainingEvent]:
        """Run the remaining steps, then yield the file."""
        recipe, adapters = self.recipe, self.studio.adapters
        weights = adapters.weights(NAME)
        self._begin(weights)
        optimizer = torch.optim.AdamW(weights, lr=recipe.rate)
        self._resume(weights, optimizer)
        batches = _Batches(self.studio, recipe, lessons, priors, self._prompts())
        kept = self.step
        try:
            while self.step < recipe.steps:
                with adapters.active([Adapted(NAME)]):
                    for weight in weights:
                        weight.requires_grad_(True)
                    loss = batches.loss(self.random)
                    if not is_finite(loss):
                        raise NotFinite(f"the numbers overflowed in step {self.step + 1}")
                    optimizer.zero_grad()
                    loss.backward()
                    nn.utils.clip_grad_norm_(weights, CLIP)
                    optimizer.step()
                self.step += 1
                if self.step % recipe.keep_every == 0:
                    self._keep(weights, optimizer)
                    kept = self.step
                yield TrainStep(self.step, recipe.steps, loss.item())
                if recipe.sample_every and self.step % recipe.sample_every == 0:
                    yield from self._samples()
        except NotFinite:
            self._forget()
            kept = self.step
            raise
        finally:
            if kept != self.step:
                self._keep(weights, optimizer)
        if not all(is_finite(weight) for weight in weights):
            self._forget()
            raise NotFinite("the weights overflowed in the last step")
        yield Finished(self._file())

    def _parts(self) -> tuple[str, ...]:
        return PARTS if self.recipe.text_encoders else PARTS[:1]

    def _begin(self, weights: list[nn.Parameter]) -> None:
        """Initialise the update to zero as usual, but from our own random numbers: the same in every run."""
        with torch.no_grad():
            for down, up in zip(weights[::2], weights[1::2], strict=True):
                down.copy_(torch.randn(down.shape, generator=self.random) / self.recipe.rank)
                up.zero_()

    def _samples(self) -> Iterator[Sample]:
        plain = _with_article(self.recipe.phrase)
        prompts = [plain, *(f"{plain}, {look}" for look in LOOKS)][:SAMPLES]
        events = self.studio.generate(prompts, sharing=Sharing(0.0), adapters=[Adapted(NAME)], preview_every=0)
        for event in events:
            if isinstance(event, ImageReady):
                yield Sample(event.picture, self.step)

    # The saved state.

    def _keep(self, weights: list[nn.Parameter], optimizer: torch.optim.Optimizer) -> None:
        state = {"step": torch.tensor(self.step), "random": self.random.get_state()}
        for number, weight in enumerate(weights):
            state[f"{number}.weight"] = weight.detach()
            state |= {f"{number}.{name}": value for name, value in optimizer.state[weight].items()}
        keeping.write(self.folder and self.folder / "state.safetensors", state, self.key)

    def _forget(self) -> None:
        """Delete the saved state, which would overflow again."""
        if self.folder:
            (self.folder / "state.safetensors").unlink(missing_ok=True)

    def _resume(self, weights: list[nn.Parameter], optimizer: torch.optim.Optimizer) -> None:
        state = keeping.read(self.folder and self.folder / "state.safetensors", self.key)
        if state is None:
            return
        self.step = int(state["step"])
        self.random.set_state(state["random"])
        with torch.no_grad():
            for number, weight in enumerate(weights):
                weight.copy_(state[f"{number}.weight"])
                optimizer.state[weight] = {
                    # AdamW keeps its step count on the CPU.
                    name: state[f"{number}.{name}"].to("cpu" if name == "step" else weight.device)
                    for name in ("step", "exp_avg", "exp_avg_sq")
                    if f"{number}.{name}" in state  # the first text encoder's last layer is unused, so it never learns
                }

    def _file(self) -> bytes:
        """The LoRA as diffusers writes it, with its origin in the metadata."""
        recipe = self.recipe
        scale = (recipe.alpha or recipe.rank) / recipe.rank  # into the weights, so that every reader applies it
        tensors: dict[str, Tensor] = {}
        for part in self._parts():
            prefix = part if part == "unet" else f"{part}.text_model"  # which newer transformers leave out
            module = self.studio.adapters.parts[part]
            for key, weight in module.named_parameters():
                if f".{NAME}.weight" in key:
                    name = f"{prefix}.{key.replace(f'.{NAME}.', '.').removeprefix('text_model.')}"
                    value = weight.detach() * (scale if ".lora_B." in key else 1)
                    tensors[name] = value.to("cpu", torch.float16 if self.studio.place.dtype.itemsize == 2 else None)
        return _in_order(save(tensors, self._facts()))

    def _facts(self) -> dict[str, str]:
        recipe = self.recipe
        return {
            "format": "pt",
            PHRASE: recipe.phrase,
            "soroe.class": recipe.class_words,
            "soroe.model": self.studio.name,
            "soroe.steps": str(recipe.steps),
            "soroe.pictures": str(len(self.pictures)),
        }


class _Batches:
    """Training batches: some views of the thing, and as many class pictures."""

    def __init__(self, studio: Studio, recipe: Recipe, lessons: Tensor, priors: Tensor, prompts: list[str]) -> None:
        self.studio, self.recipe, self.lessons, self.priors = studio, recipe, lessons, priors
        self.prompts = prompts
        self.lesson_prompt = _with_article(recipe.phrase)
        self.alphas = studio.pipeline.scheduler.alphas_cumprod.to(lessons.device, torch.float32)
        self.size = studio.defaults.size
        self.words: dict[str, tuple[Tensor, Tensor]] = {}  # prompts as encoded by the frozen text encoders

    def loss(self, random: torch.Generator) -> Tensor:
        """Compute the loss of a new batch: the UNet's error, with the priors weighted."""
        recipe, count = self.recipe, self.recipe.batch
        chosen = torch.randint(len(self.lessons), (count,), generator=random)
        clean, prompts = self.lessons[chosen], [self.lesson_prompt] * count
        weights = torch.full((count,), 1 / count)
        if len(self.priors):
            chosen = torch.randint(len(self.priors), (count,), generator=random)
            clean = torch.cat([clean, self.priors[chosen]])
            prompts += [self.prompts[i] for i in chosen.tolist()]
            weights = torch.cat([weights, weights * recipe.prior_weight])
        steps = torch.randint(len(self.alphas), (len(clean),), generator=random).to(clean.device)
        noise = torch.randn(clean.shape, generator=random).to(clean.device)
        alpha = self.alphas[steps].view(-1, 1, 1, 1)
        seen = alpha**0.5 * clean.float() + (1 - alpha) ** 0.5 * noise
        tokens, pooled = self._read(prompts)
        conditions = Conditioning(tokens[None], pooled[None], self.size).arguments()
        output = self.studio.unet(seen.to(clean.dtype), steps, **conditions, return_dict=False)[0]
        errors = functional.mse_loss(output.float(), self._target(clean.float(), noise, alpha), reduction="none")
        return (errors.mean((1, 2, 3)) * self._importance(alpha.flatten()) * weights.to(errors.device)).sum()

    def _read(self, prompts: list[str]) -> tuple[Tensor, Tensor]:
        """Encode prompts to tokens (N, T, C) and pooled (N, P), every time if the text encoders are trained too."""
        if self.recipe.text_encoders:
            conditioning = self.studio.condition(prompts, "", 1.0, self.size)
            return conditioning.tokens[0], conditioning.pooled[0]
        for prompt in prompts:
            if prompt not in self.words:
                with torch.no_grad():
                    conditioning = self.studio.condition([prompt], "", 1.0, self.size)
                self.words[prompt] = conditioning.tokens[0, 0], conditioning.pooled[0, 0]
        tokens, pooled = zip(*(self.words[prompt] for prompt in prompts), strict=True)
        return level(tokens), torch.stack(pooled)

    def _target(self, clean: Tensor, noise: Tensor, alpha: Tensor) -> Tensor:
        match self.studio.sampler.prediction_type:
            case "epsilon":
                return noise
            case "v_prediction":
                return alpha**0.5 * noise - (1 - alpha) ** 0.5 * clean
            case _:
                return clean

    def _importance(self, alpha: Tensor) -> Tensor:
        """Min-SNR weights (Hang et al. 2023, arXiv 2303.09556) of the loss, for this model's prediction type."""
        if self.recipe.min_snr is None:
            return torch.ones_like(alpha)
        snr = alpha / (1 - alpha)
        capped = snr.clamp(max=self.recipe.min_snr)
        match self.studio.sampler.prediction_type:
            case "epsilon":
                return capped / snr
            case "v_prediction":
                return capped / (snr + 1)
            case _:
                return capped


def _in_order(data: bytes) -> bytes:
    """Sort the header of a safetensors file: the same training gives the same file."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:end]), sort_keys=True).encode()
    header += b" " * (-len(header) % 8)  # tensors begin at a multiple of 8
    return len(header).to_bytes(8, "little") + header + data[end:]


def _with_article(words: str) -> str:
    return f"{'an' if words[:1].lower() in 'aeiou' else 'a'} {words}"
