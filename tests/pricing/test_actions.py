"""What pricing does, on a real PostgreSQL."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from sampan.kernel.context import SYSTEM, Actor
from sampan.kernel.db import Database
from sampan.kernel.errors import Conflict, Invalid, NotFound
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money
from sampan.services.pricing import store
from sampan.services.pricing.actions import PricingActions
from sampan.services.pricing.contract import (
    NewPrice,
    NotPriced,
    NotTaxed,
    Price,
    PriceListExists,
    Pricing,
    QuoteItem,
    UnknownMarket,
    UnknownPriceList,
)
from sampan.services.pricing.store import PriceList

ANNA = Actor(kind="staff", id="anna")


@pytest.fixture
def pricing(shop: Any) -> PricingActions:
    return shop.actions("pricing")  # type: ignore[no-any-return]


@pytest.fixture
def db(shop: Any) -> Database:
    return shop.db("pricing")  # type: ignore[no-any-return]


async def priced(pricing: PricingActions, amount: int, market: str = "VN", **more: Any) -> UUID:
    variant = more.pop("variant", None) or uuid7()
    await pricing.set_prices(actor=ANNA, prices=[NewPrice(variant, market, amount, **more)])
    return variant  # type: ignore[no-any-return]


async def new_list(pricing: PricingActions, *, market: str = "VN", **more: Any) -> str:
    code = f"list-{uuid7().hex[-12:]}"
    fields = {"type": "sale", "priority": 10, "status": "active", "starts_at": None, "ends_at": None, **more}
    await pricing.add_price_list(new=PriceList(market=market, code=code, name="Tết", **fields))
    return code


async def told(db: Database, variant: UUID) -> list[Any]:
    """What events said about a variant, in order: amounts, or None for a withdrawn price."""
    async with db.read() as tx:
        bodies = await tx.many(
            dict,
            "SELECT body FROM pricing.outbox WHERE body::text LIKE '%' || $1 || '%' ORDER BY xid, position",
            str(variant),
        )
    said: list[Any] = []
    for body in bodies:
        if "variants" in body:
            said.append(None)
        else:
            said += [p["unit"]["amount"] for p in body["prices"] if p["variant_id"] == str(variant)]
    return said


async def unit(pricing: PricingActions, variant: UUID, market: str = "VN") -> int | None:
    found = await pricing.prices_for(variants=[variant], market=market)
    return found[0].unit.amount if found else None


def now() -> datetime:
    return datetime.now(UTC)


async def test_there_are_two_markets_from_the_start(pricing: PricingActions) -> None:
    home, abroad = await pricing.list_markets()
    assert (home.code, home.currency, home.language, home.prices_include_tax, home.countries) == (
        "VN", "VND", "vi", True, ["VN"],
    )  # fmt: skip
    assert (abroad.code, abroad.currency, abroad.language, abroad.prices_include_tax) == ("INTL", "USD", "en", False)


async def test_a_price_that_is_set_is_the_price(pricing: PricingActions) -> None:
    variant = await priced(pricing, 199_000, compare_at=250_000)
    [price] = await pricing.prices_for(variants=[variant], market="VN")
    assert price == Price(variant, "VN", Money(199_000, "VND"), Money(250_000, "VND"), "base")


async def test_a_price_is_of_one_market_only(pricing: PricingActions) -> None:
    variant = await priced(pricing, 1_250, market="INTL")
    assert await unit(pricing, variant, "INTL") == 1_250
    assert await unit(pricing, variant, "VN") is None


async def test_an_unknown_market_never_falls_back_to_another(pricing: PricingActions) -> None:
    with pytest.raises(UnknownMarket):
        await pricing.prices_for(variants=[], market="FR")
    with pytest.raises(UnknownMarket):
        await pricing.quote_for(market="vn", items=[])
    with pytest.raises(UnknownMarket):
        await priced(pricing, 1, market="FR")


async def test_an_unknown_list_is_refused_and_nothing_is_set(pricing: PricingActions) -> None:
    variant = uuid7()
    with pytest.raises(UnknownPriceList):
        await pricing.set_prices(
            actor=ANNA, prices=[NewPrice(variant, "VN", 5), NewPrice(variant, "VN", 4, list="nowhere")]
        )
    assert await unit(pricing, variant) is None


async def test_prices_come_in_the_order_asked_and_once_each(pricing: PricingActions) -> None:
    first, second = await priced(pricing, 1), await priced(pricing, 2)
    found = await pricing.prices_for(variants=[second, uuid7(), first, second], market="VN")
    assert [price.variant_id for price in found] == [second, first]


async def test_setting_a_price_again_replaces_it_and_keeps_the_history(pricing: PricingActions) -> None:
    variant = await priced(pricing, 100)
    await priced(pricing, 90, variant=variant, compare_at=100)
    await priced(pricing, 90, variant=variant, compare_at=100)  # nothing changed, nothing to remember
    await pricing.set_prices(actor=ANNA, prices=[NewPrice(variant, "VN", None)])
    page = await pricing.list_changes(variant_id=variant, market="VN", limit=10, cursor=None)
    assert [(row.old_amount, row.new_amount, row.changed_by) for row in page.items] == [
        (90, None, "staff:anna"),
        (100, 90, "staff:anna"),
        (None, 100, "staff:anna"),
    ]


async def test_the_history_cannot_be_rewritten(pricing: PricingActions, db: Database) -> None:
    variant = await priced(pricing, 100)
    for change in ("UPDATE pricing.price_change SET new_amount = 1", "DELETE FROM pricing.price_change"):
        with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.InsufficientPrivilegeError)):
            async with db.begin() as tx:
                await tx.execute(f"{change} WHERE variant_id = $1", variant)


async def test_the_database_itself_refuses_a_price_of_nothing(pricing: PricingActions) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await priced(pricing, 0)


async def test_a_price_that_is_taken_away_is_withdrawn(pricing: PricingActions, db: Database) -> None:
    variant = await priced(pricing, 100)
    assert await pricing.set_prices(actor=ANNA, prices=[NewPrice(variant, "VN", None)]) == []
    assert await unit(pricing, variant) is None
    assert await told(db, variant) == [100, None]


async def test_what_was_so_before_is_not_told_again(pricing: PricingActions, db: Database) -> None:
    same, other, none = await priced(pricing, 100), await priced(pricing, 100), uuid7()
    before = [len(await told(db, variant)) for variant in (same, other, none)]
    amounts = {same: 100, other: 200, none: None}
    answer = await pricing.set_prices(
        actor=SYSTEM, prices=[NewPrice(variant, "VN", amount) for variant, amount in amounts.items()]
    )
    assert [(price.variant_id, price.unit.amount) for price in answer] == [(same, 100), (other, 200)]
    assert [len(await told(db, variant)) for variant in (same, other, none)] == [before[0], before[1] + 1, before[2]]


async def test_a_change_tells_the_effective_price_not_the_one_set(pricing: PricingActions, db: Database) -> None:
    tet = await new_list(pricing)
    variant = await priced(pricing, 80, list=tet)
    await priced(pricing, 100, variant=variant)
    assert await told(db, variant) == [80, 80]


async def test_a_sale_counts_only_while_its_list_is_active_and_in_its_window(pricing: PricingActions) -> None:
    variant = await priced(pricing, 100)
    draft = await new_list(pricing, status="draft")
    future = await new_list(pricing, starts_at=now() + timedelta(hours=1))
    past = await new_list(pricing, ends_at=now() - timedelta(seconds=1))
    for code in (draft, future, past):
        await priced(pricing, 50, variant=variant, list=code)
    assert await unit(pricing, variant) == 100
    await pricing.change_price_list(market="VN", code=draft, changes={"status": "active"})
    assert await unit(pricing, variant) == 50


async def test_a_change_of_a_list_is_told_for_all_its_prices_once(pricing: PricingActions, db: Database) -> None:
    code = await new_list(pricing)
    variants = [await priced(pricing, 100) for _ in range(3)]
    await pricing.set_prices(actor=ANNA, prices=[NewPrice(v, "VN", 70, list=code) for v in variants])
    await pricing.change_price_list(market="VN", code=code, changes={"status": "draft"})
    for _ in range(2):
        await pricing.tell_due_prices()
    for variant in variants:
        assert await told(db, variant) == [100, 70, 100]


async def test_a_dated_price_is_told_when_it_opens_and_when_it_closes_once_each(
    pricing: PricingActions, db: Database
) -> None:
    soon = now() + timedelta(hours=1)
    variant = await priced(pricing, 100)
    await priced(pricing, 60, variant=variant, valid_from=soon, valid_to=soon + timedelta(hours=1))
    await pricing.tell_due_prices()
    assert await told(db, variant) == [100, 100]
    assert await unit(pricing, variant) == 100

    async with db.begin() as tx:
        await tx.execute(
            "UPDATE pricing.price SET valid_from = now(), announce_at = now() WHERE variant_id = $1 AND amount = 60",
            variant,
        )
    assert await unit(pricing, variant) == 60  # counts at once, told or not
    for _ in range(3):
        await pricing.tell_due_prices()
    assert await told(db, variant) == [100, 100, 60]
    async with db.read() as tx:
        again_at = await tx.one(
            datetime, "SELECT announce_at FROM pricing.price WHERE variant_id = $1 AND amount = 60", variant
        )
    assert again_at == soon + timedelta(hours=1)  # next: when it closes

    async with db.begin() as tx:
        await tx.execute(
            "UPDATE pricing.price SET valid_to = now(), announce_at = now() WHERE variant_id = $1 AND amount = 60",
            variant,
        )
    for _ in range(3):
        await pricing.tell_due_prices()
    assert await told(db, variant) == [100, 100, 60, 100]


async def test_a_price_that_is_sent_again_as_it_is_does_not_take_its_opening_away(
    pricing: PricingActions, db: Database
) -> None:
    variant, opens = await priced(pricing, 100), now() + timedelta(milliseconds=200)
    dated = NewPrice(variant, "VN", 60, valid_from=opens, valid_to=opens + timedelta(hours=1))
    await pricing.set_prices(actor=ANNA, prices=[dated])
    while await unit(pricing, variant) != 60:
        await asyncio.sleep(0.02)
    await pricing.set_prices(actor=SYSTEM, prices=[dated])  # before the job came round
    for _ in range(2):
        await pricing.tell_due_prices()
    assert await told(db, variant) == [100, 100, 60]


async def test_a_list_tells_its_prices_when_its_window_opens(pricing: PricingActions, db: Database) -> None:
    code = await new_list(pricing, starts_at=now() + timedelta(hours=1), ends_at=now() + timedelta(hours=2))
    variant = await priced(pricing, 100)
    await priced(pricing, 70, variant=variant, list=code)
    async with db.begin() as tx:
        await tx.execute("UPDATE pricing.price_list SET starts_at = now(), announce_at = now() WHERE code = $1", code)
    for _ in range(2):
        await pricing.tell_due_prices()
    assert await told(db, variant) == [100, 100, 70]
    async with db.read() as tx:
        due = await tx.one(datetime, "SELECT announce_at FROM pricing.price_list WHERE code = $1", code)
    assert due > now() + timedelta(minutes=90)  # next: when it ends


async def test_a_long_list_is_told_in_slices_and_none_is_left_out(
    pricing: PricingActions, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sampan.services.pricing.actions.SLICE", 2)
    code = await new_list(pricing)
    variants = [uuid7() for _ in range(5)]
    await pricing.set_prices(actor=ANNA, prices=[NewPrice(v, "VN", 70, list=code) for v in variants])
    await pricing.change_price_list(market="VN", code=code, changes={"priority": 11})
    await pricing.tell_due_prices()
    for variant in variants:
        assert await told(db, variant) == [70, 70]


async def test_two_jobs_at_once_tell_a_boundary_once(pricing: PricingActions, db: Database) -> None:
    variant = await priced(pricing, 100, valid_to=now() + timedelta(hours=1))
    async with db.begin() as tx:
        await tx.execute("UPDATE pricing.price SET announce_at = now() WHERE variant_id = $1", variant)
    await asyncio.gather(*(pricing.tell_due_prices() for _ in range(4)))
    assert await told(db, variant) == [100, 100]


async def test_the_last_word_about_a_price_is_the_truth_however_many_write_at_once(
    pricing: PricingActions, db: Database
) -> None:
    lists = [await new_list(pricing, priority=priority) for priority in (1, 2, 3)]
    variant = await priced(pricing, 1000)
    start = asyncio.Barrier(9)

    async def write(code: str, amount: int) -> None:
        await start.wait()
        await priced(pricing, amount, variant=variant, list=code)

    await asyncio.gather(*(write(code, 100 * n + at) for at in range(3) for n, code in enumerate(lists, 1)))
    assert (await told(db, variant))[-1] == await unit(pricing, variant)


async def test_whoever_tells_prices_waits_for_his_turn(pricing: PricingActions, db: Database) -> None:
    variant = uuid7()
    async with db.pool.acquire() as connection, connection.transaction():
        await connection.execute(store.LOCK)
        writing = asyncio.create_task(priced(pricing, 100, variant=variant))
        await asyncio.sleep(0.05)
        assert not writing.done()
    await writing
    assert await told(db, variant) == [100]


async def test_the_number_of_statements_does_not_depend_on_the_number_of_prices(pricing: PricingActions) -> None:
    async def statements(count: int) -> int:
        before = pricing.db.statements
        await pricing.set_prices(actor=SYSTEM, prices=[NewPrice(uuid7(), "VN", 5) for _ in range(count)])
        return pricing.db.statements - before

    assert await statements(1) == await statements(500) <= 8
    variants = [await priced(pricing, 10) for _ in range(3)]
    before = pricing.db.statements
    await pricing.quote_for(market="VN", items=[QuoteItem(variant, 1) for variant in variants])
    assert pricing.db.statements - before == 1


async def test_a_read_of_prices_goes_through_an_index_to_each_variant(pricing: PricingActions, db: Database) -> None:
    """By its key or list by list, whichever the planner likes better for the few rows that are here."""
    async with db.begin() as tx:
        await tx.execute("SET LOCAL enable_seqscan = off")
        plan = await tx.many(
            str,
            "EXPLAIN " + store.LIVE.replace("$1", "'VN'").replace("$2", "'{}'").replace("$3", "NULL::timestamptz"),
        )
    assert any("Index Cond" in line and "variant_id = v.variant_id" in line for line in plan), "\n".join(plan)


# --- quotes -----------------------------------------------------------------------------------------------------------


async def test_a_quote_adds_up_and_says_why(pricing: PricingActions) -> None:
    tet = await new_list(pricing)
    first, second = await priced(pricing, 200_000), await priced(pricing, 50_000)
    await priced(pricing, 150_000, variant=first, list=tet)
    quote = await pricing.quote_for(
        market="VN", items=[QuoteItem(first, 2), QuoteItem(second, 1)], shipping=Money(30_000, "VND")
    )
    assert [line.variant_id for line in quote.lines] == [first, second]
    assert quote.totals.items == Money(350_000, "VND")
    assert quote.totals.total == Money(380_000, "VND")
    assert quote.lines[0].compare_at == Money(200_000, "VND")
    assert [reason.code for reason in quote.lines[0].reasons][:2] == ["base", f"list:{tet}"]
    assert quote.totals.tax.amount == sum(line.tax.amount for line in quote.lines) + quote.shipping_tax.amount
    assert abs(quote.at - now()) < timedelta(minutes=1)


async def test_a_variant_without_a_price_is_not_quoted(pricing: PricingActions) -> None:
    missing = uuid7()
    with pytest.raises(NotPriced) as refusal:
        await pricing.quote_for(market="VN", items=[QuoteItem(await priced(pricing, 5), 1), QuoteItem(missing, 1)])
    assert refusal.value.facts["variants"] == [str(missing)]


async def test_a_quote_refuses_quantities_out_of_bounds(pricing: PricingActions) -> None:
    with pytest.raises(Invalid):
        await pricing.quote_for(market="VN", items=[QuoteItem(await priced(pricing, 5), 0)])


async def test_an_empty_quote_is_free(pricing: PricingActions) -> None:
    quote = await pricing.quote_for(market="INTL", items=[])
    assert quote.totals.total == Money(0, "USD")


async def tax_of(db: Database, tax_class: str, at: datetime, market: str = "VN") -> tuple[str, int]:
    variant = uuid7()
    async with db.begin() as tx:
        await store.tax_variants(tx, variants=[variant], tax_class=tax_class)
        live = await store.live_prices(tx, market=market, variants=[variant], at=at)
    assert live is not None
    tax = live.variants[variant].tax
    assert tax is not None
    return tax.treatment, tax.basis_points


LAST_MINUTE = datetime(2026, 12, 31, 16, 59, tzinfo=UTC)  # 23:59 in Vietnam
NEW_YEAR = datetime(2026, 12, 31, 17, 0, tzinfo=UTC)


async def test_the_reduction_to_8_percent_ends_with_the_year_2026_in_vietnam(db: Database) -> None:
    assert await tax_of(db, "standard", datetime(2025, 6, 30, 17, tzinfo=UTC)) == ("taxed", 800)
    assert await tax_of(db, "standard", LAST_MINUTE) == ("taxed", 800)
    assert await tax_of(db, "standard", NEW_YEAR) == ("taxed", 1000)


async def test_goods_that_are_excepted_from_the_reduction_stay_at_10_percent(db: Database) -> None:
    assert await tax_of(db, "standard-unreduced", LAST_MINUTE) == ("taxed", 1000)


async def test_essentials_exempt_and_exported_goods_have_their_own_tax(db: Database) -> None:
    assert await tax_of(db, "essentials", LAST_MINUTE) == ("taxed", 500)
    assert await tax_of(db, "exempt", LAST_MINUTE) == ("exempt", 0)
    assert await tax_of(db, "zero", LAST_MINUTE) == ("zero", 0)
    assert await tax_of(db, "standard", LAST_MINUTE, market="INTL") == ("zero", 0)


async def test_a_variant_that_nobody_classed_is_taxed_as_standard(pricing: PricingActions, db: Database) -> None:
    variant = uuid7()
    async with db.read() as tx:
        live = await store.live_prices(tx, market="VN", variants=[variant], at=LAST_MINUTE)
    assert live is not None
    assert live.variants[variant].tax == live.shipping_taxed


async def test_a_class_without_a_rate_is_refused(pricing: PricingActions, db: Database) -> None:
    variant = await priced(pricing, 100)
    async with db.begin() as tx:
        await store.tax_variants(tx, variants=[variant], tax_class="moon")
    with pytest.raises(NotTaxed):
        await pricing.quote_for(market="VN", items=[QuoteItem(variant, 1)])
    assert any("moon" in sentence for sentence in await pricing.invariants())
    async with db.begin() as tx:
        await store.tax_variants(tx, variants=[variant], tax_class="standard")


async def test_a_newer_tax_rate_lies_over_the_older_ones(pricing: PricingActions, db: Database) -> None:
    name = f"c{uuid7().hex}"
    entries = [(1000, "2025-01-01", None), (800, "2026-01-01", "2026-06-30"), (700, "2026-01-01", "2026-03-31")]
    for rate, first, last in entries:
        await pricing.add_tax_rate(
            actor=ANNA,
            market="VN",
            tax_class=name,
            treatment="taxed",
            basis_points=rate,
            effective_from=datetime.fromisoformat(first).date(),
            effective_to=datetime.fromisoformat(last).date() if last else None,
            source="a test",
        )
    for day, rate in (("2025-12-31", 1000), ("2026-03-31", 700), ("2026-04-01", 800), ("2026-07-01", 1000)):
        assert await tax_of(db, name, datetime.fromisoformat(f"{day}T05:00:00+00:00")) == ("taxed", rate)
    with pytest.raises(UnknownMarket):
        await pricing.add_tax_rate(
            actor=ANNA, market="FR", tax_class=name, treatment="zero", basis_points=0,
            effective_from=now().date(), effective_to=None, source="a test",
        )  # fmt: skip


async def test_prices_abroad_have_no_tax_on_top(pricing: PricingActions) -> None:
    variant = await priced(pricing, 1_999, market="INTL")
    quote = await pricing.quote_for(market="INTL", items=[QuoteItem(variant, 3)], shipping=Money(500, "USD"))
    assert quote.totals.total == Money(3 * 1_999 + 500, "USD")
    assert quote.lines[0].reasons[-1].code == "vat:0"


# --- lists ------------------------------------------------------------------------------------------------------------


async def test_a_market_has_one_list_of_a_code(pricing: PricingActions) -> None:
    code = await new_list(pricing)
    fields = {"type": "sale", "priority": 1, "status": "active", "starts_at": None, "ends_at": None}
    with pytest.raises(PriceListExists):
        await pricing.add_price_list(new=PriceList(market="VN", code=code, name="again", **fields))
    added = await pricing.add_price_list(new=PriceList(market="INTL", code=code, name="abroad", **fields))
    assert added.market == "INTL"
    with pytest.raises(UnknownMarket):
        await pricing.add_price_list(new=PriceList(market="FR", code=code, name="nowhere", **fields))


async def test_a_list_can_change_but_the_base_cannot(pricing: PricingActions) -> None:
    code = await new_list(pricing)
    changed = await pricing.change_price_list(market="VN", code=code, changes={"priority": 7, "name": "Hè"})
    assert (changed.priority, changed.name, changed.status) == (7, "Hè", "active")
    with pytest.raises(Conflict):
        await pricing.change_price_list(market="VN", code="base", changes={"status": "draft"})
    with pytest.raises(NotFound):
        await pricing.change_price_list(market="VN", code="nowhere", changes={})
    ends = {"starts_at": now(), "ends_at": now() - timedelta(days=1)}
    with pytest.raises(Invalid):
        await pricing.change_price_list(market="VN", code=code, changes=ends)


async def test_a_peer_gets_the_same_answers_through_the_contract(shop: Any, pricing: PricingActions) -> None:
    client = shop.client(Pricing)
    variant = uuid7()
    for _ in range(2):
        [price] = await client.set_prices(actor=SYSTEM, prices=[NewPrice(variant, "VN", 5)])
        assert price.unit == Money(5, "VND")
    assert await client.prices_for(variants=[variant], market="VN") == [price]


async def test_invariants_find_a_price_that_its_history_does_not_know(pricing: PricingActions, db: Database) -> None:
    variant = await priced(pricing, 100)
    async with db.begin() as tx:
        await tx.execute("UPDATE pricing.price SET amount = 99 WHERE variant_id = $1", variant)
    assert any(str(variant) in sentence for sentence in await pricing.invariants())
    async with db.begin() as tx:
        await tx.execute("UPDATE pricing.price SET amount = 100 WHERE variant_id = $1", variant)
    assert not any(str(variant) in sentence for sentence in await pricing.invariants())
