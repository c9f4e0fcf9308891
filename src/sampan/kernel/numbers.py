"""Numbers that people read out and type: a prefix, characters drawn at random, and one that checks them.

The check is a weighted sum over an alphabet whose size is a prime. Then one character read wrong is always noticed, and
so are two that changed places, as long as no two places have the same weight.
"""

import re
from typing import Final


class Numbering:
    """`prefix`, `length` characters of `alphabet`, and the check. The place of the first has the weight `first`.

    Raises:
        ValueError: with this alphabet, length and weight the check would not notice what it promises.
    """

    def __init__(self, prefix: str, alphabet: str, length: int, *, first: int = 1) -> None:
        base = len(alphabet)
        if base < 2 or any(base % divisor == 0 for divisor in range(2, base)) or len(set(alphabet)) != base:
            raise ValueError("the alphabet is a prime number of different characters")
        if not 1 <= first <= first + length - 1 < base:
            raise ValueError("each place has a weight of its own, below the size of the alphabet")
        self.count: Final = base**length  # of numbers there are
        self._prefix = prefix
        self._alphabet = alphabet
        self._length = length
        self._first = first
        self._shape = re.compile(f"{re.escape(prefix)}([{re.escape(alphabet)}]{{{length}}})([{re.escape(alphabet)}])")

    def number_for(self, draw: int) -> str:
        """The number of a random draw from 0 to `count` − 1."""
        if not 0 <= draw < self.count:
            raise ValueError("the draw is out of range")
        body = ""
        for _ in range(self._length):
            draw, value = divmod(draw, len(self._alphabet))
            body += self._alphabet[value]
        return self._prefix + body + self._check_for(body)

    def is_number(self, text: str) -> bool:
        """Whether `text` is one of the numbers."""
        found = self._shape.fullmatch(text)
        return found is not None and self._check_for(found[1]) == found[2]

    def _check_for(self, body: str) -> str:
        weighted = sum(
            weight * self._alphabet.index(character) for weight, character in enumerate(body, start=self._first)
        )
        return self._alphabet[weighted % len(self._alphabet)]
