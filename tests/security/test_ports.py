"""Which ports a server opens, as the system's own tables have it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from keyturn.bootstrap.settings import Settings
from tests.end_to_end.running import Server

LISTENS = "0A"
LOOPBACK = "0100007F"  # 127.0.0.1 as /proc/net/tcp writes it
UDP = ("udp", "udp6")


def sockets_of(pid: int) -> set[str] | None:
    """Inodes of a process's sockets; None where only root may know, as the process lets nobody look into it."""
    try:
        links = [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()]
    except PermissionError:
        return None
    return {link[8:-1] for link in links if link.startswith("socket:[")}


def doors() -> dict[str, tuple[str, str, int]]:
    """Table, address and port of each open door of this user's, by inode: listening TCP, any bound UDP."""
    found = {}
    for table in ("tcp", "tcp6", *UDP):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[7] == str(os.geteuid()) and (table in UDP or words[3] == LISTENS):
                address, _, port = words[1].rpartition(":")
                found[words[9]] = (table, address, int(port, 16))
    return found


def test_where_it_listens_by_default() -> None:
    """On loopback, where nobody asked for another place."""
    assert Settings.model_fields["listen"].default.startswith("127.0.0.1:")


@pytest.mark.slow
def test_one_loopback_port_is_open(tmp_path: Path) -> None:
    """A server without further settings has one door, on loopback; the system's own table says so (Linux)."""
    before = doors()
    server = Server(tmp_path / "data", tmp_path / "log").start()
    assert server.process is not None
    try:
        after, own = doors(), sockets_of(server.process.pid)
    finally:
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(30)
    opened = [door for inode, door in after.items() if inode not in before and (own is None or inode in own)]

    assert [("tcp", LOOPBACK, server.port)] == opened
