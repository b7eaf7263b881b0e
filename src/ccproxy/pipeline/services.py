"""What the application lends to hooks, found by type: the clock, the dialects, and whatever a feature adds."""

from __future__ import annotations

from ccproxy.errors import HookError


class Services:
    """A set of objects, one of a type.

    Args:
        provided: the objects.
    """

    __slots__ = ("_provided",)

    def __init__(self, *provided: object) -> None:
        self._provided = provided

    def find[T](self, kind: type[T]) -> T | None:
        """The service of a type, or None where this installation has none. A protocol must be runtime-checkable."""
        return next((one for one in self._provided if isinstance(one, kind)), None)

    def get[T](self, kind: type[T]) -> T:
        """The service of a type. Raises HookError where this installation has none."""
        found = self.find(kind)
        if found is None:
            raise HookError(f"there is no service {kind.__name__} in this installation")
        return found
