"""What an engine receives (a `Unit` or a `Training`) and what it sends back (events).

Plain data: it can cross a process or a network.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Crop:
    """The part of a picture to use, as fractions of its width and height, 0 to 1."""

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
    prompt: str  # as the model reads it, including the style's text
    seed: int
    strength: float | None = None  # None: the unit's
    object: str = ""  # the words of the prompt that name its main subject
    layers: tuple[str, ...] | None = None  # as of `UnitSharing`; None: the unit's


@dataclass(frozen=True)
class UnitStructure:
    """A structure for images to follow."""

    control: str  # the ControlNet's kind, one of `ModelFacts.controls`
    maps: tuple[Path, ...]  # one for all of the unit's images, or one each in their order
    weight: float = 1.0  # 0 to 2
    start: float = 0.0  # the part of the denoising in which it applies, 0 to 1
    end: float = 1.0


@dataclass(frozen=True)
class UnitSubject:
    path: Path  # a LoRA in safetensors
    weight: float = 1.0  # 0 to 2
    handle: str = ""  # the name people use for it


@dataclass(frozen=True)
class UnitSharing:
    """How images share other than in the paper; see `app.style_aligned.Sharing`. The defaults are the paper's."""

    layers: tuple[str, ...] = ()  # names of self-attention layers, or of blocks of them; empty: all
    colour: float = 0.0  # 0 to 1
    colour_start: float = 0.0  # the part of the denoising in which it applies, 0 to 1
    colour_end: float = 1.0
    reference_queries: float = 0.0  # 0 to 1
    subject_attention: float = 1.0  # 0 to 1
    blend: Literal["weight", "sphere"] = "weight"


@dataclass(frozen=True)
class UnitRegion:
    """A part of every image with its own prompt and look."""

    prompt: str  # as the model reads it
    mask: Path | None = None  # a PNG, white where the region is
    box: tuple[float, float, float, float] | None = None  # left, top, width, height as fractions, if there is no mask
    references: tuple[UnitReference, ...] = ()  # empty: the look of the rest
    method: Literal["noise", "ddim"] = "noise"
    strength: float = 1.0  # of the references, like the fields below
    scale: float = 1.0
    share_group_norm: bool = True
    adain_values: bool = True
    object: str = ""  # as of an image
    options: UnitSharing = UnitSharing()


@dataclass(frozen=True)
class Unit:
    """A batch of images of one set, with everything needed to make them."""

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
    maps: bool = False  # whether to make a `StyleMap` of each image
    options: UnitSharing = UnitSharing()
    measured: bool = False  # whether to measure the images and references, by the models of SOROE_MEASURES
    batch: int | None = None  # how many images share a batch; None: all


@dataclass(frozen=True)
class Training:
    """A subject to learn from pictures, with everything needed to do so."""

    id: int  # of the row in the queue, like a unit's
    subject_id: int
    pictures: tuple[Path, ...]  # cleaned PNGs
    phrase: str  # the trigger phrase: "sks teapot"
    class_words: str  # the kind of thing: "teapot"
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
    """Before a training: the model drew class picture `number` of `count`."""

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
    """A finished image. `seconds` is its part of the unit's time.

    `flagged` is the score of the safety check, 0 to 1, of a picture that it flagged; None for others. `subject` is the
    outline of its main subject, white, and `layout` its self-attention (`app.style_aligned.maps`), coarse: both small
    grey PNGs, None if unknown. `features` are `app.quality.features.Features` as JSON, if they were asked for.
    """

    unit_id: int
    image_id: int
    png: bytes
    seconds: float
    flagged: float | None = None
    subject: bytes | None = None
    layout: bytes | None = None
    features: dict[str, Any] | None = None


@dataclass(frozen=True)
class ReferenceMeasured:
    """The features of a unit's reference, as those of an image."""

    unit_id: int
    position: int  # from 1, in the unit's order
    features: dict[str, Any]


@dataclass(frozen=True)
class StyleMap:
    """How much of its attention each part of an image gave to its references, in a grey PNG: white is all of it.

    The PNG has a row of maps for each group of layers, and a column for each step.
    """

    unit_id: int
    image_id: int
    png: bytes
    groups: tuple[str, ...]  # "down 2": a part of the UNet, and how far latents are reduced in it
    steps: int


@dataclass(frozen=True)
class ImageFailed:
    """One image cannot be made and would fail again; the unit's other images continue. `message` is one sentence."""

    unit_id: int
    image_id: int
    message: str


@dataclass(frozen=True)
class Failed:
    """The rest of the work cannot be done. `message` is one sentence; a `transient` failure can be retried."""

    unit_id: int
    message: str
    transient: bool = False
    cause: str = ""  # of a transient failure, in a few words: the same for the same kind of error


@dataclass(frozen=True)
class Done:
    unit_id: int


Event = (
    Step
    | Preview
    | ImageReady
    | StyleMap
    | ReferenceMeasured
    | ImageFailed
    | ClassPicture
    | Sample
    | Trained
    | Failed
    | Done
)
