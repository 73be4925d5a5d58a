"""A server is backed up while people work on it, restored elsewhere, and started there."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from threading import Event

from app.accounts.service import create_setup_link
from app.main import create_app
from app.settings import Settings
from tests.command import soroe
from tests.engine.painter import Painter
from tests.faults import promises
from tests.faults.client import ACCOUNT, Client
from tests.web.server import Browser, Server, serve

ROOT = Path(__file__).parents[2]


def test_a_server_at_work_is_backed_up_and_restored(server: Server, settings: Settings, tmp_path: Path) -> None:
    with server.resources.database.write() as session:
        link = create_setup_link(session, settings)
    assert link
    stop = Event()

    def work() -> None:
        while not stop.is_set():
            client.round()

    with Client(server.url, link.removeprefix(settings.public_url)) as client, ThreadPoolExecutor() as threads:
        client.round()
        before = deepcopy(client.done)
        working = threads.submit(work)
        try:
            first = soroe("backup", tmp_path / "backup", SOROE_DATA=str(settings.data))
        finally:
            stop.set()
        working.result()
        second = soroe("backup", tmp_path / "backup", SOROE_DATA=str(settings.data))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    before.subject_pictures = client.done.subject_pictures = []  # of a form that was never sent

    assert soroe("restore", tmp_path / "backup", SOROE_DATA=str(tmp_path / "latest")).returncode == 0
    assert promises.lost(tmp_path / "latest", client.done) == {}
    name = soroe("restore", tmp_path / "backup", "--list").stdout.split()[0]
    restored = Settings(data=tmp_path / "restored")
    command = [sys.executable, "-c", "from app.cli import main; main()", "restore", tmp_path / "backup"]
    environment = os.environ | {"SOROE_DATA": str(restored.data)}
    subprocess.run([*command, "--snapshot", name], env=environment, cwd=ROOT, check=True)  # in a process of its own
    assert promises.lost(restored.data, before) == {}
    with serve(create_app(restored, Painter())) as again, Browser(again.url) as browser:
        assert browser.post("/login", data=ACCOUNT).status_code == 303
        for image_id in before.pictures:
            assert browser.get(f"/images/{image_id}.png").status_code == 200
            assert browser.get(f"/images/{image_id}/thumb-320.webp").status_code == 200, "made again"
