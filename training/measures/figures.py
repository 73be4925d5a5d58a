"""The figures of the model card as Markdown, filled in between the card's markers."""

from __future__ import annotations

from collections.abc import Callable

from training.measures.evaluate import SHARING_SHEET, UNSEEN_SHEET
from training.measures.examiner import Figures

DECODERS_SHEET = "demo-decoders.webp"
NOT_YET = "*Not measured yet.*"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def show_sizes(figures: Figures) -> str:
    rows = [
        [one["part"], f"{one['parameters'] / 1e6:.2f} M", f"{one['bytes'] / 2**20:.1f}"] for one in figures["parts"]
    ]
    total = [sum(one[key] for one in figures["parts"]) for key in ("parameters", "bytes")]
    rows.append(["**total**", f"**{total[0] / 1e6:.2f} M**", f"**{total[1] / 2**20:.1f}**"])
    return table(["part", "parameters", "MiB, half precision"], rows)


def show_data(figures: Figures) -> str:
    known = figures["world"]
    pictures = known["pictures"]
    return (
        f"{pictures['train']:,} pictures of {known['pixels']} x {known['pixels']} px: {known['objects']} objects in "
        f"{known['looks']} looks, {known['in_a_colour']:,} of them in a colour named in the caption, "
        f"{known['of_two_objects']:,} with two objects. Held out: {pictures['check']:,} further pictures of "
        f"known combinations of object and look, and {pictures['unseen']:,} of combinations that training never saw."
    )


def show_training(figures: Figures) -> str:
    rows = []
    for run in figures["training"]:
        measured = "; ".join(f"{name} {first:.4g} → {last:.4g}" for name, (first, last) in run["held_out"].items())
        length = [f"{run[key]:,}" for key in ("steps", "samples")]
        rows.append([run["learnt"], *length, f"{run['hours']:.1f}", measured])
    return table(["run", "steps", "samples", "hours", "held out, before → after"], rows)


def show_judge(figures: Figures) -> str:
    judge = figures["judge"]
    return (
        f"Of {judge['pictures']:,} held-out pictures, it names the object in {percent(judge['object'])} "
        f"and the look in {percent(judge['look'])}."
    )


def show_named(figures: Figures) -> str:
    named = figures["named"]
    rows = [
        ["the object", percent(named["object_found"]), "80 %"],
        ["the look", percent(named["look_found"]), "85 %"],
    ]
    mistaken = [f"{what}: {', '.join(named[key][:5])}." for what, key in _MISTAKEN.items() if named[key]]
    found = table([f"in the prompt, of {named['samples']} samples", "found", "goal"], rows)
    return "\n\n".join([found, *mistaken])


_MISTAKEN = {"Most frequent mistakes in objects": "objects_mistaken", "In looks": "looks_mistaken"}


def show_sharing(figures: Figures) -> str:
    sharing = figures["sharing"]
    without, shared = sharing["strength_0"], sharing["strength_1"]
    rows = [
        ["the reference's look is found", percent(without["look"]), percent(shared["look"]), "clearly more"],
        ["the requested object is found", percent(without["object"]), percent(shared["object"]), "70 %"],
        ["likeness to the reference (cosine)", f"{without['likeness']:.2f}", f"{shared['likeness']:.2f}", "more"],
    ]
    gain = 100 * (shared["look"] - without["look"])
    return (
        table([f"of {sharing['samples']} samples", "strength 0", "strength 1", "goal"], rows)
        + f"\n\nSharing raises agreement in look by {gain:.0f} percentage points.\n\n"
        + f"![A reference of each look; the first sample without sharing; the same with](images/{SHARING_SHEET})"
    )


def show_words(figures: Figures) -> str:
    colours, pairs = figures["colours"], figures["pairs"]
    real = pairs["in_data"] or {"both": None, "either": None}
    rows = [
        ["the requested colour", str(colours["samples"]), percent(colours["found"]), percent(colours["in_data"])],
        ["both objects of a pair", str(pairs["samples"]), percent(pairs["both"]), percent(real["both"])],
        ["at least one of them", str(pairs["samples"]), percent(pairs["either"]), percent(real["either"])],
    ]
    return table(["found", "samples", "in samples", "in pictures of the data"], rows)


def show_unseen(figures: Figures) -> str:
    prompts = " · ".join(figures["unseen"]["prompts"])
    return f"![Twelve unseen combinations](images/{UNSEEN_SHEET})\n\n{prompts}"


def show_fidelity(figures: Figures) -> str:
    found = figures["fidelity"]
    before, after = found["decoders"]
    rows = [
        ["slope of edges (99th percentile, of 255 a px)", before["slope"], after["slope"], found["slope_in_data"]],
        ["Fréchet distance to the data", before["frechet"], after["frechet"], found["frechet_in_data"]],
    ]
    digits = ((name, *(f"{value:.3g}" for value in values)) for name, *values in rows)
    head = [f"of {found['latents']} drawn latents", "128 px, enlarged", "256 px", "the data"]
    shown = f"![The same drawn latents: 128 px above, 256 px below](images/{DECODERS_SHEET})"
    return table(head, [list(row) for row in digits]) + "\n\n" + shown


# The function that writes the text between each pair of markers, and the figures that it needs.
SECTIONS: dict[str, tuple[Callable[[Figures], str], set[str]]] = {
    "sizes": (show_sizes, {"parts"}),
    "data": (show_data, {"world"}),
    "training": (show_training, {"training"}),
    "judge": (show_judge, {"judge"}),
    "named": (show_named, {"named"}),
    "sharing": (show_sharing, {"sharing"}),
    "words": (show_words, {"colours", "pairs"}),
    "unseen": (show_unseen, {"unseen"}),
    "fidelity": (show_fidelity, {"fidelity"}),
}


def filled(page: str, figures: Figures) -> str:
    """Fill in the figures between the markers of a page. Raises ValueError if a pair of markers is missing."""
    for name, (show, needed) in SECTIONS.items():
        begin, end = f"<!-- figures: {name} -->", "<!-- end -->"
        before, begun, rest = page.partition(begin)
        _, ended, after = rest.partition(end)
        if not (begun and ended):
            raise ValueError(f"the page needs a line {begin} and, after it, a line {end}")
        text = show(figures) if needed <= figures.keys() else NOT_YET
        page = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return page
