"""`sampan locations import`."""

import os
import subprocess
import sys

import pytest

from sampan.commands import parser
from sampan.services.locations.reference.load import load_reference

REFERENCE = load_reference()


@pytest.fixture
async def sampan(place, tmp_path):
    """The command line on a database of its own."""
    environment = {**os.environ, "SAMPAN_DATABASE_URL": await place.new_database(), "SAMPAN_HOME": str(tmp_path)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sampan.commands", *arguments]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def written(folder, wards=REFERENCE.wards) -> tuple[str, str]:
    provinces, ward_file = folder / "provinces.csv", folder / "wards.csv"
    provinces.write_text("code,full_name\n" + "".join(f"{p.code},{p.full_name}\n" for p in REFERENCE.provinces))
    rows = "".join(f"{w.code},{w.full_name},{w.province_code}\n" for w in wards)
    ward_file.write_text("code,full_name,province_code\n" + rows.replace("Phường Bến Thành", "Phường Chợ Mới"))
    return str(provinces), str(ward_file)


async def test_an_official_list_comes_in_by_one_command(sampan, tmp_path):
    files = written(tmp_path)
    done = sampan("locations", "import", *files, "--effective", "2027-01-01", "--source", "1/2026/QH16")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "in force from 2027-01-01: 34 provinces, 3321 wards"
    assert "  26743 Phường Bến Thành → Phường Chợ Mới (Cho Moi)" in lines
    assert lines[-1] == "the new version was written; the one before stays"


async def test_a_list_with_mistakes_is_refused_with_a_line_for_each(sampan, tmp_path):
    done = sampan("locations", "import", *written(tmp_path, REFERENCE.wards[1:]))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "00004 Phường Ba Đình is gone: name its code in the column `formerly` of each ward that took it over",
        "sampan: the list was refused and nothing changed; mistakes: 1",
    ]


def test_a_file_that_is_not_there_is_named(capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["locations", "import", "no.csv", "no.csv"])
    assert "no.csv: No such file" in capsys.readouterr().err
