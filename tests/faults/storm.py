"""`python -m tests.faults.storm`: people work while faults strike the server. Is anything lost, doubled or damaged?

Seeded: the same seed gives the same faults in the same order, though not at the same moment of the work.
"""

import argparse
import math
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.database import Database
from app.files import Files
from app.models import Act, AuditEvent, Decision, Image, ImageSet, State, Unit
from app.settings import Settings
from app.upkeep.check import check
from app.work.queue import WAITING
from tests.faults import promises
from tests.faults.client import ACCOUNT
from tests.faults.machine import Machine
from tests.faults.person import PICTURES, Person
from tests.faults.strikes import ANYWHERE, AT_WORK, ON_A_DISK, Strike
from tests.web.server import Browser

PEOPLE = 3
CALM_SECONDS = 0.5, 3.0  # between two faults
OFTEN_AT_WORK = 0.5  # how often a fault that ends the model waits until it works; else it may still be loading
STALLED_AFTER = 300.0  # seconds without a finished picture, while the queue empties at the end
UNMADE = (State.FAILED, State.HELD)


@dataclass
class Report:
    """What happened, and what is wrong."""

    struck: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    pictures: int = 0
    acknowledged: Counter[str] = field(default_factory=Counter)
    refusals: Counter[int] = field(default_factory=Counter)
    disconnections: int = 0
    retried: int = 0  # sets that failed or were held, by a fault of the model itself
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        struck = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in self.struck.most_common())
        told = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in self.acknowledged.items())
        return "\n".join(
            (
                f"faults: {self.struck.total()} ({struck}), {self.kills} processes killed",
                f"pictures: {self.pictures} finished; {self.retried} sets retried by hand",
                f"acknowledged: {told}",
                f"refused in a sentence: {dict(self.refusals)}, connections lost: {self.disconnections}",
                f"problems: {len(self.problems) or 'none'}",
                *self.problems,
            )
        )


def storm(
    machine: Machine,
    strikes: Mapping[Strike, int],
    seed: int,
    minutes: float,
    most: float = math.inf,
    say: Callable[[str], None] = lambda line: None,
) -> Report:
    """People work on `machine` for `minutes`, or until `most` faults have struck; then everything is checked."""
    began = time.monotonic()
    chance = random.Random(seed)
    report = Report()
    people = [Person(machine.server.url, machine.server.setup_link, seed)]
    people += [Person(machine.server.url, "", seed + number) for number in range(1, PEOPLE)]
    people[0].round()  # calm, to settle what a first round settles
    for person in people:
        person.begin()
    ends = time.monotonic() + minutes * 60
    try:
        while time.monotonic() < ends and report.struck.total() < most:
            time.sleep(chance.uniform(*CALM_SECONDS))
            strike = chance.choices(list(strikes), list(strikes.values()))[0]
            if strike in AT_WORK and chance.random() < OFTEN_AT_WORK:
                machine.server.wait_until_ready()
            say(f"{time.monotonic() - began:5.0f} s  {strike.__name__}")
            strike(machine, chance)
            machine.check_alive()
            report.struck[strike.__name__] += 1
    finally:
        machine.clock.set(0)
        for person in people:
            person.end()
    say("waiting for the queue to empty")
    drain(machine, report)
    machine.stop()
    report.problems += judge(machine.data, people) + machine.problems
    return tell(report, machine, people)


def drain(machine: Machine, report: Report) -> None:
    """Wait until nothing is in the queue, retrying by hand what the engine's faults failed or held.

    However long it takes, on a slow machine too, as long as pictures are finished.
    """
    most, ends = -1, math.inf
    with closing(open_database(machine.data)) as database, Browser(machine.server.url) as browser:
        browser.sign_in(ACCOUNT["email"], ACCOUNT["password"])
        while time.monotonic() < ends:
            with database.read() as session:
                waiting = session.scalar(select(func.count()).where(Unit.state.in_(WAITING)))
                unmade = set(session.execute(select(Image.set_id, Image.state).where(Image.state.in_(UNMADE))))
                finished = count_finished(session)
            if not waiting and not unmade:
                return
            if finished > most:
                most, ends = finished, time.monotonic() + STALLED_AFTER
            for set_id, state in () if waiting else unmade:
                browser.post(f"/sets/{set_id}/{'held/retry' if state == State.HELD else 'retry'}")
                report.retried += 1
            time.sleep(0.5)
    report.problems.append(f"no picture was finished for {STALLED_AFTER:.0f} s, and the queue still has work")


def count_finished(session: Session) -> int:
    return session.scalar(select(func.count()).where(Image.state == State.FINISHED)) or 0


def judge(data: Path, people: Sequence[Person]) -> list[str]:
    """What is lost, doubled, damaged or contradictory in a data folder that nobody uses any more."""
    problems = [problem for person in people for problem in person.problems]
    for person in people:
        problems += [f"lost: {number} {what}" for what, number in promises.lost(data, person.done).items()]
    with closing(open_database(data)) as database:
        problems += doubled(database, people)
        problems += [f"check: {each.sentence}" for each in check(database, Files(data / "files"))]
    return problems


def doubled(database: Database, people: Sequence[Person]) -> list[str]:
    """Sets, pictures and decisions that exist more often than they were asked for, or less often."""
    of_set = select(Image.set_id, func.count(), func.count().filter(Image.state == State.FINISHED))
    with database.read() as session:
        seeds = Counter(session.scalars(select(ImageSet.seed)))
        sizes = session.execute(of_set.group_by(Image.set_id)).all()
        decisions = Counter(session.scalars(select(Decision.image_id)))
        finishes = Counter(session.scalars(select(AuditEvent.subject_id).where(AuditEvent.act == Act.IMAGE_FINISH)))
    asked = Counter(seed for person in people for seed in person.asked_sets)
    approvals = sum((person.asked_approvals for person in people), Counter[int]())
    return [
        *(f"{number} sets of seed {seed}" for seed, number in seeds.items() if number > asked[seed]),
        *(f"set {id} has {all} pictures, {done} finished" for id, all, done in sizes if {all, done} != {PICTURES}),
        *(f"picture {id} has {number} decisions" for id, number in decisions.items() if number > approvals[id]),
        *(f"picture {id} finished {number} times" for id, number in finishes.items() if number > 1),
    ]


def open_database(data: Path) -> Database:
    return Database(Settings(_env_file=None, data=data))


def tell(report: Report, machine: Machine, people: Sequence[Person]) -> Report:
    for person in people:
        report.refusals += person.refusals
        report.disconnections += person.disconnections
        for name, things in vars(person.done).items():
            report.acknowledged[name] += len(things)
    report.kills = machine.kills
    with closing(open_database(machine.data)) as database, database.read() as session:
        report.pictures = count_finished(session)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="the names of faults, separated by commas")
    asked = parser.parse_args()
    on_a_disk = os.geteuid() == 0
    if not on_a_disk:
        print("Without root there is no disk to fill, break or cut off: those faults are left out.")
    strikes = ANYWHERE | (ON_A_DISK if on_a_disk else {})
    if asked.only:
        strikes = {strike: often for strike, often in strikes.items() if strike.__name__ in asked.only.split(",")}
    with tempfile.TemporaryDirectory() as folder, Machine(Path(folder), disk=on_a_disk) as machine:
        report = storm(machine, strikes, asked.seed, asked.minutes, say=partial(print, flush=True))
    print(report)
    raise SystemExit(bool(report.problems))


if __name__ == "__main__":
    main()
