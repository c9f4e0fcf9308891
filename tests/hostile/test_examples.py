"""Every operation has a request that succeeds; what is built on these tests what it changes in them."""

import pytest
from tests import examples
from tests.hostile.judge import wrong_with
from tests.world import OPERATIONS


def test_every_operation_has_an_example():
    assert examples.missing() == set()


@pytest.mark.parametrize("name", OPERATIONS)
async def test_an_example_succeeds(world, name):
    reply = await world.ask(await world.example(name))
    assert 200 <= reply.status < 400, reply.text
    assert wrong_with(name, reply) == ""
