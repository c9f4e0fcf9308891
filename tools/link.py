"""Make this checkout's `src` importable and put the command `sampan` into the environment that runs this.

The same as an editable install, without a build backend that would have to be fetched.
"""

import sys
import sysconfig
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src"
SCRIPT = "#!{python}\nfrom sampan.commands import main\n\nif __name__ == '__main__':\n    main()\n"


def main() -> None:
    Path(sysconfig.get_path("purelib"), "sampan.pth").write_text(f"{SOURCE}\n")
    command = Path(sysconfig.get_path("scripts"), "sampan")
    command.write_text(SCRIPT.format(python=sys.executable))
    command.chmod(0o755)


if __name__ == "__main__":
    main()
