import json
import logging
import subprocess
import sys

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


def test_what_a_library_warns_of_is_a_line_of_the_log():
    """As Pillow does of a photo with faulty notes of a camera."""
    code = (
        "import io; from PIL import Image; from sampan.kernel.logs import configure\n"
        "from sampan.services.catalog.actions.pictures import renditions\n"
        "photo = io.BytesIO()\n"
        "notes = b'Exif\\0\\0II*\\0\\x08\\0\\0\\0\\x05\\0'  # five are announced, and none is there\n"
        "Image.new('RGB', (40, 30)).save(photo, 'JPEG', exif=notes)\n"
        "configure('web'); renditions(photo.getvalue())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    [line] = [json.loads(line) for line in done.stderr.splitlines()]
    assert line["level"] == "warning"
    assert "Corrupt EXIF data" in line["message"]


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
