"""What notifications does: makes messages of events, and sends them."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit
from uuid import UUID

import aiosmtplib
import jinja2
from msgspec import Meta, Struct
from msgspec.structs import replace

from sampan.kernel.catalogue import Catalogue
from sampan.kernel.db import Database, Tx
from sampan.kernel.logs import mask
from sampan.kernel.service import Ground
from sampan.kernel.settings import BadSetting
from sampan.services.notifications import rules, store
from sampan.services.notifications.contract import Message
from sampan.services.notifications.rules import Draft
from sampan.services.notifications.store import Failed, Stored

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
BATCH = 20  # mails sent at the same time
SLICE = 500  # messages kept for the mailbox page in one statement
TALK = 0.75  # of the lease: what a mail server may take in all, so that nobody else sends the mail meanwhile
FAREWELL = 2.0  # seconds that its answer to our leave is waited for


def masked(address: str) -> str:
    """A mail address that tells its owner, and nobody else, whose it is."""
    name, _, host = address.partition("@")
    return f"{name[:1]}…@{host}"


class SmtpSettings(Struct, frozen=True):
    """Where mail goes. Without a host nothing is sent: in development the mailbox page shows it.

    `seconds` is how long each answer of the server is waited for.
    """

    host: str = ""
    port: Annotated[int, Meta(ge=1, le=65535)] = 587
    username: str = ""
    password: str = ""
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str = "shop@localhost"
    shop_name: str = "Tiệm Gạch Bông"
    seconds: Annotated[int, Meta(ge=1, le=60)] = 15

    def server(self, *, seconds: float) -> aiosmtplib.SMTP:
        """The mail server, not called yet; each of its answers is waited for so long."""
        return aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.username or None,
            password=self.password or None,
            use_tls=self.security == "tls",
            start_tls=self.security == "starttls",
            timeout=seconds,
        )


class NotificationsActions:
    """Mail per event, once per message."""

    def __init__(self, db: Database, ground: Ground) -> None:
        self.db = db
        self.settings = ground.settings
        self.smtp = ground.settings.section(SmtpSettings, "SMTP")
        if not rules.is_mail_address(self.smtp.sender.replace("@localhost", "@localhost.test")):
            raise BadSetting("SAMPAN_SMTP_SENDER: this is not a mail address")
        if ground.settings.production and self.smtp.host:
            if self.smtp.security == "none":
                raise BadSetting("SAMPAN_SMTP_SECURITY: production sends mail over TLS only")
            for name in ("sender", "shop_name"):  # nobody's customers are the demo shop's
                if getattr(self.smtp, name) == getattr(SmtpSettings(), name):
                    raise BadSetting(f"SAMPAN_SMTP_{name.upper()}: mail to customers says which shop sends it")
        self.catalogue = Catalogue.load(HERE / "texts")
        loader = jinja2.FileSystemLoader(HERE / "templates")
        self.templates = jinja2.Environment(
            loader=loader, autoescape=jinja2.select_autoescape(["html"]), undefined=jinja2.StrictUndefined
        )

    async def keep(self, tx: Tx, drafts: Sequence[Draft]) -> None:
        """Make messages, once per key; nobody who gave no (usable) address gets one."""
        messages = [
            replace(draft, language=draft.language if draft.language in ("vi", "en") else "vi")
            for draft in drafts
            if draft.recipient is not None and rules.is_mail_address(draft.recipient)
        ]
        if messages:
            await store.add(tx, messages)

    async def messages_for(self, *, order_id: UUID) -> list[Message]:
        """What was sent about an order, oldest first."""
        async with self.db.read() as tx:
            return [self.shown(stored) for stored in await store.of_order(tx, order_id)]

    async def newest(self, *, limit: int = 50) -> list[Message]:
        """The newest messages, for the mailbox page of development."""
        async with self.db.read() as tx:
            return [self.shown(stored, whole=True) for stored in await store.newest(tx, limit)]

    async def preview(self, *, message_id: UUID) -> EmailMessage:
        """A message as it would be sent. Raises NotFound."""
        async with self.db.read() as tx:
            return self.mail_of(await store.one(tx, message_id))

    async def send_due(self) -> None:
        """Job: send what is due, a batch at a time. In a muted shop everything waits."""
        if self.settings.core.muted:
            return
        if not self.smtp.host:
            await self._keep_due()
            return
        while True:
            until = asyncio.get_running_loop().time() + TALK * rules.LEASE
            async with self.db.begin() as tx:
                batch = await store.claim(tx, BATCH, rules.LEASE)
            if not batch:
                return
            await asyncio.gather(*(self._send(stored, until) for stored in batch))

    async def forget_old(self) -> None:
        """Job: addresses and contents older than ninety days go."""
        async with self.db.begin() as tx:
            await store.forget(tx)

    async def failed(self, *, limit: int) -> list[Failed]:
        """Messages that are not tried any more, newest first. Recipients are masked, as is what the mail server said,
        of which nothing breaks the line or moves a cursor.
        """
        async with self.db.read() as tx:
            return [
                replace(
                    found,
                    recipient=masked(found.recipient),
                    error="".join(filter(str.isprintable, rules.one_line(mask(found.error)))),
                )
                for found in await store.failed(tx, limit)
            ]

    async def retry(self, *, message_ids: Sequence[UUID] | None) -> tuple[int, dict[UUID, str]]:
        """Make failed messages due at once with fresh tries: these, or all. How many, and of these the others by their
        status: only what failed is sent again, and nothing that is forgotten. What is not there has none.
        """
        async with self.db.begin() as tx:
            due = await store.retry(tx, message_ids)
            others = [each for each in dict.fromkeys(message_ids or ()) if each not in due]
            there = await store.statuses(tx, others)
        return len(due), {each: there.get(each, "") for each in others}

    async def invariants(self) -> list[str]:
        """Messages that wait for longer than two days, unless the shop is muted."""
        if self.settings.core.muted:
            return []
        async with self.db.read() as tx:
            return await store.late(tx)

    async def _keep_due(self) -> None:
        """Nothing leaves: what is due only stays for the mailbox page."""
        while True:
            async with self.db.read() as tx:  # one statement, which is its own transaction
                kept = await store.keep_due(tx, SLICE)
            if kept < SLICE:
                return

    async def _send(self, stored: Stored, until: float) -> None:
        """Hand a mail over before the loop's time `until`; what took longer counts as not sent."""
        server = self.smtp.server(seconds=self.smtp.seconds)
        try:
            async with asyncio.timeout_at(until):
                await server.connect()
                await server.send_message(self.mail_of(stored))
        except aiosmtplib.SMTPRecipientsRefused as failure:
            await self._refused(stored, failure.recipients[0])
        except aiosmtplib.SMTPDataError as failure:
            await self._refused(stored, failure)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as failure:
            why = str(failure) or "the mail server took too long"
            await self._failed(stored, f"{type(failure).__name__}: {why}", permanent=False)
        else:
            async with self.db.begin() as tx:
                await store.sent(tx, stored.id)
        finally:
            await self._leave(server, until)

    async def _leave(self, server: aiosmtplib.SMTP, until: float) -> None:
        """Take leave of a server that still listens. What became of the mail is noted by now, and stays so."""
        with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
            async with asyncio.timeout_at(until):
                await server.quit(timeout=FAREWELL)
        if server.transport is not None:
            cast(Any, server.transport).abort()  # unlike close() it hands over nothing that still waits to be written
        server.close()

    async def _refused(self, stored: Stored, refusal: aiosmtplib.SMTPResponseException) -> None:
        """The server knows what is to be sent. Any other refusal is of us (a password, a certificate, a sender): the
        mail has nothing to do with it, and waits until somebody has seen to that.
        """
        final = rules.is_for_good(refusal.code, refusal.message)
        await self._failed(stored, f"{refusal.code} {refusal.message}", permanent=final)

    async def _failed(self, stored: Stored, error: str, *, permanent: bool) -> None:
        again = rules.is_worth_another_try(stored.tries, permanent=permanent)
        log.warning("mail not sent", extra={"message_id": str(stored.id), "tries": stored.tries, "again": again})
        async with self.db.begin() as tx:
            if again:
                await store.later(tx, stored.id, rules.minutes_until_next(stored.tries), error)
            else:
                await store.fail(tx, stored.id, error)

    def shown(self, stored: Stored, *, whole: bool = False) -> Message:
        return Message(
            id=stored.id,
            event_id=stored.key,
            template=stored.template,
            language=stored.language,
            recipient=stored.recipient if whole else masked(stored.recipient),
            subject=self.letter(stored).subject,
            status=stored.status,
            tries=stored.tries,
            made_at=stored.made_at,
            sent_at=stored.sent_at,
        )

    def letter(self, stored: Stored) -> rules.Letter:
        return rules.letter_for(stored.template, stored.data, self.catalogue.texts(stored.language), stored.language)

    def mail_of(self, stored: Stored) -> EmailMessage:
        """The mail of a message: text first, then HTML (RFC 2046 multipart/alternative).

        The Message-ID is the message's own, so that a copy sent twice after a crash is recognised as one.
        """
        texts = self.catalogue.texts(stored.language)
        letter = self.letter(stored)
        prefix = "" if stored.language == "vi" else "/en"
        values = {
            "language": stored.language,
            "shop": self.smtp.shop_name,
            "subject": letter.subject,
            "heading": letter.heading,
            "greeting": texts("mail.greeting", name=stored.data.name),
            "paragraphs": letter.paragraphs,
            "lines": letter.lines,
            "sums": letter.sums,
            "link": f"{self.settings.public_url}{prefix}/orders/lookup?number={stored.data.number}",
            "follow": texts("mail.follow"),
            "follow_hint": texts("mail.follow_hint"),
            "footer": texts("mail.footer", shop=self.smtp.shop_name),
        }
        mail = EmailMessage()
        mail["Subject"] = letter.subject
        mail["From"] = Address(display_name=self.smtp.shop_name, addr_spec=self.smtp.sender)
        mail["To"] = stored.recipient
        mail["Date"] = format_datetime(stored.made_at)
        host = urlsplit(self.settings.public_url).hostname or "localhost"
        mail["Message-ID"] = f"<{stored.id}@{host}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(self.templates.get_template("mail.txt").render(values))
        mail.add_alternative(self.templates.get_template("mail.html").render(values), subtype="html")
        return mail
