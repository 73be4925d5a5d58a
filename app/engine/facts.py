"""What pages, services and commands need to know about a loaded model."""

from collections.abc import Collection

from app.engine.base import ModelFacts, TrainingFacts
from app.prompts.reader import WORD, Reader
from app.style_aligned import SCHEDULERS, Studio, dreambooth
from app.style_aligned.controlnet import KINDS
from app.style_aligned.job import LONGEST
from app.style_aligned.layers import self_attentions
from app.style_aligned.loading import DEMO
from app.text import lines

MAX_SIDE_FACTOR = 8  # times the model's training side; anything larger than that side becomes a panorama
MAX_AREA = 16  # times its training area, so that one picture does not hold the queue for an hour
TRAINING = ("steps", "rank", "rate", "text_encoders")  # what a person can choose for a training


def model_facts(
    studio: Studio, name: str, controls: Collection[str], ranked_layers: tuple[str, ...] = ()
) -> ModelFacts:
    """Facts about a studio's model, named `name` by SOROE_MODEL or a command, with ControlNets for `controls`.

    `ranked_layers` are its self-attention layers, the most style-sensitive first, if that is known.
    """
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
        scheduler_steps={name: (steps[0], steps[-1]) for name, steps in studio.steps.items()},
        longest=LONGEST,
        device=str(studio.place),
        words=_things(studio),
        reader=_reader(studio),
        controls=tuple(kind for kind in KINDS if kind in controls),
        training=training_facts(studio),
        layers=tuple(self_attentions(studio.unet)),
        ranked_layers=ranked_layers,
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


def _things(studio: Studio) -> tuple[str, ...]:
    """What a small model can draw, from the list next to its weights."""
    file = DEMO / "words.txt"
    if studio.name != "demo" or not file.exists():
        return ()
    return tuple(word for word in lines(file.read_text()) if word)


def _reader(studio: Studio) -> Reader:
    """How the model's text encoders read, with every word that a small model has learned."""
    tokenizers = [studio.pipeline.tokenizer, studio.pipeline.tokenizer_2]
    others = DEMO / "other_words.txt"  # colours, looks, and the small words between them
    learned = [*_things(studio), *(lines(others.read_text()) if studio.name == "demo" else [])]
    return Reader(
        [each.backend_tokenizer for each in tokenizers],
        studio.texts.length,
        frozenset(word for words in learned for word in WORD.findall(words)),
        studio.texts.most_chunks,
    )
