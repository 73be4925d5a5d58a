"""The app factory, used by `soroe serve` and the tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from fastapi import FastAPI
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from app import bin, days, wiring
from app.accounts import password_quality
from app.accounts.oidc import Provider
from app.accounts.vault import Vault
from app.audit.checker import Checker
from app.background import BackgroundLoop
from app.brand.scores import BrandScorer
from app.database import Database, migrate
from app.decoding.pool import pool as decoders
from app.engine.base import CannotLoad, Engine, EngineState, ModelFacts, ModelUnknown
from app.engine.local import LocalEngine
from app.exports.preparer import Preparer
from app.exports.removal import remove_holding
from app.files import Files
from app.gallery.purger import Purger
from app.measures.measurer import Measurer
from app.rights.service import FILE_BYTES
from app.settings import Settings
from app.storage import CHECK_SECONDS, CannotSave, Storage, log_change
from app.upkeep.disk import MEASURE_SECONDS, Disk
from app.upkeep.reader import FileReader
from app.upkeep.retention import Retention
from app.upkeep.sweeper import Sweeper
from app.upkeep.whole import WholeDatabase
from app.web import (
    accounts,
    advice,
    alike,
    blind,
    blocked,
    bounds,
    brand,
    compare,
    confirm,
    consistency,
    customs,
    customs_answers,
    downloads,
    drafts,
    estimates,
    exports,
    factors,
    filing,
    following,
    gallery,
    guide,
    health,
    home,
    languages,
    law,
    layout,
    likeness,
    live,
    oidc,
    passkeys,
    people,
    pictures,
    policy,
    queue,
    readings,
    record,
    regions,
    reports,
    resets,
    review,
    review_settings,
    rights,
    safety,
    samples,
    search,
    set_templates,
    shares,
    strips,
    structures,
    style_maps,
    styles,
    subjects,
    tunings,
    undo,
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
from app.web.pending import Pending
from app.web.pools import separate_background
from app.web.presence import Presence
from app.web.requests import Requests, Routed
from app.web.server import end_endless
from app.web.speaking import Speaking
from app.web.static import STATIC, VersionedFiles
from app.web.templating import PREFERENCES, make_environment
from app.work.bus import Bus
from app.work.dispatcher import Dispatcher
from app.work.notifier import Notifier

LOOPS_SECONDS = 3.0  # at the end, for what background work has begun
ENGINE_SECONDS = 1.5  # and then for the engine

GZIP_LEVEL = 4  # of pages; higher levels take twice the time for a few percent
# Pictures, zips and event streams are sent as they are; so are weights and documents, which do not shrink.
UNCOMPRESSED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream", "application/pdf")

# The router tries one after another, so those of the most requests come first: a page shows dozens of pictures.
PAGES = (
    pictures,  # also before the rights: addresses ending in .png are theirs
    health,
    live,
    following,
    accounts,
    factors,
    passkeys,
    people,
    resets,
    confirm,
    oidc,
    policy,
    blocked,
    law,
    languages,
    home,
    queue,
    readings,
    bounds,  # before the styles: its address is below theirs
    advice,
    styles,
    structures,
    subjects,
    likeness,
    regions,
    strips,
    tunings,
    style_maps,
    set_templates,
    alike,
    consistency,
    estimates,  # before the sets: its address is below theirs
    sets_pages,
    review,
    review_settings,
    versions,
    compare,
    layout,
    customs,
    customs_answers,
    gallery,
    search,
    filing,
    rights,
    drafts,
    exports,
    downloads,
    shares,
    reports,
    blind,
    brand,
    safety,
    samples,
    record,
    guide,
    undo,
)

UPLOAD_PATHS = (*styles.UPLOAD_PATHS, *structures.UPLOAD_PATHS, *regions.UPLOAD_PATHS, *subjects.UPLOAD_PATHS)


def create_app(settings: Settings, engine: Engine | None = None) -> FastAPI:
    """Create the app with the data and the model of `settings`. Pass `engine` if it is shared or already started."""
    days.use(settings.time_zone)
    bin.use(settings.bin_days)
    password_quality.use(settings.public_url)
    wiring.connect()
    migrate(settings)
    resources = shared(settings, engine or LocalEngine(settings))
    # No /docs: there is no JSON API, and those pages load scripts from elsewhere.
    app = FastAPI(
        title="Soroe",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # Its spans have whole addresses, which may contain a secret; and looking for someone who wants them takes time.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.resources = resources
    app.state.cannot_load = None
    app.state.dispatcher = Dispatcher(
        resources.engine, resources.database, resources.files, resources.bus, resources.breaker
    )
    app.state.readiness = health.Readiness(resources)
    Notifier(resources.database, app.state.dispatcher, wiring.NOTICES)
    add_middleware(app, settings, resources)
    add_error_pages(app)
    app.mount("/static", VersionedFiles(STATIC))
    for module in PAGES:
        app.include_router(module.router)
    return app


def shared(settings: Settings, engine: Engine) -> Resources:
    """What the routes and the background work of one server share."""
    storage = Storage(settings.data)
    database = Database(settings, storage)
    files = Files(settings.data / "files", storage)
    bus = Bus()
    return Resources(
        settings=settings,
        storage=storage,
        disk=Disk(settings.data, storage, settings.low_disk_bytes),
        database=database,
        files=files,
        engine=engine,
        bus=bus,
        environment=make_environment(ways=Ways.of(settings), script_words=languages.script_address),
        tries=Tries(),
        exporter=Preparer(settings, database, files),
        channels=Channels(bus, database, settings.idle_minutes),
        checker=Checker(database),
        reader=FileReader(database, files),
        sweeper=Sweeper(database, files, settings.inversion_bytes),
        whole=WholeDatabase(settings.database_path),
        presence=Presence(database),
        provider=Provider(settings) if settings.oidc_issuer else None,
        oidc_flows=Pending(),
        asked=Pending(most=1000, most_of_one=10),  # of megabytes each
        continued=Pending(seconds=86400, most_of_one=50),  # for those who go back to a form later
        first_steps=Pending(),
        challenges=Pending(),
        secrets=Pending(),
        vault=Vault(settings),
    )


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Serve requests only within. The model loads in the background: until then, work waits in the queue."""
    resources: Resources = app.state.resources
    separate_background()
    await asyncio.to_thread(recover, resources)
    await asyncio.to_thread(decoders.warm)
    resources.storage.listen(log_change)
    resources.storage.listen(lambda before, now: resources.exporter.background.wake())
    tasks = [
        asyncio.create_task(start(app), name="engine"),
        asyncio.create_task(app.state.dispatcher.run(), name="dispatcher"),
        asyncio.create_task(resources.presence.run(), name="presence"),
        *(asyncio.create_task(loop.run(), name=loop.name) for loop in background_of(resources)),
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


def background_of(resources: Resources) -> tuple[BackgroundLoop, ...]:
    """The background work of a server, except for its engine and queue."""
    disk = BackgroundLoop(
        partial(asyncio.to_thread, resources.disk.check),
        "disk",
        trouble="the disk could not be checked",
        seconds=CHECK_SECONDS,
    )
    purger = Purger(resources.database, resources.files, remove_holding)
    retention = Retention(resources.settings, resources.database, purger)
    measurer = Measurer(resources.settings, resources.database, resources.files, partial(known_facts, resources.engine))
    usage = BackgroundLoop(
        partial(asyncio.to_thread, resources.disk.measure),
        "usage",
        trouble="the data folder could not be measured",
        seconds=MEASURE_SECONDS,
    )
    return (
        disk,
        usage,
        resources.exporter.background,
        resources.checker.background,
        resources.reader.background,
        resources.sweeper.background,
        resources.whole.background,
        retention.background,
        measurer.background,
        BrandScorer(resources.database).background,
    )


def known_facts(engine: Engine) -> ModelFacts | None:
    """Facts about the model, if they are known."""
    try:
        return engine.model
    except ModelUnknown:
        return None


async def start(app: FastAPI) -> None:
    """Load the model, unless the creator of the engine has done so. If that fails, the server stops."""
    engine = app.state.resources.engine
    if engine.state == EngineState.READY:
        return
    try:
        await engine.start()
    except CannotLoad as error:
        app.state.cannot_load = error


def recover(resources: Resources) -> None:
    """Clean up after a killed process, as far as the disk allows. The dispatcher queues what was running."""
    for step in (resources.sweeper.recover, resources.exporter.recover):
        with suppress(CannotSave), resources.storage.saving():
            step()


def add_middleware(app: FastAPI, settings: Settings, resources: Resources) -> None:
    """Add the middleware; the last one added is the outermost.

    From the outside: its number, who calls, its language, headers on everything, compression, the size limit of a head,
    who may write, how much.
    """
    uploads = dict.fromkeys(UPLOAD_PATHS, settings.upload_bytes) | {subjects.LORA_PATH: settings.lora_bytes}
    uploads |= dict.fromkeys(rights.UPLOAD_PATHS, FILE_BYTES)
    app.add_middleware(Routed)
    app.add_middleware(Leaving, paths=UPLOAD_PATHS)
    app.add_middleware(BodyLimit, uploads=uploads, refuse=refusal)
    app.add_middleware(CrossSiteRefusal, public_url=settings.public_url, refuse=refusal)
    app.add_middleware(HeadLimit, refuse=refusal)
    app.add_middleware(GZipMiddleware, compresslevel=GZIP_LEVEL, exclude_content_types=UNCOMPRESSED)
    app.add_middleware(SecurityHeaders, https=resources.https)
    app.add_middleware(Speaking, otherwise=settings.language)
    if resources.https:
        app.add_middleware(GuardedCookies, plain={"theme", *PREFERENCES})
    app.add_middleware(Proxies, believed=settings.proxy_networks)
    is_proxy = Proxies(app, settings.proxy_networks).is_proxy
    app.add_middleware(Requests, is_proxy=is_proxy, slow_seconds=settings.slow_request_seconds)
