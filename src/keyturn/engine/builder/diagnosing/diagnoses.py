"""Why a step of a trial after the login failed, and an edit that would mend it where one can be told.

Rule 1: a guess names a path of the answer that is there; it never names a value.
"""

from __future__ import annotations

import re
from typing import Any, Final

from keyturn.core.answers.answer_body import BodyKind, decode_body
from keyturn.core.answers.test_verdict import test_values
from keyturn.core.building.near_paths import named, nearest, template_name
from keyturn.core.connector import Connector
from keyturn.core.errors import KeyturnError, error_named
from keyturn.core.messages import Answer
from keyturn.core.templates import Template
from keyturn.engine.builder.diagnosing.token_diagnoses import of_status, of_unsent
from keyturn.engine.builder.trial_trace import Diagnosis, Suggestion

_SAID: Final = {
    401: " The API doesn't take the token: see step 9 for how it is sent.",
    403: " The API takes the token and refuses this call: the account or the scope may not be enough for it.",
    405: " The address takes another method.",
    429: " The API asks to wait.",
}


def of_test(
    connector: Connector, cause: str | None, answer: Answer | None, error: KeyturnError | None = None
) -> Diagnosis:
    """Why the test call did not pass; `error`: where no answer came, the one that says most."""
    if answer is None:
        return of_unsent(connector, error or error_named(cause or ""), 5)
    if cause == "status":
        return _of_test_status(connector, answer)
    if decode_body(answer).kind is BodyKind.MARKUP and cause in ("body", "empty"):
        return "The answer is a web page, not one of an API: compare the URL of step 5 with the documentation.", None
    if cause == "body":
        expression = connector.test.expect.body or ""
        value = test_values(answer)
        absent = re.fullmatch(r"[\w.\[\]]+", expression) is not None and not _there(f"test.{expression}", value)
        near = nearest(expression, value) if absent else None
        wrong = "which it doesn't have" if absent else "which is not true of it"
        words = f"Step 5 expects “{expression}” of the answer's body, {wrong} (it has: {named(value)})."
        return words, Suggestion(f"Expect {near}", "/test/expect/body", near) if near else None
    if cause == "empty":
        return "The answer has no body, so nothing of it can name the account.", None
    return "The answer was cut short, or is too large.", None


def _of_test_status(connector: Connector, answer: Answer) -> Diagnosis:
    found = of_status(answer, connector.test.request.url.source, "/test", 5)
    if found is not None:
        return found
    expected = ", ".join(map(str, sorted(connector.test.expect.status))) or "2xx"
    said = " The API is in trouble; try again later." if answer.status >= 500 else _SAID.get(answer.status, "")
    words = f"The answer's status is {answer.status}, expected was {expected}.{said}"
    fits = connector.test.expect.status and 200 <= answer.status < 300
    return words, Suggestion(f"Expect {answer.status}", "/test/expect/status", [answer.status]) if fits else None


def of_not_allowed(connector: Connector, url: str) -> Diagnosis:
    """The test call is outside step 7; `url`: the test's, as the author wrote it."""
    scheme, written, rest = url.partition("://")
    if not written:  # the answer of the login names the host
        return "No allowed URL of step 7 covers the test call.", None
    base = f"{scheme}://{rest.partition('?')[0].rpartition('/')[0] or rest}"
    return "No allowed URL of step 7 covers the test call.", Suggestion(
        f"Allow {base}", f"/allowed_urls/{len(connector.allowed_urls)}", base
    )


def of_template(pointer: str, template: Template, test: Any) -> Diagnosis:
    """Why a template on the test's answer came out empty."""
    missing = [path for path in template.names() if path.startswith("test") and not _there(path, test)]
    if not missing:
        return "A value that it takes in is empty, or is an object or a list.", None
    path = missing[0]
    words = f"{path} is not in the test's answer (it has: {named(test)})."
    found = nearest(path, test)
    near = template_name(found) if found is not None else None
    if near is None:
        return words, None
    mended = re.sub(rf"(?<![\w.]){re.escape(path)}(?![\w.\[])", lambda _: near, template.source)
    return words, Suggestion(f"Use {near}", pointer, mended)


def of_revocation(answer: Answer, url: str, pointer: str) -> Diagnosis:
    """Why a token was not taken back."""
    stays = "The token is good there until it ends."
    found = of_status(answer, url, pointer, 4)
    if found is not None:
        return f"{found[0]} {stays}", found[1]
    said = {
        401: "The provider doesn't take the application's id and secret here.",
        405: "The address takes another method.",
        415: "The provider doesn't read the parameters as they are sent.",
    }.get(answer.status, "The provider did not take it back.")
    return f"{said} Its answer's status is {answer.status}. {stays}", None


def _there(path: str, test: Any) -> bool:
    place = test
    for name, n in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path)[1:]:
        try:
            place = place[int(n)] if n else place[name]
        except (LookupError, TypeError):
            return False
    return place is not None
