"""Kong Gateway (3.x, open edition) as the edge: a declarative file for `KONG_DECLARATIVE_CONFIG` or `deck`.

Format: https://developer.konghq.com/gateway/entities/route/ and the pages of the plugins that are named here.
"""

from typing import Any, Final

from sampan.kernel.app import EVERYONE
from sampan.services.gateway.edge.nginx import TAKEN_AWAY
from sampan.services.gateway.edge.plan import BODY, CLOSED, Place, Plan
from sampan.services.gateway.edge.yaml import yaml
from sampan.services.gateway.rules import ANSWER_SECONDS, CONNECT_SECONDS

# Before Kong writes its own X-Forwarded-For and request id, what a client said in their place goes.
CLEAN: Final = "\n".join(
    [f'kong.service.request.clear_header("{name}")' for name in ("x-forwarded-for", "x-request-id", *TAKEN_AWAY)]
    + [
        'local said = kong.request.get_header("authorization")',
        'if said and said:lower():match("^%s*service%f[%s%z]") then',
        '  kong.service.request.clear_header("authorization")',
        "end",
    ]
)
HEAD: Final = """\
# Made by `sampan gateway render kong`; do not edit, render it again.
# Every service must have Kong's address in SAMPAN_TRUSTED_PROXIES.
"""
SIZE: Final = "request-size-limiting"


def render(plan: Plan) -> str:
    """The file."""
    services = [
        {
            "name": upstream.service,
            "protocol": upstream.scheme,
            "host": upstream.host,
            "port": upstream.port,
            "retries": 0,
            "connect_timeout": CONNECT_SECONDS * 1000,
            "read_timeout": ANSWER_SECONDS * 1000,
            "write_timeout": 15_000,
            "routes": [
                route(place, f"{upstream.service}-{number}", len(plan.places) - number)
                for number, place in enumerate(plan.places, start=1)
                if place.service == upstream.service
            ],
        }
        for upstream in plan.upstreams
    ]
    return HEAD + yaml(
        {
            "_format_version": "3.0",
            "services": services,
            "routes": [
                closed("closed", [f"~/(?:{'|'.join(CLOSED)})(?:/|$)"], 1_000_000),
                closed("nothing-here", plan.open_ends, 0),
            ],
            "plugins": [
                {"name": "pre-function", "config": {"rewrite": [CLEAN]}},
                {"name": "correlation-id", "config": {"header_name": "X-Request-Id", "echo_downstream": True}},
                {"name": SIZE, "config": size(BODY)},
                {
                    "name": "rate-limiting",
                    "config": {
                        "second": round(EVERYONE.times / EVERYONE.seconds),
                        "limit_by": "ip",
                        "policy": "local",
                        "fault_tolerant": True,
                    },
                },
            ],
        }
    )


def route(place: Place, name: str, priority: int) -> dict[str, Any]:
    """Paths that begin with `~` are regular expressions and go before all others, by their priority."""
    shape = place.path.replace(".", r"\.") if place.kind == "exact" else place.path
    found: dict[str, Any] = {
        "name": name,
        "paths": [place.path if place.kind == "prefix" else f"~{shape}$"],
        "regex_priority": 0 if place.kind == "prefix" else priority,
        "strip_path": False,
        "preserve_host": True,
    }
    if place.body != BODY:
        found["plugins"] = [{"name": SIZE, "config": size(place.body)}]
    return found


def size(limit: int) -> dict[str, Any]:
    return {"allowed_payload_size": limit, "size_unit": "bytes"}


def closed(name: str, paths: list[str], priority: int) -> dict[str, Any]:
    """A route without a service that always answers 404."""
    termination = {"name": "request-termination", "config": {"status_code": 404, "message": "Not found"}}
    return {"name": name, "paths": paths, "regex_priority": priority, "plugins": [termination]}
