"""Is an answer one that the OpenAPI document names? And did a refused request leave everything as it was?"""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import asyncpg
import jsonschema_rs
from tests.world import DOCUMENT, OPERATIONS, Reply, World

PROBLEM = ("type", "title", "status", "code", "detail", "request_id")


@cache
def validator(schema: str) -> Any:
    return jsonschema_rs.Draft202012Validator({**json.loads(schema), "components": DOCUMENT["components"]})


def fits(schema: dict[str, Any], value: Any) -> bool:
    return bool(validator(json.dumps(schema)).is_valid(value))


def body_schema(name: str) -> dict[str, Any] | None:
    """The schema of an operation's JSON body."""
    content = OPERATIONS[name].get("requestBody", {}).get("content", {})
    found: dict[str, Any] | None = content.get("application/json", {}).get("schema")
    return found


def wrong_with(name: str, reply: Reply) -> str:
    """What is wrong with an answer to this operation; empty when nothing is."""
    documented = OPERATIONS[name]["responses"].get(str(reply.status))
    kind = reply.header("content-type")
    if documented is None or reply.status >= 500:
        return f"{reply.status} is not documented: {reply.text[:300]}"
    if not reply.header("x-request-id"):
        return "there is no X-Request-Id"
    content = documented.get("content")
    if content is None:
        if reply.body:
            return f"a body where none is documented: {reply.text[:200]}"
    elif kind.partition(";")[0] not in content:
        return f"{kind} is not documented for {reply.status}"
    elif (schema := content[kind.partition(";")[0]].get("schema")) and not fits(schema, reply.json()):
        [error, *_] = validator(json.dumps(schema)).iter_errors(reply.json())
        return f"{reply.status} does not fit its schema: {str(error)[:600]}"
    for header, shape in documented.get("headers", {}).items():
        if shape.get("required") and not reply.header(header.lower()):
            return f"{reply.status} lacks {header}"
    if reply.status < 400:
        return ""
    problem = reply.json()
    if tuple(name for name in PROBLEM if name not in problem):
        return f"not a problem document: {reply.text[:300]}"
    if problem["status"] != reply.status or problem["request_id"] != reply.header("x-request-id"):
        return f"the problem is about another answer: {reply.text[:300]}"
    if problem["code"] not in documented["description"].split(", "):
        return f"the code {problem['code']} is not documented for {reply.status}"
    if leak := re.search(r"Traceback|asyncpg|sampan\.services|/src/|\.py\b|tantivy|relation \"", reply.text):
        return f"an inner word comes out: {leak[0]}"
    return ""


TABLES = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
 WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'locations')
   AND tablename NOT IN ('idempotency_key', 'consumer', 'reader', 'job', 'migration') ORDER BY 1
"""
WATCH = """
CREATE SCHEMA watch;
CREATE SEQUENCE watch.writes;
CREATE FUNCTION watch.note() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM nextval('watch.writes'); RETURN NULL; END $$;
"""
NOTE = "CREATE TRIGGER watched AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION watch.note()"


class Books:
    """All rows of the shop, as a number a table; and whether anybody wrote at all, which costs next to nothing."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.sql = ""
        self.seen = 0
        self.pages: dict[str, str] = {}

    @classmethod
    @asynccontextmanager
    async def of(cls, world: World) -> AsyncIterator["Books"]:
        """The books of a world, open at today's page."""
        [url] = world.shop.pools
        books = cls(await asyncpg.connect(url))
        try:
            page = "count(*)::text || ':' || coalesce(sum(hashtextextended(t::text, 0)), 0)::text"
            tables = [row[0] for row in await books.connection.fetch(TABLES)]
            books.sql = " UNION ALL ".join(f"SELECT '{table}', {page} FROM {table} t" for table in tables)
            if not await books.connection.fetchval("SELECT to_regnamespace('watch') IS NOT NULL"):
                await books.connection.execute(WATCH + ";".join(NOTE.format(table=table) for table in tables))
            await books.open_page()
            yield books
        finally:
            await books.connection.close()

    async def written(self) -> bool:
        """Whether a statement wrote since the last time, also one that was rolled back."""
        count: int = await self.connection.fetchval("SELECT last_value FROM watch.writes")
        before, self.seen = self.seen, count
        return count != before

    async def open_page(self) -> None:
        """Remember how things are."""
        self.pages = await self._read()
        await self.written()

    async def changed(self) -> list[str]:
        """The tables that differ from what was remembered."""
        return [table for table, page in (await self._read()).items() if self.pages.get(table) != page]

    async def _read(self) -> dict[str, str]:
        return {row[0]: row[1] for row in await self.connection.fetch(self.sql)}
