"""Finds what belongs to an address: a tree of path segments, fixed ones before parameters."""

import re
from typing import Generic, TypeVar

T = TypeVar("T")


class Node(Generic[T]):
    __slots__ = ("fixed", "parameter", "value")

    def __init__(self) -> None:
        self.fixed: dict[str, Node[T]] = {}
        self.parameter: Node[T] | None = None
        self.value: T | None = None


class Router(Generic[T]):
    """Values by address template (`/carts/{id}/lines`). The names of parameters do not matter, their places do.

    A last segment `{name...}` takes the rest of the address, slashes included.
    """

    def __init__(self) -> None:
        self._fixed: dict[str, T] = {}
        self._root: Node[T] = Node()
        self._rests: dict[str, T] = {}

    def at(self, template: str) -> T | None:
        """The value that was added under this template."""
        shape = re.sub(r"{\w+}", "{}", template)
        if "{" not in shape:
            return self._fixed.get(shape)
        if shape.endswith("...}"):
            return self._rests.get(shape.rpartition("{")[0])
        node: Node[T] | None = self._root
        for segment in shape[1:].split("/"):
            if node is None:
                return None
            node = node.parameter if segment == "{}" else node.fixed.get(segment)
        return None if node is None else node.value

    def add(self, template: str, value: T) -> None:
        """Put `value` under a template, in place of what was there."""
        shape = re.sub(r"{\w+}", "{}", template)
        if "{" not in shape:
            self._fixed[shape] = value
            return
        if shape.endswith("...}"):
            self._rests[shape.rpartition("{")[0]] = value
            return
        node = self._root
        for segment in shape[1:].split("/"):
            if segment == "{}":
                node.parameter = node.parameter or Node()
                node = node.parameter
            else:
                node = node.fixed.setdefault(segment, Node())
        node.value = value

    def find(self, path: str) -> tuple[T, list[str]] | None:
        """The value of the template that fits, with the parameters' values in their order; None if none fits."""
        if (value := self._fixed.get(path)) is not None:
            return value, []
        parameters: list[str] = []
        found = self._walk(self._root, path[1:].split("/"), 0, parameters)
        if found is not None:
            return found, parameters
        for start, value in self._rests.items():
            if path.startswith(start) and len(path) > len(start):
                return value, [path[len(start) :]]
        return None

    def _walk(self, node: Node[T], segments: list[str], place: int, parameters: list[str]) -> T | None:
        if place == len(segments):
            return node.value
        segment = segments[place]
        child = node.fixed.get(segment)
        if child is not None:
            found = self._walk(child, segments, place + 1, parameters)
            if found is not None:
                return found
        if node.parameter is not None and segment:
            parameters.append(segment)
            found = self._walk(node.parameter, segments, place + 1, parameters)
            if found is not None:
                return found
            parameters.pop()
        return None
