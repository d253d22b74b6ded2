"""A TCP proxy that breaks on demand, to stand between a client and a real server or a stand-in.

with proxied(server.port) as way:
    way.latency = 0.3           # seconds before anything comes back
    way.cut = 20                # bytes of an answer, then the connection is closed
    way.reset = True            # reset as soon as something was asked
    way.blackhole = True        # swallow what is asked
    way.heal()
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

AT_ONCE = 65_536  # bytes


class Way:
    """The way through. Faults hold for what is asked from now on; `failing` of 1 or more limits them to so many
    connections. `connections` counts."""

    def __init__(self, target: int, listener: socket.socket) -> None:
        self.port = int(listener.getsockname()[1])
        self.connections = 0
        self.failing = 0
        self._turn = threading.Condition()
        self._target = target
        self._listener = listener
        self._stopped = threading.Event()
        self.heal()

    def heal(self) -> None:
        self.latency = 0.0
        self.cut: int | None = None
        self.reset = self.blackhole = False

    def came(self, least: int) -> int:
        """`connections`, once they are so many: a client may have given up before this proxy had its turn. Waits a
        minute at most."""
        with self._turn:
            self._turn.wait_for(lambda: self.connections >= least, 60)
            return self.connections

    def stop(self) -> None:
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def serve(self) -> None:
        """Take connections until `stop`."""
        while not self._stopped.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._turn:
                self.connections += 1
                self._turn.notify_all()
            whole = bool(self.failing) and self.connections > self.failing
            threading.Thread(target=self._through, args=(client, whole), daemon=True).start()

    def _through(self, client: socket.socket, whole: bool) -> None:
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self._target)) as server:
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else small packets wait for each other
            threading.Thread(target=self._back, args=(server, client, whole), daemon=True).start()
            while asked := client.recv(AT_ONCE):
                if self.blackhole and not whole:
                    self._stopped.wait(60)
                    return
                if self.reset and not whole:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                server.sendall(asked)

    def _back(self, server: socket.socket, client: socket.socket, whole: bool) -> None:
        left = None if whole else self.cut
        with suppress(OSError):
            while told := server.recv(AT_ONCE):
                self._stopped.wait(0 if whole else self.latency)
                client.sendall(told if left is None else told[:left])
                left = None if left is None else left - len(told)
                if left is not None and left <= 0:
                    break
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxied(port: int) -> Iterator[Way]:
    """A way to this port on loopback, until the block ends."""
    way = Way(port, socket.create_server(("127.0.0.1", 0)))
    thread = threading.Thread(target=way.serve, daemon=True, name="proxy")
    thread.start()
    try:
        yield way
    finally:
        way.stop()
        thread.join(5)
