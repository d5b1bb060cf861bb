"""The doors through which the corpora judge the product: thin over the code that runs in production."""

from __future__ import annotations

from tests.corpus.redaction_adapter import redact
from tests.corpus.token_adapter import fetch_token_response, parse_token_response
from tests.corpus.url_adapter import proxy_target, rule_valid, url_verdict

__all__ = [
    "fetch_token_response",
    "parse_token_response",
    "proxy_target",
    "redact",
    "rule_valid",
    "url_verdict",
]
