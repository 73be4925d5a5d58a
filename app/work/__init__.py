"""The queue: what waits, what runs next, and what happens with the engine's results.

It knows no kind of work by name. Each registers a `WorkKind`; `app.wiring` lists them all.
"""
