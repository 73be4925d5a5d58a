"""Inspect database statements: their number, and the indexes they use."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Executable, event
from sqlalchemy.orm import Session

from app.database import Database


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements executed within."""
    seen: list[str] = []

    def see(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", see)


def plan(session: Session, statement: Executable) -> list[str]:
    """SQLite's plan for a statement, one step per line."""
    compiled: Any = statement.compile(session.bind, compile_kwargs={"literal_binds": True})  # type: ignore[attr-defined]
    rows = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")
    return [row.detail for row in rows]
