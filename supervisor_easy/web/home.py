"""The first page: what is wrong now, and what happened in the last hour."""

from collections import Counter
from datetime import timedelta

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from supervisor_easy.access import Permission
from supervisor_easy.model import HostCondition, OperationStatus, ProcessState
from supervisor_easy.web.context import services
from supervisor_easy.web.security import needs
from supervisor_easy.web.selection import Query, find, is_trouble
from supervisor_easy.web.timeline import recent

blueprint = Blueprint("home", __name__)

#: How far back the first page looks, and how many lines it shows of that at most.
RECENT, RECENT_LINES = timedelta(hours=1), 30
#: Rows of each list of problems; the rest is a link.
_ROWS = 50
#: Changes within the hour from which a process counts as flapping.
_FLAPPING = 6
#: Operations looked through for those that run.
_LOOKED_AT = 20
_FINE = (ProcessState.RUNNING, ProcessState.STOPPED)


@blueprint.get("/")
@needs(Permission.VIEW)
def problems() -> ResponseReturnValue:
    """Show problems first."""
    found = find(services(), Query())
    now = services().clock.now()
    statuses = found.snapshot.hosts.values()
    troubled = [each for each in found.processes if is_trouble(each)]
    changes = services().events.changes_since(now - RECENT, limit=_ROWS)
    operations = services().journal.list(limit=_LOOKED_AT)
    timeline = recent(
        services(), since=now - RECENT, limit=RECENT_LINES, known=operations
    )
    return render_template(
        "home/problems.html",
        found=found,
        hosts=list(statuses),
        silent=[s for s in statuses if s.condition is not HostCondition.UP],
        troubled=troubled[:_ROWS],
        troubled_count=len(troubled),
        flapping=[(t, n) for t, n in changes.items() if n >= _FLAPPING],
        states=Counter(each.state for each in found.processes),
        running=[o for o in operations if o.status is OperationStatus.RUNNING],
        timeline=timeline,
    )
