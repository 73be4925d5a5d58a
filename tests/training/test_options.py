"""The commands' options."""

import pytest
import typer
from typer.testing import CliRunner

from training.measures import evaluate, fidelity
from training.models import clip, controlnet, decoder, enlarge, join, mix, unet, vae

COMMANDS = [clip, controlnet, decoder, enlarge, evaluate, fidelity, join, mix, unet, vae]


@pytest.mark.parametrize("module", COMMANDS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_folder_that_is_not_there_is_named(module):
    """And nothing is asked of a hub, which takes a path that does not exist for a name."""
    command = typer.Typer()
    command.command()(module.main)
    told = CliRunner().invoke(command, ["nowhere"], env={"COLUMNS": "200"})
    assert told.exit_code == 2
    assert "'nowhere' does not exist" in told.output
