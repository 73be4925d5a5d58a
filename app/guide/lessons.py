"""The pages of the guide in reading order, each with an exercise that opens a real form with everything filled in."""

from dataclasses import dataclass, field
from urllib.parse import urlencode

from app.languages import N_, translated

NEW_SET, NEW_STYLE, NEW_SUBJECT = "/sets/new", "/styles/new", "/subjects/new"
RIGHTS = "/references/{reference_id}/rights"
FOR_PEOPLE = ("name", "campaign", "note")  # what is filled in there is in the language of now


@dataclass(frozen=True)
class TryIt:
    """An exercise: a form, and what it is filled in with. Prompts stay English, because that is what models read."""

    does: str  # a message: the words of its button
    form: str
    values: dict[str, str] = field(default_factory=dict)
    sample: str = ""  # of a new style: app.styles.samples

    @property
    def filled(self) -> dict[str, str]:
        """What its form is filled in with, in the language of now where people read it."""
        return {name: translated(value) if name in FOR_PEOPLE else value for name, value in self.values.items()}

    @property
    def is_about_rights(self) -> bool:
        return self.form == RIGHTS

    def address(self, lesson: str, has_styles: bool) -> str:
        """Where the exercise begins: a set needs a style, so someone without any saves one from a sample first.

        Rights are always those of a sample, so that nobody states something wrong of a picture in use.
        """
        if self.is_about_rights or (self.form == NEW_SET and not has_styles):
            return f"{NEW_STYLE}?{urlencode({'sample': self.sample or 'poster', 'guide': lesson})}"
        sample = {"sample": self.sample} if self.sample and self.form == NEW_STYLE else {}
        return f"{self.form}?{urlencode(sample | self.filled)}"

    def after(self, code: str, reference_id: int) -> str:
        """Where it continues with the style that was saved for it."""
        if self.form == NEW_SET:
            return f"{self.form}?{urlencode({'style': code} | self.filled)}"
        return f"{self.form.format(reference_id=reference_id)}?{urlencode(self.filled)}"


@dataclass(frozen=True)
class Lesson:
    slug: str  # also the name of its prose
    title: str  # a message
    lead: str  # a message: what one can do after reading it
    picture: str  # the row of pictures in the index, in static/guide/
    try_it: TryIt


FOUR = "a teapot\na house\na tulip\na car"
TWELVE = "\n".join(
    f"a {thing}"
    for thing in (
        "teapot",
        "house",
        "tulip",
        "car",
        "penguin",
        "bicycle",
        "cupcake",
        "camera",
        "sailboat",
        "guitar",
        "mushroom",
        "clock",
    )
)

_ALL = (
    Lesson(
        "reference",
        N_("Choose a reference"),
        N_("One clear picture decides the look of the whole set. See what makes it clear."),
        "reference-good",
        TryIt(N_("Try it: a style from a good reference"), NEW_STYLE, sample="blueprint"),
    ),
    Lesson(
        "prompts",
        N_("Write prompts without style words"),
        N_("Name the thing and leave the look to the style. Two looks at once spoil a set."),
        "prompts-plain",
        TryIt(
            N_("Try it: four plain prompts"),
            NEW_SET,
            {"name": N_("Guide: plain prompts"), "prompts": FOUR, "seed": "7"},
            sample="poster",
        ),
    ),
    Lesson(
        "strength",
        N_("Set the strength"),
        N_("One number from 0 to 2 says how firmly pictures follow the reference."),
        "strength-1",
        TryIt(
            N_("Try it: the same prompts at 0.5"),
            NEW_SET,
            {"name": N_("Guide: strength 0.5"), "prompts": FOUR, "seed": "7", "strength": "0.5"},
            sample="blueprint",
        ),
    ),
    Lesson(
        "layers",
        N_("Choose what is shared"),
        N_("Colour and texture are shared in different layers. Switch one off to keep the other."),
        "layers-texture",
        TryIt(
            N_("Try it: a style that shares less colour"),
            NEW_STYLE,
            {"name": N_("Blueprint, own colours"), "share_group_norm": "0"},
            sample="blueprint",
        ),
    ),
    Lesson(
        "leakage",
        N_("When the reference shows through"),
        N_("Sometimes the reference’s subject appears in other pictures. Five cures, the gentle ones first."),
        "leakage-cured",
        TryIt(
            N_("Try it: a style with a lower scale"),
            NEW_STYLE,
            {"name": N_("Sticker, scale 0.5"), "scale": "0.5"},
            sample="sticker",
        ),
    ),
    Lesson(
        "structure",
        N_("Give pictures a structure"),
        N_("A map decides where things are and which shape they have; the style decides the rest."),
        "structure-set",
        TryIt(
            N_("Try it: a teapot from its outline"),
            NEW_SET,
            {"name": N_("Guide: structure"), "prompts": "a teapot", "count": "4", "seed": "3", "sample_map": "teapot"},
            sample="pencil",
        ),
    ),
    Lesson(
        "subjects",
        N_("Teach it your product"),
        N_("From a few pictures the model learns one thing, and shows it in every style."),
        "subjects-poster",
        TryIt(
            N_("Try it: train on six drawings"),
            NEW_SUBJECT,
            {"name": "Guide toy", "class_words": "toy", "sample": "toy"},
        ),
    ),
    Lesson(
        "review",
        N_("Agree on review criteria"),
        N_("Four questions in a fixed order turn opinions into decisions."),
        "review-right",
        TryIt(
            N_("Try it: a set with something to decide"),
            NEW_SET,
            {"name": N_("Guide: review"), "prompts": FOUR, "count": "3", "seed": "11"},
            sample="poster",
        ),
    ),
    Lesson(
        "rights",
        N_("Settle the rights first"),
        N_("Whose picture it is decides what may be made from it. Record it before the first set."),
        "rights",
        TryIt(
            N_("Try it: record the rights of a sample"),
            RIGHTS,
            {
                "owned_by": "Soroe project",
                "licence": "Apache License 2.0",
                "note": N_("A sample that comes with Soroe, rendered from openly licensed emoji."),
            },
            sample="poster",
        ),
    ),
    Lesson(
        "automatic",
        N_("From pilot to automatic"),
        N_("Four pictures prove a look, twelve prove a style, a template makes it routine."),
        "automatic-twelve",
        TryIt(
            N_("Try it: twelve prompts to save as a template"),
            NEW_SET,
            {"name": N_("Guide: pilot of twelve"), "campaign": N_("Guide"), "prompts": TWELVE, "seed": "7"},
            sample="poster",
        ),
    ),
)
LESSONS = {each.slug: each for each in _ALL}
