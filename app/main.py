"""The app factory, used by `soroe serve` and the tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from fastapi import FastAPI

from app import days, wiring
from app.accounts import password_quality
from app.accounts.oidc import Provider
from app.accounts.vault import Vault
from app.audit.checker import Checker
from app.background import BackgroundLoop
from app.database import Database, migrate
from app.decoding.pool import pool as decoders
from app.engine.base import Engine
from app.engine.local import LocalEngine
from app.exports.preparer import Preparer
from app.exports.removal import remove_holding
from app.files import Files
from app.gallery.purger import Purger
from app.rights.service import FILE_BYTES
from app.settings import Settings
from app.storage import CHECK_SECONDS, CannotSave, Storage, log_change
from app.upkeep.disk import MEASURE_SECONDS, Disk
from app.upkeep.reader import FileReader
from app.upkeep.retention import Retention
from app.upkeep.sweeper import Sweeper
from app.web import (
    accounts,
    compare,
    confirm,
    downloads,
    exports,
    factors,
    gallery,
    health,
    home,
    live,
    oidc,
    passkeys,
    people,
    pictures,
    record,
    regions,
    resets,
    review,
    review_settings,
    rights,
    shares,
    structures,
    styles,
    subjects,
    versions,
)
from app.web import sets as sets_pages
from app.web.channels import Channels
from app.web.cookies import GuardedCookies
from app.web.csrf import CrossSiteRefusal
from app.web.deps import Resources
from app.web.door import Ways
from app.web.errors import add_error_pages, refusal
from app.web.headers import SecurityHeaders
from app.web.limits.body import BodyLimit
from app.web.limits.head import HeadLimit
from app.web.limits.leaving import Leaving
from app.web.limits.proxies import Proxies
from app.web.limits.tries import Tries
from app.web.measures import Measures
from app.web.pending import Pending
from app.web.pools import separate_background
from app.web.presence import Presence
from app.web.requests import Requests, Routed
from app.web.server import end_endless
from app.web.templating import PREFERENCES, STATIC, VersionedFiles, make_environment
from app.work.bus import Bus
from app.work.dispatcher import Dispatcher
from app.work.notifier import Notifier

LOOPS_SECONDS = 3.0  # at the end, for what background work has begun
ENGINE_SECONDS = 1.5  # and then for the engine

# The router tries one after another, so those of the most requests come first: a page shows dozens of pictures.
PAGES = (
    pictures,  # also before the rights: addresses ending in .png are theirs
    health,
    live,
    accounts,
    factors,
    passkeys,
    people,
    resets,
    confirm,
    oidc,
    home,
    styles,
    structures,
    subjects,
    regions,
    sets_pages,
    review,
    review_settings,
    versions,
    compare,
    gallery,
    rights,
    exports,
    downloads,
    shares,
    record,
)

UPLOAD_PATHS = (*styles.UPLOAD_PATHS, *structures.UPLOAD_PATHS, *regions.UPLOAD_PATHS, *subjects.UPLOAD_PATHS)


def create_app(settings: Settings, engine: Engine | None = None) -> FastAPI:
    """Create the app with the data and the model of `settings`. Pass `engine` if it is shared or already started."""
    days.use(settings.time_zone)
    password_quality.use(settings.public_url)
    wiring.connect()
    migrate(settings)
    storage = Storage(settings.data)
    database = Database(settings, storage)
    files = Files(settings.data / "files", storage)
    bus = Bus()
    engine = engine or LocalEngine(settings)
    resources = Resources(
        settings=settings,
        storage=storage,
        disk=Disk(settings.data, storage, settings.low_disk_bytes),
        database=database,
        files=files,
        engine=engine,
        bus=bus,
        environment=make_environment(ways=Ways.of(settings)),
        tries=Tries(),
        exporter=Preparer(settings, database, files),
        channels=Channels(bus, database, settings.idle_minutes),
        checker=Checker(database),
        reader=FileReader(database, files),
        sweeper=Sweeper(database, files),
        presence=Presence(database),
        provider=Provider(settings) if settings.oidc_issuer else None,
        oidc_flows=Pending(),
        asked=Pending(most=1000),
        first_steps=Pending(),
        challenges=Pending(),
        secrets=Pending(),
        vault=Vault(settings),
    )
    # No /docs: there is no JSON API, and those pages load scripts from elsewhere.
    app = FastAPI(title="Soroe", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.resources = resources
    app.state.dispatcher = Dispatcher(engine, database, files, bus)
    app.state.readiness = health.Readiness(Measures(database, engine, resources.disk, resources.streams))
    Notifier(database, app.state.dispatcher, wiring.NOTICES)
    add_middleware(app, settings, resources)
    add_error_pages(app)
    app.mount("/static", VersionedFiles(STATIC))
    for module in PAGES:
        app.include_router(module.router)
    return app


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Serve requests only within: the model is loaded, and interrupted work is queued."""
    resources: Resources = app.state.resources
    separate_background()
    await asyncio.to_thread(recover, resources)
    await asyncio.to_thread(decoders.warm)
    await start(resources.engine)
    resources.storage.listen(log_change)
    resources.storage.listen(lambda before, now: resources.exporter.background.wake())
    disk = BackgroundLoop(
        partial(asyncio.to_thread, resources.disk.check),
        "disk",
        trouble="the disk could not be checked",
        seconds=CHECK_SECONDS,
    )
    purger = Purger(resources.database, resources.files, remove_holding)
    retention = Retention(resources.settings, resources.database, purger)
    usage = BackgroundLoop(
        partial(asyncio.to_thread, resources.disk.measure),
        "usage",
        trouble="the data folder could not be measured",
        seconds=MEASURE_SECONDS,
    )
    tasks = [
        asyncio.create_task(disk.run(), name="disk"),
        asyncio.create_task(usage.run(), name="usage"),
        asyncio.create_task(app.state.dispatcher.run(), name="dispatcher"),
        asyncio.create_task(resources.exporter.background.run(), name="exporter"),
        asyncio.create_task(resources.checker.background.run(), name="checker"),
        asyncio.create_task(resources.reader.background.run(), name="reader"),
        asyncio.create_task(resources.sweeper.background.run(), name="sweeper"),
        asyncio.create_task(resources.presence.run(), name="presence"),
        asyncio.create_task(retention.background.run(), name="retention"),
    ]
    app.state.background = tasks  # the server ends them while answers still finish
    try:
        yield
    finally:
        end_endless(app)
        await asyncio.wait(tasks, timeout=LOOPS_SECONDS)
        app.state.readiness.close()
        resources.database.checkpoint()
        resources.database.close()
        with suppress(TimeoutError):  # in the middle of a long step, it ends with this process
            async with asyncio.timeout(ENGINE_SECONDS):
                await resources.engine.close()


async def start(engine: Engine) -> None:
    """Load the model, unless the creator of the engine has done so."""
    try:
        _ = engine.model
    except RuntimeError:
        await engine.start()


def recover(resources: Resources) -> None:
    """Clean up after a killed process, as far as the disk allows. The dispatcher queues what was running."""
    for step in (resources.sweeper.recover, resources.exporter.recover):
        with suppress(CannotSave), resources.storage.saving():
            step()


def add_middleware(app: FastAPI, settings: Settings, resources: Resources) -> None:
    """Add the middleware; the last one added is the outermost.

    From the outside: its number, who calls, headers on everything, the size limit of a head, who may write, how much.
    """
    uploads = dict.fromkeys(UPLOAD_PATHS, settings.upload_bytes) | {subjects.LORA_PATH: settings.lora_bytes}
    uploads |= dict.fromkeys(rights.UPLOAD_PATHS, FILE_BYTES)
    app.add_middleware(Routed)
    app.add_middleware(Leaving, paths=UPLOAD_PATHS)
    app.add_middleware(BodyLimit, uploads=uploads, refuse=refusal)
    app.add_middleware(CrossSiteRefusal, public_url=settings.public_url, refuse=refusal)
    app.add_middleware(HeadLimit, refuse=refusal)
    app.add_middleware(SecurityHeaders, https=resources.https)
    if resources.https:
        app.add_middleware(GuardedCookies, plain={"theme", *PREFERENCES})
    app.add_middleware(Proxies, believed=settings.proxy_networks)
    is_proxy = Proxies(app, settings.proxy_networks).is_proxy
    app.add_middleware(Requests, is_proxy=is_proxy, slow_seconds=settings.slow_request_seconds)
