"""The walk of `schema.py`: one schema, brought within the rules of a target node by node.

Everything that a node cannot say there is collected in `beyond` and ends in its description; what was lost is counted
by keyword and reported at the end.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.jsontext import dumps, dumps_text
from ccproxy.lightllm.schema_merge import merged
from ccproxy.lightllm.schema_rules import DEFINITIONS, MANY, TYPES, SchemaRules, json_type

#: How the words begin that stand for what the target cannot say.
NOTE = "Must also match this JSON Schema: "

#: Keywords that bind nothing: gone with a loss where the target does not know them.
_ANNOTATIONS = frozenset(
    {"$schema", "$id", "id", "$comment", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary", "title",
     "deprecated", "readOnly", "writeOnly", "xml", "externalDocs", "propertyOrdering", "contentEncoding",
     "contentMediaType"}
)  # fmt: skip
#: The deepest nesting, and the most schemas that a walk makes: beyond them it is cut.
DEEPEST = 40
_MOST = 20_000


class Walk:
    """One walk over one schema."""

    def __init__(self, root: JsonObject, rules: SchemaRules, path: str) -> None:
        self._root = root
        self._rules = rules
        self._path = path
        self._made = 0
        self._depth = 0
        #: keyword → kind of loss, first place, its value, reason, how often
        self._losses: dict[tuple[str, str], list[Any]] = {}

    def report(self, ledger: LossLedger) -> None:
        """Records what was lost."""
        for (keyword, kind), (place, value, reason, count) in self._losses.items():
            path = ".".join(filter(None, (self._path, place, keyword.lstrip("."))))
            reason = reason if count == 1 else f"{reason} (in {count} places)"
            if kind == "dropped":
                ledger.dropped(path, reason, value)
            else:
                ledger.approximated(path, reason, value)

    def schema(self, given: object, place: str, refs: tuple[str, ...]) -> JsonObject:
        """A schema within the rules. `refs` are the references being replaced."""
        self._made += 1
        self._depth += 1
        try:
            return self._schema(given, place, refs)
        finally:
            self._depth -= 1

    def _schema(self, given: object, place: str, refs: tuple[str, ...]) -> JsonObject:
        if given is True or given == {}:
            return {}
        if given is False:
            return self._noted({}, {"not": {}}, place)
        if type(given) is not dict:
            self._lose("schema", "dropped", place, "it is no schema", given)
            return {}
        if self._depth > DEEPEST or self._made > _MOST:
            self._lose("schema", "approximated", place, "the schema is too large; it is cut here")
            kept: JsonObject = {}
            if type(given.get("type")) is str and given["type"].lower() in TYPES - {"array"}:
                kept["type"] = given["type"].lower()
            return kept
        node, refs = self._resolved(given, place, refs)
        if not self._keeps("allOf") and type(node.get("allOf")) is list:
            node, refs = self._flattened(node, place, refs)
        return self._written(self._normal(node, place), place, refs)

    # References

    def _resolved(self, node: JsonObject, place: str, refs: tuple[str, ...]) -> tuple[JsonObject, tuple[str, ...]]:
        """The node with what its reference refers to merged in."""
        while "$ref" in node or "$dynamicRef" in node or "$recursiveRef" in node:
            keyword = next(name for name in ("$ref", "$dynamicRef", "$recursiveRef") if name in node)
            ref = node[keyword]
            stays = self._rules.references and not (self._rules.plain_top and self._depth == 1)
            if stays and _is_pointer(ref) and keyword == "$ref" and self._find(ref) is not None:
                return node, refs
            rest = {name: value for name, value in node.items() if name != keyword}
            target = self._find(ref)
            if target is None:
                self._lose(keyword, "dropped", place, "what it refers to is not in the schema", ref)
                node = rest
            elif ref in refs or len(refs) > DEEPEST:
                self._lose(keyword, "approximated", place, "the schema contains itself; it is cut here", ref)
                outline: JsonObject = {
                    name: target[name] for name in ("type", "title", "description") if name in target
                }
                node = {**outline, **rest}
                node.pop("$ref", None)
                if node.get("type") == "array":
                    node["items"] = {}
            else:
                refs = (*refs, ref)
                node = merged(target, rest)
        return node, refs

    def _find(self, ref: object) -> JsonObject | None:
        """The schema that a reference into this document means."""
        if type(ref) is not str:
            return None
        pointer = ref.partition("#")[2] if "#" in ref else None
        if pointer is None or (not ref.startswith("#") and ref.partition("#")[0] != self._root.get("$id")):
            return None
        if pointer and not pointer.startswith("/"):
            return _anchored(self._root, unquote(pointer), 0)
        found: Any = self._root
        for step in pointer.split("/")[1:]:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if type(found) is dict and name in found:
                found = found[name]
            elif type(found) is list and name.isdecimal() and len(name) < 7 and int(name) < len(found):
                found = found[int(name)]
            else:
                return None
        return found if type(found) is dict else {} if found is True else None

    def _flattened(self, node: JsonObject, place: str, refs: tuple[str, ...]) -> tuple[JsonObject, tuple[str, ...]]:
        """The node with everything that must hold besides merged in."""
        found = {name: value for name, value in node.items() if name != "allOf"}
        for part in node["allOf"]:
            if type(part) is not dict:
                continue
            self._made += 1
            part, refs = self._resolved(part, place, refs)
            if type(part.get("allOf")) is list and self._made <= _MOST:
                part, refs = self._flattened(part, place, refs)
            found = merged(found, part)
        return found, refs

    # One node

    def _normal(self, node: JsonObject, place: str) -> JsonObject:
        """The node in the words of JSON Schema 2020-12 that the target has."""
        out = dict(node)
        nullable = out.pop("nullable", None) is True
        types = out.get("type")
        words = [types] if type(types) is str else types if type(types) is list else []
        names = list(dict.fromkeys(word.lower() for word in words if type(word) is str and word.lower() in TYPES))
        if "const" in out and not self._keeps("const"):
            value = out.pop("const")
            out.setdefault("enum", [value])
        if "oneOf" in out and not self._keeps("oneOf") and type(out["oneOf"]) is list and "anyOf" not in out:
            self._lose("oneOf", "approximated", place, "alternatives of the target may overlap")
            out = {("anyOf" if name == "oneOf" else name): value for name, value in out.items()}
        self._exclusive(out, names)
        if type(out.get("items")) is list:
            out["prefixItems"] = out.pop("items")
            if "additionalItems" in out:
                out["items"] = out.pop("additionalItems")
        if "examples" in out and self._keeps("example") and type(out["examples"]) is list and out["examples"]:
            out.setdefault("example", out.pop("examples")[0])
        if type(out.get("enum")) is list and None in out["enum"] and "null" not in self._rules.enum:
            nullable = True
            out["enum"] = [value for value in out["enum"] if value is not None]
            if not out["enum"]:
                del out["enum"]
                names = names or ["null"]
        if nullable:
            if names:
                names = [*names, "null"] if "null" not in names else names
            elif type(out.get("anyOf")) is list and {"type": "null"} not in out["anyOf"]:
                out["anyOf"] = [*out["anyOf"], {"type": "null"}]
            elif type(out.get("enum")) is list and out["enum"]:
                kinds = dict.fromkeys(map(json_type, out["enum"]))
                names = list(dict.fromkeys([*kinds, "null"]))
        if "type" in out or names:
            if names:
                out["type"] = names[0] if len(names) == 1 else names
            else:
                del out["type"]
        return out

    def _exclusive(self, out: JsonObject, names: list[str]) -> None:
        """Exclusive bounds of whole numbers as inclusive ones."""
        if [name for name in names if name != "null"] != ["integer"]:
            return
        for word, bound, step in (("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1)):
            value = out.get(word)
            if self._keeps(word) or type(value) is not int or not self._keeps(bound):
                continue
            del out[word]
            own: Any = out.get(bound)
            new: float = value + step
            if type(own) is int or type(own) is float:
                new = max(own, new) if step == 1 else min(own, new)
            out[bound] = new

    def _written(self, node: JsonObject, place: str, refs: tuple[str, ...]) -> JsonObject:
        out: JsonObject = {}
        beyond: JsonObject = {}
        for name, value in node.items():
            if name in DEFINITIONS and not self._rules.references:
                continue
            if not self._keeps(name):
                if name in _ANNOTATIONS:
                    self._lose(name, "dropped", place, "the target's schemas have no such note", value)
                else:
                    beyond[name] = value
                continue
            self._keyword(name, value, node, out, beyond, place, refs)
        self._type_list(out, beyond)
        self._array(node, out, beyond, place, refs)
        if type(out.get("type")) is str and "enum" in out and not _enum_type_fits(out):
            beyond["enum"] = out.pop("enum")
        if self._rules.closed and (out.get("type") == "object" or "properties" in out):
            self._close(out, beyond, place)
        return self._noted(out, beyond, place)

    def _keyword(
        self, name: str, value: Any, node: JsonObject, out: JsonObject, beyond: JsonObject, place: str, refs: tuple[str, ...]
    ) -> None:  # fmt: skip
        """One keyword that the target knows."""
        inside = f"{place}.{name}" if place else name
        kind = type(value)
        if name == "properties" or name in DEFINITIONS:
            if kind is dict:
                out[name] = {key: self.schema(inner, f"{inside}.{key}", refs) for key, inner in value.items()}
        elif name in MANY:
            if kind is list and value:
                out[name] = [self.schema(inner, f"{inside}[{i}].", refs) for i, inner in enumerate(value)]
        elif name == "items":
            out[name] = self.schema(value, inside, refs)
        elif name == "additionalProperties":
            out[name] = value if kind is bool else self.schema(value, inside, refs)
        elif name in ("description", "title", "$ref"):
            if kind is str:
                out[name] = value
        elif name == "enum":
            if kind is list and value and all(json_type(one) in self._rules.enum for one in value):
                out[name] = value
            else:
                beyond[name] = value
        elif name == "format":
            known = kind is str and (self._rules.formats is None or value in self._rules.formats)
            (out if known else beyond)[name] = value
        elif name == "minItems" and self._rules.max_min_items is not None:
            fits = type(value) is int and value <= self._rules.max_min_items
            (out if fits else beyond)[name] = value
        elif name == "required":
            self._required(value, node, out, place)
        else:
            out[name] = value

    def _required(self, value: object, node: JsonObject, out: JsonObject, place: str) -> None:
        names = [name for name in value if type(name) is str] if type(value) is list else []
        if not self._rules.unknown_required:
            properties = node.get("properties")
            known = [name for name in names if type(properties) is dict and name in properties]
            if len(known) != len(names):
                self._lose("required", "approximated", place, "the target requires defined properties only", value)
            names = known
            if not names:
                return
        out["required"] = names

    def _type_list(self, out: JsonObject, beyond: JsonObject) -> None:
        """Several types, where the target takes one: as alternatives."""
        types = out.get("type")
        if self._rules.type_lists or type(types) is not list:
            return
        names = [name for name in types if name != "null"]
        if not names:
            out["type"] = "null"
            return
        if len(names) == 1:
            out["type"] = [names[0], "null"] if len(types) > 1 else names[0]
            return
        if "anyOf" in out:
            beyond["type"] = out.pop("type")
            return
        del out["type"]
        shared = {name: out.pop(name) for name in list(out) if name in _BELONGS}
        alternatives: list[JsonObject] = []
        for name in names:
            own = {word: value for word, value in shared.items() if name in _BELONGS[word]}
            if name == "array" and "items" not in own and not self._rules.bare_arrays:
                own["items"] = {}
            alternatives.append({"type": name, **own})
        if "null" in types:
            alternatives.append({"type": "null"})
        if "enum" in out:
            beyond["enum"] = out.pop("enum")
        out["anyOf"] = alternatives

    def _array(self, node: JsonObject, out: JsonObject, beyond: JsonObject, place: str, refs: tuple[str, ...]) -> None:
        types = out.get("type")
        if types != "array" and not (type(types) is list and "array" in types):
            return
        if "prefixItems" in beyond and type(beyond["prefixItems"]) is list and "items" not in out:
            kinds: list[JsonObject] = []
            for index, inner in enumerate(beyond["prefixItems"]):
                one = self.schema(inner, f"{place}.prefixItems[{index}].", refs)
                if one not in kinds:
                    kinds.append(one)
            out["items"] = kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds and self._keeps("anyOf") else {}
        if not self._rules.bare_arrays and "items" not in out:
            out["items"] = {}

    def _close(self, out: JsonObject, beyond: JsonObject, place: str) -> None:
        given = out.get("additionalProperties")
        if given is not False:
            self._lose("additionalProperties", "approximated", place, "the target allows no further properties", given)
            if type(given) is dict and given:
                beyond["additionalProperties"] = given
            out["additionalProperties"] = False
        if self._rules.all_required and "properties" not in out:
            out["properties"] = {}

    def _noted(self, out: JsonObject, beyond: JsonObject, place: str) -> JsonObject:
        """`out` with what the target has no words for in its description."""
        if not beyond:
            return out
        for name, value in beyond.items():
            self._lose(name, "approximated", place, "the target has no such keyword; it is in the description", value)
        note = NOTE + dumps_text(_shortened(beyond))
        description = out.get("description")
        if type(description) is str and description:
            note = description if note in description else f"{description}\n\n{note}"
        return {**out, "description": note}

    def _keeps(self, keyword: str) -> bool:
        return self._rules.keywords is None or keyword in self._rules.keywords

    def _lose(self, keyword: str, kind: str, place: str, reason: str, value: object = None) -> None:
        found = self._losses.setdefault((keyword, kind), [place.replace("..", ".").rstrip("."), value, reason, 0])
        found[3] += 1

    # The top

    def top(self, found: JsonObject) -> JsonObject:
        """A top that is an object without alternatives, where the target wants that: the properties of all of them are
        offered, and what each demands is demanded."""
        if not self._rules.plain_top:
            return found
        if "$ref" in found:
            target = self._find(found["$ref"])
            if target is not None:
                rest = {name: value for name, value in found.items() if name != "$ref"}
                found = merged(target, rest)
        beyond: JsonObject = {
            name: found[name]
            for name in ("allOf", "anyOf", "oneOf", "not", "enum", "const", "if", "then", "else", "also")
            if name in found
        }
        if not beyond:
            if found.get("type") == "object":
                return found
            if type(found.get("type")) in (str, list):
                beyond["type"] = found["type"]
            return self._object({name: value for name, value in found.items() if name != "type"}, beyond)
        plain = {name: value for name, value in found.items() if name not in beyond and name != "type"}
        properties: JsonObject = {}
        required: list[str] = []
        for word in ("allOf", "anyOf", "oneOf"):
            given = beyond.get(word)
            branches = [branch for branch in given if type(branch) is dict] if type(given) is list else []
            demands = [_words(branch.get("required")) for branch in branches]
            for branch in branches:
                properties |= branch["properties"] if type(branch.get("properties")) is dict else {}
            required += [
                name
                for names in demands
                for name in names
                if word == "allOf" or all(name in others for others in demands)
            ]
        own = plain.get("properties")
        if properties:
            plain["properties"] = properties | (own if type(own) is dict else {})
        if required:
            plain["required"] = list(dict.fromkeys([*_words(plain.get("required")), *required]))
        return self._object(plain, beyond)

    def _object(self, plain: JsonObject, beyond: JsonObject) -> JsonObject:
        out: JsonObject = {"type": "object", **plain}
        if self._rules.closed:
            self._close(out, beyond, "")
        return self._noted(out, beyond, "")


#: The types that a keyword speaks about.
_BELONGS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("minLength", "maxLength", "pattern"), ("string",)),
    "format": ("string", "number", "integer"),
    **dict.fromkeys(("minimum", "maximum", "multipleOf"), ("number", "integer")),
    **dict.fromkeys(("items", "prefixItems", "minItems", "maxItems"), ("array",)),
    **dict.fromkeys(
        ("properties", "required", "additionalProperties", "minProperties", "maxProperties", "propertyOrdering"),
        ("object",),
    ),
}


def _enum_type_fits(out: JsonObject) -> bool:
    """Whether the values of `enum` are of the node's one type."""
    wanted = "number" if out["type"] == "integer" else out["type"]
    return all(json_type(value) == wanted for value in out["enum"])


def _is_pointer(ref: object) -> bool:
    """Whether a reference names its place by JSON pointer, not by an anchor that is left out."""
    return ref == "#" or (type(ref) is str and ref.startswith("#/"))


def _words(value: object) -> list[str]:
    return [name for name in value if type(name) is str] if type(value) is list else []


def _shortened(beyond: JsonObject) -> JsonObject:
    """What goes into a description, within reason."""
    return {
        name: value if len(dumps(value)) <= 2000 else "(too large to repeat here)" for name, value in beyond.items()
    }


def _anchored(value: Any, name: str, depth: int) -> JsonObject | None:
    """The schema with this `$anchor`."""
    if depth > DEEPEST:
        return None
    if type(value) is dict:
        if value.get("$anchor") == name or value.get("$dynamicAnchor") == name:
            return value
        value = list(value.values())
    if type(value) is list:
        for inner in value:
            if (found := _anchored(inner, name, depth + 1)) is not None:
                return found
    return None
