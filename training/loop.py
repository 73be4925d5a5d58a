"""The parts that all training runs share: schedule, averaged weights, checkpoints, log and time slices.

A run can be resumed exactly: all randomness of step ``n`` comes from generators seeded by the plan and ``n``, so a
stopped and resumed run equals an uninterrupted one. (On a GPU they are equal up to rounding, because some kernels
add in no fixed order. The noise of a GPU differs from that of a CPU.)

No step waits for a GPU: losses stay tensors until they are logged.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from app import atomic
from training import together
from training.config import Plan

MODEL_SHARD = "15MB"  # the repository takes files of at most 16 MiB

Module = TypeVar("Module", bound=nn.Module)
Function = TypeVar("Function", bound=Callable[..., Any])


def pick_device(name: str) -> torch.device:
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def prepare(device: torch.device, threads: int | None) -> None:
    """Apply settings that speed up training and change its results by no more than rounding."""
    if threads:
        torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # denormal optimiser states would be ten times slower on a CPU
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True


def autocast(device: torch.device) -> torch.autocast:
    """Use bfloat16 where it is faster: always on a GPU, on a CPU if `Precision` says so. No loss scaling is needed."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type != "cpu" or PRECISION.half)


class Precision:
    """Whether a CPU is faster in bfloat16: twice as fast with units for it, five times slower without.

    Measured once per process. A resumed run keeps its first choice, so stopping and resuming changes nothing.
    """

    def __init__(self) -> None:
        self._half: bool | None = None

    @property
    def half(self) -> bool:
        if self._half is None:
            times = {half: min(self._seconds(half) for _ in range(3)) for half in (True, False)}
            self._half = times[True] < times[False]
        return self._half

    @half.setter
    def half(self, value: bool) -> None:
        self._half = value

    def agree(self) -> None:
        """Use the result of the first of several training processes. All of them must call this."""
        self._half = together.first_says(self.half)

    @staticmethod
    def _seconds(half: bool) -> float:
        """CPU seconds of the forward and backward pass of two small convolutions."""
        with torch.random.fork_rng(devices=[]):
            layer, x = nn.Conv2d(32, 32, 3, padding=1), torch.ones(2, 32, 64, 64)
        began = time.process_time()
        with torch.enable_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            y = layer(layer(x))
            y.float().sum().backward()
        return time.process_time() - began


PRECISION = Precision()


def laid_out(module: Module, device: torch.device) -> Module:
    """Move the module to the device; on a GPU in channels-last format, which is faster for convolutions."""
    module.to(device)
    if device.type == "cuda":
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def compiled(function: Function, device: torch.device) -> Function:
    """Compile the function on a GPU, for batches of one shape. Measures, whose batches vary, call the original."""
    return cast(Function, torch.compile(function, dynamic=False)) if device.type == "cuda" else function


@dataclass(frozen=True)
class Draw:
    """The random numbers of one step: choices are drawn on the CPU, noise on the device.

    Processes that train one model draw different tensors but make the same choices with ``numpy``.
    """

    cpu: torch.Generator
    here: torch.Generator  # on the device; the same as ``cpu`` if that is a CPU
    numpy: np.random.Generator

    @classmethod
    def of(cls, seed: int, step: int, device: torch.device, rank: int = 0) -> Draw:
        number = seed * 1_000_003 + step + rank * 1_000_000_007
        cpu = torch.Generator().manual_seed(number)
        here = cpu if device.type == "cpu" else torch.Generator(device).manual_seed(number)
        return cls(cpu, here, np.random.default_rng([seed, step]))

    def rows(self, among: Tensor, count: int) -> Tensor:
        return among[torch.randint(len(among), (count,), generator=self.cpu)]

    def normal(self, shape: torch.Size | tuple[int, ...]) -> Tensor:
        """Standard normal noise on the device."""
        return torch.randn(shape, generator=self.here, device=self.here.device)

    def uniform(self, shape: tuple[int, ...]) -> Tensor:
        """Uniform noise, 0 to 1, on the device."""
        return torch.rand(shape, generator=self.here, device=self.here.device)


def rate_at(plan: Plan, step: int) -> float:
    warm = min(1.0, (step + 1) / max(1, plan.warmup))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / plan.steps)))
    return plan.rate * warm * (0.985 * cosine + 0.015)


@dataclass
class Run:
    """Trains modules on one device and keeps track of its progress.

    ``loss`` returns the loss of a step and the values to log, all scalar tensors; ``check`` measures the resulting
    weights on held-out data; ``export`` writes them. The result is the average over the last steps. If the plan sets
    ``kept``, the result also includes that share of the initial weights, which preserves what they had learnt (Wortsman
    et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
    """

    folder: Path
    plan: Plan
    modules: dict[str, nn.Module]
    loss: Callable[[Draw], tuple[Tensor, dict[str, Tensor]]]
    check: Callable[[], dict[str, float]]
    export: Callable[[Path], None]
    say: Callable[[str], None] = print
    step: int = 0
    companions: dict[str, Any] = field(default_factory=dict)  # other objects whose state is saved and resumed
    begun: list[Tensor] = field(default_factory=list)
    average: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.weights = [weight for module in self.modules.values() for weight in module.parameters()]
        self.device = self.weights[0].device
        self.begun = [weight.detach().clone() for weight in self.weights] if self.plan.kept else []
        self.average = [weight.detach().clone() for weight in self.weights]
        self.optimizer = torch.optim.AdamW(
            self.weights,
            lr=self.plan.rate,
            betas=(0.9, self.plan.beta2),
            weight_decay=self.plan.weight_decay,
            fused=True,
        )
        self._resume()

    @property
    def done(self) -> bool:
        return self.step >= self.plan.steps

    def fit(self, minutes: float | None = None, save_every: float = 8.0) -> bool:
        """Train to the end of the plan or of the time slice of ``minutes``; return whether the plan is complete.

        Even the shortest slice is at least one step, so that slices come to an end. The state is saved every
        ``save_every`` minutes. Raises RuntimeError if the loss is no longer finite.
        """
        began = saved = time.monotonic()
        first = self.step
        window: list[dict[str, Tensor]] = []
        if self.step == 0:
            self.measure()
        while not self.done and together.first_says(
            minutes is None or self.step == first or time.monotonic() - began < minutes * 60
        ):
            window.append(self._one_step())
            if self.step % self.plan.log_every == 0:
                self._log_window(window, time.monotonic() - began)
                window.clear()
            if self.step % self.plan.check_every == 0:
                self.measure()
            if time.monotonic() - saved > save_every * 60:
                self.save()
                saved = time.monotonic()
        self.save()
        if self.done and self.step % self.plan.check_every:
            self.measure()
        return self.done

    def _one_step(self) -> dict[str, Tensor]:
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(self.plan, self.step)
        loss, numbers = self.loss(Draw.of(self.plan.seed, self.step, self.device, together.rank()))
        self.optimizer.zero_grad()
        loss.backward()
        together.average_gradients(self.weights)
        nn.utils.clip_grad_norm_(self.weights, self.plan.clip_norm)
        self.optimizer.step()
        self.step += 1
        # Early weights should be forgotten soon: the average reaches its full length gradually.
        keep = min(self.plan.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(self.average, [weight.data for weight in self.weights], 1 - keep)
        return {"loss": loss.detach(), **numbers}

    @contextmanager
    def resulting(self) -> Iterator[None]:
        """Load the resulting weights into the modules, in evaluation mode, during the ``with`` block."""
        current = [weight.data for weight in self.weights]
        modes = [module.training for module in self.modules.values()]
        for weight, result in zip(self.weights, self._result(), strict=True):
            weight.data = result
        for module in self.modules.values():
            module.eval()
        try:
            yield
        finally:
            for weight, data in zip(self.weights, current, strict=True):
                weight.data = data
            for module, mode in zip(self.modules.values(), modes, strict=True):
                module.train(mode)

    def _result(self) -> list[Tensor]:
        return list(torch._foreach_lerp(self.average, self.begun, self.plan.kept)) if self.begun else self.average

    def measure(self) -> dict[str, float]:
        if together.rank():
            return {}
        with self.resulting(), torch.no_grad():
            numbers = self.check()
        self._log({"step": self.step, **{f"held_out_{name}": value for name, value in numbers.items()}})
        return numbers

    def save(self) -> None:
        """Write the result and the state to resume from. Each is written completely or not at all."""
        if together.rank():
            return
        with self.resulting(), torch.no_grad():
            self.export(self.folder)
        state = {
            "step": self.step,
            "bfloat16": PRECISION.half,
            "weights": [weight.data for weight in self.weights],
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "companions": {name: one.state_dict() for name, one in self.companions.items()},
        }
        with atomic.writing(self.folder / "state.pt") as temporary:
            torch.save(state, temporary)

    def _resume(self) -> None:
        file = self.folder / "state.pt"
        if not file.exists():
            return
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        with torch.no_grad():
            for weight, saved in zip(self.weights, state["weights"], strict=True):
                weight.copy_(saved)
            for mean, saved in zip(self.average, state["average"], strict=True):
                mean.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
        for owner, kept in self.optimizer.state.items():
            for name in ("exp_avg", "exp_avg_sq"):  # in the weight's memory format, which may differ from the saved one
                kept[name] = torch.empty_like(owner, requires_grad=False).copy_(kept[name])
        for name, one in self.companions.items():
            one.load_state_dict(state["companions"][name])
        self.step = state["step"]
        PRECISION.half = state.get("bfloat16", True)
        self.say(f"resuming from step {self.step} of {self.plan.steps}")

    def _log_window(self, window: list[dict[str, Tensor]], seconds: float) -> None:
        means = {name: torch.stack([numbers[name] for numbers in window]).mean().item() for name in window[0]}
        if not math.isfinite(means["loss"]):
            raise RuntimeError(
                f"the loss is no longer a number near step {self.step}: lower the learning rate and run again"
            )
        spent = {"seconds": round(seconds, 1), "processes": together.count()}
        self._log({"step": self.step, **means, "rate": rate_at(self.plan, self.step), **spent})

    def _log(self, numbers: dict[str, float]) -> None:
        if together.rank():
            return
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(numbers) + "\n")
        self.say("  ".join(f"{name} {value:.5g}" for name, value in numbers.items()))


def forget_paths(model: Path) -> None:
    """Remove the paths, recorded by diffusers, that weights were loaded from; a published model must not show them."""
    for file in model.rglob("*.json"):
        values = json.loads(file.read_text())
        if isinstance(values, dict) and values.pop("_name_or_path", None) is not None:
            file.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")


def read_log(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
