"""Make and measure the pictures of all pairs: `python -m benchmarks.adaptive.pictures FOLDER [PART OF]`.

First every pair at every fixed strength, then under the controller, which needs what is usual at strength 1. A pair is
a line of a file, added when it is finished, so the command can be killed and run again. With PART (0 the first) and OF,
it makes only its part, and another process the next.
"""

import json
import sys
import time
from dataclasses import asdict
from functools import cache, cached_property
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

import torch
from PIL import Image

from app import atomic
from app.style_aligned import ImageReady, Sharing, Studio
from app.style_aligned.layers import ALL
from benchmarks.adaptive.pairs import Clip, Pair, measured, pairs, with_article
from benchmarks.adaptive.watching import GROUPS, Controller, WatchedLayers

STRENGTHS = (0.5, 1.0, 1.5)
OFFSETS = (-0.35,)  # log-odds, from what is usual at strength 1
STEPS, SCHEDULER = 4, "dpm++"
REFERENCE_STEPS = 8
SHOWN = 27  # pairs whose pictures are kept

Line = dict[str, Any]


def lines(folder: Path, name: str) -> list[Line]:
    """The finished pairs of all parts, in order; a line that a kill cut off is not one."""
    found: list[Line] = []
    for file in folder.glob(f"{name}-*.jsonl"):
        text = file.read_text()
        found += [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
    return sorted(found, key=lambda line: int(line["number"]))


def add(file: Path, line: Line) -> None:
    text = file.read_bytes() if file.exists() else b""
    with file.open("r+b" if text else "wb") as end:
        end.seek(text.rfind(b"\n") + 1)  # over a line that a kill cut off
        end.truncate()
        end.write(json.dumps(line).encode() + b"\n")


class Maker:
    """The demo model, its judge, and the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.studio, self.clip = Studio.load("demo", "cpu"), Clip()
        self.pairs = pairs(self.clip)
        self.layers = WatchedLayers(self.studio.unet)
        self.studio.sampler.layers[(ALL, True)] = self.layers  # where Sharing.for_picture finds them
        self.reference = cache(self._reference)

    def made(self, prompts: list[str], **how: Any) -> list[Image.Image]:
        events = self.studio.generate(prompts, preview_every=0, **how)
        return [event.picture for event in events if isinstance(event, ImageReady)]

    def _reference(self, number: int) -> Image.Image:
        """The reference as the model draws it: its object, in words with its look."""
        file = self.folder / f"reference-{number:02}.png"
        if not file.exists():
            pair = next(pair for pair in self.pairs if pair.reference == number)
            prompt, how = (
                f"{with_article(pair.shown)}, {pair.look}",
                {"sharing": Sharing(0.0), "steps": REFERENCE_STEPS},
            )
            (picture,) = self.made([prompt], seeds=[60_000 + number], **how)
            with atomic.writing(file) as temporary:
                picture.save(temporary, "PNG")
        return Image.open(file).convert("RGB")

    def measure(self, asked: list[Pair], each: int, sharing: Sharing, controller: Controller, keep: str) -> list[Line]:
        """Make `each` pictures of every pair of one reference, in one batch; a line for each pair."""
        self.layers.controller = controller
        picture = self.reference(asked[0].reference)
        made = self.made(
            [pair.prompt for pair in asked for _ in range(each)],
            reference=self.studio.reference(picture),
            sharing=sharing,
            seeds=[pair.seed for pair in asked for _ in range(each)],
            steps=STEPS,
            scheduler=SCHEDULER,
            batch_size=len(asked) * each,
        )
        if len(controller.seen) != STEPS:
            raise RuntimeError(f"{STEPS} steps were to be watched; {len(controller.seen)} were")
        own = self.clip.pictures([picture])[0]
        found: list[Line] = []
        for place, pair in enumerate(asked):
            part = slice(place * each, (place + 1) * each)
            if pair.number % (len(self.pairs) // SHOWN) == 0:
                for number, shown in enumerate(made[part]):
                    shown.save(self.folder / f"{keep}-{pair.number:03}-{number}.png")
            odds = [{group: seen[part] for group, seen in step.items()} for step in controller.seen]
            likeness = float(own @ self.clip.texts([pair.prompt])[0])
            measures = measured(pair, picture, made[part], self.clip)
            found.append({**asdict(pair), "pictures": measures, "odds": odds, "text_likeness": likeness})
        return found

    def fixed(self, asked: list[Pair]) -> list[Line]:
        """The pairs of a reference at every fixed strength."""
        watching = Controller({}, torch.zeros(len(asked) * len(STRENGTHS)))
        sharing = Sharing.for_picture(STRENGTHS * len(asked))
        return self.measure(asked, len(STRENGTHS), sharing, watching, "fixed")

    def controlled(self, asked: list[Pair]) -> list[Line]:
        """The pairs of a reference under the controller, around what is usual of the tuning pairs at strength 1."""
        offsets = torch.tensor(OFFSETS * len(asked))
        controller = Controller(self.usual, offsets, dict.fromkeys(self.usual, offsets))
        return self.measure(asked, len(OFFSETS), Sharing.for_picture(1.0), controller, "controlled")

    @cached_property
    def usual(self) -> dict[str, list[float]]:
        """The median log-odds of m of the tuning pairs at strength 1, by group and step."""
        one, finished = STRENGTHS.index(1.0), lines(self.folder, "fixed")
        seen = [line["odds"] for line in finished if self.pairs[line["number"]].tuning]
        return {
            group: [median(odds[step][group][one] for odds in seen) for step in range(STEPS)]
            for group in GROUPS
            if group in seen[0][0]
        }


def main() -> None:
    """Make what is missing of this part."""
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    part, of = map(int, sys.argv[2:4] or (0, 1))
    folder.mkdir(parents=True, exist_ok=True)
    maker = Maker(folder)
    for name, make in (("fixed", maker.fixed), ("controlled", maker.controlled)):
        while name == "controlled" and len(lines(folder, "fixed")) < len(maker.pairs):
            time.sleep(2)  # another process makes the rest
        done = {line["number"] for line in lines(folder, name)}
        ours = [pair for pair in maker.pairs if pair.reference // 2 % of == part and pair.number not in done]
        began, made = time.process_time(), 0
        for _, asked in groupby(ours, key=lambda pair: pair.reference):
            for line in make(list(asked)):
                add(folder / f"{name}-{part}.jsonl", line)
                made += 1
            each = (time.process_time() - began) / made
            print(f"{name} {made}/{len(ours)}, {each:.2f} s of processor time each", flush=True)


if __name__ == "__main__":
    main()
