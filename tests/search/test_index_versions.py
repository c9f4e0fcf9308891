"""The index as files: one writer, any readers, rebuilds without a pause, damage and sudden death."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from sampan.services.search.contract import IndexUnavailable
from sampan.services.search.engine import reader as engine
from sampan.services.search.engine.interface import Document, Query, Texts
from sampan.services.search.engine.reader import TantivyIndex
from sampan.services.search.engine.writer import TantivyWriter


def goods(numbers: Iterable[int], name: str = "Áo thun") -> list[Document]:
    return [Document(f"p{number}", {"vi": Texts(f"{name} {number}")}, price={"VN": number}) for number in numbers]


def filled(root: Path, numbers: Iterable[int] = range(3)) -> None:
    with TantivyWriter.rebuild(root) as writer:
        writer.upsert(goods(numbers))
        writer.publish()


def versions(root: Path) -> list[str]:
    return sorted(path.name for path in root.glob("index-*"))


def test_there_is_nothing_to_read_before_the_first_rebuild(tmp_path: Path) -> None:
    index = TantivyIndex(tmp_path / "search")
    for call in (
        lambda: index.search(Query(text="áo")),
        lambda: index.suggest(prefix="a", language="vi", market="VN"),
        index.count,
    ):
        with pytest.raises(IndexUnavailable):
            call()


def test_a_reader_sees_the_first_index_as_soon_as_it_is_published(tmp_path: Path) -> None:
    index = TantivyIndex(tmp_path)
    with TantivyWriter.rebuild(tmp_path) as writer:
        writer.upsert(goods(range(3)))
        writer.commit()
        with pytest.raises(IndexUnavailable):
            index.count()
        writer.publish()
        assert index.count() == 3


def test_new_words_are_learned_beside_the_searches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop of a hundred thousand products has so many words that a search must not wait for the new ones."""
    monkeypatch.setattr("sampan.services.search.engine.reader._VOCABULARY_SECONDS", 0.0)
    filled(tmp_path)
    index = TantivyIndex(tmp_path)

    def meant(text: str) -> str | None:
        return index.search(Query(text=text)).did_you_mean

    assert meant("thunn") == "thun"
    with TantivyWriter.open(tmp_path) as writer:
        writer.upsert(goods(range(10, 13), name="Lồng đèn"))
        writer.publish()
    made, known = threading.Event(), engine._words_of

    def late(now: engine._Snapshot) -> engine._Words:
        assert made.wait(10)
        return known(now)

    monkeypatch.setattr(engine, "_words_of", late)
    assert meant("lonng") is None  # and nobody waited
    made.set()
    until = time.monotonic() + 10
    while (found := meant("lonng")) is None and time.monotonic() < until:
        time.sleep(0.01)
    assert found == "long"


def test_a_reader_follows_commits_and_only_commits(tmp_path: Path) -> None:
    filled(tmp_path)
    index = TantivyIndex(tmp_path)
    with TantivyWriter.open(tmp_path) as writer:
        writer.upsert(goods([7]))
        assert index.search(Query(text="áo thun 7")).items == () or index.count() == 3
        writer.commit()
        assert index.search(Query(text="áo thun 7")).items[0].product_id == "p7"
        writer.delete(["p7", "unknown"])
        writer.commit()
        assert index.count() == 3


def test_a_product_written_again_replaces_itself(tmp_path: Path) -> None:
    filled(tmp_path)
    with TantivyWriter.open(tmp_path) as writer:
        writer.upsert([*goods([1], "Giày cũ"), *goods([1], "Giày mới")])
        writer.commit()
    index = TantivyIndex(tmp_path)
    assert index.count() == 3
    assert [item.product_id for item in index.search(Query(text="giày mới")).items] == ["p1"]
    assert index.search(Query(text="giày cũ 1")).relaxed


def test_what_was_not_committed_is_dropped(tmp_path: Path) -> None:
    filled(tmp_path)
    with TantivyWriter.open(tmp_path) as writer:
        writer.upsert(goods(range(10, 20)))
    with TantivyWriter.open(tmp_path) as writer:
        writer.commit()
    assert TantivyIndex(tmp_path).count() == 3


def test_a_rebuild_is_invisible_until_it_is_published(tmp_path: Path) -> None:
    filled(tmp_path)
    index = TantivyIndex(tmp_path)
    with TantivyWriter.rebuild(tmp_path) as writer:
        writer.upsert(goods(range(5)))
        writer.commit()
        assert index.count() == 3
        writer.publish()
        assert index.count() == 5
        writer.upsert(goods([9]))
        writer.commit()
        assert index.count() == 6


def test_older_versions_are_removed(tmp_path: Path) -> None:
    filled(tmp_path)
    TantivyWriter.rebuild(tmp_path).close()
    assert versions(tmp_path) == ["index-1", "index-2"]
    TantivyWriter.open(tmp_path).close()
    assert versions(tmp_path) == ["index-1"]
    filled(tmp_path)
    assert versions(tmp_path) == ["index-2"]


def test_a_search_that_began_on_an_old_version_can_end_on_it(tmp_path: Path) -> None:
    filled(tmp_path)
    index = TantivyIndex(tmp_path)
    before = index._current()
    filled(tmp_path, range(8))
    assert before.searcher.num_docs == 3
    assert index._search(before, Query(text="áo thun")).total == 3
    assert index.search(Query(text="áo thun")).total == 8


def test_only_one_writes(tmp_path: Path) -> None:
    filled(tmp_path)
    with TantivyWriter.open(tmp_path) as writer:
        for another in (TantivyWriter.open, TantivyWriter.rebuild):
            with pytest.raises(IndexUnavailable):
                another(tmp_path)
        writer.upsert(goods([4]))
        writer.commit()
    TantivyWriter.open(tmp_path).close()


def test_a_closed_writer_writes_no_more(tmp_path: Path) -> None:
    writer = TantivyWriter.rebuild(tmp_path)
    writer.close()
    writer.close()
    with pytest.raises(IndexUnavailable):
        writer.upsert(goods([1]))


def test_markets_may_join_later(tmp_path: Path) -> None:
    filled(tmp_path)
    index = TantivyIndex(tmp_path)
    assert index.search(Query(market="INTL")).total == 0
    with TantivyWriter.open(tmp_path) as writer:
        writer.upsert([Document("new", {"en": Texts("Candle")}, price={"INTL": 500, "VN": 120_000})])
        writer.commit()
    assert [i.product_id for i in index.search(Query(market="INTL", price_max=500)).items] == ["new"]
    assert index.search(Query(market="VN", sort="price_desc")).items[0].product_id == "new"


def test_there_is_room_for_thirty_two_markets(tmp_path: Path) -> None:
    with TantivyWriter.rebuild(tmp_path) as writer:
        writer.upsert([Document("p", {}, price={f"M{number}": 1 for number in range(32)})])
        with pytest.raises(ValueError, match="32 markets"):
            writer.upsert([Document("q", {}, price={"M32": 1})])
        writer.publish()
    assert TantivyIndex(tmp_path).search(Query(market="M31", price_min=1)).total == 1


# --- damage -----------------------------------------------------------------------------------------------------


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5])


def spoil(path: Path) -> None:
    path.write_bytes(b"\xff" * path.stat().st_size)


@pytest.mark.parametrize("damage", [cut, spoil, Path.unlink], ids=["cut", "spoilt", "gone"])
@pytest.mark.parametrize("what", ["current", "index-1/meta.json", "index-1/sampan.json", "*.term", "*.store", "*.idx"])
def test_a_damaged_index_is_unavailable_until_it_is_rebuilt(tmp_path: Path, damage: object, what: str) -> None:
    assert callable(damage)
    filled(tmp_path)
    for path in tmp_path.glob(f"index-1/{what}" if what.startswith("*") else what):
        damage(path)
    index = TantivyIndex(tmp_path)
    with pytest.raises(IndexUnavailable):
        index.search(Query(text="áo"))
    if not what.startswith("*"):
        with pytest.raises(IndexUnavailable):
            TantivyWriter.open(tmp_path)
    filled(tmp_path)
    assert index.search(Query(text="áo")).total == 3


def test_an_index_of_another_format_must_be_rebuilt(tmp_path: Path) -> None:
    filled(tmp_path)
    facts = tmp_path / "index-1" / "sampan.json"
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "format": 0}))
    with pytest.raises(IndexUnavailable, match="format 0"):
        TantivyIndex(tmp_path).count()
    with pytest.raises(IndexUnavailable, match="format 0"):
        TantivyWriter.open(tmp_path)


# --- several processes ------------------------------------------------------------------------------------------

WRITE_FOR_EVER = """
import sys
from pathlib import Path
from sampan.services.search.engine.interface import Document, Texts
from sampan.services.search.engine.writer import TantivyWriter
writer = TantivyWriter.open(Path(sys.argv[1]))
number = 0
while True:
    writer.upsert([Document(f"x{number + i}", {"vi": Texts(f"Áo thun {number + i}")}) for i in range(10)])
    writer.commit()
    number += 10
    print(number, flush=True)
"""


def writing(root: Path) -> "subprocess.Popen[str]":
    source = str(Path(__file__).parents[2] / "src")
    return subprocess.Popen(
        [sys.executable, "-c", WRITE_FOR_EVER, str(root)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
    )


def test_a_writer_may_be_killed_at_any_moment(tmp_path: Path) -> None:
    filled(tmp_path)
    index = TantivyIndex(tmp_path)
    committed = 0
    for lines in (1, 4, 9):
        process = writing(tmp_path)
        assert process.stdout is not None
        written = [int(process.stdout.readline()) for _ in range(lines)]
        committed = max(committed, written[-1])
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert index.count() >= 3 + committed
        assert (index.count() - 3) % 10 == 0
    with TantivyWriter.open(tmp_path) as writer:
        writer.upsert(goods([1]))
        writer.commit()
    assert index.search(Query(text="áo thun")).total == index.count()


def test_readers_never_notice_commits_merges_and_rebuilds(tmp_path: Path) -> None:
    filled(tmp_path, range(50))
    index = TantivyIndex(tmp_path)
    done = threading.Event()
    failures: list[BaseException] = []
    totals: set[int] = set()

    def read() -> None:
        try:
            while not done.is_set():
                totals.add(index.search(Query(text="áo thun", facets=None)).total)
                index.suggest(prefix="áo t", language="vi", market="VN")
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for rebuild in range(2):
        with TantivyWriter.rebuild(tmp_path) as writer:
            writer.upsert(goods(range(50)))
            writer.publish()
            for number in range(5):
                writer.upsert(goods([1000 + number]))
                writer.commit()
            assert index.count() == 55, rebuild
    time.sleep(0.05)
    done.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert totals <= set(range(50, 56))
    assert 55 in totals
