"""Separate decoding: few at a time, a short queue, an end to every job, and nothing left behind."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import psutil
import pytest
from PIL import Image

from app import pictures
from app.decoding import pool as pools
from app.decoding.pool import DecodingFailed, DecodingJob, Gone, Pool, gone
from app.errors import Busy, Invalid
from app.pictures import Limits, clean_upload
from tests.decoding.held import go_on, stopped_workers, wait_for
from tests.factory import encoded, png

ROOT = Path(__file__).parents[2]


@cache
def busy_picture() -> bytes:
    """Seconds of decoding in one megabyte."""
    return encoded(Image.new("RGB", (8000, 8000)), compress_level=1)


@cache
def large_picture() -> bytes:
    """100 MB of pixels in a tenth of a megabyte."""
    return encoded(Image.new("RGB", (5000, 5000), "teal"))


@pytest.fixture(scope="module")
def one() -> Iterator[Pool]:
    """A pool of one worker, with one place in the queue."""
    made = Pool(workers=1, waiting=1)
    yield made
    made.close()


def job(data: bytes = b"", memory: int = 2**29) -> DecodingJob:
    upload = {"kind": "PNG", "pixels": 64_000_000, "memory": memory}
    return DecodingJob("clean", data or png(), upload, memory, 2**28)


def test_a_full_queue_refuses_immediately(one: Pool) -> None:
    with stopped_workers(one) as workers, ThreadPoolExecutor(2) as people:
        sent = [people.submit(one.run, job()) for _ in range(2)]
        wait_for(lambda: one.waits == 1)
        with pytest.raises(Busy, match=r"Too many pictures are being uploaded right now.* Try again in a moment"):
            one.run(job())
        go_on(workers)
        assert all(each.result().blobs for each in sent)


def test_our_own_work_waits_however_long_the_queue(one: Pool) -> None:
    with stopped_workers(one) as workers, ThreadPoolExecutor(3) as people:
        sent = [people.submit(one.run, job()) for _ in range(2)]
        wait_for(lambda: one.waits == 1)
        sent.append(people.submit(one.run, job(), patient=True))
        wait_for(lambda: one.waits == 2)
        go_on(workers)
        assert all(each.result().blobs for each in sent)


def test_a_wait_has_an_end(one: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "WAIT_SECONDS", 0.3)
    with stopped_workers(one) as workers, ThreadPoolExecutor(1) as people:
        sent = people.submit(one.run, job())
        wait_for(lambda: one._busy == 1)
        with pytest.raises(Busy):
            one.run(job())
        go_on(workers)
        assert sent.result().blobs


def test_jobs_with_too_much_memory_end_alone(one: Pool) -> None:
    one.warm()
    (worker,) = one._idle
    with pytest.raises(DecodingFailed) as failed:
        one.run(job(large_picture(), memory=60 * 2**20))
    assert failed.value.how == "memory"
    assert one.run(job()).blobs
    assert one._idle == [worker], "the warm process is the same"


def test_jobs_with_too_much_processor_time_end_alone(one: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "CPU_SECONDS", 0)  # the minimum: the system checks once a second
    with pytest.raises(DecodingFailed) as failed:
        one.run(job(busy_picture()))
    assert failed.value.how == "time"
    monkeypatch.undo()
    assert one.run(job()).blobs


def test_slow_jobs_are_ended_by_the_clock(one: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "SECONDS", 0.3)
    with stopped_workers(one) as workers:
        with pytest.raises(DecodingFailed) as failed:
            one.run(job())
        assert failed.value.how == "time"
        assert not psutil.pid_exists(workers[0].process.pid), "ended, and not left as a zombie"
    monkeypatch.undo()
    assert one.run(job()).blobs


@pytest.mark.parametrize("waiting", [True, False])
def test_a_gone_client_frees_its_slot(one: Pool, waiting: bool) -> None:
    left = threading.Event()

    def leaves() -> None:
        gone.set(left.is_set)
        one.run(job())

    with stopped_workers(one) as workers, ThreadPoolExecutor(2) as people:
        first = people.submit(one.run, job()) if waiting else None
        wait_for(lambda: not waiting or one._busy == 1)
        second = people.submit(leaves)
        wait_for(lambda: one.waits == 1 if waiting else one._busy == 1)
        left.set()
        with pytest.raises(Gone):
            second.result()
        assert one.waits == 0
        go_on(workers)
        assert first is None or first.result().blobs
    assert one.run(job()).blobs


@pytest.mark.parametrize("busy", [True, False])
def test_a_worker_that_is_killed_is_replaced(one: Pool, busy: bool) -> None:
    with stopped_workers(one) as workers, ThreadPoolExecutor(1) as people:
        sent = people.submit(one.run, job()) if busy else None
        wait_for(lambda: not busy or one._busy == 1)
        os.killpg(workers[0].process.pid, signal.SIGKILL)
        assert sent is None or sent.result().blobs, "another does its job"
    assert one.run(job()).blobs
    assert not psutil.pid_exists(workers[0].process.pid)


def test_a_crashed_child_is_reported_in_a_sentence(one: Pool) -> None:
    """A child killed by a signal in the middle of its job, as by a fault in a decoder."""
    one.warm()
    (worker,) = one._idle
    children = psutil.Process(worker.process.pid)
    with ThreadPoolExecutor(1) as people:
        sent = people.submit(one.run, job(busy_picture()))
        wait_for(lambda: bool(children.children()))
        os.kill(children.children()[0].pid, signal.SIGSEGV)
        with pytest.raises(DecodingFailed) as failed:
            sent.result()
    assert failed.value.how == "crash"
    assert one.run(job()).blobs


def test_each_job_has_its_own_process(one: Pool) -> None:
    one.warm()
    (worker,) = one._idle
    before = psutil.Process(worker.process.pid).memory_full_info().uss
    for _ in range(3):
        one.run(job(large_picture()))
    assert psutil.Process(worker.process.pid).children() == []
    assert psutil.Process(worker.process.pid).memory_full_info().uss < before + 4 * 2**20, "nothing is left of a job"


@pytest.mark.parametrize("end", ["the orderly one", "SIGKILL", "SIGKILL in the middle of a job"])
def test_it_ends_with_the_server(end: str) -> None:
    program = """
import os, signal, threading
from app.decoding.pool import pool
from app.pictures import clean_upload
from tests.factory import png
clean_upload(png())
(worker,) = pool._idle
print(worker.process.pid, flush=True)
end = input()
if "middle" in end:
    os.killpg(worker.process.pid, signal.SIGSTOP)
    threading.Thread(target=clean_upload, args=[png()], daemon=True).start()
    while not pool._busy: pass
    os.killpg(worker.process.pid, signal.SIGCONT)
if "SIGKILL" in end:
    os.kill(os.getpid(), signal.SIGKILL)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin
        assert server.stdout
        while not (line := server.stdout.readline()).strip().isdigit():
            assert line, "it did not start"
        worker = psutil.Process(int(line))
        server.stdin.write(f"{end}\n")
        server.stdin.flush()
        server.wait(60)
        wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def test_people_read_a_sentence_with_a_remedy() -> None:
    tight = Limits(pixels=2**23 * 3)
    original = pictures.MEMORY, pictures.MEMORY_PIXEL
    pictures.MEMORY, pictures.MEMORY_PIXEL = 40 * 2**20, 0
    try:
        with pytest.raises(Invalid, match=r"takes too much memory to decode. Save it smaller"):
            clean_upload(encoded(Image.new("RGB", (4000, 4000))), tight)
    finally:
        pictures.MEMORY, pictures.MEMORY_PIXEL = original
