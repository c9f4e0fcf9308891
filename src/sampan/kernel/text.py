"""Text as Vietnamese is written, typed and searched: normal form, search keys, tones and raw keystrokes.

Every function takes linear time for any input.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Final

_CACHED_LENGTH: Final = 160  # names and queries repeat, long texts do not
_COMBINING_GRAPHEME_JOINER: Final = "\u034f"
_MOST_MARKS: Final = 30  # UAX #15, stream-safe text: real writing never needs more marks on one letter
_BEYOND_LATIN: Final = re.compile(f"[\u0300-\U0010ffff]{{{_MOST_MARKS + 1},}}")


def storable(text: str, most: int) -> str:
    """Somebody else's words as a text column and a log take them: at most so many, without NUL and half characters."""
    return text[:most].encode("utf-8", "replace").decode().replace("\0", "?")


def nfc(text: str) -> str:
    """The text in Unicode normal form C, which is how text is stored and compared.

    A letter under more than thirty combining marks is broken up with U+034F, the "stream-safe" form of UAX
    #15: the sorting of marks is quadratic and must not be fed by strangers.
    """
    if text.isascii():
        return text
    if len(text) > 512:
        text = _BEYOND_LATIN.sub(_limit_marks, text)
    return unicodedata.normalize("NFC", text)


def _limit_marks(run: re.Match[str]) -> str:
    out: list[str] = []
    marks = 0
    for char in run[0]:
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks > _MOST_MARKS:
            out.append(_COMBINING_GRAPHEME_JOINER)
            marks = 1
        out.append(char)
    return "".join(out)


# --- search keys

# Letters that Unicode does not decompose.
_PLAIN: Final = {"đ": "d", "ð": "d", "ø": "o", "ł": "l", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}


def _folded_char(char: str) -> str:
    out = []
    for part in unicodedata.normalize("NFD", char).lower():
        category = unicodedata.category(part)
        if category in ("Mn", "Cf"):  # marks, and invisible characters such as the soft hyphen
            continue
        out.append(_PLAIN.get(part, part) if category[0] in "LNM" else " ")
    return "".join(out)


class _FoldTable(dict[int, str]):
    def __missing__(self, codepoint: int) -> str:
        return _folded_char(chr(codepoint))


# Prepared for Latin, Vietnamese and general punctuation; the rest is computed when met, so that memory stays
# bounded.
_FOLD: Final = _FoldTable(
    (code, _folded_char(chr(code)))
    for block in (range(0x0370), range(0x1E00, 0x1F00), range(0x2000, 0x20D0))
    for code in block
)


def fold(text: str) -> str:
    """The search key: no marks, `đ` as `d`, lower case, punctuation as one space. `Áo, Đỏ!` is `ao do`."""
    return _fold_cached(text) if len(text) <= _CACHED_LENGTH else _fold(text)


def _fold(text: str) -> str:
    return " ".join(text.translate(_FOLD).split())


_fold_cached = lru_cache(maxsize=8192)(_fold)

_MARKED: Final = re.compile(
    "[đĐ\u0300-\u036f"
    + "".join(
        chr(code)
        for block in (range(0x00C0, 0x0250), range(0x1E00, 0x1F00))
        for code in block
        if any(unicodedata.combining(part) for part in unicodedata.normalize("NFD", chr(code)))
    )
    + "]"
)


def has_diacritics(text: str) -> bool:
    """Whether any Latin letter bears a mark (`á`, `ơ`, `đ`): the writer chose his words exactly."""
    return not text.isascii() and _MARKED.search(text) is not None


_NOT_SLUG: Final = re.compile(r"[^a-z0-9]+")


def slugify(text: str, max_length: int = 80) -> str:
    """The part of an address made from a name: `a-z`, `0-9` and single hyphens, cut between words if
    possible.

    Empty when nothing Latin is left; addresses therefore always carry an id too.
    """
    slug = _NOT_SLUG.sub("-", fold(text)).strip("-")
    if len(slug) <= max_length:
        return slug
    cut = slug[: max_length + 1]
    whole_words = cut.rpartition("-")[0]
    return whole_words or slug[:max_length]


# --- syllables and tones

_TONES: Final = {"grave": "\u0300", "acute": "\u0301", "hook": "\u0309", "tilde": "\u0303", "dot": "\u0323"}
_VOWELS: Final = "aăâeêioôơuưy"
_TONED: Final = {(v, t): unicodedata.normalize("NFC", v + mark) for v in _VOWELS for t, mark in _TONES.items()}
_UNTONED: Final = {toned: pair for pair, toned in _TONED.items()}
_ANY_TONED: Final = re.compile("[" + "".join(_UNTONED) + "]")
_WORD: Final = re.compile("[a-zđ" + _VOWELS + "".join(_UNTONED) + "\u0300-\u036f]+")
_SYLLABLE: Final = re.compile(
    f"(ngh|ng|nh|gh|gi(?=[{_VOWELS}])|g|kh|k|qu(?=[{_VOWELS}])|th|tr|t|ch|c|ph|p|b|d|đ|h|l|m|n|r|s|v|x)?"
    f"([{_VOWELS}]{{1,3}})(ng|nh|ch|c|m|n|p|t)?"
)


def canonical(text: str) -> str:
    """A key for comparing two texts with their accents: NFC, lower case, one tone placement.

    `hoà` and `hòa`, `thuỷ` and `thủy`, `khoẻ` and `khỏe` become equal; `quý` stays as it is. Equal canonical
    texts always have equal folds. The key is the usual spelling, so it is fit to be read.
    """
    return _canonical_cached(text) if len(text) <= _CACHED_LENGTH else _canonical(text)


def _canonical(text: str) -> str:
    text = nfc(nfc(text).lower())
    if text.isascii() or not _ANY_TONED.search(text):
        return text
    return _WORD.sub(lambda word: _retoned(word[0]), text)


_canonical_cached = lru_cache(maxsize=8192)(_canonical)


@lru_cache(maxsize=8192)  # there are about as many syllables
def _retoned(written: str) -> str:
    if len(written) > 7:  # `nghiêng`, the longest syllable
        return written
    tones = [_UNTONED[char][1] for char in written if char in _UNTONED]
    if len(tones) != 1:
        return written
    bare = "".join(_UNTONED[char][0] if char in _UNTONED else char for char in written)
    syllable = _SYLLABLE.fullmatch(bare)
    return _with_tone(syllable, tones[0]) if syllable else written


def _with_tone(syllable: re.Match[str], tone: str) -> str:
    onset, vowels, coda = (syllable[1] or "", syllable[2], syllable[3] or "")
    at = _tone_position(vowels, coda)
    return onset + vowels[:at] + _TONED[vowels[at], tone] + vowels[at + 1 :] + coda


def _tone_position(vowels: str, coda: str) -> int:
    """The tone stands on the last modified vowel; else on the middle of three, the last before a final
    consonant, and otherwise the first: `trường`, `ngoái`, `toàn`, `hòa`.
    """
    for at in reversed(range(len(vowels))):
        if vowels[at] in "ăâêôơư":
            return at
    if len(vowels) == 3:
        return 1
    return len(vowels) - 1 if coda else 0


# --- raw keyboard input

# Vowel groups of the language by what may follow: a final consonant must, must not, or may.
_CLOSED: Final = frozenset(re.findall(r"\w+", "ă â iê yê oă uâ uô ươ uyê oo"))
_OPEN: Final = frozenset(
    re.findall(
        r"\w+",
        "ai ao au ay âu ây eo êu ia iu oi ôi ơi ua ui ưa ưi ưu uơ iêu oai oao oay oeo uây uôi uya uyu uêu ươi ươu yêu",
    )
)
_EITHER: Final = frozenset(re.findall(r"\w+", "a e ê i o ô ơ u ư y oa oe uê uy"))
_STOPS: Final = frozenset(("c", "ch", "p", "t"))
_LONGEST_INPUT: Final = 12  # `nghieengf` and its longer ways of typing

_TELEX_TONES: Final = {"f": "grave", "s": "acute", "r": "hook", "x": "tilde", "j": "dot", "z": ""}
_VNI_TONES: Final = {"2": "grave", "1": "acute", "3": "hook", "4": "tilde", "5": "dot", "0": ""}
_CIRCUMFLEX: Final = {"a": "â", "e": "ê", "o": "ô"}
_HORN: Final = {"o": "ơ", "u": "ư"}
_TELEX_WORD: Final = re.compile(rf"(?<!\w)[A-Za-z]{{2,{_LONGEST_INPUT}}}(?!\w)")
_VNI_WORD: Final = re.compile(rf"(?<!\w)[A-Za-z][A-Za-z0-9]{{1,{_LONGEST_INPUT - 1}}}(?!\w)")


def telex_decode(text: str) -> str | None:
    """What raw Telex keystrokes would have written: `ddieenj thoaij` is `điện thoại`.

    Words that give no Vietnamese syllable stay. None when no word changed. English words may look like Telex
    (`boots`), so ask only when the plain reading found nothing.
    """
    return _decoded(text, _TELEX_WORD, _telex_word)


def vni_decode(text: str) -> str | None:
    """What raw VNI keystrokes would have written: `d9ie65n thoa5i` is `điện thoại`. None as above."""
    return _decoded(text, _VNI_WORD, _vni_word)


def _decoded(text: str, words: re.Pattern[str], decode: Callable[[str], str | None]) -> str | None:
    changed = False

    def replaced(match: re.Match[str]) -> str:
        nonlocal changed
        typed = match[0]
        written = decode(typed.lower())
        if written is None or written == typed.lower():
            return typed
        changed = True
        if typed.isupper():
            return written.upper()
        return written.capitalize() if typed[0].isupper() else written

    result = words.sub(replaced, text)
    return nfc(result) if changed else None


def _telex_word(typed: str) -> str | None:
    letters: list[str] = []
    tone = ""
    for key in typed:
        last_vowel = next((letter for letter in reversed(letters) if letter in _VOWELS), "")
        if key in _TELEX_TONES and last_vowel:
            if key != "z" and tone:
                return None  # a second tone is how one leaves Telex to type the letter itself
            tone = _TELEX_TONES[key]
        elif key == "w":
            if not _add_horn_or_breve(letters):
                letters.append("ư")
        elif key == "d" and letters and letters[0] == "d":
            letters[0] = "đ"
        elif key in _CIRCUMFLEX and last_vowel == key:
            _replace_last(letters, _CIRCUMFLEX)
        else:
            letters.append(key)
    return _syllable_from(letters, tone)


def _vni_word(typed: str) -> str | None:
    letters: list[str] = []
    tone = ""
    for key in typed:
        if key in _VNI_TONES:
            if tone and key != "0":
                return None
            tone = _VNI_TONES[key]
        elif key == "6":
            if not _replace_last(letters, _CIRCUMFLEX):
                return None
        elif key == "7":
            if not _replace_last(letters, _HORN):
                return None
        elif key == "8":
            if not _replace_last(letters, {"a": "ă"}):
                return None
        elif key == "9":
            if not letters or letters[0] != "d":
                return None
            letters[0] = "đ"
        else:
            letters.append(key)
    return _syllable_from(letters, tone)


def _add_horn_or_breve(letters: list[str]) -> bool:
    plain = "".join(letters)
    if "ua" in plain and not plain.startswith("qu"):  # `muaw` is `mưa`; only `qu` goes before `ă`
        return _replace_last(letters, {"u": "ư"})
    if plain.startswith("qu"):
        return _replace_last(letters, {"a": "ă", "o": "ơ"})
    return _replace_last(letters, {"a": "ă", **_HORN})


def _replace_last(letters: list[str], table: dict[str, str]) -> bool:
    for at in reversed(range(len(letters))):
        if letters[at] in table:
            letters[at] = table[letters[at]]
            return True
    return False


def _syllable_from(letters: list[str], tone: str) -> str | None:
    """The syllable, if these letters and this tone can be one."""
    bare = "".join(letters).replace("ưo", "ươ")
    bare = re.sub(
        "(?<!q)uơ(?=.)", "ươ", bare
    )  # one keystroke hooks both: `truowng` is `trương`, but `thuowr` is `thuở`
    syllable = _SYLLABLE.fullmatch(bare)
    if syllable is None:
        return None
    vowels, coda = syllable[2], syllable[3]
    if not (vowels in _EITHER or vowels in (_CLOSED if coda else _OPEN)):
        return None
    if coda in _STOPS and tone not in ("acute", "dot"):
        return bare if not tone else None
    return _with_tone(syllable, tone) if tone else bare
