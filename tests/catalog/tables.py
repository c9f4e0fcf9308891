"""What the tests of imports and exports share: tables of products, and how to send them."""

import csv
import io
from typing import Any

PATH = "/api/v1/admin/products"


def table(*rows: list[str], columns: str = "handle,sku,product_type,name_vi,status", sign: str = ",") -> bytes:
    output = io.StringIO()
    csv.writer(output, delimiter=sign).writerows([columns.split(","), *rows])
    return output.getvalue().encode()


def simple(tag: str, count: int, name: str = "Ghế") -> bytes:
    """A table of new products, one variant each."""
    return table(
        *[[f"ghe-{tag}-{i}", f"{tag}-{i}", "furniture", f"{name} {tag} {i}", "published"] for i in range(count)]
    )


async def sent(shop: Any, writer: dict[str, str], body: bytes, query: str = "", **headers: str) -> Any:
    headers = {"content-type": "text/csv", **headers}
    return await shop.http.post(f"{PATH}/import{query}", content=body, headers={**writer, **headers})


async def imported(shop: Any, writer: dict[str, str], body: bytes, query: str = "") -> Any:
    """The report of an import that was worked off."""
    answer = await sent(shop, writer, body, query)
    assert answer.status_code == 202, answer.text
    await shop.actions("catalog").work_imports()
    report = (await shop.http.get(f"{PATH}/imports/{answer.json()['id']}", headers=writer)).json()
    assert (report["status"], report["done"]) == ("done", report["products"])
    return report


async def items(shop: Any, writer: dict[str, str], report: Any, query: str = "", **headers: str) -> Any:
    path = f"{PATH}/imports/{report['id']}/products{query}"
    answer = await shop.http.get(path, headers={**writer, **headers})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def exported(shop: Any, writer: dict[str, str], query: str = "") -> bytes:
    answer = await shop.http.get(f"{PATH}/export{query}", headers=writer)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    content: bytes = answer.content
    return content


def counts(report: Any) -> tuple[int, ...]:
    return tuple(report[name] for name in ("created", "changed", "unchanged", "refused"))
