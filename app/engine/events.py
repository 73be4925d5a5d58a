"""What goes to an engine (a `Unit` or a `Training`) and what comes back (events).

Plain data: it may cross a process or a network.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Crop:
    """The part of a picture that is used, as shares of its width and height, 0 to 1."""

    x: float = 0.0
    y: float = 0.0
    width: float = 1.0
    height: float = 1.0


@dataclass(frozen=True)
class UnitReference:
    path: Path  # a cleaned PNG
    crop: Crop = field(default_factory=Crop)
    weight: float = 1.0
    prompt: str = ""  # what the reference shows


@dataclass(frozen=True)
class UnitImage:
    image_id: int
    prompt: str  # as the model reads it, the style's text included
    seed: int


@dataclass(frozen=True)
class UnitStructure:
    """What the images follow."""

    control: str  # the ControlNet's kind, one of `ModelFacts.controls`
    maps: tuple[Path, ...]  # one for all of the unit's images, or one for each in their order
    weight: float = 1.0  # 0 to 2
    start: float = 0.0  # the part of the denoising in which it counts, 0 to 1
    end: float = 1.0


@dataclass(frozen=True)
class UnitSubject:
    path: Path  # a LoRA in safetensors
    weight: float = 1.0  # 0 to 2
    handle: str = ""  # by which people know it


@dataclass(frozen=True)
class UnitRegion:
    """A part of every image with a prompt and a look of its own."""

    prompt: str  # as the model reads it
    mask: Path | None = None  # a PNG, white where the region is
    box: tuple[float, float, float, float] | None = None  # left, top, width, height as shares, where there is no mask
    references: tuple[UnitReference, ...] = ()  # empty: the look of the rest
    method: Literal["noise", "ddim"] = "noise"
    strength: float = 1.0  # of the references, like what follows
    scale: float = 1.0
    share_group_norm: bool = True
    adain_values: bool = True


@dataclass(frozen=True)
class Unit:
    """A batch of images of one set, with all that is needed to make them."""

    id: int
    images: tuple[UnitImage, ...]
    references: tuple[UnitReference, ...]
    method: Literal["noise", "ddim"]
    strength: float  # 0 to 2
    scale: float  # 0 to 2
    share_group_norm: bool
    adain_values: bool
    negative_prompt: str
    width: int  # px
    height: int
    steps: int
    guidance: float
    scheduler: str
    structures: tuple[UnitStructure, ...] = ()
    subjects: tuple[UnitSubject, ...] = ()
    regions: tuple[UnitRegion, ...] = ()
    seamless: bool = False


@dataclass(frozen=True)
class Training:
    """A subject to be learnt from pictures, with all that is needed to do so."""

    id: int  # of the row in the queue, as a unit's
    subject_id: int
    pictures: tuple[Path, ...]  # cleaned PNGs
    phrase: str  # what prompts will say: "sks teapot"
    class_words: str  # what kind of thing it is: "teapot"
    steps: int
    rank: int
    rate: float
    text_encoders: bool


Work = Unit | Training


@dataclass(frozen=True)
class Step:
    """Step `step` of `steps` is done: of denoising, for every image of the unit, or of a training."""

    unit_id: int
    step: int
    steps: int
    loss: float | None = None  # of a training


@dataclass(frozen=True)
class ClassPicture:
    """Before a training: the model drew picture `number` of `count` of what it must not forget."""

    unit_id: int
    number: int
    count: int


@dataclass(frozen=True)
class Sample:
    """What a subject looks like after `step` steps of its training."""

    unit_id: int
    step: int
    png: bytes


@dataclass(frozen=True)
class Trained:
    """A subject's LoRA, as a safetensors file."""

    unit_id: int
    safetensors: bytes


@dataclass(frozen=True)
class Preview:
    """What an image looks like so far, small and blurred."""

    unit_id: int
    image_id: int
    webp: bytes


@dataclass(frozen=True)
class ImageReady:
    """A finished image. `seconds` is its share of the unit's time."""

    unit_id: int
    image_id: int
    png: bytes
    seconds: float


@dataclass(frozen=True)
class ImageFailed:
    """One image cannot be made, and would fail again; the others of its unit go on. `message` is one sentence."""

    unit_id: int
    image_id: int
    message: str


@dataclass(frozen=True)
class Failed:
    """What is left of the work cannot be done. `message` is one sentence; a `transient` one may be tried again."""

    unit_id: int
    message: str
    transient: bool = False


@dataclass(frozen=True)
class Done:
    unit_id: int


Event = Step | Preview | ImageReady | ImageFailed | ClassPicture | Sample | Trained | Failed | Done
