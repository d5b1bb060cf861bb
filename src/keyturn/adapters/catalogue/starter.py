"""The text that a new connector file begins with: a whole connector, with a word on each step.

Rule 1: it reads without an error, so that the first thing an author sees works.
Rule 2: it says nothing in its author's name: why a password is acceptable is left to them, and publishing waits for it.
Rule 3: hosts are of the reserved domain `example`, so that nothing goes to anybody before they are replaced.
"""

from __future__ import annotations

from string import Template
from typing import Final

SCHEMA_FILE: Final = "./connector.schema.json"  # what `keyturn connector schema` writes

_TEXT: Final = Template("""\
# yaml-language-server: $$schema=$schema
# (`keyturn connector schema > connector.schema.json` lets an editor complete and check this file.)
#
# How an API logs in, in nine steps. `keyturn connector lint FILE` says what is wrong and what could be better.
keyturn: 1
connector: $id
title: $title
# docs_url: …               # where the provider describes its login

# Why a password is acceptable here, in your own words: the person who connects reads it, and publishing needs it.
# trust:
#   reason: …               # legacy | first_party | no_alternative
#   note: …

# Step 1: what the connect form asks. Username and password are always there; add a field only where one is needed:
# fields:
#   - key: region
#     label: Region
#     type: choice          # text | secret | choice | number | boolean | url | email | host | otp
#     choices: {eu: Europe, us: United States}
username: {label: Username}
password: {label: Password, keep: never}   # never | offer | required; the last two need a `reason`

# Step 2: username and password for a token. The client's id and secret are set by the operator, never in this file.
client: {authentication: basic}            # basic | basic_raw | post | none
token:
  url: https://login.provider.example/oauth/token
  params:
    grant_type: password
    username: "{{ username }}"
    password: "{{ password }}"
    scope: read
  default_ttl: 3600         # seconds, where an answer says nothing

# Step 3: renewal without the person. `refresh: none` where refresh tokens are not honoured.
refresh:
  strategy: refresh_only    # refresh_only | password_only | refresh_then_password
  rotation: rotating        # rotating | stable

# Step 4: what the provider is told when the person disconnects.
revoke:
  url: https://login.provider.example/oauth/revoke

# Step 5: the call that proves a token; its answer is {{ test.… }} in steps 6 and 8.
test:
  url: https://api.provider.example/v1/me
  expect: {status: [200], body: id}

# Step 6: the connection's name for people.
connection_name: "{{ test.name }}"

# Step 7: the only places that calls and the test may reach.
allowed_urls:
  - https://api.provider.example/v1

# Step 8: one stored connection for one account; an id that never changes, no name or e-mail address.
unique_id: "{{ test.id }}"

# Step 9: what is put on every call. The access token goes into the Authorization header where nothing else is said.
request:
  # base_url: …             # where calls begin; without it at the first allowed URL
  headers: {Accept: application/json}

stale_when: {status: [401]} # what an answer looks like when the token is no longer good
limits: {logins: 5, per: 15m}              # stay below the provider's lock-out
""")


def starter(connector_id: str) -> str:
    """Give the text of a new connector file.

    Args:
        connector_id: an id as the format has it; the title is made of it.
    """
    title = connector_id.replace("-", " ").strip().capitalize()
    return _TEXT.substitute(schema=SCHEMA_FILE, id=_text(connector_id), title=_text(title))


def _text(value: str) -> str:
    """Quote what would else be no text in YAML."""
    words = {"null", "true", "false"}
    return f'"{value}"' if value.lower() in words or not value[:1].isalpha() else value
