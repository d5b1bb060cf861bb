"""Why a step of a trial failed, in a sentence, and an edit that would mend it where one can be told.

Rule 1: a guess names a path of the answer that is there; it never names a value.
"""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

from keyturn.core.answers.answer_body import BodyKind, decode_body
from keyturn.core.answers.test_verdict import test_values
from keyturn.core.building.near_paths import nearest, paths_of
from keyturn.core.connector import ClientAuthentication, Connector, Encoding, ProviderRequest
from keyturn.core.errors import KeyturnError
from keyturn.core.messages import Answer
from keyturn.core.problems import PROBLEMS
from keyturn.core.templates import Template
from keyturn.engine.builder.trial_trace import Suggestion
from keyturn.engine.send import Sent

Diagnosis: TypeAlias = "tuple[str, Suggestion | None]"
_MOST_NAMED: Final = 12


def of_error(error: KeyturnError) -> str:
    """The problem's own sentence and what to do."""
    problem = PROBLEMS.get(error.code, PROBLEMS[KeyturnError.code])
    return f"{error.detail or problem.title} {problem.action}"


def of_token_answer(connector: Connector, spec: ProviderRequest, pointer: str, sent: Sent) -> Diagnosis:
    """Why a token request brought no token; `pointer`: of the request in the file."""
    answer, error = sent.answer, sent.error or KeyturnError()
    if answer is None:
        return of_error(error), None
    body = decode_body(answer)
    if answer.status == 415 or (answer.status in (400, 422) and _wants_other_encoding(spec, answer)):
        other = Encoding.FORM if spec.encoding is Encoding.JSON else Encoding.JSON
        words = f"The provider doesn't read {spec.encoding.value}; it may expect {other.value}."
        return words, Suggestion(f"Send it as {other.value}", f"{pointer}/encoding", other.value)
    if error.code == "connector_client_rejected":
        return _client(connector, error)
    if 200 <= answer.status < 300 and body.kind in (BodyKind.JSON, BodyKind.FORM):
        wanted = spec.response.access_token or "access_token"
        near = nearest(wanted, body.value)
        words = f"The answer has no token at {wanted} (it has: {_named(body.value)})."
        if near and near != wanted:
            return words, Suggestion(f"Use {near}", f"{pointer}/response/access_token", near)
        return words, None
    if body.kind is BodyKind.MARKUP:
        return "The answer is a web page. The URL may be that of a form for people, not of the token endpoint.", None
    return of_error(error), None


def of_test(connector: Connector, cause: str | None, answer: Answer | None) -> Diagnosis:
    """Why the test call did not pass."""
    if answer is None:
        problem = PROBLEMS.get(cause or "", PROBLEMS[KeyturnError.code])
        return f"{problem.title} {problem.action}", None
    if cause == "status":
        expected = ", ".join(map(str, sorted(connector.test.expect.status))) or "2xx"
        said = {401: " The API doesn't take the token: see step 9 for how it is sent.", 404: " The path is wrong."}
        words = f"The answer's status is {answer.status}, expected was {expected}.{said.get(answer.status, '')}"
        fits = connector.test.expect.status and 200 <= answer.status < 300
        return words, Suggestion(f"Expect {answer.status}", "/test/expect/status", [answer.status]) if fits else None
    if cause == "body":
        expression = connector.test.expect.body or ""
        value = test_values(answer)
        near = nearest(expression, value) if re.fullmatch(r"[\w.\[\]]+", expression) else None
        words = f"{expression} is not true of the answer (it has: {_named(value)})."
        return words, Suggestion(f"Expect {near}", "/test/expect/body", near) if near else None
    if cause == "empty":
        return "The answer has no body, so nothing of it can name the account.", None
    return "The answer was cut short, or is too large.", None


def of_not_allowed(connector: Connector, url: str) -> Diagnosis:
    """The test call is outside step 7; `url`: the test's, as the author wrote it."""
    scheme, _, rest = url.partition("://")
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
    words = f"{path} is not in the test's answer (it has: {_named(test)})."
    near = nearest(path, test)
    if near is None:
        return words, None
    mended = template.source.replace(path, f"test.{near}")
    return words, Suggestion(f"Use test.{near}", pointer, mended)


def _client(connector: Connector, error: KeyturnError) -> Diagnosis:
    other = {
        ClientAuthentication.BASIC: ClientAuthentication.POST,
        ClientAuthentication.BASIC_RAW: ClientAuthentication.BASIC,
        ClientAuthentication.POST: ClientAuthentication.BASIC,
    }.get(connector.client_authentication)
    words = of_error(error)
    if other is None:
        return words, None
    where = "in the body" if other is ClientAuthentication.POST else "in the Authorization header"
    return words, Suggestion(f"Send id and secret {where}", "/client/authentication", other.value)


def _wants_other_encoding(spec: ProviderRequest, answer: Answer) -> bool:
    text = answer.body[:4096].lower()
    if spec.encoding is Encoding.FORM:
        return b"json" in text
    return spec.encoding is Encoding.JSON and b"urlencoded" in text


def _there(path: str, test: Any) -> bool:
    place = test
    for name, n in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path)[1:]:
        try:
            place = place[int(n)] if n else place[name]
        except (LookupError, TypeError):
            return False
    return place is not None


def _named(value: Any) -> str:
    paths = paths_of(value)
    return ", ".join(paths[:_MOST_NAMED]) + (" …" if len(paths) > _MOST_NAMED else "") if paths else "nothing"
