"""Messages for pictures and trainings whose numbers overflowed: what happened, and what to do about it.

They are stored, in English; `app.languages.filled` finds them again.
"""

from app.engine.events import Training, Unit, Work
from app.languages import N_
from app.languages import gettext as _
from app.style_aligned import NotFinite
from app.text import listed

STRONG = 10.0  # guidance above this is worth lowering
# By which of a unit's settings are worth lowering: the weights of subjects and of structures, and the guidance.
REMEDIES = {
    (True, False, False): N_("Lower the weight of %(subjects)s, or choose another scheduler."),
    (True, True, False): N_(
        "Lower the weight of %(subjects)s or the weight of its structures, or choose another scheduler."
    ),
    (True, False, True): N_("Lower the weight of %(subjects)s or the guidance, or choose another scheduler."),
    (True, True, True): N_(
        "Lower the weight of %(subjects)s or the weight of its structures or the guidance, or choose another scheduler."
    ),
    (False, True, False): N_("Lower the weight of its structures, or choose another scheduler."),
    (False, True, True): N_("Lower the weight of its structures or the guidance, or choose another scheduler."),
    (False, False, True): N_("Lower the guidance, or choose another scheduler."),
}


def told(work: Work, error: NotFinite) -> str:
    """Say what happened, with a remedy, in sentences for the person who requested `work`."""
    if error.decoding and isinstance(work, Training):
        return _(
            "This training could not finish: %(error)s. Ask an administrator to set SOROE_PRECISION to bfloat16, or to"
            " use a model whose VAE was made for float16.",
            error=error,
        )
    if error.decoding:
        return _(
            "This picture could not be generated: %(error)s. Ask an administrator to set SOROE_PRECISION to bfloat16,"
            " or to use a model whose VAE was made for float16.",
            error=error,
        )
    if isinstance(work, Training):
        return _("This training failed: %(error)s. Train again with a lower learning rate.", error=error)
    return _("This picture could not be generated: the numbers overflowed. %(remedy)s", remedy=remedy(work))


def remedy(unit: Unit) -> str:
    """Suggest which of a unit's settings to change."""
    handles = [f"@{subject.handle}" for subject in unit.subjects if subject.weight and subject.handle]
    subjects, structures = bool(unit.subjects), bool(unit.structures)
    strong = unit.guidance > STRONG or not (subjects or structures)
    return REMEDIES[subjects, structures, strong] % {"subjects": listed(handles) or _("its subjects")}
