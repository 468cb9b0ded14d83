"""Schema checks of event data and outbound messages: which keyword fails, and where. Never for saying a value."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, NamedTuple

import jsonschema_rs
import orjson

from topics.catalog import FOLDER

_COMMON: Final = "urn:credit:schema:common"
_SCHEMAS: Final = FOLDER / "schemas"

type_names: Final = tuple(sorted(p.stem for p in _SCHEMAS.glob("*.json") if p.stem != "common"))


class Violation(NamedTuple):
    """``keyword`` of JSON Schema 2020-12; ``json_pointer`` (RFC 6901) made of the contract's own names and indexes."""

    keyword: str
    json_pointer: str


class _Compiled(NamedTuple):
    #: The same schema as one object (``_flat``), where it can be said so: what it accepts is valid, and nearly all is. The
    #: other says what is wrong.
    quick: jsonschema_rs.Validator | None
    validator: jsonschema_rs.Validator
    integers: dict[str, Any]
    names: frozenset[str]


def validate(type_name: str, data: object) -> Violation | None:
    """The first violation of the schema of ``type_name``, or None.

    Raises KeyError for a type without a schema: ask ``topics.catalog.INBOUND_TYPES`` first.
    """
    compiled = _COMPILED[type_name]
    quick, validator, integers, _ = compiled
    if (quick is None or not quick.is_valid(data)) and not validator.is_valid(data):
        return _first_violation(compiled, data)
    return _fraction(integers, data, "") if integers else None


def _first_violation(compiled: _Compiled, data: object) -> Violation:
    keyword, path = "false", list[str | int]()
    try:
        compiled.validator.validate(data)
    except jsonschema_rs.ValidationError as error:
        keyword, path = error.kind.name, error.instance_path
        if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Required):
            path = [*path, error.kind.property]  # the place where the missing field belongs
    return Violation(keyword, _pointer(path, compiled.names))


def _pointer(path: list[str | int], names: frozenset[str]) -> str:
    """Stops before a name that is not the contract's: it could be anything, a citizen number too."""
    parts = []
    for part in path:
        if not isinstance(part, int) and part not in names:
            break
        parts.append(f"/{part}")
    return "".join(parts)


def _fraction(integers: dict[str, Any], data: Any, at: str) -> Violation | None:
    """JSON Schema holds 5.0 for an integer; the readers behind do not. ``integers``: where the schema wants one."""
    for name, below in integers.items():
        value = data.get(name)
        if value is None:
            continue
        if below is True:
            if type(value) is float:
                return Violation("type", f"{at}/{name}")
        elif type(value) is list:
            for i, item in enumerate(value):
                if found := _fraction(below, item, f"{at}/{name}/{i}"):
                    return found
        elif found := _fraction(below, value, f"{at}/{name}"):
            return found
    return None


def _read(name: str) -> Any:
    return orjson.loads((_SCHEMAS / f"{name}.json").read_bytes())


@cache
def _common_def(name: str) -> Any:
    return _read("common")["$defs"][name]


def _resolve(schema: dict[str, Any]) -> dict[str, Any]:
    ref = schema.get("$ref")
    return _common_def(ref.rpartition("/")[2]) if ref else {}


def _parts(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schema with everything that applies to the same value."""
    found = [schema]
    for key in ("allOf", "anyOf"):
        for part in schema.get(key, ()):
            found += _parts(part)
    for part in (_resolve(schema), schema.get("then", {})):
        if part:
            found += _parts(part)
    return found


def _integer_tree(schema: dict[str, Any]) -> dict[str, Any] | bool:
    """Where integers may stand: ``{"version": True, "outcomes": {"amount_fen": True}}``; False where none may."""
    tree: dict[str, Any] = {}
    for part in _parts(schema):
        if part.get("type") == "integer":
            return True
        below = _integer_tree(part["items"]) if "items" in part else False
        if isinstance(below, dict):
            tree.update(below)
        for name, sub in part.get("properties", {}).items():
            found = _integer_tree(sub)
            if isinstance(found, dict) and isinstance(tree.get(name), dict):
                tree[name].update(found)
            elif found:
                tree[name] = found
    return tree or False


def _names(schema: Any) -> set[str]:
    """Every property name of a schema document."""
    if isinstance(schema, list):
        return set().union(*map(_names, schema))
    if not isinstance(schema, dict):
        return set()
    found = set(schema.get("properties", ()))
    return found.union(*map(_names, schema.values()))


_PLAIN: Final = frozenset({"$schema", "$id", "title", "description", "type", "required", "properties"})


def _flat(schema: dict[str, Any]) -> dict[str, Any] | None:
    """The schema without ``allOf`` and ``unevaluatedProperties``, which cost a third of a check; None where a part is more
    than an object with properties of its own."""
    if schema.get("unevaluatedProperties") is not False:
        return None
    parts = [_resolve(part) or part for part in schema.get("allOf", ())]
    own = {name: below for name, below in schema.items() if name not in {"allOf", "unevaluatedProperties"}}
    required, properties = list[str](), dict[str, Any]()
    for part in (*parts, own):
        if part.get("type") != "object" or not part.keys() <= _PLAIN:
            return None
        if properties.keys() & part.get("properties", {}).keys():
            return None
        required += part.get("required", ())
        properties |= _rebased(part.get("properties", {}))
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


def _rebased(node: Any) -> Any:
    """A piece of the common schema as it stands in another one."""
    if isinstance(node, list):
        return [_rebased(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        name: _COMMON + below if name == "$ref" and below.startswith("#") else _rebased(below)
        for name, below in node.items()
    }


def _compile() -> dict[str, _Compiled]:
    common = _read("common")
    registry = jsonschema_rs.Registry([(_COMMON, common)])

    def validator_of(schema: dict[str, Any]) -> jsonschema_rs.Validator:
        return jsonschema_rs.Draft202012Validator(
            schema, registry=registry, validate_formats=True, mask="(hidden)", offline=True,
            pattern_options=jsonschema_rs.RegexOptions(),
        )  # fmt: skip

    compiled = {}
    for name in type_names:
        schema = _read(name)
        flat = _flat(schema)
        integers = _integer_tree(schema)
        names = frozenset(_names(schema) | _names(common))
        quick = None if flat is None else validator_of(flat)
        compiled[name] = _Compiled(quick, validator_of(schema), integers if isinstance(integers, dict) else {}, names)
    return compiled


_COMPILED: Final = _compile()
