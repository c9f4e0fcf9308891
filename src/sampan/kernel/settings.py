"""Settings: `SAMPAN_*` variables over `sampan.toml` over defaults, all typed, all named in every complaint."""

import hashlib
import hmac
import logging
import os
import re
import secrets
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from sampan.kernel.errors import ShopError
from sampan.kernel.files import sync_folder

S = TypeVar("S", bound=Struct)

PUBLIC_URL = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?")


class BadSetting(ShopError, code="kernel.bad_setting", status=500):
    """A setting is missing or wrong; the text names it."""


class Core(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings that every process has.

    `mode` is `development` or `production`; production refuses to start unsafe. `public_url` is what links in mails
    and redirects begin with. `secret` signs service identities and cookies: at least 32 characters. A `muted` shop is a
    copy that must not be heard: it sends no mail, calls no provider and offers no payment with one.
    """

    home: str = ".sampan"
    mode: str = "development"
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 2
    public_url: str = ""
    secret: str = ""
    database_url: str = ""
    redis_url: str = ""
    search_url: str = ""
    log_level: str = "info"
    trusted_proxies: str = ""  # comma-separated addresses and networks whose X-Forwarded-For is believed
    rate_limits: bool = True
    pool_size: int = 8
    database_seconds: float = 15.0  # after which a statement without an answer is given up
    answers_mb: int = 32  # memory of a process for answers that are the same for everybody
    muted: bool = False


class Settings:
    """The values of one process by name (`SMTP_HOST`). `core` is typed already; a service reads its own part with
    `section`. `places` says which file named a setting, empty for a variable.
    """

    def __init__(self, values: Mapping[str, Any], core: Core, places: Mapping[str, str] | None = None) -> None:
        self.values = values
        self.places = places or {}
        self.asked = {field.name.upper() for field in msgspec.structs.fields(Core)}  # names that were looked for
        self.core = core

    @property
    def production(self) -> bool:
        return self.core.mode == "production"

    @property
    def secure(self) -> bool:
        """Whether the shop is seen by HTTPS only: its cookies are bound to that, and browsers told to stay with it."""
        return self.production or self.public_url.startswith("https://")

    @property
    def home(self) -> Path:
        return Path(self.core.home).absolute()

    @property
    def trusted_proxies(self) -> frozenset[str]:
        """Addresses and networks of our own proxies."""
        return frozenset(filter(None, (each.strip() for each in self.core.trusted_proxies.split(","))))

    @property
    def public_url(self) -> str:
        """Where the shop is seen from outside, without a slash at the end."""
        return (self.core.public_url or f"http://localhost:{self.core.port}").rstrip("/")

    def section(self, shape: type[S], prefix: str) -> S:
        """The settings of one part, `SAMPAN_<PREFIX>_<FIELD>` or `[prefix]` in sampan.toml, as a Struct with defaults.

        Raises:
            BadSetting: a value does not fit its field.
        """
        values: dict[str, Any] = {}
        for field in msgspec.structs.fields(shape):
            name = f"{prefix}_{field.name}".upper()
            self.asked.add(name)
            if name in self.values:
                values[field.encode_name] = self.values[name]
        return fitted(shape, values, prefix)

    def peer_url(self, service: str) -> str:
        """Where a peer is: `SAMPAN_URL_<SERVICE>`, else `http://<service>:8000`."""
        return str(self.values.get(f"URL_{service.upper()}", f"http://{service}:8000")).rstrip("/")

    def database_url(self, service: str) -> str:
        """A service's own database, `SAMPAN_DATABASE_URL_<SERVICE>`, else the common one; empty for the embedded."""
        return str(self.values.get(f"DATABASE_URL_{service.upper()}", self.core.database_url))

    def has_own_database(self, service: str) -> bool:
        """Whether its tables are in another database than the common one; its own address may also be that of its own
        user in the common one."""
        return place_of(self.database_url(service)) != place_of(self.core.database_url)


def place_of(url: str) -> tuple[str, str, frozenset[str]]:
    """The database that an address leads to, whoever asks there."""
    parts = urlsplit(url)
    options = {option for option in parts.query.split("&") if option.partition("=")[0] not in ("user", "password")}
    return parts.netloc.rpartition("@")[2].removesuffix(":5432"), parts.path, frozenset(options)


def load(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read the settings of this process; `overrides` (from the command line) win.

    Raises:
        BadSetting: a value is wrong, or production would be unsafe; the text names the setting.
    """
    environment = os.environ if environment is None else environment
    here = read(Path("sampan.toml"))
    home = overrides.get("home") or environment.get("SAMPAN_HOME") or here.get("HOME") or Core().home
    file = Path(str(home)) / "sampan.toml"
    there = read(file)
    variables = {name[7:]: value for name, value in environment.items() if name.startswith("SAMPAN_")}
    values = here | there | variables
    places = dict.fromkeys(here, "sampan.toml") | dict.fromkeys(there, str(file)) | dict.fromkeys(variables, "")
    core = {
        field.name: values[field.name.upper()] for field in msgspec.structs.fields(Core) if field.name.upper() in values
    }
    core.update({name: value for name, value in overrides.items() if value is not None})
    core["home"] = home
    settings = Settings(values, fitted(Core, core, ""), places)
    check(settings)
    return settings


def read(file: Path) -> dict[str, Any]:
    """What a file of settings says, by name; nothing when there is none. Raises BadSetting."""
    try:
        return named(tomllib.loads(file.read_text("utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as failure:
        raise BadSetting(f"{file} cannot be read: {failure.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise BadSetting(f"{file}: {failure}") from None


def named(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of a file by the names that they have as variables: `[smtp] host` is SMTP_HOST, as `smtp_host` is."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{prefix}{key}".upper()
        found |= named(value, f"{name}_") if isinstance(value, Mapping) else {name: value}
    return found


def fitted(shape: type[S], values: Mapping[str, Any], prefix: str) -> S:
    for name, value in values.items():
        hint = get_type_hints(shape, include_extras=True)[name]
        label = f"SAMPAN_{prefix}_{name}".upper().replace("__", "_")
        if isinstance(value, str) and hint is bool:
            if value.lower() not in ("1", "0", "true", "false", "yes", "no", "on", "off"):
                raise BadSetting(f"{label}: {value!r} is neither yes nor no")
            values = {**values, name: value.lower() in ("1", "true", "yes", "on")}
            continue
        try:
            msgspec.convert(value, hint, strict=False)
        except msgspec.ValidationError as failure:
            raise BadSetting(f"{label}: {failure}") from None
    return msgspec.convert(dict(values), shape, strict=False)


def check(settings: Settings) -> None:
    """Refuse what is wrong, and in production what is unsafe (no secret, plain HTTP, limits off)."""
    core = settings.core
    if core.mode not in ("development", "production"):
        raise BadSetting(f"SAMPAN_MODE: {core.mode!r} is neither development nor production")
    if not 1 <= core.port <= 65535:
        raise BadSetting(f"SAMPAN_PORT: {core.port} is not a port")
    if not 1 <= core.answers_mb <= 65_536:
        raise BadSetting(f"SAMPAN_ANSWERS_MB: {core.answers_mb} is not between 1 and 65536")
    if not 1 <= core.database_seconds <= 60:
        raise BadSetting(f"SAMPAN_DATABASE_SECONDS: {core.database_seconds:g} is not between 1 and 60")
    if not 1 <= core.workers <= 64:
        raise BadSetting(f"SAMPAN_WORKERS: {core.workers} is not between 1 and 64")
    for proxy in sorted(settings.trusted_proxies):
        try:
            ip_network(proxy, strict=False)
        except ValueError:
            raise BadSetting(f"SAMPAN_TRUSTED_PROXIES: {proxy!r} is neither an address nor a network") from None
    if not 1 <= core.pool_size <= 1000:
        raise BadSetting(f"SAMPAN_POOL_SIZE: {core.pool_size} is not between 1 and 1000")
    if core.log_level.upper() not in logging.getLevelNamesMapping():
        raise BadSetting(f"SAMPAN_LOG_LEVEL: {core.log_level!r} is not debug, info, warning, error or critical")
    if core.public_url and PUBLIC_URL.fullmatch(core.public_url) is None:
        raise BadSetting(f"SAMPAN_PUBLIC_URL: {core.public_url!r} is not http(s)://, a host and at most a port")
    if not settings.production:
        return
    if len(core.secret) < 32 or len(set(core.secret)) < 10:
        raise BadSetting("SAMPAN_SECRET: production needs a random secret of at least 32 characters")
    if not core.public_url.startswith("https://"):
        raise BadSetting("SAMPAN_PUBLIC_URL: production needs the shop's https:// address")
    if not core.rate_limits:
        raise BadSetting("SAMPAN_RATE_LIMITS: cannot be off in production")
    if not core.database_url:
        raise BadSetting("SAMPAN_DATABASE_URL: production needs a PostgreSQL of its own")


def development_secret(secret: str, purpose: str) -> str:
    """A key for `purpose` that shop and stand-ins share in development: 64 hex digits derived from `secret`."""
    return hmac.new(secret.encode(), f"development {purpose}".encode(), hashlib.sha256).hexdigest()


def home_secret(home: Path) -> str:
    """The development secret of a data folder: made at the first start, kept in a file only its owner reads.

    Raises:
        BadSetting: the file holds no secret.
    """
    file = home / "secret"
    if not file.exists():
        make_secret(file)
    found = file.read_text(errors="replace").strip()
    if len(found) < 32:  # with less anybody can sign what guests and services show us
        raise BadSetting(f"{file}: too short to be a secret; bring it back from a backup, or remove it")
    return found


def make_secret(file: Path) -> None:
    """Whole or not at all, and once for whoever makes it at the same time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".secret-{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as target:
            target.write(secrets.token_urlsafe(48))
            target.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(beside, file)  # unlike a renaming it replaces nothing
    finally:
        beside.unlink()
    sync_folder(file.parent)
