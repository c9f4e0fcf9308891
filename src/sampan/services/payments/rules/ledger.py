"""The books: every movement of a customer's money is a transaction whose entries add up to nothing.

Double entry, in minor units: above zero is a debit, below zero a credit. Each currency balances by itself.

| account                  | debit balance means                                                        |
| ------------------------ | -------------------------------------------------------------------------- |
| `authorised:<provider>`  | memorandum: held for us on customers' cards or wallets, not yet ours       |
| `customer_holds`         | the other side of it (credit): what customers have let us hold             |
| `provider:<provider>`    | asset: captured, the provider owes it to us                                |
| `receivable:cod`         | asset: to be collected at customers' doors                                 |
| `carrier:<carrier>`      | asset: collected at the door, the carrier owes it to us                    |
| `bank`                   | asset: paid out to us                                                      |
| `refunds_payable`        | liability (credit): granted to customers, not yet given back               |
| `sales`                  | income (credit): takings of orders with tax and shipping, less refunds     |
| `fees:<payer>`           | expense: what providers and carriers kept for themselves                   |

A payment in one step (VNPay, MoMo, a QR transfer) is an authorisation and a capture, both booked. So the
debit balance of `authorised:…` is always the open holds, and nothing is captured without one.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

from sampan.kernel.errors import ShopError
from sampan.kernel.money import Money, zero

BANK: Final = "bank"
COD_RECEIVABLE: Final = "receivable:cod"
CUSTOMER_HOLDS: Final = "customer_holds"
REFUNDS_PAYABLE: Final = "refunds_payable"
SALES: Final = "sales"

TransactionKind = Literal[
    "authorisation",
    "void",
    "capture",
    "refund",
    "refund_settled",
    "refund_failed",
    "cod_due",
    "cod_cancelled",
    "cod_collected",
    "payout",
]


class Unbalanced(ShopError, code="payments.unbalanced", status=500):
    """Entries that do not add up to nothing, or no entries; the fact `sums` is by currency."""


class UnknownAccount(ShopError, code="payments.unknown_account", status=500):
    """An account that the chart does not have; the fact is `account`."""


class NothingToBook(ShopError, code="payments.nothing_to_book", status=500):
    """An amount that is zero or negative: the kind of a transaction gives the direction, never the sign."""


class Entry(Struct, frozen=True):
    """One line: `amount` in minor units of `currency`, a debit above zero and a credit below."""

    account: str
    amount: int
    currency: str


class Transaction(Struct, frozen=True):
    """What happened, and all its lines."""

    kind: TransactionKind
    entries: tuple[Entry, ...]


def authorised_account(provider: str) -> str:
    """Money a provider holds for us on customers' cards or wallets."""
    return _account("authorised", provider)


def provider_account(provider: str) -> str:
    """Money a provider has taken for us and owes us."""
    return _account("provider", provider)


def carrier_account(carrier: str) -> str:
    """Cash a carrier has collected for us and owes us."""
    return _account("carrier", carrier)


_ACCOUNT: Final = re.compile(
    "bank|customer_holds|receivable:cod|refunds_payable|sales|(?:authorised|provider|carrier|fees):[a-z][a-z0-9_]{0,39}"
)


def is_account(name: str) -> bool:
    """Whether the chart of accounts has it."""
    return _ACCOUNT.fullmatch(name) is not None


def check_balanced(transaction: Transaction) -> None:
    """Every transaction adds up to nothing in each currency, on accounts of the chart, with no empty line."""
    sums: defaultdict[str, int] = defaultdict(int)
    for entry in transaction.entries:
        if not is_account(entry.account):
            raise UnknownAccount("no such account", account=entry.account[:64])
        sums[entry.currency] += entry.amount
    empty = any(entry.amount == 0 for entry in transaction.entries)
    if any(sums.values()) or empty or not transaction.entries:
        raise Unbalanced(f"the entries of this {transaction.kind} do not balance", sums=dict(sums))


def balances(transactions: Iterable[Transaction]) -> dict[tuple[str, str], int]:
    """What the accounts stand at after these transactions, by account and currency, without those at zero."""
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    for transaction in transactions:
        for entry in transaction.entries:
            sums[entry.account, entry.currency] += entry.amount
    return {account: amount for account, amount in sums.items() if amount}


# --- online payments ----------------------------------------------------------------------------------------


def entries_for_authorisation(*, provider: str, amount: Money) -> Transaction:
    """An authorisation holds the customer's money; it is not ours yet, so no sale is booked."""
    return _moved("authorisation", amount, debit=authorised_account(provider), credit=CUSTOMER_HOLDS)


def entries_for_void(*, provider: str, amount: Money) -> Transaction:
    """A void lets go of what was held and not captured, as does a hold that lapses."""
    return _moved("void", amount, debit=CUSTOMER_HOLDS, credit=authorised_account(provider))


def entries_for_capture(*, provider: str, amount: Money) -> Transaction:
    """A capture uses up the hold by the amount taken, and what is taken is a sale the provider owes us."""
    released = _moved("capture", amount, debit=CUSTOMER_HOLDS, credit=authorised_account(provider))
    taken = _moved("capture", amount, debit=provider_account(provider), credit=SALES)
    return Transaction("capture", released.entries + taken.entries)


# --- refunds ------------------------------------------------------------------------------------------------


def entries_for_refund(*, amount: Money) -> Transaction:
    """A refund that is granted is owed to the customer at once, before anybody has paid it."""
    return _moved("refund", amount, debit=SALES, credit=REFUNDS_PAYABLE)


def entries_for_refund_settled(*, source: str, amount: Money) -> Transaction:
    """A refund is settled when the money has gone back, out of what others owe us or out of the bank.

    `source` is `provider_account(…)`, `carrier_account(…)` or `BANK`.
    """
    _check_payer(source, also_bank=True)
    return _moved("refund_settled", amount, debit=REFUNDS_PAYABLE, credit=source)


def entries_for_refund_failed(*, amount: Money) -> Transaction:
    """A refund that failed for good is taken back; granting it anew is a new refund."""
    return _moved("refund_failed", amount, debit=REFUNDS_PAYABLE, credit=SALES)


# --- cash on delivery ---------------------------------------------------------------------------------------


def entries_for_cod_due(*, amount: Money) -> Transaction:
    """An order to be paid at the door is a sale the customer owes us."""
    return _moved("cod_due", amount, debit=COD_RECEIVABLE, credit=SALES)


def entries_for_cod_cancelled(*, amount: Money) -> Transaction:
    """A parcel refused at the door, or an order cancelled before it, is owed no more."""
    return _moved("cod_cancelled", amount, debit=SALES, credit=COD_RECEIVABLE)


def entries_for_cod_collected(*, carrier: str, amount: Money) -> Transaction:
    """Cash collected is owed by the carrier instead of the customer; a shortage stays open."""
    return _moved("cod_collected", amount, debit=carrier_account(carrier), credit=COD_RECEIVABLE)


# --- settlement ---------------------------------------------------------------------------------------------


def entries_for_payout(*, payer: str, gross: Money, fee: Money) -> Transaction:
    """A payout clears the gross amount the provider or carrier owed: the bank gets the rest after their fee.

    `payer` is `provider_account(…)` or `carrier_account(…)`. The fee may be nothing, or more than the gross
    amount, when the bank is debited for the difference; it is never negative.
    """
    _check_payer(payer, also_bank=False)
    _check_above_zero(gross)
    if fee < zero(gross.currency):
        raise NothingToBook("a fee is not negative")
    lines = (
        (BANK, gross - fee),
        (f"fees:{payer.partition(':')[2]}", fee),
        (payer, -gross),
    )
    entries = tuple(Entry(account, part.amount, part.currency) for account, part in lines if part.amount)
    return Transaction("payout", entries)


def _moved(kind: TransactionKind, amount: Money, *, debit: str, credit: str) -> Transaction:
    _check_above_zero(amount)
    return Transaction(
        kind,
        (Entry(debit, amount.amount, amount.currency), Entry(credit, -amount.amount, amount.currency)),
    )


def _check_above_zero(amount: Money) -> None:
    if amount.amount <= 0:
        raise NothingToBook("an amount is above zero", amount=amount.amount, currency=amount.currency)


def _account(group: str, name: str) -> str:
    account = f"{group}:{name}"
    if not is_account(account):
        raise UnknownAccount("no such account", account=account[:64])
    return account


def _check_payer(account: str, *, also_bank: bool) -> None:
    if account.startswith(("provider:", "carrier:")) and is_account(account):
        return
    if not (also_bank and account == BANK):
        raise UnknownAccount("nobody who pays for us", account=account[:64])
