"""How long things are kept. `RULES` has every rule; a server applies them at its start, then daily.

Exports have a rule of their own in `app.exports.preparer`, which knows whose links are open. Files without a row and
inverted references are removed by `app.upkeep.sweeper`. The audit log is kept for ever. docs/operate.md lists all.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from shutil import rmtree
from time import time

import structlog
from sqlalchemy.orm import Session

from app import days, metrics, undo
from app.accounts import service as accounts
from app.audit.service import note_removed
from app.background import BackgroundLoop
from app.database import Database
from app.drafts.service import forget_old
from app.filing.removal import remove_expired
from app.gallery.purger import Purger
from app.models import now
from app.quotas import service as quotas
from app.sets import strips, templates, tunings
from app.settings import Settings

log = structlog.get_logger()

DAY_SECONDS = 86400.0
USAGE_DAYS = 90  # of counted uses, which quotas read for today alone


class Retention:
    def __init__(self, settings: Settings, database: Database, purger: Purger) -> None:
        self.settings = settings
        self.database = database
        self.purger = purger
        self.background = BackgroundLoop(
            partial(asyncio.to_thread, self.apply),
            "retention",
            trouble="what is kept for a time could not be removed",
            seconds=DAY_SECONDS,
        )

    def apply(self) -> dict[str, int]:
        """Apply every rule, and record what was removed: how many, by rule."""
        removed = {}
        for rule in RULES:
            if self.background.stopping.is_set():
                break
            if number := rule.remove(self):
                removed[rule.name] = number
                metrics.removed.labels(rule.name).inc(number)
        if removed:
            log.info("what had to be kept only for a time was removed", **removed)
            with self.database.write() as session:
                note_removed(session, **removed)
        return removed

    def rows(self, remove: Callable[[Session], int]) -> int:
        with self.database.write() as session:
            return remove(session)


@dataclass(frozen=True)
class RetentionRule:
    """`name` is its label in the log, the audit log, the metrics and docs/operate.md."""

    name: str
    remove: Callable[[Retention], int]
    """Removes what is over, and counts it."""


def bin_(kept: Retention) -> int:
    """What was in the bin for 30 days: first pictures, then sets, campaigns, styles, subjects and references."""
    return kept.purger.purge(kept.background.stopping) + kept.rows(remove_expired)


def sessions(kept: Retention) -> int:
    """Sessions of browsers that must sign in again."""
    return kept.rows(accounts.remove_ended_sessions)


def links(kept: Retention) -> int:
    """Invite and reset links that ended `link_days` ago."""
    before = now() - timedelta(days=kept.settings.link_days)
    return kept.rows(partial(accounts.remove_ended_links, before=before))


def undos(kept: Retention) -> int:
    """What could be undone until an hour ago."""
    return kept.rows(undo.forget)


def usage(kept: Retention) -> int:
    """What people used of their quotas on days long past."""
    return kept.rows(partial(quotas.forget_usage, before=days.today() - timedelta(days=USAGE_DAYS)))


def drafts(kept: Retention) -> int:
    """Drafts of forms that nobody changed for a week. The sweeper then removes files that only they named."""
    return kept.rows(forget_old)


def trainings(kept: Retention) -> int:
    """States of trainings that were interrupted `training_days` ago. A training then starts from its first step."""
    oldest = time() - kept.settings.training_days * 86400
    old = [path for path in (kept.settings.data / "cache" / "training").glob("*") if path.stat().st_mtime < oldest]
    for path in old:
        rmtree(path, ignore_errors=True)
    return len(old)


def templates_(kept: Retention) -> int:
    """Templates that were deleted 30 days ago."""
    return kept.rows(partial(templates.forget_deleted, before=now() - templates.RESTORABLE))


def strips_(kept: Retention) -> int:
    """Strips of small pictures that are an hour old."""
    return kept.rows(strips.forget)


def tunings_(kept: Retention) -> int:
    """Drafts made to find the best setting of a style, 30 days old."""
    return kept.rows(tunings.forget)


RULES = tuple(
    RetentionRule(remove.__name__.rstrip("_"), remove)
    for remove in (bin_, sessions, links, undos, usage, drafts, trainings, strips_, tunings_, templates_)
)
