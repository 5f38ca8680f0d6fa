"""The option atlas: every constant described, the descriptions true, and the kernel's answers told as they are."""

from __future__ import annotations

import gc
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from needs import pythons

from socketlab.options import SECTIONS, Grant, Kernel, Option, catalogue, cell, matching, options, survey
from socketlab.options import catalogue as catalogue_function
from socketlab.options.catalogue import Entry, section_of
from socketlab.options.texts import PYTHON, TEXTS, Text
from socketlab.options.types import KINDS

linux = pytest.mark.skipif(sys.platform != "linux", reason="each kernel's own")

# What begins like an option and is none, of every Python from 3.10 on.
OPTION = re.compile(r"(SO|SOL|IP|IPV6|TCP|UDP|UDPLITE|CAN_RAW|ALG_SET|LOCAL|HVSOCKET)_")
BLUETOOTH = re.compile(r"SOL_(HCI|L2CAP|RFCOMM|SCO)$|HCI_")  # where Python was built with its header, in any version

LIST = "import socket; print(*[n for n in dir(socket) if isinstance(getattr(socket, n), int)])"


def constants(python: str) -> list[str]:
    done = subprocess.run([python, "-c", LIST], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.split() if done.returncode == 0 else []


@pytest.fixture(scope="module")
def rows() -> list[Option]:
    return survey()


def entry(name: str) -> Entry:
    return next(entry for entry in catalogue() if entry.name == name)


class TestTexts:
    """What is said of each option without asking."""

    @pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13", "3.14"])
    def test_every_constant_of_this_python_is_described(self, version: str) -> None:
        python = pythons().get(version)
        if python is None or not constants(python):
            pytest.skip(f"this machine has no Python {version}")
        wanted = [name for name in constants(python) if OPTION.match(name)]
        assert len(wanted) > 50
        if sys.platform == "linux":
            assert [name for name in wanted if name not in TEXTS] == []

    def test_every_row_has_a_text_a_level_and_a_type(self, rows: list[Option]) -> None:
        for row in rows:
            assert row.level, row.name
            assert row.type in {kind.words for kind in KINDS.values()}
            assert len(row.what) > 15, row.name

    def test_every_option_of_this_python_is_a_row(self, rows: list[Option]) -> None:
        here = {name for name in dir(socket) if OPTION.match(name) and isinstance(getattr(socket, name), int)}
        assert here <= {row.name for row in rows}
        assert all(row.number == getattr(socket, row.name) for row in rows if row.entry.named)

    @pytest.mark.parametrize("name", TEXTS, ids=str)
    def test_is_one_sentence(self, name: str) -> None:
        text = TEXTS[name]
        assert text.what[0].isupper() or text.what.startswith("macOS")
        assert text.what.endswith(".")
        assert not re.search(r"\. [A-Z]", text.what), "one sentence"
        assert len(text.what) < 190
        assert text.kind in KINDS
        assert text.source
        assert not text.since or re.fullmatch(r"Linux \d+\.\d+(\.\d+)*", text.since)

    def test_no_text_is_used_twice(self) -> None:
        said = [(name.partition("_")[0], text.what) for name, text in TEXTS.items()]  # IP_ and IPV6_ have twins
        assert len(set(said)) == len(said)

    def test_those_that_only_read_say_so(self) -> None:
        for name, text in TEXTS.items():
            if "read only" in text.what:
                assert text.ask is None, name
            if "set only" in text.what:
                assert text.unread, name

    @pytest.mark.parametrize("page", ["socket", "ip", "ipv6", "tcp", "udp", "udplite", "unix"])
    def test_the_manual_page_that_is_named_has_the_option(self, page: str) -> None:
        manual = manual_page(page)
        if not manual:
            pytest.skip(f"this machine has no {page}(7)")
        named = {name: text.source for name, text in TEXTS.items() if text.source.startswith(f"{page}(7)")}
        assert named
        for name, source in named.items():
            written = source.partition(", as ")[2] or name
            if name in ("SOL_UDP", "SOL_TCP"):  # the pages say IPPROTO_
                written = name.replace("SOL_", "IPPROTO_")
            assert re.search(rf"\b{written}\b", manual), f"{page}(7) does not have {written}"

    @pytest.mark.parametrize("page", ["socket", "ip", "ipv6", "tcp", "udp"])
    def test_the_first_kernel_is_the_one_of_the_manual_page(self, page: str) -> None:
        manual = manual_page(page)
        if not manual:
            pytest.skip(f"this machine has no {page}(7)")
        checked = 0
        for name, text in TEXTS.items():
            said = re.search(rf"^ *{name} \((?:\w+able )?since (Linux [\d.]+)", manual, re.M)
            if said and text.source == f"{page}(7)":
                assert text.since == said[1], name
                checked += 1
        assert checked

    def test_the_first_python_is_true(self) -> None:
        """As far as the interpreters of this machine can tell."""
        by_version = {version: set(constants(python)) for version, python in pythons().items()}
        for name, since in PYTHON.items():
            number = tuple(map(int, since.split(".")))
            for version, known in by_version.items():
                if tuple(map(int, version.split("."))) < number:
                    assert name not in known, f"{name} is in Python {version}"

    def test_what_this_machine_has_since_a_later_python_is_known(self) -> None:
        versions = sorted(pythons(), key=lambda version: tuple(map(int, version.split("."))))
        if len(versions) < 2:
            pytest.skip("only one Python here")
        before = set(constants(pythons()[versions[0]]))
        for version in versions[1:]:
            now = set(constants(pythons()[version]))
            for name in sorted(now - before):
                if OPTION.match(name) and not BLUETOOTH.match(name):
                    assert PYTHON.get(name), f"{name} came with Python {version}"
            before |= now


def manual_page(page: str) -> str:
    man = shutil.which("man")
    if man is None:
        return ""
    environment = {**os.environ, "MANWIDTH": "200", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""}
    done = subprocess.run([man, "7", page], capture_output=True, text=True, timeout=60, env=environment, check=False)
    return done.stdout if done.returncode == 0 else ""


class TestCatalogue:
    """Which constants there are."""

    def test_one_of_a_future_python(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket, "SO_FROM_THE_FUTURE", 4242, raising=False)
        monkeypatch.setattr(socket, "TCP_FROM_THE_FUTURE", 4243, raising=False)
        monkeypatch.setattr(socket, "SOL_FROM_THE_FUTURE", 4244, raising=False)
        catalogue_function.cache_clear()
        try:
            table = options("from_the_future")
            assert [(row.name, row.number, row.level) for row in table] == [
                ("SO_FROM_THE_FUTURE", 4242, "SOL_SOCKET"),
                ("TCP_FROM_THE_FUTURE", 4243, "IPPROTO_TCP"),
                ("SOL_FROM_THE_FUTURE", 4244, "SOL_FROM_THE_FUTURE"),
            ]
            assert {row.what for row in table} == {"Not described yet."}
            assert table[0].type == "not described yet"
            assert table[0].now.error
            assert table[0].granted is None
        finally:
            catalogue_function.cache_clear()

    def test_those_without_a_name_are_used_by_number(self, rows: list[Option]) -> None:
        for row in rows:
            if not row.entry.named:
                assert not hasattr(socket, row.name)
                assert row.entry.arguments.endswith(f", {row.number}")
                assert "Python" in row.since

    @linux
    def test_each_python_has_the_same_table(self) -> None:
        source = (
            "import sys; sys.path.insert(0, sys.argv[1])\nfrom socketlab.options import options\n"
            "print(options('tcp')); print(options('multicast')); print(options('buffer')._repr_html_())"
        )
        root = str(Path(__file__).parent.parent)
        said = {}
        for version, python in pythons().items():
            if version == "3.10" or version >= "3.11":
                done = subprocess.run(
                    [python, "-c", source, root], capture_output=True, text=True, timeout=60, check=False
                )
                if "ModuleNotFoundError" not in done.stderr or "socketlab" in done.stderr:
                    assert done.returncode == 0, f"{version}: {done.stderr}"
                    said[version] = done.stdout
        assert len(set(said.values())) == 1, f"the tables of {', '.join(said)} differ"

    @linux
    def test_the_numbers_are_those_that_later_pythons_name(self) -> None:
        from socketlab.options.catalogue import _UNNAMED

        for version, python in pythons().items():
            names = [name for name in constants(python) if name in _UNNAMED]
            source = f"import socket; print(*[int(getattr(socket, name)) for name in {names!r}])"
            done = subprocess.run([python, "-c", source], capture_output=True, text=True, timeout=60, check=True)
            assert list(map(int, done.stdout.split())) == [_UNNAMED[name] for name in names], version

    @linux
    def test_the_numbers_are_those_of_the_headers(self) -> None:
        from socketlab.options.catalogue import _UNNAMED

        checked = set()
        for header in ("linux/in.h", "linux/in6.h", "linux/tcp.h", "linux/udp.h", "asm-generic/socket.h"):
            path = Path("/usr/include", header)
            text = path.read_text("utf-8", "replace") if path.exists() else ""
            for name, number in re.findall(r"^#define\s+(\w+)\s+(\d+)", text, re.M):
                if name in _UNNAMED and socket.SO_RCVBUF == 8:
                    assert _UNNAMED[name] == int(number), f"{name} in {header}"
                    checked.add(name)
        if not checked:
            pytest.skip("this machine has no headers of the kernel")
        # These are defined by another name: SO_TIMESTAMP_OLD, IP_ORIGDSTADDR.
        assert set(_UNNAMED) - checked <= {"SO_TIMESTAMP", "SO_TIMESTAMPNS", "IP_RECVORIGDSTADDR"}

    def test_every_level_that_is_offered_exists(self, rows: list[Option]) -> None:
        assert {row.entry.section for row in rows} <= set(SECTIONS)

    @pytest.mark.parametrize(
        ("word", "section"),
        [("SOL_SOCKET", "SOL_SOCKET"), ("tcp", "IPPROTO_TCP"), ("SOL_TCP", "IPPROTO_TCP"), (6, "IPPROTO_TCP"),
         ("SOL_IP", "IPPROTO_IP"), (socket.SOL_SOCKET, "SOL_SOCKET"), ("ipv6", "IPPROTO_IPV6"), ("levels", "levels"),
         ("", "")],
    )  # fmt: skip
    def test_levels_by_any_name(self, word: Any, section: str) -> None:
        assert section_of(word) == section

    @pytest.mark.parametrize("word", ["nonsense", 4242, "SO_RCVBUF"])
    def test_a_level_that_is_none(self, word: Any) -> None:
        with pytest.raises(ValueError, match="wanted a level.*IPPROTO_TCP"):
            options(level=word)


class TestTypes:
    """What the bytes mean, there and back."""

    @pytest.mark.parametrize(
        ("kind", "typed", "value", "shown"),
        [
            ("flag", "on", 1, "1 (on)"),
            ("flag", "0", 0, "0 (off)"),
            ("bytes", "5,000", 5000, "5,000 bytes"),
            ("bytes", "1", 1, "1 byte"),
            ("seconds", "0x10", 16, "16 seconds"),
            ("unsigned", "4294967295", 2**32 - 1, "4,294,967,295"),
            ("large", "70000000000", 70_000_000_000, "70,000,000,000"),
            ("rate", str(2**64 - 1), 2**64 - 1, "no limit"),
            ("linger", "(1, 5)", (1, 5), "on, 5 seconds"),
            ("time", "2.5", 2.5, "2.5 seconds"),
            ("address", " 127.0.0.1", "127.0.0.1", "127.0.0.1"),
            ("raw", "01 ff", b"\x01\xff", "2 bytes: 01 ff"),
            ("raw", r'b"\x01"', b"\x01", "1 bytes: 01"),
            ("raw", "", b"", "empty"),
            ("string", "reno", "reno", "reno"),
        ],
    )
    def test_there_and_back(self, kind: str, typed: str, value: Any, shown: str) -> None:
        form = KINDS[kind]
        assert form.parse(typed) == value
        assert form.text(value) == shown
        data = form.encode(value)
        if isinstance(data, int):
            data = struct.pack("i", data)
        assert form.decode(data) == value

    @pytest.mark.parametrize(
        ("kind", "typed", "complaint"),
        [
            ("flag", "maybe", "wanted a whole number"),
            ("bytes", "many", "wanted a whole number of bytes.*'many'"),
            ("bytes", "1e3", "wanted a whole number"),
            ("bytes", "9999999999", "from -2,147,483,648 to 2,147,483,647"),
            ("unsigned", "-1", "from 0 to 4,294,967,295"),
            ("linger", "soon", "wanted on or off and seconds"),
            ("time", "nan", "from 0 to a billion"),
            ("time", "-1", "from 0 to a billion"),
            ("time", "later", "wanted seconds"),
            ("address", "::1", "wanted an IPv4 address"),
            ("group", "127.0.0.1", "wanted a multicast group"),
            ("group6", "::1", "wanted a multicast group"),
            ("raw", "xyz", "wanted bytes as hexadecimal digits"),
            ("string", "a\0b", "NUL"),
            ("tcp_info", "1", "read only"),
        ],
    )
    def test_what_nobody_can_mean(self, kind: str, typed: str, complaint: str) -> None:
        with pytest.raises(ValueError, match=complaint):
            KINDS[kind].parse(typed)

    def test_every_example_fits_its_type(self) -> None:
        for name, text in TEXTS.items():
            if text.ask is not None and text.kind not in ("interface", "group6"):
                assert KINDS[text.kind].encode(text.ask) is not None, name
                assert KINDS[text.kind].pattern, name


class TestKernel:
    """The answers of this kernel."""

    def test_agrees_with_python(self) -> None:
        kernel = Kernel()
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            for name in ("SO_RCVBUF", "SO_SNDBUF", "SO_REUSEADDR", "SO_TYPE", "SO_KEEPALIVE"):
                assert kernel.read(entry(name)).value == sock.getsockopt(socket.SOL_SOCKET, getattr(socket, name))

    @linux
    def test_a_buffer_is_doubled(self) -> None:
        grant = Kernel().grant(entry("SO_RCVBUF"), 5000)
        assert (grant.asked, grant.answer.value) == ("5,000 bytes", 10_000)
        assert str(grant) == "asked 5,000 bytes, granted 10,000 bytes: the kernel doubles it, socket(7)"

    @linux
    @pytest.mark.parametrize(("name", "setting"), [("SO_RCVBUF", "rmem_max"), ("SO_SNDBUF", "wmem_max")])
    def test_a_buffer_is_capped(self, name: str, setting: str) -> None:
        most = int(Path("/proc/sys/net/core", setting).read_text())
        for asked in (2**31 - 1, -1):
            grant = Kernel().grant(entry(name), asked)
            assert grant.answer.value == 2 * most
            assert f"net.core.{setting} = {most:,}" in grant.remark

    @linux
    def test_a_buffer_has_a_least_size(self) -> None:
        grant = Kernel().grant(entry("SO_SNDBUF"), 1)
        assert grant.answer.value > 2
        assert "least size" in grant.remark

    @linux
    def test_a_time_is_rounded(self) -> None:
        grant = Kernel().grant(entry("TCP_DEFER_ACCEPT"), 5)
        assert grant.answer.value > 5
        assert "handshake" in grant.remark

    @linux
    def test_what_can_only_be_read(self) -> None:
        grant = Kernel().grant(entry("SO_ACCEPTCONN"), 1)
        assert grant.answer.error == "ENOPROTOOPT"
        assert not grant.works
        assert "refused with ENOPROTOOPT: it cannot be set on such a socket" in str(grant)

    @linux
    def test_what_is_out_of_range(self) -> None:
        grant = Kernel().grant(entry("IP_TTL"), 256)
        assert grant.answer.error == "EINVAL"
        assert "no such value" in grant.answer.reason

    @linux
    def test_an_algorithm_that_is_not_there(self) -> None:
        grant = Kernel().grant(entry("TCP_CONGESTION"), "no such thing")
        assert grant.answer.error == "ENOENT"

    @linux
    def test_a_group_is_joined_and_left(self) -> None:
        if not survey_of("IP_ADD_MEMBERSHIP").works:
            pytest.skip("no multicast here")
        for name in ("IP_ADD_MEMBERSHIP", "IP_DROP_MEMBERSHIP"):
            assert survey_of(name).asked == "asked 239.255.76.67, granted it"

    @linux
    def test_the_one_with_a_privilege(self) -> None:
        grant = Kernel().grant(entry("SO_RCVBUFFORCE"), 5000)
        assert grant.answer.value == 10_000 if grant.works else grant.answer.error == "EPERM"

    def test_a_family_that_is_missing_is_asked_for_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from socketlab.options import ask

        asked = []

        def refuse(kind: str) -> Any:
            asked.append(kind)
            raise OSError(97, "Address family not supported by protocol")

        monkeypatch.setattr(ask, "_open", refuse)
        kernel = Kernel()
        answers = {str(kernel.read(entry(name))) for name in ("SO_RCVBUF", "SO_SNDBUF", "SO_TYPE")}
        assert asked == ["tcp"]
        assert len(answers) == 1
        assert "this kernel has no such family (AF_INET)" in answers.pop()

    def test_a_value_of_the_wrong_form(self) -> None:
        kernel = Kernel()
        for name, value in (("SO_LINGER", "x"), ("SO_RCVBUF", "x"), ("SO_RCVTIMEO", "x"), ("SO_TYPE", [])):
            with pytest.raises(ValueError, match=f"{name} wanted|takes no such"):
                kernel.grant(entry(name), value)

    def test_more_than_fits(self) -> None:
        with pytest.raises(ValueError, match="SO_RCVBUF takes no such value"):
            Kernel().grant(entry("SO_RCVBUF"), 2**40)

    def test_leaves_no_descriptor(self, rows: list[Option]) -> None:
        if not os.path.isdir("/dev/fd"):
            pytest.skip("descriptors cannot be counted here")
        gc.collect()  # what other tests have dropped
        before = len(os.listdir("/dev/fd"))
        survey()
        assert len(os.listdir("/dev/fd")) <= before

    def test_is_not_seen_by_a_trace(self) -> None:
        from socketlab import trace

        with trace() as t:
            survey()
        calls = [event.call for event in t.events if event.call in ("getsockopt", "setsockopt", "connect")]
        assert calls == []

    @linux
    def test_the_lines_of_python_are_true(self, rows: list[Option]) -> None:
        checked = 0
        for row in rows:
            if row.entry.socket != "tcp" or not row.now.works or row.entry.section in ("levels", "values"):
                continue
            with socket.socket() as sock:
                names = {"sock": sock, "socket": socket, "struct": struct}
                read = eval(row.entry.reading, names)
                if isinstance(read, int) and row.entry.text.kind != "clock" and row.name != "SO_COOKIE":
                    assert read == row.now.value, row.name
                if row.granted is not None and row.granted.works:
                    eval(row.entry.setting(row.entry.text.ask), names)
                    again = eval(row.entry.reading, names)
                    if isinstance(again, int):
                        assert again == row.granted.answer.value, row.name
                checked += 1
        assert checked > 20

    def test_every_cell_to_copy_runs(self, rows: list[Option], capsys: pytest.CaptureFixture[str]) -> None:
        ran = 0
        for row in rows:
            entry = row.entry
            ask = None if entry.why_not or row.granted is None or not row.granted.works else entry.text.ask
            if text := cell(entry, ask):
                assert text.startswith("import socket\n"), row.name
                if row.now.works or ask is not None:
                    exec(text, {})
                    ran += 1
                    printed = capsys.readouterr().out
                    assert bool(printed) == ("print(" in text), row.name
            else:
                assert entry.section in ("levels", "values") or not row.now.works, row.name
        if sys.platform == "linux":
            assert ran > 60

    @linux
    def test_a_cell_says_what_was_granted(self, capsys: pytest.CaptureFixture[str]) -> None:
        exec(cell(entry("SO_RCVBUF"), 5000), {})
        exec(cell(entry("SO_LINGER"), (1, 5)), {})
        exec(cell(entry("SO_KEEPALIVE")), {})
        assert capsys.readouterr().out == "10000\n(1, 5)\n0\n"
        assert cell(entry("SO_RCVBUFFORCE"), 5000).count("\n") == 4
        assert "socket.SO_RCVBUF)" in cell(entry("SO_RCVBUFFORCE"), 5000)

    @linux
    def test_linger_and_times_are_decoded(self) -> None:
        assert survey_of("SO_LINGER").granted.answer.value == (1, 5)  # type: ignore[union-attr]
        assert survey_of("SO_RCVTIMEO").granted.answer.value == pytest.approx(2.5, abs=0.02)  # type: ignore[union-attr]
        assert survey_of("SO_PEERCRED").now.value == (os.getpid(), os.getuid(), os.getgid())

    @linux
    def test_what_would_do_harm_is_not_asked(self, rows: list[Option]) -> None:
        for row in rows:
            if row.name in ("SO_BINDTODEVICE", "SO_BINDTOIFINDEX", "TCP_REPAIR", "TCP_ULP", "TCP_TX_DELAY"):
                assert row.granted is None
                assert row.asked.startswith("not asked here: ")


def survey_of(name: str) -> Option:
    from socketlab.options.table import row

    return row(entry(name), Kernel())


class TestOnesOwnSocket:
    """With a socket of the learner's."""

    @pytest.fixture
    def sock(self) -> Iterator[socket.socket]:
        with socket.socket() as sock:
            yield sock

    def test_reads_what_it_has(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        table = options("SO_KEEPALIVE", sock=sock)
        assert table["SO_KEEPALIVE"].now.value
        assert not options("SO_KEEPALIVE")["SO_KEEPALIVE"].now.value

    def test_a_survey_sets_nothing(self, sock: socket.socket) -> None:
        levels = [("SO_RCVBUF", socket.SOL_SOCKET), ("SO_REUSEADDR", socket.SOL_SOCKET), ("TCP_NODELAY", 6)]
        before = [sock.getsockopt(level, getattr(socket, name)) for name, level in levels]
        rows = survey(sock)
        assert [sock.getsockopt(level, getattr(socket, name)) for name, level in levels] == before
        assert all(row.granted is None for row in rows)

    @linux
    def test_a_survey_leaves_the_error_that_waits(self, sock: socket.socket) -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            address = gone.getsockname()
        sock.setblocking(False)
        sock.connect_ex(address)
        rows = {row.name: row for row in survey(sock)}
        assert "take it away" in rows["SO_ERROR"].now.reason
        assert not rows["SO_ERROR"].now.works
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 111

    def test_what_is_set_stays(self, sock: socket.socket) -> None:
        grant = Kernel(sock).grant(entry("SO_REUSEADDR"), 1)
        assert isinstance(grant, Grant)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)

    @linux
    def test_an_option_of_another_protocol(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            answer = options("TCP_NODELAY", sock=sock)[0].now
        assert answer.error in ("ENOPROTOOPT", "EOPNOTSUPP")
        assert answer.reason

    def test_a_closed_one(self, sock: socket.socket) -> None:
        sock.close()
        answer = options("SO_RCVBUF", sock=sock)[0].now
        assert answer.error == "EBADF"
        assert "closed" in answer.reason

    @pytest.mark.parametrize("what", [1, "sock", object()])
    def test_no_socket_at_all(self, what: Any) -> None:
        with pytest.raises(ValueError, match="wanted a socket"):
            options(sock=what)


class TestTable:
    """Search, and what is stored in a notebook."""

    def test_search_by_name_number_and_words(self) -> None:
        assert options("so_rcvbuf")[0].name == "SO_RCVBUF"
        assert "SO_RCVBUF" in {row.name for row in options("receive buffer")} | {
            row.name for row in options("rmem_max")
        }
        assert {row.number for row in options(str(socket.SO_RCVBUF))} == {socket.SO_RCVBUF}
        assert {row.level for row in options(level="tcp")} == {"IPPROTO_TCP"}
        assert len(options("nagle")) == 1
        assert len(options("no such words")) == 0

    def test_only_what_works(self, rows: list[Option]) -> None:
        some = matching(rows, works=True)
        assert 0 < len(some) <= len(rows)
        assert all(row.now.works or (row.granted and row.granted.works) for row in some)

    @pytest.mark.parametrize(
        ("words", "name"),
        [("receive buffer", "SO_RCVBUF"), ("send buffer", "SO_SNDBUF"), ("nagle", "TCP_NODELAY"),
         ("dual-stack", "IPV6_V6ONLY"), ("time_wait", "SO_REUSEADDR"), ("idle", "TCP_KEEPIDLE"),
         ("settimeout", "SO_RCVTIMEO"), ("broadcast", "SO_BROADCAST"), ("traceroute", "IP_TTL"),
         ("reset connection", "SO_LINGER"), ("congestion", "TCP_CONGESTION")],
    )  # fmt: skip
    def test_what_people_look_for(self, words: str, name: str) -> None:
        if hasattr(socket, name):
            assert name in [row.name for row in options(words)][:2]

    def test_all_words_must_occur(self, rows: list[Option]) -> None:
        both = {row.name for row in matching(rows, "multicast interface")}
        assert both == {row.name for row in matching(rows, "interface multicast")}
        assert both < {row.name for row in matching(rows, "multicast")}

    def test_stored_forms_hold_nothing_of_this_kernel(self) -> None:
        table = options("SO_RCVBUF", level="SOL_SOCKET")
        now = table["SO_RCVBUF"].now.shown
        assert now.partition(" ")[0] not in repr(table) + table._repr_html_()
        assert "granted" not in repr(table) + table._repr_html_()
        assert repr(table[0]) == "<SO_RCVBUF, SOL_SOCKET, bytes>"

    def test_with_the_answers_on_request(self) -> None:
        table = options("SO_RCVBUF", now=True)
        now = table["SO_RCVBUF"].now.shown
        assert now in repr(table).replace("\n    ", " ")
        assert now in table._repr_html_()
        assert "asked → granted" in table._repr_html_()

    def test_html_is_escaped(self) -> None:
        assert "<script" not in options(now=True)._repr_html_()
        strange = Text("bytes", "<b>bold</b> & more.", source="<i>")
        row = survey_of("SO_RCVBUF")
        made = Option(**{**vars(row), "what": strange.what, "source": strange.source})
        from socketlab.options import OptionTable

        shown = OptionTable([made], now=True)._repr_html_()
        assert "<b>" not in shown
        assert "&lt;b&gt;bold&lt;/b&gt; &amp; more." in shown

    def test_is_a_sequence(self) -> None:
        table = options(level="IPPROTO_TCP")
        assert table[0] is next(iter(table))
        assert table["TCP_NODELAY"] in table
        assert len(table[:3]) == 3
        with pytest.raises(KeyError, match="NO_SUCH"):
            table["NO_SUCH"]
        assert repr(options("no such words")) == "no such option"
        assert "no such option" in options("no such words")._repr_html_()

    def test_loads_neither_widgets_nor_pictures(self) -> None:
        source = (
            "import sys, socketlab.options as o; o.options(); "
            "print([m for m in ('ipywidgets', 'matplotlib', 'IPython', 'asyncio') if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.strip() == "[]"
