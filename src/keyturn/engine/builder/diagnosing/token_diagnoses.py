"""Why a token request brought no token, and the edit that would mend it, by what the answer shows.

Rule 1: a guess names a path of the answer that is there; it never names a value.
Rule 2: what could be two things is said as two; the edit is of the likelier one, and the author makes it.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urljoin, urlsplit, urlunsplit

from keyturn.core.answers.answer_body import Body, BodyKind, decode_body
from keyturn.core.answers.answer_values import extract
from keyturn.core.building.challenge_shapes import GRANT_TYPE, challenge_shape
from keyturn.core.building.near_paths import named, nearest
from keyturn.core.building.refusal_shapes import refusal_shape
from keyturn.core.connector import ClientAuthentication, Connector, Encoding, FieldType, ProviderRequest
from keyturn.core.errors import KeyturnError
from keyturn.core.messages import Answer
from keyturn.core.renewal.last_answer import answer_words, rejected_when
from keyturn.core.urls.hostnames import HostError, normalise_host
from keyturn.engine.audit.answer_facts import answer_facts
from keyturn.engine.builder.diagnosing.author_words import of_error
from keyturn.engine.builder.trial_trace import Blank, Diagnosis, Suggestion, shown_value
from keyturn.engine.send import Sent

_MEMBERS: Final = (BodyKind.JSON, BodyKind.FORM)
_METHODS: Final = ("POST", "PUT", "GET")
_CODES: Final = frozenset({"provider_mfa_unsupported", "provider_bad_response", "provider_credentials_rejected"})
_PLAIN_PATH: Final = re.compile(r"/[A-Za-z0-9/._~-]{0,200}")
_OTHER_PROOF: Final = {
    ClientAuthentication.NONE: ClientAuthentication.BASIC,
    ClientAuthentication.BASIC: ClientAuthentication.POST,
    ClientAuthentication.BASIC_RAW: ClientAuthentication.BASIC,
    ClientAuthentication.POST: ClientAuthentication.BASIC,
}


def of_token_answer(connector: Connector, spec: ProviderRequest, pointer: str, sent: Sent) -> Diagnosis:
    """Say why; `pointer`: of the request in the file."""
    error, step = sent.error or KeyturnError(), 3 if pointer == "/refresh" else 2
    if sent.answer is None:
        return of_unsent(connector, error, step)
    answer, body = sent.answer, decode_body(sent.answer)
    if step == 2 and error.code in _CODES and (found := _challenge(connector, spec, pointer, answer, body, error)):
        return found
    if error.code in ("provider_bad_response", "provider_grant_disabled"):
        for look in (_elsewhere, _encoding, _method, _said_no, _token_place, _page, _refused):
            if found := look(spec, pointer, answer, body):
                return found
    if error.code == "provider_bad_response" and step == 3 and (found := _refresh_refused(spec, sent)):
        return found
    if error.code == "connector_client_rejected":
        return _client(connector, error, step)
    return of_error(error, step), None


def of_unsent(connector: Connector, error: KeyturnError, step: int) -> Diagnosis:
    """Why nothing came back, or nothing was sent."""
    if error.code == "address_not_allowed" and not connector.private_network:
        return of_error(error, step), Suggestion("Say that the private network is meant", "/private_network", True)
    return of_error(error, step), None


def of_status(answer: Answer, url: str, pointer: str, step: int) -> Diagnosis | None:
    """What a status alone says of an address; None where it says nothing. `url`: as the author wrote it."""
    if 300 <= answer.status < 400:
        words = f"The provider sends on to another address ({answer.status}), and a redirect is never followed."
        target = _target(url, answer)
        if target is None:
            return f"{words} Put the address that it leads to into step {step}.", None
        return f"{words} It leads to {urlsplit(target).netloc}.", Suggestion(f"Use {target}", f"{pointer}/url", target)
    if answer.status in (404, 410):
        words = f"Nothing is at this address ({answer.status}):"
        return f"{words} compare the URL of step {step} with the provider's documentation.", None
    return None


def _challenge(
    connector: Connector, spec: ProviderRequest, pointer: str, answer: Answer, body: Body, error: KeyturnError
) -> Diagnosis | None:
    """The challenge that the answer asks for; None where it asks for none, or the form has asked for a code already."""
    if body.kind not in _MEMBERS:
        return None
    shape = challenge_shape(answer.status, body.value, oauth=GRANT_TYPE in spec.params)
    asked = any(each.type is FieldType.OTP for each in connector.fields)
    if shape is None or (shape.state is None and (asked or error.code == "provider_credentials_rejected")):
        return None
    again = "further " if pointer != "/token" else ""
    how = (
        f"as “{shape.code_parameter}” with the same request once more."
        if shape.state is None
        else f"with {shape.state} of this answer. Compare names and address with the provider's documentation."
    )
    words = (
        f"This provider asks for a {again}code. Add a challenge: it recognises this answer, asks the person, and sends "
        f"the code {how}"
    )
    blank = None
    first = not connector.challenges
    if shape.needs_grant_type and GRANT_TYPE in spec.params:
        hint = "The provider's documentation names it, such as urn:example:mfa-otp."
        at = ("then", "params", GRANT_TYPE)
        blank = Blank("Grant type of the code's request", hint, (0, *at) if first else at)
    place = "/challenges" if first else f"/challenges/{len(connector.challenges)}"
    return words, Suggestion("Add a challenge", place, [shape.challenge] if first else shape.challenge, blank)


def _elsewhere(spec: ProviderRequest, pointer: str, answer: Answer, body: Body) -> Diagnosis | None:
    return of_status(answer, spec.url.source, pointer, 3 if pointer == "/refresh" else 2)


def _encoding(spec: ProviderRequest, pointer: str, answer: Answer, body: Body) -> Diagnosis | None:
    """Whether the answer is one to parameters that could not be read."""
    text = answer.body[:4096].lower()
    wrong = answer.status == 415
    if spec.encoding is Encoding.FORM:
        wrong = wrong or (answer.status in (400, 422) and b"json" in text)
    elif spec.encoding is Encoding.JSON:
        unread = b"urlencoded" in text or b"unsupported_grant_type" in text or b"invalid_request" in text
        wrong = wrong or (answer.status in (400, 422) and unread)
    if not wrong:
        return None
    other = Encoding.FORM if spec.encoding is Encoding.JSON else Encoding.JSON
    words = f"The provider doesn't read {spec.encoding.value}; it may expect {other.value}."
    return words, Suggestion(f"Send it as {other.value}", f"{pointer}/encoding", other.value)


def _method(spec: ProviderRequest, pointer: str, answer: Answer, body: Body) -> Diagnosis | None:
    if answer.status != 405:
        return None
    words = f"The address is there, and takes no {spec.method} (405)."
    allowed = {each.strip().upper() for text in answer.all_values("allow") for each in text.split(",")}
    other = next((each for each in _METHODS if each in allowed and each != spec.method), None)
    return words, Suggestion(f"Send it as {other}", f"{pointer}/method", other) if other else None


def _said_no(spec: ProviderRequest, pointer: str, answer: Answer, body: Body) -> Diagnosis | None:
    """A refusal whose status is that of a success."""
    if not 200 <= answer.status < 300 or pointer == "/refresh" or body.kind is not BodyKind.JSON:
        return None
    condition = refusal_shape(body.value)
    wanted = spec.response.access_token or "access_token"
    if condition is None or nearest(wanted, body.value) is not None or extract(wanted, answer, body) is not None:
        return None
    words = (
        f"The provider says no, though the status is {answer.status}: {condition}. If that is what it says to a wrong "
        "password, the connector should say so: people are then told, and it counts as a failed try. If it asks for "
        "more, such as a code, step 2 needs a challenge."
    )
    if spec.rejected_when is not None:
        return f"{words} “What a refusal looks like” in step 2 is another answer.", None
    mended = Suggestion("Take this answer for a wrong password", f"{pointer}/rejected_when", {"body": condition})
    return words, mended


def _token_place(spec: ProviderRequest, pointer: str, answer: Answer, body: Body) -> Diagnosis | None:
    """Where a good answer has its token, if not where it was looked for."""
    if not 200 <= answer.status < 300:
        return None
    wanted, place = spec.response.access_token or "access_token", f"{pointer}/response/access_token"
    if body.kind is BodyKind.JSON and isinstance(body.value, str) and wanted != "@":
        return "The whole answer is one text, which may be the token.", Suggestion("Take the whole answer", place, "@")
    if body.kind in _MEMBERS:
        if extract(wanted, answer, body) is not None:
            return _unusable(spec, pointer, wanted, answer, body)
        near = nearest(wanted, body.value)
        words = f"The answer has no token at {wanted} (it has: {named(body.value)})."
        if near and near != wanted:
            return words, Suggestion(f"Use {near}", place, near)
        at = _in_headers(answer)
        return words, Suggestion(f"Use {at}", place, at) if at else None
    at = _in_headers(answer)
    if at and at != wanted:
        return "The answer has no token in its body; one may be in its headers.", Suggestion(f"Use {at}", place, at)
    if body.kind is BodyKind.TEXT and wanted != "@":
        return "The whole answer is one text, which may be the token.", Suggestion("Take the whole answer", place, "@")
    return None


def _unusable(spec: ProviderRequest, pointer: str, wanted: str, answer: Answer, body: Body) -> Diagnosis:
    """There is something where the token should be, and it is not taken for one."""
    if isinstance(body.value, dict) and any(body.value.get(name) is False for name in ("ok", "success")):
        words = "The provider says no in the body, though the status is good. Describe it in step 2, as a failure."
        return words, None
    if spec.success_when is not None:
        return "The answer isn't what “success when” expects, so what it has isn't taken for a token.", None
    token_type = extract(spec.response.token_type or "token_type", answer, body)
    if isinstance(token_type, str) and token_type.lower() not in ("", "bearer"):
        words = (
            "The answer names a type of token other than Bearer. Step 9 says how a token is sent; if it is right there,"
        )
        mended = Suggestion("Look at no type", f"{pointer}/response/token_type", "no_token_type")
        return f"{words} the type need not be looked at.", mended
    return f"What is at {wanted} is no token: it is no text, or has characters that no token has.", None


def _in_headers(answer: Answer) -> str | None:
    """A header or cookie that may hold a token, as a place."""
    for name, _ in answer.headers:
        lower = name.lower()
        if ("token" in lower or "ticket" in lower) and "csrf" not in lower and "xsrf" not in lower:
            return f"header:{name}"
    for text in answer.all_values("set-cookie"):
        name = text.partition("=")[0].strip()
        if re.fullmatch(r"[\w.-]*(?:sess|sid|token|auth)[\w.-]*", name, re.IGNORECASE) and "csrf" not in name.lower():
            return f"cookie:{name}"
    return None


def _page(spec: ProviderRequest, pointer: str, answer: Answer, body: Body) -> Diagnosis | None:
    if body.kind is not BodyKind.MARKUP:
        return None
    return "The answer is a web page. The URL may be that of a form for people, not of the token endpoint.", None


def _refused(spec: ProviderRequest, pointer: str, answer: Answer, body: Body) -> Diagnosis | None:
    """A refusal without a word that is known, which most often means the password."""
    if answer.status not in (401, 403) or spec.rejected_when is not None or pointer == "/refresh":
        return None
    words = (
        f"The provider refuses with {answer.status} and gives no reason that is known. If that is what it says to a "
        "wrong password, the connector should say so: people are then told, and it counts as a failed try."
    )
    when = {"status": [answer.status]}
    return words, Suggestion(f"Take {answer.status} for a wrong password", f"{pointer}/rejected_when", when)


def _refresh_refused(spec: ProviderRequest, sent: Sent) -> Diagnosis | None:
    """A refusal of a refresh token without a word that is known: dead ones would be tried three times."""
    facts = answer_facts(sent)
    when = None if spec.rejected_when is not None else rejected_when(facts)
    if when is None:
        return None
    words = (
        f"{answer_words(facts)} That is no refusal that is known. Compare step 3 with the provider's documentation. If "
        "this is how it refuses a dead refresh token, the connector should say so: else each is tried three times."
    )
    return words, Suggestion("Take this answer for a refused refresh token", "/refresh/rejected_when", when)


def _client(connector: Connector, error: KeyturnError, step: int) -> Diagnosis:
    other = _OTHER_PROOF.get(connector.client_authentication)
    if other is None:
        return of_error(error, step), None
    where = "in the body" if other is ClientAuthentication.POST else "in the Authorization header"
    words = f"{of_error(error, step)} If they are right, the provider may look for them elsewhere."
    return words, Suggestion(f"Send id and secret {where}", "/client/authentication", other.value)


def _target(url: str, answer: Answer) -> str | None:
    """Where a redirect leads, without a query; None where that is not plain to see, or the URL has templates."""
    location = answer.value("location")
    if location is None or "{{" in url:
        return None
    try:
        parts = urlsplit(urljoin(url, location))
        normalise_host(parts.netloc.rpartition("@")[2].removesuffix(f":{parts.port}"))
    except (ValueError, HostError):
        return None
    if parts.scheme not in ("https", urlsplit(url).scheme) or not parts.netloc or "@" in parts.netloc:
        return None
    target = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    plain = _PLAIN_PATH.fullmatch(parts.path or "/") and shown_value(target, "") == target
    return target if plain and target != url else None
