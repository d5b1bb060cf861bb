"""A connector file → the model: every error at once, each with its place.

Rule 1: `shapes` says what a shape is, `top` and the tables below it which keys there are; from these come the reader,
the nearest key in a message, and the JSON Schema.
Rule 2: what only the whole file can tell is judged in `file`, `secret_placement` and `host_rules`.
Rule 3: nothing here knows YAML.
"""

from keyturn.core.reading.codes import Fault
from keyturn.core.reading.document import Document
from keyturn.core.reading.file import read_connector

__all__ = ["Document", "Fault", "read_connector"]
