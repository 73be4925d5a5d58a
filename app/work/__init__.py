"""The queue: what waits, what is served next, and what becomes of what the engine makes of it.

It knows no kind of work by name. Each one registers a `WorkKind`; `app.wiring` lists them all.
"""
