"""Every method of every contract, in process and over HTTP, with lost answers: one effect, one answer, one refusal."""

from __future__ import annotations

import importlib
import pkgutil
import re
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
import tests.contracts.examples
from tests.contracts.stage import Stage
from tests.contracts.table import Call, Example, Table, service_of

from sampan.kernel import context
from sampan.kernel.connect import methods_of
from sampan.kernel.errors import ShopError
from sampan.run import declared

TABLES: list[Table] = [
    importlib.import_module(f"tests.contracts.examples.{module.name}").table
    for module in pkgutil.iter_modules(tests.contracts.examples.__path__)
]
EXAMPLES = [example for table in TABLES for example in table.examples]


class Outcome:
    """What a call came to: an answer or a refusal."""

    def __init__(self, answer: Any = None, error: ShopError | None = None) -> None:
        self.answer = answer
        self.error = error


async def call(client: Any, example: Example, given: Call) -> Outcome:
    with context.working_as(given.actor, request="contracts", seconds=20):
        try:
            return Outcome(await getattr(client, example.method)(**given.arguments))
        except ShopError as error:
            return Outcome(error=error)


def plain(value: Any) -> Any:
    """Facts as every client sees them."""
    return msgspec.json.decode(msgspec.json.encode(value))


def check(example: Example, given: Call, outcome: Outcome, *, again: bool) -> None:
    expected = example.again if again and example.again else example.refuses
    if expected is None:
        if outcome.error is not None:
            raise outcome.error
        assert given.answer(outcome.answer), outcome.answer
        return
    assert outcome.error is not None, f"it answers {outcome.answer}"
    assert type(outcome.error) is expected, repr(outcome.error)
    facts = plain(outcome.error.facts)
    assert {name: facts.get(name) for name in given.facts} == plain(given.facts)


def check_same(example: Example, first: Outcome, second: Outcome) -> None:
    """The same answer, or a refusal of the same class, with the same words and facts."""
    if first.error is None and second.error is None:
        assert example.same(second.answer) == example.same(first.answer)
    elif example.again is None:
        assert first.error is not None
        assert second.error is not None
        for name in ("code", "status", "detail"):
            assert getattr(second.error, name) == getattr(first.error, name)
        assert type(second.error) is type(first.error)
        assert dict(second.error.facts) == dict(first.error.facts)


def check_unchanged(example: Example, before: dict[str, list[str]], after: dict[str, list[str]]) -> None:
    changed = {
        table: (
            [row for row in before.get(table, []) if row not in after.get(table, [])],
            [row for row in after.get(table, []) if row not in before.get(table, [])],
        )
        for table in sorted({*before, *after})
        if before.get(table) != after.get(table) and not {table, table.partition(".")[0]} & set(example.makes)
    }
    assert changed == {}


RUNS = [
    pytest.param(example, first, id=f"{example}, first {first}")
    for example in EXAMPLES
    for first in ("in process", "over HTTP")
    if example.refuses is None or first == "in process"  # a refusal leaves nothing behind that the other might meet
]


@pytest.mark.parametrize(("example", "first"), RUNS)
async def test_a_call_has_one_effect_and_one_answer_in_both_shapes(stage: Stage, example: Example, first: str) -> None:
    since = await stage.moment(example.service)
    given = await example.prepare(stage)
    here, there = stage.here(example.contract), stage.there(example.contract)
    decode = methods_of(example.contract)[example.method].decode_result
    states: list[dict[str, list[str]]] = []

    async def look() -> None:
        states.append(await stage.state(example.service, example.moves, since=since))

    outcomes: list[Outcome] = []
    async with AsyncExitStack() as stack:
        await look()
        await stack.enter_async_context(given.within())
        stage.lossy.lost.clear()
        stage.lossy.between = look
        for client in (here, there) if first == "in process" else (there, here):
            last = await call(client, example, given)
            if client is there:
                for lost in stage.lossy.lost:
                    outcomes.append(
                        Outcome(decode(lost.content))
                        if lost.status_code == 200
                        else Outcome(error=refusal_in(lost.content))
                    )
            outcomes.append(last)
            await look()
    assert len(outcomes) == 3
    for number, outcome in enumerate(outcomes):
        check(example, given, outcome, again=number > 0)
    check_same(example, outcomes[1 if example.again else 0], outcomes[1])
    check_same(example, outcomes[1 if example.again else 0], outcomes[2])
    before, *after = states
    if example.refuses is not None:
        check_unchanged(example, before, after[0])
    for state in after[1:]:
        check_unchanged(example, after[0], state)


def refusal_in(content: bytes) -> ShopError:
    from sampan.kernel.errors import raised

    found = msgspec.msgpack.decode(content)
    return raised(found["code"], found["status"], found["detail"], found["facts"])


def test_every_method_of_every_contract_has_an_example() -> None:
    shown = {(example.contract, example.method) for example in EXAMPLES if example.refuses is None}
    missing = [
        f"{name}.{method}"
        for name, service in declared(sandbox=True).items()
        for method in methods_of(service.contract)
        if (service.contract, method) not in shown
    ]
    assert missing == []


def documented(example: type[Any], target: object, method: str) -> set[str]:
    """The refusals that the documentation of a method names."""
    known = {cls.__name__ for cls in ShopError.by_code.values()}
    texts = [getattr(getattr(owner, method), "__doc__", None) or "" for owner in (example, type(target))]
    named = [word for text in texts for word in re.findall(r"[A-Z]\w+", text.partition("aises ")[2])]
    return known & set(named)


# What no call of a shop in order comes to.
NOT_SHOWN = {"orders.refund: UnknownPayment"}  # payments would have to lose what orders was told by it


async def test_every_documented_refusal_has_an_example(stage: Stage) -> None:
    shown = {(e.contract, e.method, e.refuses.__name__) for e in EXAMPLES if e.refuses is not None}
    missing = [
        f"{service_of(table.contract)}.{method}: {error}"
        for table in TABLES
        for method in table.methods
        for error in sorted(documented(table.contract, stage.actions(service_of(table.contract)), method))
        if (table.contract, method, error) not in shown
    ]
    assert set(missing) == NOT_SHOWN
