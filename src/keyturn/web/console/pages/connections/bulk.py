"""One action on many connections: asked for on the list, confirmed on a page of its own, then a job.

Rule 1: what is picked stands in the form by id; "all that match" stands there as the filter, and is counted anew.
Rule 2: the confirm page changes nothing; its button queues the job.
"""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.errors import Finding, ValidationFailed
from keyturn.engine.jobs.bulk.bulk_order import BulkAction, BulkOrder
from keyturn.web.console.page import Page
from keyturn.web.console.pages.connections.asked import Asked
from keyturn.web.console.pages.connections.listing import ACTIONS, SHOWN
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

PICK: Final = "pick:"
PAGE: Final = "page"  # the box that stands for all that the page shows
MEANS: Final = {
    BulkAction.TEST: "Each one's test call is sent to its API.",
    BulkAction.RENEW: "Each one gets its next token now; its provider is asked no harder than its limits allow.",
    BulkAction.PAUSE: "Calls are refused from now on, and nothing is renewed that need not be.",
    BulkAction.RESUME: "Those that are paused take calls again.",
    BulkAction.RECONNECT_LINKS: "One link is made for each that needs a person, to be sent to that person. They work once, for 30 minutes.",  # noqa: E501
    BulkAction.MIGRATE: "Each one's test call is sent as its connector's newest version says; those that pass go over to it. The others stay as they are.",  # noqa: E501
    BulkAction.DISCONNECT: "Calls are refused and secrets destroyed at once; each provider is told to revoke the tokens. This can't be undone.",  # noqa: E501
}


async def confirm_bulk(console: Console, visit: Visit) -> Response:
    """Say what would be done to how many."""
    order, asked = _ordered(visit)
    bounds = await console.application.attention_bounds() if order.attention else None
    which = order.filter(bounds)
    count = len(order.ids) if order.ids is not None else await console.application.connections.count(which)
    return console.page(
        visit,
        "connections/bulk.html",
        order=order,
        asked=asked,
        of_state=which.state if which.state and not asked.state else None,
        count=count,
        picked=",".join(order.ids or ()),
        action=ACTIONS[order.action],
        means=MEANS[order.action],
        danger=order.action is BulkAction.DISCONNECT,
    )


async def post_bulk(console: Console, visit: Visit) -> Response:
    """Queue the job and show it."""
    order, _ = _ordered(visit)
    job = await console.application.bulk_jobs.create(order, visit.actor)
    return console.back(f"/jobs/{job.id}", said="queued")


def _ordered(visit: Visit) -> tuple[BulkOrder, Asked]:
    asked = Asked.of_form(visit)
    try:
        action = BulkAction(visit.form.text("action"))
    except ValueError:
        message = f"Choose what to do: {', '.join(ACTIONS.values())}."
        raise ValidationFailed(errors=[Finding("/action", "invalid", message)]) from None
    if visit.form.text("which") == "all":
        return asked.order(action), asked
    ids = [name.removeprefix(PICK) for name in visit.form.texts if name.startswith(PICK)]
    ids += [each for name in ("picked", PAGE) for each in visit.form.text(name).split(",") if each]
    ids = list(dict.fromkeys(ids))
    if not ids:
        raise ValidationFailed(errors=[Finding("/which", "required", "Pick connections, or choose all that match.")])
    if len(ids) > SHOWN:
        raise ValidationFailed(errors=[Finding("/which", "invalid", f"At most {SHOWN} can be picked at once.")])
    return BulkOrder(action, ids=tuple(ids)), asked


PAGES: Final = (
    Page("POST", "/connections/confirm", confirm_bulk, Permission.OPERATE),
    Page("POST", "/connections/bulk", post_bulk, Permission.OPERATE),
)
