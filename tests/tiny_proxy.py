"""A proxy as small as can be: it passes connections on to several servers, and past dead ones."""

import socket
import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress


class TinyProxy(socketserver.ThreadingTCPServer):
    """`used` are the ports of its servers in the order in which connections went to them."""

    daemon_threads = True

    def __init__(self, ports: Sequence[int], *, in_turn: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.used: list[int] = []
        self._ports = list(ports)
        self._in_turn = in_turn

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def connected(self) -> socket.socket:
        """A connection to the server whose turn it is, or to the first of the others that lives."""
        first = len(self.used) % len(self._ports) if self._in_turn else 0
        for port in self._ports[first:] + self._ports[:first]:
            with suppress(ConnectionRefusedError):
                connection = socket.create_connection(("127.0.0.1", port))
                self.used.append(port)
                return connection
        raise ConnectionRefusedError("none of the servers lives")


class _Connection(socketserver.BaseRequestHandler):
    server: TinyProxy

    def handle(self) -> None:
        with suppress(ConnectionRefusedError), self.server.connected() as behind:
            answering = threading.Thread(target=_pass_on, args=(behind, self.request), daemon=True)
            answering.start()
            _pass_on(self.request, behind)
            answering.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # one side has hung up
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def tiny_proxy(*ports: int, in_turn: bool = True) -> Iterator[TinyProxy]:
    """A proxy for servers on these ports of this machine; in turn, or the first that lives."""
    with TinyProxy(ports, in_turn=in_turn) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield proxy
        proxy.shutdown()
