"""The results as files: `table.csv`, `results.json`, `plot.svg`, and `report.html`, which needs no other file."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from PIL import Image

from app import atomic, csv
from app.evaluation.making import Sets
from app.evaluation.measuring import MEASURES, Values
from app.evaluation.plot import MeanPoint, plot
from app.evaluation.published import PUBLISHED, SOURCE, comparable
from app.evaluation.settings import PAPER
from app.evaluation.tables import Mean, SettingRow, rows
from app.languages import current
from app.languages import gettext as _

TEMPLATE = Path(__file__).with_name("report.html")
SHOWN = 24  # styles whose pictures are in the report
THUMBNAIL = 128  # px
DIGITS = 3


@dataclass(frozen=True)
class Results:
    """Everything that is reported."""

    sets: Sets
    measured: Mapping[str, Sequence[Values | None]]
    embedders: Mapping[str, str]
    """By measure, what it was measured with."""

    @property
    def rows(self) -> list[SettingRow]:
        return rows(self.measured, PAPER)

    def save(self, folder: Path) -> None:
        """Write all files, each completely or not at all."""
        made = self.rows
        atomic.write(folder / "table.csv", csv.BEGIN + csv.lines(table(made, self.embedders)))
        atomic.write(folder / "results.json", json.dumps(self._record(made), indent=1, ensure_ascii=False).encode())
        drawn = plotted(made, comparable(dict(self.embedders)))
        atomic.write(folder / "plot.svg", drawn.encode())
        atomic.write(folder / "report.html", page(self, made, drawn).encode())

    def _record(self, made: Sequence[SettingRow]) -> dict[str, Any]:
        plan = self.sets.plan
        return {
            "model": plan.model,
            **self.sets.identity,
            "style_in": plan.style_in,
            "settings": {setting.name: setting.described() for setting in plan.settings},
            "embedders": dict(self.embedders),
            "rows": [
                {
                    **row._asdict(),
                    "measures": {name: mean._asdict() for name, mean in row.measures.items()},
                    "against": {name: mean._asdict() for name, mean in row.against.items()},
                }
                for row in made
            ],
            "sets": [
                {
                    "style": each.style,
                    "objects": each.objects,
                    "measures": {n: v[place] for n, v in self.measured.items()},
                }
                for place, each in enumerate(plan.sets)
            ],
            "published": {"source": SOURCE, "rows": [line._asdict() for line in PUBLISHED]},
        }


def table(made: Sequence[SettingRow], embedders: Mapping[str, str]) -> list[list[csv.Cell]]:
    """The table as rows of cells: ours, then the published figures, marked as such."""
    known = [measure for measure in MEASURES if any(measure in row.measures for row in made)]
    head: list[csv.Cell] = ["source", "setting", "sets", "failed"]
    for measure in known:
        head += [measure, f"{measure} low", f"{measure} high", f"{measure} by"]
    lines = [head]
    for row in made:
        cells: list[csv.Cell] = ["ours", row.name, row.sets, row.failed]
        for measure in known:
            mean = row.measures.get(measure)
            cells += [*(round(value, 5) for value in mean), embedders[measure]] if mean else [""] * 4
        lines.append(cells)
    for line in PUBLISHED:
        cells = [f"published: {SOURCE}", line.name, 100, 0]
        values = {"alignment": (line.alignment, "CLIP"), "consistency": (line.consistency, "DINO ViT-B/8")}
        for measure in known:
            value, by = values.get(measure, ("", ""))
            cells += [value, "", "", by]
        lines.append(cells)
    return lines


def plotted(made: Sequence[SettingRow], with_published: bool) -> str:
    """The plot; with published points only if ours were measured alike."""
    points = [MeanPoint(row.name, row.measures["alignment"], row.measures["consistency"]) for row in made]
    if with_published:
        points += [
            MeanPoint(
                _("%(name)s (published)", name=line.name), _exact(line.alignment), _exact(line.consistency), False
            )
            for line in PUBLISHED
        ]
    labels = said()
    return plot(points, labels["x"], labels["y"], labels["caption"])


def _exact(value: float) -> Mean:
    return Mean(value, value, value)


def page(results: Results, made: Sequence[SettingRow], drawn: str) -> str:
    """The report as HTML that fetches nothing."""
    plan, embedders = results.sets.plan, dict(results.embedders)
    known = [measure for measure in MEASURES if any(measure in row.measures for row in made)]
    number = min(SHOWN, len(plan.sets))
    shown = sorted({place * len(plan.sets) // number for place in range(number)})
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(TEMPLATE.read_text()).render(
        language=current(),
        title=_("Evaluation of %(model)s", model=plan.model),
        lead=_lead(results),
        said=said(),
        measures=[{**meaning(measure), "by": _by(embedders[measure])} for measure in known],
        compares=_compares(embedders),
        plot=drawn,
        rows=[
            {"name": row.name, "sets": row.sets, "cells": [_cell(row, measure) for measure in known]} for row in made
        ],
        published=PUBLISHED,
        shown=_(
            "%(number)s of %(total)s styles, by the settings. The first picture of a set gives the others their look."
            " All pictures are in the folder “sets”.",
            number=len(shown),
            total=len(plan.sets),
        ),
        styles=[_style(results.sets, place) for place in shown],
    )


def _lead(results: Results) -> str:
    sets, plan = results.sets, results.sets.plan
    how = sets.identity
    width, height = how["size"]
    place = (
        _("Every prompt names the style.") if plan.style_in == "all" else _("Only the first prompt names the style.")
    )
    return " ".join(
        (
            _(
                "%(sets)s styles with four pictures each, in %(settings)s settings with the same prompts and seeds:"
                " %(steps)s steps of %(scheduler)s, guidance %(guidance)s, %(width)s × %(height)s px.",
                sets=len(plan.sets),
                settings=len(plan.settings),
                steps=how["steps"],
                scheduler=how["scheduler"],
                guidance=f"{how['guidance']:g}",
                width=width,
                height=height,
            ),
            place,
        )
    )


def _by(name: str) -> str:
    return _("Measured with %(embedder)s.", embedder=name)


def _compares(embedders: dict[str, str]) -> str:
    if comparable(embedders):
        return _(
            "The embedders are of the kinds that the paper used. The prompts are our own, so compare with its numbers"
            " with care."
        )
    return _(
        "These numbers do not compare with the published ones below: they come from other embedders, and each has its"
        " own scale. Compare the settings with each other."
    )


def _cell(row: SettingRow, measure: str) -> dict[str, str]:
    mean, against = row.measures.get(measure), row.against.get(measure)
    if mean is None:
        return {"mean": "–", "interval": "", "against": ""}
    return {
        "mean": _number(mean.mean),
        "interval": f"{_number(mean.low)} … {_number(mean.high)}",
        "against": f"Δ {_number(against.low, '+')} … {_number(against.high, '+')}" if against else "",
    }


def _number(value: float, sign: str = "") -> str:
    """With DIGITS digits and a real minus."""
    return f"{value:{sign}.{DIGITS}f}".replace("-", "−")


def _style(sets: Sets, number: int) -> dict[str, Any]:
    """One style's sets, by setting, with small pictures."""
    each = sets.plan.sets[number]
    shown = []
    for setting in sets.plan.settings:
        record = sets.finished(setting, number)
        if record and "failed" not in record:
            pictures = zip(sets.pictures(setting, number), each.objects, strict=True)
            found = [{"data": data_address(picture), "alt": thing} for picture, thing in pictures]
            shown.append({"name": setting.name, "pictures": found})
    return {"style": each.style, "objects": " · ".join(each.objects), "sets": shown}


def data_address(picture: Image.Image) -> str:
    """A small copy of a picture as an address that contains it."""
    small = picture.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    small.save(written, "WEBP", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(written.getvalue()).decode()}"


def meaning(measure: str) -> dict[str, str]:
    """A measure's label and meaning, for people."""
    match measure:
        case "alignment":
            label, text = (
                _("Alignment"),
                _("how well each picture shows its object, the style left out; more is better."),
            )
        case "consistency":
            label, text = _("Consistency"), _("how alike the pictures of a set are; more is better, up to copying.")
        case "csd":
            label, text = _("CSD"), _("how alike their styles are, whatever they show; more is better.")
        case "leakage":
            label = _("Leakage")
            text = _(
                "how much the other pictures show the first one's object; what is above “no sharing” came with it."
            )
        case _:
            label, text = _("Look"), _("how far apart colours and texture of a set's pictures are; less is better.")
    return {"label": label, "meaning": text}


def said() -> dict[str, str]:
    """The headings and explanations of the report."""
    return {
        "measured": _("What is measured"),
        "plot": _("Consistency against alignment"),
        "x": _("Alignment: pictures show what was asked →"),
        "y": _("Consistency: pictures of a set are alike →"),
        "caption": _(
            "Each point is a setting, with 95 %% intervals by the bootstrap over styles. High consistency with low"
            " alignment means that pictures copy the first one instead of its style."
        ),
        "table": _("Table"),
        "setting": _("Setting"),
        "sets": _("Sets"),
        "intervals": _(
            "Below each mean: its 95 %% interval by the bootstrap over styles, then that of the difference to"
            " StyleAligned (Δ) on the same styles and seeds. A difference whose interval contains 0 is not established."
        ),
        "published": _("Published by others"),
        "published_by": _("%(source)s: 100 styles with four objects each, SDXL. Not measured here.", source=SOURCE),
        "method": _("Method"),
        "pictures": _("The sets"),
    }
