"""The OpenAPI document (3.1) of the control plane, made from the table of operations.

Rule 1: it lists every call with its scope, an example and the problem codes that it can answer with.
Rule 2: nothing that the framework would add by itself stays: its 422 is not ours.
Calls of the data plane are added by `with_paths`, as they are no part of this zone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from keyturn.core.problems import PROBLEMS
from keyturn.web.control.operations import PUBLIC, Operation, Takes
from keyturn.web.control.route import OPERATION
from keyturn.web.kit.problems import MEDIA_TYPE

_TEXT: Final = {"type": "string"}
_PARAMETERS: Final[Mapping[str, dict[str, Any]]] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Sent again with the same key, the request is answered as before and nothing is done twice.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "description": "The ETag that was read; another state answers 412.",
        "schema": {"type": "string", "pattern": "^[!-~]+$"},
    },
}
PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; further members depend on it, such as `tries_left`.",
    "required": ["type", "title", "status", "detail", "code", "request_id", "retryable", "retry_after", "next_action"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "code": {"type": "string", "enum": sorted(PROBLEMS)},
        "request_id": _TEXT,
        "retryable": {"type": "boolean"},
        "retry_after": {"type": ["integer", "null"], "description": "Seconds."},
        "next_action": {
            "type": "object",
            "required": ["who", "text", "url"],
            "properties": {"who": _TEXT, "text": _TEXT, "url": {"type": ["string", "null"]}},
        },
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "message"],
                "properties": {
                    "pointer": _TEXT,
                    "code": _TEXT,
                    "message": _TEXT,
                    "line": {"type": "integer"},
                    "column": {"type": "integer"},
                },
            },
        },
    },
}


def make_document(app: FastAPI, operations: Iterable[Operation], *, version: str) -> dict[str, Any]:
    """The whole document."""
    document = get_openapi(
        title="keyturn",
        version=version,
        openapi_version="3.1.0",
        summary="A broker for connections that are made with a username and a password.",
        routes=app.router.routes,
    )
    for operation in operations:
        _complete(document["paths"][operation.path][operation.method.lower()], operation)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for theirs in ("HTTPValidationError", "ValidationError"):
        schemas.pop(theirs, None)
    schemas["Problem"] = PROBLEM
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, `kt_…`."},
        "key": {"type": "apiKey", "in": "header", "name": "Keyturn-Key"},
    }
    return document


def with_paths(document: dict[str, Any], paths: Mapping[str, Any]) -> dict[str, Any]:
    """The document with another zone's calls in it; a call that stands there already is a mistake (ValueError)."""
    merged = {path: dict(methods) for path, methods in document["paths"].items()}
    for path, methods in paths.items():
        taken = set(merged.get(path, {})) & set(methods)
        if taken:
            raise ValueError(f"{path} is described twice")
        merged.setdefault(path, {}).update(methods)
    return {**document, "paths": merged}


def as_bytes(document: Mapping[str, Any]) -> bytes:
    """The document as it is served."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _complete(found: dict[str, Any], operation: Operation) -> None:
    found.pop(OPERATION, None)
    found["responses"] = {**_answers(found["responses"], operation), **_problems(operation)}
    if operation.scope == PUBLIC:
        found["security"] = []
        return
    found["security"] = [{"bearer": []}, {"key": []}]
    found["x-required-scope"] = operation.scope
    names = (["Idempotency-Key"] if operation.replayable else []) + list(operation.headers)
    if names:
        found.setdefault("parameters", []).extend(_PARAMETERS[name] for name in names)
    if operation.takes is Takes.CONNECTOR:
        text = {"schema": _TEXT, "example": operation.example}
        body = {"application/yaml": text, "application/json": {"schema": {"type": "object"}}}
        found["requestBody"] = {"required": True, "content": body}
    elif operation.example is not None:
        found["requestBody"]["content"]["application/json"]["example"] = operation.example


def _answers(given: Mapping[str, Any], operation: Operation) -> dict[str, Any]:
    kept = {str(status): given[str(status)] for status in operation.answers}
    for status, model in operation.answers.items():
        one = kept[str(status)]
        one["description"] = " ".join((model.__doc__ or "").split()) if model else "Done."
        content = one.get("content", {}).get("application/json")
        example = operation.status_examples.get(status, operation.answer_example)
        if content is not None and example is not None:
            content["example"] = example
        if operation.scope != PUBLIC:
            one["headers"] = {"Keyturn-Request-Id": {"schema": _TEXT}}
    return kept


def _problems(operation: Operation) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in operation.codes():
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return {
        str(status): {
            "description": "; ".join(f"`{code}`: {PROBLEMS[code].title}" for code in codes),
            "x-codes": codes,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, codes in sorted(by_status.items())
    }
