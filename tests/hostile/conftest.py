"""The world that hostile input is sent to."""

from tests.world import world

__all__ = ["world"]
