"""Processes that train one model together, as torchrun starts them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel

from tests.training.conftest import FEW
from training.config import TINY
from training.loop import Draw, read_log

TOGETHER = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "--")

EACH = """
import json, sys
from pathlib import Path
import torch
from torch import nn
from training import together

together.join()
used, unused = nn.Parameter(torch.zeros(2, 3)), nn.Parameter(torch.zeros(4))
used.grad = torch.full((2, 3), 1.0 + 2 * together.rank())
together.average_gradients([used, unused])
said = together.first_says(together.rank() == 0)
with together.first_goes_first():
    found = sorted(path.name for path in Path(sys.argv[1]).iterdir())
    Path(sys.argv[1], f"{together.rank()}.json").write_text(
        json.dumps({"gradient": used.grad.tolist(), "unused": unused.grad is None, "said": said, "found": found})
    )
"""

UNET = f"""
import typer
from training.models import unet

unet.CHECKED = {FEW}
typer.run(unet.main)
"""


def run_together(module: str, *arguments: str | Path, path: Path | None = None) -> None:
    modules = os.pathsep.join(str(folder) for folder in (path, Path.cwd()) if folder)
    done = subprocess.run(
        [*TOGETHER, module, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": modules, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_gradients_are_averaged_and_the_first_goes_first(tmp_path):
    (tmp_path / "each.py").write_text(EACH)
    (tmp_path / "out").mkdir()
    run_together("each", tmp_path / "out", path=tmp_path)
    first, second = (json.loads((tmp_path / "out" / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first["gradient"] == second["gradient"] == [[2.0] * 3] * 2
    assert first["unused"]
    assert first["said"]
    assert second["said"]
    assert first["found"] == []
    assert second["found"] == ["0.json"]


def test_two_processes_train_one_unet(data_folder, unet_folder, tmp_path):
    start = unet_folder / "pipeline"
    options = ("--start", start, "--size", "tiny", "--device", "cpu", "--steps", "3", "--rate", "1e-3")
    (tmp_path / "on_few.py").write_text(UNET)
    run_together("on_few", data_folder, "--out", tmp_path, *options, path=tmp_path)
    measured = [line["step"] for line in read_log(tmp_path) if "held_out_mse" in line]
    assert measured == [0, 3]  # by one of them
    before, after = (UNet2DConditionModel.from_pretrained(folder / "unet") for folder in (start, tmp_path / "pipeline"))
    assert not torch.equal(before.conv_in.weight, after.conv_in.weight)


def test_processes_draw_other_noise_but_make_the_same_choices():
    first, second = (Draw.of(TINY.unet.seed, 5, torch.device("cpu"), rank) for rank in (0, 1))
    assert not torch.equal(first.normal((4,)), second.normal((4,)))
    assert first.numpy.random() == second.numpy.random()
