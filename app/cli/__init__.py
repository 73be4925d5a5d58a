"""The `soroe` command. Its parts are imported when it is called, so that Ctrl-C is quiet from the first moment."""

import os
import signal


def main() -> None:
    """Run the command of this process's arguments."""
    asked_to_stop = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a shell may have it ignored
    if asked_to_stop:
        signal.signal(signal.SIGINT, lambda number, frame: os._exit(128 + signal.SIGINT))
    from app.languages import speak
    from app.languages.choice import of_environment

    speak(of_environment(os.environ))  # before commands and their help are written
    from app.cli.program import run

    if asked_to_stop:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()
