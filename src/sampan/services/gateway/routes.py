"""The gateway's own addresses."""

import logging
from html import escape

from sampan.kernel.http import Answer, Request, Routes, html, public
from sampan.kernel.limits import Limit
from sampan.services.gateway.actions import GatewayActions

log = logging.getLogger(__name__)

routes = Routes(prefix="", in_documents=False)

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>API · Sampan</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>Sampan API</h1>
<p>The same as a document for tools: <a href="/openapi.json">/openapi.json</a></p>{body}</main></body></html>"""


@routes.get("/openapi.json", policy=public)
async def openapi(gateway: GatewayActions) -> Answer:
    """The joint OpenAPI 3.1 document."""
    seen = b"public, max-age=60" if gateway.documents_for_all else b"no-store"
    return Answer(200, gateway.openapi(), headers=[(b"cache-control", seen)])


@routes.get("/docs", policy=public)
async def docs(gateway: GatewayActions) -> Answer:
    """The same, for people."""
    found = gateway.operations()
    rows = []
    for path, methods in sorted(found["paths"].items()):
        for method, operation in methods.items():
            parameters = ", ".join(
                f"<code>{escape(p['name'])}</code>{' (required)' if p.get('required') else ''}"
                for p in operation["parameters"]
            )
            answers = ", ".join(f"<code>{status}</code>" for status in operation["responses"])
            rows.append(
                f"<details id='{escape(operation['operationId'])}'><summary>"
                f"<code>{method.upper()} {escape(path)}</code> {escape(operation['summary'])}</summary>"
                f"<p>{escape(operation['description'])}</p>"
                f"<p>Permission: {escape(operation.get('x-permission', 'none'))}. "
                f"Parameters: {parameters or 'none'}. Answers: {answers}.</p></details>"
            )
    return html(PAGE.replace("{body}", "".join(rows)))


REPORTS = Limit(times=60, seconds=60)


@routes.post("/csp-report", policy=public, idempotency="none", body_limit=16 << 10, limit=REPORTS)
async def csp_report(request: Request) -> None:
    """Where browsers tell of a page that broke the content security policy; it goes to the log."""
    body = await request.body()
    log.warning("content security policy violated", extra={"report": body[:2000].decode("utf-8", "replace")})
