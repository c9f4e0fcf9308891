"""Gateway: what there is."""

from tests.contracts.stage import Stage
from tests.contracts.table import Call, Table

from sampan.services.gateway.contract import Gateway

table = Table(Gateway)


@table.answers("list_services")
async def all_that_have_addresses(stage: Stage) -> Call:
    return Call({}, lambda names: {"orders", "catalog", "storefront"} <= set(names))
