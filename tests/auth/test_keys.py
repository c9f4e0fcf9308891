import pytest

from sampan.kernel.errors import Invalid, NotFound


async def test_a_key_opens_what_its_permissions_say(shop):
    auth = shop.actions("auth")
    token = await auth.create_key(name="warehouse tablet", permissions=["fulfillment.write"])
    actor = await auth.find_actor(token=token)
    assert actor.kind == "staff"
    assert actor.may("fulfillment.write")
    assert not actor.may("orders.write")


@pytest.mark.parametrize("token", ["", "x", "sampan_", "sampan_" + "a" * 43, "sampan_" + "ả" * 43, "a" * 10_000])
async def test_what_is_no_key_opens_nothing(shop, token):
    assert await shop.actions("auth").find_actor(token=token) is None


async def test_a_withdrawn_key_opens_nothing(shop):
    auth = shop.actions("auth")
    token = await auth.create_key(name="lost phone", permissions=["orders.read"])
    key = next(k for k in reversed(await auth.list_keys()) if k.name == "lost phone")
    await auth.withdraw_key(key_id=key.id)
    assert await auth.find_actor(token=token) is None
    with pytest.raises(NotFound):
        await auth.withdraw_key(key_id=key.id)


@pytest.mark.parametrize(
    ("name", "permissions"),
    [("", ["orders.read"]), ("x" * 121, ["orders.read"]), ("a", []), ("a", ["orders.everything"])],
)
async def test_a_key_has_a_name_and_real_permissions(shop, name, permissions):
    with pytest.raises(Invalid):
        await shop.actions("auth").create_key(name=name, permissions=permissions)


async def test_the_secret_of_a_key_is_not_stored(shop):
    token = await shop.actions("auth").create_key(name="secret", permissions=["orders.read"])
    async with shop.db("auth").read() as tx:
        rows = await tx.many(str, "SELECT k::text FROM auth.api_key k")
    assert not any(token[10:] in row for row in rows)
