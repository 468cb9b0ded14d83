"""A row in a source's own fields → a CloudEvent, through the source's alias map (别名映射). Pure.

Not for: where the maps come from (``streamer/rulebook/sources.yaml`` says their format), nor for sending. No error here
carries a value of the row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

import msgspec

from topics.envelope import SOURCE_PREFIX, content_hash

CONTENT_HASH: Final = "content-hash"
_DATE: Final = re.compile(
    r"(\d{4})(?:-(\d{1,2})-(\d{1,2})|/(\d{1,2})/(\d{1,2})|年(\d{1,2})月(\d{1,2})日|(\d{2})(\d{2}))"
)


class AliasError(ValueError):
    """A row that its map does not fit, or a map that is wrong: ``field`` (the source's own name) and ``why``."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why


class _Choice(msgspec.Struct, frozen=True, rename={"from_": "from"}, forbid_unknown_fields=True):
    from_: str
    map: dict[str, str]


class _Own(msgspec.Struct, frozen=True, rename={"from_": "from"}, forbid_unknown_fields=True):
    from_: str


class _Field(msgspec.Struct, frozen=True, rename={"from_": "from", "with_": "with"}, forbid_unknown_fields=True):
    from_: str
    type: Literal["text", "date", "fen"] = "text"
    scale: int = 1
    map: dict[str, Any] | None = None
    with_: dict[str, Any] = {}
    kinds: tuple[str, ...] = ()


class Alias(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A map, read once; its columns are explained at the head of ``sources.yaml``."""

    kind: str | _Choice
    id: Literal["content-hash"] | _Own
    fields: dict[str, str | _Field]
    const: dict[str, Any] = {}


def read(raw: Mapping[str, Any]) -> Alias:
    """A map as it stands in ``sources.yaml``. Raises AliasError for one that is not of that format."""
    try:
        return msgspec.convert(raw, Alias)
    except msgspec.ValidationError as error:
        raise AliasError("alias map", str(error)) from error


def apply(alias: Alias, source: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The CloudEvent (structured form) of a row. Raises AliasError; whether it is a valid event the contract says."""
    kind = (
        alias.kind if isinstance(alias.kind, str) else _mapped(alias.kind.from_, alias.kind.map, _required(alias, row))
    )
    short, _, document_kind = kind.partition(":")
    tree: dict[str, Any] = {}
    if document_kind:
        tree["kind"] = document_kind
    for path, value in alias.const.items():
        _place(tree, path)
        _set(tree, path, value)
    for path, rule in alias.fields.items():
        field = _Field(rule) if isinstance(rule, str) else rule
        if field.kinds and short not in field.kinds:
            continue
        _place(tree, path)
        value = _value(field, row.get(field.from_))
        if value is not None:
            for beside, fixed in field.with_.items():
                _set(tree, beside, fixed)
            _set(tree, path, value)
    type_name = f"credit.{short}.v1"
    return {
        "specversion": "1.0",
        "id": _id(alias, type_name, row),
        "source": SOURCE_PREFIX + source,
        "type": type_name,
        "data": _finished(tree),
    }


def _required(alias: Alias, row: Mapping[str, Any]) -> str:
    assert isinstance(alias.kind, _Choice)
    text = _text(alias.kind.from_, row.get(alias.kind.from_))
    if text is None:
        raise AliasError(alias.kind.from_, "is missing, and it says what kind of document this is")
    return text


def _id(alias: Alias, type_name: str, row: Mapping[str, Any]) -> str:
    if isinstance(alias.id, str):
        return content_hash(type_name, row).hex()
    own = _text(alias.id.from_, row.get(alias.id.from_))
    if own is None:
        raise AliasError(alias.id.from_, "is missing, and it is the event's id")
    return own


def _value(field: _Field, raw: object) -> Any:
    text = _text(field.from_, raw)
    if text is None:
        return None
    if field.map is not None:
        return _mapped(field.from_, field.map, text)
    if field.type == "date":
        return _date(field.from_, text)
    if field.type == "fen":
        return _fen(field.from_, text, field.scale)
    return text


def _text(name: str, raw: object) -> str | None:
    """None for an absent, null or empty field."""
    if raw is None or isinstance(raw, str):
        return (raw.strip() or None) if raw else None
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return repr(raw)
    raise AliasError(name, "is neither text nor a number")


def _mapped(name: str, table: Mapping[str, Any], text: str) -> Any:
    try:
        return table[text]
    except KeyError:
        raise AliasError(name, "has a value that the alias map does not know") from None


def _date(name: str, text: str) -> str:
    """ISO form. Whether the date exists the contract says, and tells it apart."""
    found = _DATE.fullmatch(text)
    if found is None:
        raise AliasError(name, "is no date as YYYY-MM-DD, YYYY/MM/DD, YYYYMMDD or YYYY年M月D日")
    year, month, day = (part for part in found.groups() if part is not None)
    return f"{year}-{month:0>2}-{day:0>2}"


def _fen(name: str, text: str, scale: int) -> int:
    """Exact: a float as it was written has the digits that were meant (100063094.75 yuan are 10006309475 fen)."""
    try:
        amount = Decimal(text.replace(",", "")) * scale
    except InvalidOperation:
        raise AliasError(name, "is no amount in digits") from None
    if not amount.is_finite() or amount != amount.to_integral_value():
        raise AliasError(name, "is no whole number of fen (分)")
    return int(amount)


def _place(tree: dict[str, Any], path: str) -> dict[str, Any]:
    """The object that holds the last name of ``path``; it is there even when nothing is set in it."""
    for name in path.split(".")[:-1]:
        tree = tree.setdefault(name, {})
    return tree


def _set(tree: dict[str, Any], path: str, value: object) -> None:
    _place(tree, path)[path.rpartition(".")[2]] = value


def _finished(node: Any) -> Any:
    """Objects with indexes for names become lists, without the elements that nothing was set in."""
    if not isinstance(node, dict):
        return node
    if node and all(name.isdigit() for name in node):
        return [_finished(node[name]) for name in sorted(node, key=int) if _is_set(node[name])]
    done = {name: _finished(below) for name, below in node.items()}
    return {name: below for name, below in done.items() if below != []}


def _is_set(node: Any) -> bool:
    return any(map(_is_set, node.values())) if isinstance(node, dict) else True
