"""A picture that shows whether an engine works at all. It is nobody's, and nobody keeps it."""

from app.engine.base import ModelFacts
from app.engine.events import Unit, UnitImage

TRIAL_ID = 0  # no unit of the queue has it
STEPS = 2


def trial(model: ModelFacts) -> Unit:
    """A picture that takes little: half as wide and high as the model's usual ones, without a reference."""
    multiple = model.size_multiple
    width, height = (max(side // 2 // multiple, 1) * multiple for side in model.default_size)
    return Unit(
        id=TRIAL_ID,
        images=(UnitImage(0, "a picture", 0),),
        references=(),
        method="noise",
        strength=1.0,
        scale=1.0,
        share_group_norm=True,
        adain_values=False,
        negative_prompt="",
        width=width,
        height=height,
        steps=STEPS,
        guidance=model.default_guidance,
        scheduler=model.schedulers[0],
    )
