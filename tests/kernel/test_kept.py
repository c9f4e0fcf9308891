import asyncio
from dataclasses import dataclass, field

import pytest

from sampan.kernel.kept import Kept, News


@dataclass
class Peer:
    """What it knows, and what it was asked."""

    known: dict[str, str] = field(default_factory=lambda: {"a": "1", "b": "2", "c": "3"})
    asked: list[list[str]] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def find(self, keys: list[str]) -> dict[str, str]:
        self.asked.append(keys)
        found = {key: self.known[key] for key in keys if key in self.known}
        if self.gate is not None:
            await self.gate.wait()
        return found


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def news() -> News:
    found = News()
    found.begin(["catalog"])
    found.found("catalog")
    return found


def keeping(news: News, peer: Peer, **more) -> Kept[str, str]:
    return Kept(news, peer.find, lambda value: f"value:{value}", str, **more)


async def test_only_what_is_not_here_is_asked_for_and_in_one_question(news, peer):
    kept = keeping(news, peer)
    assert await kept.find(["a"]) == {"a": "1"}
    assert await kept.find(["a", "b", "c", "b", "x"]) == {"a": "1", "b": "2", "c": "3"}
    assert await kept.find(["c", "a"]) == {"c": "3", "a": "1"}
    assert peer.asked == [["a"], ["b", "c", "x"]]


async def test_what_changed_is_asked_for_again_and_nothing_else(news, peer):
    kept = keeping(news, peer)
    await kept.find("abc")
    peer.known["a"] = "new"
    news.tell(["value:1", "value:of nobody"])
    assert await kept.find("abc") == {"a": "new", "b": "2", "c": "3"}
    assert peer.asked[1:] == [["a"]]


async def test_what_does_not_exist_is_asked_for_each_time(news, peer):
    kept = keeping(news, peer)
    assert await kept.find(["x"]) == {}
    peer.known["x"] = "born"
    assert await kept.find(["x"]) == {"x": "born"}


async def test_an_answer_that_news_overtook_is_not_kept(news, peer):
    kept = keeping(news, peer)
    peer.gate = asyncio.Event()
    task = asyncio.create_task(kept.find(["a"]))
    await asyncio.sleep(0)
    peer.known["a"] = "new"
    news.tell(["value:1"])
    peer.gate.set()
    assert await task == {"a": "1"}
    assert await kept.find(["a"]) == {"a": "new"}


async def test_news_of_something_else_does_not_keep_an_answer_from_being_kept(news, peer):
    kept = keeping(news, peer)
    peer.gate = asyncio.Event()
    tasks = [asyncio.create_task(kept.find(keys)) for keys in ("ab", "c")]
    await asyncio.sleep(0)
    news.tell(["value:2", "value:of nobody"])
    peer.gate.set()
    await asyncio.gather(*tasks)
    peer.asked.clear()
    await kept.find("abc")
    assert peer.asked == [["b"]]


async def test_nothing_is_kept_where_nobody_follows(peer):
    for unfollowed in (News(), News()):
        kept = keeping(unfollowed, peer)
        assert await kept.find(["a"]) == await kept.find(["a"]) == {"a": "1"}
        unfollowed.begin(["catalog", "pricing"])
        unfollowed.found("catalog")
    assert peer.asked == [["a"]] * 4


async def test_an_answer_from_before_the_following_began_is_not_kept(peer):
    news = News()
    kept = keeping(news, peer)
    peer.gate = asyncio.Event()
    news.begin(["catalog"])
    task = asyncio.create_task(kept.find(["a"]))
    await asyncio.sleep(0)
    news.found("catalog")
    peer.gate.set()
    await task
    await kept.find(["a"])
    assert len(peer.asked) == 2


@pytest.mark.parametrize("gone", ["lost", "end"])
async def test_when_a_feed_is_lost_all_is_forgotten_and_nothing_kept_until_it_is_found_again(news, peer, gone):
    kept = keeping(news, peer)
    await kept.find("abc")
    news.lost("catalog") if gone == "lost" else news.end()
    assert not news.is_followed
    await kept.find("abc")
    await kept.find("abc")
    assert len(peer.asked) == 3
    if gone == "end":
        news.begin(["catalog"])
    news.found("catalog")
    await kept.find("abc")
    await kept.find("abc")
    assert len(peer.asked) == 4


async def test_the_longest_unused_goes_first_and_everything_after_its_time(news, peer):
    now = [0.0]
    kept = keeping(news, peer, most=2, ttl=60, clock=lambda: now[0])
    await kept.find("ab")
    await kept.find("a")
    await kept.find("c")
    peer.asked.clear()
    await kept.find("ac")
    assert peer.asked == []
    await kept.find("b")
    assert peer.asked == [["b"]]
    now[0] = 61
    await kept.find("b")
    assert peer.asked == [["b"], ["b"]]


async def test_a_failure_reaches_who_asked_and_is_not_remembered(news, peer):
    async def fail(keys: list[str]) -> dict[str, str]:
        raise LookupError

    kept = Kept(news, fail, str, str)
    with pytest.raises(LookupError):
        await kept.find(["a"])
    kept._load = peer.find
    assert await kept.find(["a"]) == {"a": "1"}
