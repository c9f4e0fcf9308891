"""The load generator: a closed loop of buyers over keep-alive HTTP/1.1 connections.

An operation is a generator that yields steps, (name, request as bytes), and is sent the answer of each; so one driver
serves single requests and whole checkouts alike. Each connection is a buyer that begins its next operation as soon as
the last is done. One process and a hand-written protocol: the generator shares the machine with what it measures.
"""

import asyncio
import socket
import time
from array import array
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import partial
from itertools import zip_longest
from typing import Any, NamedTuple

import msgspec
import uvloop


class Answer(NamedTuple):
    """An HTTP response without its headers."""

    status: int
    body: bytes


Step = tuple[str, bytes]
Operation = Generator[Step, Answer, None]


class WrongAnswer(Exception):
    """The shop answered, but not what was asked for: the row is worth nothing."""


class Refused(Exception):
    """The shop could not (429, 5xx, a broken connection): counted as an error, the buyer begins anew."""


def request(method: str, path: str, body: Any = None, **headers: str) -> bytes:
    """A request's bytes; `body` is sent as JSON, header names are written with underscores."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    content = b""
    if body is not None:
        content = msgspec.json.encode(body)
        lines += ["content-type: application/json", f"content-length: {len(content)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def parse(data: bytes) -> tuple[Answer, bytes] | None:
    """The first whole answer in `data` and what follows it; None while it is incomplete."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[:end].lower()
    status = int(head[9:12])
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        length = int(head[at + 17 :].partition(b"\r\n")[0])
    elif status in (204, 304):
        length = 0
    else:
        raise WrongAnswer(f"an answer without content-length: {head[:200]!r}")
    total = end + 4 + length
    if len(data) < total:
        return None
    return Answer(status, data[end + 4 : total]), data[total:]


def expect(answer: Answer, status: int, marker: bytes = b"") -> bytes:
    """The body of an answer with this status that contains `marker`.

    Raises:
        Refused: the shop was too busy or failed.
        WrongAnswer: anything else.
    """
    if answer.status == status and marker in answer.body:
        return answer.body
    if answer.status >= 500 or answer.status == 429:
        raise Refused(f"{answer.status}: {answer.body[:200]!r}")
    raise WrongAnswer(f"{answer.status} without {marker!r}: {answer.body[:300]!r}")


class Load:
    """What a run has seen. Times are seconds; `steps` has those of each step by name."""

    def __init__(self, operations: Iterator[Operation], until: float, most: int | None) -> None:
        self.operations = operations
        self.until = until
        self.left = most if most is not None else 1 << 60
        self.times: array[float] = array("d")
        self.steps: dict[str, array[float]] = {}
        self.refusals: Counter[str] = Counter()
        self.received = 0  # bytes of bodies
        self.answers = 0
        self.by_port: dict[int, int] = {}  # our port → answers, which tells the worker that gave them
        self.seconds = 0.0
        self.cpu = 0.0  # of this generator
        self.failure: BaseException | None = None

    @property
    def rate(self) -> float:
        """Operations a second."""
        return len(self.times) / self.seconds if self.seconds else 0.0

    @property
    def errors(self) -> int:
        return self.refusals.total()


def quantile(times: "array[float]", share: float) -> float:
    """In milliseconds; 0 when there are none."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0


class Buyer(asyncio.Protocol):
    """One connection."""

    def __init__(self, load: Load, ended: "asyncio.Future[None]") -> None:
        self.load = load
        self.ended = ended
        self.transport: Any = None
        self.operation: Operation | None = None
        self.buffer = b""
        self.answers = 0
        self.began = self.sent = 0.0
        self.step = ""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port: int = transport.get_extra_info("sockname")[1]

    def begin(self) -> None:
        """The next operation, unless time is up."""
        load = self.load
        self.began = self.sent = time.perf_counter()
        if load.left <= 0 or self.began >= load.until:
            self.end()
            return
        operation = next(load.operations, None)
        if operation is None:
            self.end()
            return
        load.left -= 1
        self.operation = operation
        self.step, out = next(operation)
        self.transport.write(out)

    def data_received(self, data: bytes) -> None:
        if self.buffer:
            data = self.buffer + data
        try:
            found = parse(data)
            if found is None:
                self.buffer = data
                return
            answer, self.buffer = found
            self.take(answer)
        except BaseException as failure:
            self.end(failure)

    def take(self, answer: Answer) -> None:
        load, now = self.load, time.perf_counter()
        self.answers += 1
        load.received += len(answer.body)
        assert self.operation is not None
        try:
            step, out = self.operation.send(answer)
        except StopIteration:
            self.note(now)
            load.times.append(now - self.began)
            self.begin()
            return
        except Refused as refusal:
            load.refusals[str(refusal)[:120]] += 1
            self.begin()
            return
        self.note(now)
        self.step, self.sent = step, now
        self.transport.write(out)

    def note(self, now: float) -> None:
        times = self.load.steps.get(self.step)
        if times is None:
            times = self.load.steps[self.step] = array("d")
        times.append(now - self.sent)

    def end(self, failure: BaseException | None = None) -> None:
        if failure is not None:
            self.load.failure = self.load.failure or failure
            self.load.left = 0
        if not self.ended.done():
            self.load.by_port[self.port] = self.answers
            self.load.answers += self.answers
            self.ended.set_result(None)

    def connection_lost(self, failure: Exception | None) -> None:
        if not self.ended.done():
            self.load.refusals["connection lost"] += 1
            self.end()


def evenly(buyers: list[Buyer], workers: dict[int, int], count: int) -> list[Buyer]:
    """So many of the connections, taken from each worker in turn; the others are closed."""
    by_worker: dict[int, list[Buyer]] = {}
    for buyer in buyers:
        by_worker.setdefault(workers.get(buyer.port, 0), []).append(buyer)
    turns = zip_longest(*by_worker.values())
    ordered = [buyer for turn in turns for buyer in turn if buyer is not None]
    for buyer in ordered[count:]:
        buyer.ended.set_result(None)
        buyer.transport.close()
    return ordered[:count]


def constant(buyer: Buyer) -> Buyer:
    return buyer


def drive(
    port: int,
    operations: Iterator[Operation],
    *,
    clients: int,
    seconds: float = 3600.0,
    most: int | None = None,
    seen: Callable[[dict[int, int]], None] = lambda answers: None,
    workers: Callable[[], dict[int, int]] | None = None,
) -> Load:
    """Run operations with so many buyers at once, for some seconds, or until `most` were begun, or there are no more.

    What has begun is finished; the clock stops with the last answer. `seen` is called while the connections are still
    open, with the number of answers by our own port. Connections go to whichever web worker accepts first; with
    `workers` (who serves which of our ports) more are opened than needed and those are kept that spread evenly.

    Raises:
        WrongAnswer: an answer was not what was asked for.
    """

    async def run() -> Load:
        loop = asyncio.get_running_loop()
        load = Load(operations, 0.0, most)
        buyers = []
        for _ in range(clients if workers is None else clients * 4 + 40):
            buyer = Buyer(load, loop.create_future())
            await loop.create_connection(partial(constant, buyer), "127.0.0.1", port)
            buyers.append(buyer)
        if workers is not None:
            await asyncio.sleep(0.3)  # until all of them are accepted
            buyers = evenly(buyers, workers(), clients)
        used, started = time.process_time(), time.perf_counter()
        load.until = started + seconds
        for buyer in buyers:
            buyer.begin()
        await asyncio.gather(*(buyer.ended for buyer in buyers))
        load.seconds = time.perf_counter() - started
        load.cpu = time.process_time() - used
        seen(load.by_port)
        for buyer in buyers:
            buyer.transport.close()
        return load

    load = uvloop.run(run())
    if load.failure is not None:
        raise load.failure
    return load


class Caller:
    """One connection for one request at a time: for setting up, for checking, and for counting."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket: socket.socket | None = None

    def ask(self, data: bytes) -> Answer:
        """Send a request and wait for its answer; a connection that the shop had closed is opened again, once."""
        if self.socket is not None:
            with suppress(OSError, EOFError):
                return self._once(self.socket, data)
            self.close()
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._once(self.socket, data)

    def _once(self, connection: socket.socket, data: bytes) -> Answer:
        connection.sendall(data)
        received = b""
        while (found := parse(received)) is None:
            more = connection.recv(1 << 18)
            if not more:
                raise EOFError("the connection ended")
            received += more
        return found[0]

    def walk(self, operation: Operation) -> Iterator[tuple[str, Answer]]:
        """Run one operation, giving each step's name with its answer, after the operation has judged it."""
        step, out = next(operation)
        while True:
            answer = self.ask(out)
            try:
                following = operation.send(answer)
            except StopIteration:
                yield step, answer
                return
            yield step, answer
            step, out = following

    def json(self, method: str, path: str, body: Any = None, *, status: int = 0, **headers: str) -> Any:
        """The decoded answer. Raises WrongAnswer when it is none of success (or not `status`)."""
        answer = self.ask(request(method, path, body, **headers))
        if answer.status != status if status else not 200 <= answer.status < 300:
            raise WrongAnswer(f"{method} {path}: {answer.status} {answer.body[:500]!r}")
        return msgspec.json.decode(answer.body) if answer.body else None

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None
