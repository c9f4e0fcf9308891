"""The edge's configuration sends every address to its owner, in each of the three languages, and lets nothing forged in."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml as reader
from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.commands import main
from sampan.kernel.http import Route, public
from sampan.kernel.operations import operations
from sampan.kernel.settings import BadSetting, load
from sampan.run import declared
from sampan.services.gateway.edge import kong, kubernetes, nginx
from sampan.services.gateway.edge.plan import CLOSED, Place, Plan, owner_at, places_for, plan_for, upstream_at
from sampan.services.gateway.edge.yaml import yaml
from sampan.services.gateway.rules import owners_for

Find = Callable[[str], str | None]
TABLE = [(name, route) for name, service in declared(sandbox=True).items() for r in service.routes for route in r]
PRODUCTION = [(name, route) for name, service in declared(sandbox=False).items() for r in service.routes for route in r]
SETTINGS = load({"SAMPAN_PUBLIC_URL": "https://shop.example"}, home="/nonexistent")
PLAN = plan_for(PRODUCTION, SETTINGS)


def of(path: str, *, body: int = 1 << 20) -> Route:
    async def nothing() -> None:
        return None

    return Route("GET", path, nothing, public, body_limit=body)


def address(path: str, value: str = "0198c0de-0000-7000-8000-00000000abcd") -> str:
    """An address of a route."""
    return re.sub(r"{\w+\.\.\.}", f"{value}/{value}.webp", re.sub(r"{\w+}", value, path))


# --- what each language means -----------------------------------------------------------------------------------------


def by_nginx(text: str) -> Find:
    """https://nginx.org/en/docs/http/ngx_http_core_module.html#location"""
    found = re.findall(r"location (=|\^~|~)? ?\"?([^\s\"]+)\"? {(.*?)}", text)
    service = {
        key: (m[1] if (m := re.search(r"sampan_(\w+);", body)) else None)
        for *key_, body in found
        for key in [tuple(key_)]
    }

    def find(path: str) -> str | None:
        if ("=", path) in service:
            return service["=", path]
        prefixes = [key for key in service if key[0] in ("", "^~") and path.startswith(key[1])]
        longest = max(prefixes, key=lambda key: len(key[1]))
        if longest[0] != "^~":
            for key in service:
                if key[0] == "~" and re.search(key[1], path):
                    return service[key]
        return service[longest]

    return find


def by_kong(text: str) -> Find:
    """https://developer.konghq.com/gateway/entities/route/: expressions by their priority, then the longest prefix."""
    document = reader.safe_load(text)
    routes = [(service["name"], route) for service in document["services"] for route in service["routes"]]
    routes += [(None, route) for route in document["routes"]]

    def find(path: str) -> str | None:
        for name, route in sorted(routes, key=lambda each: -each[1]["regex_priority"]):
            if any(each.startswith("~") and re.match(each[1:], path) for each in route["paths"]):
                return name
        prefixes = [(p, name) for name, r in routes for p in r["paths"] if not p.startswith("~") and path.startswith(p)]
        return max(prefixes, key=lambda each: len(each[0]), default=("", None))[1]

    return find


def by_kubernetes(text: str) -> Find:
    """https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule: exact, then the longest prefix of whole segments."""
    rules = [rule for document in reader.safe_load_all(text) for rule in document["spec"]["rules"]]
    matches = [(match["path"], rule) for rule in rules for match in rule["matches"]]

    def find(path: str) -> str | None:
        def fits(match: Any) -> bool:
            if match["type"] == "PathPrefix":
                return path == match["value"] or path.startswith(match["value"].rstrip("/") + "/")
            return path == match["value"] if match["type"] == "Exact" else bool(re.fullmatch(match["value"], path))

        order = ("PathPrefix", "RegularExpression", "Exact")
        fitting = [each for each in matches if fits(each[0])]
        best = max(fitting, key=lambda each: (order.index(each[0]["type"]), len(each[0]["value"])), default=None)
        if best is None or any(each["type"] == "URLRewrite" for each in best[1]["filters"]):
            return None
        name: str = best[1]["backendRefs"][0]["name"]
        return name

    return find


LANGUAGES: dict[str, tuple[Callable[[Plan], str], Callable[[str], Find]]] = {
    "nginx": (nginx.render, by_nginx),
    "kong": (kong.render, by_kong),
    "kubernetes": (kubernetes.render, by_kubernetes),
    "plan": (lambda plan: "", lambda text: lambda path: owner_at(PLAN.places, path)),
}


@pytest.fixture(params=sorted(LANGUAGES))
def find(request: pytest.FixtureRequest) -> Find:
    """Where an address goes, by a configuration of the whole shop."""
    render, by = LANGUAGES[request.param]
    return by(render(PLAN))


@pytest.mark.parametrize("value", ["0198c0de-0000-7000-8000-00000000abcd", "ghe-nhua", "VN", "1.5"])
def test_every_route_goes_to_its_owner(find: Find, value: str) -> None:
    for service, route in PRODUCTION:
        path = address(route.path, value)
        assert find(path) == service, route.name


def test_what_nobody_serves_goes_to_the_storefront_and_in_the_api_to_nobody_else(find: Find) -> None:
    owners = owners_for(PRODUCTION)
    for path in ("/vi/khong-co-trang-nay", "/apis", "/internals", "/metrics2", "/healthy"):
        assert owners.find(path) is None
        assert find(path) == "storefront"
    for path in ("/api/", "/api/v1/", "/api/v1/nothing-here", "/api/v2/products", "/api/v1/admin/nothing"):
        assert find(path) is None, path


def test_what_is_not_public_goes_nowhere(find: Find) -> None:
    for path in ("/internal", "/internal/", "/internal/catalog/find_variants", "/metrics", "/health/live", "/health"):
        assert find(path) is None, path
    for route in operations:
        assert find(route.path) is None


def test_a_prefix_never_takes_an_address_of_another(find: Find) -> None:
    """Everything below a route that is no route itself goes to an owner of what is around it, or to nobody."""
    owners = owners_for(PRODUCTION)
    for _, route in PRODUCTION:
        for path in (f"{address(route.path)}/more", address(route.path).rpartition("/")[0] + "/other"):
            known = owners.find(path)
            if known is not None:
                assert find(path) == known[0].service, path
    assert find("/api/v1/products") == "search"
    assert find("/api/v1/products/ghe-nhua") == "catalog"


def test_closed_are_all_addresses_of_our_operation() -> None:
    assert CLOSED == ["health", "internal", "metrics"]


# --- any table --------------------------------------------------------------------------------------------------------

SEGMENTS = st.sampled_from(["a", "b", "c", "{x}"])
PATHS = st.lists(SEGMENTS, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


@settings(deadline=None, max_examples=50)
@given(
    st.dictionaries(
        PATHS,
        st.tuples(st.sampled_from(["one", "two", "storefront"]), st.sampled_from([1 << 20, 10 << 20])),
        min_size=1,
    )
)
def test_every_table_is_rendered_true(paths: dict[str, tuple[str, int]]) -> None:
    table = [(service, of(path, body=body)) for path, (service, body) in paths.items()]
    places = places_for(table)
    assert places == places_for(table[::-1])
    plan = Plan(
        [upstream_at(service, f"http://{service}:8000") for service in ("one", "storefront", "two")], places, ""
    )
    # Kubernetes leaves it to the Gateway which of two patterns goes first.
    able = ["nginx", "kong"] + ["kubernetes"] * all(place.kind != "pattern" for place in places)
    finds = [by(render(plan)) for name, (render, by) in LANGUAGES.items() if name in able]
    for service, route in table:
        path = address(route.path, "z")
        assert [owner_at(places, path), *(find(path) for find in finds)] == [service] * (1 + len(finds)), path
        exact = [place for place in places if place.kind != "prefix" and re.fullmatch(place.path, path)]
        assert route.body_limit == 1 << 20 or exact[0].body == route.body_limit


def test_few_places_stand_for_many_routes() -> None:
    assert places_for([("one", of("/v1/carts")), ("one", of("/v1/carts/{id}/lines")), ("two", of("/v1/files/{key...}"))]) == [
        Place("exact", "/v1/carts", "one"),
        Place("prefix", "/v1/carts/", "one"),
        Place("prefix", "/v1/files/", "two"),
    ]  # fmt: skip
    assert places_for([("one", of("/o/{id}/a")), ("two", of("/o/{id}/b.c"))]) == [
        Place("pattern", "/o/[^/]+/a", "one"),
        Place("pattern", r"/o/[^/]+/b\.c", "two"),
    ]


# --- what the files say ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("render", [nginx.render, kong.render, kubernetes.render])
def test_a_configuration_does_not_change_by_itself_and_holds_no_secret(render: Callable[[Plan], str]) -> None:
    secret = "a-secret-of-more-than-32-characters-0123456789"
    values = {
        "SAMPAN_SECRET": secret,
        "SAMPAN_DATABASE_URL": f"postgresql://u:{secret}@db/x",
        "SAMPAN_PUBLIC_URL": "https://shop.example",
    }
    text = render(plan_for(PRODUCTION[::-1], load(values, home="/nonexistent")))
    assert text == render(PLAN)
    assert secret not in text


def test_bodies_are_limited_as_the_routes_say() -> None:
    text = nginx.render(PLAN)
    assert "    client_max_body_size 1048576;" in text
    for service, route in PRODUCTION:
        if route.body_limit != 1 << 20:
            line = f"location = {route.path} {{ client_max_body_size {route.body_limit}; proxy_pass http://sampan_{service}; }}"
            assert line in text
    document = reader.safe_load(kong.render(PLAN))
    sizes = {
        p: r["plugins"][0]["config"]["allowed_payload_size"]
        for s in document["services"]
        for r in s["routes"]
        if "plugins" in r
        for p in r["paths"]
    }
    assert sizes["~/api/v1/admin/products/import$"] == sizes["~/api/v1/admin/media$"] == 10 << 20
    assert sizes["~/csp-report$"] == 16 << 10


def test_kong_gets_a_file_of_its_third_format() -> None:
    document = reader.safe_load(kong.render(PLAN))
    assert document["_format_version"] == "3.0"
    names = [r["name"] for s in document["services"] for r in s["routes"]] + [r["name"] for r in document["routes"]]
    assert len(set(names)) == len(names)
    assert all(
        not route["strip_path"] and route["preserve_host"] for s in document["services"] for route in s["routes"]
    )
    assert {plugin["name"] for plugin in document["plugins"]} == {
        "pre-function",
        "correlation-id",
        "request-size-limiting",
        "rate-limiting",
    }
    [clean] = document["plugins"][0]["config"]["rewrite"]
    for name in ("x-forwarded-for", "x-request-id", "x-deadline", "forwarded", "authorization"):
        assert f'clear_header("{name}")' in clean


def test_kubernetes_gets_routes_within_the_limits_of_its_api() -> None:
    documents = list(reader.safe_load_all(kubernetes.render(PLAN)))
    names = [document["metadata"]["name"] for document in documents]
    assert len(set(names)) == len(names)
    for document in documents:
        assert (document["apiVersion"], document["kind"]) == ("gateway.networking.k8s.io/v1", "HTTPRoute")
        assert document["spec"]["hostnames"] == ["shop.example"]
        assert len(document["spec"]["rules"]) <= 16
        assert all(len(rule["matches"]) <= 8 for rule in document["spec"]["rules"])
    elsewhere = plan_for([("one", of("/a"))], load({"SAMPAN_URL_ONE": "http://one.boats.svc:81"}, home="/nonexistent"))
    [route] = reader.safe_load_all(kubernetes.render(elsewhere))
    assert route["spec"]["rules"][0]["backendRefs"] == [{"name": "one", "port": 81, "namespace": "boats"}]
    for url in ("http://10.0.0.1:8000", "http://one.example.com", "http://one.boats"):
        with pytest.raises(BadSetting):
            kubernetes.render(plan_for([("one", of("/a"))], load({"SAMPAN_URL_ONE": url}, home="/nonexistent")))


def test_services_are_where_the_settings_say() -> None:
    plan = plan_for(TABLE, load({"SAMPAN_URL_CATALOG": "https://[::1]:9000/"}, home="/nonexistent"))
    assert (plan.upstream("catalog").address, plan.upstream("catalog").scheme) == ("[::1]:9000", "https")
    assert plan.upstream("orders").address == "orders:8000"
    assert "server [::1]:9000;" in nginx.render(plan)
    together = plan_for(TABLE, SETTINGS, to="http://127.0.0.1:8000")
    assert {upstream.address for upstream in together.upstreams} == {"127.0.0.1:8000"}


@pytest.mark.parametrize(
    "url",
    [
        "catalog:8000",
        "ftp://catalog",
        "http://",
        "http://a b",
        "http://a;}",
        "http://u:p@a",
        "http://a/x",
        "http://a:0x1",
        "http://a:99999",
        "http://a\\b",
    ],
)
def test_an_address_that_could_mean_more_is_refused(url: str) -> None:
    with pytest.raises(BadSetting):
        upstream_at("catalog", url)


def test_a_shop_whose_name_could_mean_more_is_refused() -> None:
    with pytest.raises(BadSetting):
        plan_for(TABLE, load({"SAMPAN_PUBLIC_URL": "https://shop;{}"}, home="/nonexistent"))


DATA = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(
            st.from_regex(r"[a-z_]{3,6}", fullmatch=True).filter(
                lambda k: k not in ("yes", "true", "off", "null", "false")
            ),
            inner,
        ),
    ),
)


@settings(deadline=None, max_examples=20)
@given(DATA)
def test_yaml_is_read_as_it_was_written(value: Any) -> None:
    printable = json.loads(re.sub(r"\\u(d[89a-f]..|0085|2028|2029|feff|fff[ef]|00[7-9].)", "", json.dumps(value)))
    assert reader.safe_load(yaml(printable)) == printable


def test_the_command_prints_the_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def command(*arguments: str) -> tuple[str, int]:
        code = 0
        try:
            main(["gateway", "render", *arguments, "--home", str(tmp_path)])
        except SystemExit as end:
            code = int(str(end.code))
        return capsys.readouterr().out, code

    assert "listen 127.0.0.1:8080;" in command("nginx", "--listen", "127.0.0.1:8080")[0]
    assert by_kong(command("kong", "catalog", "search")[0])("/api/v1/carts") is None
    assert "sandbox" not in command("kubernetes")[0]
    assert command("nginx", "no-such-service") == ("", 17)
    assert command("nginx", "--to", "nowhere") == ("", 14)
