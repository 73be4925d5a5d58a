"""The browsers of `benchmarks.load`, in a process of their own: open set pages, and people who read pages.

Takes its orders as JSON on stdin and prints what it measured as JSON. HTTP is written by hand: a client library would
need more processor time than the server that it measures.
"""

import asyncio
import json
import random
import re
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

CONNECTIONS = 6  # of a browser to one server
SEEN = 12  # pictures that a page shows before it is scrolled; `loading="lazy"` keeps browsers from loading the others
STATIC = re.compile(r'(?:href|src)="(/static/[^"]+)"')
PICTURES = re.compile(r'<img[^>]*src="(/[^"]+)"')
CURSOR = re.compile(r'data-follow="([^"]+)"')
FINISHED = re.compile(r'id="place-(\d+)"\s+data-state="finished"')


@dataclass
class Connection:
    """A kept-alive connection of one person."""

    order: dict[str, Any]
    token: str
    home: str  # the client's own address, because the server limits connections per address
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    free: asyncio.Lock = field(default_factory=asyncio.Lock)  # one request at a time

    async def send(self, path: str, **headers: str) -> tuple[int, dict[str, str]]:
        """Request a path; returns the status and the headers of the answer."""
        if self.writer is None or self.writer.is_closing():
            url = urlsplit(self.order["url"])
            self.reader, self.writer = await asyncio.open_connection(url.hostname, url.port, local_addr=(self.home, 0))
        own = {"host": "127.0.0.1", "cookie": f"{self.order['cookie']}={self.token}", "sec-fetch-site": "same-origin"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in (own | headers).items())
        self.writer.write(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        head = (await self.read().readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in head[1:] if line)
        return int(head[0].split()[1]), {name.lower(): value for name, _, value in pairs}

    async def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Request a path; returns the status, the headers and the whole body."""
        status, answered = await self.send(path, **headers)
        if answered.get("transfer-encoding") == "chunked":
            return status, answered, b"".join([chunk async for chunk in self.chunks()])
        length = 0 if status in (204, 304) else int(answered.get("content-length", 0))
        return status, answered, await self.read().readexactly(length)

    async def chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self.read().readuntil(b"\r\n"), 16):
            yield (await self.read().readexactly(size + 2))[:-2]
        await self.read().readexactly(2)

    def read(self) -> asyncio.StreamReader:
        if self.reader is None:
            raise RuntimeError("nothing was sent yet")
        return self.reader

    def close(self) -> None:
        if self.writer:
            self.writer.close()


@dataclass
class Measured:
    """What all browsers measured."""

    began: float = field(default_factory=time.time)
    milliseconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # by kind of request
    statuses: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    messages: int = 0
    message_bytes: int = 0
    arrivals: list[tuple[int, int, float]] = field(default_factory=list)  # set, position, when a reader had it


class Browser:
    """One person's browser: caches as ours are told to, and loads pictures over several connections."""

    def __init__(self, order: dict[str, Any], number: int, measured: Measured) -> None:
        token = order["tokens"][number % len(order["tokens"])]
        home = f"127.0.{1 + number // 200}.{2 + number % 200}"
        self.pool = [Connection(order, token, home) for _ in range(CONNECTIONS)]
        self.measured = measured
        self.etags: dict[str, str] = {}
        self.kept: set[str] = set()  # never requested again
        self.loading: set[asyncio.Task[None]] = set()

    async def load(self, kind: str, path: str, connection: Connection | None = None) -> bytes:
        """Request an address and note how long it took."""
        headers = {"accept": "text/html"} if kind == "page" else {"accept": "*/*", "sec-fetch-dest": "image"}
        if path in self.etags:
            headers["if-none-match"] = self.etags[path]
        connection = connection or self.pool[0]
        async with connection.free:
            began = time.perf_counter()
            status, answered, body = await connection.get(path, **headers)
            self.measured.milliseconds[kind].append(1000 * (time.perf_counter() - began))
        self.measured.statuses[status] += 1
        if "etag" in answered:
            self.etags[path] = answered["etag"]
        if "immutable" in answered.get("cache-control", ""):
            self.kept.add(path)
        return body

    async def load_all(self, wanted: list[tuple[str, str]]) -> None:
        """Load (kind, path) over all connections but the page's own."""
        waiting = [each for each in dict.fromkeys(wanted) if each[1] not in self.kept][::-1]
        self.kept |= {path for kind, path in waiting if kind == "preview"}

        async def some(connection: Connection) -> None:
            while waiting:
                await self.load(*waiting.pop(), connection)

        await asyncio.gather(*map(some, self.pool[1:]))

    async def view(self, path: str) -> str:
        """Open a page with what it shows."""
        html = (await self.load("page", path)).decode()
        wanted = [("static", each) for each in STATIC.findall(html)]
        await self.load_all(wanted + [("picture", each) for each in PICTURES.findall(html)[:SEEN]])
        return html

    async def read_pages(self, paths: list[list[str]], think: float) -> None:
        """Open one page after another. `paths`: what may be opened, by kind of page, each kind as often."""
        chance = random.Random(self.pool[0].home)  # noqa: S311  (the same walk each time)
        await asyncio.sleep(chance.random() * think)
        while True:
            began = time.perf_counter()
            await self.view(chance.choice(chance.choice(paths)))
            await asyncio.sleep(max(0.0, think * (0.5 + chance.random()) - (time.perf_counter() - began)))

    async def watch(self, set_id: int) -> None:
        """Keep the page of a set open: follow its events, and load the pictures that they bring."""
        html = await self.view(f"/sets/{set_id}")
        found = CURSOR.search(html)
        stream = self.pool.pop()
        status, _ = await stream.send(found[1] if found else "", accept="text/event-stream")
        if status != 200:
            raise RuntimeError(f"an event stream answered {status}")
        text, seen = "", {int(place) for place in FINISHED.findall(html)}
        async for chunk in stream.chunks():
            text += chunk.decode()
            *whole, text = text.split("\n\n")
            for message in whole:
                self.hear(set_id, message.replace("\ndata: ", "\n"), seen)

    def hear(self, set_id: int, message: str, seen: set[int]) -> None:
        """Note what a message brings, and start to load its pictures."""
        arrived = time.time()
        if message.startswith(":"):
            return
        self.measured.messages += 1
        self.measured.message_bytes += len(message)
        new = {int(place) for place in FINISHED.findall(message)} - seen
        self.measured.arrivals += [(set_id, place, arrived) for place in sorted(new)]
        seen |= new
        pictures = PICTURES.findall(message)
        wanted = [("preview" if "/preview" in each else "picture", each) for each in pictures]
        loading = asyncio.create_task(self.load_all(wanted))
        self.loading.add(loading)
        loading.add_done_callback(self.loaded)

    def loaded(self, loading: asyncio.Task[None]) -> None:
        """Forget what was loaded; what failed is told at the end."""
        if loading.cancelled() or loading.exception() is None:
            self.loading.discard(loading)


async def run(order: dict[str, Any]) -> Measured:
    """All browsers for `order["seconds"]`, after `order["settle"]` seconds in which they open their first pages."""
    measured = Measured()
    browsers = [Browser(order, number, measured) for number in range(order["streams"] + order["readers"])]
    sets = order["sets"]
    tasks = [
        asyncio.create_task(
            browser.watch(sets[number % len(sets)])
            if number < order["streams"]
            else browser.read_pages(order["paths"], order["think"])
        )
        for number, browser in enumerate(browsers)
    ]
    await asyncio.sleep(order["settle"])
    fresh = Measured()
    vars(measured).update(vars(fresh))
    await asyncio.sleep(order["seconds"])
    tasks += [task for browser in browsers for task in browser.loading]
    ended = [task for task in tasks if task.done()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)  # before their connections close under them
    for browser in browsers:
        for connection in browser.pool:
            connection.close()
    for task in ended:
        with suppress(asyncio.CancelledError):
            task.result()
    return measured


if __name__ == "__main__":
    print(json.dumps(vars(asyncio.run(run(json.load(sys.stdin))))))
