"""What Linux 6.18 said of the programs of the course: for systems that do not tell the states.

A program is found by its lines. The tests compare each run with what the kernel says now, and the notebooks with what
is here.
"""

from __future__ import annotations

Run = tuple[tuple[str, str, str, str, str], ...]  # a row for each `Moment`, the first for the beginning

RUNS: tuple[Run, ...] = (
    (
        ("", "", "ESTABLISHED", "ESTABLISHED", ""),
        ("copy = client.dup()", "", "ESTABLISHED", "ESTABLISHED", ""),
        ("client.close()", "", "ESTABLISHED", "ESTABLISHED", ""),
        ('copy.sendall(b"still here")', "", "ESTABLISHED", "ESTABLISHED", ""),
        ('assert server.recv(100) == b"still here"', "", "ESTABLISHED", "ESTABLISHED", ""),
        ("copy.close()", "", "FIN_WAIT2", "CLOSE_WAIT", ""),
        ('assert server.recv(100) == b""', "", "FIN_WAIT2", "CLOSE_WAIT", ""),
    ),
    (
        ("", "", "ESTABLISHED", "ESTABLISHED", ""),
        ("client.shutdown(socket.SHUT_RD)", "", "ESTABLISHED", "ESTABLISHED", ""),
        ('assert client.recv(100) == b""', "", "ESTABLISHED", "ESTABLISHED", ""),
        ('server.sendall(b"are you there?")', "", "ESTABLISHED", "ESTABLISHED", ""),
        ('assert client.recv(100) == b"are you there?"', "", "ESTABLISHED", "ESTABLISHED", ""),
    ),
    (
        ("", "", "ESTABLISHED", "ESTABLISHED", ""),
        ("client.shutdown(socket.SHUT_WR)", "", "FIN_WAIT2", "CLOSE_WAIT", ""),
        ('server.sendall(b"my last words")', "", "FIN_WAIT2", "CLOSE_WAIT", ""),
        ('assert client.recv(100) == b"my last words"', "", "FIN_WAIT2", "CLOSE_WAIT", ""),
        ("server.close()", "", "TIME_WAIT", "CLOSE", ""),
        ("client.close()", "", "TIME_WAIT", "CLOSE", ""),
    ),
    (
        ("", "", "ESTABLISHED", "ESTABLISHED", ""),
        ("server.close()", "", "CLOSE_WAIT", "FIN_WAIT2", ""),
        ('assert client.recv(100) == b""', "", "CLOSE_WAIT", "FIN_WAIT2", ""),
        ("client.close()", "", "CLOSE", "TIME_WAIT", ""),
    ),
    (
        ("", "", "ESTABLISHED", "ESTABLISHED", ""),
        ("server.close()", "", "CLOSE_WAIT", "FIN_WAIT2", ""),
        ('client.send(b"first")', "", "CLOSE", "CLOSE", "server"),
        ('client.send(b"second")', "BrokenPipeError EPIPE", "CLOSE", "CLOSE", ""),
    ),
    (
        ("", "", "ESTABLISHED", "ESTABLISHED", ""),
        ('linger = struct.pack("ii", 1, 0)', "", "ESTABLISHED", "ESTABLISHED", ""),
        ("client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)", "", "ESTABLISHED", "ESTABLISHED", ""),
        ("client.close()", "", "CLOSE", "CLOSE", "client"),
        ("server.recv(100)", "ConnectionResetError ECONNRESET", "CLOSE", "CLOSE", ""),
        ('assert server.recv(100) == b""', "", "CLOSE", "CLOSE", ""),
        ('server.send(b"hello?")', "BrokenPipeError EPIPE", "CLOSE", "CLOSE", ""),
    ),
    (
        ("", "", "ESTABLISHED", "ESTABLISHED", ""),
        ('client.sendall(b"nobody reads this")', "", "ESTABLISHED", "ESTABLISHED", ""),
        ("server.close()", "", "CLOSE", "CLOSE", "server"),
        ('client.send(b"hello?")', "ConnectionResetError ECONNRESET", "CLOSE", "CLOSE", ""),
        ('assert client.recv(100) == b""', "", "CLOSE", "CLOSE", ""),
    ),
    (
        ("", "", "ESTABLISHED", "ESTABLISHED", ""),
        ("client.close()", "", "FIN_WAIT2", "CLOSE_WAIT", ""),
        ('assert server.send(b"hello?") == 6', "", "CLOSE", "CLOSE", "client"),
    ),
    (
        ("", "", "ESTABLISHED", "ESTABLISHED", ""),
        ("client.setsockopt(socket.IPPROTO_TCP, socket.TCP_LINGER2, -1)", "", "ESTABLISHED", "ESTABLISHED", ""),
        ("client.close()", "", "CLOSE", "CLOSE", "client"),
        ('server.send(b"hello?")', "BrokenPipeError EPIPE", "CLOSE", "CLOSE", ""),
    ),
)

RECORDED: dict[str, Run] = {"\n".join(code for code, *_ in run[1:]): run for run in RUNS}
