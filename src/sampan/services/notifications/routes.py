"""The mailbox page of development: what would have been sent. It does not exist in production."""

from html import escape
from uuid import UUID

from sampan.kernel.errors import NotFound
from sampan.kernel.http import Answer, Routes, html, public
from sampan.services.notifications.actions import NotificationsActions
from sampan.ui.assets import Assets

mailbox = Routes(prefix="/dev/mailbox", in_documents=False)

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Mailbox</title>
<meta name="viewport" content="width=device-width, initial-scale=1">{links}</head>
<body><main class="page main stack">{body}</main></body></html>"""


def shown(body: str) -> Answer:
    """A page of the mailbox, in the dress of the shop's other pages."""
    assets = Assets.load()
    links = (
        f'<link rel="stylesheet" href="{assets.url("sampan.css")}">'
        f'<link rel="icon" href="{assets.url("icon.svg")}" type="image/svg+xml">'
    )
    return html(PAGE.replace("{links}", links).replace("{body}", body))


def check_development(notifications: NotificationsActions) -> None:
    if notifications.settings.production:
        raise NotFound("there is nothing at this address")


@mailbox.get("", policy=public)
async def list_messages(notifications: NotificationsActions) -> Answer:
    """The newest messages."""
    check_development(notifications)
    rows = "".join(
        f"<tr><td><a href='/dev/mailbox/{message.id}'>{escape(message.subject)}</a></td>"
        f"<td>{escape(message.recipient)}</td><td>{message.status}</td>"
        f"<td class='num nowrap'>{message.made_at:%Y-%m-%d %H:%M:%S}</td></tr>"
        for message in await notifications.newest()
    )
    text = "What the shop would have sent. Set SAMPAN_SMTP_HOST to send it."
    head = "<thead><tr><th>Subject</th><th>To</th><th>Status</th><th>At (UTC)</th></tr></thead>"
    table = f"<table class='table'>{head}<tbody>{rows}</tbody></table>" if rows else "<p>No message yet.</p>"
    return shown(f"<h1>Mailbox</h1><p>{text}</p><div class='table-frame' tabindex='0'>{table}</div>")


@mailbox.get("/{message_id}", policy=public)
async def show_message(notifications: NotificationsActions, message_id: UUID) -> Answer:
    """One message: its headers, its text, and the HTML part in a frame."""
    check_development(notifications)
    mail = await notifications.preview(message_id=message_id)
    headers = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in mail.items())
    text = mail.get_body(preferencelist=("plain",))
    plain = escape(text.get_content()) if text is not None else ""
    return shown(
        "<nav class='breadcrumb' aria-label='Mailbox'><a href='/dev/mailbox'>Mailbox</a></nav>"
        f"<h1>{escape(str(mail.get('Subject', '')))}</h1><dl class='specs'>{headers}</dl>"
        f"<pre>{plain}</pre>"
        f"<iframe title='HTML' src='/dev/mailbox/{message_id}/html' width='100%' height='900'></iframe>"
    )


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
