"""Everybody asks for everything of somebody else: what is foreign is as if it were not there, and nothing leaks."""

import re
from typing import Any
from uuid import uuid4

import pytest
from tests.access.actors import Actors, Victim
from tests.access.conftest import Ear
from tests.hostile.judge import wrong_with
from tests.world import OPERATIONS, ROUTES, Example, Reply

POLICIES = {route.name: route.policy for route in ROUTES}
# What a key needs for a guest's operation on an order.
AS_STAFF = {name: "orders.read" if name.startswith("GET") else "orders.write" for name in OPERATIONS}


def may(name: str, permission: str) -> bool:
    """Whether a key with just this permission may do it."""
    policy = POLICIES[name]
    if policy.permission:
        return policy.permission == permission
    return policy.name == "order holder" and permission == AS_STAFF[name]


def expected(name: str, who: str, actors: Actors) -> set[int]:
    policy = POLICIES[name]
    if who == "guest with two secrets":
        return {400}
    if who in actors.unknown:
        return {401}
    if policy.permission:
        return {403} if who in actors.permission else {401}
    return {404}


FOREIGN = [
    name
    for name in OPERATIONS
    if POLICIES[name].permission or POLICIES[name].token_header
]  # fmt: skip


def elsewhere(example: Example) -> Example:
    """The same about things that do not exist."""
    return example.copy(path={name: str(uuid4()) if is_id(value) else value for name, value in example.path.items()})


def is_id(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text) is not None


def told(reply: Reply) -> Any:
    """All of an answer but what is never the same."""
    body = reply.json()
    body.pop("request_id")
    headers = [(name, value) for name, value in reply.headers if name != "x-request-id"]
    return reply.status, body, headers


@pytest.mark.parametrize("name", FOREIGN)
async def test_what_belongs_to_somebody_else_is_as_if_it_were_not_there(
    actors: Actors, victim: Victim, name: str
) -> None:
    example = victim.examples[name]
    faults = []
    for who in actors.headers:
        if may(name, actors.permission.get(who, "")):
            continue
        before = actors.statements
        reply = await actors.ask(who, example)
        work = actors.statements - before
        if reply.status not in expected(name, who, actors):
            faults.append(f"{who}: {reply.status} {reply.text[:200]}")
            continue
        if wrong := wrong_with(name, reply):
            faults.append(f"{who}: {wrong}")
        if leaked := [word for word in victim.words if word in reply.text or any(word in v for _, v in reply.headers)]:
            faults.append(f"{who} learns {leaked}")
        before = actors.statements
        missing = await actors.ask(who, elsewhere(example))
        if told(missing) != told(reply):
            faults.append(f"{who}: {told(reply)} is not {told(missing)}")
        if (again := actors.statements - before) != work:
            before = actors.statements
            await actors.ask(who, example)  # in between a key may have been asked about
            if (work := actors.statements - before) != again:
                faults.append(f"{who}: {work} statements, for what is missing {again}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("name", [name for name in FOREIGN if "{" in name and not POLICIES[name].permission])
async def test_the_victim_can_still_do_it(actors: Actors, victim: Victim, name: str) -> None:
    """None of that was in vain because nobody could: the same request with the right secret succeeds."""
    reply = await victim.world.ask(victim.examples[name])
    assert reply.status < 300, reply.text


async def test_nobody_hears_of_the_victim_without_asking_for_them(actors: Actors, victim: Victim) -> None:
    """Lists, searches and everything else that is open to all."""
    for name, example in victim.examples.items():
        if name in FOREIGN:
            continue
        for who in ("anonymous", "guest", "from a trusted network"):
            if name.endswith("/orders/lookup"):
                example = example.copy(body={**example.body, "phone": "0912345679"})
            reply = await actors.ask(who, example)
            assert not [word for word in victim.words if word in reply.text], (name, who)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_the_log_tells_nothing_of_who_asks_and_whom_it_is_about(victim: Victim, ear: Ear, name: str) -> None:
    """Neither when it is done, for the victim or by staff, nor when it is refused because it was done before."""
    for _ in range(2):
        await victim.world.ask(victim.examples[name])
    assert [line for line in ear.lines if any(word in line for word in victim.words)] == []
