"""`docs/reference/connector.md`: every key of the connector format, from the tables that the reader reads by."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from scripts.reference_sources import (
    CHALLENGE,
    CLIENT,
    CONNECTOR,
    FAILURES,
    FIELD_TABLE,
    FILTERS,
    LINKS,
    MEANINGS,
    NOTES,
    PASSWORD,
    REFRESH,
    REQUEST,
    RESEND,
    RESPONSE,
    REVOKE,
    RULES,
    TEST,
    THEN,
    TOKEN,
    TRUST,
    USERNAME,
    Place,
    When,
)

Schema = Mapping[str, Any]

HEAD: Final = """\
# The connector file, key by key

<!-- Made by `python -m scripts.write_pages` from the tables that the reader reads by; a test holds it equal. -->

One YAML file (or the same as JSON) describes how an API logs in. How to write one:
[Write a connector](../how-to/write-a-connector.md). The same for editors, as JSON Schema:
[connector.schema.json](connector.schema.json), or `keyturn connector schema`. What the linter finds in a file that
reads without errors: [lint.md](lint.md).

The file is UTF-8 and YAML 1.2, without anchors, aliases, tags and merge keys, at most 256 KiB and 32 levels deep. An
unknown key is an error. A key that is `null` counts as not given. A **bold** key has to be there. URLs of requests,
headers, parameters, `connection_name`, `allowed_urls` and `unique_id` may hold `{{ name }}`: see
[Templates](#templates).
"""

# Heading → the schema of what stands there, and a sentence. Where another table has the same schema, it links here.
SECTIONS: Final[tuple[tuple[str, Schema, str], ...]] = (
    ("The whole file", CONNECTOR.schema(), "In the order of the nine steps."),
    ("trust", TRUST.schema(), "Why a password grant is acceptable here. The connect page shows it."),
    ("A field", FIELD_TABLE.schema(), "One entry of `fields` (step 1), and of a challenge's `ask`."),
    ("username", USERNAME.schema(), "How the connect form asks for it."),
    ("password", PASSWORD.schema(), "`offer` and `required` need a `reason`; the person reads it."),
    ("client", CLIENT.schema(), "Client id and secret never stand in the file: the operator sets them."),
    ("token", TOKEN.schema(), "The login. `params` are the four of RFC 6749 section 4.3.2 where absent."),
    ("refresh", REFRESH.schema(), "What it doesn't say is taken from `token`, but for `params`."),
    ("revoke", REVOKE.schema(), "Without it, a disconnect forgets the tokens here and tells nobody."),
    ("test", TEST.schema(), "Must lie within `allowed_urls`. Its answer is `{{ test.… }}`."),
    ("request", REQUEST.schema(), "`Authorization: Bearer` is put on where no header or query uses the token."),
    (
        "A challenge",
        CHALLENGE.schema(),
        "The list is tried in order on every answer of a login; the first match wins. One without `then` is only "
        "recognised: `provider_mfa_unsupported`. Examples: [Second factors](../how-to/second-factors.md).",
    ),
    ("then", THEN.schema(), "The request that answers a challenge. Without `ask` it is sent by itself."),
    ("resend", RESEND.schema(), "Asks the provider for another code. It has none of the answers."),
    ("A condition", When().schema(), "All given parts must hold."),
    ("A list of failures", FAILURES.schema(), "The first that fits decides what the person reads and what is tried."),
    ("response", RESPONSE.schema(), "A place is a JMESPath on the body, `header:NAME`, `cookie:NAME` or `@`."),
    ("links", LINKS.schema(), "Shown where they help. They begin with https."),
    ("notes", NOTES.schema(), "Shown as they are, as plain text."),
)


def connector_page() -> str:
    """Write the page."""
    parts = [HEAD]
    for heading, schema, sentence in SECTIONS:
        parts.append(f"## {heading}\n\n{sentence}\n\n{_table(schema)}\n")
    parts += [_templates(), _codes()]
    return "\n".join(parts)


def _table(schema: Schema) -> str:
    rows = ["| key | what | value | default |", "|---|---|---|---|"]
    for name, key, required in _keys(schema):
        shown = f"**`{name}`**" if required else f"`{name}`"
        default = f"`{json.dumps(key['default'])}`" if "default" in key else ""
        means = re.sub(r"(?<!`)\{\{.*?\}\}(?!`)", r"`\g<0>`", key.get("description", ""))
        rows.append(f"| {shown} | {means} | {_words(key)} | {default} |")
    return "\n".join(rows)


def _keys(schema: Schema, prefix: str = "") -> Iterator[tuple[str, Schema, bool]]:
    """The keys of an object, with those of its small objects below it as dotted names."""
    found = _object_in(schema)
    for name, key in found.get("properties", {}).items():
        yield f"{prefix}{name}", key, name in found.get("required", ())
        below = _object_in(_without_null(key))
        if "properties" in below and _section_of(key) is None and _section_of(below) is None:
            yield from _keys(below, f"{prefix}{name}.")


def _object_in(schema: Schema) -> Schema:
    """The object among alternatives, or the items of a list, or the schema itself."""
    for one in schema.get("anyOf", ()):
        if "properties" in one or "anyOf" in one:
            return _object_in(one)
    items = schema.get("items")
    return _object_in(items) if isinstance(items, Mapping) and "properties" in items else schema


def _without_null(schema: Schema) -> Schema:
    plain = {name: value for name, value in schema.items() if name not in ("description", "default")}
    if isinstance(plain.get("type"), list):
        kinds = [kind for kind in plain["type"] if kind != "null"]
        plain["type"] = kinds[0] if len(kinds) == 1 else kinds
    if "anyOf" in plain:
        left = [one for one in plain["anyOf"] if one != {"type": "null"}]
        if len(left) == 1:
            return {**{name: value for name, value in plain.items() if name != "anyOf"}, **left[0]}
        plain["anyOf"] = left
    return plain


def _section_of(schema: Schema) -> str | None:
    plain = _without_null(schema)
    for heading, known, _ in SECTIONS[1:]:
        if plain == known or {**known, "minProperties": 1} == plain or plain == {**known, "minProperties": 0}:
            return heading
        if {name: value for name, value in known.items() if name != "minProperties"} == plain:
            return heading
    return None


def _words(schema: Schema) -> str:
    """Say in words what a value looks like."""
    heading = _section_of(schema)
    if heading is not None:
        return f"[{heading}](#{heading.lower().replace(' ', '-')})"
    plain = _without_null(schema)
    if "const" in plain:
        return f"`{json.dumps(plain['const'])}`"
    if "enum" in plain:
        return ", ".join(f"`{word}`" for word in plain["enum"])
    if "anyOf" in plain:
        return _either(plain["anyOf"])
    kind = plain.get("type")
    if isinstance(kind, list):
        return " or ".join(kind)
    return _of_kind(str(kind), plain)


def _either(schemas: list[Schema]) -> str:
    if any("minimum" in one for one in schemas):
        number = next(one for one in schemas if "minimum" in one)
        otherwise = ", or an object" if any(one.get("type") == "object" for one in schemas) else ""
        span = f"{number['minimum']:.0f} s to {number['maximum']:.0f} s"
        return f"a duration such as `90s`, `15m`, `2h`, or seconds; {span}{otherwise}"
    return " or ".join(_words(one) for one in schemas)


def _of_kind(kind: str, schema: Schema) -> str:
    match kind:
        case "string":
            pattern = f", matching `{schema['pattern']}`".replace("|", "\\|") if "pattern" in schema else ""
            return f"text, at most {schema['maxLength']} characters{pattern}"
        case "integer":
            return f"whole number, {schema['minimum']} to {schema['maximum']}"
        case "boolean":
            return "`true` or `false`"
        case "array":
            return f"list of up to {schema['maxItems']}: {_words(schema['items'])}"
        case _:
            free = schema.get("additionalProperties")
            return f"object: name → {_words(free)}" if isinstance(free, Mapping) else "object"


def _templates() -> str:
    places = list(Place)
    rows = ["| what the name stands for | where it may stand | in a URL |", "|---|---|---|"]
    for rule in RULES.values():
        everywhere = set(rule.places) == set(places)
        where = "everywhere" if everywhere else ", ".join(f"`{each.value}`" for each in places if each in rule.places)
        rows.append(f"| {rule.what} | {where} | {'yes' if rule.in_url else 'no'} |")
    filters = ", ".join(f"`{name}`" for name in sorted(FILTERS))
    return f"""## Templates

`{{{{ name }}}}` and `{{{{ name | filter }}}}` are replaced once; what a value holds is never evaluated. Names are field
keys, `username`, `password`, `client_id`, `client_secret`, `access_token`, `refresh_token`, `token.NAME` (from
`response.keep`), `claims.NAME` (of a token that is a JWT, read as data), `test.NAME` and what a challenge asks and
captures. The key of a `totp_seed` field stands for the code of this moment, never for the seed. In `revoke` there are
`token` and `token_type_hint`. A path goes on with `.name` and `[0]`.

Filters: {filters}.
`hmac_sha256(name)` takes its key from that name.

Where a name may stand is part of the format; a file that breaks it can't be saved. A filter changes nothing: a hash of
a secret is as secret as the secret.

{chr(10).join(rows)}
"""


def _codes() -> str:
    rows = ["| code | meaning |", "|---|---|", *(f"| `{fault.value}` | {text} |" for fault, text in MEANINGS.items())]
    return f"""## What can be wrong with a file

Every error is said at once, with line, column and JSON pointer. None repeats what was written.

{chr(10).join(rows)}
"""
