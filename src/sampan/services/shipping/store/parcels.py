"""SQL of bookings, parcels and what happened to them."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from sampan.kernel.db import Tx
from sampan.kernel.money import Money
from sampan.services.shipping.contract import Delivery, Option, Shipment, Tracking

BOOKING = """
SELECT b.option_id, b.carrier, b.service, b.delivery, b.grams, b.value, b.currency, b.cod_amount, b.currency,
       EXISTS (SELECT 1 FROM shipping.shipment s WHERE s.order_id = b.order_id), b.version
  FROM shipping.booking b WHERE b.order_id = $1
"""
LOCK_BOOKING = BOOKING + " FOR UPDATE"
PUT_BOOKING = """
INSERT INTO shipping.booking AS b
    (order_id, option_id, carrier, service, delivery, grams, value, currency, cod_amount, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (order_id) DO UPDATE SET option_id = EXCLUDED.option_id, carrier = EXCLUDED.carrier,
    service = EXCLUDED.service, delivery = EXCLUDED.delivery, grams = EXCLUDED.grams, value = EXCLUDED.value,
    currency = EXCLUDED.currency, cod_amount = EXCLUDED.cod_amount, version = EXCLUDED.version, booked_at = now()
 WHERE b.version <= EXCLUDED.version
   AND (b.option_id, b.delivery, b.grams, b.value, b.currency, b.cod_amount, b.version)
       IS DISTINCT FROM (EXCLUDED.option_id, EXCLUDED.delivery, EXCLUDED.grams, EXCLUDED.value, EXCLUDED.currency,
                         EXCLUDED.cod_amount, EXCLUDED.version)
   AND NOT EXISTS (SELECT 1 FROM shipping.shipment s WHERE s.order_id = b.order_id)
"""
RENEW_BOOKING = "UPDATE shipping.booking SET version = $2 WHERE order_id = $1 AND version < $2"
SHIPMENTS = """
SELECT s.id, s.order_id, s.work_order_id, s.carrier, s.service, s.tracking_number, NULL, s.status,
       s.cod_amount, s.currency,
       (SELECT jsonb_agg(jsonb_build_object('at', e.at, 'status', e.status, 'text', e.text) ORDER BY e.at, e.id)
          FROM shipping.tracking_event e WHERE e.shipment_id = s.id)
  FROM shipping.shipment s
"""
SHIPMENTS_OF_ORDER = SHIPMENTS + " WHERE s.order_id = $1 ORDER BY s.made_at, s.id"
SHIPMENT = SHIPMENTS + " WHERE s.id = $1"
SHIPMENT_OF_WORK = SHIPMENTS + " WHERE s.work_order_id = $1"
# The first parcel of an order carries the cash; the caller holds the booking's row.
ADD_SHIPMENT = """
WITH made AS (
    INSERT INTO shipping.shipment
        (id, order_id, work_order_id, carrier, service, tracking_number, status, status_at, cod_amount, currency,
         reference, grams)
    SELECT $1, b.order_id, $3, b.carrier, b.service, $4, 'created', now(),
           CASE WHEN NOT EXISTS (SELECT 1 FROM shipping.shipment s WHERE s.order_id = b.order_id) THEN b.cod_amount END,
           b.currency, $5, $6
      FROM shipping.booking b WHERE b.order_id = $2
    ON CONFLICT (tracking_number) DO NOTHING
    RETURNING id, status, status_at
)
INSERT INTO shipping.tracking_event (shipment_id, at, status, text) SELECT id, status_at, status, '' FROM made
"""
# What is said without a time is newer than all that is known.
LOCK_PARCEL = """
SELECT id, status, status_at, greatest(clock_timestamp(), status_at + interval '1 microsecond')
  FROM shipping.shipment WHERE work_order_id = $1 FOR UPDATE
"""
ADD_EVENT = """
INSERT INTO shipping.tracking_event (shipment_id, at, status, text) VALUES ($1, $2, $3, $4)
ON CONFLICT (shipment_id, status, at) DO NOTHING
"""
SET_STATUS = "UPDATE shipping.shipment SET status = $2, status_at = $3 WHERE id = $1"
LABEL = """
SELECT s.tracking_number, s.reference, s.carrier, coalesce(v.name ->> 'vi', s.service), b.delivery,
       s.cod_amount, s.currency, coalesce(s.grams, 0)
  FROM shipping.shipment s
  JOIN shipping.booking b ON b.order_id = s.order_id
  LEFT JOIN shipping.service v ON v.code = s.service
 WHERE s.id = $1
"""
BROKEN = """
SELECT format('the parcel %s has the status %s, which nobody recorded', s.tracking_number, s.status)
  FROM shipping.shipment s
 WHERE NOT EXISTS (SELECT 1 FROM shipping.tracking_event e
                    WHERE e.shipment_id = s.id AND e.status = s.status AND e.at = s.status_at)
UNION ALL
SELECT format('the order %s has cash of %s to collect, its parcels carry %s', b.order_id,
              coalesce(b.cod_amount, 0), coalesce(sum(s.cod_amount), 0))
  FROM shipping.booking b JOIN shipping.shipment s ON s.order_id = b.order_id
 GROUP BY b.order_id HAVING coalesce(b.cod_amount, 0) <> coalesce(sum(s.cod_amount), 0)
UNION ALL
SELECT format('the parcel %s goes in %s, its order in %s', s.tracking_number, s.currency, b.currency)
  FROM shipping.shipment s JOIN shipping.booking b ON b.order_id = s.order_id WHERE s.currency <> b.currency
UNION ALL
SELECT format('the rate of %s in the zone %s has no price', r.service, r.zone)
  FROM shipping.rate r
 WHERE NOT EXISTS (SELECT 1 FROM shipping.band b
                    WHERE b.zone = r.zone AND b.service = r.service AND b.from_value = 0)
UNION ALL
SELECT format('the zone %s names no place', z.code)
  FROM shipping.zone z WHERE NOT EXISTS (SELECT 1 FROM shipping.area a WHERE a.zone = z.code)
"""


class Booking(Struct, frozen=True):
    """How and to whom an order travels. `closed`: a parcel has left."""

    option_id: str
    carrier: str
    service: str
    delivery: Delivery
    grams: int
    value: Money
    cash: Money | None
    closed: bool
    version: int

    def is_for(self, option_id: str, delivery: Delivery, grams: int, value: Money, cash: Money | None) -> bool:
        """True for what would be booked the same way."""
        asked = (option_id, delivery, grams, value, cash)
        return (self.option_id, self.delivery, self.grams, self.value, self.cash) == asked


class NewParcel(Struct, frozen=True):
    id: UUID
    order_id: UUID
    work_order_id: UUID
    reference: str
    grams: int | None


class Parcel(Struct, frozen=True):
    """What deciding about news of a parcel needs. `now` is the database's clock, and after `since`."""

    id: UUID
    status: Tracking
    since: datetime
    now: datetime


class Label(Struct, frozen=True):
    """What stands on a parcel. `grams` is 0 where nobody weighed it."""

    tracking_number: str
    reference: str
    carrier: str
    service: str
    delivery: Delivery
    cash: Money | None
    grams: int


async def booking(tx: Tx, order_id: UUID) -> Booking | None:
    return await tx.maybe(Booking, BOOKING, order_id)


async def lock_booking(tx: Tx, order_id: UUID) -> Booking | None:
    return await tx.maybe(Booking, LOCK_BOOKING, order_id)


async def renew_booking(tx: Tx, order_id: UUID, version: int) -> None:
    """A later version of the order travels the same way."""
    await tx.execute(RENEW_BOOKING, order_id, version)


async def put_booking(
    tx: Tx,
    order_id: UUID,
    option: Option,
    delivery: Delivery,
    grams: int,
    value: Money,
    cash: Money | None,
    version: int,
) -> bool:
    """False: a parcel of the order has left, or a later version was booked, and nothing was changed."""
    done = await tx.execute(
        PUT_BOOKING,
        order_id,
        option.id,
        option.carrier,
        option.service,
        delivery,
        grams,
        value.amount,
        value.currency,
        cash.amount if cash else None,
        version,
    )
    return done == 1


async def shipments_of(tx: Tx, order_id: UUID) -> list[Shipment]:
    return await tx.many(Shipment, SHIPMENTS_OF_ORDER, order_id)


async def shipment_of_work(tx: Tx, work_order_id: UUID) -> Shipment | None:
    return await tx.maybe(Shipment, SHIPMENT_OF_WORK, work_order_id)


async def shipment(tx: Tx, shipment_id: UUID) -> Shipment:
    """The parcel. Raises NotFound."""
    return await tx.one(Shipment, SHIPMENT, shipment_id)


async def add_shipment(tx: Tx, new: NewParcel, number: str) -> bool:
    """A parcel of a booked order. False: another one has this tracking number."""
    done = await tx.execute(ADD_SHIPMENT, new.id, new.order_id, new.work_order_id, number, new.reference, new.grams)
    return done == 1


async def lock_parcel(tx: Tx, work_order_id: UUID) -> Parcel | None:
    return await tx.maybe(Parcel, LOCK_PARCEL, work_order_id)


async def add_event(tx: Tx, shipment_id: UUID, at: datetime, status: Tracking, text: str) -> bool:
    """False: this was recorded before."""
    return await tx.execute(ADD_EVENT, shipment_id, at, status, text) == 1


async def set_status(tx: Tx, shipment_id: UUID, status: Tracking, at: datetime) -> None:
    await tx.execute(SET_STATUS, shipment_id, status, at)


async def label(tx: Tx, shipment_id: UUID) -> Label | None:
    return await tx.maybe(Label, LABEL, shipment_id)


async def broken(tx: Tx) -> list[str]:
    return await tx.many(str, BROKEN)
