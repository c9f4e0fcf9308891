"""The OpenAPI 3.1 document, made from the declared routes: what is served is what is documented."""

import inspect
import re
import types
from collections.abc import Iterable
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
from msgspec import Struct

from sampan.kernel.app import HeadersTooLarge, UriTooLong
from sampan.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    ShopError,
    TooManyRequests,
    Unauthenticated,
)
from sampan.kernel.http import (
    UNSAFE,
    Answer,
    BadRequest,
    PayloadTooLarge,
    RequestTimeout,
    Route,
    Stream,
    UnsupportedMediaType,
    order_holder,
    struct_of,
)
from sampan.kernel.idempotency import KeyInProgress, KeyMalformed, KeyMissing, KeyReused
from sampan.kernel.money import UnknownCurrency
from sampan.kernel.strict_json import BadJson

VERSION = "1"
REFERENCE = "#/components/schemas/"
LOCATION = {"Location": {"required": True, "schema": {"type": "string"}}}
SECONDS = {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 0}}
FIELD = {"required": True, "description": "draft-ietf-httpapi-ratelimit-headers", "schema": {"type": "string"}}
HEADERS: dict[str, Any] = {
    "401": {"WWW-Authenticate": {"required": True, "schema": {"const": "Bearer"}}},
    "429": {"Retry-After": {"required": True, **SECONDS}, "RateLimit": FIELD, "RateLimit-Policy": FIELD},
    "503": {"Retry-After": {"required": True, **SECONDS}},
}


class FieldError(Struct):
    """One field that is wrong."""

    field: str
    code: str
    detail: str


class Problem(Struct):
    """RFC 9457. Further members depend on the code."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: list[FieldError] = []


def document(routes: Iterable[Route], *, url: str) -> dict[str, Any]:
    """The document of all `routes` that belong into it; `url` is where the shop is seen from."""
    shown = [route for route in routes if route.in_documents]
    bodies, results, queries = {}, {}, {}
    for route in shown:
        hints = get_type_hints(route.function)
        bodies[route.name] = next((struct_of(hints[n]) for n in ("data",) if n in hints), None)
        queries[route.name] = struct_of(hints["query"]) if "query" in hints else None
        results[route.name] = shown_result(hints.get("return"))
    kinds = [Problem, *(b for b in bodies.values() if b), *(r for r in results.values() if described(r))]
    kinds += [q for q in queries.values() if q]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REFERENCE + "{name}")
    names = plain_names(components)
    schemas = tuple(with_names(schema, names) for schema in schemas)
    components = {names[name]: with_names(with_patterns_of_ecma(shape), names) for name, shape in components.items()}
    named = {repr(kind): schema for kind, schema in zip(kinds, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in shown:
        paths.setdefault(route.path, {})[route.method.lower()] = operation(
            route, bodies[route.name], queries[route.name], results[route.name], named, components
        )
    add_links(shown, paths)
    for query in filter(None, queries.values()):  # they are shown as parameters
        components.pop(named[repr(query)]["$ref"].removeprefix(REFERENCE), None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sampan",
            "version": VERSION,
            "description": "The public API of the shop. Money is an integer in minor units; times are UTC.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": url}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "an API key or an access token"},
                "cart": {"type": "apiKey", "in": "header", "name": "X-Cart-Token"},
                "order": {"type": "apiKey", "in": "header", "name": "X-Order-Token"},
            },
        },
    }


def plain_names(components: Iterable[str]) -> dict[str, str]:
    """What each schema is called. Where two rooms have a word in common it is called after its room: `OrdersProblem`.

    The kernel's keeps the plain word. Without this the names would say in which of our modules a schema is.
    """
    found: dict[str, str] = {}
    for name in components:
        module, _, word = name.rpartition(".")
        room = module.removeprefix("sampan.services.").partition(".")[0] if ".services." in module else ""
        found[name] = room.title() + word
    if len(set(found.values())) != len(found):
        raise TypeError(f"two schemas have one name: {sorted(found.values())}")
    return found


def with_names(schema: Any, names: dict[str, str]) -> Any:
    """The schema with its references by those names."""
    if isinstance(schema, list):
        return [with_names(part, names) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: with_names(part, names) for name, part in schema.items()}
    if isinstance(reference := found.get("$ref"), str):
        found["$ref"] = REFERENCE + names[reference.removeprefix(REFERENCE)]
    return found


def with_patterns_of_ecma(schema: Any) -> Any:
    """The end of a text is `\\Z` in Python, where `$` lets a line feed pass, and `$` in a JSON Schema."""
    if isinstance(schema, list):
        return [with_patterns_of_ecma(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: with_patterns_of_ecma(part) for name, part in schema.items()}
    if isinstance(pattern := found.get("pattern"), str):
        found["pattern"] = pattern.replace(r"\Z", "$")
    return found


def shown_result(hint: Any) -> Any:
    """What a route answers with, beside redirects and other whole answers that it may return instead."""
    if get_origin(hint) in (Union, types.UnionType):
        return next((part for part in get_args(hint) if part not in (Answer, Stream)), Answer)
    return hint


def described(result: Any) -> bool:
    return (
        result is not None
        and result is not type(None)
        and not (isinstance(result, type) and issubclass(result, Answer | Stream))
    )


def operation(
    route: Route,
    body: type[Struct] | None,
    query: type[Struct] | None,
    result: Any,
    named: dict[str, Any],
    components: dict[str, Any],
) -> dict[str, Any]:
    """One operation with all its answers."""
    words = re.sub(r"{(\w+)}", r"by \1", route.path.removeprefix("/api/v1/"))
    text = inspect.getdoc(route.function) or ""
    found: dict[str, Any] = {
        "operationId": f"{route.method.lower()}_{re.sub(r'[^a-z0-9]+', '_', words.lower()).strip('_')}",
        "tags": [route.function.__module__.split(".")[2]],
        "summary": text.partition("\n")[0],
        "description": text,
        "parameters": [*path_parameters(route), *query_parameters(query, named, components), *header_parameters(route)],
        "responses": responses(route, body, result, named),
    }
    if body is not None:
        required = type(None) not in get_args(get_type_hints(route.function)["data"])
        found["requestBody"] = {"required": required, "content": {"application/json": {"schema": named[repr(body)]}}}
    elif route.takes:
        found["requestBody"] = {"required": True, "content": {kind: {} for kind in route.takes}}
    if "requestBody" in found:
        found["requestBody"]["description"] = f"at most {route.body_limit} bytes"
    if route.policy.permission:
        found["security"] = [{"key": []}]
        found["x-permission"] = route.policy.permission
    elif route.policy.token_header:
        found["security"] = [{"cart" if "Cart" in route.policy.token_header else "order": []}]
        if route.policy.token_header == order_holder.token_header:
            found["security"].append({"key": []})
    else:
        found["security"] = []
    return found


def add_links(routes: Iterable[Route], paths: dict[str, dict[str, Any]]) -> None:
    """What can be done next with what an answer has: every operation whose path is known from it."""
    routes = list(routes)
    for source in routes:
        if not source.leads:
            continue
        known = {name: f"$request.path.{name}" for name in names_in(source.path)}
        known |= {name: f"$response.body#{pointer}" for name, pointer in source.leads.items()}
        links = {}
        for target in routes:
            needed = names_in(target.path)
            if source.leads.keys() & set(needed) and known.keys() >= set(needed) and target is not source:
                name = paths[target.path][target.method.lower()]["operationId"]
                links[name] = {"operationId": name, "parameters": {name: known[name] for name in needed}}
        paths[source.path][source.method.lower()]["responses"][str(source.status)]["links"] = links


def names_in(path: str) -> list[str]:
    return re.findall(r"{(\w+)}", path)


def path_parameters(route: Route) -> list[dict[str, Any]]:
    hints = get_type_hints(route.function)
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "format": "uuid"} if hints.get(name) is UUID else {"type": "string"},
        }
        for name in names_in(route.path)
    ]


def query_parameters(
    query: type[Struct] | None, named: dict[str, Any], components: dict[str, Any]
) -> list[dict[str, Any]]:
    if query is None:
        return []
    name = named[repr(query)]["$ref"].removeprefix(REFERENCE)
    schema = components[name]
    hints = get_type_hints(query)
    found: list[dict[str, Any]] = []
    for field, shape in schema.get("properties", {}).items():
        if get_origin(hints.get(field)) is dict:
            found.append(attribute_parameters(field, shape))
            continue
        if "anyOf" in shape:  # what may be null is simply left out of a query
            options = [option for option in shape["anyOf"] if option != {"type": "null"}]
            shape = options[0] if len(options) == 1 else {"anyOf": options}
        found.append({"name": field, "in": "query", "required": False, "schema": shape})
    return found


def attribute_parameters(field: str, shape: dict[str, Any]) -> dict[str, Any]:
    """`attr.<code>=<value>` for any code: as an object whose members are parameters of their own (form, exploded)."""
    codes = shape.get("propertyNames", {})
    least, most = codes.get("minLength", 1), codes.get("maxLength", "")
    values = shape["additionalProperties"]
    return {
        "name": field,
        "in": "query",
        "required": False,
        "style": "form",
        "explode": True,
        "description": f"`{field}.<code>=<value>` for any code, again for each further value",
        "schema": {
            "type": "object",
            "patternProperties": {f"^{field}\\..{{{least},{most}}}$": values.get("items", values)},
            "additionalProperties": False,
        },
    }


def header_parameters(route: Route) -> list[dict[str, Any]]:
    if route.idempotency == "none":
        return []
    return [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": route.idempotency == "required",
            "description": "the same key and request have one effect and one answer for at least 24 hours",
            "schema": {"type": "string", "minLength": 8, "maxLength": 255, "pattern": "^[!-~]{8,255}$"},
        }
    ]


def responses(route: Route, body: type[Struct] | None, result: Any, named: dict[str, Any]) -> dict[str, Any]:
    kinds: list[type[ShopError]] = [BadRequest, UriTooLong, HeadersTooLarge, TooManyRequests, *route.errors]
    hints = get_type_hints(route.function)
    if body is not None:
        kinds += [PayloadTooLarge, RequestTimeout, UnsupportedMediaType, BadJson, Invalid]
        if "Money" in msgspec.json.schema(body).get("$defs", {}):
            kinds.append(UnknownCurrency)
    if route.takes:
        kinds += [PayloadTooLarge, RequestTimeout, UnsupportedMediaType]
    if "query" in hints:
        kinds.append(Invalid)
    if route.policy.permission:
        kinds += [Unauthenticated, Forbidden]
    else:
        kinds.append(Unauthenticated)  # for whoever sends a key that is none
    if "{" in route.path:
        kinds.append(NotFound)
    if route.idempotency != "none":
        kinds += [KeyMalformed, KeyReused, KeyInProgress]
    if route.idempotency == "required":
        kinds.append(KeyMissing)
    if route.method in UNSAFE:
        kinds += [Conflict]
    by_status: dict[str, set[str]] = {"503": {"kernel.database_unavailable", "kernel.overloaded"}}
    for kind in kinds:
        by_status.setdefault(str(kind.status), set()).add(kind.code)
    status = "204" if result in (None, type(None)) else str(route.status)
    success: dict[str, Any] = {"description": "done"}
    if described(result):
        success["content"] = {"application/json": {"schema": named[repr(result)]}}
    elif route.status in (301, 303):
        success["headers"] = LOCATION
    elif route.gives:
        success["content"] = {route.gives: {}}
    if get_args(result) and not described(result):
        raise TypeError(f"{route.name}: annotate the result with a Struct")
    found = {status: success}
    for code in sorted(by_status):
        found[code] = {"description": ", ".join(sorted(by_status[code]))}
        if code < "400":
            found[code]["headers"] = LOCATION
            continue
        found[code]["content"] = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        if code in HEADERS:
            found[code]["headers"] = HEADERS[code]
    return found
