"""Answers as many supervisords would: each address of 127.0.0.0/8 is one host.

Every answer tells the time as it is now, and now and then a process has been restarted
since the last one. It knows the one question that a poll asks; to any other method it
says that it does not know it. It ends with its standard input.
"""

import asyncio
import os
import random
import sys
import time
import xmlrpc.client
from contextlib import suppress
from pathlib import Path

#: Chance that one process of a host is another one than at the last answer.
RESTART_CHANCE = 0.005
#: Stand-ins for what changes, as long as what replaces them.
_NOW = 1_111_111_111
_START = 1_000_000_000
_PID = 10_000_000
_UPTIME = "9 days, 99:99:99"


class Host:
    """One simulated supervisord: its processes and the answer that tells them."""

    def __init__(self, name: str, processes: int) -> None:
        now = int(time.time())
        numbers = range(processes)
        self.pids = [random.randint(100_000, 900_000) for _ in numbers]
        self.starts = [now - random.randint(60, 86_400) for _ in numbers]
        self._pieces = _template(name, processes)

    def answer(self) -> bytes:
        """Return the reply to a poll, of this second."""
        now = int(time.time())
        if random.random() < RESTART_CHANCE:
            lucky = random.randrange(len(self.pids))
            self.pids[lucky] = random.randint(100_000, 900_000)
            self.starts[lucky] = now - 2
        told = str(now).encode()
        parts = [self._pieces[0]]
        for pid, start, piece in zip(
            self.pids, self.starts, self._pieces[1:], strict=True
        ):
            minutes, seconds = divmod(now - start, 60)
            hours, minutes = divmod(minutes, 60)
            parts.append(
                piece.replace(str(_NOW).encode(), told)
                .replace(str(_START).encode(), str(start).encode())
                .replace(str(_PID).encode(), str(pid).encode())
                .replace(
                    _UPTIME.encode(), f"{hours}:{minutes:02d}:{seconds:02d}".encode()
                )
            )
        return b"".join(parts)


class Connection(asyncio.Protocol):
    """One exchange, as supervisord's HTTP server does it."""

    answered = 0

    def __init__(self, host: Host) -> None:
        self._host = host
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer once the whole question is here."""
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = next(
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        if len(body) < length:
            return
        self._received = b""
        is_poll = b"supervisor.getAllProcessInfo" in body
        reply = self._host.answer() if is_poll else _unknown_method(body)
        Connection.answered += is_poll
        must_close = b"connection: close" in head.lower()
        lines = [
            "HTTP/1.1 200 OK",
            "Content-Type: text/xml",
            "Server: Medusa/1.12",
            f"Content-Length: {len(reply)}",
            *(["Connection: close"] if must_close else []),
        ]
        self._transport.write("\r\n".join([*lines, "", ""]).encode() + reply)
        if must_close:
            self._transport.close()


def _template(name: str, processes: int) -> list[bytes]:
    """Return a real supervisord's reply, cut before each process but the first."""
    infos = [
        {
            "name": f"worker_{number:02d}",
            "group": "worker",
            "start": _START,
            "stop": 0,
            "now": _NOW,
            "state": 20,
            "statename": "RUNNING",
            "spawnerr": "",
            "exitstatus": 0,
            "logfile": f"/var/log/supervisor/worker_{number:02d}-stdout---h.log",
            "stdout_logfile": f"/var/log/supervisor/worker_{number:02d}-stdout---h.log",
            "stderr_logfile": f"/var/log/supervisor/worker_{number:02d}-stderr---h.log",
            "pid": _PID,
            "description": f"pid {_PID}, uptime {_UPTIME}",
        }
        for number in range(processes)
    ]
    value = ["4.3.0", f"supervisor-{name}", 4242, infos]
    text = xmlrpc.client.dumps((value,), methodresponse=True)
    first, *rest = text.split("<value><struct>")
    return [first.encode(), *(f"<value><struct>{piece}".encode() for piece in rest)]


def _unknown_method(body: bytes) -> bytes:
    if b"system.multicall" not in body:
        fault = xmlrpc.client.Fault(1, "UNKNOWN_METHOD")
        return xmlrpc.client.dumps(fault, methodresponse=True).encode()
    faults = [{"faultCode": 1, "faultString": "UNKNOWN_METHOD"}] * (
        body.count(b"<name>methodName</name>")
    )
    return xmlrpc.client.dumps((faults,), methodresponse=True).encode()


async def main(addresses: list[str], port: int, processes: int) -> None:
    """Listen on each address until the standard input ends; tell the answers."""
    loop = asyncio.get_running_loop()
    servers = []
    for name in addresses:
        if not name.startswith("127."):
            raise SystemExit(f"{name} is no loopback address")
        host = Host(name, processes)
        servers.append(
            await loop.create_server(lambda host=host: Connection(host), name, port)
        )
    sys.stdout.write("up\n")
    sys.stdout.flush()
    with suppress(OSError):
        await loop.run_in_executor(None, os.read, 0, 1)
    for server in servers:
        server.close()
    sys.stderr.write(f"answered {Connection.answered}\n")


if __name__ == "__main__":
    asyncio.run(
        main(
            Path(sys.argv[1]).read_text().split(),
            int(sys.argv[2]),
            int(sys.argv[3]),
        )
    )
