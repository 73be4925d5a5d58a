"""What every setting of the forms of sets and styles does, in a sentence and a picture.

The forms show it where the setting stands, and the pages of the guide list it. A test holds that every field of both
forms is here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.languages import N_


@dataclass(frozen=True)
class Setting:
    name: str  # of the field
    label: str  # a message, as on the form
    says: str  # a message: one sentence
    lesson: str  # the page of the guide that tells more
    picture: str  # in static/guide/

    @property
    def id(self) -> str:
        """Of its explanation on a page."""
        return f"why-{self.name}"


def _by_name(form: str, *settings: tuple[str, str, str, str]) -> dict[str, Setting]:
    return {
        name: Setting(name, label, says, lesson, f"setting-{form}-{name.replace('_', '-')}")
        for name, label, says, lesson in settings
    }


OF_SETS: Mapping[str, Setting] = _by_name(
    "set",
    (
        "style",
        N_("Style"),
        N_("The look of all pictures: its reference on the left, pictures on the right."),
        "reference",
    ),
    ("prompts", N_("Prompts"), N_("What to show, one thing per line; each line becomes a picture."), "prompts"),
    (
        "strength",
        N_("Strength"),
        N_("How firmly pictures follow the reference: 0, 1 and 2 of the same prompt and seed."),
        "strength",
    ),
    (
        "size",
        N_("Format and size"),
        N_("The shape of the pictures; far from the model’s own size, things repeat or get lost."),
        "structure",
    ),
    ("count", N_("Variations"), N_("How many pictures each prompt gets, each from another seed."), "automatic"),
    (
        "quality",
        N_("Quality"),
        N_("Draft takes fewer steps: good enough to choose prompts, not to deliver. Final is on the right."),
        "automatic",
    ),
    ("name", N_("Set name"), N_("What lists and searches call the set; without one, its first prompt."), "automatic"),
    ("campaign", N_("Campaign"), N_("The folder of sets that belong together and are exported together."), "automatic"),
    (
        "structures",
        N_("Structure"),
        N_("A map that pictures follow: where things are comes from it, the look from the style."),
        "structure",
    ),
    (
        "subjects",
        N_("Subjects"),
        N_("Your own product, learned from pictures of it and shown in this style."),
        "subjects",
    ),
    (
        "regions",
        N_("Regions"),
        N_("Parts of the picture with a prompt, and if you like a style, of their own."),
        "structure",
    ),
    (
        "steps",
        N_("Steps"),
        N_("How often the model refines a picture: 4, 10 and 20. More take longer and change little."),
        "automatic",
    ),
    (
        "guidance",
        N_("Guidance"),
        N_("How literally the prompt is taken: 1, 5 and 12. Too much makes colours harsh."),
        "prompts",
    ),
    (
        "scheduler",
        N_("Scheduler"),
        N_("The way from noise to picture; with the same seed, three of them differ in details."),
        "automatic",
    ),
    (
        "seed",
        N_("Seed"),
        N_("The number that chance starts from: the same seed gives the same picture again, another a new one."),
        "strength",
    ),
    (
        "negative_prompt",
        N_("Negative prompt"),
        N_("What to keep out, in a few words: the same car without it, and with “red” in it."),
        "prompts",
    ),
    (
        "seamless",
        N_("Seamless"),
        N_("The left and right edges fit together, so that the picture can be repeated without a join."),
        "structure",
    ),
)
OF_STYLES: Mapping[str, Setting] = _by_name(
    "style",
    (
        "picture",
        N_("Picture"),
        N_("The reference: new pictures take colour, line, texture and light from it."),
        "reference",
    ),
    ("crop", N_("Crop"), N_("The part of the reference that counts; what is outside it has no influence."), "leakage"),
    ("name", N_("Name"), N_("What your team calls the look, such as “Harvest poster”."), "reference"),
    (
        "reference_prompt",
        N_("What the picture shows"),
        N_(
            "Tells the thing in the reference from its look, so that less shows through; right: with a lower scale too."
        ),
        "leakage",
    ),
    (
        "text",
        N_("Style text"),
        N_("Words for the look, added to every prompt: a picture without them, and with them."),
        "prompts",
    ),
    (
        "method",
        N_("Reference method"),
        N_("How the reference is read: by noise, in no time, or by DDIM inversion, which is slower and closer to it."),
        "layers",
    ),
    (
        "preset",
        N_("Sharing"),
        N_("How much pictures take over, in words: the same prompt with the closest look, balanced, and no copying."),
        "layers",
    ),
    (
        "scale",
        N_("Scale"),
        N_("How sharply pictures pick out parts of the reference: 0.5, 1 and 1.5. Lower shows less of its subject."),
        "leakage",
    ),
    (
        "share_group_norm",
        N_("Shared group norm"),
        N_("Takes over colour and light: the reference, a picture with it, and one without."),
        "layers",
    ),
    (
        "adain_values",
        N_("AdaIN on values"),
        N_("Takes over line and texture: the reference, a picture with it, and one without."),
        "layers",
    ),
    (
        "layers",
        N_("Layers"),
        N_("Where in the model pictures share: the reference, a picture with all layers, and with the upper half."),
        "layers",
    ),
    (
        "calibration",
        N_("Colour calibration"),
        N_("Moves the colours of each step to the reference’s: the reference, a picture without it, and one with it."),
        "layers",
    ),
    (
        "reference_queries",
        N_("Reference queries"),
        N_("Leads pictures away from the layout of the reference: the reference, without it, and with it."),
        "leakage",
    ),
    (
        "subject_attention",
        N_("Attention to the subject"),
        N_("How much the reference’s subject counts: the reference, a picture at 1, and one at 0."),
        "leakage",
    ),
) | {"strength": OF_SETS["strength"]}
# Fields of the forms that are no settings of their own, and what they belong to.
PARTS = {
    "width": "size",
    "height": "size",
    "layer_count": "layers",
    "calibration_start": "calibration",
    "calibration_end": "calibration",
    "crop_x": "crop",
    "crop_y": "crop",
    "crop_width": "crop",
    "crop_height": "crop",
    "blend": "picture",
    "reference_id": "picture",
    "sample": "picture",
    "waiting": "picture",
    "ground": "picture",
    "ground_colour": "picture",
}
HIDDEN = {"drawn_as", "style", "guide"}  # of a style's form; corrections of translations are in the lines themselves


def of_lesson(slug: str) -> list[Setting]:
    """The settings that a page of the guide tells more about, each once."""
    found = [each for each in (*OF_SETS.values(), *OF_STYLES.values()) if each.lesson == slug]
    return list(dict.fromkeys(found))
