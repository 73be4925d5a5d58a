"""Measures finished pictures in the background, the newest first, and compares those of a set when it has changed.

The work is done in one process of the lowest priority (`app.measures.worker`). Where the model runs on this machine's
processors, it rests between two pictures while any are made, so that it takes at most a tenth of one of them.
The database says what is to do: nothing is lost when either process ends, and a picture that cannot be measured is
noted, not tried for ever.
"""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog

from app.background import BackgroundLoop
from app.database import Database
from app.engine.base import ModelFacts
from app.files import Files, Flawed, Kind
from app.measures import keeping, waiting
from app.measures.jobs import Answer, ComparedSet, Cut, Job, MeasuredFile, ToCompare, ToMeasure, readable
from app.measures.process import MeasuringProcess, ProcessLost, Stopped
from app.measures.versions import lacking, made_with, missing, without
from app.measures.waiting import MeasuredSet, WaitingPicture, WaitingReference
from app.models import Act
from app.prompts.reader import Reader
from app.settings import Settings

log = structlog.get_logger()

START_SECONDS = 20.0  # after the start of the server
EVERY_SECONDS = 60.0  # for what no act announces, such as the end of a set by a failure
IDLE_SECONDS = 90.0  # after which the process ends, with its models
RESTS = 9.0  # times as long as a picture took, while the processors are needed
MOST_REST = 30.0  # s
SAMPLE = 64  # pictures of a set that each is compared with, at most
PART = 200  # rows per transaction, so that others can write in between
TRIES = 3  # of a picture or a set that ends the process
RELOAD_SECONDS = 1800.0  # between attempts to load models that could not be loaded, while pictures lack them
WINDOWS_FROM = 1.5  # times the pixels that the model was trained for
ACTS = (Act.IMAGE_FINISH, Act.IMAGE_DELETE, Act.IMAGE_RESTORE, Act.SET_RESTORE, Act.SAMPLE_OPEN, Act.STYLE_BOUNDS)


class Measurer:
    def __init__(
        self, settings: Settings, database: Database, files: Files, facts: Callable[[], ModelFacts | None]
    ) -> None:
        """`facts` of the model; None while they are not known."""
        self.database = database
        self.files = files
        self._facts = facts
        self._lost_sets: Counter[int] = Counter()
        self.made_with = made_with(settings)
        self._begun = False
        self._failed: Mapping[str, str] | None = None  # models that could not be loaded; None: not known yet
        self._reloads = 0.0  # when that is tried next
        self._starts = time.monotonic() + START_SECONDS
        self.background = BackgroundLoop(
            partial(asyncio.to_thread, self._round),
            "measures",
            trouble="pictures could not be measured",
            seconds=EVERY_SECONDS,
        )
        self.process = MeasuringProcess(settings, self.background.stopping)
        database.listen(self._hear)

    def _hear(self, notes: Sequence[Any]) -> None:
        if any(getattr(note, "act", None) in ACTS for note in notes):
            self.background.wake()

    def _round(self) -> None:
        """Work, but not as the server starts: pages and the model come first."""
        if not self.background.stopping.wait(max(0.0, self._starts - time.monotonic())):
            self.work()

    def work(self) -> None:
        """Do what is to do until nothing is left or the server stops. Raises CannotSave."""
        try:
            self._begin()
            while not (self.background.stopping.is_set() or self.database.storage.pause) and self._step():
                pass
        except Stopped:
            return
        finally:
            if self.process.idle_seconds > IDLE_SECONDS or self.background.stopping.is_set():
                self.process.close()

    def _begin(self) -> None:
        """Once: note what was measured by another version, or with other models, to be measured again."""
        if not self._begun:
            while waiting.outdate(self.database, (self.made_with, *lacking(self.made_with)), PART):
                pass
            self._begun = True

    def _step(self) -> bool:
        """Do one thing; returns whether there was any."""
        if self._flag():
            return True
        facts = self._facts()
        with self.database.read() as session:
            picture = waiting.picture(session, facts.reader if facts else Reader())
            set_id = None if picture else waiting.changed_set(session)
        if not picture and set_id is None:
            return self._reload()
        if not self._start():
            return False
        if picture:
            began = time.monotonic()
            self._measure(picture)
            self._rest(time.monotonic() - began)
            with self.database.read() as session:
                set_id = picture.set_id if waiting.is_ready(session, picture.set_id) else None
        if set_id is not None:
            began = time.monotonic()
            self._compare(set_id)
            self._rest(time.monotonic() - began)
        return True

    def _rest(self, seconds: float) -> None:
        """Leave the processors to the model for a while, if it needs them."""
        facts = self._facts()
        if facts and not facts.device.startswith("cpu"):
            return
        with self.database.read() as session:
            busy = waiting.is_making(session)
        if busy:
            self.background.stopping.wait(min(RESTS * seconds, MOST_REST))

    # Models

    @property
    def _made_with(self) -> str:
        """The version, settings and models with which the process measures now."""
        return without(self.made_with, self._failed or ())

    def _run(self, job: Job) -> Answer:
        """Do a job, in a process that may be new and have other models. Raises ProcessLost and Stopped."""
        self.process.start()
        self._hear_models()
        return self.process.run(job)

    def _start(self) -> bool:
        """Start the process, which no picture is to blame for; whether it runs."""
        try:
            self.process.start()
        except ProcessLost:
            log.error("nothing is measured for now: the process that measures ended while it loaded its models")
            return False
        self._hear_models()
        return True

    def _hear_models(self) -> None:
        """Tell the operator once which models cannot be loaded; have measured what is missing of those that can be."""
        failed = self.process.models.failed
        if failed == self._failed:
            return
        if failed:
            log.error("pictures are measured without models that cannot be loaded", models=list(failed.values()))
        elif self._failed:
            log.info("all models that compare pictures are loaded again")
        self._failed = failed
        better = [each for each in lacking(self.made_with) if set(missing(self._made_with)) < set(missing(each))]
        while waiting.expect(self.database, better, PART):
            pass

    def _reload(self) -> bool:
        """Now and then, while pictures lack what a model would have measured: load the models; whether it was tried."""
        if time.monotonic() < self._reloads:
            return False
        self._reloads = time.monotonic() + RELOAD_SECONDS
        with self.database.read() as session:
            if not waiting.is_any(session, lacking(self.made_with)):
                return False
        self.process.close()
        return self._start()

    # Pictures

    def _measure(self, picture: WaitingPicture) -> None:
        references = self._references(picture.set_id)
        try:
            path = self.files.whole(Kind.IMAGES, picture.sha256, f"picture {picture.id}")
        except Flawed as flawed:
            self._note(picture, str(flawed.flaw))
            return
        job = ToMeasure(
            path,
            picture.text,
            picture.subject,
            references=references,
            windows=self._in_windows(picture),
            ends_meet=picture.seamless,
        )
        try:
            answer = self._run(job)
        except ProcessLost:
            self._lost(picture)
            return
        if not isinstance(answer, MeasuredFile):
            self._note(picture, "damaged")
            return
        with self.database.write() as session:
            keeping.keep_picture(session, picture, answer, self._made_with)

    def _in_windows(self, picture: WaitingPicture) -> bool:
        """Whether the picture is too large for the model to see at once (`app.style_aligned.panorama`)."""
        facts = self._facts()
        return facts is not None and picture.pixels > WINDOWS_FROM * facts.default_size[0] * facts.default_size[1]

    def _note(self, picture: WaitingPicture, problem: str) -> None:
        log.warning("a picture cannot be measured", picture=picture.id, problem=problem)
        with self.database.write() as session:
            keeping.keep_problem(session, picture, problem, self.made_with)

    def _lost(self, picture: WaitingPicture) -> None:
        last = picture.tries + 1 >= TRIES
        log.warning("the process that measures was lost", picture=picture.id, tries=picture.tries + 1)
        with self.database.write() as session:
            if last:
                keeping.keep_problem(session, picture, "lost", self.made_with)
            else:
                keeping.count_try(session, picture)

    def _references(self, set_id: int) -> tuple[bytes, ...]:
        """The features of a set's references, measured now if they were not; without those that cannot be."""
        with self.database.read() as session:
            references = waiting.references(session, set_id)
        found = []
        for reference in references:
            if self._is_outdated(reference) or (reference.data and not readable(reference.data)):
                reference = self._measured(reference)
            if reference.data:
                found.append(reference.data)
        return tuple(found)

    def _is_outdated(self, reference: WaitingReference) -> bool:
        """Whether it was measured otherwise, or lacks what a model that is loaded now measures."""
        known = reference.made_with in (self.made_with, *lacking(self.made_with))
        return not known or not set(missing(reference.made_with)) <= set(self._failed or ())

    def _measured(self, reference: WaitingReference) -> WaitingReference:
        data: bytes | None = None
        problem: str | None = "lost"
        try:
            path = self.files.whole(Kind.REFERENCES, reference.sha256, f"the reference {reference.name}")
            answer = self._tried(ToMeasure(path, crop=Cut(*reference.crop)))
            data, problem = (answer.features, None) if isinstance(answer, MeasuredFile) else (None, "damaged")
        except Flawed as flawed:
            problem = str(flawed.flaw)
        except ProcessLost:
            log.warning("a reference cannot be measured", reference=reference.name, problem=problem)
        done = reference._replace(data=data, made_with=self._made_with if data else self.made_with)
        with self.database.write() as session:
            keeping.keep_reference(session, done, problem)
        return done

    def _tried(self, job: ToMeasure) -> Answer:
        """Do a job, again if the process ends. Raises ProcessLost after some tries."""
        for _ in range(TRIES - 1):
            try:
                return self._run(job)
            except ProcessLost:
                log.warning("the process that measures was lost", path=str(job.path))
        return self._run(job)

    # Sets

    def _compare(self, set_id: int) -> None:
        with self.database.read() as session:
            found = waiting.measured_set(session, set_id)  # first: what changes later is compared again
        references = self._references(set_id)
        sample = sample_of(found.image_ids)
        try:
            answer = self._run(ToCompare(tuple(found.features), references, sample))
        except ProcessLost:
            self._lost_set(set_id, found)
            return
        if isinstance(answer, ComparedSet):
            self._lost_sets.pop(set_id, None)
            numbers = dict(zip(found.image_ids, answer.numbers, strict=True))
            self._keep(set_id, found, {id: each for id, each in numbers.items() if each is not None}, len(sample))
            self._expect([id for id, each in numbers.items() if each is None])

    def _lost_set(self, set_id: int, found: MeasuredSet) -> None:
        """Try again, a few times; then leave the set's numbers as they are until it changes."""
        self._lost_sets[set_id] += 1
        log.warning("the process that measures was lost", set=set_id, tries=self._lost_sets[set_id])
        if self._lost_sets[set_id] >= TRIES:
            del self._lost_sets[set_id]
            with self.database.write() as session:
                keeping.skip_set(session, set_id, found.changes)

    def _keep(self, set_id: int, found: MeasuredSet, numbers: Mapping[int, dict[str, float]], sampled: int) -> None:
        ids = list(numbers)
        for start in range(0, len(ids), PART):
            with self.database.write() as session:
                some = {image_id: numbers[image_id] for image_id in ids[start : start + PART]}
                keeping.keep_numbers(session, found.style_id, some)
        with self.database.write() as session:
            keeping.keep_set(session, set_id, found.changes, list(numbers.values()), sampled)

    def _expect(self, image_ids: Sequence[int]) -> None:
        """Measure pictures again whose features are damaged."""
        if image_ids:
            log.warning("what was measured of pictures is damaged, and measured again", pictures=len(image_ids))
            with self.database.write() as session:
                keeping.expect_again(session, image_ids)

    # Flags

    def _flag(self) -> bool:
        """Flag some pictures of a style by its newest bounds; returns whether there were any to flag."""
        with self.database.read() as session:
            due = waiting.style_to_flag(session)
        if due is None:
            return False
        with self.database.write() as session:
            keeping.flag_again(session, *due, PART)
        return True


def sample_of(image_ids: Sequence[int]) -> tuple[int, ...]:
    """The places of up to SAMPLE pictures: always the same of the same set, spread over it, and hardly others when it
    grows."""
    ranked = sorted(range(len(image_ids)), key=lambda place: hashlib.sha256(str(image_ids[place]).encode()).digest())
    return tuple(sorted(ranked[:SAMPLE]))
