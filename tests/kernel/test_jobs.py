import asyncio

from sampan.kernel.jobs import JobRunner, every


class Work:
    def __init__(self) -> None:
        self.runs = 0
        self.failing = False

    async def tidy(self) -> None:
        self.runs += 1
        await asyncio.sleep(0.05)
        if self.failing:
            raise ValueError("broken: \0")


def runner(shop, work: Work, name: str) -> JobRunner:
    setattr(work, name, work.tidy)
    return JobRunner(shop.db("auth"), work, every(minutes=5, do=name))


async def test_a_job_runs_once_however_many_processes_there_are(shop):
    work = Work()
    runners = [runner(shop, work, "once_only") for _ in range(6)]
    ran = await asyncio.gather(*(r.step() for r in runners))
    assert work.runs == 1
    assert sum(ran) == 1
    assert not await runners[0].step()  # not due for five minutes


async def test_a_job_that_failed_comes_round_again(shop):
    work = Work()
    work.failing = True
    job = runner(shop, work, "fails_first")
    assert await job.step()
    work.failing = False
    assert await job.step(now=True)
    async with shop.db("auth").read() as tx:
        assert await tx.maybe(str, "SELECT error FROM auth.job WHERE name = 'fails_first'") is None
    assert work.runs == 2


async def test_a_job_that_lost_its_lease_is_stopped(shop, monkeypatch):
    monkeypatch.setattr("sampan.kernel.jobs.LEASE", 0.15)
    finished = []

    class Slow:
        async def slow_one(self) -> None:
            await asyncio.sleep(2)
            finished.append(True)

    job = JobRunner(shop.db("auth"), Slow(), every(minutes=5, do="slow_one"))
    running = asyncio.create_task(job.step())
    await asyncio.sleep(0.05)
    async with shop.db("auth").begin() as tx:
        await tx.execute("UPDATE auth.job SET fence = fence + 1 WHERE name = 'slow_one'")
    assert await asyncio.wait_for(running, 1.5)
    assert finished == []


async def test_a_job_that_is_stopped_lets_go_of_its_lease(shop):
    class Endless:
        async def endless(self) -> None:
            await asyncio.Event().wait()

    job = JobRunner(shop.db("auth"), Endless(), every(minutes=5, do="endless"))
    running = asyncio.create_task(job.step())
    await asyncio.sleep(0.1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    async with shop.db("auth").read() as tx:
        assert await tx.one(bool, "SELECT lease_until IS NULL FROM auth.job WHERE name = 'endless'")


async def test_the_lease_of_a_dead_process_runs_out(shop):
    work = Work()
    job = runner(shop, work, "was_killed")
    assert await job.step()
    async with shop.db("auth").begin() as tx:
        await tx.execute(
            "UPDATE auth.job SET due_at = now(), lease_until = now() + interval '1 minute' WHERE name = 'was_killed'"
        )
    assert not await job.step()
    async with shop.db("auth").begin() as tx:
        await tx.execute("UPDATE auth.job SET lease_until = now() - interval '1 second' WHERE name = 'was_killed'")
    assert await job.step()
