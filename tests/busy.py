"""A process of the server that is busy for ever, in a thread that starts it and ends, and never reads its socket."""

from app import processes


def main(_descriptor: int, parent: int) -> None:
    processes.end_without(parent)
    while True:
        pass
