import json
import logging

import asyncpg

from sampan.kernel.logs import JsonLines
from sampan.kernel.postgres import EmbeddedPostgres


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


async def test_a_row_that_the_database_refuses_is_in_no_log(tmp_path):
    server = EmbeddedPostgres(tmp_path / "postgres", fsync=False)
    server.start()
    connection = await asyncpg.connect(server.url("postgres"))
    owner = "Nguyễn Văn An,\n12 Lý Thường Kiệt"
    try:
        await connection.execute("CREATE TABLE boat (id int CHECK (id > 0), owner text)")
        await connection.execute("INSERT INTO boat VALUES (0, $1)", owner)
    except asyncpg.CheckViolationError as failure:
        told = str(line_of("held", exc_info=(type(failure), failure, failure.__traceback__))["error"])
    finally:
        await connection.close()
        server.stop()
    assert "boat_id_check" in told
    assert "DETAIL:  [left out]" in told
    theirs = server.log.read_text("utf-8")
    assert "boat_id_check" in theirs
    assert server.log.stat().st_mode & 0o077 == 0
    for word in ("Nguyễn", "Kiệt"):
        assert word not in told
        assert word not in theirs
