"""What shipping does: says how goods can travel, remembers how an order travels, keeps its parcels."""

import secrets
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from sampan.kernel.db import Database, Tx
from sampan.kernel.ids import uuid7
from sampan.kernel.kept import Kept
from sampan.kernel.money import Money
from sampan.kernel.service import Ground
from sampan.services.locations.contract import Locations
from sampan.services.shipping.actions.tariff import Tariff
from sampan.services.shipping.contract import (
    RATES,
    BookingClosed,
    Delivery,
    Destination,
    Inspection,
    NotBooked,
    NotDeliverable,
    Option,
    Shipment,
    ShipmentChanged,
    Tracking,
    UnknownShipment,
)
from sampan.services.shipping.rules import number, offer, tracking
from sampan.services.shipping.store import offers, parcels
from sampan.services.shipping.store.parcels import Label, NewParcel

RECENT: Final = 10.0  # seconds that rates may be kept for those who only look: of services and days off nobody is told


class ShippingSettings(Struct, frozen=True):
    """`SAMPAN_SHIPPING_…`: who stands on labels as the sender, and whether the receiver may look at the goods:
    the courier reads it there, and the customer where cash on delivery is chosen.
    """

    sender: str = "Sampan"
    sender_phone: str = ""
    sender_address: str = ""
    inspection: Inspection = "look"


class ShippingActions(Tariff):
    """Zones, rates, promises, bookings, parcels."""

    def __init__(self, db: Database, ground: Ground, locations: Locations | None) -> None:
        self.db = db
        self.locations = locations
        self.settings = ground.settings.section(ShippingSettings, "SHIPPING")
        self._recent: Kept[Destination, list[offer.Rate]] = Kept(
            ground.news, self._read_rates, lambda _: RATES, list[offer.Rate], ttl=RECENT
        )

    async def options_for(
        self, *, to: Destination, grams: int, value: Money, language: str = "vi", recent: bool = False
    ) -> list[Option]:
        """Every way to deliver so much weight and value there, cheapest first; empty where we do not deliver.

        `recent`: the rates of a moment ago will do.
        """
        rates = await (self._recent_rates if recent else self._rates)(to)
        inspection = self.settings.inspection
        return offer.options_for(rates, grams=grams, value=value, language=language, inspection=inspection)

    async def _recent_rates(self, to: Destination) -> list[offer.Rate]:
        now = datetime.now(UTC)
        kept = await self._recent.find([to])
        return [msgspec.structs.replace(rate, now=now) for rate in kept.get(to, ())]

    async def _rates(self, to: Destination) -> list[offer.Rate]:
        async with self.db.read() as tx:
            return await offers.rates_at(tx, to.market, offer.places_for(to))

    async def _read_rates(self, keys: list[Destination]) -> dict[Destination, list[offer.Rate]]:
        """Of those places to which we deliver."""
        found = {to: await self._rates(to) for to in keys}
        return {to: rates for to, rates in found.items() if rates}

    async def book(
        self,
        *,
        order_id: UUID,
        option_id: str,
        delivery: Delivery,
        grams: int,
        value: Money,
        cod_amount: Money | None,
        version: int | None = None,
    ) -> None:
        """Remember how and to whom an order travels. Raises NotDeliverable, BookingClosed.

        The same booking again is accepted whatever became of the rates, and so is what was offered a moment ago. The
        statement that writes the booking leaves it as it is when a parcel has left or a later version of the order was
        booked; only then, or when nothing like it is offered any more, is it looked at what is booked.
        """
        cash = None if cod_amount is None or cod_amount.is_zero() else cod_amount
        to = Destination(delivery.market, delivery.province_code, delivery.ward_code)
        rates = await self._recent_rates(to)
        refusal: NotDeliverable | None = None
        async with self.db.read() as tx:
            if version is None:
                known = await parcels.booking(tx, order_id)
                version = known.version if known is not None else 0
            try:
                option = offer.chosen(offer.options_for(rates, grams=grams, value=value, late=True), option_id)
                offer.check_cash(option, cash)
                if await parcels.put_booking(tx, order_id, option, delivery, grams, value, cash, version):
                    return
            except NotDeliverable as failure:
                refusal = failure
            known = await parcels.booking(tx, order_id)
            if known is not None and known.version > version:
                return
            if known is not None and known.is_for(option_id, delivery, grams, value, cash):
                if known.version < version:
                    await parcels.renew_booking(tx, order_id, version)
                return
        if refusal is None or (known is not None and known.closed):
            raise BookingClosed("a parcel of the order is on its way")
        raise refusal

    async def create_shipment(
        self, *, order_id: UUID, work_order_id: UUID, reference: str = "", grams: int | None = None
    ) -> Shipment:
        """The parcel of a work order leaves; the same work order again is the same parcel. Raises NotBooked."""
        async with self.db.begin() as tx:
            if await parcels.lock_booking(tx, order_id) is None:
                raise NotBooked("nobody said how and to whom this order travels")
            made = await parcels.shipment_of_work(tx, work_order_id)
            if made is not None:
                return made
            new = NewParcel(uuid7(), order_id, work_order_id, reference[:40], grams or None)
            while not await parcels.add_shipment(
                tx, new, number.tracking_number_for(secrets.randbelow(number.NUMBERS))
            ):
                """The number is taken; one of 26 million million hardly ever is."""
            shipment = await parcels.shipment(tx, new.id)
            await self._tell(tx, shipment, shipment.events[0].at)
            return shipment

    async def record(
        self, *, work_order_id: UUID, status: Tracking, text: str = "", at: datetime | None = None
    ) -> Shipment:
        """Staff or a carrier says where the parcel is. Raises UnknownShipment, Invalid for a time ahead of us.

        All news is kept; only the newest by the carrier's clock changes the status, and a terminal status stays.
        """
        async with self.db.begin() as tx:
            parcel = await parcels.lock_parcel(tx, work_order_id)
            if parcel is None:
                raise UnknownShipment("there is no parcel of this work order")
            when = at or parcel.now
            if not tracking.is_repeated(parcel.status, status, at):
                tracking.check_time(when, parcel.now)
                new = await parcels.add_event(tx, parcel.id, when, status, text[:500])
                if new and tracking.is_applied(parcel.status, parcel.since, status, when):
                    await parcels.set_status(tx, parcel.id, status, when)
            shipment = await parcels.shipment(tx, parcel.id)
            if shipment.status != parcel.status:
                await self._tell(tx, shipment, when)
            return shipment

    async def shipments_for(self, *, order_id: UUID) -> list[Shipment]:
        """An order's parcels, oldest first."""
        async with self.db.read() as tx:
            return await parcels.shipments_of(tx, order_id)

    async def find_label(self, *, shipment_id: UUID) -> Label:
        """What stands on a parcel. Raises UnknownShipment."""
        async with self.db.read() as tx:
            label = await parcels.label(tx, shipment_id)
        if label is None:
            raise UnknownShipment("there is no such parcel")
        return label

    async def _tell(self, tx: Tx, shipment: Shipment, at: datetime) -> None:
        await tx.emit(
            ShipmentChanged(
                shipment_id=shipment.id,
                order_id=shipment.order_id,
                work_order_id=shipment.work_order_id,
                carrier=shipment.carrier,
                tracking_number=shipment.tracking_number,
                status=shipment.status,
                at=at,
            )
        )

    async def invariants(self) -> list[str]:
        """Parcels whose status nobody recorded, cash that is collected twice or not at all, zones that lead nowhere."""
        async with self.db.read() as tx:
            return await parcels.broken(tx)
