"""The boundaries that no library checks for us. Each function takes the project's root and returns what is wrong."""

import ast
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SQL = re.compile(
    r"^\s*(SELECT\s.+|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s|CREATE\s+(TABLE|INDEX|SCHEMA|FUNCTION)|ALTER\s+TABLE|TRUNCATE\s)",
    re.I | re.S,
)
TABLE = re.compile(r"\b(?<!DISTINCT )(?:FROM|JOIN|INTO|UPDATE)\s+(?:ONLY\s+)?([a-z_]+)\.([a-z_]+)", re.I)
FUNCTIONS = {"pg_catalog", "information_schema"}


def services(root: Path) -> list[Path]:
    folders = [root / "src/sampan/services", root / "src/sampan/sandbox"]
    return [
        f for folder in folders if folder.is_dir() for f in sorted(folder.iterdir()) if (f / "__init__.py").exists()
    ]


def python_files(folder: Path) -> Iterator[Path]:
    return (f for f in sorted(folder.rglob("*.py")))


def sql_in(file: Path) -> Iterator[tuple[int, str]]:
    """Text constants that are SQL, docstrings apart."""
    tree = ast.parse(file.read_text("utf-8"))
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in documents:
            continue
        if SQL.match(node.value):
            yield node.lineno, node.value


def sql_only_in_stores(root: Path) -> list[str]:
    """SQL stands in store.py (or store/) and nowhere else in a service."""
    found = []
    for service in services(root):
        for file in python_files(service):
            part = file.relative_to(service).parts[0]
            if part in ("store.py", "store"):
                continue
            found += [f"{file.relative_to(root)}:{line}: SQL outside of store.py" for line, _ in sql_in(file)]
    return found


def own_schema_only(root: Path) -> list[str]:
    """A service's SQL and migrations name its own schema only, and always name it."""
    found = []
    for service in services(root):
        schema = service.name if service.parent.name == "services" else f"{service.name}_sandbox"
        texts = [(file, line, sql) for file in python_files(service) for line, sql in sql_in(file)]
        texts += [
            (file, 1, re.sub(r"--.*", "", file.read_text("utf-8"))) for file in sorted(service.glob("migrations/*.sql"))
        ]
        for file, line, sql in texts:
            for other, _table in TABLE.findall(sql):
                if other.lower() not in {schema, *FUNCTIONS}:
                    found.append(f"{file.relative_to(root)}:{line}: {other} is not the schema {schema}")
    return found


def no_cycles(root: Path) -> list[str]:
    """The graph of needed peers has no cycle."""
    code = "from sampan.run import declared; declared(sandbox=True)"
    done = subprocess.run([sys.executable, "-c", code], cwd=root / "src", capture_output=True, text=True, check=False)
    return [] if done.returncode == 0 else [done.stderr.strip().splitlines()[-1]]


def empty_inits(root: Path) -> list[str]:
    """Importing a contract loads no service: every __init__.py is empty."""
    return [f"{f.relative_to(root)}: not empty" for f in (root / "src").rglob("__init__.py") if f.stat().st_size]


def whole_sentences(root: Path) -> list[str]:
    """Every rule says in words what it holds."""
    sys.path.insert(0, str(ROOT / "src"))
    from sampan.rulebook import rules

    return [f"{rule.place}: {rule.function} has no docstring" for rule in rules(root / "src") if not rule.text]


def everything_tested(root: Path) -> list[str]:
    """Every rule and every error is named in a test."""
    tests = "\n".join(f.read_text("utf-8") for f in (root / "tests").rglob("*.py"))
    sys.path.insert(0, str(ROOT / "src"))
    from sampan.rulebook import rules

    found = [
        f"{r.place}: no test names the rule {r.function}"
        for r in rules(root / "src")
        if not re.search(rf"\b{r.function}\b", tests)
    ]
    for file in python_files(root / "src/sampan"):
        for name, code in errors_in(file):
            if not re.search(rf"\b{name}\b", tests) and code not in tests:
                found.append(f"{file.relative_to(root)}: no test names the error {name} ({code})")
    return found


def errors_in(file: Path) -> Iterator[tuple[str, str]]:
    """The refusals that a file declares: `class Used(ShopError, code="coupons.used", status=409)`."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef):
            for keyword in node.keywords:
                if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                    yield node.name, str(keyword.value.value)


def rules_current(root: Path) -> list[str]:
    """docs/rules.md is what the code says."""
    sys.path.insert(0, str(ROOT / "src"))
    from sampan.rulebook import rulebook

    file = root / "docs/rules.md"
    current = file.exists() and file.read_text("utf-8") == rulebook(root / "src")
    return [] if current else ["docs/rules.md is not what the code says; run: make rules"]


def migrations_lint(root: Path) -> list[str]:
    """squawk finds nothing dangerous in any migration."""
    files = sorted((root / "src").rglob("migrations/*.sql"))
    if not files:
        return []
    with tempfile.TemporaryDirectory() as folder:
        names = {}
        for number, file in enumerate(files):
            copy = Path(folder) / f"{number:03}.sql"
            copy.write_text(file.read_text("utf-8").replace("{schema}", "ground"))
            names[copy.name] = file
        program = Path(sys.executable).parent / "squawk"
        copies = sorted(map(str, Path(folder).glob("*.sql")))
        options = ["--config", str(ROOT / ".squawk.toml"), "--reporter", "gcc"]
        done = subprocess.run([str(program), *options, *copies], capture_output=True, text=True, check=False)
    found = []
    for line in done.stdout.splitlines():
        match = re.match(r".*?(\d{3}\.sql):(.*)", line)
        if match:
            found.append(f"{names[match[1]].relative_to(root)}:{match[2]}")
    if done.returncode and not found:
        found.append(f"squawk failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return found


def no_registry(root: Path) -> list[str]:
    """No lock or configuration names a package registry."""
    words = ("pypi" + ".org", "python" + "hosted.org", "registry." + "npmjs.org", "npmjs" + ".com/")
    patterns = ("*.lock", "*.toml", "*.txt", "*.cfg", "frontend/*.json", "frontend/.npmrc")
    files = {f for pattern in patterns for f in root.glob(pattern)}
    return [
        f"{file.relative_to(root)}: names {word}"
        for file in sorted(files)
        for word in words
        if word in file.read_text("utf-8")
    ]


def texts_and_templates(root: Path) -> list[str]:
    """No text is missing in Vietnamese or English; templates keep to the content security policy."""
    done = subprocess.run(
        [sys.executable, "-m", "sampan.ui.lint"], cwd=root / "src", capture_output=True, text=True, check=False
    )
    return [] if done.returncode == 0 else (done.stdout + done.stderr).strip().splitlines()[-40:]


CHECKS: tuple[Callable[[Path], list[str]], ...] = (
    sql_only_in_stores,
    own_schema_only,
    no_cycles,
    empty_inits,
    whole_sentences,
    everything_tested,
    rules_current,
    migrations_lint,
    no_registry,
    texts_and_templates,
)


def main() -> None:
    broken = 0
    for check in CHECKS:
        found = check(ROOT)
        broken += len(found)
        print(f"{'ok ' if not found else 'BAD'} {(check.__doc__ or '').strip()}")
        for problem in found:
            print(f"      {problem}")
    raise SystemExit(1 if broken else 0)


if __name__ == "__main__":
    main()
