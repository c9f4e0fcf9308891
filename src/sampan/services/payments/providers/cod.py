"""Cash on delivery. No gateway: the money travels with the carrier, and comes back by hand."""

from typing import Final

from msgspec import Struct

from sampan.kernel.money import Money, zero
from sampan.kernel.settings import BadSetting, Settings
from sampan.services.payments.contract import Action
from sampan.services.payments.providers.interface import Charge, Offer

CODE: Final = "cod"
CURRENCY: Final = "VND"


class CodSettings(Struct, frozen=True):
    """`SAMPAN_COD_…`: the most that is collected at a door, in whole VND, and the markets that have it (`VN,LA`)."""

    limit: int = 20_000_000
    markets: str = "VN"


class Cod:
    """Accepted at once; collected when the parcels are handed over."""

    code = CODE

    def __init__(self, settings: CodSettings) -> None:
        self._limit = Money(settings.limit, CURRENCY)
        self._markets = {market.strip() for market in settings.markets.split(",")}

    def offer(self, *, market: str, total: Money, cod_fee: Money | None, cod_limit: Money | None) -> Offer | None:
        """Within our limit and that of the chosen delivery, which may take no cash at all."""
        if market not in self._markets or total.currency != CURRENCY:
            return None
        fee = cod_fee or zero(CURRENCY)
        if cod_limit is None:
            return Offer(fee, self._limit, "payments.reason.delivery_takes_no_cash")
        limit = min(self._limit, cod_limit)
        return Offer(fee, limit, "payments.reason.over_limit" if total > limit else None)

    def refusal_for(self, amount: Money) -> str | None:
        if amount.currency != CURRENCY:
            return "payments.reason.other_currency"
        return "payments.reason.over_limit" if amount > self._limit else None

    async def begin(self, charge: Charge, *, client_ip: str) -> Action:
        """Nothing to do for the payer until somebody rings."""
        return Action(kind="none")


def cod_from(settings: Settings) -> Cod:
    """Cash on delivery as it is configured. Raises BadSetting."""
    found = settings.section(CodSettings, "COD")
    if found.limit < 0:
        raise BadSetting("SAMPAN_COD_LIMIT: not an amount")
    return Cod(found)
