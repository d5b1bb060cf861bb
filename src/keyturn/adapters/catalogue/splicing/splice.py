"""One value of a YAML text changed, and every other character kept.

Rule 1: a scalar's own characters are replaced; of an object or list the members are edited one by one, and only what
has no place of its own is written anew.
Rule 2: nothing is believed: what came out is read again and held against what was meant; where a small cut does not
give that, the node around it is written anew.
Rule 3: a comment goes only with the value that it stands beside or within, where that is taken out.

Source: the architecture's choice of YAML; YAML 1.2.2.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from ruamel.yaml.error import YAMLError

from keyturn.adapters.catalogue.splicing.emitting import as_block, as_flow, as_item, as_scalar
from keyturn.adapters.catalogue.splicing.nodes import Tree, compose, is_empty, is_mapping, is_scalar
from keyturn.adapters.catalogue.yaml_reader import read_document
from keyturn.core.errors import ConnectorInvalid, Finding
from keyturn.core.reading.document import invalid, pointer_steps
from keyturn.ports.catalogue import ABSENT

# The keys of a connector in the order of its steps: where a new one is put.
TOP_KEYS: Final = (
    "keyturn", "connector", "title", "docs_url", "register_url", "trust", "fields", "username", "password", "derive",
    "generate", "remember", "login", "client", "token", "refresh", "revoke", "test", "connection_name", "allowed_urls",
    "unique_id", "on_duplicate", "request", "challenges", "failures", "stale_when", "limits", "links", "notes",
    "private_network", "insecure_http",
)  # fmt: skip


def splice(text: str, pointer: str, value: object) -> str:
    """See the port `Catalogue.splice`."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    bare = text.removeprefix("\ufeff")
    old = read_document(bare).value
    steps = pointer_steps(pointer)
    wanted = intended(old, steps, value)
    if same(old, wanted):
        return text
    for depth in range(len(steps), 0, -1):
        try:
            whole = depth < len(steps)
            found = _rewritten(bare, steps[:depth], at(wanted, steps[:depth])) if whole else _edited(bare, steps, value)
            if same(read_document(found).value, wanted):
                return mark + found
        except (ConnectorInvalid, YAMLError, ValueError, LookupError):
            continue  # a cut that does not fit; the node around it is tried
    raise invalid([Finding(pointer, "not_editable", "expected a text in which this can be changed; edit the file")])


def intended(document: Any, steps: tuple[str, ...], value: object) -> Any:
    """The document with one value changed; ConnectorInvalid where the pointer leads nowhere."""
    if not steps:
        return value
    changed = copy.deepcopy(document)
    place = changed
    for n, step in enumerate(steps[:-1]):
        if isinstance(place, dict):
            if place.get(step) is None:
                if value is ABSENT:
                    return changed
                place[step] = {}
            place = place[step]
        elif isinstance(place, list) and step.isdigit() and int(step) < len(place):
            place = place[int(step)]
        else:
            raise _nowhere(steps[: n + 1])
    last = steps[-1]
    if isinstance(place, dict):
        place.pop(last, None) if value is ABSENT else place.__setitem__(last, value)
    elif isinstance(place, list) and last.isdigit() and int(last) <= len(place) - (value is ABSENT):
        index = int(last)
        place[index : index + 1] = [] if value is ABSENT else [value]
    else:
        raise _nowhere(steps)
    return changed


def at(document: Any, steps: tuple[str, ...]) -> Any:
    """The value at a pointer; LookupError where there is none."""
    for step in steps:
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def same(one: object, other: object) -> bool:
    """Whether two documents are equal, kinds of values included (1 is neither true nor 1.0)."""
    if isinstance(one, dict) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def _nowhere(steps: tuple[str, ...]) -> ConnectorInvalid:
    return invalid([Finding("/" + "/".join(steps), "not_found", "expected an object or a list here")])


def _edited(text: str, steps: tuple[str, ...], value: object) -> str:
    """One edit, by the smallest cuts that there are."""
    parent, deepest = compose(text).root, 0
    for step in steps:
        child = _child(parent, step)
        if child is None:
            break
        parent, deepest = child, deepest + 1
    if deepest == len(steps):
        return _removed(text, steps) if value is ABSENT else _replaced(text, steps, value)
    if value is ABSENT:
        return text
    for step in reversed(steps[deepest + 1 :]):
        value = {step: value}
    return _inserted(text, steps[:deepest], steps[deepest], value)


def _child(node: Any, step: str) -> Any:
    if is_scalar(node):
        return None
    if is_mapping(node):
        return next((value for key, value in node.value if key.value == step), None)
    return node.value[int(step)] if step.isdigit() and int(step) < len(node.value) else None


def _node(tree: Tree, steps: tuple[str, ...]) -> Any:
    node = tree.root
    for step in steps:
        node = _child(node, step)
    return node


def _value(text: str, steps: tuple[str, ...]) -> Any:
    return at(read_document(text).value, steps)


def _replaced(text: str, steps: tuple[str, ...], value: object) -> str:
    old = _value(text, steps)
    if same(old, value):
        return text
    if isinstance(old, dict) and isinstance(value, Mapping) and old and value:
        return _merged(text, steps, old, value)
    if isinstance(old, list) and isinstance(value, list | tuple) and old and value:
        return _aligned(text, steps, old, list(value))
    return _rewritten(text, steps, value)


def _merged(text: str, steps: tuple[str, ...], old: Mapping[str, Any], value: Mapping[str, Any]) -> str:
    for key in old:
        if key not in value:
            text = _removed(text, (*steps, key))
    for key, each in value.items():
        text = _replaced(text, (*steps, key), each) if key in old else _inserted(text, steps, key, each)
    return text


def _aligned(text: str, steps: tuple[str, ...], old: list[Any], value: list[Any]) -> str:
    """Edit a list: what is equal at its beginning and end stays, what is between is edited, taken out or put in."""
    begin = 0
    while begin < min(len(old), len(value)) and same(old[begin], value[begin]):
        begin += 1
    end = 0
    while end < min(len(old), len(value)) - begin and same(old[-1 - end], value[-1 - end]):
        end += 1
    was, now = len(old) - begin - end, len(value) - begin - end
    for n in range(min(was, now)):
        text = _replaced(text, (*steps, str(begin + n)), value[begin + n])
    for n in range(was - 1, now - 1, -1):
        text = _removed(text, (*steps, str(begin + n)))
    for n in range(was, now):
        text = _inserted(text, steps, str(begin + n), value[begin + n])
    return text


def _rewritten(text: str, steps: tuple[str, ...], value: object) -> str:
    """Write one node anew, on one line."""
    tree = compose(text)
    node = _node(tree, steps)
    flow = _in_flow(tree, steps)
    begin, end = _span(tree, steps)
    if is_scalar(node) and not isinstance(value, Mapping | list | tuple):
        style = node.style if node.style in ("'", '"') else ""
        written = as_scalar(value, style=style, in_flow=flow)
        blank = " " if begin == end and text[begin - 1 : begin] in (":", "-") else ""
        return f"{text[:begin]}{blank}{written}{text[end:]}"
    written = as_flow(value)
    key = _key(tree, steps)
    if key is not None and not is_scalar(node) and not node.flow_style and node.value and not flow:
        colon = tree.colon_end(key)
        if tree.line_begin(begin) > colon:  # a block below its key: its lines go, what stands beside the key stays
            return f"{text[:colon]} {written}{text[colon : tree.line_begin(begin)]}{text[tree.next_line(end) :]}"
    blank = " " if text[begin - 1 : begin] in (":", "-") else ""
    return f"{text[:begin]}{blank}{written}{text[end:]}"


def _removed(text: str, steps: tuple[str, ...]) -> str:
    tree = compose(text)
    parent = _node(tree, steps[:-1])
    if len(parent.value) == 1:
        return _rewritten(text, steps[:-1], {} if is_mapping(parent) else [])
    pairs = parent.value if is_mapping(parent) else [(each, each) for each in parent.value]
    place = _place(parent, steps[-1])
    key, value = pairs[place]
    if parent.flow_style:
        if place + 1 < len(pairs):
            return text[: tree.begin_of(key)] + text[tree.begin_of(pairs[place + 1][0]) :]
        return text[: _end(tree, parent, place - 1)] + text[_end(tree, parent, place) :]
    begin = tree.begin_of(key) if is_mapping(parent) else tree.dash_of(parent, value)
    end = _end(tree, parent, place)
    if text[tree.line_begin(begin) : begin].strip():  # the first member, on the line of a dash
        following = pairs[place + 1][0]
        begin_of_next = tree.begin_of(following) if is_mapping(parent) else tree.dash_of(parent, following)
        return text[:begin] + text[begin_of_next:]
    return text[: tree.line_begin(begin)] + text[tree.next_line(end) :]


def _inserted(text: str, steps: tuple[str, ...], name: str, value: object) -> str:
    """Put a new member into an object or list: a key in the order of the steps, an item at its place."""
    tree = compose(text)
    parent = _node(tree, steps)
    if is_scalar(parent) or not parent.value:
        return _into_empty(text, tree, steps, name, value)
    mapping = is_mapping(parent)
    before = _predecessor(parent, name, top=not steps) if mapping else int(name) - 1
    column = int(parent.start_mark.column)
    if parent.flow_style:
        written = f"{as_scalar(name, in_flow=True)}: {as_flow(value)}" if mapping else as_flow(value)
        if before < 0:
            first = parent.value[0][0] if mapping else parent.value[0]
            return f"{text[: tree.begin_of(first)]}{written}, {text[tree.begin_of(first) :]}"
        place = _end(tree, parent, before)
        return f"{text[:place]}, {written}{text[place:]}"
    blanks = " " * column
    if mapping:
        written = f"{blanks}{as_scalar(name)}:{as_block(value, column + 2, tree.end)}"
    else:
        written = f"{blanks}-{as_item(value, column + 2, tree.end)}"
    if before < 0:
        first = tree.begin_of(parent.value[0][0]) if mapping else tree.dash_of(parent, parent.value[0])
        if text[tree.line_begin(first) : first].strip():
            return f"{text[:first]}{written[column:]}{tree.end}{blanks}{text[first:]}"
        place = tree.line_begin(first)
        return f"{text[:place]}{written}{tree.end}{text[place:]}"
    place = tree.line_end(_end(tree, parent, before))
    return f"{text[:place]}{tree.end}{written}{text[place:]}"


def _into_empty(text: str, tree: Tree, steps: tuple[str, ...], name: str, value: object) -> str:
    """An object or list without members, or none yet: it is written anew, as a block where it is not in brackets."""
    node = _node(tree, steps)
    new: object = [value] if node.id == "sequence" else {name: value}
    key = _key(tree, steps)
    if key is None or _in_flow(tree, steps) or (is_scalar(node) and node.value not in ("", "~", "null")):
        return _rewritten(text, steps, new)
    indent = int(key.start_mark.column) + 2
    begin, end = _span(tree, steps)
    block = as_block(new, indent, tree.end)
    rest = text[end : tree.line_end(end)]
    if rest.strip() and tree.end in block:  # a comment stays beside the key
        return f"{text[:begin].rstrip(' ')}{rest}{block}{text[tree.line_end(end) :]}"
    return f"{text[:begin].rstrip(' ')}{block}{text[end:]}"


def _predecessor(mapping: Any, name: str, *, top: bool) -> int:
    """The member after which a new key stands: the last, at the top the one that the order of the steps says."""
    if not top or name not in TOP_KEYS:
        return len(mapping.value) - 1
    rank = TOP_KEYS.index(name)
    places = [n for n, (key, _) in enumerate(mapping.value) if key.value in TOP_KEYS[:rank]]
    return max(places, default=-1)


def _key(tree: Tree, steps: tuple[str, ...]) -> Any:
    """The node of a value's key, where it has one."""
    if not steps:
        return None
    parent = _node(tree, steps[:-1])
    return next((key for key, _ in parent.value if key.value == steps[-1]), None) if is_mapping(parent) else None


def _span(tree: Tree, steps: tuple[str, ...]) -> tuple[int, int]:
    """Where a value's own characters begin and end; one that is not written has none, behind its colon or dash."""
    node = _node(tree, steps)
    if not steps:
        return tree.begin_of(node), tree.end_of(node)
    parent = _node(tree, steps[:-1])
    end = _end(tree, parent, _place(parent, steps[-1]))
    return (end if is_empty(node) else tree.begin_of(node)), end


def _place(parent: Any, step: str) -> int:
    """The number of a member."""
    return next(
        n for n, each in enumerate(parent.value) if (each[0].value == step if is_mapping(parent) else n == int(step))
    )


def _end(tree: Tree, parent: Any, place: int) -> int:
    """Behind a member's last character."""
    member = parent.value[place]
    if is_mapping(parent):
        after, node = tree.colon_end(member[0]), member[1]
    else:
        after, node = tree.begin_of(member) if parent.flow_style else tree.dash_of(parent, member) + 1, member
    return tree.end_of(node, int(parent.start_mark.column), after=after)


def _in_flow(tree: Tree, steps: tuple[str, ...]) -> bool:
    """Whether the value stands between brackets of something around it."""
    return any(bool(_node(tree, steps[:n]).flow_style) for n in range(len(steps)))
