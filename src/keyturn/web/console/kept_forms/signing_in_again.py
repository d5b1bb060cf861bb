"""The page that asks for a fresh sign-in before a form is done, and keeps what the form holds.

Rule 1: nothing was done yet, and nothing is lost: the page has the whole form once more, to be sent after the sign-in.
Rule 2: where the data lies is said to those alone who see it among the settings as well.
Rule 3: the sign-in happens in another tab; that ends the session, and the form's token outlives it (`visit`).

Source: OWASP ASVS 5.0, 7.5.
"""

from __future__ import annotations

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.errors import ReauthRequired
from keyturn.core.problems import PROBLEMS
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import TOKEN_INPUT, Visit


def ask_to_sign_in_again(console: Console, visit: Visit) -> Response:
    """Answer 403 with the form, as `reauth_required`."""
    problem = PROBLEMS[ReauthRequired.code]
    typed = [(name, value) for name, value in visit.form.texts.items() if name != TOKEN_INPUT]
    return console.page(
        visit,
        "sign_in_again.html",
        status=problem.status,
        problem=problem,
        request_id=visit.request_id,
        typed=typed,
        since=visit.who.session.authenticated_at,
        link_options=console.instance.link_options if visit.may(Permission.ADMINISTER) else "",
    )
