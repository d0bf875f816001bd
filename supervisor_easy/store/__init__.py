"""The only place that knows SQLAlchemy: what must outlive the program.

`Store` opens the database; `journal`, `events`, `owners`, `accounts`, `sessions` and
`tokens` each keep one sort of thing in it. Everything raises only `FleetError`s.
"""

from supervisor_easy.store.store import Store

__all__ = ["Store"]
