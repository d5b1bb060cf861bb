"""The verbs of connectors."""

from __future__ import annotations

from typing import Final

from keyturn.cli.verb_rows.row import Verb

CONNECTORS: Final = (
    Verb(
        "connector new",
        "Write a first connector file, with comments.",
        "connector_files:new",
        (
            "keyturn connector new acme",
            "keyturn connector new acme --out connectors/acme.yaml",
            "keyturn connector new acme --from-curl - < commands.txt",
            "keyturn connector new our-wiki --from ENTRY",
        ),
    ),
    Verb(
        "connector catalogue",
        "List the connectors that come along.",
        "connector_files:catalogue",
        ("keyturn connector catalogue",),
    ),
    Verb(
        "connector lint",
        "Judge connector files, without a server.",
        "connector_files:lint",
        ("keyturn connector lint acme.yaml", "keyturn connector lint connectors/*.yaml --json"),
    ),
    Verb(
        "connector preview",
        "Show what a step sends, without sending it.",
        "builder.connector_preview:preview",
        ("keyturn connector preview acme.yaml --step 2", "keyturn connector preview acme@3 --step 5"),
    ),
    Verb(
        "connector save",
        "Store a connector's draft.",
        "connector:save",
        ("keyturn connector save acme.yaml", "keyturn connector save acme.yaml --publish"),
    ),
    Verb(
        "connector publish",
        "Publish a connector's draft.",
        "connector:publish",
        (
            "keyturn connector publish acme --note 'the new host'",
            "keyturn connector publish acme --corrects 2",
        ),
    ),
    Verb(
        "connector diff",
        "Say what a file, a draft or a version changes.",
        "builder.connector_diff:diff",
        (
            "keyturn connector diff acme.yaml",
            "keyturn connector diff acme-new.yaml acme",
            "keyturn connector diff acme",
            "keyturn connector diff acme@3 acme@1",
        ),
    ),
    Verb(
        "connector try",
        "Try a connector: log in for real, step by step.",
        "builder.connector_try:try_it",
        ("keyturn connector try acme --username jo", "keyturn connector try acme.yaml"),
    ),
    Verb(
        "connector migrate",
        "Move a connector's connections to its newest version.",
        "builder.connector_migrate:migrate",
        ("keyturn connector migrate acme --dry-run", "keyturn connector migrate acme"),
    ),
    Verb("connector list", "List connectors.", "connector:list_connectors", ("keyturn connector list",)),
    Verb(
        "connector show",
        "Show a connector.",
        "connector:show",
        (
            "keyturn connector show acme",
            "keyturn connector show acme --yaml > acme.yaml",
            "keyturn connector show acme@2 --yaml",
        ),
    ),
    Verb(
        "connector versions",
        "List what was published.",
        "builder.connector_versions:versions",
        ("keyturn connector versions acme",),
    ),
    Verb(
        "connector rollback",
        "Make an old version's text the draft.",
        "builder.connector_versions:rollback",
        ("keyturn connector rollback acme 2", "keyturn connector rollback acme 2 --publish"),
    ),
    Verb(
        "connector schema",
        "Write the JSON Schema of connector files.",
        "connector_files:schema",
        ("keyturn connector schema > connector.schema.json",),
    ),
    Verb(
        "connector set-client",
        "Set the client id and secret that the provider gave.",
        "connector:set_client",
        (
            "keyturn connector set-client acme --client-id my-app",
            "keyturn connector set-client acme --client-id my-app --secret-stdin < secret.txt",
        ),
    ),
    Verb(
        "connector stop-logins",
        "Stop a connector's logins, for an incident.",
        "incidents.stop_logins:stop_logins",
        ("keyturn connector stop-logins acme",),
    ),
    Verb(
        "connector start-logins",
        "Start a connector's logins again.",
        "incidents.stop_logins:start_logins",
        ("keyturn connector start-logins acme",),
    ),
    Verb(
        "connector quiet-hours",
        "Leave a connector's provider alone at some times.",
        "incidents.quiet_hours:quiet_hours",
        (
            "keyturn connector quiet-hours acme --from 02:00 --to 04:00 --zone Europe/Berlin --days mon-fri",
            "keyturn connector quiet-hours acme --clear",
        ),
    ),
)
