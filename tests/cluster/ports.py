"""Ports that nobody uses."""

import random
import socket

_FIRST, _END = 20_000, 32_768  # PostgreSQL keeps a service's port as a smallint: what the system hands out is too large


def free_ports(count: int) -> list[int]:
    """Different free ports of this machine, below 32768."""
    bound: list[socket.socket] = []
    while len(bound) < count:
        try:
            bound.append(socket.create_server(("127.0.0.1", random.randrange(_FIRST, _END))))
        except OSError:
            continue  # taken
    ports = [int(taken.getsockname()[1]) for taken in bound]
    for taken in bound:
        taken.close()
    return ports
