import gzip
import re
from pathlib import Path

import pytest

from sampan.ui.assets import LAYERS, STATIC, STYLES, Assets, UnknownAsset, stylesheet

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def assets() -> Assets:
    return Assets.load()


def size(assets: Assets, *names: str) -> int:
    """Bytes on the wire."""
    files = [assets.get(assets.url(name)) for name in names]
    return sum(len(file.gzip_body or file.body) for file in files if file is not None)


def test_the_name_of_a_file_changes_with_its_content() -> None:
    before, after = Assets({"a.js": b"1"}), Assets({"a.js": b"2"})
    assert re.fullmatch(r"/static/a\.[0-9a-f]{12}\.js", before.url("a.js"))
    assert before.url("a.js") != after.url("a.js")
    assert Assets({"a.js": b"1"}).url("a.js") == before.url("a.js")


def test_a_file_is_found_by_its_address_only(assets: Assets) -> None:
    found = assets.get(assets.url("page.js"))
    assert found is not None
    assert found.body == (STATIC / "page.js").read_bytes()
    assert found.content_type.startswith("text/javascript")
    for path in ("/static/page.js", "/static/../assets.py", assets.url("page.js") + "x", ""):
        assert assets.get(path) is None


def test_compressed_bodies_are_the_same_content_and_smaller(assets: Assets) -> None:
    for name in assets.names():
        asset = assets.get(assets.url(name))
        assert asset is not None
        if asset.gzip_body is not None:
            assert gzip.decompress(asset.gzip_body) == asset.body
            assert len(asset.gzip_body) < len(asset.body)


def test_fonts_are_not_compressed_twice(assets: Assets) -> None:
    font = assets.get(assets.url("fonts/num-400.woff2"))
    assert font is not None
    assert font.gzip_body is None


def test_the_style_sheet_names_fonts_by_their_changing_addresses(assets: Assets) -> None:
    sheet = assets.get(assets.url("sampan.css"))
    assert sheet is not None
    addresses = re.findall(rb'url\("([^"]+)"\)', sheet.body)
    assert addresses
    assert all(assets.get(address.decode()) is not None for address in addresses)


def test_an_unknown_file_is_refused() -> None:
    with pytest.raises(UnknownAsset):
        Assets({}).url("nothing.js")
    with pytest.raises(UnknownAsset):
        Assets({"a.css": b'a{background:url("missing.png")}'})


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "page.js").write_text("")
    with pytest.raises(ValueError, match=r"page\.js"):
        Assets.load(tmp_path)


def test_a_surface_adds_files_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "islands").mkdir()
    (tmp_path / "islands" / "data-grid.js").write_text("1")
    assert Assets.load(tmp_path).url("islands/data-grid.js").startswith("/static/islands/data-grid.")


def test_files_of_unknown_kind_are_not_served(tmp_path: Path) -> None:
    (tmp_path / "notes.php").write_text("")
    with pytest.raises(ValueError, match="not served"):
        Assets.load(tmp_path)


def test_the_style_sheet_declares_its_layers_and_holds_every_file() -> None:
    sheet = stylesheet()
    assert sheet.startswith(f"@layer {', '.join(LAYERS)};")
    for path in STYLES.rglob("*.css"):
        assert path.read_text().strip() in sheet, path


def test_styles_are_not_nested() -> None:
    """Our oldest browsers do not know nesting: inside a rule there are declarations only."""
    for path in STYLES.rglob("*.css"):
        depth: list[bool] = []  # for each open brace: whether it belongs to an at-rule that holds rules
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        for prelude, brace in re.findall(r"([^{};]*)([{};])", text):
            if brace == "{":
                assert all(depth), f"{path.name}: {prelude.strip()}"
                depth.append(prelude.strip().startswith(("@media", "@supports", "@keyframes")))
            elif brace == "}":
                depth.pop()


# --- budgets (ux 6)


def test_styles_stay_within_their_budget(assets: Assets) -> None:
    assert size(assets, "sampan.css") <= 25_000


def test_all_scripts_together_stay_within_their_budget(assets: Assets) -> None:
    assert size(assets, *(name for name in assets.names() if name.endswith(".js"))) <= 45_000


def test_all_fonts_together_stay_within_their_budget(assets: Assets) -> None:
    assert size(assets, *(name for name in assets.names() if name.endswith(".woff2"))) <= 62_000


def test_there_are_not_more_than_ninety_icons() -> None:
    assert 60 <= (STATIC / "icons.svg").read_text().count("<symbol") <= 90


# --- where things come from (ux 1.9, 13)


def test_committed_files_name_no_registry() -> None:
    hosts = re.compile(r"registry\.|npmjs|yarnpkg|jsdelivr|unpkg|\"resolved\"", re.IGNORECASE)
    sources = [path for path in (ROOT / "frontend").iterdir() if path.is_file()]
    for path in [*sources, *(path for path in STATIC.rglob("*") if path.suffix != ".woff2" and path.is_file())]:
        found = [line for line in path.read_text().splitlines() if hosts.search(line) and "omit-lockfile" not in line]
        assert not found, path


def test_every_shipped_library_comes_with_its_licence() -> None:
    text = (STATIC / "THIRD-PARTY-LICENSES.txt").read_text()
    shipped = re.findall(r"^Shipped as: (.+)$", text, re.MULTILINE)
    named = {name for names in shipped for name in names.split(", ")}
    foreign = {"icons.svg", *(f"vendor/{path.name}" for path in (STATIC / "vendor").iterdir())}
    foreign |= {f"fonts/{path.name}" for path in (STATIC / "fonts").iterdir()}
    assert named == foreign
    assert all((STATIC / name).exists() for name in named)


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    """A name that is in none breaks its page only in the state that shows it."""
    package = ROOT / "src" / "sampan"
    sources = "".join(path.read_text() for path in package.rglob("templates/**/*.html"))
    sprite = (package / "ui" / "static" / "icons.svg").read_text()
    named = set(re.findall(r'\bicon(?:\(|_name=)"([a-z0-9-]+)"', sources))
    assert len(named) > 30
    assert {name for name in named if f'id="{name}"' not in sprite} == set()
