"""Metrics in Prometheus' format: rate, errors and latency per route, and how far behind the work is."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """All metrics of a process. Labels are names from our own declarations, never input."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("sampan_requests", "Requests answered", ["route", "status"], registry=self.registry)
        self.seconds = Histogram(
            "sampan_request_seconds",
            "Time to answer",
            ["route"],
            buckets=(0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
            registry=self.registry,
        )
        self._answered: dict[tuple[str, int], tuple[Counter, Histogram]] = {}  # found once, for each request counts
        self.parked = Gauge("sampan_parked_events", "Events that are parked", ["service"], registry=self.registry)
        self.job_failures = Counter(
            "sampan_job_failures", "Failed runs of a job", ["service", "job"], registry=self.registry
        )
        self.job_seconds = Histogram(
            "sampan_job_seconds", "Time a job took", ["service", "job"], registry=self.registry
        )
        self.lag = Gauge(
            "sampan_feed_lag_seconds", "Age of the oldest unread event", ["service", "source"], registry=self.registry
        )
        self.violations = Gauge("sampan_invariant_violations", "Broken invariants", ["service"], registry=self.registry)
        self.looked = Gauge(
            "sampan_invariants_age_seconds", "Time since they were looked at", ["service"], registry=self.registry
        )
        self.statements = Gauge("sampan_sql_statements", "SQL statements sent by this process", registry=self.registry)
        self.cache = Gauge("sampan_cache", "Hits and misses of each cache", ["cache", "what"], registry=self.registry)

    def count_answer(self, route: str, status: int, seconds: float) -> None:
        """An answer was given, after so many seconds."""
        found = self._answered.get((route, status))
        if found is None:
            found = self.requests.labels(route, str(status)), self.seconds.labels(route)
            self._answered[route, status] = found
        requests, times = found
        requests.inc()
        times.observe(seconds)

    def render(self) -> bytes:
        return generate_latest(self.registry)


metrics = Metrics()
