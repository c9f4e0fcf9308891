"""Auth: whose key this is."""

from tests.contracts.stage import Stage
from tests.contracts.table import Call, Table

from sampan.services.auth.contract import Auth

table = Table(Auth)


@table.answers("find_actor")
async def a_key_opens_what_it_was_made_for(stage: Stage) -> Call:
    secret = await stage.actions("auth").create_key(name="contracts", permissions=["orders.read"])
    return Call({"token": secret}, lambda actor: actor.kind == "staff" and actor.permissions == {"orders.read"})


@table.answers("find_actor")
async def a_withdrawn_key_is_nobodys(stage: Stage) -> Call:
    auth = stage.actions("auth")
    secret = await auth.create_key(name="contracts", permissions=["orders.read"])
    await auth.withdraw_key(key_id=(await auth.list_keys())[-1].id)
    return Call({"token": secret}, lambda actor: actor is None)
