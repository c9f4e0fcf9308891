"""The programs that some tests need beside Python: installed when we may, else said to be missing."""

import os
import shutil
import subprocess
import sys

NEEDED = {"chromium": "chromium", "redis-server": "redis-server", "nginx": "nginx-light"}


def missing() -> list[str]:
    return [package for program, package in NEEDED.items() if shutil.which(program) is None]


def main() -> None:
    absent = missing()
    if not absent:
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing {', '.join(absent)} for the tests …", flush=True)
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", *absent], check=False, stdout=subprocess.DEVNULL, env=environment
        )
    for package in missing():
        print(f"{package} is not here: the tests that need it are left out", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
