"""What Prometheus reads from the state of one server at that moment; `app.metrics` counts the rest."""

import platform
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app import metrics
from app.database import Database
from app.decoding.pool import pool as decoders
from app.effects import Happened
from app.engine.base import Engine, EngineState
from app.exports import queries as exports
from app.models import now
from app.upkeep.disk import Disk
from app.web.limits.streams import Streams
from app.work import line

SAVING = "1 while nothing can be saved, such as on a full disk."


class Measures(Collector):
    def __init__(self, database: Database, engine: Engine, disk: Disk, streams: Streams) -> None:
        self.database = database
        self.engine = engine
        self.disk = disk
        self.streams = streams
        self.registry = CollectorRegistry()
        self.registry.register(self)
        database.listen(count_acts)

    def describe(self) -> list[Metric]:
        return []  # or the registry would collect, to see the names

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(REGISTRY) + generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        facts = {"version": version("soroe"), "python": platform.python_version()}
        yield _gauge("soroe_build_info", "The version of Soroe.", facts, 1)
        yield _gauge("soroe_event_streams", "Open event streams of pages.", {}, len(self.streams))
        yield _gauge("soroe_decoding_waiting", "Uploads that wait to be decoded.", {}, decoders.waits)
        up = float(self.engine.state == EngineState.READY)
        yield _gauge("soroe_engine_up", "1 while the engine can work.", {}, up)
        lost = CounterMetricFamily("soroe_engine_restarts", "How often the engine was lost, and started again.")
        lost.add_metric([], self.engine.restarts)
        yield lost
        yield from self._disk()
        yield from self._queue()

    def _disk(self) -> Iterator[Metric]:
        storage = self.disk.storage
        yield _gauge("soroe_saving_paused", SAVING, {}, float(storage.pause is not None))
        yield _gauge("soroe_disk_free_bytes", "Space left for the data folder.", {}, storage.free_bytes)
        yield _gauge("soroe_disk_low", "1 below SOROE_LOW_DISK_BYTES.", {}, float(self.disk.low is not None))
        used = GaugeMetricFamily("soroe_data_bytes", "Space used, measured once an hour.", labels=["kind"])
        for kind, size in self.disk.used.items():
            used.add_metric([kind], size)
        yield used

    def _queue(self) -> Iterator[Metric]:
        with self.database.read() as session:
            waiting, made = line.counts(session), exports.counts(session)
        units = GaugeMetricFamily("soroe_queue_units", "Units in the queue.", labels=["kind", "state"])
        oldest = GaugeMetricFamily("soroe_queue_oldest_seconds", "Age of the oldest waiting unit.", labels=["kind"])
        for each in waiting:
            units.add_metric([each.kind, each.state], each.number)
            if each.state == "queued":
                oldest.add_metric([each.kind], max((now() - each.oldest).total_seconds(), 0.0) if each.oldest else 0.0)
        yield units
        yield oldest
        zips = GaugeMetricFamily("soroe_exports", "Exports by state.", labels=["state"])
        for state, number in made.items():
            zips.add_metric([state], number)
        yield zips


def count_acts(notes: Any) -> None:
    """A listener of the database: count the acts of a committed transaction."""
    for note in notes:
        if isinstance(note, Happened):
            metrics.acts.labels(note.act).inc(len(note.rows))


def _gauge(name: str, what: str, labels: dict[str, str], value: float) -> Metric:
    gauge = GaugeMetricFamily(name, what, labels=list(labels))
    gauge.add_metric(list(labels.values()), value)
    return gauge
