"""The groups of the inventory, with what can be done to each as a whole."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from supervisor_easy.access import Permission
from supervisor_easy.model import ProcessState
from supervisor_easy.web.context import services
from supervisor_easy.web.groupcounts import GroupView, group_views
from supervisor_easy.web.security import needs

blueprint = Blueprint("groups", __name__)

__all__ = ["GroupView", "blueprint"]


@blueprint.get("/groups")
@needs(Permission.VIEW)
def listing() -> ResponseReturnValue:
    """Show every group with its counts."""
    return render_template(
        "groups/listing.html", groups=group_views(services()), states=list(ProcessState)
    )
