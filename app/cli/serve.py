"""`soroe serve`: the server."""

import asyncio
import fcntl
import gc
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from app.cli.console import (
    CommandRefused,
    loading,
    look_at_database,
    need_no_unfinished_restore,
    open_data,
    open_database,
    opened,
    out,
    read_settings,
)
from app.languages import ENGLISH, speaking, translated
from app.languages import gettext as _
from app.settings import Settings


def serve() -> None:
    """Start the server; every setting is an environment variable (SOROE_*, see the README)."""
    settings = read_settings()
    open_data(settings)
    with only_one_server(settings), listening_socket(settings) as listener:
        from app.logs import configure_logging, log_start

        configure_logging(settings)
        log_start(settings)
        looked = look_at_database(settings)
        run(settings, listener, looked_at_all=looked)


def run(settings: Settings, listener: socket.socket, *, looked_at_all: bool) -> None:
    """Serve pages until stopped, from the start, while the model loads. Raises CommandRefused if it cannot."""
    from app.engine.local import LocalEngine

    with ExitStack() as bar, ExitStack() as end:
        engine = LocalEngine(settings, bar.enter_context(loading()))
        engine.begin()  # in its own process, while this one imports the rest
        end.callback(lambda: asyncio.run(engine.close()))
        from app.main import create_app
        from app.web.server import Server, bounds_of_process

        application = create_app(settings, engine)
        application.state.resources.whole.unfinished = not looked_at_all
        gc.freeze()  # what is there now stays: looking through it for garbage would hold up everyone for 0.4 s
        listener.listen()  # an early request waits a moment instead of being refused
        out.print(
            _(
                "Soroe answers at %(url)s. The model %(model)s is loading.",
                url=settings.public_url,
                model=settings.model,
            ),
            soft_wrap=True,
        )
        offer_first_account(settings)

        def ready() -> None:
            bar.close()
            out.print(
                _(
                    "Soroe is ready at %(url)s with the model %(model)s on %(device)s.",
                    url=settings.public_url,
                    model=settings.model,
                    device=engine.model.device,
                ),
                soft_wrap=True,
            )

        with speaking(ENGLISH):  # what it stores and logs; each request speaks its own language
            Server(application, bounds_of_process(), ready=ready).run(sockets=[listener])
    if error := application.state.cannot_load:
        raise CommandRefused(translated(str(error))) from error


def offer_first_account(settings: Settings) -> None:
    """Print the link for the first account, if there is none."""
    from app.accounts.service import create_setup_link

    database = open_database(settings)
    with database.write() as session:
        link = create_setup_link(session, settings)
    database.close()
    if link:
        out.print(_("Create the first account here (the link works once):"), f"  {link}", sep="\n", soft_wrap=True)


@contextmanager
def only_one_server(settings: Settings, *, restoring: bool = False) -> Iterator[None]:
    """Lock the data folder: two servers would make pictures twice. The lock ends with the process, however it ends.

    Raises CommandRefused, also for a folder whose restore was interrupted, unless `restoring`.
    """
    if not restoring:
        need_no_unfinished_restore(settings)
    with opened(lambda: (settings.data / "server.lock").open("w")) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandRefused(
                _("Another Soroe is already running on the data in %(data)s. Stop it first.", data=settings.data)
            ) from error
        yield


@contextmanager
def listening_socket(settings: Settings) -> Iterator[socket.socket]:
    """Bind the server's address before the model is loaded, so that a port in use is reported immediately."""
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise CommandRefused(
            _(
                "The address %(host)s:%(port)s cannot be used: %(strerror)s.",
                host=settings.host,
                port=settings.port,
                strerror=error.strerror,
            )
        ) from error
    settings.port = listener.getsockname()[1]
    with listener:
        yield listener
