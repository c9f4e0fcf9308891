"""Pages have two addresses: Vietnamese at the root, English below /en."""

from collections.abc import Callable
from typing import Any

from sampan.kernel.http import Policy, Routes


class PageRoutes(Routes):
    """Declares each page at both of its addresses."""

    def __init__(self) -> None:
        super().__init__(prefix="", in_documents=False)

    def _add(self, method: str, path: str, policy: Policy, **options: Any) -> Callable[[Any], Any]:
        options.setdefault("limit_name", f"{method} {path}")  # one limit, whichever address
        vietnamese = super()._add(method, path, policy, **options)
        english = super()._add(method, f"/en{path}", policy, **options)
        if path == "/":
            bare = super()._add(method, "/en", policy, **options)
            return lambda function: bare(english(vietnamese(function)))
        return lambda function: english(vietnamese(function))
