"""Nothing leaves the process but through `adapters/egress`, which checks the address.

One exception: the keys' services (`adapters/keys`: Vault by aiohttp, AWS KMS by botocore), which the operator runs or
rents and names in a setting; no connector and no caller can name them, so there is no address to judge.

Traces are no exception: what the SDK of OpenTelemetry would send by a client of its own goes out through an egress.

The import contracts hold aiohttp and its like; here stand the clients and raw connections of the standard library. The
CLI talks to its own server through one module, and never to a provider.
"""

from __future__ import annotations

from tests.house.sources import SRC, attribute_names, imported_names, modules, shown

CLIENT_MODULES = {"ftplib", "http.client", "smtplib", "urllib.request", "xmlrpc.client"}
CONNECTING = {
    "create_connection",
    "getaddrinfo",
    "gethostbyname",
    "open_connection",
    "open_unix_connection",
    "sock_connect",
}
EGRESS = SRC / "adapters" / "egress"
CLI_CLIENT = SRC / "cli" / "api_client.py"
CLI_LOCAL = SRC / "cli" / "local_post.py"  # `webhook listen`: to this machine alone, which it checks


def test_no_client_of_the_standard_library_outside_egress() -> None:
    """Only egress, and the one module by which the CLI speaks to keyturn, import an HTTP client."""
    found = [
        f"{shown(path)}:{line} {name}"
        for path in modules()
        if not path.is_relative_to(EGRESS) and path not in (CLI_CLIENT, CLI_LOCAL)
        for name, line in imported_names(path)
        if name in CLIENT_MODULES
    ]

    assert [] == found


def test_only_the_kms_adapter_asks_for_botocore() -> None:
    """It is loaded by name, where a key of KMS is named; the import contracts can't see that."""
    found = {shown(path) for path in modules() if '"botocore' in path.read_text(encoding="utf-8")}

    assert {"src/keyturn/adapters/keys/aws_kms.py"} == found


def test_traces_go_out_by_egress() -> None:
    """The exporters that bring a client are not used; only the encoding of OTLP is."""
    found = {name for path in modules() for name, _ in imported_names(path)}
    encoding = "opentelemetry.exporter.otlp.proto.common.trace_encoder"

    assert {encoding, f"{encoding}.encode_spans"} == {name for name in found if "opentelemetry.exporter" in name}


def test_the_rules_of_tls_are_in_one_place() -> None:
    """A context made elsewhere would have the rules of the Python that runs (decision 0032)."""
    making = {"create_default_context", "_create_unverified_context", "_create_stdlib_context", "PROTOCOL_TLS_CLIENT"}
    found = {shown(path) for path in modules() for name, _ in attribute_names(path) if name in making}

    assert {"src/keyturn/adapters/tls_rules.py"} == found


def test_no_connection_is_opened_outside_egress() -> None:
    """Looking a name up and dialling are done where the address is judged, nowhere else."""
    found = [
        f"{shown(path)}:{line} {name}"
        for path in modules()
        if not path.is_relative_to(EGRESS) and path != CLI_CLIENT
        for name, line in attribute_names(path)
        if name in CONNECTING
    ]

    assert [] == found
