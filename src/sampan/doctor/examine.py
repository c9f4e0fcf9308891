"""`sampan doctor`: what is wrong with this installation, and how to mend it. It only looks, and takes a few seconds."""

import asyncio
from datetime import UTC, datetime

import msgspec

from sampan.backup.making import NOTE, LastBackup
from sampan.doctor import cluster, database, machine, outside
from sampan.doctor.finding import Finding, bad, ok, warning
from sampan.kernel.settings import Settings
from sampan.run import unread_settings

BACKUP_HOURS = 26  # a day and a little


def examine(settings: Settings) -> list[Finding]:
    """Look at everything, in the order in which a start would need it."""
    running = machine.is_running(settings)
    found = [
        *machine.environment(settings),
        *wrong_settings(settings),
        *machine.folder(settings),
        *cluster.findings(settings),
        *machine.address(settings, running=running),
    ]
    checks = [database.findings(settings, running=running), outside.findings(settings, running=running)]

    async def all_at_once() -> list[list[Finding]]:
        return await asyncio.gather(*checks)

    for each in asyncio.run(all_at_once()):
        found += each
    return [*found, *last_backup(settings)]


def wrong_settings(settings: Settings) -> list[Finding]:
    """Values that a service refuses, and names that nobody reads. Both are found by building every service."""
    from sampan.kernel.settings import BadSetting

    try:
        unread = unread_settings(settings)
    except BadSetting as refusal:
        return [bad(refusal.detail, "correct this setting")]
    return [nobody_reads(name, near, settings.places[name]) for name, near in unread.items()]


def nobody_reads(name: str, near: str, file: str) -> Finding:
    """`near` is the setting that may be meant; without a `file` the name is a variable's."""
    meant = f"if {spelled(near, file)} is meant, correct the name; else take it out" if near else "take it out"
    return warning(f"nobody reads {spelled(name, file)}{f' in {file}' if file else ''}", meant)


def spelled(name: str, file: str) -> str:
    """A setting's name as a file has it, or as a variable."""
    return name.lower() if file else f"SAMPAN_{name}"


def last_backup(settings: Settings) -> list[Finding]:
    mend = "sampan backup FOLDER, once a day, and keep the file on another machine"
    if not settings.core.database_url and not (settings.home / "postgres/PG_VERSION").exists():
        return []
    try:
        note = msgspec.json.decode((settings.home / NOTE).read_bytes(), type=LastBackup)
    except (OSError, msgspec.DecodeError):
        return [warning("no backup was ever made of this shop from here", mend)]
    hours = (datetime.now(UTC) - note.at).total_seconds() / 3600
    text = f"the last backup is {hours:.0f} hours old: {note.file}"
    return [ok(text) if hours < BACKUP_HOURS else warning(text, mend)]
