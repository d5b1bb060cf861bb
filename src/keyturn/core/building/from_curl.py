"""curl commands → what a connector says of steps 2, 5, 7 and 9, and in words what was understood.

Rule 1: the first command that carries a password is the login, the next other one a call of the API.
Rule 2: no username, password, client secret, token or key of the command stands in what comes out.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, quote_plus, urlsplit

from keyturn.core.building.curl_request import CurlRequest, read_request
from keyturn.core.building.curl_words import CurlUnreadable, commands
from keyturn.core.reading.names import RESERVED

# Names are told by their words, whether they stand as userPassword, user_password or user[password].
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PASSWORDS: Final = frozenset({"password", "passwd", "passphrase", "pass", "pwd", "passcode", "pw"})
_USERNAMES: Final = frozenset(
    {"username", "user", "userid", "login", "loginname", "loginid", "email", "mail", "emailaddress"}
)
_SECRETS: Final = frozenset(
    {
        "secret", "token", "signature", "key", "apikey", "jwt", "session", "sessionid", "sid", "credential",
        "assertion", "auth", "authorization",
    }
)  # fmt: skip
_CODE: Final = re.compile(r"otp|totp|mfa_?code|code|pin|two_?factor_?code", re.IGNORECASE)
_SILENT: Final = frozenset(
    {
        "content-type", "content-length", "host", "connection", "accept-encoding", "user-agent", "cookie",
        "origin", "referer", "accept-language", "cache-control", "pragma", "dnt", "priority",
    }
)  # fmt: skip
_ENTER: Final = "Its id and secret are no part of the text: an operator sets them in step 2."
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")  # of userName
_TOKEN_NAME: Final = re.compile(r"token|session|ticket|jwt|(?:^|[-_])auth$", re.IGNORECASE)
_SCHEMES: Final = frozenset({"bearer", "token", "jwt", "oauth"})  # any other first word may be half of a token
_STANDS_FOR: Final = re.compile(r"\$\w+|\$\{\w+\}|<[^<>]+>")  # as documentation writes what the reader puts in
_NOT_KEY: Final = re.compile(r"[^a-z0-9]+")


@dataclass(slots=True)
class CurlReading:
    """What was read. `edits`: pointer → value (None takes it out). `understood`, `left`: sentences for the author."""

    edits: dict[str, Any] = field(default_factory=dict)
    understood: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def read_curl(text: str) -> CurlReading:
    """Read a pasted text with one or more curl commands; CurlUnreadable says where it is none."""
    requests = [read_request(words) for words in commands(text)]
    login = next((each for each in requests if _has_password(each)), None)
    if login is None:
        raise CurlUnreadable("No command carries a password; paste the one that logs in.")
    found = CurlReading()
    fields: list[dict[str, Any]] = []
    _read_login(found, login, fields)
    call = next((each for each in requests if each is not login), None)
    if call is not None:
        _read_call(found, call, fields)
    else:
        found.left.append("Step 5: no command calls the API; give the address that proves a token.")
    _read_network(found, [login.url] + ([call.url] if call is not None else []))
    if fields:
        found.edits["/fields"] = fields
        found.understood.append(f"Step 1: asked besides: {', '.join(each['label'] for each in fields)}.")
    found.left.append("Step 3 and 4: a command doesn't show how to refresh and to revoke.")
    found.left.append("Step 6 and 8: check that the API's answer has “id” and “name”.")
    stands = sorted(set(_standing_for(found.edits)))
    found.left += [f"A placeholder is the value of “{name}”: put the value in its place." for name in stands]
    names = sorted({each for request in requests for each in request.unread})
    found.left += [f"Not taken over: {name}" for name in names]
    found.left.append("If the password in the command is real, delete the command from your shell's history.")
    return found


def _read_network(found: CurlReading, urls: list[str]) -> None:
    """Plain http and private addresses are said in the file, where everybody sees them."""
    if any(urlsplit(url).scheme.lower() == "http" for url in urls):
        found.edits["/insecure_http"] = True
        found.understood.append("Passwords travel over plain http: the operator has to allow that as well.")
    if any(_is_private(urlsplit(url).hostname or "") for url in urls):
        found.edits["/private_network"] = True
        found.understood.append("A host is in a private network: the operator has to allow that as well.")


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith((".local", ".internal"))


def _ends_in(name: str, words: frozenset[str]) -> bool:
    """Whether a name ends in one of these, written as one word or as two; of several as of one."""
    found = [each.lower() for each in _WORDS.findall(name)]
    last = ("".join(found[-1:]), "".join(found[-2:]))
    return any(each in words or each.removesuffix("s") in words for each in last)


def _is_username(name: str) -> bool:
    return name.lower() == "account" or _ends_in(name, _USERNAMES)


def _has_password(request: CurlRequest) -> bool:
    return any(_ends_in(name, _PASSWORDS) for name in _names(request.params)) or (
        request.basic is not None and not _bearer(request) and request.method == "POST"
    )


def _bearer(request: CurlRequest) -> bool:
    return any(name.lower() == "authorization" for name in request.headers)


def _names(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [name for key, each in value.items() for name in (str(key), *_names(each))]
    return [name for each in value for name in _names(each)] if isinstance(value, list) else []


def _read_login(found: CurlReading, login: CurlRequest, fields: list[dict[str, Any]]) -> None:
    url = _address(login.url, fields)
    token: dict[str, Any] = {"url": url}
    by_params = any(_ends_in(name, _PASSWORDS) for name in _names(login.params))
    if login.method != "POST":
        token["method"] = login.method
    if login.encoding != "form":
        token["encoding"] = login.encoding
    client = _client_of(found, login, by_params)
    headers = _headers(login, fields, skip=frozenset())
    if not by_params:
        found.edits["/derive"] = {"account": {"join": ["{{ username }}:{{ password }}"], "filters": ["base64"]}}
        headers["Authorization"] = "Basic {{ account }}"
        found.understood.append("Step 2: username and password go into the Authorization header (Basic).")
    if headers:
        token["headers"] = headers
    token["params"] = _params(login.params, fields)
    found.edits |= {"/token": token, "/client/authentication": client, "/revoke": None}
    host = urlsplit(url).netloc
    words = ", ".join(_names(token["params"])) or "no parameters"
    found.understood.insert(0, f"Step 2: {login.method} to {host}, sent as {login.encoding}, with {words}.")


def _client_of(found: CurlReading, login: CurlRequest, by_params: bool) -> str:
    if login.basic is not None and by_params:
        found.understood.append(f"Step 2: the application proves itself by HTTP Basic. {_ENTER}")
        return "basic"
    if "client_id" in login.params:
        login.params.pop("client_id")
        secret = login.params.pop("client_secret", None)
        where = "in the body" if secret is not None else "by its id in the body"
        found.understood.append(f"Step 2: the application proves itself {where}. {_ENTER}")
        return "post" if secret is not None else "none"
    found.understood.append("Step 2: no application is registered with the provider.")
    return "none"


def _params(value: Any, fields: list[dict[str, Any]], name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _params(each, fields, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_params(each, fields, name) for each in value]
    if _ends_in(name, _PASSWORDS):
        return "{{ password }}"
    given = isinstance(value, str | int) and not isinstance(value, bool)
    if _is_username(name) and given:
        return "{{ username }}"
    if _CODE.fullmatch(name):
        return _field(fields, name, "otp")
    if _ends_in(name, _SECRETS) and given:
        return _field(fields, name, "secret")
    return value.replace("{{", "").replace("}}", "") if isinstance(value, str) else value


def _headers(request: CurlRequest, fields: list[dict[str, Any]], skip: frozenset[str]) -> dict[str, str]:
    found = {}
    for name, value in request.headers.items():
        if name.lower() in _SILENT | skip or name.lower().startswith(("sec-", ":")):
            continue
        if _ends_in(name, _SECRETS):
            found[name] = _field(fields, name, "secret")
        else:
            found[name] = value.replace("{{", "").replace("}}", "")
    return found


def _field(fields: list[dict[str, Any]], name: str, kind: str) -> str:
    """A value that the person gives; its field is made once, under a name that is free."""
    key = _NOT_KEY.sub("_", _HUMP.sub("_", name).lower()).strip("_")
    key = key if key and key[0].isalpha() else f"value_{key}"
    key = f"own_{key}" if key in RESERVED else key
    if all(each["key"] != key for each in fields):
        label = _NOT_KEY.sub(" ", _HUMP.sub(" ", name).lower()).strip().capitalize()
        fields.append({"key": key, "label": label, "type": kind})
    return f"{{{{ {key} }}}}"


def _read_call(found: CurlReading, call: CurlRequest, fields: list[dict[str, Any]]) -> None:
    url = _address(call.url, fields)
    parts = urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rpartition('/')[0]}"
    test: dict[str, Any] = {"url": url}
    if call.method not in ("GET", ""):
        test["method"] = call.method
    if call.params:
        test["params"] = _params(call.params, fields)
        if call.method not in ("GET", "HEAD") and call.encoding != "form":
            test["encoding"] = call.encoding
    parameters: dict[str, Any] = {"base_url": base}
    headers = _headers(call, fields, skip=frozenset({"authorization"}))
    authorization = next((value for name, value in call.headers.items() if name.lower() == "authorization"), "")
    scheme = authorization.partition(" ")[0]
    if authorization and scheme.lower() != "bearer":
        headers["Authorization"] = f"{scheme} {{{{ access_token }}}}" if " " in authorization else "{{ access_token }}"
    elif not authorization:
        login = repr(found.edits["/token"])
        _take_token(headers, call.headers, fields, login)
        carried = _take_token(test.get("params", {}), call.params, fields, login)
        if carried:
            parameters["query"] = {name: test["params"].pop(name) for name in carried}
    if not test.get("params", True):
        del test["params"]
    if headers:
        parameters["headers"] = headers
    found.edits |= {"/test": test, "/allowed_urls": [base], "/request": parameters}
    found.understood.append(f"Step 5: {call.method} {parts.path or '/'} at {parts.netloc} proves a token.")
    found.understood.append(f"Step 7: calls may reach {base} and what is below.")
    put = {**headers, **parameters.get("query", {})}
    names = ", ".join(f"{name} with the token" if "access_token" in str(put[name]) else name for name in put)
    found.understood.append(f"Step 9: each call carries {names or 'the usual Authorization header'}.")


def _take_token(values: dict[str, Any], written: dict[str, Any], fields: list[dict[str, Any]], login: str) -> list[str]:
    """Put the token of a connection where a call had one; the names under which it goes.

    Args:
        values: what was made of them, changed here.
        written: the same as they stand in the command.
        fields: what people are asked; one that was made of the token is taken out again.
        login: what names fields.
    """
    names = [name for name in values if _carries_token(name, written.get(name))]
    for name in names:
        if str(values[name]) not in login:
            key = str(values[name]).strip("{} ")
            fields[:] = [each for each in fields if each["key"] != key]
        scheme, blank, _ = str(written.get(name)).partition(" ")
        put = f"{scheme} " if blank and scheme.lower() in _SCHEMES else ""
        values[name] = f"{put}{{{{ access_token }}}}"
    return names


def _carries_token(name: str, written: object) -> bool:
    """Whether a value is the token, by its name or by what its placeholder is called."""
    stands = isinstance(written, str) and _STANDS_FOR.search(written) is not None
    return bool(_TOKEN_NAME.search(name) or (stands and _TOKEN_NAME.search(str(written))))


def _standing_for(value: Any, name: str = "") -> Iterator[str]:
    """The names whose value is still a placeholder of the documentation, or a variable of a shell."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _standing_for(each, str(key))
    elif isinstance(value, list):
        for each in value:
            yield from _standing_for(each, name)
    elif isinstance(value, str) and _STANDS_FOR.fullmatch(value):
        yield name


def _address(url: str, fields: list[dict[str, Any]]) -> str:
    """Without what can't stand in a connector: user, fragment, braces; what is secret in its query is asked for."""
    parts = urlsplit(url.replace("{{", "").replace("}}", ""))
    pairs = ((name, _params(value, fields, name)) for name, value in parse_qsl(parts.query, keep_blank_values=True))
    query = "&".join(f"{quote_plus(name)}={each if '{{' in each else quote_plus(each)}" for name, each in pairs)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query, fragment="").geturl()
