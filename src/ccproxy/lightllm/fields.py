"""Reading JSON objects that others wrote: typed access by name, and what nobody asked for is left over.

`Fields` hands out known fields with their type checked and keeps the rest, which becomes `extras`. null reads as absent.
A value of the wrong type raises `ShapeError` with its path; request decoders answer it with 400, answer decoders end
the stream as failed. So no input makes a TypeError, and each dialect's code reads as a list of its fields.
"""

from __future__ import annotations

from typing import Any

from ccproxy.lightllm.ir.parts import JsonObject


class ShapeError(ValueError):
    """A value is not of the type the protocol gives it. The message is `path: what is wrong`; it never quotes the value."""


def as_object(value: object, path: str) -> JsonObject:
    """`value` if it is a JSON object. Raises ShapeError."""
    if type(value) is not dict:
        raise ShapeError(f"{path}: expected an object, found {kind_of(value)}")
    return value


def as_list(value: object, path: str) -> list[Any]:
    """`value` if it is a JSON array. Raises ShapeError."""
    if type(value) is not list:
        raise ShapeError(f"{path}: expected an array, found {kind_of(value)}")
    return value


def as_text(value: object, path: str) -> str:
    """`value` if it is a string. Raises ShapeError."""
    if type(value) is not str:
        raise ShapeError(f"{path}: expected a string, found {kind_of(value)}")
    return value


def kind_of(value: object) -> str:
    """What JSON calls the type of `value`."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


class Fields:
    """A JSON object being read.

    Args:
        value: the object; it is copied, so that taking fields leaves the caller's alone.
        path: where it stands, for messages.
    """

    __slots__ = ("_left", "_path")

    def __init__(self, value: object, path: str) -> None:
        self._left = dict(as_object(value, path))
        self._path = path

    def where(self, name: str) -> str:
        """The path of a field."""
        return f"{self._path}.{name}" if self._path else name

    def value(self, name: str) -> Any:
        """Any value; None when absent."""
        return self._left.pop(name, None)

    def text(self, name: str, default: str = "") -> str:
        """A string; `default` when absent."""
        value = self._left.pop(name, None)
        return default if value is None else as_text(value, self.where(name))

    def required_text(self, name: str) -> str:
        """A string that must be there."""
        if name not in self._left:
            raise ShapeError(f"{self.where(name)}: is missing")
        return as_text(self._left.pop(name), self.where(name))

    def number(self, name: str) -> float | None:
        """A number, or None. Integers stay integers."""
        value = self._left.pop(name, None)
        if value is None or type(value) is int or type(value) is float:
            return value
        raise ShapeError(f"{self.where(name)}: expected a number, found {kind_of(value)}")

    def integer(self, name: str) -> int | None:
        """A whole number (2.0 is one), or None."""
        value = self.number(name)
        if value is None:
            return None
        if isinstance(value, float) and not value.is_integer():
            raise ShapeError(f"{self.where(name)}: expected a whole number")
        return int(value)

    def flag(self, name: str) -> bool | None:
        """true, false or None."""
        value = self._left.pop(name, None)
        if value is None or type(value) is bool:
            return value
        raise ShapeError(f"{self.where(name)}: expected true or false, found {kind_of(value)}")

    def items(self, name: str) -> list[Any]:
        """An array; empty when absent."""
        value = self._left.pop(name, None)
        return [] if value is None else as_list(value, self.where(name))

    def texts(self, name: str) -> tuple[str, ...]:
        """An array of strings; empty when absent. A single string is an array of one."""
        value = self._left.pop(name, None)
        if value is None:
            return ()
        if type(value) is str:
            return (value,)
        return tuple(
            as_text(item, f"{self.where(name)}[{i}]") for i, item in enumerate(as_list(value, self.where(name)))
        )

    def mapping(self, name: str) -> JsonObject | None:
        """An object, or None."""
        value = self._left.pop(name, None)
        return None if value is None else as_object(value, self.where(name))

    def fields(self, name: str) -> Fields:
        """An object to read in turn; an empty one when absent."""
        value = self._left.pop(name, None)
        return Fields({} if value is None else value, self.where(name))

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._left.get(name) is not None

    def put_back(self, name: str, value: object) -> None:
        """Leaves `value` among the rest after all."""
        self._left[name] = value

    def rest(self) -> JsonObject:
        """What was not taken, null values included."""
        return self._left
