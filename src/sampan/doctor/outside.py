"""What the shop reaches over the network: Redis, the mail server, its own public address."""

import asyncio
from urllib.parse import urlsplit

import aiosmtplib
import httpx

from sampan.doctor.finding import Finding, bad, ok, warning
from sampan.door import way_in
from sampan.kernel.redis_link import RedisAway, RedisLink
from sampan.kernel.settings import BadSetting, Settings
from sampan.services.notifications.actions import SmtpSettings

SECONDS = 3


async def findings(settings: Settings, *, running: bool) -> list[Finding]:
    found = await asyncio.gather(redis(settings), smtp(settings), public_url(settings, running=running))
    return [each for part in found for each in part]


async def redis(settings: Settings) -> list[Finding]:
    if not settings.core.redis_url:
        return []
    mend = "check SAMPAN_REDIS_URL; without it the shop works, only slower"
    try:
        link = RedisLink(settings.core.redis_url, timeout=1.0)
    except ValueError as failure:
        return [bad(f"SAMPAN_REDIS_URL: {failure}", mend)]
    try:
        await link.ask(lambda redis: redis.ping())
    except RedisAway:
        return [bad("Redis does not answer", mend)]
    finally:
        await link.close()
    return [ok("Redis answers")]


async def smtp(settings: Settings) -> list[Finding]:
    """Greets the mail server and logs in, and sends nothing."""
    try:
        mail = settings.section(SmtpSettings, "SMTP")
    except BadSetting:
        return []  # named already
    if not mail.host:
        if settings.production:
            return [warning("no mail is sent: there is no mail server", "set SAMPAN_SMTP_HOST and its kin")]
        return []
    where = f"the mail server {mail.host}:{mail.port}"
    server = mail.server(seconds=SECONDS)
    try:
        async with asyncio.timeout(SECONDS):
            await server.connect()
            await server.quit()
    except aiosmtplib.SMTPAuthenticationError as failure:
        return [bad(f"{where} refuses us: {failure.code}", "check SAMPAN_SMTP_USERNAME and SAMPAN_SMTP_PASSWORD")]
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as failure:
        why = str(failure).strip() or "no answer in time"
        return [bad(f"{where} does not serve us: {why}", "check SAMPAN_SMTP_HOST, _PORT and _SECURITY")]
    finally:
        server.close()
    return [ok(f"{where} takes our mail")]


async def public_url(settings: Settings, *, running: bool) -> list[Finding]:
    """Links and returns from payment begin with it, so it must lead to this shop."""
    url = settings.public_url
    if not running:
        return []
    mend = "set SAMPAN_PUBLIC_URL to what customers type, and let the proxy pass it to this shop"
    host = way_in(settings.core.host)
    here = f"http://{f'[{host}]' if ':' in host else host}:{settings.core.port}"
    try:
        async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as http:
            ours = await http.get(f"{here}/robots.txt")  # which names the shop's own address
            theirs = await http.get(f"{url}/robots.txt")
    except (httpx.HTTPError, httpx.InvalidURL) as failure:
        local = urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
        text = f"the public address {url} does not answer from here: {type(failure).__name__}"
        return [bad(text, mend) if local else warning(text, mend)]
    if theirs.status_code != 200 or ours.content != theirs.content:
        return [bad(f"the public address {url} does not lead to this shop", mend)]
    return [ok(f"the public address {url} leads to this shop")]
