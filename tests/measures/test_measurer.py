"""Finished pictures are measured by themselves, by a process that may be killed, and nothing is lost or repeated."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, select, update
from structlog.testing import capture_logs

from app import processes, slow
from app.audit.service import note_file, record_all
from app.database import Database
from app.files import Files, Kind
from app.gallery import service as gallery
from app.measures import measurer as module
from app.measures import process, worker
from app.measures.jobs import Answer, Job, readable, unpacked
from app.measures.measurer import Measurer, sample_of
from app.measures.process import ProcessLost
from app.measures.queries import of_set
from app.models import (
    Act,
    Image,
    PictureFeatures,
    PictureMeasures,
    ReferenceFeatures,
    SetMeasures,
    State,
    Unit,
    now,
)
from app.quality.embedder import Embedder
from app.quality.measures import Measure
from app.settings import Settings
from app.storage import CannotSave
from tests.factory import MODEL
from tests.measures.conftest import InThisProcess, finish, finished, rows_of, without_process
from tests.quality.models import small_dino

WARM = ["#c03020", "#c43424"]
WITH_BLUE = [*WARM, "#2040d0"]


def set_row(database: Database, set_id: int) -> SetMeasures:
    with database.read() as session:
        return session.get_one(SetMeasures, set_id)


def test_finished_pictures_are_measured_and_compared(database: Database, measurer: Measurer, making: Any) -> None:
    with making() as make:
        image_set = finished(make, WITH_BLUE)
    assert [row.due for row in rows_of(database, image_set.id)] == [True] * 3
    measurer.work()
    rows = rows_of(database, image_set.id)
    assert not any(row.due or row.problem for row in rows)
    hues = [row.numbers[Measure.HUE_REFERENCE] for row in rows]
    assert max(hues[:2]) < 5
    assert hues[2] > 60
    assert [row.flags.get(Measure.HUE_REFERENCE) for row in rows] == [None, None, 40], "a bound is kept with its flag"
    assert rows[2].flagged
    assert rows[0].numbers[Measure.NEAREST] < rows[2].numbers[Measure.NEAREST]
    found = set_row(database, image_set.id)
    assert (found.total, found.sampled) == (3, 3)
    assert found.numbers[Measure.HUE_REFERENCE] == pytest.approx(sum(hues) / 3, abs=1e-3)
    with database.read() as session:
        features = session.scalars(select(PictureFeatures.data)).all()
        assert len(features) == 3
        assert all(data and unpacked(data).width == 128 for data in features)
        assert [row.problem for row in session.scalars(select(ReferenceFeatures))] == [None]


def test_nothing_is_measured_twice(database: Database, measurer: Measurer, making: Any) -> None:
    with making() as make:
        image_set = finished(make, WARM)
    measurer.work()
    times = [row.measured_at for row in rows_of(database, image_set.id)], set_row(database, image_set.id).compared_at
    measurer.work()
    assert times == (
        [row.measured_at for row in rows_of(database, image_set.id)],
        set_row(database, image_set.id).compared_at,
    )


def test_the_newest_come_first(database: Database, measurer: Measurer, making: Any) -> None:
    with making() as make:
        sets = [finished(make, WARM).id for _ in range(2)]
    measurer.work()
    times = [row.measured_at for set_id in sets for row in rows_of(database, set_id)]
    assert times == sorted(times, key=lambda at: at or now(), reverse=True)


def test_a_change_of_the_set_changes_its_numbers(database: Database, measurer: Measurer, making: Any) -> None:
    with making() as make:
        image_set = finished(make, WITH_BLUE)
        ids = [image.id for image in image_set.images]
        owner = image_set.owner
    measurer.work()
    before = rows_of(database, image_set.id)
    with making() as make:
        gallery.delete(make.session, owner, ids[2:])
    measurer.work()
    found = set_row(database, image_set.id)
    assert found.total == 2
    after = rows_of(database, image_set.id)
    assert after[0].numbers[Measure.HUE_SET] < before[0].numbers[Measure.HUE_SET] - 10
    with making() as make:
        gallery.restore(make.session, owner, ids[2:])
    measurer.work()
    assert set_row(database, image_set.id).total == 3
    assert rows_of(database, image_set.id)[0].numbers == before[0].numbers, "as it was, without measuring again"
    assert rows_of(database, image_set.id)[0].measured_at == before[0].measured_at


def test_a_set_that_is_being_made_is_compared_a_few_times(
    database: Database, measurer: Measurer, making: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESTS", 0.0)
    compared: list[int] = []
    compare = measurer._compare
    monkeypatch.setattr(measurer, "_compare", lambda set_id: (compared.append(set_id), compare(set_id)))
    with making() as make:
        style = make.style()
        image_set = make.image_set(style=style, prompts="\n".join(f"a {n}" for n in range(24)), count=1, unit_size=1)
    for _ in range(24):
        with making() as make:
            finish(make, make.session.merge(image_set), ["#c03020"])
        measurer.work()
    assert set_row(database, image_set.id).total == 24
    assert len(compared) < 15
    assert all(row.numbers[Measure.HUE_SET] == pytest.approx(0, abs=1) for row in rows_of(database, image_set.id))


def test_a_killed_process_costs_a_try(database: Database, real: Measurer, making: Any) -> None:
    with making() as make:
        image_set = finished(make, WARM)
    with killing(real, times=1):
        real.work()
    rows = rows_of(database, image_set.id)
    assert not any(row.due or row.problem for row in rows)
    assert all(row.numbers for row in rows)


@pytest.mark.parametrize(("times", "problem"), [(2, None), (3, "lost")])
def test_a_reference_that_ends_the_process_is_tried_again(
    database: Database,
    measurer: Measurer,
    making: Any,
    monkeypatch: pytest.MonkeyPatch,
    times: int,
    problem: str | None,
) -> None:
    with making() as make:
        image_set = finished(make, WARM)
    run, jobs = measurer.process.run, 0

    def lose(job: Job) -> Answer:
        nonlocal jobs
        jobs += 1
        if jobs <= times:
            raise ProcessLost
        return run(job)

    monkeypatch.setattr(measurer.process, "run", lose)
    assert len(measurer._references(image_set.id)) == (problem is None)
    with database.read() as session:
        assert session.scalars(select(ReferenceFeatures.problem)).all() == [problem]


def test_a_picture_that_ends_the_process_is_noted(database: Database, real: Measurer, making: Any) -> None:
    with making() as make:
        image_set = finished(make, WARM)
    real._references(image_set.id)
    real.process.close()
    with killing(real, times=3):
        real.work()
    rows = rows_of(database, image_set.id)
    assert [row.problem for row in rows] == [None, "lost"], "the newest came first"
    assert not any(row.due for row in rows)
    assert set_row(database, image_set.id).total == 1


class killing:
    """Kill the process that measures as soon as it is ready for jobs, some times."""

    def __init__(self, measurer: Measurer, times: int) -> None:
        self._process, self._times = measurer.process, times
        self._run = self._process.run
        self.killed = 0

    def __enter__(self) -> None:
        self._process.run = self._kill_first  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        self._process.run = self._run  # type: ignore[method-assign]
        assert self.killed == self._times

    def _kill_first(self, job: Job) -> Answer:
        if self.killed < self._times:
            assert self._process.pid
            os.kill(self._process.pid, signal.SIGKILL)
            self.killed += 1
        return self._run(job)


def test_a_process_that_ends_while_it_loads_models_costs_no_picture_a_try(
    database: Database, real: Measurer, making: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with making() as make:
        image_set = finished(make, WARM)
    with monkeypatch.context() as patch:
        patch.setattr(process, "WORKER", "app.measures.nothing")
        real.work()
    assert [(row.due, row.tries) for row in rows_of(database, image_set.id)] == [(True, 0)] * 2
    real.work()
    assert all(row.numbers and not row.due for row in rows_of(database, image_set.id))


def test_what_a_model_would_have_measured_is_measured_once_it_loads(
    settings: Settings, database: Database, files: Files, tmp_path: Path, making: Any
) -> None:
    with making() as make:
        image_set = finished(make, WARM)
    measurer = without_process(settings.model_copy(update={"measures": f"dino={tmp_path}"}), database, files)
    measurer.process = WithModels(measurer.process._settings, measurer.background.stopping)
    with capture_logs() as logs:
        measurer.work()
        rows = rows_of(database, image_set.id)
        assert [row.embedders for row in rows] == [{"clip": "bundled CLIP"}] * 2, "the others still measure"
        assert {row.made_with for row in rows} == {f"{measurer.made_with} -dino"}
        with database.read() as session:
            (told, *_) = of_set(session, image_set.owner, image_set.id)
        assert told.missing_words.startswith("Likeness by DINO is missing")
        measurer._begun, measurer._reloads = False, 0.0
        measurer.work()
        assert [row.measured_at for row in rows_of(database, image_set.id)] == [row.measured_at for row in rows]
        small_dino(tmp_path)
        measurer.work()
        assert [row.measured_at for row in rows_of(database, image_set.id)] == [row.measured_at for row in rows]
        measurer._reloads = 0.0
        measurer.work()
    rows = rows_of(database, image_set.id)
    assert [set(row.embedders) for row in rows] == [{"dino", "clip"}] * 2
    assert {row.made_with for row in rows} == {measurer.made_with}
    assert all(Measure.DINO_REFERENCE in row.numbers for row in rows), "its reference was measured again too"
    assert all(Measure.DINO_SET in row.numbers for row in rows)
    told = [line["event"] for line in logs]
    assert told == [
        "pictures are measured without models that cannot be loaded",
        "all models that compare pictures are loaded again",
    ]


class WithModels(InThisProcess):
    """With the models of the setting, loaded here."""

    loaded: Sequence[Embedder] | None = None

    def start(self) -> None:
        if self.loaded is None:
            self.loaded, self.models = worker.load(self._settings)

    def run(self, job: Job) -> Answer:
        return worker.done(job, self.loaded or ())

    def close(self) -> None:
        self.loaded = None


@pytest.mark.parametrize("content", [None, b"damaged"])
def test_a_lost_file_is_noted_until_it_is_healed(
    database: Database, files: Files, measurer: Measurer, making: Any, content: bytes | None
) -> None:
    with making() as make:
        image_set = finished(make, WARM)
        image = image_set.images[0]
    path = files.path(Kind.IMAGES, image.sha256 or "")
    whole = path.read_bytes()
    path.unlink() if content is None else path.write_bytes(content)
    measurer.work()
    measurer.work()
    row = rows_of(database, image_set.id)[0]
    assert (row.due, row.problem, row.numbers) == (False, "missing" if content is None else "damaged", {})
    assert set_row(database, image_set.id).total == 1
    path.write_bytes(whole)
    with making() as make:
        note_file(make.session, Act.FILE_HEAL, file="picture", sha256=image.sha256)
    measurer.work()
    row = rows_of(database, image_set.id)[0]
    assert (row.due, row.problem) == (False, None)
    assert row.numbers
    assert set_row(database, image_set.id).total == 2


def test_a_lost_reference_leaves_out_what_compares_with_it(
    database: Database, files: Files, measurer: Measurer, making: Any
) -> None:
    with making() as make:
        image_set = finished(make, WARM)
        reference = image_set.style_version.references[0].reference
    path = files.path(Kind.REFERENCES, reference.sha256)
    whole = path.read_bytes()
    path.unlink()
    measurer.work()
    row = rows_of(database, image_set.id)[0]
    assert Measure.HUE_REFERENCE not in row.numbers
    assert Measure.HUE_SET in row.numbers
    path.write_bytes(whole)
    with making() as make:
        note_file(make.session, Act.FILE_HEAL, file="the reference", sha256=reference.sha256)
    measurer.work()
    assert all(Measure.HUE_REFERENCE in row.numbers for row in rows_of(database, image_set.id))
    with database.read() as session:
        assert session.scalars(select(ReferenceFeatures.problem)).all() == [None]


def test_nothing_is_kept_of_a_picture_that_is_removed_for_good_while_it_is_measured(
    database: Database, measurer: Measurer, making: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with making() as make:
        image_set = finished(make, WARM)
        ids = [image.id for image in image_set.images]
    run = measurer.process.run

    def purge_first(job: Job) -> Answer:
        monkeypatch.setattr(measurer.process, "run", run)
        with making() as make:
            record_all(make.session, None, Act.IMAGE_PURGE, [make.session.get_one(Image, each) for each in ids])
        return run(job)

    measurer._references(image_set.id)
    monkeypatch.setattr(measurer.process, "run", purge_first)
    measurer.work()
    with database.read() as session:
        assert session.scalars(select(PictureFeatures)).all() == []


def test_a_full_disk_loses_nothing(settings: Settings, database: Database, measurer: Measurer, making: Any) -> None:
    with making() as make:
        image_set = finished(make, WARM * 10)
    with closing(sqlite3.connect(settings.database_path, isolation_level=None)) as connection:
        connection.execute("VACUUM")
    with database.read() as session:
        pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar()

    def full(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    def room(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA max_page_count = 1073741823")

    event.listen(database.engine, "checkout", full)
    with pytest.raises(CannotSave):
        measurer.work()
    assert any(row.due for row in rows_of(database, image_set.id))
    event.remove(database.engine, "checkout", full)
    event.listen(database.engine, "checkout", room)
    database.storage.check()
    measurer.work()
    assert all(row.numbers and not row.due for row in rows_of(database, image_set.id))


def test_other_measures_are_made_again(
    settings: Settings, database: Database, files: Files, measurer: Measurer, making: Any, monkeypatch: Any
) -> None:
    with making() as make:
        image_set = finished(make, WARM)
    measurer.work()
    before = [row.measured_at for row in rows_of(database, image_set.id)]
    other = without_process(settings.model_copy(update={"measures": "clip=elsewhere"}), database, files)
    other.work()
    rows = rows_of(database, image_set.id)
    assert all(row.measured_at > at for row, at in zip(rows, before, strict=True) if row.measured_at and at)
    assert {row.made_with for row in rows} == {other.made_with} != {measurer.made_with}


def test_it_gives_way(database: Database, real: Measurer, making: Any) -> None:
    with making() as make:
        finished(make, WARM)
    real.work()
    assert real.process.pid
    assert os.getpriority(os.PRIO_PROCESS, real.process.pid) == 19
    assert processes.LOW_PRIORITY < 19


def test_the_models_of_the_setting_take_part(settings: Settings, database: Database, files: Files, making: Any) -> None:
    with making() as make:
        image_set = finished(make, WARM)
    real = Measurer(settings.model_copy(update={"measures": ""}), database, files, lambda: MODEL)
    try:
        real.work()
    finally:
        real.process.close()
    rows = rows_of(database, image_set.id)
    assert [row.embedders for row in rows] == [{"clip": "bundled CLIP"}] * 2
    assert all(row.numbers[Measure.CLIP_REFERENCE] > 0.5 for row in rows)


def test_it_rests_while_the_model_needs_the_processors(
    settings: Settings, database: Database, files: Files, measurer: Measurer, making: Any
) -> None:
    with making() as make:
        image_set = finished(make, WARM)
        unit = make.session.scalars(select(Unit)).first()
        assert unit
        make.session.execute(insert(Unit).values(**_copy(unit), state=State.GENERATING))
    rested: list[float] = []
    measurer.background.stopping.wait = rested.append  # type: ignore[method-assign, assignment]
    measurer.work()
    assert len(rested) == 4, "after each picture and each comparison"
    assert all(seconds > 0 for seconds in rested)
    rested.clear()
    on_a_gpu = without_process(settings, database, files)
    on_a_gpu._facts = lambda: MODEL.__class__(**{**vars(MODEL), "device": "cuda, float16"})
    on_a_gpu.background.stopping.wait = rested.append  # type: ignore[method-assign, assignment]
    with making() as make:
        make.session.execute(update(PictureMeasures).values(due=True))
    on_a_gpu.work()
    assert rested == []
    assert all(row.numbers for row in rows_of(database, image_set.id))


def _copy(unit: Unit) -> dict[str, Any]:
    names = ("set_id", "owner_id", "priority", "place", "tries", "crashes", "created_at")
    return {name: getattr(unit, name) for name in names if hasattr(unit, name)}


def test_what_is_removed_for_good_is_forgotten(database: Database, measurer: Measurer, making: Any) -> None:
    with making() as make:
        image_set = finished(make, WARM)
        ids = [image.id for image in image_set.images]
        owner = image_set.owner
    measurer.work()
    with making() as make:
        gallery.delete(make.session, owner, ids[:1])
        gallery.purged(make.session, ids[:1])
    assert [row.image_id for row in rows_of(database, image_set.id)] == ids[1:]
    with database.read() as session:
        assert list(session.scalars(select(PictureFeatures.image_id))) == ids[1:]


def test_damaged_features_are_measured_again(database: Database, measurer: Measurer, making: Any) -> None:
    with making() as make:
        image_set = finished(make, WITH_BLUE)
    measurer.work()
    before = rows_of(database, image_set.id)
    with database.write() as session:
        session.execute(
            update(PictureFeatures).where(PictureFeatures.image_id == before[0].image_id).values(data=b"damaged")
        )
        session.execute(update(ReferenceFeatures).values(data=b"damaged"))
        session.execute(update(SetMeasures).values(changes=SetMeasures.changes + 1))
    measurer.work()
    rows = rows_of(database, image_set.id)
    assert [row.numbers for row in rows] == [row.numbers for row in before]
    with database.read() as session:
        data = [*session.scalars(select(PictureFeatures.data)), *session.scalars(select(ReferenceFeatures.data))]
    assert all(each and readable(each) for each in data)


def test_the_match_is_with_what_the_prompt_names(
    database: Database, measurer: Measurer, making: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[str] = []
    run = measurer.process.run
    monkeypatch.setattr(measurer.process, "run", lambda job: (texts.append(getattr(job, "text", "")), run(job))[1])
    with making() as make:
        image_set = finished(make, WARM)
        image_set.images[0].prompt, image_set.images[1].prompt = "a (red fox:1.2) on a chair, at night", "狐"
        image_set.images[1].drawn_as = "a fox under a tree"
    measurer.work()
    assert set(texts) - {""} == {"red fox", "fox"}


def test_a_near_duplicate_in_a_large_set_is_found_whatever_the_sample(
    database: Database, measurer: Measurer, making: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLE", 1)
    with making() as make:
        image_set = finished(make, [*WITH_BLUE, "#20d040"])
        image_set.images[0].sha256 = image_set.images[3].sha256
    measurer.work()
    rows = rows_of(database, image_set.id)
    assert [Measure.NEAREST in row.flags for row in rows] == [True, False, False, True]


def test_a_large_set_is_compared_with_a_sample(
    database: Database, measurer: Measurer, making: Any, record_property: Callable[[str, object], None]
) -> None:
    with making() as make:
        image_set = finished(make, WITH_BLUE)
    measurer.work()
    with slow.permitted(), database.write() as session:
        copies(database, session, image_set.id, 1000)
    began = time.monotonic()
    measurer.work()
    record_property("seconds", time.monotonic() - began)
    print(f"a set of 1,000 pictures was compared in {time.monotonic() - began:.1f} s")
    found = set_row(database, image_set.id)
    assert (found.total, found.sampled) == (1000, 64)
    rows = rows_of(database, image_set.id)
    assert len(rows) == 1000
    assert all(Measure.HUE_SET in row.numbers for row in rows)
    ids = [row.image_id for row in rows]
    assert sample_of(ids) == sample_of(list(ids))
    assert len({ids[place] for place in sample_of(ids)} & {ids[:999][place] for place in sample_of(ids[:999])}) >= 63


def copies(database: Database, session: Any, set_id: int, total: int) -> None:
    """Fill a set up to `total` pictures that are measured like its own, in turn."""
    own = session.scalars(select(Image).where(Image.set_id == set_id).order_by(Image.id)).all()
    features = dict(session.execute(select(PictureFeatures.image_id, PictureFeatures.data)).all())
    columns = [column.name for column in Image.__table__.columns if column.name not in ("id", "position", "version")]
    for number in range(len(own), total):
        source = own[number % len(own)]
        values = {name: getattr(source, name) for name in columns} | {"position": number + 1, "version": 1}
        new = session.execute(insert(Image).values(values)).inserted_primary_key[0]
        session.execute(insert(PictureFeatures).values(image_id=new, data=features[source.id]))
    session.execute(update(PictureMeasures).values(due=False))
