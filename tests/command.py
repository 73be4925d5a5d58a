"""`soroe` in the tests' process, which has already imported torch; its own process would take seconds to."""

import io
import logging
import os
import sys
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from app.cli import main


@dataclass(frozen=True)
class Done:
    """Like `subprocess.CompletedProcess`."""

    returncode: int
    stdout: str
    stderr: str


def soroe(*arguments: str | Path, **environment: str) -> Done:
    """The output and exit status of `soroe ARGUMENTS`. `environment` is added to that of the tests."""
    out, err = io.StringIO(), io.StringIO()
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, environment))
        stack.enter_context(patch.object(sys, "argv", ["soroe", *map(str, arguments)]))
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        stack.enter_context(patch.object(logging.getLogger(), "handlers", []))  # `serve` sets its own
        try:
            main()
        except SystemExit as end:
            return Done(int(end.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("main() always ends with a status")
