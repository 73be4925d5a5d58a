"""Every field of the forms of sets and styles is explained, or belongs to one that is."""

from app.guide.lessons import LESSONS
from app.guide.settings import HIDDEN, OF_SETS, OF_STYLES, PARTS, of_lesson
from app.web.forms.sets import SetForm
from app.web.forms.styles import StyleForm

NOT_SENT = {"quality", "crop"}  # what scripts do with other fields


def test_every_field_of_a_set_is_explained() -> None:
    assert SetForm.model_fields.keys() - PARTS.keys() - {"drawn_as"} == OF_SETS.keys() - NOT_SENT


def test_every_field_of_a_style_is_explained() -> None:
    assert StyleForm.model_fields.keys() - PARTS.keys() - HIDDEN == OF_STYLES.keys() - NOT_SENT


def test_parts_belong_to_something_that_is_explained() -> None:
    assert set(PARTS.values()) <= OF_SETS.keys() | OF_STYLES.keys()


def test_every_explanation_is_a_sentence_and_leads_to_a_page() -> None:
    for setting in (*OF_SETS.values(), *OF_STYLES.values()):
        assert setting.says.endswith("."), setting.says
        assert len(setting.says) <= 120, setting.says
        assert setting in of_lesson(setting.lesson)
        assert setting.lesson in LESSONS
