"""What a merchant would say of how things move, written down without a look at the code.

A table names, for each state, the states that may be seen next; "" is what is not there yet. Several moves may be
committed at once, so what is seen next is not always the next step.
"""

from collections.abc import Iterable, Mapping

Table = Mapping[str, str]

# An order waits for its money, is binding, and ends once.
ORDER: Table = {
    "": "pending",
    "pending": "placed cancelled",
    "placed": "completed cancelled",
    "completed": "",
    "cancelled": "",
}
# Money that came goes back by refunds only. What is cancelled can only see money come too late, which then goes back.
PAYMENT: Table = {
    "": "pending cod_due cancelled",
    "pending": "paid failed cod_due cancelled review",
    "failed": "pending cod_due cancelled review",
    "review": "paid cod_due cod_collected pending failed cancelled refunded",
    "cod_due": "cod_collected cancelled failed review",
    "paid": "partially_refunded refunded",
    "cod_collected": "partially_refunded refunded",
    "partially_refunded": "refunded",
    "cancelled": "review",
    "refunded": "",
}
# What an order says of its money may lag, but never takes back that it came.
ORDER_PAYMENT: Table = {
    "": "unpaid",
    "unpaid": "pending failed cod_due paid cod_collected partially_refunded refunded",
    "pending": "unpaid failed cod_due paid cod_collected partially_refunded refunded",
    "failed": "unpaid pending cod_due paid cod_collected partially_refunded refunded",
    "cod_due": "unpaid pending failed cod_collected partially_refunded refunded",
    "paid": "partially_refunded refunded",
    "cod_collected": "partially_refunded refunded",
    "partially_refunded": "refunded",
    "refunded": "",
}
ATTEMPT: Table = {
    "": "created open failed",
    "created": "open paid failed review",
    "open": "paid failed review",
    "failed": "review",
    "review": "paid failed",
    "paid": "",
}
REFUND: Table = {
    "": "requested",
    "requested": "sent settled failed",
    "sent": "settled failed",
    "settled": "",
    "failed": "",
}
GRANT: Table = {
    "": "asked",
    "asked": "requested sent settled failed",
    "requested": "sent settled failed",
    "sent": "settled failed",
    "settled": "",
    "failed": "",
}
# What was given back may be taken again; what left the shelf is never given back like that. An order that was called off
# before it held anything is noted as released, for good.
HOLD: Table = {
    "": "held confirmed released",
    "held": "confirmed released",
    "released": "held confirmed",
    "confirmed": "shipped released",
    "shipped": "",
}
WORK: Table = {
    "": "allocated cancelled",
    "allocated": "picking cancelled",
    "picking": "packed cancelled",
    "packed": "shipped cancelled",
    "shipped": "delivered delivery_failed",
    "delivery_failed": "delivered returning",
    "returning": "returned",
    "delivered": "",
    "returned": "",
    "cancelled": "",
}
PARCEL: Table = {
    "": "created",
    "created": "delivered delivery_failed",
    "delivery_failed": "delivered returning",
    "returning": "returned lost",
    "delivered": "",
    "returned": "",
    "lost": "",
}
# What an order says of its goods may lag too, and what was cancelled before it left counts for nothing any more.
_ON_THE_WAY = "partially_shipped shipped delivery_failed returning delivered returned"
_INSIDE = "unfulfilled allocated picking packed"
ORDER_GOODS: Table = {
    "": "unfulfilled",
    "unfulfilled": f"{_INSIDE} {_ON_THE_WAY}",
    "allocated": f"{_INSIDE} {_ON_THE_WAY}",
    "picking": f"{_INSIDE} {_ON_THE_WAY}",
    "packed": f"{_INSIDE} {_ON_THE_WAY}",
    "partially_shipped": _ON_THE_WAY,
    "shipped": _ON_THE_WAY,
    "delivery_failed": _ON_THE_WAY,
    "returning": _ON_THE_WAY,
    "delivered": "",
    "returned": "",
}

# machine → where it is kept (table, column), and how it moves
MACHINES: Mapping[str, tuple[str, str, Table]] = {
    "order": ("orders.sales_order", "status", ORDER),
    "order payment": ("orders.sales_order", "payment_status", ORDER_PAYMENT),
    "order goods": ("orders.sales_order", "fulfillment_status", ORDER_GOODS),
    "grant": ("orders.refund", "status", GRANT),
    "payment": ("payments.intent", "status", PAYMENT),
    "attempt": ("payments.attempt", "status", ATTEMPT),
    "refund": ("payments.refund", "status", REFUND),
    "hold": ("inventory.hold", "status", HOLD),
    "work": ("fulfillment.work_order", "status", WORK),
    "parcel": ("shipping.shipment", "status", PARCEL),
}


def illegal(moves: Iterable[tuple[str, str, str, str]]) -> list[str]:
    """Of moves (machine, order, from, to) those that no merchant would believe."""
    return [
        f"{machine} of {order}: {was or 'nothing'} → {now}"
        for machine, order, was, now in moves
        if was != now and now not in MACHINES[machine][2].get(was, "").split()
    ]


# What each actor may be told instead of getting what was asked: the codes that the documents name.
_BUSY = "kernel.conflict"
REFUSALS: Mapping[str, str] = {
    "add": f"orders.cart_closed {_BUSY}",
    "patch": f"orders.cart_closed kernel.not_found {_BUSY}",
    "buy_cash": f"orders.quote_changed orders.cart_incomplete inventory.out_of_stock orders.cart_closed {_BUSY}",
    "buy_online": f"orders.quote_changed orders.cart_incomplete inventory.out_of_stock orders.cart_closed {_BUSY}",
    "pay_again": "orders.not_payable inventory.out_of_stock payments.method_not_available",
    "pay_at_door": "orders.not_payable inventory.out_of_stock payments.method_not_available",
    "cancel": "orders.not_cancellable",
    "staff_cancel": "orders.not_cancellable",
    "confirm": "orders.not_confirmable",
    "refund_one": "orders.not_refundable payments.refund_too_large payments.unknown_payment kernel.invalid",
    "bank_takes": "vnpay_sandbox.page_refused",
    "bank_takes_quietly": "vnpay_sandbox.page_refused",
    "bank_declines": "vnpay_sandbox.page_refused",
    "bank_takes_too_much": "vnpay_sandbox.page_refused",
    "bank_suspects": "vnpay_sandbox.page_refused",
    "pick": "fulfillment.illegal_step",
    "pack": "fulfillment.illegal_step fulfillment.not_picked",
    "ship": "fulfillment.illegal_step fulfillment.not_picked",
    "send": "fulfillment.illegal_step",
    "deliver": "fulfillment.illegal_step",
    "fail": "fulfillment.illegal_step",
    "send_back": "fulfillment.illegal_step",
    "receive": "fulfillment.illegal_step",
    "lose_parcel": "fulfillment.illegal_step",
    "empty_shelf": "inventory.stock_committed",
    "lose_one": "inventory.stock_committed",
    "decide": f"payments.not_held {_BUSY}",
}
