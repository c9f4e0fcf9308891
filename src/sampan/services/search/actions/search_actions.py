"""What search does: finds products, and keeps its index."""

import logging

import msgspec
from msgspec import Struct

from sampan.kernel.db import Database
from sampan.kernel.errors import ShopError
from sampan.kernel.service import Ground
from sampan.services.catalog.contract import Catalog
from sampan.services.search import rules, store
from sampan.services.search.actions.indexing import Indexing
from sampan.services.search.actions.names import NamesInMemory
from sampan.services.search.contract import (
    CategoryHit,
    Facet,
    FacetValue,
    Found,
    IndexUnavailable,
    Sort,
    Suggestions,
)
from sampan.services.search.engine.interface import DEEPEST, Index, Query, Result, check_query, cursor_at, offset_at
from sampan.services.search.engine.reader import TantivyIndex
from sampan.services.search.rules import CategoryNode, Names

log = logging.getLogger(__name__)

SLICE = 1000  # variants whose sales are taken in one transaction
SLICES = 100  # of one run


class SearchActions:
    """The index of published products. Questions take about a millisecond and are answered where they are asked."""

    def __init__(self, db: Database, ground: Ground, catalog: Catalog | None) -> None:
        self.db = db
        self.catalog = catalog
        folder = ground.settings.home / "search"
        self.index: Index = TantivyIndex(folder)
        self.indexing = Indexing(db, folder, self.index)
        self.names = NamesInMemory(db, self.indexing.file)

    async def find_for(
        self,
        *,
        q: str = "",
        category: str | None = None,
        filters: dict[str, list[str]] = {},
        price_min: int | None = None,
        price_max: int | None = None,
        in_stock: bool = False,
        sort: Sort | None = None,
        language: str = "vi",
        market: str = "VN",
        limit: int = 24,
        cursor: str | None = None,
        page: int = 1,
        facets: bool = True,
    ) -> Found:
        """Products by text, category (slug) and filters; see `Search.find_for`.

        Raises NotFound for an unknown category, Invalid for a question out of bounds, and IndexUnavailable when there
        is text to look for and no index. Without text the newest products are listed then, without facets.
        """
        question = Question(
            q=q,
            category=category,
            filters=filters,
            price_min=price_min,
            price_max=price_max,
            in_stock=in_stock,
            sort=sort,
            language=language,
            market=market,
            limit=limit,
            cursor=cursor if cursor or page == 1 else cursor_at((page - 1) * limit),
            facets=facets,
        )
        found = await self.page_for(question=question)
        return Found(
            items=[rules.card_in(card) for card in found.items],
            next=found.next,
            total=found.total,
            facets=found.facets,
            did_you_mean=found.did_you_mean,
            relaxed=found.relaxed,
        )

    async def page_for(self, *, question: "Question") -> "WrittenPage":
        """The same, with cards as the index keeps them: for who only passes them on. Raises what `find_for` raises."""
        rules.check_filters(question.filters)
        names = await self.names.current()
        node = names.category(question.category) if question.category is not None else None
        query = Query(
            text=question.q,
            language=rules.spoken(question.language),
            market=question.market,
            category_id=str(node.id) if node else None,
            filters=question.filters,
            price_min=question.price_min,
            price_max=question.price_max,
            in_stock=question.in_stock,
            sort=question.sort or "relevance",
            limit=question.limit,
            cursor=question.cursor,
            facets=None if question.facets else (),
        )
        check_query(query)
        try:
            result = self.index.search(query)
        except IndexUnavailable:
            if query.text.strip():
                raise
            return await self._newest(query, node, names)
        if query.text.strip() and not result.total:
            log.info("nothing was found", extra={"query": query.text[:200], "language": query.language})
        return page_of(result, query, names)

    async def suggestions_for(self, *, q: str, language: str = "vi", market: str = "VN", limit: int = 8) -> Suggestions:
        """While somebody types. Raises IndexUnavailable."""
        names, language = await self.names.current(), rules.spoken(language)
        found = self.index.suggest(prefix=q, language=language, market=market, limit=min(limit, 10))
        nodes = {str(node.id): node for node in names.by_id.values()}
        cards = [rules.written_card(item.card, language=language, market=market) for item in found.products]
        return Suggestions(
            queries=list(found.queries),
            categories=[CategoryHit(nodes[hit.id].slug, hit.name) for hit in found.categories if hit.id in nodes],
            products=[rules.card_in(card) for card in cards if card is not None],
        )

    async def count_sales(self) -> None:
        """Job: let the documents of what was sold be indexed again. Not with every order: each time costs a commit of
        the index and all kept lists."""
        for _ in range(SLICES):
            async with self.db.begin() as tx:
                await store.take_turn(tx)
                products = await store.take_sales(tx, limit=SLICE)
                await store.touch(tx, sorted(set(products)))
            if len(products) < SLICE:
                return

    async def index_changes(self) -> None:
        """Job: bring the index up to date with what is known of products and categories."""
        await self._learn_categories()
        await self.indexing.catch_up()

    async def rebuild(self, progress: bool = False) -> None:
        """Make the index anew while the old one answers; `progress` shows a bar. Raises IndexUnavailable when another
        process keeps writing for a minute."""
        await self._learn_categories()
        await self.indexing.rebuild(progress=progress, patience=60)

    async def invariants(self) -> list[str]:
        """Products that wait to be indexed for more than five minutes, or are missing in the index or too many."""
        async with self.db.read() as tx:
            known = await store.place(tx)
            state = await store.state(tx, after=known.change if known else 0)
        broken = []
        if state.late:
            broken.append(f"{state.late} changed products wait for more than five minutes to be indexed")
        if state.pending == 0 and state.quiet and state.change:
            try:
                indexed = self.index.count()
            except IndexUnavailable:
                broken.append("the index cannot be read")
            else:
                if indexed != state.listed:
                    broken.append(f"the index holds {indexed} products, {state.listed} are listed")
        return broken

    async def _newest(self, query: Query, node: CategoryNode | None, names: Names) -> "WrittenPage":
        """The newest products of a category from the database: for when there is no index."""
        offset = offset_at(query.cursor)
        end = min(offset + query.limit, DEEPEST)
        async with self.db.read() as tx:
            rows = await store.browse(
                tx,
                market=query.market,
                categories=names.downwards([node.id]) if node else None,
                in_stock=query.in_stock,
                price_min=query.price_min,
                price_max=query.price_max,
                filters={code: list(values) for code, values in query.filters.items() if values},
                offset=offset,
                limit=end - offset,
            )
        total = rows[0].total if rows else 0
        cards = [rules.card_for(row.product, language=query.language, market=query.market) for row in rows]
        return WrittenPage(
            items=[msgspec.Raw(msgspec.json.encode(card)) for card in cards if card is not None],
            next=cursor_at(end) if end < min(total, DEEPEST) else None,
            total=total,
            facets=[],
        )

    async def _learn_categories(self) -> None:
        """Read the tree from catalog when it said that it changed; products of other names or places are indexed
        again. While catalog is away the tree that is known serves."""
        async with self.db.read() as tx:
            tree = await store.tree(tx)
        if self.catalog is None or tree.learned >= tree.told:
            return
        try:
            found = await self.catalog.list_categories()
        except ShopError as failure:
            if failure.status != 503:
                raise
            log.warning("the categories cannot be read now", extra={"error": failure.detail})
            return
        nodes = [CategoryNode(one.id, one.slug, one.name, one.parent_id) for one in found]
        before, now = await self.names.read(), Names(categories=nodes)
        async with self.db.begin() as tx:
            await store.take_turn(tx)
            changed = await store.put_tree(tx, nodes, learned=tree.told)
            if changed:
                await store.touch_categories(tx, sorted({*before.downwards(changed), *now.downwards(changed)}))
        if changed:
            self.indexing.renew()


class Question(Struct, frozen=True):
    """What is asked for; see `Search.find_for`."""

    q: str = ""
    category: str | None = None
    filters: dict[str, list[str]] = {}
    price_min: int | None = None
    price_max: int | None = None
    in_stock: bool = False
    sort: Sort | None = None
    language: str = "vi"
    market: str = "VN"
    limit: int = 24
    cursor: str | None = None
    facets: bool = True


class WrittenPage(Struct, frozen=True):
    """A `Found` whose cards are written already: each is the JSON of a `ProductCard`."""

    items: list[msgspec.Raw]
    next: str | None
    total: int
    facets: list[Facet]
    did_you_mean: str | None = None
    relaxed: bool = False


def page_of(result: Result, query: Query, names: Names) -> WrittenPage:
    """An answer of the index in the words of a language."""
    cards = [rules.written_card(item.card, language=query.language, market=query.market) for item in result.items]
    chosen = [facet for facet in result.facets if facet.code in query.filters]
    others = [facet for facet in result.facets if facet.code not in query.filters]
    kept = {facet.code for facet in (*chosen, *others[: rules.MOST_FACETS - len(chosen)])}
    return WrittenPage(
        items=[card for card in cards if card is not None],
        next=result.next,
        total=result.total,
        facets=[
            Facet(
                code=facet.code,
                label=names.label(facet.code, "", query.language),
                values=[
                    FacetValue(
                        value=value.value,
                        label=names.label(facet.code, value.value, query.language),
                        count=value.count,
                        selected=value.selected,
                        swatch=names.swatch(facet.code, value.value),
                    )
                    for value in facet.values
                ],
            )
            for facet in result.facets
            if facet.code in kept
        ],
        did_you_mean=result.did_you_mean,
        relaxed=result.relaxed,
    )
