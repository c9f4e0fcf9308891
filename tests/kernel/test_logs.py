import json
import logging

from sampan.kernel.logs import JsonLines


def line_of(message: str, **facts: object) -> dict[str, object]:
    record = logging.makeLogRecord({"msg": message, "levelname": "ERROR", **facts})
    text = JsonLines("orders").format(record)
    assert "\n" not in text
    found: dict[str, object] = json.loads(text)
    return found


def test_a_line_is_written_whatever_is_in_it():
    line = line_of("no such file: \udc80\n", path="\udcff\0")
    assert line["message"] == "no such file: ?\n"
    assert line["path"] == "??"
