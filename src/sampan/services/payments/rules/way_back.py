"""Where the payer's browser goes after the provider's page."""

import re
from typing import Final

from sampan.kernel.errors import invalid

LONGEST: Final = 255
_PATH: Final = re.compile(r"/(?![/\\])[!-~]*")


def own_path(return_url: str, public_url: str) -> str:
    """The payer comes back to a page of this shop and nowhere else: a path, or an address below our own.

    Raises Invalid for any other address.
    """
    path = return_url.removeprefix(public_url) if return_url.startswith(f"{public_url}/") else return_url
    if len(path) > LONGEST or _PATH.fullmatch(path) is None:
        raise invalid("return_url", "foreign", "the way back is a path of this shop")
    return path
