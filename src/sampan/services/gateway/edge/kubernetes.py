"""Kubernetes' Gateway API (gateway.networking.k8s.io/v1) as the edge: HTTPRoutes, a few for each service.

Specification: https://gateway-api.sigs.k8s.io/reference/spec/. What the API cannot say (sizes of bodies, rates, request
ids) every service does itself at its own edge.
"""

import re
from typing import Any, Final

from sampan.kernel.settings import BadSetting
from sampan.services.gateway.edge.nginx import TAKEN_AWAY
from sampan.services.gateway.edge.plan import CLOSED, FALLBACK, Place, Plan, Upstream
from sampan.services.gateway.edge.yaml import yaml
from sampan.services.gateway.rules import ANSWER_SECONDS

GATEWAY: Final = "sampan"  # the name of the Gateway that the routes belong to
MATCHES: Final = 8  # of one rule, which is what every release of the API takes
RULES: Final = 16  # of one HTTPRoute
LABEL: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
NOTHING: Final = "/404"  # where closed addresses lead: the storefront says that there is nothing
HEAD: Final = """\
# Made by `sampan gateway render kubernetes`; do not edit, render it again.
# The routes belong to the Gateway `sampan`, which is yours: listeners, certificates, rates. It adds the client's
# address to X-Forwarded-For; its own address belongs into SAMPAN_TRUSTED_PROXIES of every service.
"""


def render(plan: Plan) -> str:
    """The manifests, one document each. Raises BadSetting for a service that is not found by a name."""
    documents = []
    for upstream in plan.upstreams:
        places = [place for place in plan.places if place.service == upstream.service]
        rules = [rule(upstream, group) for group in batches(places, MATCHES)]
        if upstream.service == FALLBACK:
            rules.append(closing(upstream, [*CLOSED, *(path.strip("/") for path in plan.open_ends if path != "/")]))
        for number, group in enumerate(batches(rules, RULES), start=1):
            name = upstream.service.replace("_", "-") + (f"-{number}" if number > 1 else "")
            documents.append(http_route(plan, name, group))
    return HEAD + "---\n".join(yaml(document) for document in documents)


def http_route(plan: Plan, name: str, rules: list[Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {"parentRefs": [{"name": GATEWAY}]}
    if plan.host:
        spec["hostnames"] = [plan.host]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "sampan"}},
        "spec": {**spec, "rules": rules},
    }


def rule(upstream: Upstream, places: list[Place]) -> dict[str, Any]:
    return {
        "matches": [{"path": match(place)} for place in places],
        "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": TAKEN_AWAY}}],
        "backendRefs": [backend(upstream)],
        "timeouts": {"request": f"{ANSWER_SECONDS}s"},
    }


def match(place: Place) -> dict[str, str]:
    """A prefix of the API ends with a whole segment, so that its last slash goes without saying."""
    if place.kind == "prefix":
        return {"type": "PathPrefix", "value": place.path.rstrip("/") or "/"}
    if place.kind == "exact":
        return {"type": "Exact", "value": place.path}
    return {"type": "RegularExpression", "value": place.path}


def closing(storefront: Upstream, names: list[str]) -> dict[str, Any]:
    """What is not public looks like what is not there."""
    rewrite = {"path": {"type": "ReplaceFullPath", "replaceFullPath": NOTHING}}
    return {
        "matches": [{"path": {"type": "PathPrefix", "value": f"/{name}"}} for name in names],
        "filters": [{"type": "URLRewrite", "urlRewrite": rewrite}],
        "backendRefs": [backend(storefront)],
    }


def backend(upstream: Upstream) -> dict[str, Any]:
    """A Service, in a namespace of its own if the address says so: `catalog.shop.svc`."""
    labels = upstream.host.split(".")
    if not all(LABEL.match(label) for label in labels) or len(labels) == 2 or labels[2:3] not in ([], ["svc"]):
        setting = f"SAMPAN_URL_{upstream.service.upper()}"
        raise BadSetting(f"{setting}: {upstream.host} is no Service, like catalog or catalog.shop.svc")
    found: dict[str, Any] = {"name": labels[0], "port": upstream.port}
    if len(labels) > 1:
        found["namespace"] = labels[1]
    return found


def batches(values: list[Any], most: int) -> list[list[Any]]:
    return [values[start : start + most] for start in range(0, len(values), most)]
