"""What changed since somebody agreed to it is not acted on."""

from collections.abc import Sequence

from supervisor_easy.errors import StaleRequest

#: Names that the message lists before it only counts.
_NAMED = 5


def refuse_changed(names: Sequence[str]) -> None:
    """Refuse if there are any, in the words that a console has for it.

    Raises:
        StaleRequest: something changed; the message names it.
    """
    if not names:
        return
    more = len(names) - _NAMED
    shown = ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    raise StaleRequest(
        f"{shown} changed since you looked; nothing was done. "
        "Look again, then ask again"
    )
