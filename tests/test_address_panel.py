"""The address explorer without a browser: what it asks, what it does not ask, what it shows, what it leaves behind."""

from __future__ import annotations

import gc
import html
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from needs import missing
from patience import until

from socketlab.panels import address
from socketlab.panels.address import OWN, AddressPanel
from socketlab.panels.addresses import hosts as address_hosts
from socketlab.panels.addresses.errors import MEANINGS, explain
from socketlab.panels.addresses.hints import EXAMPLES, FLAGS, NAME_FLAGS
from socketlab.panels.addresses.hosts import host_leaves, is_localhost, is_numeric, modules, name_leaves, service_leaves
from socketlab.panels.addresses.lookups import MOST, Lookups
from socketlab.panels.addresses.model import (
    Answer,
    Question,
    Row,
    Trial,
    ask,
    name_of,
    service,
    try_out,
    value,
)
from socketlab.panels.addresses.pictures import SHOWN, answer_picture, name_picture, refusal_picture, waiting_picture
from socketlab.panels.addresses.remarks import fields, in_ascii, order, remarks
from socketlab.panels.talks.conversation import families

pytestmark = pytest.mark.usefixtures("nothing_left")

HOME = {"ipv4": ("AF_INET", "127.0.0.1"), "ipv6": ("AF_INET6", "::1")}
HOSTILE = "<script>alert(1)</script>"
linux = pytest.mark.skipif(sys.platform != "linux", reason="a fact of Linux")


def text(picture: str) -> str:
    return html.unescape(re.sub("<[^>]*>", "", picture))


@pytest.fixture(params=HOME)
def home(request: pytest.FixtureRequest) -> tuple[str, str]:
    if request.param == "ipv6" and "IPv6" not in families():
        pytest.skip("this machine has no IPv6")
    return HOME[request.param]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Another hosts file and another nsswitch.conf, for the decision alone: the C library has its own."""

    def write(hosts: str, switch: str = "hosts: files dns\nservices: db files\n") -> None:
        for name, words in (("HOSTS", hosts), ("SWITCH", switch)):
            path = tmp_path / name
            path.write_text(words)
            monkeypatch.setattr(address_hosts, name, str(path))

    return write


class TestWhatStays:
    """The decision, before anybody is asked."""

    @pytest.mark.parametrize("host", [None, "", b"", "127.0.0.1", b"127.0.0.1", "0.0.0.0", "255.255.255.255"])
    def test_no_host_and_numbers(self, host: str | bytes | None, files: Any) -> None:
        files("", "hosts: dns\n")
        assert host_leaves(host) == ""

    def test_an_address_of_each_family(self, home: tuple[str, str], files: Any) -> None:
        files("", "hosts: dns\n")
        assert host_leaves(home[1]) == ""
        assert host_leaves(home[1], getattr(socket, home[0])) == ""

    @linux
    @pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "0177.1", "１２７.0.0.1", "fe80::1%lo"])
    def test_spellings_of_this_c_library(self, host: str) -> None:
        assert is_numeric(host)

    @linux
    def test_a_scope_that_is_not_there_is_refused_at_once(self, files: Any) -> None:
        files("")
        assert host_leaves("fe80::1%nosuch0") == ""

    @pytest.mark.parametrize(
        "host",
        ["www.example.org", b"www.example.org", "localhost.", "256.1.1.1", "127.0.0.1 ", "bücher.example", "a\0b"],
    )
    def test_other_names_leave(self, host: str | bytes, files: Any) -> None:
        files("127.0.0.1 localhost\n::1 localhost\n")
        assert "neither a numeric address nor a name in" in host_leaves(host)
        assert "dns" in host_leaves(host)
        assert host_leaves(host, flags=socket.AI_NUMERICHOST) == ""

    def test_a_name_that_idna_refuses_never_leaves(self, files: Any) -> None:
        files("")
        assert host_leaves("a..b") == host_leaves("x" * 64) == ""

    def test_names_of_the_file(self, files: Any) -> None:
        files("# alone\n127.0.0.1 localhost vm # vm2\n::1\tlocalhost  VM\n10.0.0.5 other\nnonsense here\n")
        for name in ("localhost", "LOCALHOST", "vm", b"Vm"):
            assert host_leaves(name) == ""
        for name in ("vm2", "here", "alone"):
            assert host_leaves(name)

    @linux
    def test_the_family_matters(self, files: Any) -> None:
        """glibc asks the name server for the IPv6 address of a localhost that the file knows with IPv4 alone."""
        files("127.0.0.1 localhost only4\n::1 only6\n")
        assert host_leaves("localhost") == host_leaves("localhost", socket.AF_INET) == ""
        why = host_leaves("localhost", socket.AF_INET6)
        assert "not with an address of the family asked for" in why
        assert "RFC 6761" in why
        assert "RFC 6761" not in host_leaves("only4", socket.AF_INET6)
        assert host_leaves("only4", socket.AF_INET6, socket.AI_V4MAPPED) == ""
        assert host_leaves("only6", socket.AF_INET)

    @linux
    def test_addrconfig_may_take_a_family_away(self, files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        files("127.0.0.1 only4\n")
        for configured, leaves in ((socket.AF_INET, False), (socket.AF_INET6, True)):
            monkeypatch.setattr(address_hosts, "_configured", lambda configured=configured: frozenset({configured}))
            assert bool(host_leaves("only4", 0, socket.AI_ADDRCONFIG)) == leaves
            assert host_leaves("only4") == ""

    def test_what_addrconfig_counts(self) -> None:
        assert address_hosts._configured() <= {socket.AF_INET, socket.AF_INET6}

    @pytest.mark.parametrize(
        ("line", "name", "leaves"),
        [
            ("dns files", "localhost", True),
            ("files dns", "localhost", False),
            ("files [NOTFOUND=return] dns", "localhost", False),
            ("files [SUCCESS=continue] dns", "localhost", True),
            ("db files dns", "localhost", False),
            ("sss files", "localhost", True),
            ("files myhostname dns", "a.localhost", False),
            ("files resolve [!UNAVAIL=return] dns", "a.localhost", False),
            ("files dns myhostname", "a.localhost", True),
            ("files resolve", "www.example.org", True),
            ("mdns4_minimal [NOTFOUND=return] files dns", "localhost", False),
            ("files mdns4_minimal", "printer.local", True),
            ("files", "www.example.org", False),
        ],
    )
    def test_who_is_asked_first(self, files: Any, line: str, name: str, leaves: bool) -> None:
        files("127.0.0.1 localhost\n::1 localhost\n", f"# hosts: nobody\nhosts:   {line} # so it is\n")
        assert bool(host_leaves(name)) == leaves

    def test_without_an_nsswitch_conf(self, files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        files("127.0.0.1 localhost\n::1 localhost\n", "")
        for glibc in (True, False):
            monkeypatch.setattr(address_hosts, "_is_glibc", lambda glibc=glibc: glibc)
            assert (modules("hosts")[0] == "dns") == glibc
        assert modules("services") == ("files",)

    def test_without_a_hosts_file(self, files: Any, tmp_path: Path) -> None:
        files("")
        (tmp_path / "HOSTS").unlink()
        assert "localhost" in host_leaves("localhost")

    @pytest.mark.parametrize(
        ("name", "is_so"),
        [
            ("localhost", True),
            ("LocalHost.", True),
            ("a.localhost", True),
            ("notlocalhost", False),
            ("localhost.x", False),
        ],
    )
    def test_localhost(self, name: str, is_so: bool) -> None:
        assert is_localhost(name) == is_so

    def test_services(self, files: Any) -> None:
        files("", "services: nis files\n")
        assert "nis" in service_leaves("http", False)
        assert service_leaves("http", True) == service_leaves("80", False) == service_leaves(80, False) == ""
        assert service_leaves(None, False) == service_leaves(b"", False) == ""
        files("", "services: db files\n")
        assert service_leaves(b"http", False) == ""

    def test_the_way_back(self, files: Any) -> None:
        files("127.0.0.1 localhost\n")
        assert name_leaves(("127.0.0.1", 80), 0) == ""
        for sockaddr in (("::1", 80, 0, 0), ("10.0.0.1", 80), ("fe80::1", 80, 0, 1)):
            assert str(sockaddr[0]) in name_leaves(sockaddr, 0)
            assert name_leaves(sockaddr, socket.NI_NUMERICHOST) == ""
        files("", "hosts: files myhostname dns\nservices: nis\n")
        assert "nis" in name_leaves(("::1", 80, 0, 0), 0)
        assert name_leaves(("::1", 80, 0, 0), socket.NI_NUMERICSERV) == ""

    def test_nothing_is_sent(self) -> None:
        """Every question that is said to stay, asked for real, under the eyes of strace."""
        if shutil.which("strace") is None:
            missing("strace", "apt-get install strace")
        script = """if True:
            import itertools, socket
            from socketlab.panels.addresses.hints import EXAMPLES, FLAGS, NAME_FLAGS
            from socketlab.panels.addresses.hosts import hosts, name_leaves
            from socketlab.panels.addresses.model import Question, number, service, value
            fields = [(value(host), service(port)) for host, port, _, _ in EXAMPLES.values()]
            fields += [(name, 80) for name in [*hosts().families][:5] + ["localhost.", "a.localhost"]]
            asked = 0
            for host, port in fields:
                for family in ("AF_UNSPEC", "AF_INET", "AF_INET6"):
                    for n in (0, 1, 2, len(FLAGS)):
                        for flags in itertools.combinations(FLAGS, n):
                            question = Question(host, port, family, "SOCK_STREAM", "any", flags)
                            if question.leaves:
                                continue
                            asked += 1
                            try:
                                rows = socket.getaddrinfo(host, port, number(family), 1, 0, number(*flags))
                            except (OSError, ValueError):
                                continue
                            for n_flags in ((), ("NI_NUMERICHOST",), ("NI_NAMEREQD", "NI_DGRAM")):
                                for row in rows:
                                    if not name_leaves(row[4], number(*n_flags)):
                                        try:
                                            socket.getnameinfo(row[4], number(*n_flags))
                                        except OSError:
                                            pass
            assert asked > 500, asked
        """
        calls = "trace=connect,sendto,sendmsg,sendmmsg"
        done = subprocess.run(
            ["strace", "-f", "--seccomp-bpf", "-qq", "-yy", "-e", calls, sys.executable, "-c", script],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        if "ptrace" in done.stderr and "Operation not permitted" in done.stderr:
            missing("permission to trace", "a container wants --cap-add=SYS_PTRACE")
        assert done.returncode == 0, done.stderr[-2000:]
        assert "NETLINK" in done.stderr  # AI_ADDRCONFIG asks the kernel, so strace does see what is sent
        sent = [line for line in done.stderr.splitlines() if re.search(r"send\w*\(\d+<(UDP|TCP)", line)]
        assert not sent, sent[:5]
        assert "htons(53)" not in done.stderr


class TestFields:
    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("localhost", "localhost"),
            ("", ""),
            ("''", ""),
            ("None", None),
            (" None ", None),
            ("'None'", "None"),
            ("b'127.0.0.1'", b"127.0.0.1"),
            ('b"a\\x00"', b"a\0"),
            ('"80"', "80"),
            ("b'", "b'"),
            ("b'é'", "b'é'"),
            ("'a' + 'b'", "'a' + 'b'"),
            (" x", " x"),
            ("__import__('os')", "__import__('os')"),
        ],
    )
    def test_host(self, typed: str, meant: object) -> None:
        assert value(typed) == meant

    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("80", 80),
            ("-1", -1),
            ("'80'", "80"),
            ("http", "http"),
            ("None", None),
            ("", ""),
            ("--1", "--1"),
            ("9" * 40, "9" * 40),
        ],
    )
    def test_service(self, typed: str, meant: object) -> None:
        assert service(typed) == meant
        assert type(service(typed)) is type(meant)


class TestAsking:
    """Real calls of getaddrinfo and getnameinfo, on numbers."""

    def test_a_number(self, home: tuple[str, str]) -> None:
        family, host = home
        answer = ask(Question(host, 80))
        assert answer.error[0] == ""
        (row,) = answer.rows
        assert (row.family, row.type, row.proto, row.host, row.port) == (family, "SOCK_STREAM", "IPPROTO_TCP", host, 80)
        assert row.kind.startswith("loopback")
        assert answer.trials[0].usable
        assert answer.trials[0].source == host

    def test_the_call_is_the_one_that_was_made(self, home: tuple[str, str]) -> None:
        """What the learner copies gives the rows that are shown."""
        for flags in ((), ("AI_NUMERICHOST",), ("AI_NUMERICHOST", "AI_NUMERICSERV", "AI_CANONNAME")):
            for kind, proto in (("any", "any"), ("SOCK_STREAM", "IPPROTO_TCP"), ("SOCK_DGRAM", "any")):
                question = Question(home[1], 8080, home[0], kind, proto, flags)
                rows = eval(question.call, {"socket": socket})
                assert [(row.canonname, row.sockaddr) for row in ask(question).rows] == [row[3:] for row in rows]
        assert Question("h", None).call == "socket.getaddrinfo('h', None, type=socket.SOCK_STREAM)"

    def test_none(self) -> None:
        for flags, kind in ((("AI_PASSIVE",), "wildcard"), ((), "loopback")):
            rows = ask(Question(None, 8080, "AF_INET", flags=flags)).rows
            assert [row.kind.partition(":")[0] for row in rows] == [kind]

    def test_errors_have_a_name_and_a_meaning(self) -> None:
        for question, name in (
            (Question("localhost", 80, flags=("AI_NUMERICHOST",)), "EAI_NONAME"),
            (Question("127.0.0.1", "http", flags=("AI_NUMERICSERV",)), "EAI_NONAME"),
            (Question(None, None), "EAI_NONAME"),
            (Question("127.0.0.1", "no-such-service"), "EAI_SERVICE"),
            (Question("127.0.0.1", 80, "AF_UNSPEC", "SOCK_DGRAM", "IPPROTO_TCP"), "EAI_SOCKTYPE"),
            (Question("a..b", 80), "UnicodeError"),
            # 3.10 and 3.11.7 made a C long of the port; 3.12.1 hands the digits over.
            (Question("127.0.0.1", 10**25), "OverflowError or EAI_SERVICE"),
        ):
            answer = ask(question)
            assert not answer.rows
            kind, words, meaning = answer.error
            if sys.platform == "linux":
                assert kind.replace("Encode", "") in name.split(" or ")
            assert words
            assert meaning.endswith(".")

    def test_every_code_has_its_sentence(self) -> None:
        for name in dir(socket):
            if name.startswith("EAI_") and sys.platform == "linux":
                assert name in MEANINGS
                assert explain(socket.gaierror(getattr(socket, name), "words"))[0] in MEANINGS
        assert explain(socket.gaierror(-9999, "words"))[0] == "error -9999"

    def test_a_row_that_cannot_be_used(self) -> None:
        assert try_out(Row("99", "SOCK_STREAM", "0", "", ("127.0.0.1", 80))).socket == "EAFNOSUPPORT"
        trial = try_out(Row("AF_INET", "SOCK_STREAM", "IPPROTO_UDP", "", ("127.0.0.1", 80)))
        assert trial.socket
        assert not trial.usable

    def test_a_port_that_is_taken(self, home: tuple[str, str]) -> None:
        with socket.socket(getattr(socket, home[0])) as listener:
            listener.bind((home[1], 0))
            listener.listen()
            listener.settimeout(0)
            (row,) = ask(Question(home[1], listener.getsockname()[1])).rows
            trial = try_out(row)
            assert trial.bind == "EADDRINUSE"
            assert trial.usable
            with pytest.raises(BlockingIOError):  # nobody has connected to somebody's server
                listener.accept()

    def test_a_wildcard_is_not_bound(self) -> None:
        trial = try_out(Row("AF_INET", "SOCK_STREAM", "IPPROTO_TCP", "", ("0.0.0.0", 0)))
        assert trial == Trial("")

    def test_what_it_tries_is_in_no_trace(self) -> None:
        from socketlab import trace

        with trace() as seen:
            assert ask(Question("127.0.0.1", 80)).trials[0].usable
        assert not seen.events

    @linux
    def test_a_destination_without_a_route(self) -> None:
        (row,) = (
            ask(Question("fe80::1%lo", 80)).rows if "IPv6" in families() else pytest.skip("this machine has no IPv6")
        )
        assert (row.host, row.sockaddr[3]) == ("fe80::1%lo", socket.if_nametoindex("lo"))
        assert "scope id 1, the interface lo" in fields(row)
        assert not try_out(row).bind
        assert row.kind.startswith("link-local")

    def test_the_way_back(self) -> None:
        name = name_of(("127.0.0.1", 514), ("NI_NUMERICHOST", "NI_NUMERICSERV"))
        assert (name.host, name.service) == ("127.0.0.1", "514")
        assert eval(name.call, {"socket": socket}) == ("127.0.0.1", "514")
        both = ("NI_NUMERICHOST", "NI_NUMERICSERV", "NI_NAMEREQD")
        if sys.platform == "linux":
            assert name_of(("127.0.0.1", 514), both).error[0] == "EAI_NONAME"
        assert name_of(("127.0.0.1", -1), ()).error[0] in ("OverflowError", "OSError", "EAI_SERVICE")


class TestRemarks:
    def said(self, question: Question) -> str:
        return " ".join(remarks(ask(question)))

    @linux
    def test_a_port_beyond_the_last(self) -> None:
        for port in (70000, "70000", b"70000"):
            assert "asked for port 70000 and got 4464" in self.said(Question("127.0.0.1", port))
        assert "port" not in self.said(Question("127.0.0.1", 65535))

    @linux
    @pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", b"127.1"])
    def test_old_spellings(self, host: str | bytes) -> None:
        assert "is the address 127.0.0.1 in a spelling of inet_aton(3)" in self.said(Question(host))
        assert self.said(Question("127.0.0.1")) == ""

    def test_idna(self) -> None:
        assert "b'xn--bcher-kva.example'" in in_ascii("bücher.example")
        assert in_ascii("plain") == in_ascii(b"bytes") == in_ascii(None) == in_ascii("\ud800") == ""

    def test_rows_of_every_type(self) -> None:
        assert "but 1 address: each stands here once for every type" in self.said(Question("127.0.0.1", 80, type="any"))

    def test_flags_that_change_nothing(self) -> None:
        for flag in ("AI_PASSIVE", "AI_V4MAPPED", "AI_ALL"):
            if flag in FLAGS:
                question = Question("127.0.0.1", 80, "AF_INET", flags=(flag,))
                assert ask(question).rows == ask(question._replace(flags=())).rows
                assert f"{flag} changes nothing" in self.said(question)

    def test_the_order_of_attempts(self) -> None:
        rows = tuple(
            Row("AF_INET", "SOCK_STREAM", "IPPROTO_TCP", "", (f"127.0.0.{n}", 80)) for n in (3, 1, 3, 2, 4, 5, 6)
        )
        said = order(Answer(Question(), rows))
        assert said.index("127.0.0.3 port 80 first") < said.index("then 127.0.0.1") < said.index("then 127.0.0.2")
        assert said.count("127.0.0.3") == 1
        assert "and 2 addresses more" in said or "and 2 addresses" in said
        wild = Row("AF_INET", "SOCK_STREAM", "IPPROTO_TCP", "", ("0.0.0.0", 80))
        assert order(Answer(Question(), (wild,))).startswith("A server would bind 0.0.0.0 port 80")
        other = Row("AF_INET6", "SOCK_STREAM", "IPPROTO_TCP", "", ("::", 80, 0, 0))
        assert "IPV6_V6ONLY" in order(Answer(Question(), (wild, other)))
        assert "IPV6_V6ONLY" not in order(Answer(Question(), (wild,)))


class TestPictures:
    def test_nothing_gets_out_of_its_place(self) -> None:
        row = Row(HOSTILE, HOSTILE, HOSTILE, HOSTILE, ("127.0.0.1", 80))
        trial = Trial("", HOSTILE, "", HOSTILE)
        question = Question(HOSTILE, HOSTILE)
        for picture in (
            answer_picture(Answer(question, (row,), (trial,))),
            answer_picture(Answer(question, (row,), (Trial(HOSTILE),))),
            answer_picture(Answer(question, (row,), (Trial("", None, HOSTILE),))),
            answer_picture(Answer(question, error=(HOSTILE, HOSTILE, HOSTILE))),
            refusal_picture(HOSTILE, HOSTILE, note=HOSTILE),
            refusal_picture(HOSTILE, HOSTILE, note=HOSTILE, allowed=True),
            name_picture(name_of(("127.0.0.1", 80), ("NI_NUMERICHOST",))._replace(host=HOSTILE, call=HOSTILE), 1),
        ):
            assert "<script" not in picture
            assert "&lt;script" in picture

    def test_rungs_stand_in_order_and_are_so_many(self) -> None:
        rows = tuple(Row("AF_INET", "SOCK_STREAM", "6", "", (f"127.0.0.{n}", 80)) for n in range(1, 31))
        picture = answer_picture(Answer(Question(), rows, (Trial("", "", "", "127.0.0.1"),) * 30))
        assert picture.count('role="listitem"') == SHOWN
        assert "and 18 more rows" in picture
        shown = text(picture)
        assert shown.count("if that fails") == SHOWN - 1
        places = [shown.index(f"127.0.0.{n} port 80 ·") for n in range(1, SHOWN + 1)]
        assert places == sorted(places)

    def test_still_asking(self) -> None:
        assert "asking the resolver" in waiting_picture(False, 1)
        assert "still asking the resolver after 2 s; a look-up cannot be interrupted" in waiting_picture(True, 1)
        assert f"{MOST} look-ups are under way" in waiting_picture(True, MOST)


class TestLookups:
    @pytest.fixture
    def gate(self) -> Iterator[threading.Event]:
        """What a silent name server is to a look-up: it returns when the event is set."""
        gate = threading.Event()
        yield gate
        gate.set()

    def hanging(self, gate: threading.Event, answer: str) -> Callable[[], str]:
        def question() -> str:
            assert gate.wait(30)
            return answer

        return question

    def test_the_latest_counts(self, gate: threading.Event) -> None:
        changed = threading.Event()
        lookups: Lookups[str] = Lookups(changed.set)
        lookups.ask(self.hanging(gate, "old"), slow=True)
        lookups.ask(lambda: "new", slow=False)
        assert changed.wait(10)
        assert lookups.answer == "new"
        assert lookups.open == 1
        changed.clear()
        gate.set()
        until(lambda: lookups.open == 0, "the old one ends")
        assert lookups.answer == "new"
        assert not changed.is_set()
        lookups.close()

    def test_it_says_when_it_is_late(self, gate: threading.Event) -> None:
        changed = threading.Event()
        lookups: Lookups[str] = Lookups(changed.set, patience=0.01)
        lookups.ask(self.hanging(gate, "at last"), slow=True)
        assert changed.wait(10)
        assert (lookups.late, lookups.answer) == (True, None)
        lookups.drop()
        assert not lookups.late
        lookups.ask(self.hanging(gate, "at last"), slow=True)
        gate.set()
        until(lambda: lookups.answer == "at last", "the answer")
        lookups.close()

    def test_so_many_hang_and_no_more(self, gate: threading.Event) -> None:
        lookups: Lookups[str] = Lookups(lambda: None)
        for number in range(20):
            lookups.ask(self.hanging(gate, str(number)), slow=True)
            assert lookups.open <= MOST
        assert lookups.answer is None
        lookups.ask(lambda: "quick", slow=False)
        until(lambda: lookups.answer == "quick", "what cannot leave does not wait for what hangs")
        lookups.ask(self.hanging(gate, "last"), slow=True)
        gate.set()
        until(lambda: lookups.answer == "last", "the one that waited for a place")
        lookups.close()

    def test_closed_while_one_hangs(self, gate: threading.Event) -> None:
        changed = threading.Event()
        lookups: Lookups[str] = Lookups(changed.set, patience=0.01)
        lookups.ask(self.hanging(gate, "late"), slow=True)
        lookups.close()
        gate.set()
        until(lambda: lookups.open == 0, "it ends")
        assert lookups.answer is None


class TestPanel:
    @pytest.fixture
    def panel(self) -> Iterator[AddressPanel]:
        panel = AddressPanel("127.0.0.1")
        yield panel
        panel.close()

    def shows(self, panel: AddressPanel, *words: str) -> None:
        for wanted in words:
            until(
                lambda wanted=wanted: wanted in text(panel._call.value + panel._answer.value + panel._name.value),
                f"{wanted!r} is shown",
            )
        assert panel._painter.fault is None

    def test_works_at_once(self, panel: AddressPanel) -> None:
        self.shows(panel, "socket.getaddrinfo('127.0.0.1', 80, type=socket.SOCK_STREAM)", "127.0.0.1 port 80 · IPv4")
        assert panel.answer is not None
        assert [row.host for row in panel.answer.rows] == ["127.0.0.1"]

    def test_each_key_counts_for_numbers(self, panel: AddressPanel) -> None:
        for typed in ("1", "12", "127", "127.", "127.1"):
            panel.host.value = typed
        self.shows(panel, "getaddrinfo('127.1', 80", "127.0.0.1 port 80 · IPv4")
        assert panel.example.value == OWN

    def test_every_control_reaches_the_call(self, panel: AddressPanel) -> None:
        panel.service.value = "8080"
        panel.family.value, panel.type.value, panel.proto.value = "AF_INET", "SOCK_DGRAM", "IPPROTO_UDP"
        for box in panel.flags.values():
            box.value = True
        call = panel.question.call
        for word in ("8080", "family=socket.AF_INET", "socket.SOCK_DGRAM", "socket.IPPROTO_UDP", *FLAGS):
            assert word in call
        self.shows(panel, call)

    def test_a_name_that_may_leave_is_not_asked(self, panel: AddressPanel, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[Question] = []
        monkeypatch.setattr(address, "ask", lambda question: asked.append(question) or Answer(question))
        panel.host.value = "www.example.org"
        panel.ask_button.click()
        self.shows(panel, "Not asked: 'www.example.org' is neither", "AI_NUMERICHOST, which forbids every look-up")
        assert panel.answer is None
        assert not asked
        panel.flags["AI_NUMERICHOST"].value = True
        until(lambda: asked, "a flag that forbids to look up makes it safe")

    def test_asked_when_the_box_allows_it_and_not_at_each_key(
        self, panel: AddressPanel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[object] = []

        def failing(question: Question) -> Answer:
            asked.append(question.host)
            return Answer(question, error=explain(socket.gaierror(socket.EAI_AGAIN, "try again")))

        monkeypatch.setattr(address, "ask", failing)
        panel.may_leave.value = True
        panel.host.value = "www.example.or"
        panel.host.value = "www.example.org"
        self.shows(panel, "Not asked yet: press Enter or Ask.")
        assert not [host for host in asked if host != "127.0.0.1"]
        panel.host._handle_custom_msg({"event": "submit"}, [])  # the Enter key
        self.shows(panel, "socket.EAI_AGAIN", "this may pass, so try again later", "no row to look back from")
        assert [host for host in asked if host != "127.0.0.1"] == ["www.example.org"]
        panel.may_leave.value = False
        self.shows(panel, "Not asked: ")
        assert panel.answer is None

    def test_a_resolver_that_hangs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        gate = threading.Event()

        def hanging(question: Question) -> Answer:
            if question.host == "silent.invalid":
                assert gate.wait(30)
                return Answer(question)
            return ask(question)

        monkeypatch.setattr(address, "ask", hanging)
        monkeypatch.setattr(address, "Lookups", partial(Lookups, patience=0.01))
        panel = AddressPanel("127.0.0.1")
        panel.may_leave.value = True
        panel.host.value = "silent.invalid"
        panel.ask()
        self.shows(panel, "still asking the resolver after 2 s; a look-up cannot be interrupted")
        panel.host.value = "127.0.0.1"  # and it stays of use
        self.shows(panel, "127.0.0.1 port 80 · IPv4")
        panel.host.value = "silent.invalid"
        panel.ask()
        self.shows(panel, "still asking")
        panel.close()  # does not wait for it
        gate.set()

    def test_examples(self, panel: AddressPanel) -> None:
        for name in EXAMPLES:
            panel.example.value = name
            self.shows(panel, panel.question.call)
            assert panel.example.value == name
            until(lambda: panel.answer is not None or panel.question.leaves, f"an answer to {name}")
            until(lambda: "asking the resolver" not in panel._answer.value, "it is shown")
        panel.example.value = "mapped into IPv6"
        assert panel.question.flags == ("AI_V4MAPPED",)
        panel.example.value = "localhost"
        assert panel.question.flags == ()

    def test_the_way_back(self, panel: AddressPanel) -> None:
        panel.service.value = "514"
        for name in ("NI_NUMERICHOST", "NI_NUMERICSERV"):
            panel.name_flags[name].value = True
        self.shows(panel, "socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)", "row 1 is ('127.0.0.1', '514')")
        panel.row.value = 99
        self.shows(panel, "row 1 is")
        panel.name_flags["NI_NUMERICHOST"].value = False
        panel.host.value = "192.0.2.1"
        self.shows(panel, "Not asked: 192.0.2.1 does not stand in", "NI_NUMERICHOST, which forbids every look-up")
        assert panel.name is None

    def test_hostile_words_stay_words(self, panel: AddressPanel) -> None:
        panel.host.value = panel.service.value = HOSTILE
        self.shows(panel, HOSTILE)
        panel.flags["AI_NUMERICHOST"].value = True
        self.shows(panel, "EAI_")
        assert "<script" not in panel._call.value + panel._answer.value + panel._name.value

    def test_forgotten(self) -> None:
        panel = AddressPanel("127.0.0.1")
        self.shows(panel, "127.0.0.1 port 80 · IPv4")
        reference = weakref.ref(panel)
        del panel
        gc.collect()
        until(lambda: gc.collect() is not None and reference() is None, "it is gone")

    def test_closing_leaves_nothing(self) -> None:
        before = len(os.listdir("/dev/fd")) if os.path.isdir("/dev/fd") else 0
        for _ in range(20):
            panel = AddressPanel("127.0.0.1")
            panel.example.value = "None, for a client"
            panel.close()
            panel.close()
            panel.ask()
        if before:
            until(lambda: len(os.listdir("/dev/fd")) <= before, "the descriptors are closed")

    def test_every_control_has_words(self, panel: AddressPanel) -> None:
        controls = [panel.example, panel.host, panel.service, panel.family, panel.type, panel.proto, panel.row]
        controls += [panel.may_leave, panel.ask_button, *panel.flags.values(), *panel.name_flags.values()]
        assert all(control.description and control.tooltip for control in controls)
        assert set(panel.name_flags) == set(NAME_FLAGS)

    def test_stored_forms(self, panel: AddressPanel) -> None:
        assert repr(panel) == "<Addresses panel>"
        snapshot = panel.snapshot()
        assert not re.search(r"127\.0\.0\.1|0x|\d{4,}", snapshot.replace("max-width:960px", "").replace("#8c8c8c", ""))
        for name in ("host", "AI_PASSIVE", "getnameinfo"):
            assert name in snapshot
