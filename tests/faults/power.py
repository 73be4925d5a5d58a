"""`python -m tests.faults.power`: power cuts on a loop device, as root: people work, the power fails, what is lost?"""

import argparse
import random
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import httpx2

from tests.faults import promises
from tests.faults.client import Acknowledged, Client
from tests.faults.loop import LoopDisk
from tests.faults.server import COMMAND
from tests.web.process import Process

PEOPLE = 3


def work(client: Client) -> None:
    """Work until the power fails: the server then answers with errors, or not at all."""
    with client, suppress(httpx2.TransportError, AssertionError):
        while True:
            client.round()


def cut_once(disk: LoopDisk, log: Path, seconds: float) -> tuple[list[Acknowledged], dict[str, int]]:
    """Start a server on what the disk holds, work for `seconds`, and cut the power.

    Returns what each person was told, and how much of all that is lost.
    """
    data = disk.folder / "srv" / "data"
    with Process(data, log=log, command=COMMAND) as server:
        clients = [Client(server.url, server.setup_link)]
        clients += [Client(server.url) for _ in range(PEOPLE - 1)]
        threads = [threading.Thread(target=work, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        threads[0].join(seconds)
        disk.cut()
        for thread in threads:
            thread.join()
        server.kill()
    disk.power_on()
    missing: dict[str, int] = {}
    for client in clients:
        for what, number in promises.lost(data, client.done).items():
            missing[what] = missing.get(what, 0) + number
    return [client.done for client in clients], missing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="the longest time between two cuts")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    told: dict[str, int] = {}
    missing: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder, LoopDisk(Path(folder)) as disk:
        for number in range(1, asked.cuts + 1):
            seconds = chance.uniform(asked.seconds / 3, asked.seconds)
            done, lost = cut_once(disk, Path(folder) / f"{number}.log", seconds)
            for kind in vars(done[0]):
                told[kind] = told.get(kind, 0) + sum(len(getattr(each, kind)) for each in done)
            for what, lost_now in lost.items():
                missing[what] = missing.get(what, 0) + lost_now
            print(f"cut {number} after {seconds:.1f} s: lost {lost or 'nothing'}", flush=True)
    print("acknowledged:", told, "lost:", missing or "nothing", sep="\n  ")
    raise SystemExit(bool(missing))


if __name__ == "__main__":
    main()
