import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta, Struct

from sampan.kernel.settings import BadSetting, home_secret, load

SAFE = {
    "SAMPAN_MODE": "production",
    "SAMPAN_SECRET": "Zk3v9qW1xT7rB5nM2cY8uP4sD6fG0hJ-",
    "SAMPAN_PUBLIC_URL": "https://shop.example",
    "SAMPAN_DATABASE_URL": "postgresql://db/shop",
}


class Post(Struct, frozen=True):
    url: str = "https://post.example"
    tries: Annotated[int, Meta(ge=1)] = 3
    fast: bool = False


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"SAMPAN_SECRET": "short"}, "SAMPAN_SECRET"),
        ({"SAMPAN_SECRET": "a" * 40}, "SAMPAN_SECRET"),
        ({"SAMPAN_PUBLIC_URL": "http://shop.example"}, "SAMPAN_PUBLIC_URL"),
        ({"SAMPAN_RATE_LIMITS": "no"}, "SAMPAN_RATE_LIMITS"),
        ({"SAMPAN_DATABASE_URL": ""}, "SAMPAN_DATABASE_URL"),
        ({"SAMPAN_PORT": "eighty"}, "SAMPAN_PORT"),
        ({"SAMPAN_PORT": "70000"}, "SAMPAN_PORT"),
        ({"SAMPAN_ANSWERS_MB": "0"}, "SAMPAN_ANSWERS_MB"),
        ({"SAMPAN_DATABASE_SECONDS": "0.5"}, "SAMPAN_DATABASE_SECONDS"),
        ({"SAMPAN_TRUSTED_PROXIES": "10.0.0.1, nginx"}, "SAMPAN_TRUSTED_PROXIES"),
        ({"SAMPAN_MODE": "prod"}, "SAMPAN_MODE"),
        ({"SAMPAN_RATE_LIMITS": "maybe"}, "SAMPAN_RATE_LIMITS"),
        ({"SAMPAN_PUBLIC_URL": "https://"}, "SAMPAN_PUBLIC_URL"),
        ({"SAMPAN_PUBLIC_URL": "https://shop.example/shop"}, "SAMPAN_PUBLIC_URL"),
        ({"SAMPAN_PUBLIC_URL": "shop.example", "SAMPAN_MODE": "development"}, "SAMPAN_PUBLIC_URL"),
        ({"SAMPAN_LOG_LEVEL": "verbose"}, "SAMPAN_LOG_LEVEL"),
        ({"SAMPAN_POOL_SIZE": "0"}, "SAMPAN_POOL_SIZE"),
    ],
)
def test_production_refuses_to_start_unsafe_and_names_the_setting(change, named):
    assert load(SAFE).production
    with pytest.raises(BadSetting, match=named):
        load({**SAFE, **change})


def test_a_variable_goes_over_the_file_and_the_file_over_the_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sampan.toml").write_text('port = 8123\n[post]\nurl = "https://file.example"\ntries = 9\n')
    settings = load({"SAMPAN_POST_TRIES": "5", "SAMPAN_POST_FAST": "yes"})
    assert settings.core.port == 8123
    assert settings.section(Post, "POST") == Post("https://file.example", 5, True)


def test_a_file_says_a_setting_under_the_name_of_its_variable_or_in_a_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "sampan.toml").write_text(
        'home = "data"\npost_tries = 7\nurl_orders = "http://orders:1"\n[post]\nfast = true\n'
    )
    (tmp_path / "data/sampan.toml").write_text('[post]\nurl = "https://data.example"\n')
    settings = load({"SAMPAN_DATABASE_URL_ORDERS": "postgresql://x/o"})
    assert settings.section(Post, "POST") == Post("https://data.example", 7, True)
    assert settings.peer_url("orders") == "http://orders:1"
    assert settings.places == {
        **dict.fromkeys(("HOME", "POST_TRIES", "URL_ORDERS", "POST_FAST"), "sampan.toml"),
        "POST_URL": "data/sampan.toml",
        "DATABASE_URL_ORDERS": "",
    }


def test_a_data_folder_that_a_file_names_has_its_own_settings_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "sampan.toml").write_text('home = "data"\nport = 8123\n')
    (tmp_path / "data/sampan.toml").write_text('muted = true\nhome = "elsewhere"\n')
    for environment in ({}, {"SAMPAN_HOME": ""}, {"SAMPAN_HOME": "data"}):
        settings = load(environment)
        assert settings.home == tmp_path / "data"
        assert settings.core.muted
        assert settings.core.port == 8123


def test_a_wrong_value_of_a_service_is_named():
    with pytest.raises(BadSetting, match="SAMPAN_POST_TRIES"):
        load({"SAMPAN_POST_TRIES": "0"}).section(Post, "POST")


def test_peers_and_databases_have_addresses_of_their_own():
    settings = load({"SAMPAN_URL_ORDERS": "http://10.0.0.5:8000/", "SAMPAN_DATABASE_URL_ORDERS": "postgresql://x/o"})
    assert settings.peer_url("orders") == "http://10.0.0.5:8000"
    assert settings.peer_url("catalog") == "http://catalog:8000"
    assert settings.database_url("orders") == "postgresql://x/o"
    assert settings.database_url("catalog") == ""


def test_a_data_folder_keeps_its_secret_to_its_owner(tmp_path):
    secret = home_secret(tmp_path / "home")
    assert len(secret) >= 32
    assert home_secret(tmp_path / "home") == secret
    assert (tmp_path / "home/secret").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("left", ["", "short\n"])
def test_a_secret_that_is_none_is_refused_and_nothing_is_signed_with_it(tmp_path, left):
    (tmp_path / "secret").write_text(left)
    with pytest.raises(BadSetting, match="too short to be a secret"):
        home_secret(tmp_path)
    assert (tmp_path / "secret").read_text() == left


def test_a_secret_is_made_whole_or_not_at_all(tmp_path):
    full = (
        "import resource, sys; from pathlib import Path; from sampan.kernel.settings import home_secret\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); home_secret(Path(sys.argv[1]))"
    )  # as on a full disk, a file may be made and nothing written to it
    assert subprocess.run([sys.executable, "-c", full, tmp_path], check=False, capture_output=True).returncode != 0
    assert list(tmp_path.iterdir()) == []
    assert len(home_secret(tmp_path)) >= 32
