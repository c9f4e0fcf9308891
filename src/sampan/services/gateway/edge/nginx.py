"""nginx (1.18 or later) as the edge: a file for its `conf.d`, at the level of `http`.

Directives: https://nginx.org/en/docs/dirindex.html
"""

from collections.abc import Mapping
from typing import Final

from sampan.kernel import context
from sampan.kernel.app import EVERYONE, NoSuchAddress
from sampan.kernel.errors import RemoteUnavailable, ShopError, TooManyRequests
from sampan.kernel.http import PayloadTooLarge, problem
from sampan.services.gateway.edge.plan import BODY, CLOSED, Place, Plan
from sampan.services.gateway.rules import ANSWER_SECONDS, CONNECT_SECONDS, NOT_FORWARDED

# What only we may say of a client; the connection's own headers are nginx's business.
OURS: Final = ("x-forwarded-for", "x-request-id", "host")
TAKEN_AWAY: Final = sorted(
    name for raw in NOT_FORWARDED if (name := raw.decode()).startswith(("x-", "forwarded", "te")) and name not in OURS
)
REFUSALS: Final[Mapping[str, ShopError]] = {
    "404": NoSuchAddress("there is nothing at this address"),
    "413": PayloadTooLarge("the body is larger than this operation takes"),
    "429": TooManyRequests("too many requests", retry_after=1),
    "502 503 504": RemoteUnavailable("the shop does not answer at the moment", retry_after=2),
}

HEAD: Final = """\
# Made by `sampan gateway render nginx`; do not edit, render it again. Belongs into the http block (conf.d).
# What is yours (TLS, names of trusted balancers) goes into sampan.d/*.conf, inside the server block.
# Every service must have this proxy's address in SAMPAN_TRUSTED_PROXIES.

# A service's own word counts only inside; from outside it never arrives.
map $http_authorization $sampan_authorization {
    default $http_authorization;
    "~*^\\s*service(\\s|$)" "";
}
# One client: an IPv4 address, or the /64 of an IPv6 address.
map $binary_remote_addr $sampan_client {
    default $binary_remote_addr;
    "~(?s)^(?<net>.{8}).{8}$" $net;
}
"""


def render(plan: Plan, *, listen: str = "80") -> str:
    """The file. `listen` is what nginx's directive of that name takes."""
    lines = [HEAD]
    rate = f"{round(EVERYONE.times / EVERYONE.seconds)}r/s"
    lines.append(f"limit_req_zone $sampan_client zone=sampan:10m rate={rate};\n")
    for upstream in plan.upstreams:
        # A connection is used once, so that no write meets one that ends in the same moment.
        lines.append(f"upstream sampan_{upstream.service} {{ server {upstream.address}; }}")
    lines.append("\nserver {")
    lines += [f"    {line}" if line else "" for line in server_lines(plan, listen)]
    lines.append("}")
    return "\n".join(lines) + "\n"


def server_lines(plan: Plan, listen: str) -> list[str]:
    lines = [
        f"listen {listen};",
        f"server_name {plan.host or '_'};",
        "include sampan.d/*.conf;",
        "server_tokens off;",
        "gzip off;  # the shop compresses",
        "client_header_buffer_size 2k;",
        "large_client_header_buffers 4 8k;",
        "client_header_timeout 10s;",
        "client_body_timeout 15s;",
        "send_timeout 30s;",
        f"client_max_body_size {BODY};",
        "",
        f"limit_req zone=sampan burst={EVERYONE.capacity} nodelay;",
        "limit_req_status 429;",
        "",
        "proxy_http_version 1.1;",
        "proxy_redirect off;",
        f"proxy_connect_timeout {CONNECT_SECONDS}s;",
        f"proxy_read_timeout {ANSWER_SECONDS}s;",
        "proxy_send_timeout 15s;",
        "proxy_next_upstream off;  # a write may have happened although its answer was lost",
        "proxy_max_temp_file_size 0;  # long answers wait for their readers",
        'proxy_set_header Connection "";',
        "proxy_set_header Host $http_host;",
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_set_header X-Request-Id $request_id;",
        "proxy_set_header Authorization $sampan_authorization;",
        *(f'proxy_set_header {name.title()} "";' for name in TAKEN_AWAY),
        "proxy_hide_header X-Request-Id;",
        "add_header X-Request-Id $request_id always;",
        "",
    ]
    for codes, refusal in REFUSALS.items():
        lines.append(f"error_page {codes} ={refusal.status} @refused_{refusal.status};")
    for refusal in REFUSALS.values():
        lines += refusal_lines(refusal)
    lines.append("")
    for name in CLOSED:
        lines.append(f"location = /{name} {{ return 404; }}")
        lines.append(f"location ^~ /{name}/ {{ return 404; }}")
    for path in plan.open_ends:
        lines.append(f"location {path} {{ return 404; }}")
    for place in plan.places:
        lines += location_lines(plan, place)
    return lines


def location_lines(plan: Plan, place: Place) -> list[str]:
    signs = {"exact": f"= {place.path}", "prefix": place.path, "pattern": f'~ "^{place.path}$"'}
    upstream = plan.upstream(place.service)
    body = f" client_max_body_size {place.body};" if place.body != BODY else ""
    target = f"proxy_pass {upstream.scheme}://sampan_{place.service};"
    return [f"location {signs[place.kind]} {{{body} {target} }}"]


def refusal_lines(refusal: ShopError) -> list[str]:
    """The edge refuses in the same form as the shop."""
    with context.working_as(context.ANONYMOUS, request="$request_id"):
        answer = problem(refusal)
    headers = [(name.decode().title(), value.decode()) for name, value in answer.headers]
    lines = [f"location @refused_{refusal.status} {{", "    internal;", "    default_type application/problem+json;"]
    for name, value in (*headers, ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")):
        lines.append(f"    add_header {name} {value} always;")
    lines += [
        "    add_header X-Request-Id $request_id always;",
        f"    return {refusal.status} '{answer.body.decode()}';",
    ]
    return [*lines, "}"]
