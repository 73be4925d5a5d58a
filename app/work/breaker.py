"""A circuit breaker: stop the queue while the engine, rather than the work, is at fault.

Units that fail one after another in the same way may each be at fault, such as those of one set, or the engine is, such
as when memory is short. A trial tells: a small picture of nobody's, which is thrown away. While the trial fails, the
queue is paused, nobody is charged for a failure, and the trial is repeated, less and less often.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

import structlog

from app.engine.base import Cancelled, Engine, NotReady, WorkerLost
from app.engine.events import Done
from app.engine.trial import TRIAL_ID, trial
from app.languages import N_, translated
from app.languages import gettext as _
from app.storage import waiting_words

log = structlog.get_logger()

SUSPICIOUS = 3  # different units in a row that failed in the same way
FIRST_DELAY, LONGEST_DELAY = 2.0, 60.0  # s before a trial, twice as long each time
STOPPED = N_("it stops")  # the cause when the engine died


@dataclass(frozen=True)
class EngineFault:
    """Why nothing is made while the engine is at fault, in the words of a `storage.Pause`."""

    cause: str
    since: datetime
    remedy: str = N_("when a trial picture succeeds")

    @property
    def reason(self) -> str:
        return _("the engine fails again and again (%(cause)s)", cause=translated(self.cause))

    @property
    def sentence(self) -> str:
        """For the people who wait."""
        return waiting_words(self.reason, self.remedy)


class Breaker:
    """Of one engine. All methods belong to the event loop's thread, except that anyone may read `pause`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.pause: EngineFault | None = None
        self.failed: dict[int, str] = {}  # the latest failures without a success in between: causes by unit
        self._delay = FIRST_DELAY
        self._next = 0.0  # when the next trial is due, s (monotonic)
        self._listeners: list[Callable[[], object]] = []

    def listen(self, changed: Callable[[], object]) -> None:
        """Call `changed` when the pause begins or ends."""
        self._listeners.append(changed)

    def succeeded(self) -> None:
        """A unit was made."""
        self.failed.clear()

    def suspicious(self, unit_id: int, cause: str) -> bool:
        """Note that a unit failed; returns whether the engine may be at fault."""
        if cause not in self.failed.values():
            self.failed.clear()
        self.failed[unit_id] = cause
        return len(self.failed) >= SUSPICIOUS

    def open(self, cause: str) -> None:
        """Pause the queue until a trial succeeds."""
        self._delay = self._delay if self.pause else FIRST_DELAY
        self._next = monotonic() + self._delay
        if self.pause is None:
            log.error("the engine fails again and again; the queue is paused", cause=cause, units=len(self.failed))
            self._change(EngineFault(cause, datetime.now(UTC)))

    @property
    def wait(self) -> float:
        """Seconds until the next trial is due."""
        return max(0.0, self._next - monotonic())

    async def probe(self) -> bool | None:
        """During a pause: try the engine, and end the pause if it works. See `works`."""
        works = await self.works()
        if works and self.pause:
            seconds = round((datetime.now(UTC) - self.pause.since).total_seconds())
            log.warning("the engine works again; the queue resumes", cause=self.pause.cause, seconds=seconds)
            self.failed.clear()
            self._change(None)
        self._delay = min(2 * self._delay, LONGEST_DELAY)
        self._next = monotonic() + self._delay
        return works

    async def works(self) -> bool | None:
        """Whether the engine makes a small picture; None if it is not ready for one."""
        work = trial(self.engine.model)
        events = self.engine.run(work)
        try:
            return any([isinstance(event, Done) async for event in events])
        except NotReady:
            return None
        except WorkerLost:
            return False
        except Cancelled:
            return None
        except Exception:
            log.exception("a trial of the engine failed")
            return False
        finally:
            await asyncio.shield(self.engine.cancel(TRIAL_ID))
            if isinstance(events, AsyncGenerator):
                await events.aclose()

    def _change(self, pause: EngineFault | None) -> None:
        self.pause = pause
        for changed in self._listeners:
            changed()
