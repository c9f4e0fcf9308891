"""The public answers about places."""

import json

import pytest

from sampan.kernel.openapi import document
from sampan.services.locations import routes

BASE = "/api/v1/locations/vn"
BEN_THANH = {
    "code": "26743",
    "name": "Bến Thành",
    "type": "phuong",
    "full_name": "Phường Bến Thành",
    "name_en": "Ben Thanh",
    "label": "Phường Bến Thành",
    "province_code": "79",
}


async def test_provinces_are_listed(shop):
    answer = await shop.http.get(f"{BASE}/provinces")
    assert answer.status_code == 200
    assert answer.headers["cache-control"].startswith("public")
    items = answer.json()["items"]
    assert len(items) == 34
    assert items[0] == {
        "code": "91",
        "name": "An Giang",
        "type": "tinh",
        "full_name": "Tỉnh An Giang",
        "name_en": "An Giang",
        "label": "Tỉnh An Giang",
    }


async def test_wards_are_listed_whole_and_narrowed(shop):
    every = (await shop.http.get(f"{BASE}/provinces/79/wards")).json()["items"]
    assert len(every) == 168
    assert BEN_THANH in every
    for q in ("ben th", "bến thành", "Phường Bến Thành"):
        answer = await shop.http.get(f"{BASE}/provinces/79/wards", params={"q": q})
        assert answer.json()["items"] == [BEN_THANH]


async def test_the_label_is_in_the_language_of_the_reader(shop):
    english = {"accept-language": "en"}
    items = (await shop.http.get(f"{BASE}/provinces", headers=english)).json()["items"]
    labels = {item["code"]: item["label"] for item in items}
    assert (labels["79"], labels["01"], labels["91"]) == ("Ho Chi Minh City", "Hanoi City", "An Giang Province")
    assert items[0]["full_name"] == "Tỉnh An Giang"
    found = await shop.http.get(f"{BASE}/provinces/82/wards", params={"q": "my tho"}, headers=english)
    assert {item["label"] for item in found.json()["items"]} == {"My Tho Ward", "My Tho Commune"}
    for type_of_unit in {"tinh", "thanh_pho", "phuong", "xa", "dac_khu"}:
        assert routes.ENGLISH[type_of_unit]


async def test_an_unknown_province_is_refused(shop):
    for code in ("00", "7", "hcm", "%27--", "79%20"):
        answer = await shop.http.get(f"{BASE}/provinces/{code}/wards")
        assert answer.status_code == 422
        assert answer.json()["code"] == "locations.unknown_place"


async def test_search_finds_wards_and_provinces_best_first(shop):
    answer = await shop.http.get(f"{BASE}/search", params={"q": "bến thành", "limit": 2})
    assert answer.status_code == 200
    first = answer.json()["items"][0]
    assert first["ward"] == BEN_THANH
    assert first["confidence"] == 100
    province = (await shop.http.get(f"{BASE}/search", params={"q": "Bình Dương"})).json()["items"]
    assert ("79", None) in [(match["province"]["code"], match["ward"] and match["ward"]["code"]) for match in province]
    assert len((await shop.http.get(f"{BASE}/search", params={"q": "tan", "limit": 7})).json()["items"]) == 7
    assert (await shop.http.get(f"{BASE}/search")).json() == {"items": []}


async def test_an_old_place_leads_to_the_new(shop):
    old = {"province": "TP.HCM", "district": "Thủ Đức", "ward": "Thảo Điền"}
    answer = await shop.http.post(f"{BASE}/convert", json=old)
    assert answer.status_code == 200
    (only,) = answer.json()["candidates"]
    assert (only["ward"]["code"], only["confidence"]) == ("27094", 100)
    divided = {"province": "79", "district": "760", "ward": "Đa Kao"}
    found = (await shop.http.post(f"{BASE}/convert", json=divided)).json()["candidates"]
    assert {candidate["ward"]["code"] for candidate in found} == {"26737", "26740"}
    confidences = [candidate["confidence"] for candidate in found]
    assert confidences == sorted(confidences, reverse=True)
    assert all(isinstance(confidence, int) and 0 < confidence <= 100 for confidence in confidences)
    assert (await shop.http.post(f"{BASE}/convert", json={})).json() == {"candidates": []}
    assert (await shop.http.post(f"{BASE}/convert", json={"ward": "không có đâu"})).json() == {"candidates": []}


async def test_a_pasted_address_is_read(shop):
    text = "Nguyễn Văn An\n0912.345.678\n12/3 Lê Lợi, P. Bến Thành, Q1, TPHCM"
    answer = await shop.http.post(f"{BASE}/parse", json={"text": text})
    assert answer.status_code == 200
    parts = answer.json()
    assert parts["candidates"][0]["ward"] == BEN_THANH
    assert {key: parts[key] for key in ("name", "phone", "street", "legacy")} == {
        "name": "Nguyễn Văn An",
        "phone": "+84912345678",
        "street": "12/3 Lê Lợi",
        "legacy": True,
    }
    assert 0 < parts["confidence"] <= 100
    nothing = (await shop.http.post(f"{BASE}/parse", json={"text": ""})).json()
    assert nothing == {"name": "", "phone": "", "street": "", "candidates": [], "legacy": False, "confidence": 0}


@pytest.mark.parametrize(
    "query",
    ["q=" + "a" * 121, "limit=0", "limit=51", "limit=x", "limit=-1", "offset=1", "cursor=a"],
)
async def test_a_search_has_limits(shop, query):
    assert (await shop.http.get(f"{BASE}/search?{query}")).status_code == 422


@pytest.mark.parametrize("query", ["q=a&q=b", "q=%00", "q=%ff", "q=%ed%a0%80"])
async def test_a_query_that_is_none_is_refused(shop, query):
    for path in ("/search", "/provinces/79/wards"):
        assert (await shop.http.get(f"{BASE}{path}?{query}")).status_code == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/parse", {}),
        ("/parse", {"text": None}),
        ("/parse", {"text": 1}),
        ("/parse", {"text": "a" * 1001}),
        ("/parse", {"text": "a", "more": 1}),
        ("/convert", {"ward": "a" * 121}),
        ("/convert", {"ward": ["Thảo Điền"]}),
        ("/convert", {"wards": "Thảo Điền"}),
        ("/convert", []),
    ],
)
async def test_a_body_that_does_not_fit_is_refused(shop, path, body):
    assert (await shop.http.post(BASE + path, json=body)).status_code == 422


HOSTILE = [
    "Tân Thành " * 12,
    "P.1, " * 24,
    "a\u0301\u0323" * 40,
    "📍👨‍👩‍👧‍👦" * 12,
    "\u202e\u200b\ufeff\x1b\x7f\r\n\t",
    "'; DROP TABLE locations.ward; --",
    "%_\\*?[](){}^$|",
    "=cmd|' /C calc'!A0",
    "９" * 60,
    "٢٦٧٤٣",
    "\U0010ffff" * 60,
    "ﷺ" * 60,
    "İıßﬁ" * 20,
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_texts_are_answered(shop, text):
    for path, body in (
        ("/parse", {"text": (text * 100)[:1000]}),
        ("/convert", {"province": text, "district": text, "ward": text}),
    ):
        answer = await shop.http.post(BASE + path, json=body)
        assert answer.status_code == 200
        json.loads(answer.content)
    for path in ("/search", "/provinces/79/wards"):
        assert (await shop.http.get(BASE + path, params={"q": text})).status_code == 200


def test_every_operation_is_documented():
    paths = document(routes.routes, url="http://shop.test")["paths"]
    assert set(paths) == {
        f"{BASE}/{path}" for path in ("provinces", "provinces/{code}/wards", "search", "convert", "parse")
    }
    assert all(operation.get("summary") for methods in paths.values() for operation in methods.values())
