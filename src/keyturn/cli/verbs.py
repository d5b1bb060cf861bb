"""Every verb of the command line, in one table: help, completion of typing errors and the reference are made from it.

Rule 1: there is no command beside the table, and no line in it without a command.
Rule 2: nothing is loaded to read the table; a verb's module is loaded when the verb is used.
Rule 3: examples come first in each help text, so each verb has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keyturn.cli.verb_rows.connectors import CONNECTORS
from keyturn.cli.verb_rows.row import Verb

PAGE: Final = "docs/reference/cli.md"
NOUNS: Final[Mapping[str, str]] = {
    "connector": "Describe how an API logs in: write, check, publish.",
    "connection": "Make, look at, repair and end connections.",
    "apikey": "Make, look at, roll and revoke API keys.",
    "key": "Look after the keys that wrap all others.",
    "audit": "Read, verify and export what happened.",
    "owner": "Erase a person.",
    "link": "Make links by which people connect their accounts.",
    "person": "Let people sign in to the console.",
    "webhook": "Tell other programs what happens.",
    "config": "Look at the server's settings.",
    "problem": "Look up what a problem code means.",
    "job": "Watch, end and repeat work on many connections.",
}


_ROWS: Final = (
    Verb(
        "dev",
        "Try it: the broker with an example provider beside it.",
        "dev:dev",
        ("keyturn dev", "keyturn dev --listen 127.0.0.1:9000 --provider-port 9001"),
    ),
    Verb(
        "init",
        "Make data directory, key file and a first API key.",
        "init:init",
        ("keyturn init --data /var/lib/keyturn",),
    ),
    Verb(
        "serve",
        "Run the broker.",
        "serve:serve",
        ("keyturn serve --data /var/lib/keyturn --listen 127.0.0.1:8800",),
    ),
    Verb(
        "overview",
        "Say how everything stands, and whom it needs.",
        "operating.overview:overview",
        ("keyturn overview", "keyturn overview --range 7d --json"),
    ),
    *CONNECTORS,
    Verb(
        "connection create",
        "Connect an account of yours from here.",
        "connection_create:create",
        (
            "keyturn connection create acme --owner me --username ada",
            "keyturn connection create acme --owner me --username ada --password-stdin < password.txt",
        ),
    ),
    Verb(
        "connection answer",
        "Answer what the provider asks in the middle of a login.",
        "connection_answer:answer",
        ("keyturn connection answer chl_…", "keyturn connection answer chl_… --answer otp=- < code.txt"),
    ),
    Verb(
        "connection list",
        "List connections.",
        "connection_views:list_connections",
        ("keyturn connection list", "keyturn connection list --state needs_reconnect --json"),
    ),
    Verb("connection show", "Show a connection.", "connection_views:show", ("keyturn connection show cxn_…",)),
    Verb(
        "connection why",
        "Say why a connection is as it is, and whose move it is.",
        "connection_views:why",
        ("keyturn connection why cxn_…",),
    ),
    Verb(
        "connection test",
        "Prove that a connection works.",
        "connection_steps:test",
        (
            "keyturn connection test cxn_…",
            "keyturn connection test cxn_… --dry-run",
            "keyturn connection test --all --connector acme",
        ),
    ),
    Verb(
        "connection renew",
        "Get the next token now, without the person.",
        "connection_steps:renew",
        ("keyturn connection renew cxn_…", "keyturn connection renew --all --state uncertain"),
    ),
    Verb(
        "connection reconnect",
        "Make a link that repairs a connection.",
        "connection_steps:reconnect",
        (
            "keyturn connection reconnect cxn_…",
            "keyturn connection reconnect --all --reason provider_credentials_rejected",
        ),
    ),
    Verb(
        "connection migrate",
        "Move connections to their connector's newest version.",
        "connection_steps:migrate",
        ("keyturn connection migrate cxn_… cxn_…", "keyturn connection migrate --all --search user-4"),
    ),
    Verb(
        "connection person-link",
        "Make a link by which the person sees and ends a connection.",
        "connection_steps:person_link",
        ("keyturn connection person-link cxn_…", "keyturn connection person-link cxn_… --take-back"),
    ),
    Verb(
        "connection pause",
        "Refuse calls for a while.",
        "connection_steps:pause",
        ("keyturn connection pause cxn_…", "keyturn connection pause --all --connector acme"),
    ),
    Verb(
        "connection resume",
        "Take calls again.",
        "connection_steps:resume",
        ("keyturn connection resume cxn_…", "keyturn connection resume --all --connector acme"),
    ),
    Verb(
        "connection disconnect",
        "End a connection, here and at the provider.",
        "connection_steps:disconnect",
        (
            "keyturn connection disconnect cxn_…",
            "keyturn connection disconnect cxn_… --yes",
            "keyturn connection disconnect --all --owner user-42",
        ),
    ),
    Verb(
        "connection events",
        "Show what happened to a connection.",
        "connection_views:events",
        ("keyturn connection events cxn_…", "keyturn connection events cxn_… --calls --limit 200 --json"),
    ),
    Verb(
        "connection stats",
        "Count a connection's calls by the hour.",
        "operating.connection_stats:stats",
        ("keyturn connection stats cxn_…",),
    ),
    Verb(
        "call",
        "Call the API through a connection.",
        "call:call",
        (
            "keyturn call cxn_… GET /me",
            'keyturn call cxn_… POST /notes -d \'{"text": "hello"}\' -i',
            "keyturn call cxn_… GET /me --dry-run",
            "keyturn call cxn_… PUT /files/1 -H 'Content-Type: image/png' -d @picture.png",
        ),
    ),
    Verb(
        "proxy",
        "Open a port on this machine that calls through a connection.",
        "proxy:proxy",
        ("keyturn proxy cxn_…", "keyturn proxy cxn_… --port 9100"),
    ),
    Verb(
        "link create",
        "Make a link by which a person connects an account.",
        "link:create",
        (
            "keyturn link create acme --owner user-42",
            "keyturn link create acme --owner user-42 --open",
            "keyturn link create acme --owner user-42 --qr",
        ),
    ),
    Verb(
        "link list",
        "List the links that wait for their person.",
        "link:list_links",
        ("keyturn link list", "keyturn link list --connector acme --state open"),
    ),
    Verb("link revoke", "Take a link back.", "link:revoke", ("keyturn link revoke cs_…",)),
    Verb(
        "audit list",
        "List what happened.",
        "audit.records:list_records",
        (
            "keyturn audit list --since 7d --without connection.expiring",
            "keyturn audit list --owner user-42 --action connection.renewed --json",
        ),
    ),
    Verb("audit show", "Show a record with its place in the chain.", "audit.records:show", ("keyturn audit show 17",)),
    Verb(
        "audit verify",
        "Say whether the audit log is what was written.",
        "audit.checks:verify",
        (
            "keyturn audit verify",
            "keyturn audit verify --first 1000 --last 2000",
            "keyturn audit verify --anchor heads.ndjson",
            "keyturn audit verify --file log.ndjson --key-file heads.ndjson",
        ),
    ),
    Verb(
        "audit export",
        "Write the audit log as JSON lines with a signed end.",
        "audit.checks:export",
        ("keyturn audit export -o log.ndjson", "keyturn audit export --since 30d | jq .action"),
    ),
    Verb(
        "audit anchor",
        "Print the signed head of the audit log, to keep elsewhere.",
        "audit.checks:anchor",
        ("keyturn audit anchor", "keyturn audit anchor --file /mnt/elsewhere/heads.ndjson"),
    ),
    Verb(
        "apikey create",
        "Make an API key.",
        "apikeys.apikey:create",
        (
            "keyturn apikey create billing --scope read --scope call",
            "keyturn apikey create tenant-7 --scope call --owner tenant-7 --days 90",
        ),
    ),
    Verb("apikey list", "List API keys.", "apikeys.apikey:list_keys", ("keyturn apikey list",)),
    Verb("apikey show", "Show an API key.", "apikeys.apikey:show", ("keyturn apikey show key_…",)),
    Verb(
        "apikey roll",
        "Put a new API key in an old one's place.",
        "apikeys.apikey:roll",
        ("keyturn apikey roll key_…", "keyturn apikey roll key_… --overlap-hours 0"),
    ),
    Verb("apikey revoke", "Revoke an API key.", "apikeys.apikey:revoke", ("keyturn apikey revoke key_…",)),
    Verb(
        "owner erase",
        "End all that a person has here, and erase the name.",
        "audit.owner:erase",
        ("keyturn owner erase user-42", "keyturn owner erase user-42 --yes --json"),
    ),
    Verb("key status", "List the keys and what each still wraps.", "key:status", ("keyturn key status",)),
    Verb(
        "key add",
        "Make a key, to rotate to.",
        "key:add",
        ("keyturn key add", "keyturn key add --file /etc/keyturn/2027.key"),
    ),
    Verb(
        "key rotate",
        "Make a key current, and move all data keys to it.",
        "key:rotate",
        ("keyturn key rotate key_…", "keyturn key rotate key_… --watch"),
    ),
    Verb("key retire", "Say that a key is needed no more.", "key:retire", ("keyturn key retire key_…",)),
    Verb(
        "key declare-lost",
        "Give up what a lost key had sealed.",
        "key:declare_lost",
        ("keyturn key declare-lost key_… --data /var/lib/keyturn",),
    ),
    Verb(
        "key destroy-passwords",
        "Destroy every kept password at once.",
        "key:destroy_passwords",
        ("keyturn key destroy-passwords",),
    ),
    Verb(
        "person link",
        "Make a link that signs somebody in to the console.",
        "people.person:link",
        ("keyturn person link ada", "keyturn person link grace --role operator --open"),
    ),
    Verb(
        "person list",
        "List the people who may sign in.",
        "people.person:list_people",
        ("keyturn person list", "keyturn person list --json"),
    ),
    Verb(
        "person add",
        "Add somebody, and make the first sign-in link.",
        "people.person:add",
        ("keyturn person add grace --role operator", "keyturn person add ada --role admin --email ada@example.com"),
    ),
    Verb(
        "person invite",
        "Let somebody come through the OpenID provider.",
        "people.person:invite",
        ("keyturn person invite per_5f0c6e2d ada@example.com",),
    ),
    Verb(
        "person role",
        "Give somebody another role.",
        "people.person:role",
        ("keyturn person role per_5f0c6e2d viewer",),
    ),
    Verb(
        "person remove",
        "Take somebody away.",
        "people.person:remove",
        ("keyturn person remove per_5f0c6e2d",),
    ),
    Verb(
        "person sessions",
        "List where somebody is signed in.",
        "people.person:sessions",
        ("keyturn person sessions per_5f0c6e2d",),
    ),
    Verb(
        "person sign-out",
        "Sign somebody's browsers out.",
        "people.person:sign_out",
        ("keyturn person sign-out per_5f0c6e2d ses_…", "keyturn person sign-out per_5f0c6e2d --all"),
    ),
    Verb("webhook list", "List webhooks.", "webhooks.webhook:list_webhooks", ("keyturn webhook list",)),
    Verb(
        "webhook create",
        "Deliver events to an address.",
        "webhooks.webhook:create",
        (
            "keyturn webhook create https://app.example/keyturn",
            "keyturn webhook create https://app.example/keyturn --event 'connection.*' --description 'the app'",
        ),
    ),
    Verb("webhook show", "Show a webhook.", "webhooks.webhook:show", ("keyturn webhook show whk_…",)),
    Verb(
        "webhook edit",
        "Change a webhook's address, events or description.",
        "webhooks.webhook:edit",
        (
            "keyturn webhook edit whk_… --url https://app.example/hook",
            "keyturn webhook edit whk_… --event 'connection.*'",
        ),
    ),
    Verb("webhook enable", "Take a webhook up again.", "webhooks.webhook:enable", ("keyturn webhook enable whk_…",)),
    Verb("webhook disable", "Deliver nothing more.", "webhooks.webhook:disable", ("keyturn webhook disable whk_…",)),
    Verb("webhook delete", "Take a webhook away.", "webhooks.webhook:delete", ("keyturn webhook delete whk_…",)),
    Verb("webhook roll", "Make a new secret.", "webhooks.webhook:roll", ("keyturn webhook roll whk_…",)),
    Verb("webhook test", "Send a test message now.", "webhooks.webhook:test", ("keyturn webhook test whk_…",)),
    Verb(
        "webhook deliveries",
        "List what was delivered, and what was not.",
        "webhooks.webhook:deliveries",
        ("keyturn webhook deliveries whk_…",),
    ),
    Verb(
        "webhook replay",
        "Deliver an event once more.",
        "webhooks.webhook:replay",
        ("keyturn webhook replay whk_… dlv_…",),
    ),
    Verb(
        "webhook listen",
        "Show events as they happen, and post them to this machine.",
        "webhooks.listening:listen",
        ("keyturn webhook listen", "keyturn webhook listen --forward-to http://localhost:3000/hook"),
    ),
    Verb(
        "job list",
        "List jobs.",
        "jobs.job:list_jobs",
        ("keyturn job list", "keyturn job list --kind connection.bulk --state running"),
    ),
    Verb("job show", "Show a job and what failed in it.", "jobs.job:show", ("keyturn job show job_…",)),
    Verb("job links", "Get the links that a job made.", "jobs.job:links", ("keyturn job links job_… --json",)),
    Verb("job watch", "Follow a job to its end.", "jobs.job:watch_job", ("keyturn job watch job_…",)),
    Verb("job cancel", "End a job.", "jobs.job:cancel", ("keyturn job cancel job_…",)),
    Verb(
        "job retry",
        "Do what failed in a job again.",
        "jobs.job:retry",
        ("keyturn job retry job_…", "keyturn job retry job_… --no-watch"),
    ),
    Verb("problem list", "List the problem codes.", "problems.problem:list_problems", ("keyturn problem list",)),
    Verb(
        "problem explain",
        "Say what a problem code means, and whose move it is.",
        "problems.problem:explain",
        ("keyturn problem explain provider_account_locked",),
    ),
    Verb(
        "doctor",
        "Look for what is wrong here, and say how to mend it.",
        "doctor:doctor",
        ("keyturn doctor", "keyturn doctor --data /var/lib/keyturn --json"),
    ),
    Verb(
        "backup",
        "Copy the data into one file, while the server runs.",
        "upkeep.backups:backup",
        ("keyturn backup /backups/keyturn-2026-11-24.db --data /var/lib/keyturn",),
    ),
    Verb(
        "restore",
        "Put a back-up in the place of the data.",
        "upkeep.backups:restore",
        (
            "keyturn restore /backups/keyturn-2026-11-24.db --data /var/lib/keyturn",
            "keyturn restore moved.db --data /var/lib/keyturn --nothing-since --yes",
        ),
    ),
    Verb(
        "config list",
        "List the settings that the server runs with.",
        "operating.config:list_settings",
        ("keyturn config list --origins",),
    ),
    Verb(
        "log-level",
        "Let the server log more, or less, for a while.",
        "upkeep.log_level:log_level",
        ("keyturn log-level", "keyturn log-level debug --for 10m"),
    ),
)

VERBS: Final[Mapping[str, Verb]] = {row.words: row for row in _ROWS}


def verbs_of(noun: str) -> list[Verb]:
    """The verbs of a noun, or those without one, in the table's order."""
    return [row for row in _ROWS if row.noun == noun]
