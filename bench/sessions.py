"""Which process of the shop talks through each session of PostgreSQL.

Sessions come over a Unix socket, which tells nobody its peer but the kernel: we ask it over netlink, as `ss -xp` does
(sock_diag(7), `UDIAG_SHOW_PEER`).
"""

import socket
import struct
from typing import Final

from bench.measure import Group, sockets_of

SOCK_DIAG, BY_FAMILY, DUMP, SHOW_PEER, PEER = 4, 20, 0x301, 4, 2
HEADER: Final = struct.Struct("=IHHII")
REQUEST: Final = struct.Struct("=BBHIIIii")
ANSWER: Final = struct.Struct("=BBBBIII")
ATTRIBUTE: Final = struct.Struct("=HH")
END, FAILED = 3, 2


def peers() -> dict[int, int]:
    """The inode of each connected Unix socket → that of its other end."""
    found: dict[int, int] = {}
    question = REQUEST.pack(socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, SHOW_PEER, -1, -1)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG) as kernel:
        kernel.send(HEADER.pack(HEADER.size + len(question), BY_FAMILY, DUMP, 1, 0) + question)
        while True:
            data = kernel.recv(1 << 20)
            place = 0
            while place < len(data):
                length, kind, *_ = HEADER.unpack_from(data, place)
                if kind in (END, FAILED):
                    return found
                inode = ANSWER.unpack_from(data, place + HEADER.size)[4]
                at = place + HEADER.size + ANSWER.size
                while at < place + length:
                    size, name = ATTRIBUTE.unpack_from(data, at)
                    if name == PEER:
                        found[inode] = struct.unpack_from("=I", data, at + ATTRIBUTE.size)[0]
                    at += (size + 3) & ~3
                place += (length + 3) & ~3


def web_sessions(group: Group) -> set[int]:
    """The pids of those PostgreSQL processes that serve a web worker."""
    _, postgres = group.members()
    web = {inode for pid in group.web_workers() for inode in sockets_of(pid)}
    other_end = peers()
    return {p.pid for p in postgres if any(other_end.get(inode) in web for inode in sockets_of(p.pid))}
