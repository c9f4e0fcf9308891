"""The write side of the embedded index: one process at a time."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import tantivy

from sampan.services.search.contract import IndexUnavailable
from sampan.services.search.engine import folders, schema
from sampan.services.search.engine.interface import Document

_MEMORY: Final = 64_000_000  # bytes collected before tantivy writes a segment


class TantivyWriter:
    """A `Writer` over a folder. `open` goes on with the version in use, `rebuild` begins an empty one beside it.

    The right to write is a lock on the folder that ends with `close` or with the process, however it ends.
    """

    def __init__(self, root: Path, folder: Path, index: tantivy.Index, lock: int) -> None:
        self._root = root
        self._folder = folder
        self._index = index
        self._lock: int | None = lock
        self._markets = list(folders.read_facts(folder).markets)
        self._writer: tantivy.IndexWriter | None = index.writer(_MEMORY, 1)

    @classmethod
    def open(cls, root: Path) -> Self:
        """Write to the version in use. Raises `IndexUnavailable` when there is none that this program can go on with
        (then `rebuild`), or when another process is writing."""
        lock = folders.lock(root)
        with _released_on_error(lock), _writable():
            folder = folders.current(root)
            folders.read_facts(folder)
            writer = cls(root, folder, tantivy.Index.open(str(folder)), lock)
            folders.remove_others(root, folder)  # what an interrupted rebuild left
            return writer

    @classmethod
    def rebuild(cls, root: Path) -> Self:
        """Write a new empty version; readers stay with the one in use until `publish`."""
        lock = folders.lock(root)
        with _released_on_error(lock), _writable():
            folder = folders.next_version(root)
            folders.write_facts(folder, folders.Facts(schema.FORMAT))
            return cls(root, folder, tantivy.Index(schema.build(), path=str(folder)), lock)

    def upsert(self, documents: Iterable[Document]) -> None:
        """See `Writer.upsert`. Raises `ValueError` for more than 32 markets."""
        writer = self._open_writer()
        for document in documents:
            fields = schema.fields_of(document, self._slots_for(document))
            with _writable():
                writer.delete_documents_by_term("id", document.product_id)
                writer.add_document(tantivy.Document.from_dict(fields, self._index.schema))

    def delete(self, product_ids: Iterable[str]) -> None:
        """See `Writer.delete`."""
        with _writable():
            for product_id in product_ids:
                self._open_writer().delete_documents_by_term("id", product_id)

    def commit(self) -> None:
        """See `Writer.commit`."""
        with _writable():
            # First the facts: who sees the commit must be able to read its prices.
            facts = folders.Facts(schema.FORMAT, tuple(self._markets))
            if folders.read_facts(self._folder) != facts:
                folders.write_facts(self._folder, facts)
            self._open_writer().commit()

    def publish(self) -> None:
        """See `Writer.publish`. The writer goes on with the version it has put in use."""
        self.commit()
        with _writable():
            # Few large segments answer faster than many small ones.
            self._open_writer().wait_merging_threads()
            self._writer = self._index.writer(_MEMORY, 1)
            folders.point_to(self._root, self._folder)
            folders.remove_others(self._root, self._folder)

    def close(self) -> None:
        """See `Writer.close`."""
        self._writer = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_writer(self) -> tantivy.IndexWriter:
        if self._writer is None:
            raise IndexUnavailable("this writer is closed")
        return self._writer

    def _slots_for(self, document: Document) -> dict[str, int]:
        for market in document.price:
            if market not in self._markets:
                if len(self._markets) == schema.MARKETS:
                    raise ValueError(f"an index holds the prices of {schema.MARKETS} markets")
                self._markets.append(market)
        return {market: slot for slot, market in enumerate(self._markets)}


@contextmanager
def _released_on_error(lock: int) -> Iterator[None]:
    try:
        yield
    except BaseException:
        os.close(lock)
        raise


@contextmanager
def _writable() -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError) as error:
        raise IndexUnavailable("the search index cannot be written") from error
