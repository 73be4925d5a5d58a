"""Options of sharing against the paper's setting, in one run: `python -m benchmarks.options --pairs 24 --json FILE`.

Every setting makes the same pairs of prompt and reference with the same seeds on the bundled model. Per setting, means
over the pairs of:

- *look*: `Look.distance` to the reference, 0 is identical;
- *set*: mean `Look.distance` between the pictures of one reference;
- *text*: cosine of the bundled CLIP between the picture and its prompt, which names no look;
- *leak*: how much rather the picture shows the reference's subject than its prompt: the cosine with the one less that
  with the other;
- *moved*: mean absolute difference to the paper's picture of the same pair, 0 to 255;
- *seconds*: CPU time per picture.

Differences to the paper's setting, and to ours of before there were options, are paired, with a bootstrap interval of
95 % over the pairs; the table marks with * what is surely apart from the paper's, with + from ours.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
LOOKS, SAMPLES = ROOT / "tests" / "data" / "looks", ROOT / "static" / "samples"
REFERENCES = {  # and what they show
    LOOKS / "blueprint-camera.webp": "a camera",
    LOOKS / "neon-guitar.webp": "a guitar",
    LOOKS / "pencil-handbag.webp": "a handbag",
    LOOKS / "poster-pear.webp": "a pear",
    SAMPLES / "look-poster.webp": "an owl",
    SAMPLES / "look-riso.webp": "a cat",
    SAMPLES / "look-watercolour.webp": "a tulip",
    SAMPLES / "look-pencil.webp": "a chair",
}
PROMPTS = ["a fox", "a teapot", "a house", "a car"]
STEPS, GUIDANCE, SAMPLES_OF_BOOTSTRAP = 10, 4.0, 2000
MEASURES = ("look", "set", "text", "leak", "moved", "seconds")
PAPER, OURS = "paper", "ours"


@dataclass
class Outcome:
    """What one setting made: each measure for every pair."""

    pictures: list[Image.Image] = field(default_factory=list, repr=False)
    values: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in MEASURES})


def settings(ranked: tuple[str, ...]) -> dict[str, Any]:
    """The settings to compare, by name; the first is the paper's for pictures."""
    from app.style_aligned import Sharing
    from app.style_aligned.layers import UP

    usual: dict[str, Any] = {"share_group_norm": True, "adain_values": True}
    options: dict[str, dict[str, Any]] = {
        "layers: up": {"layers": UP},
        **{f"layers: top {count}": {"layers": ranked[:count]} for count in (4, 6) if ranked},
        "colour": {"colour": 1.0},
        "colour, first half": {"colour": 1.0, "colour_steps": (0.0, 0.5)},
        "colour, second half": {"colour": 1.0, "colour_steps": (0.5, 1.0)},
        "queries 0.15": {"reference_queries": 0.15},
        "queries 0.3": {"reference_queries": 0.3},
        "queries 1": {"reference_queries": 1.0},
        "subject 0.2": {"subject_attention": 0.2},
        "subject 0": {"subject_attention": 0.0},
        "scale 0.5": {"scale": 0.5},
        "strength 0.5": {"strength": 0.5},
        "strength 2": {"strength": 2.0},
        "early colour, up": {"colour": 1.0, "colour_steps": (0.0, 0.5), "layers": UP},
        "early colour, subject 0": {"colour": 1.0, "colour_steps": (0.0, 0.5), "subject_attention": 0.0},
        "colour, up": {"colour": 1.0, "layers": UP},
        "colour, subject 0": {"colour": 1.0, "subject_attention": 0.0},
        "colour, up, subject 0": {"colour": 1.0, "layers": UP, "subject_attention": 0.0},
    }
    return {
        PAPER: Sharing(share_group_norm=True),
        "no sharing": Sharing(0.0),
        OURS: Sharing(**usual),
        **{name: Sharing(**usual | option) for name, option in options.items()},
    }


def made(studio: Any, picture: Image.Image, shows: str, prompts: list[str], sharing: Any) -> list[Image.Image]:
    """One picture per prompt in the look of a reference."""
    from app.style_aligned import ImageReady

    reference = studio.reference(picture, shows)
    how = {"sharing": sharing, "steps": STEPS, "guidance": GUIDANCE, "preview_every": 0}
    seeds = list(range(1, len(prompts) + 1))
    events = studio.generate(prompts, reference=reference, seeds=seeds, **how)
    return [event.picture for event in sorted_ready(events, ImageReady)]


def sorted_ready(events: Iterator[Any], kind: type) -> list[Any]:
    return sorted((event for event in events if isinstance(event, kind)), key=lambda event: event.index)


def measure(studio: Any, clip: Any, sharing: Any, pairs: dict[Path, list[str]], paper: Outcome | None) -> Outcome:
    """Make and measure all pairs with one setting."""
    from app.quality.look import Look

    found = Outcome()
    for file, prompts in pairs.items():
        reference, subject = Image.open(file).convert("RGB"), clip.text(REFERENCES[file])
        began = time.process_time()
        pictures = made(studio, reference, REFERENCES[file], prompts, sharing)
        seconds = (time.process_time() - began) / len(prompts)
        looks, wanted = [Look.of(picture) for picture in pictures], Look.of(reference)
        apart = float(np.mean([a.distance(b) for a, b in combinations(looks, 2)] or [0.0]))
        for prompt, picture, look in zip(prompts, pictures, looks, strict=True):
            vector = clip.picture(picture)
            text = float(vector @ clip.text(prompt))
            of_paper = paper.pictures[len(found.pictures)] if paper else picture
            difference = np.abs(np.asarray(picture, float) - np.asarray(of_paper, float)).mean()
            values = (look.distance(wanted), apart, text, float(vector @ subject) - text, float(difference), seconds)
            for name, value in zip(MEASURES, values, strict=True):
                found.values[name].append(value)
            found.pictures.append(picture)
    return found


def interval(values: list[float], base: list[float]) -> tuple[float, float]:
    """The bootstrap interval (95 %) of the mean paired difference."""
    apart = np.asarray(values) - np.asarray(base)
    draws = np.random.default_rng(0).integers(0, len(apart), (SAMPLES_OF_BOOTSTRAP, len(apart)))
    low, high = np.quantile(apart[draws].mean(1), [0.025, 0.975])
    return float(low), float(high)


def summary(found: dict[str, Outcome]) -> dict[str, Any]:
    """Per setting and measure: the mean, and the intervals of the differences to the paper's setting and to ours."""
    paper, ours = found[PAPER].values, found.get(OURS, found[PAPER]).values
    return {
        name: {
            measure: {
                "mean": float(np.mean(values)),
                "to_paper": interval(values, paper[measure]),
                "to_ours": interval(values, ours[measure]),
            }
            for measure, values in outcome.values.items()
        }
        for name, outcome in found.items()
    }


def table(results: dict[str, Any]) -> Table:
    shown = Table("setting", *MEASURES)
    for name, by_measure in results.items():
        cells = []
        for measured in by_measure.values():
            apart = {"*": measured["to_paper"], "+": measured["to_ours"]}
            sure = "".join(mark for mark, (low, high) in apart.items() if low > 0 or high < 0)
            cells.append(f"{measured['mean']:.3f}{sure}")
        shown.add_row(name, *cells)
    return shown


def main() -> None:
    from app.engine.sensitivity import ranked_layers
    from app.quality.embeddings import loaded
    from app.style_aligned import Studio

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=24, help="24 or 32")
    parser.add_argument("--only", nargs="*", help="parts of the settings' names; the baselines always run")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    studio = Studio.load("demo", device="cpu")
    clip = next(each for each in loaded("") if each.role == "clip")
    each = -(-asked.pairs // len(REFERENCES))
    pairs = dict.fromkeys(REFERENCES, PROMPTS[:each])
    found: dict[str, Outcome] = {}
    console = Console()
    for number, (name, sharing) in enumerate(settings(ranked_layers(studio, Path("data"))).items()):
        if number < 3 or not asked.only or any(part in name for part in asked.only):
            found[name] = measure(studio, clip, sharing, pairs, found.get(PAPER))
            means = {measure: round(float(np.mean(values)), 4) for measure, values in found[name].values.items()}
            console.print(name, means)
            if asked.json:
                asked.json.write_text(json.dumps(summary(found), indent=1))
    console.print(table(summary(found)))


if __name__ == "__main__":
    main()
