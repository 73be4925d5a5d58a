"""What pages, services and commands need to know about a loaded model."""

from collections.abc import Collection

from app.engine.base import ModelFacts, TrainingFacts
from app.style_aligned import SCHEDULERS, Studio, dreambooth
from app.style_aligned.controlnet import KINDS
from app.style_aligned.job import LONGEST
from app.style_aligned.loading import DEMO

MAX_SIDE_FACTOR = 8  # times the model's training side; anything larger than that side becomes a panorama
MAX_AREA = 16  # times its training area, so that one picture does not hold the queue for an hour
TRAINING = ("steps", "rank", "rate", "text_encoders")  # what a person can choose for a training


def model_facts(studio: Studio, name: str, controls: Collection[str]) -> ModelFacts:
    """Facts about a studio's model, named `name` by SOROE_MODEL or a command, with ControlNets for `controls`."""
    defaults = studio.defaults
    return ModelFacts(
        name=name,
        default_size=defaults.size,
        size_multiple=studio.size_multiple,
        max_side=MAX_SIDE_FACTOR * max(defaults.size),
        max_pixels=MAX_AREA * defaults.size[0] * defaults.size[1],
        schedulers=(defaults.scheduler, *(each for each in SCHEDULERS if each != defaults.scheduler)),
        default_steps=defaults.steps,
        default_guidance=defaults.guidance,
        longest=LONGEST,
        device=str(studio.place),
        words=_words(studio),
        controls=tuple(kind for kind in KINDS if kind in controls),
        training=training_facts(studio),
    )


def training_facts(studio: Studio) -> TrainingFacts:
    """The best training settings for subjects of a studio's model."""
    recipe = dreambooth.Recipe("a", "a", **dreambooth.suited(studio))
    return TrainingFacts(
        words=dreambooth.rare_words([studio.pipeline.tokenizer, studio.pipeline.tokenizer_2]),
        fewest_pictures=dreambooth.FEWEST_TRAINING_PICTURES,
        most_pictures=dreambooth.MOST_TRAINING_PICTURES,
        **{name: getattr(recipe, name) for name in TRAINING},
    )


def _words(studio: Studio) -> tuple[str, ...]:
    """What a small model can draw, from the list next to its weights."""
    file = DEMO / "words.txt"
    if studio.name != "demo" or not file.exists():
        return ()
    return tuple(word for word in file.read_text().splitlines() if word)
