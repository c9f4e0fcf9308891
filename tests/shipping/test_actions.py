"""What shipping does, on a real PostgreSQL."""

import asyncio
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace

from sampan.kernel.db import Database
from sampan.kernel.errors import Invalid, NotFound
from sampan.kernel.ids import uuid7
from sampan.kernel.money import Money, UnknownCurrency
from sampan.services.locations.contract import UnknownPlace
from sampan.services.shipping.actions.shipping_actions import ShippingActions
from sampan.services.shipping.contract import (
    BookingClosed,
    Delivery,
    Destination,
    NotBooked,
    NotDeliverable,
    Shipment,
    Shipping,
    UnknownShipment,
)
from sampan.services.shipping.rules import number
from sampan.services.shipping.rules.offer import Band
from sampan.services.shipping.rules.zone import (
    HolidayDraft,
    NewZone,
    RateDraft,
    ServiceDraft,
    UnknownService,
    UnknownZone,
    VersionChanged,
    WardIn,
    Zone,
    ZoneDraft,
    ZoneExists,
)
from sampan.services.shipping.store import parcels

BEN_THANH = Destination("VN", "79", "26743")
HOME = Delivery(
    name="Nguyễn Thị Lan",
    phone="+84912345678",
    market="VN",
    province_code="79",
    ward_code="26743",
    province="Thành phố Hồ Chí Minh",
    ward="Phường Bến Thành",
    street="12/3 Lê Lợi",
    note="Gọi trước khi giao",
    version="2026-09-25",
)


@pytest.fixture
def shipping(shop: Any) -> ShippingActions:
    return shop.actions("shipping")  # type: ignore[no-any-return]


@pytest.fixture
def db(shop: Any) -> Database:
    return shop.db("shipping")  # type: ignore[no-any-return]


def vnd(amount: int) -> Money:
    return Money(amount, "VND")


async def prices(shipping: ShippingActions, to: Destination, value: int, grams: int = 500) -> dict[str, int]:
    found = await shipping.options_for(to=to, grams=grams, value=vnd(value))
    return {option.id: option.price.amount for option in found if option.service != "sameday"}


async def booked(shipping: ShippingActions, **more: Any) -> UUID:
    order_id = uuid7()
    fields = {"option_id": "hcm-standard", "delivery": HOME, "grams": 500, "value": vnd(300_000), "cod_amount": None}
    await shipping.book(order_id=order_id, **{**fields, **more})
    return order_id


async def parcel(shipping: ShippingActions, **more: Any) -> Shipment:
    order_id = await booked(shipping, **more)
    return await shipping.create_shipment(order_id=order_id, work_order_id=uuid7())


async def told(db: Database, key: UUID | str) -> list[Any]:
    """What events said about an order, a parcel or a zone, in order."""
    sql = "SELECT body FROM shipping.outbox WHERE body::text LIKE '%' || $1 || '%' ORDER BY xid, position"
    async with db.read() as tx:
        return await tx.many(dict, sql, str(key))


# --- the first rates --------------------------------------------------------------------------------------------------


async def test_the_inner_cities_pay_less_and_nothing_from_a_threshold_on(shipping: ShippingActions) -> None:
    assert await prices(shipping, BEN_THANH, 498_999) == {"hcm-standard": 20_000, "hcm-express": 35_000}
    assert await prices(shipping, BEN_THANH, 499_000) == {"hcm-standard": 0, "hcm-express": 35_000}
    hoan_kiem = Destination("VN", "01", "00070")
    assert await prices(shipping, hoan_kiem, 1) == {"hanoi-standard": 20_000, "hanoi-express": 35_000}


async def test_the_rest_pays_more_and_the_islands_most(shipping: ShippingActions) -> None:
    rest = {"vietnam-standard": 35_000, "vietnam-express": 60_000}
    assert await prices(shipping, Destination("VN", "79", "27094"), 900_000) == rest
    assert await prices(shipping, Destination("VN", "48", "20194"), 900_000) == rest
    assert await prices(shipping, Destination("VN", "79", "26732"), 900_000) == {"remote-standard": 55_000}


async def test_abroad_there_is_one_way_in_dollars_without_cash(shipping: ShippingActions) -> None:
    [option] = await shipping.options_for(
        to=Destination("INTL", "", ""), grams=2_000, value=Money(9_900, "USD"), language="en"
    )
    assert (option.price, option.cod_limit, option.name) == (Money(1_500, "USD"), None, "International delivery")


async def test_nothing_falls_back_to_another_market_currency_or_place(shipping: ShippingActions) -> None:
    assert await shipping.options_for(to=Destination("FR", "", ""), grams=1, value=vnd(1)) == []
    assert await shipping.options_for(to=Destination("VN", "", ""), grams=1, value=vnd(1)) == []
    assert await shipping.options_for(to=BEN_THANH, grams=1, value=Money(1, "USD")) == []
    assert await shipping.options_for(to=BEN_THANH, grams=200_001, value=vnd(1)) == []


async def test_options_are_one_statement(shop: Any) -> None:
    client = shop.client(Shipping)
    await client.options_for(to=BEN_THANH, grams=500, value=vnd(1))
    before = shop.db("shipping").statements
    options = await client.options_for(to=BEN_THANH, grams=500, value=vnd(1), language="en")
    assert shop.db("shipping").statements - before == 1
    assert options[0].name == "Standard delivery"
    assert options[0].promise.first >= datetime.now(UTC).date()
    assert (options[0].cod_fee, options[0].cod_limit) == (vnd(0), vnd(20_000_000))


# --- bookings ---------------------------------------------------------------------------------------------------------


async def test_what_is_not_offered_there_cannot_be_booked(shipping: ShippingActions) -> None:
    for wrong in (
        {"option_id": "hanoi-standard"},
        {"option_id": "hcm"},
        {"delivery": replace(HOME, ward_code="27094")},
        {"grams": 200_001},
        {"cod_amount": vnd(20_000_001)},
    ):
        with pytest.raises(NotDeliverable):
            await booked(shipping, **wrong)
    with pytest.raises(Invalid):
        await booked(shipping, cod_amount=vnd(-1))


async def test_a_booking_changes_until_the_first_parcel_leaves(shipping: ShippingActions) -> None:
    order_id = await booked(shipping, cod_amount=vnd(320_000))
    express = {"option_id": "hcm-express", "delivery": HOME, "grams": 700, "value": vnd(300_000)}
    await shipping.book(order_id=order_id, **express, cod_amount=vnd(335_000))
    made = await shipping.create_shipment(order_id=order_id, work_order_id=uuid7())
    assert (made.service, made.cod_amount) == ("express", vnd(335_000))
    await shipping.book(order_id=order_id, **express, cod_amount=vnd(335_000))
    with pytest.raises(BookingClosed):
        await shipping.book(order_id=order_id, **express, cod_amount=None)


async def test_a_booking_is_accepted_again_whatever_became_of_the_rates(shipping: ShippingActions) -> None:
    zone, ward = await new_zone(shipping)
    home = replace(HOME, ward_code=ward)
    order_id = await booked(shipping, option_id=f"{zone.code}-standard", delivery=home)
    await shipping.set_rate(
        zone=zone.code, service="standard", draft=replace(cheap(), active=False), version=zone.version
    )
    assert await prices(shipping, Destination("VN", "79", ward), 1) == {}
    await shipping.book(
        order_id=order_id,
        option_id=f"{zone.code}-standard",
        delivery=home,
        grams=500,
        value=vnd(300_000),
        cod_amount=None,
    )
    with pytest.raises(NotDeliverable):
        await booked(shipping, option_id=f"{zone.code}-standard", delivery=home)


# --- parcels ----------------------------------------------------------------------------------------------------------


async def test_a_work_order_has_one_parcel_however_often_it_is_asked_for(
    shipping: ShippingActions, db: Database
) -> None:
    order_id, work_order_id = await booked(shipping), uuid7()
    asks = [
        shipping.create_shipment(order_id=order_id, work_order_id=work_order_id, reference="SP123", grams=640)
        for _ in range(4)
    ]
    first, *rest = await asyncio.gather(*asks)
    assert all(other == first for other in rest)
    assert number.is_tracking_number(first.tracking_number)
    assert (first.status, first.cod_amount, [e.status for e in first.events]) == ("created", None, ["created"])
    assert await shipping.shipments_for(order_id=order_id) == [first]
    [event] = await told(db, order_id)
    assert (event["work_order_id"], event["status"]) == (str(work_order_id), "created")


async def test_the_first_parcel_of_an_order_carries_the_cash(shipping: ShippingActions) -> None:
    order_id = await booked(shipping, cod_amount=vnd(320_000))
    barrier = asyncio.Barrier(3)

    async def make() -> Shipment:
        await barrier.wait()
        return await shipping.create_shipment(order_id=order_id, work_order_id=uuid7())

    made = await asyncio.gather(*(make() for _ in range(3)))
    assert sorted(s.cod_amount.amount for s in made if s.cod_amount) == [320_000]
    assert [s.id for s in await shipping.shipments_for(order_id=order_id)]
    assert len({s.tracking_number for s in made}) == 3


async def test_a_parcel_needs_a_booking(shipping: ShippingActions) -> None:
    with pytest.raises(NotBooked):
        await shipping.create_shipment(order_id=uuid7(), work_order_id=uuid7())


async def test_no_personal_data_is_in_events(shipping: ShippingActions, db: Database) -> None:
    made = await parcel(shipping)
    await shipping.record(work_order_id=made.work_order_id, status="delivery_failed", text="Gọi cho chị Lan")
    said = str(await told(db, made.order_id))
    for secret in (HOME.name, HOME.phone, HOME.street, "Lan"):
        assert secret not in said


async def test_news_moves_a_parcel_and_is_told(shipping: ShippingActions, db: Database) -> None:
    made = await parcel(shipping)
    moved = await shipping.record(work_order_id=made.work_order_id, status="out_for_delivery")
    failed = await shipping.record(work_order_id=made.work_order_id, status="delivery_failed", text="Hẹn giao lại")
    assert (moved.status, failed.status) == ("out_for_delivery", "delivery_failed")
    assert [(e.status, e.text) for e in failed.events] == [
        ("created", ""), ("out_for_delivery", ""), ("delivery_failed", "Hẹn giao lại"),
    ]  # fmt: skip
    statuses = [event["status"] for event in await told(db, made.order_id)]
    assert statuses == ["created", "out_for_delivery", "delivery_failed"]


async def test_the_same_news_twice_is_recorded_once(shipping: ShippingActions, db: Database) -> None:
    made = await parcel(shipping)
    at = datetime.now(UTC)
    for _ in range(2):
        await shipping.record(work_order_id=made.work_order_id, status="in_transit", at=at)
        await shipping.record(work_order_id=made.work_order_id, status="in_transit")
    [found] = await shipping.shipments_for(order_id=made.order_id)
    assert [e.status for e in found.events] == ["created", "in_transit"]
    assert len(await told(db, made.order_id)) == 2


async def test_late_news_is_kept_but_changes_nothing(shipping: ShippingActions, db: Database) -> None:
    made = await parcel(shipping)
    now = datetime.now(UTC)
    await shipping.record(work_order_id=made.work_order_id, status="out_for_delivery", at=now)
    late = await shipping.record(work_order_id=made.work_order_id, status="in_transit", at=now - timedelta(hours=1))
    assert late.status == "out_for_delivery"
    assert [e.status for e in late.events] == ["in_transit", "created", "out_for_delivery"]
    assert len(await told(db, made.order_id)) == 2


async def test_late_news_between_two_scans_of_one_kind_changes_nothing(shipping: ShippingActions) -> None:
    made = await parcel(shipping)
    now = datetime.now(UTC)
    said: list[tuple[Any, int]] = [("in_transit", 30), ("in_transit", 10), ("delivery_failed", 20)]
    for status, minutes in said:
        last = await shipping.record(
            work_order_id=made.work_order_id, status=status, at=now - timedelta(minutes=minutes)
        )
    assert (last.status, len(last.events)) == ("in_transit", 4)


async def test_a_delivered_parcel_stays_delivered(shipping: ShippingActions) -> None:
    made = await parcel(shipping)
    await shipping.record(work_order_id=made.work_order_id, status="delivered")
    assert (await shipping.record(work_order_id=made.work_order_id, status="in_transit")).status == "delivered"
    assert (await shipping.record(work_order_id=made.work_order_id, status="returned")).status == "returned"


async def test_two_who_speak_at_once_are_both_heard(shipping: ShippingActions) -> None:
    made = await parcel(shipping)
    barrier = asyncio.Barrier(2)

    async def say(status: Any) -> None:
        await barrier.wait()
        await shipping.record(work_order_id=made.work_order_id, status=status)

    await asyncio.gather(say("in_transit"), say("delivered"))
    [found] = await shipping.shipments_for(order_id=made.order_id)
    assert found.status == "delivered"


async def test_news_of_no_parcel_or_from_the_future_is_refused(shipping: ShippingActions) -> None:
    with pytest.raises(UnknownShipment):
        await shipping.record(work_order_id=uuid7(), status="delivered")
    with pytest.raises(UnknownShipment):
        await shipping.find_label(shipment_id=uuid7())
    made = await parcel(shipping)
    with pytest.raises(Invalid):
        await shipping.record(
            work_order_id=made.work_order_id, status="delivered", at=datetime.now(UTC) + timedelta(hours=1)
        )


async def test_what_happened_cannot_be_rewritten(shipping: ShippingActions, db: Database) -> None:
    made = await parcel(shipping)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        async with db.begin() as tx:
            await tx.execute("DELETE FROM shipping.tracking_event WHERE shipment_id = $1", made.id)


async def test_the_database_lets_one_parcel_only_carry_the_cash(shipping: ShippingActions, db: Database) -> None:
    order_id = await booked(shipping, cod_amount=vnd(320_000))
    for _ in range(2):
        last = await shipping.create_shipment(order_id=order_id, work_order_id=uuid7())
    with pytest.raises(asyncpg.UniqueViolationError):
        async with db.begin() as tx:
            await tx.execute("UPDATE shipping.shipment SET cod_amount = 1 WHERE id = $1", last.id)


# --- zones and rates --------------------------------------------------------------------------------------------------

_wards = iter(f"{n:05}" for n in range(90_000, 99_999))  # codes that no ward has


async def new_zone(shipping: ShippingActions, *, ward: str = "", **more: Any) -> tuple[Zone, str]:
    """A zone of one ward, with a standard rate of 10,000 ₫."""
    ward = ward or next(_wards)
    async with shipping.db.begin() as tx:  # the wards are ours alone, so no locations service knows them
        code = f"z-{uuid7().hex[-12:]}"
        fields = {"code": code, "market": "VN", "name": "Thử", "priority": 100, "surcharge": 0, **more}
        await tx.execute(
            "INSERT INTO shipping.zone (code, market, name, priority, surcharge, active) "
            "VALUES ($1, $2, $3, $4, $5, true)",
            *fields.values(),
        )
        await tx.execute("INSERT INTO shipping.area (zone, code, province_code) VALUES ($1, $2, '79')", code, ward)
    return await shipping.set_rate(zone=code, service="standard", draft=cheap(), version=1), ward


def cheap(**more: Any) -> RateDraft:
    fields = {"bands": [Band(0, 9_000, 10_000)], "first_days": 1, "last_days": 3, "cutoff": time(15, 30), **more}
    return RateDraft(**fields)


async def test_the_lower_priority_number_goes_first(shipping: ShippingActions) -> None:
    first, ward = await new_zone(shipping)
    second, _ = await new_zone(shipping, ward=ward, priority=1)
    assert set(await prices(shipping, Destination("VN", "79", ward), 1)) == {f"{second.code}-standard"}
    draft = ZoneDraft(name="Thử", priority=1000, provinces=["79"])
    await shipping.change_zone(code=second.code, draft=replace(draft, active=False), version=second.version)
    assert set(await prices(shipping, Destination("VN", "79", ward), 1)) == {f"{first.code}-standard"}


async def test_a_zone_is_made_changed_and_priced_by_staff(shipping: ShippingActions, db: Database) -> None:
    code = f"z-{uuid7().hex[-12:]}"
    new = NewZone(
        code=code, market="VN", currency="VND", name="Quảng Ninh", provinces=["22"], surcharge=5_000, priority=900
    )
    made = await shipping.create_zone(new=new)
    assert (made.version, made.currency, made.provinces, made.everywhere, made.rates) == (1, "VND", ["22"], False, [])
    rate = cheap(cod_limit=1_000_000, cod_fee=9_000)
    priced = await shipping.set_rate(zone=code, service="standard", draft=rate, version=1)
    assert (priced.version, priced.rates[0].bands, priced.rates[0].cutoff) == (2, rate.bands, time(15, 30))
    [option] = await shipping.options_for(to=Destination("VN", "22", "07189"), grams=1, value=vnd(1))
    assert (option.price, option.cod_fee, option.cod_limit) == (vnd(15_000), vnd(9_000), vnd(1_000_000))
    ward = WardIn("22", "06652")
    changed = await shipping.change_zone(code=code, draft=ZoneDraft(name="Hạ Long", wards=[ward]), version=2)
    assert (changed.version, changed.provinces, changed.wards, changed.surcharge) == (3, [], [ward], 0)
    assert changed.rates == priced.rates
    assert [event["version"] for event in await told(db, code)] == [1, 2, 3]
    assert set(await prices(shipping, Destination("VN", "22", "07189"), 1)) == {"vietnam-standard", "vietnam-express"}
    await shipping.change_zone(
        code=code, draft=ZoneDraft(name="Hạ Long", wards=[ward], active=False), version=changed.version
    )


async def test_nobody_writes_over_what_he_has_not_read(shipping: ShippingActions) -> None:
    zone, _ = await new_zone(shipping)
    with pytest.raises(VersionChanged) as refused:
        await shipping.set_rate(zone=zone.code, service="standard", draft=cheap(), version=1)
    assert refused.value.facts["version"] == 2
    with pytest.raises(VersionChanged):
        await shipping.change_zone(code=zone.code, draft=ZoneDraft(name="x", provinces=["79"]), version=1)


async def test_unknown_zones_services_and_currencies_are_refused(shipping: ShippingActions) -> None:
    zone, _ = await new_zone(shipping)
    with pytest.raises(UnknownService):
        await shipping.set_rate(zone=zone.code, service="drone", draft=cheap(), version=zone.version)
    with pytest.raises(UnknownZone):
        await shipping.set_rate(zone="nowhere", service="standard", draft=cheap(), version=1)
    with pytest.raises(UnknownZone):
        await shipping.change_zone(code="nowhere", draft=ZoneDraft(name="x", everywhere=True), version=1)
    new = NewZone(code="hanoi", market="VN", currency="VND", name="Lại", provinces=["01"])
    with pytest.raises(ZoneExists):
        await shipping.create_zone(new=new)
    with pytest.raises(Invalid):
        await shipping.create_zone(new=replace(new, code=f"z-{uuid7().hex}", currency="USD"))
    with pytest.raises(UnknownCurrency):
        await shipping.create_zone(new=replace(new, code=f"z-{uuid7().hex}", currency="ZZZ"))


async def test_a_refused_rate_leaves_the_old_one(shipping: ShippingActions) -> None:
    zone, ward = await new_zone(shipping)
    with pytest.raises(Invalid):
        await shipping.set_rate(zone=zone.code, service="standard", draft=cheap(first_days=4), version=zone.version)
    assert await prices(shipping, Destination("VN", "79", ward), 1) == {f"{zone.code}-standard": 10_000}


async def test_zones_are_listed_page_by_page(shipping: ShippingActions) -> None:
    await new_zone(shipping)
    seen, cursor = [], None
    while True:
        page = await shipping.list_zones(limit=2, cursor=cursor)
        seen += [zone.code for zone in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert seen == sorted(set(seen))
    assert {"hanoi", "hcm", "intl", "remote", "vietnam"} <= set(seen)
    with pytest.raises(Invalid):
        await shipping.list_zones(limit=2, cursor="nonsense")


async def test_services_are_added_and_changed(shipping: ShippingActions) -> None:
    code = f"s{uuid7().hex[-10:]}"
    draft = ServiceDraft(carrier="own", name={"vi": "Giao buổi tối"}, weekdays=[5, 1])
    made = await shipping.put_service(code=code, draft=draft)
    assert made.weekdays == [1, 5]
    changed = await shipping.put_service(code=code, draft=replace(draft, active=False))
    assert changed in await shipping.list_services()
    assert not changed.active


async def test_days_off_move_the_promise(shipping: ShippingActions) -> None:
    to = Destination("INTL", "", "")

    async def first() -> Any:
        [option] = await shipping.options_for(to=to, grams=1, value=Money(1, "USD"))
        return option.promise.first

    before = await first()
    known = {holiday.day for holiday in await shipping.list_holidays(year=None)}
    assert before not in known
    await shipping.put_holiday(day=before, draft=HolidayDraft(name="Nghỉ", source="thử"))
    assert before in {holiday.day for holiday in await shipping.list_holidays(year=before.year)}
    assert await first() > before
    await shipping.drop_holiday(day=before)
    assert await first() == before
    with pytest.raises(NotFound):
        await shipping.drop_holiday(day=before)


async def test_the_first_calendar_has_both_years_with_sources(shipping: ShippingActions) -> None:
    for year, days in ((2026, 13), (2027, 15)):
        found = await shipping.list_holidays(year=year)
        assert len([holiday for holiday in found if holiday.source and holiday.day.year == year]) >= days


async def test_the_first_zones_name_wards_of_today(shipping: ShippingActions) -> None:
    zones = (await shipping.list_zones(limit=100, cursor=None)).items
    by_code = {zone.code: zone for zone in zones}
    for code, count in (("hanoi", 48), ("hcm", 56), ("remote", 13)):
        new = NewZone(
            code=f"z-{uuid7().hex}", market="VN", currency="VND", name="x", wards=by_code[code].wards, active=False
        )
        assert len((await shipping.create_zone(new=new)).wards) == count


async def test_a_zone_of_places_that_are_not_there_is_refused(shipping: ShippingActions) -> None:
    new = NewZone(code=f"z-{uuid7().hex}", market="VN", currency="VND", name="x", provinces=["99"])
    with pytest.raises(UnknownPlace):
        await shipping.create_zone(new=new)
    with pytest.raises(Invalid):
        await shipping.create_zone(new=replace(new, provinces=[], wards=[WardIn("79", "00004")]))
    zone, _ = await new_zone(shipping)
    with pytest.raises(UnknownPlace):
        await shipping.change_zone(code=zone.code, draft=ZoneDraft(name="x", provinces=["99"]), version=zone.version)


# --- invariants -------------------------------------------------------------------------------------------------------


async def test_what_is_broken_is_named(shipping: ShippingActions, db: Database) -> None:
    made = await parcel(shipping, cod_amount=vnd(320_000))
    assert not [line for line in await shipping.invariants() if made.tracking_number in line]
    async with db.begin() as tx:
        await tx.execute(
            "UPDATE shipping.shipment SET status = 'delivered', cod_amount = 300000 WHERE id = $1", made.id
        )
    found = await shipping.invariants()
    assert any(made.tracking_number in line and "delivered" in line for line in found)
    assert any(str(made.order_id) in line and "300000" in line for line in found)
    async with db.begin() as tx:
        await tx.execute("UPDATE shipping.shipment SET status = 'created', cod_amount = 320000 WHERE id = $1", made.id)
    assert not [line for line in await shipping.invariants() if str(made.order_id) in line]


class Undone(Exception):
    """Nothing of what a test broke stays."""


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("UPDATE shipping.booking SET currency = 'USD' WHERE order_id = $1", "goes in VND, its order in USD"),
        ("UPDATE shipping.booking SET cod_amount = NULL WHERE order_id = $1", "has cash of 0 to collect"),
        (
            "UPDATE shipping.shipment SET status_at = now() + interval '1 day' WHERE order_id = $1",
            "which nobody recorded",
        ),
        ("DELETE FROM shipping.band WHERE from_value = 0 AND $1::uuid IS NOT NULL", "has no price"),
        ("DELETE FROM shipping.area WHERE $1::uuid IS NOT NULL", "names no place"),
    ],
)
async def test_each_kind_of_damage_is_named(
    shipping: ShippingActions, db: Database, damage: str, sentence: str
) -> None:
    made = await parcel(shipping, cod_amount=vnd(320_000))
    with pytest.raises(Undone):
        async with db.begin() as tx:
            assert await tx.execute(damage, made.order_id) >= 1
            assert any(sentence in line for line in await parcels.broken(tx))
            raise Undone
