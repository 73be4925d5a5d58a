"""`python -m tests.faults.server`: a server as `soroe serve` starts it, with an engine that needs no model."""

import asyncio

from app.accounts.service import create_setup_link
from app.cli.console import open_data, out, read_settings
from app.cli.serve import listening_socket, only_one_server
from app.logs import configure_logging
from app.main import create_app
from app.web.server import Server, bounds_of_process
from tests.engine.painter import Painter

COMMAND = ("-m", "tests.faults.server")


def main() -> None:
    settings = read_settings()
    open_data(settings)
    with only_one_server(settings), listening_socket(settings) as listener:
        configure_logging(settings)
        engine = Painter()
        asyncio.run(engine.start())
        application = create_app(settings, engine)
        with application.state.resources.database.write() as session:
            link = create_setup_link(session, settings)
        listener.listen()
        out.print(f"Soroe is ready at {settings.public_url} ", link or "", sep="\n", soft_wrap=True)
        Server(application, bounds_of_process()).run(sockets=[listener])


if __name__ == "__main__":
    main()
