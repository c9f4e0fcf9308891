"""What pricing does: answers what things cost, keeps prices, lists and tax rates, and tells everybody what changed."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from sampan.kernel.context import Actor
from sampan.kernel.db import Database, Tx
from sampan.kernel.kept import Kept
from sampan.kernel.money import Money
from sampan.kernel.pagination import Page, decode_cursor, page_of
from sampan.kernel.service import Ground
from sampan.services.pricing import rules, store
from sampan.services.pricing.contract import (
    Market,
    NewPrice,
    NotPriced,
    NotTaxed,
    Price,
    PriceListExists,
    PricesChanged,
    PricesWithdrawn,
    Quote,
    QuoteItem,
    UnknownMarket,
    UnknownPriceList,
    price_tag,
)
from sampan.services.pricing.store import LivePrices, PriceChange, PriceEntry, PriceList, TaxRate, Touched

SLICE: Final = 500  # prices told in one transaction of the job, and at most in one event
SLICES: Final = 200  # of one run of the job
FIRST: Final = (UUID(int=0), "", "", datetime.min)  # the cursor before every price; PostgreSQL reads it as -infinity
LAST: Final = 2**63 - 1


class PricingActions:
    """Markets, prices, lists, taxes, quotes."""

    def __init__(self, db: Database, ground: Ground) -> None:
        self.db = db
        self._markets: Kept[str, list[Market]] = Kept(
            ground.news, self._read_markets, lambda _: "markets", list[Market]
        )
        self._recent: Kept[tuple[str, UUID], LivePrices] = Kept(
            ground.news, self._read_each, lambda live: price_tag(*live.variants), LivePrices
        )

    # --- what things cost -------------------------------------------------------------------------------------------

    async def list_markets(self) -> list[Market]:
        """All markets, the home market first."""
        return (await self._markets.find([""]))[""]

    async def _read_markets(self, keys: list[str]) -> dict[str, list[Market]]:
        async with self.db.read() as tx:
            return dict.fromkeys(keys, await store.markets(tx))

    async def prices_for(self, *, variants: list[UUID], market: str) -> list[Price]:
        """The prices now of those variants that have one, in the order asked. Raises UnknownMarket."""
        live = await self._live_prices(market, variants)
        return effective(live, market)

    async def quote_for(
        self, *, market: str, items: list[QuoteItem], shipping: Money | None = None, recent: bool = False
    ) -> Quote:
        """What a basket costs now, explained. `recent`: prices of a moment ago will do.

        Raises UnknownMarket, NotPriced, NotTaxed, kernel.Invalid.
        """
        variants = [item.variant_id for item in items]
        live = await (self._recent_prices if recent and variants else self._live_prices)(market, variants)
        rules.check_basket(items, shipping, live.currency)
        if without := [at for at, priced in live.variants.items() if not priced.candidates]:
            raise NotPriced("some of these have no price in this market", variants=[str(v) for v in without])
        untaxed = [variant for variant, priced in live.variants.items() if priced.tax is None]
        if untaxed or live.shipping_taxed is None:
            raise NotTaxed("some of these have no tax rate today", variants=[str(v) for v in untaxed])
        return rules.quote_of(
            market=market,
            currency=live.currency,
            prices_include_tax=live.prices_include_tax,
            at=live.at,
            lines=[(live.variants[item.variant_id], item.quantity) for item in items],
            shipping=shipping,
            shipping_taxed=live.shipping_taxed,
        )

    async def _live_prices(self, market: str, variants: list[UUID]) -> LivePrices:
        async with self.db.read() as tx:
            live = await store.live_prices(tx, market=market, variants=variants)
        if live is None:
            raise UnknownMarket("there is no such market", market=market[:16])
        return live

    async def _recent_prices(self, market: str, variants: list[UUID]) -> LivePrices:
        """As `_live_prices`, from what is kept of the last seconds and of the last news."""
        found = await self._recent.find((market, variant) for variant in variants)
        latest = max(found.values(), key=lambda live: live.at)
        priced = {variant: found[market, variant].variants[variant] for variant in variants}
        return msgspec.structs.replace(latest, at=datetime.now(UTC), variants=priced)

    async def _read_each(self, keys: list[tuple[str, UUID]]) -> dict[tuple[str, UUID], LivePrices]:
        """The live prices of variants of one market, each by itself."""
        market = keys[0][0]
        live = await self._live_prices(market, [variant for _, variant in keys])
        return {
            (market, variant): msgspec.structs.replace(live, variants={variant: priced})
            for variant, priced in live.variants.items()
        }

    # --- setting prices ---------------------------------------------------------------------------------------------

    async def set_prices(self, *, actor: Actor, prices: list[NewPrice]) -> list[Price]:
        """Set or take away prices, all or none; the effective prices of those variants after it.

        What was so before is neither written down nor told again. The number of statements does not depend on the
        number of prices. Raises UnknownMarket, UnknownPriceList, kernel.Invalid.
        """
        rules.check_prices(prices)
        async with self.db.begin() as tx:
            at = await store.lock_prices(tx)
            for named in await store.named_lists(tx, sorted({(price.market, price.list) for price in prices})):
                if not named.market_known:
                    raise UnknownMarket("there is no such market", market=named.market)
                if not named.list_known:
                    raise UnknownPriceList("the market has no such price list", market=named.market, list=named.list)
            changed = await store.set_prices(tx, prices, at=at, by=actor.name)
            wanted = [Touched(price.market, price.variant_id) for price in prices]
            return await self._tell(tx, wanted, at, changed=frozenset(changed))

    async def _tell(
        self, tx: Tx, touched: Iterable[Touched], at: datetime, *, changed: frozenset[Touched] | None = None
    ) -> list[Price]:
        """The effective prices of these variants as of `at`, and an event of those that changed (None: of all), under
        the lock that puts the tellers in a row.
        """
        variants: defaultdict[str, dict[UUID, None]] = defaultdict(dict)
        for each in touched:
            variants[each.market][each.variant_id] = None
        told = []
        for market, wanted in variants.items():
            live = await store.live_prices(tx, market=market, variants=list(wanted), at=at)
            if live is None:
                continue
            prices = effective(live, market)
            news = {variant: None for variant in wanted if changed is None or Touched(market, variant) in changed}
            now = [price for price in prices if price.variant_id in news]
            for start in range(0, len(now), SLICE):
                await tx.emit(PricesChanged(prices=now[start : start + SLICE]))
            gone = [variant for variant in news if not live.variants[variant].candidates]
            for start in range(0, len(gone), SLICE):
                await tx.emit(PricesWithdrawn(market=market, variants=gone[start : start + SLICE]))
            told += prices
        return told

    async def tell_due_prices(self) -> None:
        """Tell the prices whose window, or whose list's window, opened or closed: each boundary once.

        A boundary is marked as told in the transaction that tells it.
        """
        for _ in range(SLICES):
            async with self.db.read() as tx:
                if not await store.is_anything_due(tx):
                    return
            async with self.db.begin() as tx:
                at = await store.lock_prices(tx)
                touched = await store.take_due_prices(tx, at=at, limit=SLICE)
                touched += await store.take_due_list(tx, at=at, limit=SLICE)
                await self._tell(tx, touched, at)

    async def list_prices(
        self, *, variant_id: UUID | None, market: str | None, price_list: str | None, limit: int, cursor: str | None
    ) -> Page[PriceEntry]:
        """Prices as they were set, whether they count now or not. Raises kernel.Invalid for a foreign cursor."""
        after = decode_cursor(cursor, UUID, str, str, datetime) if cursor else FIRST
        async with self.db.read() as tx:
            rows = await store.prices(
                tx, variant_id=variant_id, market=market, price_list=price_list, after=after, limit=limit + 1
            )
        return page_of(rows, limit, lambda row: (row.variant_id, row.market, row.list, row.valid_from or datetime.min))

    async def list_changes(
        self, *, variant_id: UUID, market: str | None, limit: int, cursor: str | None
    ) -> Page[PriceChange]:
        """Who changed a variant's prices from what to what, newest first."""
        (before,) = decode_cursor(cursor, int) if cursor else (LAST,)
        async with self.db.read() as tx:
            rows = await store.changes(tx, variant_id=variant_id, market=market, before=before, limit=limit + 1)
        return page_of(rows, limit, lambda row: (row.id,))

    # --- price lists ------------------------------------------------------------------------------------------------

    async def list_price_lists(self, *, market: str | None, limit: int, cursor: str | None) -> Page[PriceList]:
        """All price lists, by market and code."""
        after = decode_cursor(cursor, str, str) if cursor else ("", "")
        async with self.db.read() as tx:
            rows = await store.price_lists(tx, market=market, after=after, limit=limit + 1)
        return page_of(rows, limit, lambda row: (row.market, row.code))

    async def add_price_list(self, *, new: PriceList) -> PriceList:
        """A new list without prices. Raises UnknownMarket, PriceListExists, kernel.Invalid."""
        rules.check_list_window(new.starts_at, new.ends_at)
        async with self.db.begin() as tx:
            added = await store.add_list(tx, new)
            if added is not None:
                return added
            [named] = await store.named_lists(tx, [(new.market, new.code)])
        if not named.market_known:
            raise UnknownMarket("there is no such market", market=new.market)
        raise PriceListExists("the market has a price list of this code", market=new.market, list=new.code)

    async def change_price_list(self, *, market: str, code: str, changes: dict[str, Any]) -> PriceList:
        """Another name, priority, status or window; its prices are told again within seconds.

        Raises kernel.NotFound, kernel.Conflict for the base list, kernel.Invalid.
        """
        async with self.db.begin() as tx:
            await store.lock_prices(tx)
            found = await store.price_list(tx, market=market, code=code)
            rules.check_not_base(code)
            changed = msgspec.structs.replace(found, **changes)
            rules.check_list_window(changed.starts_at, changed.ends_at)
            await store.change_list(tx, changed)
        return changed

    # --- taxes ------------------------------------------------------------------------------------------------------

    async def list_tax_rates(self, *, market: str | None, limit: int, cursor: str | None) -> Page[TaxRate]:
        """All tax rates in the order of their entry."""
        (after,) = decode_cursor(cursor, int) if cursor else (0,)
        async with self.db.read() as tx:
            rows = await store.tax_rates(tx, market=market, after=after, limit=limit + 1)
        return page_of(rows, limit, lambda row: (row.id,))

    async def add_tax_rate(
        self,
        *,
        actor: Actor,
        market: str,
        tax_class: str,
        treatment: str,
        basis_points: int,
        effective_from: date,
        effective_to: date | None,
        source: str,
    ) -> TaxRate:
        """Enter what the law says from a day on (to a day, included). Raises UnknownMarket, kernel.Invalid."""
        rules.check_tax_rate(treatment, basis_points, effective_from, effective_to)
        async with self.db.begin() as tx:
            added = await store.add_tax_rate(
                tx,
                market=market,
                tax_class=tax_class,
                treatment=treatment,
                basis_points=basis_points,
                effective_from=effective_from,
                effective_to=effective_to,
                source=source,
                by=actor.name,
            )
        if added is None:
            raise UnknownMarket("there is no such market", market=market)
        return added

    async def invariants(self) -> list[str]:
        """What is wrong with prices, lists and taxes; empty when all is well."""
        async with self.db.read() as tx:
            return await store.violations(tx)


def effective(live: LivePrices, market: str) -> list[Price]:
    """The prices that count, of the variants that have one."""
    found = (rules.price_for(each, market=market, currency=live.currency) for each in live.variants.values())
    return [price for price in found if price is not None]
