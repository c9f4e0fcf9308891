"""The rules of zones, rates, promises, tracking and numbers, without a database."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sampan.kernel.catalogue import TIME_ZONE
from sampan.kernel.errors import Invalid
from sampan.kernel.money import CurrencyMismatch, Money
from sampan.services.shipping.contract import Destination, NotDeliverable, Option, Tracking
from sampan.services.shipping.rules import barcode, number, offer, promise, tracking, zone
from sampan.services.shipping.rules.offer import Band, Rate

MONDAY = datetime(2026, 11, 23, 3, tzinfo=UTC)  # ten o'clock in Vietnam
WEEK = [1, 2, 3, 4, 5, 6]
INNER = [Band(0, 15_000, 20_000), Band(0, 50_000, 40_000), Band(499_000, 15_000, 0)]


def vnd(amount: int) -> Money:
    return Money(amount, "VND")


def rate(**more: Any) -> Rate:
    fields: dict[str, Any] = {
        "zone": "inner",
        "currency": "VND",
        "surcharge": 0,
        "service": "standard",
        "carrier": "own",
        "name": {"vi": "Giao tiêu chuẩn", "en": "Standard delivery"},
        "weekdays": WEEK,
        "cod_fee": 0,
        "cod_limit": 20_000_000,
        "first_days": 1,
        "last_days": 2,
        "cutoff": time(16),
        "bands": INNER,
        "now": MONDAY,
        "holidays": [],
    }
    return Rate(**{**fields, **more})


# --- places -----------------------------------------------------------------------------------------------------------


def test_a_ward_goes_before_its_province_and_that_before_the_market() -> None:
    assert offer.places_for(Destination("VN", "79", "26743")) == ["26743", "79", ""]
    assert offer.places_for(Destination("INTL", "", "")) == [""]


@pytest.mark.parametrize(
    ("province", "ward"), [("", ""), ("79", ""), ("7", "26743"), ("79", "2674"), ("７９", "26743")]
)
def test_a_vietnamese_address_without_both_codes_is_nowhere(province: str, ward: str) -> None:
    assert offer.places_for(Destination("VN", province, ward)) == []


# --- bands ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grams", "value", "price"),
    [
        (0, 0, 20_000),
        (15_000, 498_999, 20_000),
        (15_000, 499_000, 0),
        (15_001, 499_000, 40_000),
        (50_000, 9_000_000, 40_000),
        (50_001, 9_000_000, None),
    ],
)
def test_the_band_of_the_value_reached_and_the_weight_decides(grams: int, value: int, price: int | None) -> None:
    assert offer.price_for(INNER, grams=grams, value=value, surcharge=0) == price


def test_a_surcharge_lies_on_a_free_delivery_too() -> None:
    assert offer.price_for(INNER, grams=500, value=499_000, surcharge=20_000) == 20_000
    assert offer.free_from(INNER, grams=500, surcharge=20_000) is None


def test_it_is_said_from_which_value_on_delivery_is_free() -> None:
    assert offer.free_from(INNER, grams=15_000, surcharge=0) == 499_000
    assert offer.free_from(INNER, grams=15_001, surcharge=0) is None


bands = st.lists(
    st.builds(Band, st.sampled_from([0, 100, 499]), st.integers(1, 50), st.integers(0, 90)),
    min_size=1,
    max_size=9,
    unique_by=lambda band: (band.from_value, band.up_to_grams),
)


@given(bands, st.integers(0, 60), st.integers(0, 600), st.integers(0, 30))
def test_a_price_is_that_of_a_band_which_fits_and_no_better_one_does(
    table: list[Band], grams: int, value: int, surcharge: int
) -> None:
    price = offer.price_for(table, grams=grams, value=value, surcharge=surcharge)
    fitting = [band for band in table if band.from_value <= value and band.up_to_grams >= grams]
    assert (price is None) == (not fitting)
    if price is not None:
        reached = max(band.from_value for band in fitting)
        lightest = min(band.up_to_grams for band in fitting if band.from_value == reached)
        assert Band(reached, lightest, price - surcharge) in fitting


@given(bands, st.integers(0, 60), st.integers(0, 30))
def test_free_from_is_the_first_value_that_is_free(table: list[Band], grams: int, surcharge: int) -> None:
    first = offer.free_from(table, grams=grams, surcharge=surcharge)
    free = [v for v in range(600) if offer.price_for(table, grams=grams, value=v, surcharge=surcharge) == 0]
    assert first == (free[0] if free else None)


# --- options ----------------------------------------------------------------------------------------------------------


def test_options_are_the_cheapest_first_in_the_language_asked() -> None:
    rates = [rate(service="express", bands=[Band(0, 9_000, 35_000)], name={"vi": "Giao nhanh"}), rate()]
    options = offer.options_for(rates, grams=900, value=vnd(100_000), language="en")
    assert [(o.id, o.name, o.price) for o in options] == [
        ("inner-standard", "Standard delivery", vnd(20_000)),
        ("inner-express", "Giao nhanh", vnd(35_000)),
    ]
    assert (options[0].cod_fee, options[0].cod_limit, options[0].free_from) == (vnd(0), vnd(20_000_000), vnd(499_000))
    assert options[1].free_from is None


def test_nothing_is_offered_that_is_too_heavy_or_in_another_currency() -> None:
    assert offer.options_for([rate()], grams=50_001, value=vnd(1)) == []
    assert offer.options_for([rate()], grams=1, value=Money(1, "USD")) == []


def test_the_same_day_is_offered_only_while_it_can_be_kept() -> None:
    today = rate(service="sameday", first_days=0, last_days=0, cutoff=time(11), bands=[Band(0, 9_000, 50_000)])
    assert [o.promise.last for o in offer.options_for([today], grams=1, value=vnd(1))] == [date(2026, 11, 23)]
    late = rate(service="sameday", first_days=0, last_days=0, cutoff=time(10), bands=[Band(0, 9_000, 50_000)])
    assert offer.options_for([late], grams=1, value=vnd(1)) == []
    [booked] = offer.options_for([late], grams=1, value=vnd(1), late=True)
    assert booked.promise.last == date(2026, 11, 24)
    assert not offer.is_in_time(late, booked.promise)


def test_only_what_is_offered_can_be_chosen() -> None:
    options = offer.options_for([rate()], grams=1, value=vnd(1))
    assert offer.chosen(options, "inner-standard") is options[0]
    for other in ("inner-express", "", "standard"):
        with pytest.raises(NotDeliverable):
            offer.chosen(options, other)


def option(cod_limit: int | None) -> Option:
    return offer.options_for([rate(cod_limit=cod_limit)], grams=1, value=vnd(1))[0]


def test_cash_is_collected_where_the_service_takes_it_up_to_its_ceiling() -> None:
    offer.check_cash(option(None), None)
    offer.check_cash(option(500), vnd(500))
    for limit, cash in ((500, 501), (None, 1)):
        with pytest.raises(NotDeliverable):
            offer.check_cash(option(limit), vnd(cash))
    with pytest.raises(Invalid):
        offer.check_cash(option(500), vnd(-1))
    with pytest.raises(CurrencyMismatch):
        offer.check_cash(option(500), Money(1, "USD"))


# --- promises ---------------------------------------------------------------------------------------------------------


def promised(at: datetime, first: int, last: int, *, holidays: Any = (), weekdays: Any = WEEK) -> tuple[date, date]:
    found = promise.promise_for(
        at=at, cutoff=time(16), first_days=first, last_days=last, weekdays=weekdays, holidays=holidays
    )
    return found.first, found.last


def local(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=TIME_ZONE)


def test_an_order_before_the_cutoff_leaves_the_same_day() -> None:
    assert promised(local(25, 15, 59), 1, 2) == (date(2026, 11, 26), date(2026, 11, 27))
    assert promised(local(25, 16), 1, 2) == (date(2026, 11, 27), date(2026, 11, 28))


def test_the_clock_is_that_of_vietnam() -> None:
    assert promised(datetime(2026, 11, 24, 23, tzinfo=UTC), 1, 1) == (date(2026, 11, 26), date(2026, 11, 26))


def test_sundays_and_holidays_do_not_count() -> None:
    assert promised(local(28, 9), 1, 2) == (date(2026, 11, 30), date(2026, 12, 1))  # a Saturday
    assert promised(local(29, 9), 0, 1) == (date(2026, 11, 30), date(2026, 12, 1))  # a Sunday
    assert promised(local(23, 9), 1, 2, holidays=[date(2026, 11, 24)]) == (date(2026, 11, 25), date(2026, 11, 26))
    assert promised(local(29, 9), 0, 0, weekdays=[7]) == (date(2026, 11, 29), date(2026, 11, 29))


moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1), timezones=st.just(UTC))
days_off = st.sets(st.dates(date(2026, 1, 1), date(2027, 12, 31)), max_size=60)
workdays = st.sets(st.integers(1, 7), min_size=1)
spans = st.tuples(st.integers(0, 20), st.integers(0, 20)).map(sorted)


@given(moments, spans, workdays, days_off, st.times())
def test_a_parcel_is_promised_for_working_days_that_come(
    at: datetime, span: list[int], weekdays: set[int], holidays: set[date], cutoff: time
) -> None:
    found = promise.promise_for(
        at=at, cutoff=cutoff, first_days=span[0], last_days=span[1], weekdays=weekdays, holidays=holidays
    )
    today = at.astimezone(TIME_ZONE).date()
    assert today <= found.first <= found.last
    for day in (found.first, found.last):
        assert promise.is_working_day(day, weekdays=weekdays, holidays=holidays)
    between = sum(
        promise.is_working_day(found.first + timedelta(days=i), weekdays=weekdays, holidays=holidays)
        for i in range(1, (found.last - found.first).days + 1)
    )
    assert between == span[1] - span[0]


@given(moments, st.timedeltas(timedelta(0), timedelta(days=9)), spans, workdays, days_off)
def test_who_orders_later_is_never_promised_an_earlier_day(
    at: datetime, wait: timedelta, span: list[int], weekdays: set[int], holidays: set[date]
) -> None:
    first, second = (
        promise.promise_for(
            at=when, cutoff=time(16), first_days=span[0], last_days=span[1], weekdays=weekdays, holidays=holidays
        )
        for when in (at, at + wait)
    )
    assert first.first <= second.first
    assert first.last <= second.last


# --- tracking ---------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)
status = st.sampled_from(get_args(Tracking))


def test_only_newer_news_counts() -> None:
    assert tracking.is_applied("in_transit", NOW, "out_for_delivery", NOW + SECOND)
    assert not tracking.is_applied("in_transit", NOW, "out_for_delivery", NOW)
    assert not tracking.is_applied("out_for_delivery", NOW, "in_transit", NOW - SECOND)


def test_the_same_status_again_makes_what_lies_between_old_news() -> None:
    assert tracking.is_applied("in_transit", NOW, "in_transit", NOW + 2 * SECOND)
    assert not tracking.is_applied("in_transit", NOW + 2 * SECOND, "delivery_failed", NOW + SECOND)


def test_a_parcel_is_made_once_and_anything_is_newer_than_that() -> None:
    assert tracking.is_applied("created", NOW, "delivered", NOW - SECOND)
    assert not tracking.is_applied("in_transit", NOW, "created", NOW + SECOND)


@given(st.sampled_from(sorted(tracking.TERMINAL - {"lost"})), status)
def test_a_terminal_status_stays_but_for_a_carriers_correction(known: Any, new: Any) -> None:
    allowed = known == "delivered" and new in ("returned", "partially_delivered")
    assert tracking.is_applied(known, NOW, new, NOW + SECOND) == allowed


@given(status)
def test_what_was_lost_may_be_found(new: Any) -> None:
    assert tracking.is_applied("lost", NOW, new, NOW + SECOND) == (new != "created")


@given(st.lists(st.tuples(status, st.integers(0, 9)), max_size=8, unique_by=lambda e: e[1]), st.randoms())
def test_news_in_any_order_leads_to_the_same_end_unless_one_was_terminal(events: list[Any], random: Any) -> None:
    assume(all(s not in tracking.TERMINAL and s != "created" for s, _ in events))

    def end(order: list[Any]) -> tuple[Any, datetime]:
        known, since = "created", NOW
        for new, second in order:
            at = NOW + second * SECOND
            if tracking.is_applied(known, since, new, at):  # type: ignore[arg-type]
                known, since = new, at
        return known, since

    shuffled = [*events]
    random.shuffle(shuffled)
    in_time = end(sorted(events, key=lambda e: e[1]))
    assert end(shuffled) == in_time


def test_who_repeats_what_is_known_without_a_time_says_nothing_new() -> None:
    assert tracking.is_repeated("delivered", "delivered", None)
    assert not tracking.is_repeated("delivered", "delivered", NOW)
    assert not tracking.is_repeated("delivered", "returned", None)


def test_news_from_the_future_is_refused() -> None:
    tracking.check_time(NOW + timedelta(minutes=10), NOW)
    with pytest.raises(Invalid):
        tracking.check_time(NOW + timedelta(minutes=10, seconds=1), NOW)


# --- numbers and barcodes ---------------------------------------------------------------------------------------------

draws = st.integers(0, number.NUMBERS - 1)
letters = st.sampled_from(number.ALPHABET)


@given(draws)
def test_a_tracking_number_is_one(draw: int) -> None:
    text = number.tracking_number_for(draw)
    assert len(text) == 12
    assert number.is_tracking_number(text)


@given(draws, draws)
def test_two_draws_are_two_numbers(one: int, other: int) -> None:
    assert (number.tracking_number_for(one) == number.tracking_number_for(other)) == (one == other)


@given(draws, st.integers(2, 11), letters)
def test_one_character_read_wrong_is_noticed(draw: int, place: int, letter: str) -> None:
    text = number.tracking_number_for(draw)
    assume(text[place] != letter)
    assert not number.is_tracking_number(text[:place] + letter + text[place + 1 :])


@given(draws, st.integers(2, 10), st.integers(2, 10))
def test_any_two_characters_exchanged_are_noticed(draw: int, one: int, other: int) -> None:
    text = list(number.tracking_number_for(draw))
    assume(text[one] != text[other])
    text[one], text[other] = text[other], text[one]
    assert not number.is_tracking_number("".join(text))


@pytest.mark.parametrize("draw", [-1, number.NUMBERS])
def test_there_are_no_more_numbers(draw: int) -> None:
    with pytest.raises(ValueError):
        number.tracking_number_for(draw)


@pytest.mark.parametrize("text", ["", "GH", "gh0000000000", "GH00000000000", "XX0000000000", "GH000000000I"])
def test_other_texts_are_no_tracking_numbers(text: str) -> None:
    assert not number.is_tracking_number(text)


def test_a_barcode_is_what_an_independent_reader_reads() -> None:
    """The widths of `GHK7M3XQ` in code set B, as another implementation of the standard writes and reads them."""
    widths = "".join(str(width) for width in barcode.modules_for("GHK7M3XQ"))
    assert widths == ("2112142113132311131123313121311131232211323311212113312231122331112")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30))
def test_every_character_of_a_barcode_is_eleven_modules_wide(text: str) -> None:
    widths = barcode.modules_for(text)
    assert len(widths) == 6 * (len(text) + 2) + 7
    symbols = [widths[i : i + 6] for i in range(0, len(widths) - 7, 6)]
    assert all(sum(symbol) == 11 for symbol in symbols)
    assert sum(widths[-7:]) == 13


@pytest.mark.parametrize("text", ["", "Đ", "a\n", "x" * 81])
def test_a_barcode_takes_printable_ascii_only(text: str) -> None:
    with pytest.raises(ValueError):
        barcode.modules_for(text)


def test_a_barcode_has_margins_and_cannot_break_out_of_its_page() -> None:
    svg = barcode.barcode_svg('"><script>')
    assert "<script" not in svg
    assert f'viewBox="0 0 {11 * 12 + 13 + 20} 40"' in svg
    assert '<path d="M10 0h2v40h-2z' in svg


# --- what staff write -------------------------------------------------------------------------------------------------


def zone_draft(**more: Any) -> zone.ZoneDraft:
    return zone.ZoneDraft(**{"name": "Nội thành", **more})


def rate_draft(**more: Any) -> zone.RateDraft:
    fields = {"bands": [Band(0, 9_000, 20_000)], "first_days": 1, "last_days": 2, "cutoff": time(16), **more}
    return zone.RateDraft(**fields)


def test_a_zone_names_at_least_one_place_and_each_once() -> None:
    ward = zone.WardIn("79", "26743")
    zone.check_places(zone_draft(everywhere=True), "INTL")
    zone.check_places(zone_draft(provinces=["79"], wards=[ward]), "VN")
    for market, draft in (
        ("VN", zone_draft()),
        ("VN", zone_draft(provinces=["79", "79"])),
        ("VN", zone_draft(wards=[ward, ward])),
        ("INTL", zone_draft(everywhere=True, provinces=["79"])),
    ):
        with pytest.raises(Invalid):
            zone.check_places(draft, market)


def test_a_zone_stands_for_every_place_it_names() -> None:
    draft = zone_draft(everywhere=True, provinces=["01"], wards=[zone.WardIn("79", "26743")])
    assert zone.places_of(draft) == [zone.Place("", ""), zone.Place("01", "01"), zone.Place("26743", "79")]


def test_a_zone_names_wards_of_today() -> None:
    known = {"79": {"26743"}, "01": {"00004"}}
    zone.check_wards([zone.WardIn("79", "26743")], known)
    for ward in (zone.WardIn("79", "99999"), zone.WardIn("01", "26743")):
        with pytest.raises(Invalid) as refused:
            zone.check_wards([zone.WardIn("01", "00004"), ward], known)
        assert refused.value.facts["errors"][0]["field"] == "wards.1.ward_code"


@pytest.mark.parametrize(
    "wrong",
    [
        {"first_days": 3},
        {"bands": [Band(1, 9_000, 20_000)]},
        {"bands": [Band(0, 9_000, 20_000), Band(0, 9_000, 0)]},
    ],
)
def test_a_rate_has_one_price_for_every_value_and_days_in_order(wrong: dict[str, Any]) -> None:
    zone.check_rate(rate_draft())
    with pytest.raises(Invalid):
        zone.check_rate(rate_draft(**wrong))


def test_a_service_has_a_vietnamese_name_and_a_short_code() -> None:
    zone.check_service(zone.ServiceDraft(carrier="own", name={"vi": "Giao nhanh"}, weekdays=[1, 2]))
    for draft in (
        zone.ServiceDraft(carrier="own", name={"en": "Express"}, weekdays=[1]),
        zone.ServiceDraft(carrier="own", name={"vi": "Giao nhanh"}, weekdays=[1, 1]),
    ):
        with pytest.raises(Invalid):
            zone.check_service(draft)
    zone.check_service_code("express2")
    for code in ("", "2x", "a-b", "Express", "x" * 21):
        with pytest.raises(Invalid):
            zone.check_service_code(code)
