"""All SQL of pricing. A window includes its start and not its end; an open end is infinity."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from sampan.kernel.db import Tx
from sampan.kernel.money import Money
from sampan.services.pricing.contract import Market, NewPrice
from sampan.services.pricing.rules import Candidate, Priced, Taxed

MARKETS = """
SELECT code, currency, language, prices_include_tax, countries FROM pricing.market ORDER BY code DESC
"""

# All prices that are valid at a moment (now, unless given) of all wanted variants in a market, over all its lists and
# their dates, with each variant's tax of the day and that of shipping. A known market gives at least one row, a variant
# without a price too, so that the unknown can be told from the unpriced. OFFSET 0 makes it a look-up for each variant:
# a plan that was made while the tables were small would read all of them.
LIVE = """
WITH market AS (
    SELECT code, currency, prices_include_tax, coalesce($3, now()) AS at,
           (coalesce($3, now()) AT TIME ZONE time_zone)::date AS today
      FROM pricing.market WHERE code = $1
), rate AS (
    SELECT DISTINCT ON (r.tax_class) r.tax_class, r.treatment, r.basis_points
      FROM pricing.tax_rate r JOIN market m ON m.code = r.market
     WHERE r.effective_from <= m.today AND (r.effective_to IS NULL OR r.effective_to >= m.today)
     ORDER BY r.tax_class, r.effective_from DESC, r.id DESC
)
SELECT m.currency, m.prices_include_tax, m.at, s.treatment, s.basis_points,
       v.variant_id, r.treatment, r.basis_points, p.code, p.type, p.priority,
       nullif(p.starts_at, '-infinity'), nullif(p.valid_from, '-infinity'), p.amount, p.compare_at
  FROM market m
  LEFT JOIN rate s ON s.tax_class = 'standard'
  LEFT JOIN unnest($2::uuid[]) AS v (variant_id) ON true
  LEFT JOIN LATERAL (SELECT tax_class FROM pricing.variant_tax WHERE variant_id = v.variant_id OFFSET 0) t ON true
  LEFT JOIN rate r ON r.tax_class = coalesce(t.tax_class, 'standard')
  LEFT JOIN LATERAL (
      SELECT l.code, l.type, l.priority, l.starts_at, p.valid_from, p.amount, p.compare_at
        FROM pricing.price p JOIN pricing.price_list l ON l.market = p.market AND l.code = p.list
       WHERE p.variant_id = v.variant_id AND p.market = m.code AND l.status = 'active'
         AND p.valid_from <= m.at AND p.valid_to > m.at AND l.starts_at <= m.at AND l.ends_at > m.at
      OFFSET 0) p ON true
"""

# An advisory lock, because it takes no transaction id: the feed orders events by transaction id, so whoever tells
# prices must get one only when it is his turn.
LOCK = "SELECT pg_advisory_xact_lock(hashtext('pricing.price'))"
NOW = "SELECT statement_timestamp()"
LISTS_NAMED = """
SELECT w.market, w.list, m.code IS NOT NULL, l.code IS NOT NULL
  FROM unnest($1::text[], $2::text[]) AS w (market, list)
  LEFT JOIN pricing.market m ON m.code = w.market
  LEFT JOIN pricing.price_list l ON l.market = w.market AND l.code = w.list
"""
# A price that is sent again as it is stays untouched: nothing is told of it now, and what is to be told of its window
# still is.
SET_PRICES = """
WITH wanted AS (
    SELECT w.variant_id, w.market, w.list, coalesce(w.valid_from, '-infinity'::timestamptz) AS valid_from,
           coalesce(w.valid_to, 'infinity'::timestamptz) AS valid_to, w.amount, w.compare_at
      FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::bigint[])
        AS w (variant_id, market, list, valid_from, valid_to, amount, compare_at)
), taken_away AS (
    DELETE FROM pricing.price p USING wanted w
     WHERE w.amount IS NULL AND p.variant_id = w.variant_id AND p.market = w.market AND p.list = w.list
       AND p.valid_from = w.valid_from
), kept AS (
    INSERT INTO pricing.price (variant_id, market, list, valid_from, valid_to, amount, compare_at, announce_at)
    SELECT variant_id, market, list, valid_from, valid_to, amount, compare_at,
           CASE WHEN valid_from > $8 THEN valid_from WHEN valid_to > $8 AND valid_to < 'infinity' THEN valid_to END
      FROM wanted WHERE amount IS NOT NULL
    ON CONFLICT (variant_id, market, list, valid_from) DO UPDATE
       SET valid_to = EXCLUDED.valid_to, amount = EXCLUDED.amount, compare_at = EXCLUDED.compare_at,
           announce_at = EXCLUDED.announce_at
     WHERE (price.amount, price.compare_at, price.valid_to)
           IS DISTINCT FROM (EXCLUDED.amount, EXCLUDED.compare_at, EXCLUDED.valid_to)
)
INSERT INTO pricing.price_change (changed_by, variant_id, market, list, valid_from, valid_to,
                                  old_amount, new_amount, old_compare_at, new_compare_at)
SELECT $9, w.variant_id, w.market, w.list, w.valid_from, w.valid_to, p.amount, w.amount, p.compare_at, w.compare_at
  FROM wanted w
  LEFT JOIN pricing.price p ON p.variant_id = w.variant_id AND p.market = w.market AND p.list = w.list
                           AND p.valid_from = w.valid_from
 WHERE coalesce(w.amount, p.amount) IS NOT NULL
   AND (w.amount, w.compare_at, w.valid_to) IS DISTINCT FROM (p.amount, p.compare_at, p.valid_to)
RETURNING market, variant_id
"""
PRICES = """
SELECT p.variant_id, p.market, p.list, p.amount, m.currency, p.compare_at, m.currency,
       nullif(p.valid_from, '-infinity'), nullif(p.valid_to, 'infinity')
  FROM pricing.price p JOIN pricing.market m ON m.code = p.market
 WHERE p.variant_id >= coalesce($1, '00000000-0000-0000-0000-000000000000'::uuid)
   AND p.variant_id <= coalesce($1, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
   AND ($2::text IS NULL OR p.market = $2) AND ($3::text IS NULL OR p.list = $3)
   AND (p.variant_id, p.market, p.list, p.valid_from) > ($4::uuid, $5::text, $6::text, $7::timestamptz)
 ORDER BY p.variant_id, p.market, p.list, p.valid_from
 LIMIT $8
"""
CHANGES = """
SELECT id, at, changed_by, variant_id, market, list, nullif(valid_from, '-infinity'), nullif(valid_to, 'infinity'),
       old_amount, new_amount, old_compare_at, new_compare_at
  FROM pricing.price_change
 WHERE variant_id = $1 AND ($2::text IS NULL OR market = $2) AND id < $3
 ORDER BY id DESC
 LIMIT $4
"""

# --- lists ---
LIST_COLUMNS = """
market, code, name, type, priority, status, nullif(starts_at, '-infinity'), nullif(ends_at, 'infinity')
"""
LISTS = f"""
SELECT {LIST_COLUMNS} FROM pricing.price_list
 WHERE ($1::text IS NULL OR market = $1) AND (market, code) > ($2::text, $3::text)
 ORDER BY market, code
 LIMIT $4
"""
ADD_LIST = f"""
WITH wanted AS (
    SELECT code AS market, coalesce($7, '-infinity'::timestamptz) AS starts_at,
           coalesce($8, 'infinity'::timestamptz) AS ends_at
      FROM pricing.market WHERE code = $1
)
INSERT INTO pricing.price_list (market, code, name, type, priority, status, starts_at, ends_at, announce_at)
SELECT market, $2, $3, $4, $5, $6, starts_at, ends_at,
       CASE WHEN starts_at > now() THEN starts_at WHEN ends_at > now() AND ends_at < 'infinity' THEN ends_at END
  FROM wanted
ON CONFLICT (market, code) DO NOTHING
RETURNING {LIST_COLUMNS}
"""
LIST = f"""
SELECT {LIST_COLUMNS} FROM pricing.price_list WHERE market = $1 AND code = $2 FOR UPDATE
"""
CHANGE_LIST = """
UPDATE pricing.price_list
   SET name = $3, priority = $4, status = $5, starts_at = coalesce($6, '-infinity'::timestamptz),
       ends_at = coalesce($7, 'infinity'::timestamptz), announce_at = now(), announced_up_to = NULL
 WHERE market = $1 AND code = $2
"""

# --- telling the prices when a window opens or closes ---
ANYTHING_DUE = """
SELECT EXISTS (SELECT FROM pricing.price WHERE announce_at <= now())
    OR EXISTS (SELECT FROM pricing.price_list WHERE announce_at <= now())
"""
TAKE_DUE_PRICES = """
WITH due AS (
    SELECT variant_id, market, list, valid_from FROM pricing.price
     WHERE announce_at <= $1 ORDER BY announce_at LIMIT $2
)
UPDATE pricing.price p
   SET announce_at = CASE WHEN p.valid_to > $1 AND p.valid_to < 'infinity' THEN p.valid_to END
  FROM due d
 WHERE p.variant_id = d.variant_id AND p.market = d.market AND p.list = d.list AND p.valid_from = d.valid_from
RETURNING p.market, p.variant_id
"""
DUE_LIST = """
SELECT market, code, announced_up_to FROM pricing.price_list
 WHERE announce_at <= $1 ORDER BY announce_at, market, code LIMIT 1
"""
VARIANTS_OF_LIST = """
SELECT DISTINCT variant_id FROM pricing.price
 WHERE market = $1 AND list = $2 AND variant_id > coalesce($3, '00000000-0000-0000-0000-000000000000'::uuid)
 ORDER BY variant_id LIMIT $4
"""
LIST_TOLD_UP_TO = "UPDATE pricing.price_list SET announced_up_to = $3 WHERE market = $1 AND code = $2"
# The next boundary is counted from the one that was told, so that none is lost while a long list is told in slices.
LIST_TOLD = """
UPDATE pricing.price_list
   SET announced_up_to = NULL,
       announce_at = CASE WHEN starts_at > announce_at THEN starts_at
                          WHEN ends_at > announce_at AND ends_at < 'infinity' THEN ends_at END
 WHERE market = $1 AND code = $2
"""

# --- taxes ---
TAX_COLUMNS = """
id, market, tax_class, treatment, basis_points, effective_from, effective_to, source, made_at, made_by
"""
TAX_RATES = f"""
SELECT {TAX_COLUMNS} FROM pricing.tax_rate
 WHERE ($1::text IS NULL OR market = $1) AND id > $2 ORDER BY id LIMIT $3
"""
ADD_TAX_RATE = f"""
INSERT INTO pricing.tax_rate
    (market, tax_class, treatment, basis_points, effective_from, effective_to, source, made_by)
SELECT m.code, $2, $3, $4, $5, $6, $7, $8 FROM pricing.market m WHERE m.code = $1
RETURNING {TAX_COLUMNS}
"""
TAX_VARIANTS = """
INSERT INTO pricing.variant_tax (variant_id, tax_class)
SELECT DISTINCT v, $2 FROM unnest($1::uuid[]) AS v ORDER BY v
ON CONFLICT (variant_id) DO UPDATE SET tax_class = EXCLUDED.tax_class
 WHERE variant_tax.tax_class <> EXCLUDED.tax_class
"""

# --- what must hold; each query finds violations ---
MISFITTING_HISTORY = """
SELECT format('variant %s: the price in %s/%s is %s, its history says %s', variant_id, market, list,
              coalesce(p.amount::text, 'none'), coalesce(h.new_amount::text, 'none'))
  FROM (SELECT DISTINCT ON (variant_id, market, list, valid_from)
               variant_id, market, list, valid_from, new_amount, new_compare_at
          FROM pricing.price_change ORDER BY variant_id, market, list, valid_from, id DESC) h
  FULL JOIN pricing.price p USING (variant_id, market, list, valid_from)
 WHERE (p.amount, p.compare_at) IS DISTINCT FROM (h.new_amount, CASE WHEN h.new_amount > 0 THEN h.new_compare_at END)
 LIMIT 100
"""
UNTAXED_CLASSES = """
SELECT format('tax class %s has no rate in %s today', t.tax_class, m.code)
  FROM (SELECT tax_class FROM pricing.variant_tax UNION SELECT 'standard') t
 CROSS JOIN pricing.market m
 WHERE NOT EXISTS (
     SELECT FROM pricing.tax_rate r
      WHERE r.market = m.code AND r.tax_class = t.tax_class
        AND r.effective_from <= (now() AT TIME ZONE m.time_zone)::date
        AND (r.effective_to IS NULL OR r.effective_to >= (now() AT TIME ZONE m.time_zone)::date))
 LIMIT 100
"""
MARKETS_WITHOUT_BASE = """
SELECT format('market %s has no base list', m.code) FROM pricing.market m
 WHERE NOT EXISTS (SELECT FROM pricing.price_list l WHERE l.market = m.code AND l.type = 'base')
"""
OVERDUE = """
SELECT format('%s prices and %s price lists were not announced within five minutes of a change', p.count, l.count)
  FROM (SELECT count(*) FROM pricing.price WHERE announce_at < now() - interval '5 minutes') p,
       (SELECT count(*) FROM pricing.price_list WHERE announce_at < now() - interval '5 minutes') l
 WHERE p.count + l.count > 0
"""
VIOLATIONS = (MISFITTING_HISTORY, UNTAXED_CLASSES, MARKETS_WITHOUT_BASE, OVERDUE)


class LiveRow(Struct):
    currency: str
    prices_include_tax: bool
    at: datetime
    shipping_treatment: str | None
    shipping_basis_points: int
    variant_id: UUID | None
    treatment: str | None
    basis_points: int
    list: str | None
    type: str
    priority: int
    starts_at: datetime | None
    valid_from: datetime | None
    amount: int
    compare_at: int | None


class LivePrices(Struct, frozen=True):
    """What a market asks for some variants at the moment `at`. `shipping_taxed` None: no rate covers the day."""

    currency: str
    prices_include_tax: bool
    at: datetime
    shipping_taxed: Taxed | None
    variants: dict[UUID, Priced]


class NamedList(Struct):
    market: str
    list: str
    market_known: bool
    list_known: bool


class PriceEntry(Struct, frozen=True):
    """A price as it was set, whether it counts now or not."""

    variant_id: UUID
    market: str
    list: str
    amount: Money
    compare_at: Money | None
    valid_from: datetime | None
    valid_to: datetime | None


class PriceChange(Struct, frozen=True):
    """One entry of the history; amounts in minor units of the market's currency, None: no price."""

    id: int
    at: datetime
    changed_by: str
    variant_id: UUID
    market: str
    list: str
    valid_from: datetime | None
    valid_to: datetime | None
    old_amount: int | None
    new_amount: int | None
    old_compare_at: int | None
    new_compare_at: int | None


class PriceList(Struct, frozen=True):
    """A list of prices that may count instead of the base prices: `sale` or `override`, with a window."""

    market: str
    code: str
    name: str
    type: str
    priority: int
    status: str
    starts_at: datetime | None
    ends_at: datetime | None


class DueList(Struct):
    market: str
    code: str
    announced_up_to: UUID | None


class Touched(Struct, frozen=True):
    """A variant whose price in a market may be another one now."""

    market: str
    variant_id: UUID


class TaxRate(Struct, frozen=True):
    """A rate of a tax class from a day to a day, both included, and where it is written."""

    id: int
    market: str
    tax_class: str
    treatment: str
    basis_points: int
    effective_from: date
    effective_to: date | None
    source: str
    made_at: datetime
    made_by: str


async def markets(tx: Tx) -> list[Market]:
    return await tx.many(Market, MARKETS)


async def live_prices(
    tx: Tx, *, market: str, variants: Sequence[UUID], at: datetime | None = None
) -> LivePrices | None:
    """Prices and taxes at a moment (None: now), each variant once, as asked; None when there is no such market."""
    wanted = list(dict.fromkeys(variants))
    rows = await tx.many(LiveRow, LIVE, market, wanted, at)
    if not rows:
        return None
    found: dict[UUID, Priced] = {}
    for row in rows:
        if row.variant_id is None:
            continue
        if row.variant_id not in found:
            found[row.variant_id] = Priced(row.variant_id, [], taxed(row.treatment, row.basis_points))
        if row.list is not None:
            found[row.variant_id].candidates.append(
                Candidate(row.list, row.type, row.priority, row.starts_at, row.valid_from, row.amount, row.compare_at)
            )
    head = rows[0]
    shipping = taxed(head.shipping_treatment, head.shipping_basis_points)
    in_order = {variant: found[variant] for variant in wanted}
    return LivePrices(head.currency, head.prices_include_tax, head.at, shipping, in_order)


def taxed(treatment: str | None, basis_points: int) -> Taxed | None:
    return None if treatment is None else Taxed(treatment, basis_points)


async def lock_prices(tx: Tx) -> datetime:
    """Wait until nobody else changes or tells prices; the moment from which on we do."""
    await tx.execute(LOCK)
    return await tx.one(datetime, NOW)


async def named_lists(tx: Tx, names: Sequence[tuple[str, str]]) -> list[NamedList]:
    """Which of these (market, list) there are."""
    return await tx.many(NamedList, LISTS_NAMED, [name[0] for name in names], [name[1] for name in names])


async def set_prices(tx: Tx, prices: Sequence[NewPrice], *, at: datetime, by: str) -> list[Touched]:
    """Write the prices and their history; those that were not so before. The market's lists must exist."""
    return await tx.many(
        Touched,
        SET_PRICES,
        [price.variant_id for price in prices],
        [price.market for price in prices],
        [price.list for price in prices],
        [price.valid_from for price in prices],
        [price.valid_to for price in prices],
        [price.amount for price in prices],
        [price.compare_at for price in prices],
        at,
        by,
    )


async def prices(
    tx: Tx,
    *,
    variant_id: UUID | None,
    market: str | None,
    price_list: str | None,
    after: tuple[UUID, str, str, datetime],
    limit: int,
) -> list[PriceEntry]:
    return await tx.many(PriceEntry, PRICES, variant_id, market, price_list, *after, limit)


async def changes(tx: Tx, *, variant_id: UUID, market: str | None, before: int, limit: int) -> list[PriceChange]:
    """The history of a variant's prices, newest first."""
    return await tx.many(PriceChange, CHANGES, variant_id, market, before, limit)


async def price_lists(tx: Tx, *, market: str | None, after: tuple[str, str], limit: int) -> list[PriceList]:
    return await tx.many(PriceList, LISTS, market, *after, limit)


async def add_list(tx: Tx, new: PriceList) -> PriceList | None:
    """None when the market has a list of this code, or there is no such market."""
    return await tx.maybe(
        PriceList,
        ADD_LIST,
        new.market,
        new.code,
        new.name,
        new.type,
        new.priority,
        new.status,
        new.starts_at,
        new.ends_at,
    )


async def price_list(tx: Tx, *, market: str, code: str) -> PriceList:
    """The list, locked. Raises NotFound."""
    return await tx.one(PriceList, LIST, market, code)


async def change_list(tx: Tx, changed: PriceList) -> None:
    """Write the list; its prices are told again."""
    await tx.execute(
        CHANGE_LIST,
        changed.market,
        changed.code,
        changed.name,
        changed.priority,
        changed.status,
        changed.starts_at,
        changed.ends_at,
    )


async def is_anything_due(tx: Tx) -> bool:
    """Whether a window opened or closed that nobody was told of."""
    return await tx.one(bool, ANYTHING_DUE)


async def take_due_prices(tx: Tx, *, at: datetime, limit: int) -> list[Touched]:
    """Prices whose window opened or closed by `at`; they count as told with this transaction."""
    return await tx.many(Touched, TAKE_DUE_PRICES, at, limit)


async def take_due_list(tx: Tx, *, at: datetime, limit: int) -> list[Touched]:
    """The next variants of a list that opened, closed or changed by `at`; they count as told with this transaction."""
    due = await tx.maybe(DueList, DUE_LIST, at)
    if due is None:
        return []
    variants = await tx.many(UUID, VARIANTS_OF_LIST, due.market, due.code, due.announced_up_to, limit)
    if len(variants) == limit:
        await tx.execute(LIST_TOLD_UP_TO, due.market, due.code, variants[-1])
    else:
        await tx.execute(LIST_TOLD, due.market, due.code)
    return [Touched(due.market, variant) for variant in variants]


async def tax_rates(tx: Tx, *, market: str | None, after: int, limit: int) -> list[TaxRate]:
    return await tx.many(TaxRate, TAX_RATES, market, after, limit)


async def add_tax_rate(
    tx: Tx,
    *,
    market: str,
    tax_class: str,
    treatment: str,
    basis_points: int,
    effective_from: date,
    effective_to: date | None,
    source: str,
    by: str,
) -> TaxRate | None:
    """None when there is no such market."""
    return await tx.maybe(
        TaxRate, ADD_TAX_RATE, market, tax_class, treatment, basis_points, effective_from, effective_to, source, by
    )


async def tax_variants(tx: Tx, *, variants: Sequence[UUID], tax_class: str) -> None:
    await tx.execute(TAX_VARIANTS, list(variants), tax_class)


async def violations(tx: Tx) -> list[str]:
    """Everything that does not hold, one sentence each."""
    return [sentence for query in VIOLATIONS for sentence in await tx.many(str, query)]
