"""Cash on delivery: what the parcels of an order say about its money."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

Delivery = Literal["delivered", "returned", "partly_delivered"]


class Parcel(Struct, frozen=True):
    """One work order of the warehouse: where it stands, and how many of them the order has."""

    status: str
    of: int


def delivery_for(parcels: Sequence[Parcel]) -> Delivery | None:
    """Cash is collected when every parcel was handed over, and owed no more when every parcel came back.

    None while a parcel is under way or has not been heard of. Work orders that were cancelled carry nothing;
    an order of only such is closed by whoever cancelled it. Some handed over and some not is for a person: how
    much was collected is not known.
    """
    if not parcels or len(parcels) < max(parcel.of for parcel in parcels):
        return None
    ends = {parcel.status for parcel in parcels} - {"cancelled"}
    if ends == {"delivered"}:
        return "delivered"
    if ends == {"returned"}:
        return "returned"
    if ends == {"delivered", "returned"}:
        return "partly_delivered"
    return None
