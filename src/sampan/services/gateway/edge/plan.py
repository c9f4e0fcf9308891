"""Where the edge sends what: the route table as few places, for proxies that know paths, prefixes and patterns.

An exact path goes before a pattern, a pattern before a prefix, a longer prefix before a shorter one. A prefix stands
for everything below it that has one owner; where owners meet, each has its own.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Final, Literal
from urllib.parse import urlsplit

from msgspec import Struct

from sampan.kernel.http import Route
from sampan.kernel.operations import operations
from sampan.kernel.settings import BadSetting, Settings

BODY: Final = 1 << 20  # bytes of a body where a route says nothing else
FALLBACK: Final = "storefront"  # serves what nobody declares, and says so to people
CLOSED: Final = sorted({"internal", *(route.path.split("/")[1] for route in operations)})  # not for the public
ANY, REST = "~", "~~"  # a parameter, and one with slashes, where segments are compared
NAME: Final = re.compile(r"[a-z][a-z0-9_]*\Z")
HOST: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\])\Z")


class Upstream(Struct, frozen=True):
    """Where a service is."""

    service: str
    scheme: Literal["http", "https"]
    host: str
    port: int

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


class Place(Struct, frozen=True):
    """Addresses that go to one service, with the largest body they take.

    `path` is an address (exact), the beginning of addresses up to a slash (prefix), or a regular expression that fits
    from the first sign to the last (pattern).
    """

    kind: Literal["exact", "prefix", "pattern"]
    path: str
    service: str
    body: int = BODY


class Plan(Struct, frozen=True):
    """All the edge needs to know. `host` is the shop's name, empty for any; no secret is in it."""

    upstreams: list[Upstream]
    places: list[Place]
    host: str

    @property
    def open_ends(self) -> list[str]:
        """Prefixes whose addresses belong to nobody unless a longer one says otherwise."""
        taken = {place.path for place in self.places if place.kind == "prefix"}
        return [path for path in ("/api/", "/") if path not in taken]

    def upstream(self, service: str) -> Upstream:
        return next(each for each in self.upstreams if each.service == service)


class Node:
    """A segment of addresses, and what is below it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.routes: list[tuple[str, Route]] = []
        self.fixed: dict[str, Node] = {}
        self.parameter: Node | None = None

    def below(self) -> "Iterator[Node]":
        yield from self.fixed.values()
        if self.parameter is not None:
            yield self.parameter

    def all_routes(self) -> Iterator[tuple[str, Route]]:
        yield from self.routes
        for node in self.below():
            yield from node.all_routes()

    def owners(self) -> set[str]:
        return {service for service, _ in self.all_routes()}


def plan_for(table: Iterable[tuple[str, Route]], settings: Settings, *, to: str = "") -> Plan:
    """The plan of a route table. Services are where the settings say, or all of them at the address `to`.

    Raises BadSetting for an address that is none.
    """
    routes = list(table)
    services = sorted({service for service, _ in routes})
    upstreams = [upstream_at(service, to or settings.peer_url(service)) for service in services]
    host = urlsplit(settings.public_url).hostname or ""
    if not HOST.match(host):
        raise BadSetting(f"SAMPAN_PUBLIC_URL: {settings.public_url!r} names no host")
    return Plan(upstreams, places_for(routes), "" if host in ("localhost", "127.0.0.1", "::1") else host)


def upstream_at(service: str, url: str) -> Upstream:
    """Raises BadSetting for anything but a scheme, a host and a port."""
    setting = f"SAMPAN_URL_{service.upper()}"
    try:
        found = urlsplit(url)
        port = found.port or (443 if found.scheme == "https" else 80)
    except ValueError:
        raise BadSetting(f"{setting}: {url!r} is no address") from None
    host = found.netloc.rpartition("@")[2].removesuffix(f":{found.port}")
    plain = not (found.path.strip("/") or found.query or found.fragment or "@" in found.netloc)
    if found.scheme not in ("http", "https") or not HOST.match(host) or not plain or not NAME.match(service):
        raise BadSetting(f"{setting}: {url!r} is not like http://host:port")
    return Upstream(service, "https" if found.scheme == "https" else "http", host, port)


def places_for(table: Iterable[tuple[str, Route]]) -> list[Place]:
    """Few places that send every route to its owner, in an order that does not depend on that of the table."""
    routes = list(table)
    root = Node("/")
    for service, route in routes:
        node = root
        for segment in route.path[1:].split("/"):
            if segment.startswith("{"):
                node.parameter = node.parameter or Node(f"{node.path}{{}}/")
                node = node.parameter
            else:
                node = node.fixed.setdefault(segment, Node(f"{node.path}{segment}/"))
        node.routes.append((service, route))
    found = {Place("prefix", "/", FALLBACK)} if FALLBACK in root.owners() else set()
    for node in root.fixed.values():
        found |= places_below(node, FALLBACK)
    if root.parameter is not None:  # the prefix of everything is the storefront's
        beneath = root.parameter.owners() == {FALLBACK}
        found |= places_below(root.parameter, FALLBACK) if beneath else each_alone(root.parameter)
    found |= beside_patterns(found, routes)
    places: dict[tuple[str, str], Place] = {}
    for place in found:  # the same address with several methods takes the largest of their bodies
        known = places.get((place.kind, place.path))
        if known is None or known.body < place.body:
            places[place.kind, place.path] = place
    return sorted(places.values(), key=rank)


def rank(place: Place) -> tuple[int, list[str], str]:
    """The order of places. Of patterns the one goes first that has a fixed segment where the other has any."""
    flags = [part if part in (ANY, REST) else "" for part in segments_of(place)] if place.kind == "pattern" else []
    return "exact pattern prefix".index(place.kind), flags, place.path


def segments_of(place: Place) -> list[str]:
    return place.path.replace("[^/]+", ANY).replace(".+", REST).split("/")


def each_alone(node: Node) -> set[Place]:
    return {place_of(service, route) for service, route in node.all_routes()}


def places_below(node: Node, inherited: str) -> set[Place]:
    """The places of a node and all below it, when what they leave open goes to `inherited`."""
    owners = node.owners()
    if owners == {inherited}:
        return {place for place in each_alone(node) if place.body != BODY}
    if len(owners) > 1 and "{" in node.path:
        return each_alone(node)
    found = {place_of(service, route) for service, route in node.routes}
    heirs = owners if len(owners) == 1 else node.parameter.owners() if node.parameter else set()
    if len(heirs) == 1 and any(True for _ in node.below()):
        [inherited] = heirs
        found.add(Place("prefix", node.path, inherited))
    for each in node.below():
        found |= places_below(each, inherited)
    return found


def beside_patterns(places: set[Place], routes: Iterable[tuple[str, Route]]) -> set[Place]:
    """Patterns go before prefixes: what they could take from a route that only a prefix stands for is written out."""
    left = {place_of(service, route) for service, route in routes} - places
    found: set[Place] = set()
    patterns = {place for place in places if place.kind == "pattern"}
    while taken := {route for route in left for pattern in patterns if may_meet(pattern, route)}:
        found |= taken
        left -= taken
        patterns = {place for place in taken if place.kind == "pattern"}
    return found


def may_meet(one: Place, other: Place) -> bool:
    """True if an address could belong to both."""
    pairs = zip_longest(segments_of(one), segments_of(other), fillvalue="")
    for mine, its in pairs:
        if REST in (mine, its):
            return True
        if mine != its and (ANY not in (mine, its) or "" in (mine, its)):
            return False
    return True


def place_of(service: str, route: Route) -> Place:
    """The place of one route alone."""
    if "{" not in route.path:
        return Place("exact", route.path, service, route.body_limit)
    parts = re.split(r"({\w+(?:\.\.\.)?})", route.path)
    shape = "".join(
        (".+" if part.endswith("...}") else "[^/]+") if part.startswith("{") else part.replace(".", r"\.")
        for part in parts
    )
    return Place("pattern", shape, service, route.body_limit)


def owner_at(places: Iterable[Place], path: str) -> str | None:
    """To which service an address goes; None if to nobody."""
    found = list(places)
    if path.strip("/").partition("/")[0] in CLOSED:
        return None
    for kind in ("exact", "pattern"):
        for place in found:
            if place.kind == kind and (place.path == path if kind == "exact" else re.fullmatch(place.path, path)):
                return place.service
    fitting = [place for place in found if place.kind == "prefix" and path.startswith(place.path)]
    best = max(fitting, key=lambda place: len(place.path), default=None)
    return None if best is None or (best.path == "/" and path.startswith("/api/")) else best.service
