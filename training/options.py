"""Command-line options that the steps share. Exit status 3 means that the time slice ended: run again to resume."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from training.config import Size

SizeName = Annotated[str, typer.Option(help="small (CPU hours) or full (one GPU)")]
Minutes = Annotated[float | None, typer.Option(help="stop after this many minutes; run again to resume")]
Steps = Annotated[int | None, typer.Option(help="length of the whole run; the learning rate falls towards its end")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda")]
Threads = Annotated[int | None, typer.Option(help="CPU threads; all by default")]


def planned(size: Size, part: str, steps: int | None, rate: float | None = None) -> Size:
    """The size with another length or peak learning rate for one part."""
    plan = getattr(size, part)
    changed = replace(plan, steps=steps or plan.steps, rate=rate or plan.rate)
    return replace(size, **{part: changed})
