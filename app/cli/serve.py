"""`soroe serve`: the server."""

import asyncio
import fcntl
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from app.cli.console import (
    CommandRefused,
    loading,
    look_at_database,
    open_data,
    open_database,
    opened,
    out,
    read_settings,
)
from app.settings import Settings

if TYPE_CHECKING:
    from app.engine.base import Engine


def serve() -> None:
    """Start the server; every setting is an environment variable (SOROE_*, see the README)."""
    settings = read_settings()
    open_data(settings)
    with only_one_server(settings), listening_socket(settings) as listener:
        from app.logs import configure_logging, log_start

        configure_logging(settings)
        log_start(settings)
        look_at_database(settings)
        with loaded_engine(settings) as engine:
            run(settings, engine, listener)


def run(settings: Settings, engine: "Engine", listener: socket.socket) -> None:
    """Serve pages until stopped."""
    from app.accounts.service import create_setup_link
    from app.main import create_app
    from app.web.server import Server, bounds_of_process

    application = create_app(settings, engine)
    database = open_database(settings)
    with database.write() as session:
        link = create_setup_link(session, settings)
    database.close()
    listener.listen()  # an early request waits a moment instead of being refused
    out.print(f"Soroe is ready at {settings.public_url} with the model {settings.model} on {engine.model.device}.")
    if link:
        out.print("Create the first account here (the link works once):", f"  {link}", sep="\n", soft_wrap=True)
    Server(application, bounds_of_process()).run(sockets=[listener])


@contextmanager
def loaded_engine(settings: Settings) -> Iterator["Engine"]:
    """An engine with its model, before the server says that it is ready; closed however the command ends."""
    from app.engine.base import CannotLoad
    from app.engine.local import LocalEngine

    with ExitStack() as bar:
        engine = LocalEngine(settings, bar.enter_context(loading()))
        try:
            asyncio.run(engine.start())
            bar.close()
            yield engine
        except CannotLoad as error:
            raise CommandRefused(str(error)) from error
        finally:
            asyncio.run(engine.close())


@contextmanager
def only_one_server(settings: Settings, *, restoring: bool = False) -> Iterator[None]:
    """Lock the data folder: two servers would make pictures twice. The lock ends with the process, however it ends.

    Raises CommandRefused, also for a folder whose restore was interrupted, unless `restoring`.
    """
    from app.upkeep.restore import BUILDING

    if (settings.data / BUILDING).exists() and not restoring:
        raise CommandRefused(f"A restore into {settings.data} was interrupted. Run `soroe restore` again.")
    with opened(lambda: (settings.data / "server.lock").open("w")) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandRefused(
                f"Another Soroe is already running on the data in {settings.data}. Stop it first."
            ) from error
        yield


@contextmanager
def listening_socket(settings: Settings) -> Iterator[socket.socket]:
    """Bind the server's address before the model is loaded, so that a port in use is reported immediately."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[
            0
        ]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise CommandRefused(
            f"The address {settings.host}:{settings.port} cannot be used: {error.strerror}."
        ) from error
    settings.port = listener.getsockname()[1]
    with listener:
        yield listener
