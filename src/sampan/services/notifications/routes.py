"""The mailbox page of development: what would have been sent. It does not exist in production."""

from html import escape
from uuid import UUID

from sampan.kernel.errors import NotFound
from sampan.kernel.http import Answer, Routes, html, public
from sampan.services.notifications.actions import NotificationsActions

mailbox = Routes(prefix="/dev/mailbox", in_documents=False)

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Mailbox</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body>{body}</body></html>"""


def check_development(notifications: NotificationsActions) -> None:
    if notifications.settings.production:
        raise NotFound("there is nothing at this address")


@mailbox.get("", policy=public)
async def list_messages(notifications: NotificationsActions) -> Answer:
    """The newest messages."""
    check_development(notifications)
    rows = "".join(
        f"<tr><td>{message.made_at:%Y-%m-%d %H:%M:%S}</td><td>{escape(message.recipient)}</td>"
        f"<td><a href='/dev/mailbox/{message.id}'>{escape(message.subject)}</a></td><td>{message.status}</td></tr>"
        for message in await notifications.newest()
    )
    text = "What the shop would have sent. Set SAMPAN_SMTP_HOST to send it."
    table = f"<table><tr><th>At (UTC)</th><th>To</th><th>Subject</th><th>Status</th></tr>{rows}</table>"
    return html(PAGE.replace("{body}", f"<h1>Mailbox</h1><p>{text}</p>{table}"))


@mailbox.get("/{message_id}", policy=public)
async def show_message(notifications: NotificationsActions, message_id: UUID) -> Answer:
    """One message: its headers, its text, and the HTML part in a frame."""
    check_development(notifications)
    mail = await notifications.preview(message_id=message_id)
    headers = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in mail.items())
    text = mail.get_body(preferencelist=("plain",))
    shown = escape(text.get_content()) if text is not None else ""
    body = (
        f"<p><a href='/dev/mailbox'>Mailbox</a></p><dl>{headers}</dl><pre>{shown}</pre>"
        f"<iframe title='HTML' src='/dev/mailbox/{message_id}/html' width='640' height='900'></iframe>"
    )
    return html(PAGE.replace("{body}", body))


@mailbox.get("/{message_id}/html", policy=public)
async def show_html(notifications: NotificationsActions, message_id: UUID) -> Answer:
    """The HTML part alone, in a sandbox."""
    check_development(notifications)
    mail = await notifications.preview(message_id=message_id)
    part = mail.get_body(preferencelist=("html",))
    policy = b"default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'"
    return html(
        part.get_content() if part is not None else "",
        headers=[(b"content-security-policy", policy), (b"x-frame-options", b"SAMEORIGIN")],
    )
