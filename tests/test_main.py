"""The command line: doctor says what is there and whether the course can run; serve serves until it is told to stop."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from socketlab.__main__ import find_handler, main, obstacles, stream_handlers, summary
from socketlab.handlers import echo
from socketlab.probe import GROUPS, WITHOUT, Finding, Passport, probe, software
from socketlab.probe.versions import NEEDED

LIMIT = 20  # s: every wait of these tests ends by then, with an error


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch):
    monkeypatch.delenv(WITHOUT, raising=False)


def with_loopback_refused(number: int) -> Passport:
    refused = Finding("abilities", "tcp_loopback", False, number, os.strerror(number), "connect")
    return Passport(tuple(refused if finding.name == "tcp_loopback" else finding for finding in probe()))


def without_package(name: str) -> tuple[Finding, ...]:
    missing = Finding("software", name, False, None, f"missing: pip install {name}", "metadata")
    return tuple(missing if finding.name == name else finding for finding in software())


class TestDoctor:
    def test_it_prints_every_group_and_a_sentence(self, capsys):
        assert main(["doctor"]) == 0
        text = capsys.readouterr().out
        for group in (*GROUPS, "packages"):
            assert re.search(rf"^{group}\b", text, re.MULTILINE)
        for name in ("python", "kernel", *NEEDED):
            assert re.search(rf"^  {name} +\w", text, re.MULTILINE)
        assert text.splitlines()[-1].startswith("The course can run here")

    def test_json_says_the_same(self, capsys):
        assert main(["doctor", "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["ok"] is True
        assert report["todo"] == []
        assert list(report["groups"]) == [*GROUPS, "packages"]
        rows = [row for group in GROUPS for row in report["groups"][group]]
        assert [(row["name"], row["works"], row["errno"]) for row in rows] == [
            (finding.name, finding.works, finding.errno) for finding in probe()
        ]

    @pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
    def test_a_machine_that_cannot_ends_with_1(self, form, capsys, monkeypatch):
        monkeypatch.setenv(WITHOUT, "ipv4")
        assert main(["doctor", *form]) == 1
        assert "The course cannot run here." in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("number", "advice"),
        [(errno.ENETUNREACH, "ip link set lo up"), (errno.EPERM, "sandbox"), (errno.ENOBUFS, "firewall")],
        ids=["interface down", "forbidden", "odd"],
    )
    def test_it_says_what_to_do_about_loopback(self, number, advice):
        (said,) = obstacles(with_loopback_refused(number), software())
        assert errno.errorcode[number] in said
        assert advice in said

    def test_it_says_what_to_install(self):
        (said,) = obstacles(probe(), without_package("ipywidgets"))
        assert said.endswith("pip install ipywidgets.")
        assert obstacles(probe(), without_package("nbval")) == []  # reading the course needs none

    def test_the_summary_names_what_will_be_missed(self):
        said = summary(probe(without=["ipv6", "proc_net"]), software())
        assert said.startswith("The course can run here; it does without ")
        assert "IPv6" in said
        assert "/proc/net" in said

    def test_a_misspelt_lack_ends_with_2(self, capsys, monkeypatch):
        monkeypatch.setenv(WITHOUT, "ipv7")
        assert main(["doctor"]) == 2
        assert "ipv6" in capsys.readouterr().err

    def test_a_reader_that_leaves_is_no_error(self):
        doctor = subprocess.Popen(
            [sys.executable, "-m", "socketlab", "doctor", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        doctor.stdout.close()
        with doctor.stderr as complaints:
            assert complaints.read() == b""
        assert doctor.wait(LIMIT) == 0


class Served:
    """A `serve` that is running: what it said first, and where it listens."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.greeting = process.stdout.readline()

    @property
    def address(self) -> tuple[str, int] | str:
        inet = re.search(r"listening on (\S+) port (\d+)", self.greeting)
        if inet:
            return inet[1], int(inet[2])
        return re.search(r"listening on (\S+)", self.greeting)[1]

    def stop(self, number: int) -> tuple[int, str, str]:
        self.process.send_signal(number)
        said, complained = self.process.communicate(timeout=LIMIT)
        return self.process.returncode, said, complained


@contextmanager
def serving(*arguments: str, **options):
    # A shell that starts a job in the background lets it ignore Ctrl-C; a person's terminal does not.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    served = f"import sys; from socketlab.__main__ import main; sys.exit(main(['serve', *{arguments!r}]))"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{heard}; {served}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    with process:
        try:
            yield Served(process)
        finally:
            process.kill()


KINDS = [
    pytest.param(socket.AF_INET, ["--family", "ipv4"], id="ipv4"),
    pytest.param(socket.AF_INET6, ["--family", "ipv6"], id="ipv6"),
    pytest.param(getattr(socket, "AF_UNIX", None), ["--family", "unix"], id="unix"),
]


@pytest.mark.skipif(os.name != "posix", reason="tests of signals are for POSIX")
class TestServe:
    @pytest.mark.parametrize(("family", "arguments"), KINDS)
    def test_it_answers_until_told_to_stop(self, family, arguments, has_ipv6):
        if family == socket.AF_INET6 and not has_ipv6:
            pytest.skip("this machine has no ::1")
        with serving("echo", *arguments) as served:
            with socket.socket(family) as client:
                client.settimeout(LIMIT)
                client.connect(served.address)
                client.sendall(b"hello")
                assert client.recv(5, socket.MSG_WAITALL) == b"hello"
            status, said, complained = served.stop(signal.SIGINT)
        assert (status, complained) == (0, "")
        assert said == "\nstopped after 1 connection\n"

    def test_sigterm_stops_it_like_ctrl_c(self):
        with serving("discard") as served:
            status, said, complained = served.stop(signal.SIGTERM)
        assert (status, said, complained) == (0, "\nstopped after 0 connections\n", "")

    def test_the_port_can_be_chosen(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with serving("http", "--port", str(port)) as served:
            assert served.address == ("127.0.0.1", port)
            with socket.create_connection(served.address, LIMIT) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert client.recv(8, socket.MSG_WAITALL) == b"HTTP/1.1"

    def test_a_handler_of_ones_own_that_raises_ends_with_1(self, tmp_path):
        (tmp_path / "mine.py").write_text("def greet(conn):\n    conn.sendall(b'hi')\n    raise ValueError('oh')\n")
        with serving("mine:greet", env={**os.environ, "PYTHONPATH": str(tmp_path)}) as served:
            with socket.create_connection(served.address, LIMIT) as client:
                assert client.recv(2, socket.MSG_WAITALL) == b"hi"
                assert client.recv(1) == b""
            status, _, complained = served.stop(signal.SIGINT)
        assert status == 1
        assert "ValueError('oh')" in complained


class TestServeRefuses:
    @pytest.mark.parametrize(
        ("arguments", "advice"),
        [
            (["ecko"], "echo"),
            (["echo_datagram"], "no handler"),
            (["no_such_module_here:echo"], "cannot import"),
            (["socketlab.handlers:no_such_handler"], "has no function"),
            (["echo", "--host", "0.0.0.0"], "loopback"),
            (["echo", "--host", "::1", "--family", "ipv4"], "::1"),
            (["echo", "--port", "65536"], "65536"),
        ],
    )
    def test_with_a_word_on_what_to_do(self, arguments, advice, capsys):
        assert main(["serve", *arguments]) == 2
        assert advice in capsys.readouterr().err

    def test_a_port_that_is_taken(self, capsys):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            assert main(["serve", "echo", "--port", str(taken.getsockname()[1])]) == 2
        assert "taken" in capsys.readouterr().err

    def test_no_command_is_the_usual_2(self, capsys):
        with pytest.raises(SystemExit) as stopped:
            main([])
        assert stopped.value.code == 2
        assert "doctor" in capsys.readouterr().err


def test_handlers_are_found_by_name():
    assert find_handler("echo") is echo
    assert {"echo", "discard", "chargen", "daytime", "reverse", "http"} <= set(stream_handlers())
    assert all(callable(find_handler(name)) for name in stream_handlers())
