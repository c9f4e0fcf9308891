from sampan.kernel.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(failures=3, pause=10, clock=clock)
    for _ in range(3):
        assert breaker.enter()
        breaker.failed()
    return breaker


def test_a_breaker_opens_after_failures_in_a_row() -> None:
    breaker = opened(Clock())
    assert breaker.state == "open"
    assert not breaker.enter()


def test_a_success_in_between_keeps_it_closed() -> None:
    breaker = Breaker(failures=2, pause=10, clock=Clock())
    for _ in range(5):
        breaker.failed()
        breaker.succeeded()
    assert breaker.state == "closed"
    assert breaker.enter()


def test_after_the_pause_exactly_one_probe_passes() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 10
    assert breaker.state == "half-open"
    assert [breaker.enter() for _ in range(5)] == [True, False, False, False, False]


def test_a_good_probe_closes_it_and_a_bad_one_opens_it_again() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 10
    breaker.enter()
    breaker.failed()
    assert not breaker.enter()
    clock.now += 10
    assert breaker.enter()
    breaker.succeeded()
    assert breaker.state == "closed"
    breaker.failed()
    assert breaker.enter()


def test_an_abandoned_probe_lets_the_next_one_pass() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 10
    assert breaker.enter()
    breaker.abandoned()
    assert breaker.enter()
    assert not breaker.enter()


def test_a_probe_that_never_reports_costs_one_pause() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 10
    assert breaker.enter()
    assert not breaker.enter()
    clock.now += 10
    assert breaker.enter()
