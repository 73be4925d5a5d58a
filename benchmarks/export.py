"""Time and memory of an export: `python -m benchmarks.export`.

Makes a campaign of approved pictures, prepares its zip, and downloads it, each in its own process, so that peak memory
belongs to the step alone. The second export finds every picture in the cache. The last step downloads over HTTP: with
one download, then with several at once, each followed by some parts of a kilobyte.
"""

import argparse
import io
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import httpx2
from PIL import Image
from sqlalchemy import insert

from app import slow, wiring
from app.accounts.service import start_session
from app.database import Database, migrate
from app.exports import preparer as preparing
from app.exports import queries, service
from app.exports.options import ExportOptions
from app.exports.preparer import WORKERS, Preparer
from app.files import Files, Kind
from app.main import create_app
from app.models import Decision, Role, State, User, Verdict, now
from app.models import Image as ImageRow
from app.settings import Settings
from benchmarks.gallery import IdleEngine
from tests.factory import Factory, encoded
from tests.web.server import serve

AT_ONCE = 8  # downloads over HTTP
PARTS = 50  # of a kB, requested by each download after the whole
DIFFERENT = 50  # pictures; the others are copies with their own prompts, so none is in the cache


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--side", type=int, default=1024, help="px")
    parser.add_argument("--format", default="jpeg")
    parser.add_argument("--size", default="original", help="such as 8192x8192")
    parser.add_argument("--workers", type=int, default=WORKERS, help="files made at a time")
    parser.add_argument("--steps", default="nothing,make,prepare,again,download,http")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(f"{asked.pictures} pictures of {asked.side} px as {asked.format}")
        for step in asked.steps.split(","):
            # A copy of this process, which has done nothing but imports, in place of a new one that repeats them.
            with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as process:
                done = process.submit(silently, step, Path(folder), asked).result()
            print(f"{step:>10}  {done.seconds:8.2f} s  {done.peak:6.0f} MB at most  {done.note}")


@dataclass(frozen=True)
class Done:
    seconds: float
    peak: float  # MB
    note: str


def silently(step: str, data: Path, asked: argparse.Namespace) -> Done:
    with redirect_stdout(io.StringIO()):  # the server's log
        return run(step, data, asked)


def run(step: str, data: Path, asked: argparse.Namespace) -> Done:
    settings = Settings(data=data, _env_file=None)  # type: ignore[call-arg]  # pydantic takes it
    wiring.connect()
    migrate(settings)
    database, files = Database(settings), Files(settings.data / "files")
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak: imports have had their own
    began = time.perf_counter()
    note = ""
    if step == "make":
        make(database, files, asked.pictures, asked.side)
    elif step in ("prepare", "again"):
        template = "{n}" if step == "again" else "{n}-{slug}"
        preparing.WORKERS = asked.workers
        options = ExportOptions(format=asked.format, template=template, sizes=(asked.size,))
        note = prepare(settings, database, files, options)
    elif step == "download":
        note = download(settings, database, files)
    elif step == "http":
        note = http(settings)
    return Done(time.perf_counter() - began, peak(), note)


def peak() -> float:
    """Peak memory of this process, in MB. Linux only, where `ru_maxrss` may be the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def make(database: Database, files: Files, pictures: int, side: int) -> None:
    noise = [Image.effect_noise((side // 8, side // 8), 20 + n).resize((side, side)).convert("RGB") for n in range(5)]
    with database.write() as session, slow.permitted():
        factory = Factory(session, files)
        manager = factory.user(Role.MANAGER)
        image_set = factory.image_set(manager, prompts="a fox")
        kept = []
        for number in range(min(DIFFERENT, pictures)):
            colour = (number * 5, 90, 200 - number)
            picture = Image.blend(noise[number % 5], Image.new("RGB", (side, side), colour), 0.5)
            data = encoded(picture, compress_level=1)
            kept.append((files.put(Kind.IMAGES, data), len(data)))
        session.flush()
        first = image_set.images[0]
        shared = {"owner_id": first.owner_id, "campaign_id": first.campaign_id, "style_id": first.style_id}
        rows = []
        for number in range(pictures):
            sha256, size = kept[number % len(kept)]
            told = {"set_id": image_set.id, "position": number + 2, "prompt": f"picture {number}", "seed": number}
            done = {"state": State.FINISHED, "shown": True, "finished_at": now()}
            approved = {"decision": Verdict.APPROVED, "approvals": 1}
            rows.append({**shared, **told, **done, **approved, "sha256": sha256, "bytes": size})
        ids = session.scalars(insert(ImageRow).returning(ImageRow.id), rows).all()
        decided = [{"image_id": each, "user_id": manager.id, "verdict": Verdict.APPROVED} for each in ids]
        session.execute(insert(Decision), decided)


def prepare(settings: Settings, database: Database, files: Files, options: ExportOptions) -> str:
    preparer = Preparer(settings, database, files)
    with database.write() as session:
        user = session.query(User).filter_by(role=Role.MANAGER).one()
        wanted = service.selection(session, user, campaign_id=1)
        export = service.create(session, user, service.plan(session, user, wanted, options))
    preparer.prepare(export.id)
    with database.read() as session:
        ready = queries.get(session, user, export.id)
        return f"{ready.state}, {ready.done} files, {(ready.bytes or 0) / 2**20:.0f} MB"


def download(settings: Settings, database: Database, files: Files) -> str:
    store = Preparer(settings, database, files).store
    with database.read() as session:
        user = session.query(User).filter_by(role=Role.MANAGER).one()
        archive = service.archive(session, queries.get(session, user, 1), store)
    read = sum(map(len, archive.read()))
    if read != archive.length:
        raise SystemExit(f"{read} bytes were read of a zip of {archive.length}")
    began, start = time.perf_counter(), archive.length * 9 // 10
    sum(map(len, archive.read(start, start + 1000)))
    return f"{read / 2**20:.0f} MB; a kB from its last tenth after {1000 * (time.perf_counter() - began):.1f} ms"


def http(settings: Settings) -> str:
    """Download one export several times at once from a server in this process, whose memory is measured."""
    app = create_app(settings, IdleEngine())
    database = app.state.resources.database
    with database.write() as session:
        user = session.query(User).filter_by(role=Role.MANAGER).one()
        token = start_session(session, user)
    before = peak()
    with serve(app) as server, ThreadPoolExecutor(AT_ONCE) as pool:
        path, cookies = f"{server.url}/exports/1/download.zip", {app.state.resources.cookie: token}
        one, began = fetch(path, cookies), time.perf_counter()
        alone = peak()
        fetched = list(pool.map(lambda _: fetch(path, cookies), range(AT_ONCE)))
        seconds = time.perf_counter() - began
    if set(fetched) != {one}:
        raise SystemExit("the downloads differ")
    return (
        f"{alone - before:.0f} MB for one, {peak() - before:.0f} MB for {AT_ONCE} at once, "
        f"each with {PARTS} parts after it, in {seconds:.1f} s"
    )


def fetch(path: str, cookies: dict[str, str]) -> int:
    """Download it in discarded chunks, then some parts; returns its size in bytes."""
    with httpx2.Client(cookies=cookies, timeout=600, trust_env=False) as browser:
        with browser.stream("GET", path) as answer:
            length = sum(map(len, answer.iter_raw()))
        for number in range(PARTS):
            start = length * number // PARTS
            browser.get(path, headers={"range": f"bytes={start}-{start + 999}"}).raise_for_status()
    return length


if __name__ == "__main__":
    main()
