"""Log format: coloured lines on a terminal, one JSON object per line elsewhere."""

import logging
import sys
from importlib.metadata import version

import structlog
from pydantic import SecretStr

from app.settings import Settings

log = structlog.get_logger()


def configure_logging(settings: Settings) -> None:
    """Configure logging at process start. uvicorn and other libraries log the same way, warnings and errors only."""
    on_terminal = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if not on_terminal else "%H:%M:%S", utc=not on_terminal),
    ]
    renderer: list[structlog.typing.Processor]
    if on_terminal:
        # Tracebacks without the values of variables, which are people's prompts and addresses.
        plain = structlog.dev.plain_traceback
        renderer = [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    else:
        renderer = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("app").setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True


def log_start(settings: Settings) -> None:
    """Log what starts: its version, model, data and address, and the other settings that are not as they come."""
    told = {"version": version("soroe"), "model": settings.model, "data": str(settings.data.absolute())}
    log.info("the server starts", **told, address=settings.public_url, settings=changed(settings))


def changed(settings: Settings) -> dict[str, str]:
    """The settings that differ from their defaults, without secrets."""
    fields = type(settings).model_fields.items()
    values = {name: (getattr(settings, name), field.default) for name, field in fields}
    return {
        name: "set" if isinstance(value, SecretStr) else str(value)
        for name, (value, default) in values.items()
        if value != default
    }
