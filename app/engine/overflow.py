"""Messages for pictures and trainings whose numbers overflowed: what happened, and what to do about it."""

from app.engine.events import Training, Unit, Work
from app.style_aligned import NotFinite

STRONG = 10.0  # guidance above this is worth lowering
NARROW = "Ask an administrator to set SOROE_PRECISION to bfloat16, or to use a model whose VAE was made for float16."


def told(work: Work, error: NotFinite) -> str:
    """Say what happened, with a remedy, in a sentence for the person who requested `work`."""
    if error.decoding:
        failed = "training could not finish" if isinstance(work, Training) else "picture could not be generated"
        return f"This {failed}: {error}. {NARROW}"
    if isinstance(work, Training):
        return f"This training failed: {error}. Train again with a lower learning rate."
    return f"This picture could not be generated: the numbers overflowed. {remedy(work)}"


def remedy(unit: Unit) -> str:
    """Suggest which of a unit's settings to change."""
    handles = [f"@{subject.handle}" for subject in unit.subjects if subject.weight and subject.handle]
    causes = []
    if handles:
        causes.append(f"the weight of {' and '.join(filter(None, (', '.join(handles[:-1]), handles[-1])))}")
    elif unit.subjects:
        causes.append("the weight of its subjects")
    if unit.structures:
        causes.append("the weight of its structures")
    if unit.guidance > STRONG or not causes:
        causes.append("the guidance")
    return f"Lower {' or '.join(causes)}, or choose another scheduler."
