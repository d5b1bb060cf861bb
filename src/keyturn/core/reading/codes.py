"""The codes of what can be wrong with a connector file, and what each means.

Rule 1: a code is public and stable; tools and pages decide by it.
Rule 2: the codes that begin with `yaml_` and `document_` are those of the text, found before any key is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """What is wrong at one place."""

    DOCUMENT_TOO_LARGE = "document_too_large"
    DOCUMENT_TOO_DEEP = "document_too_deep"
    DOCUMENT_NOT_UTF8 = "document_not_utf8"
    DOCUMENT_EMPTY = "document_empty"
    YAML_SYNTAX = "yaml_syntax"
    YAML_ALIAS = "yaml_alias"
    YAML_TAG = "yaml_tag"
    YAML_MERGE_KEY = "yaml_merge_key"
    YAML_SEVERAL_DOCUMENTS = "yaml_several_documents"
    DUPLICATE_KEY = "duplicate_key"
    KEY_NOT_TEXT = "key_not_text"
    NUMBER_NOT_FINITE = "number_not_finite"
    REQUIRED_KEY = "required_key"
    UNKNOWN_KEY = "unknown_key"
    VERSION_NOT_SUPPORTED = "version_not_supported"
    WRONG_TYPE = "wrong_type"
    WRONG_VALUE = "wrong_value"
    OUT_OF_RANGE = "out_of_range"
    WRONG_LENGTH = "wrong_length"
    DUPLICATE = "duplicate"
    RESERVED_NAME = "reserved_name"
    CONTRADICTION = "contradiction"
    EMPTY_CONDITION = "empty_condition"
    TEMPLATE_INVALID = "template_invalid"
    UNKNOWN_NAME = "unknown_name"
    NAME_NOT_AVAILABLE_HERE = "name_not_available_here"
    SECRET_NOT_ALLOWED_HERE = "secret_not_allowed_here"  # noqa: S105
    SECRET_IN_URL = "secret_in_url"  # noqa: S105
    EXPRESSION_INVALID = "expression_invalid"
    PATTERN_INVALID = "pattern_invalid"
    PATTERN_UNSAFE = "pattern_unsafe"
    URL_INVALID = "url_invalid"
    HTTPS_REQUIRED = "https_required"
    HOST_NOT_WRITTEN = "host_not_written"
    HOST_RULE_MISSING = "host_rule_missing"
    ALLOWED_URL_INVALID = "allowed_url_invalid"


MEANINGS: Final[Mapping[Fault, str]] = {
    Fault.DOCUMENT_TOO_LARGE: "The file is larger than 256 KiB.",
    Fault.DOCUMENT_TOO_DEEP: "Values are nested deeper than 32 levels.",
    Fault.DOCUMENT_NOT_UTF8: "The file is not UTF-8.",
    Fault.DOCUMENT_EMPTY: "There is nothing in the file.",
    Fault.YAML_SYNTAX: "The file is no YAML 1.2.",
    Fault.YAML_ALIAS: "An anchor or alias; a connector file holds each value where it is used.",
    Fault.YAML_TAG: "A tag; a connector file has only plain values.",
    Fault.YAML_MERGE_KEY: "A merge key; a connector file holds each value where it is used.",
    Fault.YAML_SEVERAL_DOCUMENTS: "More than one YAML document in the file.",
    Fault.DUPLICATE_KEY: "The same key twice in one object.",
    Fault.KEY_NOT_TEXT: "A key that is no text.",
    Fault.NUMBER_NOT_FINITE: "A number that is infinite, not a number, or too long.",
    Fault.REQUIRED_KEY: "A key that has no default is absent.",
    Fault.UNKNOWN_KEY: "The format has no such key here.",
    Fault.VERSION_NOT_SUPPORTED: "A version of the format that this release does not read.",
    Fault.WRONG_TYPE: "Another type of value is expected.",
    Fault.WRONG_VALUE: "Not one of the values that are possible here.",
    Fault.OUT_OF_RANGE: "A number or duration outside its bounds.",
    Fault.WRONG_LENGTH: "A text, list or object that is too short or too long.",
    Fault.DUPLICATE: "The same name or value given twice.",
    Fault.RESERVED_NAME: "A name that the format itself uses, or that is taken.",
    Fault.CONTRADICTION: "Two keys that say opposite things, or one that means nothing without another.",
    Fault.EMPTY_CONDITION: "A condition without a part would hold always.",
    Fault.TEMPLATE_INVALID: "Braces that are no template, or a filter that does not exist.",
    Fault.UNKNOWN_NAME: "A template names a value that nothing provides.",
    Fault.NAME_NOT_AVAILABLE_HERE: "A template names a value that exists only in other steps.",
    Fault.SECRET_NOT_ALLOWED_HERE: "A secret where it may not stand, filtered or not.",
    Fault.SECRET_IN_URL: "A secret in a URL that may never be in one.",
    Fault.EXPRESSION_INVALID: "No JMESPath expression.",
    Fault.PATTERN_INVALID: "No regular expression.",
    Fault.PATTERN_UNSAFE: "A regular expression that could take exponential time, or uses what is not supported.",
    Fault.URL_INVALID: "Not a URL, or one with parts that it may not have here.",
    Fault.HTTPS_REQUIRED: "Plain http without `insecure_http: true`.",
    Fault.HOST_NOT_WRITTEN: "The registrable domain of a URL is not written by the author.",
    Fault.HOST_RULE_MISSING: "A host that a person or an answer gives needs `hosts`, or of a person `self_hosted`.",
    Fault.ALLOWED_URL_INVALID: "No rule for allowed URLs.",
}
