"""What the Makefile's commands do to a shop."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_cleaning_a_checkout_leaves_the_shop_in_it_alone(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for folder in (".sampan/postgres", ".venv/bin"):
        (tmp_path / folder).mkdir(parents=True)
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / ".sampan/postgres").exists()
    assert not (tmp_path / ".venv").exists()
