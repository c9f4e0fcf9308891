"""Who may read what the API looks like."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from tests.conftest import TestShop

from sampan.kernel.settings import load
from sampan.run import compose


@asynccontextmanager
async def in_production(database: str, home: str, values: dict[str, str]) -> AsyncIterator[TestShop]:
    settings = load(
        {
            "SAMPAN_MODE": "production",
            "SAMPAN_SECRET": secrets.token_urlsafe(40),
            "SAMPAN_PUBLIC_URL": "https://shop.example",
            "SAMPAN_DATABASE_URL": database,
            **values,
        },
        home=home,
    )
    shop = await compose(settings, database, ["gateway", "auth"])
    transport = httpx.ASGITransport(app=shop.web(), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as http:
        yield TestShop(shop, http, database)
    await shop.close()


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_the_documents_of_a_production_shop_are_for_its_staff_unless_it_says_otherwise(place, tmp_path, path):
    database = await place.new_database()
    async with in_production(database, str(tmp_path / "closed"), {}) as shop:
        refused = await shop.http.get(path)
        assert refused.status_code == 404
        shown = await shop.http.get(path, headers=await shop.staff("catalog.read"))
        assert shown.status_code == 200
        assert shown.headers["cache-control"] == "no-store"
    async with in_production(database, str(tmp_path / "open"), {"SAMPAN_GATEWAY_DOCUMENTS": "yes"}) as shop:
        assert (await shop.http.get(path)).status_code == 200
