"""Messages about pictures and trainings whose numbers overflowed."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.engine import overflow
from app.engine.events import Training, Unit, UnitImage, UnitStructure, UnitSubject
from app.style_aligned import NotFinite
from tests.demo import SIDE

UNIT = Unit(
    id=1,
    images=(UnitImage(7, "a fox", 1),),
    references=(),
    method="noise",
    strength=1.0,
    scale=1.0,
    share_group_norm=True,
    adain_values=True,
    negative_prompt="",
    width=SIDE,
    height=SIDE,
    steps=8,
    guidance=4.0,
    scheduler="ddim",
)
FILE = Path("mug.safetensors")
MAP = UnitStructure("edges", (Path("map.png"),))


@pytest.mark.parametrize(
    ("unit", "remedy"),
    [
        (UNIT, "Lower the guidance, or choose another scheduler."),
        (
            replace(UNIT, subjects=(UnitSubject(FILE, 1.0, "mug"),)),
            "Lower the weight of @mug, or choose another scheduler.",
        ),
        (
            replace(
                UNIT, subjects=tuple(UnitSubject(FILE, 1.0, name) for name in ("mug", "fox", "cap")), guidance=20.0
            ),
            "Lower the weight of @mug, @fox and @cap or the guidance, or choose another scheduler.",
        ),
        (
            replace(UNIT, subjects=(UnitSubject(FILE),), structures=(MAP,)),
            "Lower the weight of its subjects or the weight of its structures, or choose another scheduler.",
        ),
    ],
)
def test_a_picture_names_what_to_lower(unit: Unit, remedy: str) -> None:
    sentence = overflow.told(unit, NotFinite("the numbers of the latents overflowed"))
    assert sentence == f"This picture could not be generated: the numbers overflowed. {remedy}"


def test_a_vae_that_is_too_narrow_names_the_setting() -> None:
    error = NotFinite("the numbers of the VAE overflowed in float16", decoding=True)
    assert overflow.told(UNIT, error) == (
        "This picture could not be generated: the numbers of the VAE overflowed in float16. Ask an administrator to"
        " set "
        "SOROE_PRECISION to bfloat16, or to use a model whose VAE was made for float16."
    )


def test_a_training_names_what_to_lower() -> None:
    training = Training(1, 1, (), "sks mug", "mug", 800, 16, 1e-2, text_encoders=False)
    assert overflow.told(training, NotFinite("the numbers overflowed in step 12")) == (
        "This training failed: the numbers overflowed in step 12. Train again with a lower learning rate."
    )
