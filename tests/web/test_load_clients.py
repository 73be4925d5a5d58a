"""The browsers of `benchmarks.load` measure a real server."""

import json
import subprocess
import sys

from tests.engine.painter import Painter
from tests.web.server import Browser, Server, making
from tests.web.test_sets import post_set, wait_until


def test_browsers_open_pages_and_hear_of_finished_pictures(server: Server, designer: Browser, engine: Painter) -> None:
    engine.step_seconds, engine.pause_at = 0.1, 2
    with making(server) as make:
        code = make.style().code
    path = post_set(designer, code, "a fox\na teapot", steps="20")
    wait_until(lambda: len(engine.steps) == 2)
    order = {
        "url": server.url,
        "cookie": server.resources.cookie,
        "tokens": [designer.cookies[server.resources.cookie]],
        "sets": [int(path.rsplit("/", 1)[1])],
        "paths": [["/"], [path]],
        "streams": 2,
        "readers": 1,
        "think": 0.2,
        "settle": 0.0,
        "seconds": 6.0,
    }
    command = [sys.executable, "-m", "benchmarks.load_clients"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as clients:
        assert clients.stdin
        assert clients.stdout
        clients.stdin.write(json.dumps(order))
        clients.stdin.close()
        wait_until(lambda: len(server.resources.streams) == 2)
        engine.go_on()
        told = json.loads(clients.stdout.read())
        assert clients.stderr
        assert clients.stderr.read() == ""
    assert {position for _, position, _ in told["arrivals"]} == {1, 2}
    assert told["messages"] > 2
    assert {"page", "picture", "preview"} <= told["milliseconds"].keys()
    assert set(told["statuses"]) <= {"200", "204", "304"}
