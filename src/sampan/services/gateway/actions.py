"""What the gateway does: documents, and forwarding to services that live elsewhere."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from sampan.kernel import context
from sampan.kernel.app import NoSuchAddress
from sampan.kernel.db import Database
from sampan.kernel.errors import NotFound, RemoteUnavailable
from sampan.kernel.http import Answer, BadRequest, Request, Stream
from sampan.kernel.openapi import document
from sampan.kernel.outbound import no_cookies
from sampan.kernel.service import Ground
from sampan.services.gateway.rules import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    NOT_FORWARDED,
    NOT_RETURNED,
    STREAMED,
    check_path,
    is_repeatable,
    owners_for,
    unknown_pages_for,
)

PATIENCE = httpx.Timeout(15.0, connect=CONNECT_SECONDS, read=ANSWER_SECONDS)


class GatewaySettings(Struct, frozen=True):
    """`documents`: everybody may read the API documents of a production shop, not only its staff."""

    documents: bool = False


class GatewayActions:
    """The way in."""

    def __init__(self, db: Database, ground: Ground) -> None:
        self.settings = ground.settings
        self.table = ground.table
        self.local = ground.local
        self.owners = owners_for(ground.table)
        self.unknown_pages = unknown_pages_for(ground.table)
        self.services = {service for service, _ in ground.table}
        self.http = httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            cookies=no_cookies(),
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=100),
        )
        self.http.headers.clear()  # only what the visitor says: who names no compression may not be able to unpack it
        open_to_all = ground.settings.section(GatewaySettings, "gateway").documents
        self.documents_for_all = open_to_all or not ground.settings.production
        self._document: bytes | None = None

    async def close(self) -> None:
        await self.http.aclose()

    async def list_services(self) -> list[str]:
        """The services that have routes."""
        return sorted(self.services)

    def openapi(self) -> bytes:
        """The joint OpenAPI document, encoded.

        Raises:
            NotFound: this shop shows its API to its staff only.
        """
        if not self.documents_for_all and context.actor.get().kind != "staff":
            raise NotFound("there is nothing at this address")
        if self._document is None:
            found = document((route for _, route in self.table), url=self.settings.public_url)
            self._document = msgspec.json.encode(found)
        return self._document

    def operations(self) -> dict[str, Any]:
        """The same as data, for the page that shows it. Raises NotFound, as `openapi`."""
        found: dict[str, Any] = msgspec.json.decode(self.openapi())
        return found

    async def forward(self, request: Request) -> Answer | Stream:
        """Hand a request to the service that serves its address, and its answer back as it comes.

        Unknown addresses go to the storefront, which knows how to say so to people.

        Raises:
            NoSuchAddress: nobody serves it, or it is served here (and was not found).
            BadRequest: the address is none, or leads elsewhere.
            PayloadTooLarge: the body is larger than the address takes.
            RemoteUnavailable: the service does not answer.
        """
        found = self.owners.find(request.path)
        owner = found[0] if found else None
        if owner is None and not request.path.startswith(("/api/", "/internal/")):
            owner = self.unknown_pages
        if owner is None or owner.service in self.local:
            raise NoSuchAddress("there is nothing at this address")
        path: bytes = request.scope["raw_path"]
        check_path(path)
        url = self.settings.peer_url(owner.service) + path.decode("latin-1")
        if request.raw_query:
            url += "?" + request.raw_query.decode("latin-1")
        headers = [(name, value) for name, value in request.scope["headers"] if name not in NOT_FORWARDED]
        headers += [
            (b"x-forwarded-for", request.scope["sampan.client"].encode()),
            (b"x-forwarded-host", request.header("host").encode("latin-1")),
            (b"host", request.header("host").encode("latin-1")),
            (b"x-request-id", context.request_id.get().encode()),
        ]
        request.limit = owner.body
        body = await request.body()
        try:
            outgoing = self.http.build_request(request.method, url, headers=headers, content=body, timeout=PATIENCE)
        except httpx.InvalidURL:
            raise BadRequest("the address has characters that no address has") from None
        for attempt in (1, 2):
            try:
                answer = await self.http.send(outgoing, stream=True)
                break
            except httpx.HTTPError as failure:
                if attempt == 1 and is_repeatable(request.method):
                    continue
                raise RemoteUnavailable(f"{owner.service} did not answer", service=owner.service) from failure
        returned = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in NOT_RETURNED]
        kind = next((value for name, value in returned if name == b"content-type"), b"application/octet-stream")
        if kind.startswith(STREAMED):
            return Stream(pieces(answer), answer.status_code, kind, returned)
        try:
            content = b"".join([chunk async for chunk in answer.aiter_raw()])
        except httpx.HTTPError as failure:
            raise RemoteUnavailable(f"{owner.service} broke off its answer", service=owner.service) from failure
        finally:
            await answer.aclose()
        return Answer(answer.status_code, content, kind, returned)


async def pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()
