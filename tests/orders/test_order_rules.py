"""The order's rules, one sentence at a time. test_order_machine.py plays them all together."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.services.inventory.contract import Allocation
from sampan.services.orders.contract import NotCancellable, NotConfirmable, NotPayable
from sampan.services.orders.rules import order as rules
from sampan.services.orders.rules.order import (
    Decision,
    Heard,
    PaymentFact,
    Policy,
    Progress,
    WorkOrderFact,
    decide,
    fresher,
    fulfillment_status_for,
    new_progress,
)

TOTAL = 259_000
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
POLICY = Policy()
PARTS = [Allocation(uuid4(), uuid4(), 1)]
NO = rules.Refused("inventory.out_of_stock", 409, "", {})
PAYMENT = uuid4()


def order(method: str = "vnpay", policy: Policy = POLICY) -> Progress:
    return new_progress(
        order_id=uuid4(),
        now=NOW,
        currency="VND",
        total=TOTAL,
        method=method,
        return_url="/",
        client_ip="203.0.113.7",
        policy=policy,
    )


def payment(status: str, *, version: int = 0, captured: int | None = None, refunded: int = 0, **fields) -> PaymentFact:
    if captured is None:
        captured = TOTAL if status in ("paid", "partially_refunded", "refunded", "cod_collected") else 0
    known = {"method": "vnpay", "amount": TOTAL, "currency": "VND", "payment_id": PAYMENT, "failure": None, **fields}
    return PaymentFact(status=status, version=version, captured=captured, refunded=refunded, **known)  # type: ignore


def play(start: Progress, *heard: Heard, now: datetime = NOW, policy: Policy = POLICY) -> Decision:
    """Hear one after the other, each under a new version, as the rows do."""
    decision = decide(start, [], now=now, policy=policy)
    for fact in heard:
        known = msgspec.structs.replace(decision.progress, version=decision.progress.version + 1)
        if isinstance(fact, rules.HoldLost | rules.NoStock | rules.Asked | rules.Booked):
            fact = msgspec.structs.replace(fact, version=known.version)
        decision = decide(known, [fact], now=now, policy=policy)
    return decision


HELD = rules.Held(NOW + timedelta(minutes=20), 1)
PREPAID, COD = rules.Booked("prepaid", 0), rules.Booked("cod", 0)


def pending() -> Progress:
    """Held, booked, and open at the provider."""
    return play(order(), HELD, PREPAID, rules.Opened(1, payment("pending"))).progress


def placed(method: str = "vnpay") -> Progress:
    if method == "cod":
        due = payment("cod_due", method="cod")
        return play(order("cod"), HELD, COD, rules.Opened(1, due), rules.Confirmed(PARTS)).progress
    return play(pending(), payment("paid", version=2), rules.Confirmed(PARTS)).progress


def work(status: str, version: int, *, of: int = 1, work_id: UUID = UUID(int=1)) -> WorkOrderFact:
    return WorkOrderFact(work_id, UUID(int=9), status, "VN1", of, version)  # type: ignore[arg-type]


def codes(decision: Decision) -> list[str]:
    return [entry.code for entry in decision.entries]


# --- to be placed


def test_checkout_on_delivery_takes_the_goods_for_good_books_opens_and_is_placed():
    start, taken = order("cod"), rules.Confirmed(PARTS)
    assert play(start).step == rules.Reserve(20, firm=True)
    assert play(start, taken).step == rules.Book("cod")
    assert play(start, taken, COD).step == rules.Open()
    done = play(start, taken, COD, rules.Opened(1, payment("cod_due", method="cod")))
    assert done.step == rules.Rest()
    assert (done.progress.status, done.progress.payment_status) == ("placed", "cod_due")


def test_goods_taken_for_good_are_released_when_the_way_to_pay_is_refused():
    refused = rules.NotOpened(1, rules.Refused("payments.method_not_available", 409, "no", {}))
    off = play(order("cod"), rules.Confirmed(PARTS), COD, refused)
    assert off.step == rules.Release()
    assert play(off.progress, rules.Released(), rules.GivenUp(None)).progress.status == "cancelled"


def test_an_order_whose_goods_wait_for_its_money_is_confirmed_after_it():
    start = order("cod", policy=Policy(confirm_cod=True))
    assert play(start).step == rules.Reserve(20)
    start = order("cod")
    assert play(start, HELD).step == rules.Book("cod")
    assert play(start, HELD, COD).step == rules.Open()
    due = rules.Opened(1, payment("cod_due", method="cod"))
    assert play(start, HELD, COD, due).step == rules.Confirm()
    done = play(start, HELD, COD, due, rules.Confirmed(PARTS))
    assert done.step == rules.Rest()
    assert (done.progress.status, done.progress.payment_status) == ("placed", "cod_due")
    assert done.news == [rules.Placed()]
    assert done.progress.client_ip == ""


def test_a_prepaid_order_waits_for_its_money_and_is_placed_when_it_comes():
    waiting = play(pending())
    assert waiting.step == rules.Rest(NOW + timedelta(minutes=15))
    assert waiting.progress.payment_status == "pending"
    for money in ("paid", "authorized"):
        paid = play(pending(), payment(money, version=2))
        assert paid.step == rules.Confirm()
        assert paid.progress.status == "pending"
        assert play(paid.progress, rules.Confirmed(PARTS)).progress.status == "placed"


@pytest.mark.parametrize(
    "wrong",
    [
        payment("paid", version=2, amount=TOTAL - 1),
        payment("paid", version=2, captured=TOTAL - 1),
        payment("paid", version=2, currency="USD"),
        payment("review", version=2),
        payment("failed", version=2),
        payment("partially_refunded", version=2, refunded=1),
        payment("refunded", version=2, refunded=TOTAL),
    ],
)
def test_an_order_is_not_placed_for_other_money_than_its_total(wrong):
    heard = play(pending(), wrong)
    assert isinstance(heard.step, rules.Rest)
    assert heard.progress.status == "pending"


def test_payments_may_tell_of_an_attempt_before_they_answer_whoever_opened_it():
    """He may have died over it; the order is one that was seen, and what ends it is told."""
    start = order("cod")
    done = play(start, rules.Confirmed(PARTS), COD, payment("cod_due", method="cod", version=1))
    assert (done.step, done.progress.status, done.progress.opened) == (rules.Rest(), "placed", 1)
    off = play(
        done.progress,
        rules.CancelAsked(by="customer", reason=""),
        rules.Released(),
        rules.GivenUp(payment("cancelled", method="cod", version=2)),
    )
    assert (off.progress.status, off.reopen_cart) == ("cancelled", False)
    assert off.news == [rules.Cancelled(0, was_placed=True)]


def test_what_payments_told_of_is_given_up_also_when_the_goods_are_gone():
    waits = Policy(confirm_cod=True)
    told = play(order("cod", waits), payment("cod_due", method="cod", version=1), policy=waits)
    gone = play(told.progress, rules.NoStock(NO, 0), rules.Released(), policy=waits)
    assert gone.step == rules.GiveUp()


def test_a_hold_that_lapsed_while_the_customer_paid_is_taken_again():
    late = NOW + timedelta(minutes=21)
    paid = play(pending(), payment("paid", version=2), now=late)
    assert paid.step == rules.Reserve(5)
    again = play(paid.progress, rules.Held(late + timedelta(minutes=5), 1), now=late)
    assert again.step == rules.Confirm()
    assert "hold_taken_again" in codes(again)
    assert play(again.progress, rules.HoldLost(0), now=late).step == rules.Reserve(5)


def test_if_the_goods_are_gone_the_money_goes_back_and_the_customer_is_told():
    late = NOW + timedelta(minutes=21)
    gone = play(pending(), payment("paid", version=2), rules.NoStock(NO, 0), now=late)
    assert gone.step == rules.Release()  # so that no call that comes late takes them for it
    gone = play(gone.progress, rules.Released(), now=late)
    assert gone.step == rules.GiveUp()
    assert gone.progress.closing == "stock_lost"
    done = play(gone.progress, rules.GivenUp(payment("paid")), now=late)
    assert (done.progress.status, done.progress.closing) == ("cancelled", "stock_lost")
    assert done.news == [rules.Cancelled(TOTAL, was_placed=False)]
    assert done.step == rules.Rest()


def test_an_order_that_never_got_its_goods_was_no_order():
    refused = play(order("cod"), rules.NoStock(NO, 0))
    assert refused.step == rules.Release()
    refused = play(refused.progress, rules.Released())
    assert refused.progress.status == "cancelled"
    assert refused.reopen_cart
    assert refused.news == []
    assert refused.step == rules.Rest()
    assert refused.progress.refused == NO


@pytest.mark.parametrize("said", [rules.NotOpened(1, NO), rules.NotBooked("prepaid", 1, NO)])
def test_an_order_whose_way_to_pay_or_to_travel_is_refused_was_no_order(said):
    heard = [HELD] if isinstance(said, rules.NotBooked) else [HELD, PREPAID]
    decision = play(order(), *heard, said)
    assert decision.step == rules.Release()
    done = play(decision.progress, rules.Released(), rules.GivenUp(None))
    assert done.progress.status == "cancelled"
    assert done.reopen_cart
    assert done.news == []


def test_an_old_refusal_of_the_goods_is_not_believed():
    """Somebody else held them in the meantime."""
    start = order("cod")
    held = decide(start, [HELD], now=NOW, policy=POLICY).progress
    held = msgspec.structs.replace(held, version=start.version + 1)
    stale = decide(held, [rules.NoStock(NO, start.version)], now=NOW, policy=POLICY)
    assert stale.progress == held


# --- time


def test_an_unpaid_order_expires_after_the_provider_was_asked_a_last_time():
    late = NOW + timedelta(minutes=15)
    assert play(pending(), now=late).step == rules.Ask()
    asked = play(pending(), rules.Asked(payment("pending"), 0), now=late)
    assert asked.step == rules.Release()
    done = play(asked.progress, rules.Released(), rules.GivenUp(payment("cancelled", version=9)), now=late)
    assert (done.progress.status, done.progress.closing) == ("cancelled", "payment_expired")
    assert done.progress.payment_status == "unpaid"
    assert done.news == [rules.Cancelled(0, was_placed=False)]


def test_money_found_by_asking_a_last_time_places_the_order():
    late = NOW + timedelta(minutes=15)
    found = play(pending(), rules.Asked(payment("paid", version=9), 0), now=late)
    assert found.step == rules.Confirm()


def test_payments_that_does_not_answer_is_not_waited_for_forever():
    assert play(pending(), now=NOW + timedelta(minutes=24)).step == rules.Ask()
    assert play(pending(), now=NOW + timedelta(minutes=25)).step == rules.Release()


def test_a_failed_payment_leaves_time_for_another_try():
    failed = play(pending(), payment("failed", version=2))
    assert failed.progress.payment_status == "failed"
    assert failed.step == rules.Rest(NOW + timedelta(minutes=15))
    asked = rules.PayAsked("cod", "/", "203.0.113.7")
    again = play(failed.progress, asked)
    assert again.progress.attempt == 2
    assert again.step == rules.Extend(20)
    held = play(again.progress, rules.Held(NOW + timedelta(minutes=20), 2))
    assert held.step == rules.Book("cod")
    assert play(held.progress, COD).step == rules.Open()


def test_a_refused_second_try_does_not_end_the_order():
    asked = rules.PayAsked("vnpay", "/", "")
    refused = play(pending(), asked, rules.Held(NOW + timedelta(minutes=20), 2), rules.NotOpened(2, NO))
    assert refused.progress.status == "pending"
    assert refused.progress.refused == NO
    assert isinstance(refused.step, rules.Rest)


def test_tries_to_pay_do_not_keep_goods_from_others_forever():
    now, state = NOW, pending()
    for number in range(2, 11):
        now += timedelta(minutes=10)
        if now >= state.pay_until:
            break
        state = play(state, rules.PayAsked("vnpay", "/", ""), now=now).progress
        state = play(
            state,
            rules.Held(now + timedelta(minutes=20), number),
            rules.Opened(number, payment("pending", payment_id=uuid4())),
            now=now,
        ).progress
    assert state.pay_until == NOW + timedelta(minutes=60)
    with pytest.raises(NotPayable):
        play(state, rules.PayAsked("vnpay", "/", ""), now=NOW + timedelta(minutes=60))


def test_a_try_to_pay_that_is_asked_for_again_under_the_same_key_is_the_same_try():
    asked = rules.PayAsked("vnpay", "/", "", key="once")
    first = play(pending(), asked)
    assert rules.is_same_try(first.progress, "once")
    assert play(first.progress, asked).progress.attempt == first.progress.attempt == 2
    assert play(first.progress, rules.PayAsked("vnpay", "/", "", key="twice")).progress.attempt == 3
    paid = msgspec.structs.replace(placed(), pay_key="once")
    assert play(paid, asked).progress.attempt == paid.attempt  # the answer was lost, and paid it is
    without = play(pending(), rules.PayAsked("vnpay", "/", "")).progress
    assert not rules.is_same_try(without, "")


def test_an_order_takes_ten_tries_to_pay():
    tired = msgspec.structs.replace(pending(), attempt=10, opened=10)
    with pytest.raises(NotPayable) as refused:
        play(tired, rules.PayAsked("vnpay", "/", ""))
    assert refused.value.facts["reason"] == "too_many_attempts"


@pytest.mark.parametrize("state", ["placed", "cod", "cancelled", "opening"])
def test_what_is_paid_or_off_or_not_open_yet_takes_no_payment(state):
    cancelled = play(pending(), rules.CancelAsked("customer", ""), rules.Released(), rules.GivenUp(None))
    which = {"placed": placed(), "cod": placed("cod"), "cancelled": cancelled.progress, "opening": order()}
    with pytest.raises(NotPayable):
        play(which[state], rules.PayAsked("vnpay", "/", ""))


# --- confirmation of cash on delivery

CAREFUL = Policy(confirm_cod=True)


def waiting() -> Progress:
    due = rules.Opened(1, payment("cod_due", method="cod"))
    heard = play(order("cod", CAREFUL), HELD, COD, due, rules.Confirmed(PARTS), policy=CAREFUL)
    assert heard.step == rules.Rest(NOW + timedelta(hours=48))
    return heard.progress


def test_a_careful_shop_places_cash_on_delivery_when_staff_have_confirmed_it():
    assert waiting().status == "pending"
    assert rules.waits_for_confirmation(waiting())
    done = play(waiting(), rules.ConfirmAsked(), policy=CAREFUL)
    assert done.progress.status == "placed"
    assert codes(done) == ["confirmed", "placed"]
    again = play(done.progress, rules.ConfirmAsked(), policy=CAREFUL)
    assert again.entries == []


def test_an_order_that_nobody_could_confirm_is_called_off():
    late = play(waiting(), now=NOW + timedelta(hours=48), policy=CAREFUL)
    assert late.step == rules.Release()
    assert late.progress.closing == "not_confirmed"


def test_only_cash_on_delivery_is_confirmed():
    assert play(placed("cod"), rules.ConfirmAsked()).progress.confirmed_at == NOW
    for state in (placed(), pending()):
        with pytest.raises(NotConfirmable):
            play(state, rules.ConfirmAsked())


# --- calling off


@pytest.mark.parametrize("by", ["customer", "staff"])
def test_an_order_can_be_called_off_until_its_first_parcel_leaves(by):
    for state in (pending(), placed(), placed("cod"), play(placed(), work("packed", 1)).progress):
        asked = play(state, rules.CancelAsked(by, "đổi ý"))
        assert asked.step == rules.Release()
        given_up = play(asked.progress, rules.Released())
        assert given_up.step == rules.GiveUp()
    for status in ("shipped", "delivered", "delivery_failed", "returning", "returned"):
        with pytest.raises(NotCancellable):
            play(play(placed(), work(status, 1)).progress, rules.CancelAsked(by, ""))


def test_a_cancelled_order_gives_back_what_was_paid():
    done = play(
        placed(), rules.CancelAsked("customer", "đổi ý"), rules.Released(), rules.GivenUp(payment("paid", version=0))
    )
    assert done.progress.status == "cancelled"
    assert done.news == [rules.Cancelled(TOTAL, was_placed=True)]
    assert done.entries[-1].facts == {"reason": "customer", "note": "đổi ý", "by": "customer"}


def test_who_cancels_too_late_changes_nothing():
    """The parcel left while the cancellation was on its way."""
    late = play(placed(), rules.CancelAsked("customer", ""), rules.ShippedAlready())
    assert late.progress.status == "placed"
    assert late.progress.closing == ""
    assert codes(late) == ["cancel_refused"]
    with pytest.raises(NotCancellable):
        play(late.progress, rules.CancelAsked("customer", ""))


def test_an_order_is_called_off_once():
    done = play(pending(), rules.CancelAsked("customer", ""), rules.Released(), rules.GivenUp(None))
    for state in (done.progress, play(pending(), rules.CancelAsked("customer", "")).progress):
        with pytest.raises(NotCancellable):
            play(state, rules.CancelAsked("staff", ""))


def test_money_that_comes_after_the_end_goes_back():
    done = play(pending(), rules.CancelAsked("customer", ""), rules.Released(), rules.GivenUp(payment("cancelled")))
    late = play(done.progress, payment("paid", version=5))
    assert late.step == rules.GiveUp()
    assert "payment_late" in codes(late)
    back = play(late.progress, rules.GivenUp(payment("refunded", refunded=TOTAL)))
    assert back.step == rules.Rest()
    assert back.progress.status == "cancelled"


def test_goods_that_are_held_after_the_end_are_released():
    done = play(pending(), rules.CancelAsked("customer", ""), rules.Released(), rules.GivenUp(None))
    assert play(done.progress, HELD).step == rules.Release()
    assert play(done.progress, rules.Confirmed(PARTS)).step == rules.Release()


def test_what_is_set_aside_for_good_is_not_loosened_by_a_late_word():
    assert play(placed(), HELD).progress.hold == "confirmed"
    assert play(placed(), rules.HoldLost(0)).progress.hold == "confirmed"
    assert play(placed(), rules.NoStock(NO, 0)).progress.status == "placed"


# --- two ways to pay


def test_who_paid_in_advance_is_not_asked_for_cash_at_the_door():
    """The customer chose cash, and the first payment came through after all."""
    switched = play(pending(), rules.PayAsked("cod", "/", ""), rules.Held(NOW + timedelta(minutes=20), 2), COD)
    assert switched.step == rules.Open()
    paid = play(switched.progress, rules.Opened(2, payment("paid", version=9)), rules.Confirmed(PARTS))
    assert (paid.step, paid.progress.status) == (rules.Book("prepaid"), "pending")
    done = play(paid.progress, PREPAID)
    assert (done.progress.status, done.progress.method) == ("placed", "vnpay")


def test_a_carrier_that_refuses_another_amount_leaves_it_to_a_person():
    paid = play(placed("cod"), payment("paid", version=9, method="vnpay"))
    assert paid.step == rules.Book("prepaid")
    refused = play(paid.progress, rules.NotBooked("prepaid", 1, NO))
    assert refused.step == rules.Rest()
    assert [entry.private for entry in refused.entries if entry.code == "not_rebooked"] == [True]


# --- the parcels


@pytest.mark.parametrize(
    ("statuses", "of", "shown"),
    [
        ([], 0, "unfulfilled"),
        (["allocated"], 1, "allocated"),
        (["picking"], 2, "picking"),
        (["packed"], 1, "packed"),
        (["packed"], 2, "picking"),
        (["packed", "picking"], 2, "picking"),
        (["shipped"], 1, "shipped"),
        (["shipped"], 2, "partially_shipped"),
        (["shipped", "packed"], 2, "partially_shipped"),
        (["delivered", "allocated"], 2, "partially_shipped"),
        (["delivered", "shipped"], 2, "shipped"),
        (["delivered", "delivered"], 2, "delivered"),
        (["delivered", "delivery_failed"], 2, "delivery_failed"),
        (["delivered", "returning"], 2, "returning"),
        (["delivered", "returned"], 2, "delivered"),
        (["returned", "returned"], 2, "returned"),
        (["cancelled", "delivered"], 2, "delivered"),
        (["cancelled"], 1, "unfulfilled"),
    ],
)
def test_an_order_says_of_its_goods_what_its_parcels_say(statuses, of, shown):
    heard = [work(status, 1, of=of, work_id=UUID(int=i)) for i, status in enumerate(statuses)]
    assert fulfillment_status_for(heard) == shown
    assert fulfillment_status_for(heard[::-1]) == shown


def test_an_order_is_complete_when_everything_is_delivered_and_paid():
    parcels = [work("delivered", 4, of=2, work_id=UUID(int=1)), work("delivered", 4, of=2, work_id=UUID(int=2))]
    one = play(placed(), parcels[0])
    assert one.progress.status == "placed"
    both = play(one.progress, parcels[1])
    assert both.progress.status == "completed"
    assert both.news == [rules.Shipped(UUID(int=2), "VN1"), rules.Delivered(), rules.Completed()]


def test_cash_on_delivery_is_complete_when_the_cash_was_collected():
    delivered = play(placed("cod"), work("delivered", 4))
    assert delivered.progress.status == "placed"
    assert delivered.news == [rules.Shipped(UUID(int=1), "VN1"), rules.Delivered()]
    done = play(delivered.progress, payment("cod_collected", method="cod", version=3))
    assert (done.progress.status, done.news) == ("completed", [rules.Completed()])


def test_an_unpaid_parcel_that_came_back_ends_the_order_without_releasing_what_had_left():
    back = play(placed("cod"), work("delivery_failed", 4), work("returning", 5), work("returned", 6))
    assert back.step == rules.GiveUp()
    done = play(back.progress, rules.GivenUp(payment("failed", method="cod")))
    assert (done.progress.status, done.progress.closing) == ("cancelled", "delivery_failed")
    assert done.step == rules.Rest()


def test_each_parcel_that_could_not_be_handed_over_is_told_and_each_once():
    one, other = UUID(int=1), UUID(int=2)
    known, told = placed(), []
    for work_id, status, version in (
        (one, "delivery_failed", 4),
        (one, "returning", 5),
        (other, "delivery_failed", 4),
        (other, "delivery_failed", 4),
    ):
        decision = play(known, work(status, version, of=2, work_id=work_id))
        known = decision.progress
        told += [news for news in decision.news if isinstance(news, rules.NotDelivered)]
    assert told == [rules.NotDelivered(one), rules.NotDelivered(other)]


def test_a_paid_parcel_that_came_back_waits_for_staff_to_refund_it():
    back = play(placed(), work("returned", 6))
    assert (back.progress.status, back.step) == ("placed", rules.Rest())
    refunded = play(back.progress, payment("refunded", version=7, refunded=TOTAL))
    done = play(refunded.progress, rules.GivenUp(payment("refunded", refunded=TOTAL)))
    assert (done.progress.status, done.progress.closing) == ("cancelled", "returned")


STORY = [work("allocated", 1), work("picking", 2), work("packed", 3), work("shipped", 4), work("delivered", 5)]


@given(st.permutations(STORY), st.lists(st.sampled_from(STORY), max_size=5))
def test_what_warehouses_tell_counts_whatever_order_it_comes_in(told, again):
    end = play(placed(), *told, *again)
    straight = play(placed(), *STORY)
    assert end.progress.status == straight.progress.status == "completed"
    assert end.progress.work_orders == straight.progress.work_orders


@pytest.mark.parametrize("order_of_letters", list(permutations(range(3))))
def test_each_thing_is_told_once_whatever_order_it_comes_in(order_of_letters):
    news: list[rules.News] = []
    state = placed()
    for place in [*order_of_letters, *order_of_letters]:
        decision = play(state, STORY[2 + place])
        news += decision.news
        state = decision.progress
    assert sum(isinstance(each, rules.Shipped) for each in news) == 1
    assert sum(isinstance(each, rules.Delivered) for each in news) == 1
    assert sum(isinstance(each, rules.Completed) for each in news) == 1


# --- money told in any order

HISTORY = [
    payment("pending", version=1),
    payment("paid", version=2),
    payment("partially_refunded", version=3, refunded=1000),
    payment("refunded", version=4, refunded=TOTAL),
]


@given(st.permutations(HISTORY), st.lists(st.sampled_from(HISTORY), max_size=6))
def test_of_all_that_is_told_of_a_payment_the_newest_counts(told, again):
    known = None
    for fact in [*told, *again]:
        known = fresher(known, fact)
    assert known == HISTORY[-1]


def test_an_old_answer_about_another_attempt_does_not_undo_what_is_known():
    """A tab that opens a payment at the bank is overtaken by one that chooses to pay at the door."""
    due = payment("cod_due", version=4, method="cod", payment_id=uuid4())
    assert fresher(due, payment("pending", version=3)) == due


def test_a_refund_is_told_once_when_it_is_done():
    refund = uuid4()
    told = [
        rules.RefundFact(refund, 1000, "requested"),
        rules.RefundFact(refund, 1000, "sent"),
        rules.RefundFact(refund, 1000, "settled"),
        rules.RefundFact(refund, 1000, "settled"),
        rules.RefundFact(refund, 1000, "sent"),
    ]
    news: list[rules.News] = []
    state = placed()
    for fact in told:
        decision = play(state, fact)
        news += decision.news
        state = decision.progress
    assert news == [rules.Refunded(refund, 1000)]


def test_money_that_a_person_has_to_look_at_is_neither_paid_nor_expired():
    review = play(pending(), payment("review", version=2))
    held = play(review.progress, now=NOW + timedelta(days=2))
    assert (held.progress.status, held.progress.payment_status, held.step) == ("pending", "pending", rules.Rest())
