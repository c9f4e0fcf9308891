"""The walls hold: each check is seen to fail on a planted violation, and finds nothing in the real tree."""

import subprocess
import sys
from pathlib import Path

import pytest
from tools import check

from sampan.kernel.http import Routes, public
from sampan.kernel.jobs import every
from sampan.kernel.service import Service
from sampan.run import Cycle, in_order
from sampan.services.auth.contract import Auth
from sampan.services.catalog.contract import Catalog

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree of the same shape as ours."""
    room = tmp_path / "src/sampan/services/coupons"
    room.mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "tests").mkdir()
    for folder in (room, room.parent, room.parent.parent):
        (folder / "__init__.py").touch()
    return tmp_path


def room(tree: Path) -> Path:
    return tree / "src/sampan/services/coupons"


def test_sql_outside_of_a_store_is_found(tree):
    (room(tree) / "store.py").write_text('Q = "SELECT 1 FROM coupons.coupon"\n')
    assert check.sql_only_in_stores(tree) == []
    (room(tree) / "actions.py").write_text(
        '"""SELECT is a word of a docstring."""\nQ = "SELECT 1 FROM coupons.coupon"\n'
    )
    assert len(check.sql_only_in_stores(tree)) == 1


def test_sql_of_another_schema_is_found_in_code_and_in_migrations(tree):
    (room(tree) / "store.py").write_text('Q = "SELECT 1 FROM orders.cart"\n')
    assert "orders is not the schema coupons" in check.own_schema_only(tree)[0]
    (room(tree) / "store.py").write_text('Q = "SELECT 1 FROM coupons.coupon JOIN orders.cart ON true"\n')
    assert len(check.own_schema_only(tree)) == 1
    (room(tree) / "store.py").unlink()
    (room(tree) / "migrations").mkdir()
    (room(tree) / "migrations/0001_x.sql").write_text("INSERT INTO orders.cart VALUES (1);\n")
    assert len(check.own_schema_only(tree)) == 1


def test_an_init_that_is_not_empty_is_found(tree):
    assert check.empty_inits(tree) == []
    (room(tree) / "__init__.py").write_text("import os\n")
    assert len(check.empty_inits(tree)) == 1


def test_a_rule_without_words_is_found(tree):
    (room(tree) / "rules.py").write_text("def check_uses_left(n):\n    pass\n")
    assert len(check.whole_sentences(tree)) == 1
    (room(tree) / "rules.py").write_text('def check_uses_left(n):\n    """A coupon has uses."""\n')
    assert check.whole_sentences(tree) == []


def test_a_rule_and_an_error_without_a_test_are_found(tree):
    (room(tree) / "rules.py").write_text('def check_uses_left(n):\n    """A coupon has uses."""\n')
    (room(tree) / "contract.py").write_text('class Used(ShopError, code="coupons.used", status=409): ...\n')
    assert len(check.everything_tested(tree)) == 2
    (tree / "tests/test_coupons.py").write_text("check_uses_left(0); raises(Used)\n")
    assert check.everything_tested(tree) == []


def test_a_rulebook_that_is_not_what_the_code_says_is_found(tree):
    (room(tree) / "rules.py").write_text('def check_uses_left(n):\n    """A coupon has uses."""\n')
    (tree / "docs/rules.md").write_text("old")
    assert len(check.rules_current(tree)) == 1


def test_a_dangerous_migration_is_found(tree):
    (room(tree) / "migrations").mkdir()
    (room(tree) / "migrations/0001_x.sql").write_text("ALTER TABLE coupons.coupon ADD COLUMN uses integer NOT NULL;\n")
    assert check.migrations_lint(tree)


def test_the_address_of_a_registry_is_found(tree):
    (tree / "requirements.lock").write_text("x==1 --index-url https://" + "pypi" + ".org/simple\n")
    assert len(check.no_registry(tree)) == 1


def test_a_service_that_imports_another_one_is_found(tmp_path):
    """Import Linter with our contracts, on a copy of our tree with one forbidden import in it."""
    import shutil

    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("static", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    victim = tmp_path / "src/sampan/services/auth/rules.py"
    victim.write_text(victim.read_text() + "\nimport sampan.services.catalog.store\n")
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [str(program), "--no-cache"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "src"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Services know each other by their contracts only BROKEN" in done.stdout


def test_services_that_need_each_other_are_refused():
    class Build:
        def __init__(self, *_: object) -> None: ...

    one: Service[Auth] = Service(name="auth", contract=Auth, build=Build, needs=(Catalog,))
    two: Service[Catalog] = Service(name="catalog", contract=Catalog, build=Build, needs=(Auth,))
    with pytest.raises(Cycle, match="auth → catalog → auth"):
        in_order({"auth": one, "catalog": two})
    assert list(in_order({"catalog": two, "auth": Service(name="auth", contract=Auth, build=Build)})) == [
        "auth",
        "catalog",
    ]


def test_a_route_without_a_policy_stops_the_start():
    routes = Routes()
    with pytest.raises(TypeError):
        routes.get("/x")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="declares no policy"):
        routes.get("/x", policy=None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="only reads are cached"):
        routes.post("/x", policy=public, cached=lambda request: [])


def test_every_permission_of_a_route_exists(shop):
    from sampan.services.auth.rules import PERMISSIONS

    for name, service in shop.shop.everything.items():
        for routes in service.routes:
            for route in routes:
                if route.policy.permission:
                    assert route.policy.permission in PERMISSIONS, f"{name}: {route.name}"


def test_every_job_is_an_action(shop):
    for name, service in shop.shop.everything.items():
        for job in service.jobs:
            assert callable(getattr(shop.shop.live[name], job.do, None)), f"{name}: {job.do}"
    assert every(minutes=1, do="x").seconds == 60
