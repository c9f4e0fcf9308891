"""Logs: one JSON object a line, in UTC, with the request id; secrets and personal data masked."""

import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import msgspec

from sampan.kernel import context
from sampan.kernel.text import storable

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
SECRET_NAMES = re.compile(r"pass|secret|token|cookie|authorization|api_?key|otp|card|cvv|hash|signature", re.I)
CARD = re.compile(r"\b\d(?:[ -]?\d){12,18}\b")
MAIL = re.compile(r"\b([\w.+-])[\w.+-]{0,63}@([\w-]{1,63}(?:\.[\w-]{1,63}){1,8})\b")
PHONE = re.compile(r"(?<![\w-])(?:\+84|0)\d(?:[ .]?\d){6,9}(\d{2})(?![\w-])")
# What PostgreSQL adds to a refusal: the whole row, with whatever a customer wrote in it.
DETAIL = re.compile(r"^DETAIL:  .*?(?=^HINT:  |^$|\Z)", re.M | re.S)


def mask(text: str) -> str:
    """Card numbers, mail addresses and telephone numbers, made unreadable but still comparable at a glance."""
    text = storable(text, len(text))
    text = CARD.sub("[card]", text)
    text = MAIL.sub(r"\1…@\2", text)
    return PHONE.sub(r"[phone …\1]", text)


class JsonLines(logging.Formatter):
    """A record as one JSON line; input cannot forge lines because JSON escapes what it holds."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self.service,
            "message": mask(record.getMessage()),
        }
        if request := context.request_id.get():
            line["request_id"] = request
        for name, value in vars(record).items():
            if name not in STANDARD:
                line[name] = "[masked]" if SECRET_NAMES.search(name) else mask(str(value))
        if record.exc_info and record.exc_info[0] is not None:
            told = "".join(traceback.format_exception(*record.exc_info))
            line["error"] = mask(DETAIL.sub("DETAIL:  [left out]\n", told)[-8000:])
        return msgspec.json.encode(line).decode()


def configure(service: str, level: str = "info") -> None:
    """Send this process's log to standard error in our format, and with it what Python and its libraries warn of."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    for chatty in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # It warns of each request that makes no sense, as many as anybody cares to send.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
