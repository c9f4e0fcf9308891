"""Imports and exports on a real database: round trips, errors by row, kills in the middle, two workers at once."""

import csv
import gzip
import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.catalog.tables import PATH, counts, exported, imported, items, sent, simple, table
from tests.conftest import dice

from sampan.kernel.catalogue import Catalogue
from sampan.kernel.ids import uuid7
from sampan.services.catalog.actions import importing
from sampan.services.catalog.actions.importing import MOST_OPEN, BadImport, TooManyImports
from sampan.services.catalog.contract import ProductChanged
from sampan.services.catalog.rules import Draft, NewMedia, NewVariant, ProductType

Drafts = Callable[..., Draft]
pytestmark = pytest.mark.usefixtures("nothing_waits")
DATA = Path(os.environ.get("SAMPAN_REFERENCE_DATA") or Path(__file__).parents[3] / "shared" / "data")


# --- round trips --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", ["comma", "semicolon", "tab"])
async def test_what_was_exported_changes_nothing_when_it_comes_back(
    catalog: Any, shop: Any, writer: Any, draft: Drafts, picture: Any, separator: str
) -> None:
    media = await catalog.keep_picture(data=picture(), alt={})
    slug = f"ke-{uuid4().hex[:8]}"
    await catalog.put_category(slug=slug, name={"vi": "Kệ"}, description={}, parent=None, position=1)
    odd = {"vi": '=HYPERLINK(1);"a",\r\n\'=2', "en": "\tx"}
    await catalog.create_products(
        drafts=[
            draft(name=odd, summary=odd, description=odd, brand="@brand", categories=[slug], channels=["web", "pos"]),
            draft(media=[NewMedia(media.url, {"vi": "-1|\\", "en": ""}), NewMedia(media.url, {})], status="archived"),
            draft(options=[], variants=[NewVariant(f"{slug}-1", grams=5, size_mm=[1, 2, 3], barcode="00012345")]),
        ]
    )
    before = await exported(shop, writer, f"?separator={separator}")
    assert before.startswith("\ufeffhandle".encode())
    report = await imported(shop, writer, before)
    assert counts(report) == (0, 0, report["products"], 0), await items(shop, writer, report, "?outcome=refused")
    assert report["products"] >= 3
    assert await exported(shop, writer, f"?separator={separator}") == before


async def test_no_cell_of_an_export_is_a_formula(catalog: Any, shop: Any, writer: Any, draft: Drafts) -> None:
    for start in "=+-@\t\r":
        await catalog.create_product(draft=draft(name={"vi": f"{start}1+1", "en": f"'{start}1+1"}))
    rows = csv.reader(io.StringIO((await exported(shop, writer)).decode("utf-8-sig"), newline=""))
    assert not [cell for row in rows for cell in row if cell.startswith(tuple("=+-@\t\r"))]


async def test_an_export_comes_in_pieces_and_holds_no_connection(catalog: Any, shop: Any, draft: Drafts) -> None:
    await catalog.create_products(drafts=[draft() for _ in range(120)])
    pieces = catalog.export(separator="comma")
    first = await anext(pieces)
    assert first.count(b"\r\n") == 1
    second = await anext(pieces)
    assert 100 <= second.count(b"\r\n") <= 100 * 200
    slow = [catalog.export(separator="comma") for _ in range(20)]  # more than there are connections
    for each in slow:
        assert (await anext(each), await anext(each)) == (first, second)
    assert b"".join([piece async for piece in pieces])


async def test_a_file_that_is_sent_twice_changes_nothing_the_second_time(
    catalog: Any, shop: Any, writer: Any, news: Any
) -> None:
    body = simple(uuid4().hex[:8], 3)
    assert counts(await imported(shop, writer, body)) == (3, 0, 0, 0)
    told = await news()
    assert counts(await imported(shop, writer, body)) == (0, 0, 3, 0)
    assert await told(ProductChanged) == []


async def test_spaces_around_a_handle_are_no_part_of_the_address(catalog: Any, shop: Any, writer: Any) -> None:
    tag = uuid4().hex[:8]
    body = table([f" ghe-{tag}\u00a0", tag, "furniture", "Ghế", "published"])
    assert counts(await imported(shop, writer, body)) == (1, 0, 0, 0)
    assert (await catalog.find_product(key=f"ghe-{tag}")).slug == f"ghe-{tag}"
    assert counts(await imported(shop, writer, body)) == (0, 0, 1, 0)


async def test_a_cell_of_spaces_is_no_name(catalog: Any, shop: Any, writer: Any) -> None:
    tag = uuid4().hex[:8]
    columns = "handle,sku,product_type,name_vi,status,name_en"
    body = table([f"ghe-{tag}", tag, "furniture", f"Ghế {tag}", "published", " "], columns=columns)
    assert counts(await imported(shop, writer, body)) == (1, 0, 0, 0)
    answer = await shop.http.get(f"/api/v1/products/ghe-{tag}", headers={"accept-language": "en"})
    assert answer.json()["name"] == f"Ghế {tag}"
    assert counts(await imported(shop, writer, body)) == (0, 0, 1, 0)


async def test_a_change_is_made_like_any_other_and_told(
    catalog: Any, shop: Any, writer: Any, draft: Drafts, news: Any
) -> None:
    made = await catalog.create_product(draft=draft())
    told = await news()
    body = table(
        [made.slug, made.draft.variants[0].sku, "Ghế tre", "ghe-" + uuid4().hex], columns="handle,sku,name_vi,slug_vi"
    )
    report = await imported(shop, writer, body)
    assert counts(report) == (0, 1, 0, 0)
    [event] = await told(ProductChanged)
    assert (event.product.name["vi"], event.was) == ("Ghế tre", made.document.slugs)
    now = await catalog.find_draft(product_id=made.id)
    assert (now.version, len(now.draft.variants)) == (2, 2)
    [item] = (await items(shop, writer, report))["items"]
    assert (item["outcome"], item["product_id"], item["row"]) == ("changed", str(made.id), 2)
    assert {change["column"]: change["after"] for change in item["changes"]} == {
        "name_vi": "Ghế tre",
        "slug_vi": now.slug,
    }
    assert counts(await imported(shop, writer, body)) == (0, 0, 1, 0)  # the old handle still leads there


async def test_events_name_who_sent_the_file(catalog: Any, shop: Any, writer: Any) -> None:
    tag = uuid4().hex[:8]
    report = await imported(shop, writer, simple(tag, 1))
    async with shop.db("catalog").read() as tx:
        sql = "SELECT actor FROM catalog.outbox WHERE body #>> '{product,slug}' = $1"
        actor = await tx.one(str, sql, f"ghe-{tag}-0")
        assert actor == await tx.one(str, "SELECT actor FROM catalog.import WHERE id = $1", report["id"])
    assert actor.startswith("staff:")


# --- dry runs -----------------------------------------------------------------------------------------------------------


async def test_a_dry_run_tells_the_differences_and_writes_nothing(
    catalog: Any, shop: Any, writer: Any, draft: Drafts, news: Any
) -> None:
    made = await catalog.create_product(draft=draft())
    sku, tag = made.draft.variants[0].sku, uuid4().hex[:8]
    rows = [
        [made.slug, sku, "", "Ghế tre", ""],
        [f"moi-{tag}", tag, "furniture", "Mới", ""],
        [f"x-{tag}", sku, "furniture", "X", ""],
    ]
    before, told = await exported(shop, writer), await news()
    report = await imported(shop, writer, table(*rows), "?dry_run=true")
    assert (report["dry_run"], counts(report)) == (True, (1, 1, 0, 1))
    listed = (await items(shop, writer, report))["items"]
    assert [(item["outcome"], item["row"]) for item in listed] == [("changed", 2), ("created", 3), ("refused", 4)]
    assert listed[0]["changes"] == [
        {"sku": "", "column": "name_vi", "before": made.draft.name["vi"], "after": "Ghế tre"}
    ]
    assert listed[1]["product_id"] is None
    assert await exported(shop, writer) == before
    assert await told(ProductChanged) == []


# What rows of one file take from each other. {t} is the file's own tag, {a} and {b} are addresses of a product there is
# already, {r} and {s} its SKUs. Columns: handle, sku, name_vi, name_en, slug_vi, slug_en.
QUARRELS = {
    "a handle is the address made from an earlier name": [
        ("ghe-{t}", "{t}-1", "Ghế", "Chair {t}", "", ""),
        ("chair-{t}", "{t}-2", "Ghế", "", "", ""),
    ],
    "a handle is the address made from an earlier name, and its row is wrong": [
        ("ghe-{t}", "{t}-1", "Ghế", "Chair {t}", "", ""),
        ("chair-{t}", "{t}-2", "", "", "", ""),
    ],
    "an address is an earlier handle": [
        ("ghe-{t}", "{t}-1", "Ghế", "", "", ""),
        ("ban-{t}", "{t}-2", "Bàn", "", "", "ghe-{t}"),
    ],
    "an address is asked for twice": [
        ("ghe-{t}", "{t}-1", "Ghế", "", "", "seat-{t}"),
        ("ban-{t}", "{t}-2", "Bàn", "", "", "seat-{t}"),
        ("{a}", "{r}", "Ghế nhựa", "", "", "seat-{t}"),
    ],
    "a handle is the address that another product moves to": [
        ("{a}", "{r}", "Ghế nhựa", "", "ghe-{t}", ""),
        ("ghe-{t}", "{t}-2", "Ghế", "", "", ""),
    ],
    "two handles of one product, the second in order": [
        ("{a}", "{r}", "Một", "", "", ""),
        ("{b}", "{s}", "Hai", "", "", ""),
    ],
    "two handles of one product, the first of them refused": [
        ("{a}", "{r}", "Một", "", "", "NOT/AN/ADDRESS"),
        ("{b}", "{s}", "Hai", "", "", ""),
    ],
    "a SKU stands twice": [
        ("ghe-{t}", "{t}-1", "Ghế", "", "", ""),
        ("ban-{t}", "{t}-1", "Bàn", "", "", ""),
    ],
}
# Of these nothing is refused but the first row of the last: what is refused takes nothing.
PEACE = {
    "two names make the same address": [
        ("ghe-{t}", "{t}-1", "Ghế", "Chair {t}", "", ""),
        ("ban-{t}", "{t}-2", "Bàn", "Chair {t}", "", ""),
    ],
    "what was refused took no address": [
        ("ghe-{t}", "{t}-1", "", "", "", "seat-{t}"),
        ("ban-{t}", "{t}-2", "Bàn", "", "", "seat-{t}"),
        ("seat-ghe-{t}", "{t}-3", "Bàn", "", "", ""),
    ],
}


@pytest.mark.parametrize("batch", [1, 2, 3, 50])
async def test_a_dry_run_tells_what_the_real_run_tells_wherever_batches_end(
    catalog: Any, shop: Any, writer: Any, draft: Drafts, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    rows: list[list[str]] = []
    for number, quarrel in enumerate([*QUARRELS.values(), *PEACE.values()]):
        made = await catalog.create_product(draft=draft())
        words = {
            "t": f"{number}-{uuid4().hex[:8]}",
            "a": made.slug, "b": made.document.slugs["en"],
            "r": made.draft.variants[0].sku, "s": made.draft.variants[1].sku,
        }  # fmt: skip
        found = [[cell.format(**words) for cell in row] for row in quarrel]
        rows += [[*row[:2], "" if row[0] == made.slug else "furniture", *row[2:]] for row in found]
    dice("quarrels").shuffle(others := rows[:])
    columns = "handle,sku,product_type,name_vi,name_en,slug_vi,slug_en"
    for order in (rows, rows[::-1], others):  # the last is the one that is written
        told = []
        for size in (1, 2, 3, 50):
            monkeypatch.setattr(importing, "BATCH", size)
            told.append(await outcomes(shop, writer, table(*order, columns=columns), "?dry_run=true"))
        assert told == [told[0]] * 4
    monkeypatch.setattr(importing, "BATCH", batch)
    assert await outcomes(shop, writer, table(*others, columns=columns)) == told[0]
    assert await catalog.invariants() == []


@pytest.mark.parametrize("quarrel", QUARRELS)
async def test_a_dry_run_sees_what_an_earlier_batch_would_have_taken(
    catalog: Any, shop: Any, writer: Any, draft: Drafts, monkeypatch: pytest.MonkeyPatch, quarrel: str
) -> None:
    made, tag = await catalog.create_product(draft=draft()), uuid4().hex[:8]
    skus = [variant.sku for variant in made.draft.variants]
    words = {"t": tag, "a": made.slug, "b": made.document.slugs["en"], "r": skus[0], "s": skus[1]}
    rows = [[cell.format(**words) for cell in row] for row in QUARRELS[quarrel]]
    between = [[f"khac-{tag}-{i}", f"{tag}-khac-{i}", "Khác", "", "", ""] for i in range(importing.BATCH)]
    lines = [rows[0], *between, *rows[1:]]
    columns = "handle,sku,product_type,name_vi,name_en,slug_vi,slug_en"
    body = table(*[[*row[:2], "furniture", *row[2:]] for row in lines], columns=columns)
    dry = await imported(shop, writer, body, "?dry_run=true")
    assert {error["row"] for error in dry["errors"]} & {len(lines) + 1, len(lines)}
    real = await imported(shop, writer, body)
    assert (dry["errors"], counts(dry)) == (real["errors"], counts(real))


async def outcomes(shop: Any, writer: Any, body: bytes, query: str = "") -> Any:
    """What an import tells of each row, without the ids of products that it made."""
    listed = (await items(shop, writer, await imported(shop, writer, body, query), "?limit=100"))["items"]
    return [(item["row"], item["outcome"], item["errors"], sorted(map(str, item["changes"]))) for item in listed]


# --- wrong rows, wrong files --------------------------------------------------------------------------------------------


async def test_wrong_rows_are_reported_and_the_good_ones_land(
    catalog: Any, shop: Any, writer: Any, draft: Drafts
) -> None:
    made = await catalog.create_product(draft=draft())
    tag = uuid4().hex[:8]
    body = table(
        [f"a-{tag}", f"{tag}-1", "furniture", "Tốt", "published"],
        [f"b-{tag}", f"{tag}-2", "furniture", "", "published"],
        [f"c-{tag}", made.draft.variants[0].sku, "furniture", "Của người khác", ""],
        [f"d-{tag}", f"{tag}-1", "furniture", "Hai lần", ""],
        ["Đ", f"{tag}-5", "furniture", "X", ""],
        ["", f"{tag}-6", "furniture", "X", ""],
        [f"e-{tag}", "", "furniture", "X", ""],
        [f"f-{tag}", f"{tag}-7", "furniture", "X\x00", ""],
        [f"g-{tag}", f"{tag}-8", "furniture"],
        [f"h-{tag}", f"{tag}-9", "furniture", "X", "sold"],
        [f"i-{tag}", f"{tag}-10", "no_such_type", "X", ""],
        [f"j-{tag}", f"{tag}-11", "furniture", "=1+1", ""],
    )  # fmt: skip
    report = await imported(shop, writer, body)
    assert counts(report) == (2, 0, 0, 10)
    assert [(error["row"], error["column"], error["code"]) for error in report["errors"]] == [
        (3, "name_vi", "missing"), (4, "sku", "sku_taken"), (5, "sku", "duplicate"), (6, "handle", "pattern"),
        (7, "handle", "missing"), (8, "sku", "missing"), (9, "name_vi", "characters"), (10, "", "cells"),
        (11, "status", "choice"), (12, "product_type", "unknown"),
    ]  # fmt: skip
    vi = (await items(shop, writer, report, "?outcome=refused&limit=100"))["items"]
    en = (await items(shop, writer, report, "?outcome=refused&limit=100", **{"accept-language": "en"}))["items"]
    assert vi[1]["errors"][0]["detail"] == f"SKU “{made.draft.variants[0].sku}” thuộc về sản phẩm khác."
    assert en[1]["errors"][0]["detail"] == f"The SKU “{made.draft.variants[0].sku}” belongs to another product."
    assert (await catalog.find_product(key=f"a-{tag}")).name == {"vi": "Tốt"}
    [found] = await catalog.find_skus(skus=[f"{tag}-11"])
    assert (await catalog.find_draft(product_id=found.product_id)).draft.name == {"vi": "=1+1"}


async def test_what_is_not_there_is_named(catalog: Any, shop: Any, writer: Any, draft: Drafts) -> None:
    made = await catalog.create_product(draft=draft())
    slug = f"ke-{uuid4().hex[:8]}"
    await catalog.put_category(slug=slug, name={"vi": "Kệ"}, description={}, parent=None, position=1)
    for column, cell, named in (
        ("categories", f"{slug}|khong-co", "khong-co"),
        ("pictures", "https://example.com/a.jpg", "https://example.com/a.jpg"),
        ("variant_pictures", "7", "7"),
    ):
        body = table([made.slug, made.draft.variants[0].sku, cell], columns=f"handle,sku,{column}")
        [error] = (await imported(shop, writer, body))["errors"]
        assert (error["column"], error["detail"]) == (column, f"Không có “{named}” ở đây.")


async def test_the_products_of_an_import_are_paged(catalog: Any, shop: Any, writer: Any) -> None:
    report = await imported(shop, writer, simple(uuid4().hex[:8], 3))
    first = await items(shop, writer, report, "?limit=2")
    rest = await items(shop, writer, report, f"?limit=2&cursor={first['next']}")
    assert [item["row"] for item in first["items"] + rest["items"]] == [2, 3, 4]
    assert rest["next"] is None
    assert (await items(shop, writer, report, "?outcome=refused"))["items"] == []
    for query in (
        "?outcome=lost",
        "?limit=0",
        "?cursor=abc",
        "?cursor=WzFlOTld",
        "?cursor=WzkyMjMzNzIwMzY4NTQ3NzU4MDhd",
    ):
        answer = await shop.http.get(f"{PATH}/imports/{report['id']}/products{query}", headers=writer)
        assert answer.status_code == 422, query
    for path in (f"{PATH}/imports/{uuid7()}", f"{PATH}/imports/{uuid7()}/products"):
        assert (await shop.http.get(path, headers=writer)).status_code == 404


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"handle,sku\r\n", "no_rows"),
        ("handle,sku,name_vi\r\na,b,Ghế".encode("utf-16"), "encoding"),
        (b'handle,sku\r\na,"b\r\nc,d\r\n', "malformed"),
        (b"," * 1_000_000, "wide"),
        (b"handle,sku," + b",".join(b"c%d" % i for i in range(90_000)) + b"\r\na,b\r\n", "unknown"),
        (b"handle,sku,price\r\na,b,1\r\n", "unknown"),
        (b"handle,sku,sku\r\na,b,c\r\n", "twice"),
        (b"handle,name_vi\r\na,b\r\n", "needed"),
        (b"handle,sku\r\na,b\r\n" * 30_000, "long"),
        (b"\x00" * 1000 + b"\r\na", "unknown"),
    ],
)
async def test_a_file_that_is_no_table_of_products_is_refused_whole(
    catalog: Any, shop: Any, writer: Any, body: bytes, reason: str
) -> None:
    async def rows() -> int:
        async with shop.db("catalog").read() as tx:
            count: int = await tx.one(int, "SELECT count(*) FROM catalog.import")
            return count

    before = await rows()
    answer = await sent(shop, writer, body)
    assert (answer.status_code, answer.json()["code"], answer.json()["reason"]) == (422, BadImport.code, reason)
    assert len(answer.content) < 4000
    assert await rows() == before


async def test_a_refusal_of_a_file_speaks_the_language_of_its_sender(shop: Any, writer: Any, catalog: Any) -> None:
    vi = await sent(shop, writer, b"handle,sku,price\r\na,b,1")
    en = await sent(shop, writer, b"handle,sku,price\r\na,b,1", **{"accept-language": "en"})
    assert vi.json()["detail"] == "Không có cột nào tên: price."
    assert en.json()["detail"] == "There are no columns of these names: price."


async def test_a_body_that_is_no_csv_or_too_large_is_refused(shop: Any, writer: Any) -> None:
    assert (await sent(shop, writer, b"handle", **{"content-type": "application/json"})).status_code == 415
    assert (await sent(shop, writer, b"x" * ((10 << 20) + 1))).status_code == 413
    assert (await sent(shop, writer, b"handle,sku\r\na,b", "?dry_run=maybe")).status_code == 422


async def test_imports_and_exports_are_for_staff_with_the_permission(shop: Any) -> None:
    reader, other = await shop.staff("catalog.read"), await shop.staff("orders.read")
    for method, path in (
        ("POST", "/import"),
        ("GET", "/export"),
        ("GET", f"/imports/{uuid7()}"),
        ("GET", f"/imports/{uuid7()}/products"),
    ):
        assert (await shop.http.request(method, PATH + path)).status_code == 401
        assert (await shop.http.request(method, PATH + path, headers=other)).status_code == 403
    assert (await shop.http.post(f"{PATH}/import", headers=reader)).status_code == 403


async def test_only_so_many_imports_wait(catalog: Any, shop: Any, writer: Any) -> None:
    body = table(["x", "no sku", "", "", ""])
    for _ in range(MOST_OPEN):
        assert (await sent(shop, writer, body)).status_code == 202
    answer = await sent(shop, writer, body)
    assert (answer.status_code, answer.json()["code"]) == (409, TooManyImports.code)
    assert "retry-after" in answer.headers
    await catalog.work_imports()
    assert (await sent(shop, writer, body)).status_code == 202


async def test_a_file_sent_again_with_its_key_is_one_import(catalog: Any, shop: Any, writer: Any) -> None:
    body, key = simple(uuid4().hex[:8], 1), {"idempotency-key": f"key-{uuid7()}"}
    first, again = await sent(shop, writer, body, **key), await sent(shop, writer, body, **key)
    assert first.json() == again.json()
    assert (await sent(shop, writer, body + b"x", **key)).status_code == 422


async def test_two_handles_of_one_product_are_not_two_changes(
    catalog: Any, shop: Any, writer: Any, draft: Drafts
) -> None:
    made = await catalog.create_product(draft=draft())
    skus = [variant.sku for variant in made.draft.variants]
    report = await imported(
        shop,
        writer,
        table([made.slug, skus[0], "Một"], [made.document.slugs["en"], skus[1], "Hai"], columns="handle,sku,name_vi"),
    )
    assert counts(report) == (0, 1, 0, 1)
    assert [(error["row"], error["code"]) for error in report["errors"]] == [(3, "same")]
    assert (await catalog.find_draft(product_id=made.id)).draft.name["vi"] == "Một"


def test_every_error_has_its_sentence_in_both_languages() -> None:
    texts = Catalogue.load(Path(importing.__file__).parent.parent / "texts")
    keys = {key for key in texts.texts("vi") if key.startswith("import.row.")}
    codes = (
        "missing unknown type range length pattern choice format value"  # of a cell's form, as the reader of JSON says it
        " cells characters duplicate same differs handle scientific options kind pictures"
        " sku_taken slug_taken conflict failed"
    )
    assert keys == {f"import.row.{code}" for code in codes.split()}


# --- real catalogues ----------------------------------------------------------------------------------------------------


async def test_a_real_catalogue_of_electronics_comes_in(catalog: Any, shop: Any, writer: Any) -> None:
    source = DATA / "icecat-electronics/products.jsonl.gz"
    if not source.exists():
        pytest.skip("the reference data is not here")
    await catalog.put_type(product_type=ProductType("electronics", {"vi": "Điện tử"}, []))
    count = int(os.environ.get("SAMPAN_IMPORT_ROWS", "400"))
    with gzip.open(source, "rt") as lines:
        found = [json.loads(line) for _, line in zip(range(count), lines, strict=False)]
    rows = [
        [f"icecat-{each['id']}", f"ICECAT-{each['id']}", "electronics", each["title"][:200], each.get("supplier", "")[:80],
         each.get("short_description", "")[:1000], next((e for e in each["ean"] if e.isdigit()), ""), "published"]
        for each in found
    ]  # fmt: skip
    body = table(*rows, columns="handle,sku,product_type,name_vi,brand,summary_vi,barcode,status", sign=";")
    started = time.monotonic()
    report = await imported(shop, writer, body)
    took = time.monotonic() - started
    print(f"{len(rows)} rows, {len(body)} bytes: {len(rows) / took:.0f} rows a second")
    assert counts(report) == (len(rows), 0, 0, 0), report["errors"][:5]
    started = time.monotonic()
    assert counts(await imported(shop, writer, body)) == (0, 0, len(rows), 0)
    print(f"again: {len(rows) / (time.monotonic() - started):.0f} rows a second")
    started = time.monotonic()
    body = await exported(shop, writer)
    print(f"export: {body.count(b'icecat-') / (time.monotonic() - started):.0f} rows a second")


async def test_real_food_with_messy_names_comes_in(catalog: Any, shop: Any, writer: Any) -> None:
    source = DATA / "openfoodfacts-vn/products.csv"
    if not source.exists():
        pytest.skip("the reference data is not here")
    with source.open(newline="") as lines:
        found = list(csv.DictReader(lines))[:200]
    rows = [
        [f"off-{each['barcode']}", f"OFF-{each['barcode']}", "furniture", each["product_name"], each["barcode"], each["ingredients"]]
        for each in found
    ]  # fmt: skip
    report = await imported(
        shop, writer, table(*rows, columns="handle,sku,product_type,name_vi,barcode,description_vi")
    )
    assert report["created"] + report["refused"] == len(rows)
    assert report["created"] > 150
    assert {error["code"] for error in report["errors"]} <= {"missing", "pattern", "length", "duplicate"}
