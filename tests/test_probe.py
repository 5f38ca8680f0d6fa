"""The passport: what the probe says is what the kernel says, nothing is left behind, and nothing leaves loopback."""

from __future__ import annotations

import ast
import dataclasses
import errno
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading

import pytest

from socketlab.probe import GROUPS, WITHOUT, Finding, Passport, probe, software
from socketlab.probe.attempts import Trial, attempt
from socketlab.probe.tables import type_matrix


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch):
    monkeypatch.delenv(WITHOUT, raising=False)


@pytest.fixture(scope="module")
def passport() -> Passport:
    return probe()


@pytest.fixture(scope="module")
def bare() -> Passport:
    """A machine that can do nothing at all."""
    return probe(without=GROUPS)


def in_a_process(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def by_hand(family: str, kind: str, address: object = None) -> int | None:
    """The errno of socket() and bind(), None where both work: what a learner would type."""
    try:
        with socket.socket(getattr(socket, family), getattr(socket, kind)) as sock:
            if address is not None:
                sock.bind(address)
    except OSError as exc:
        return exc.errno
    return None


class TestTruth:
    """What stands in a passport is what the same calls say here."""

    @pytest.mark.parametrize(
        ("family", "address"),
        [
            pytest.param("AF_INET", ("127.0.0.1", 0), id="ipv4"),
            pytest.param("AF_INET6", ("::1", 0), id="ipv6"),
            pytest.param("AF_UNIX", None, id="unix"),
        ],
    )
    def test_a_family_works_where_its_loopback_can_be_bound(self, passport, family, address):
        if not hasattr(socket, family):
            assert passport[family].verdict == "absent"
            return
        assert passport[family].errno == by_hand(family, "SOCK_STREAM", address)
        assert passport.works(family) == (passport[family].errno is None)

    @pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET", "SOCK_RDM"])
    @pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_UNSPEC", "AF_X25"])
    def test_a_type_has_the_errno_of_socket(self, passport, family, kind):
        if not hasattr(socket, family):
            pytest.skip(f"this Python has no {family}")
        assert passport[f"{family} {kind}"].errno == by_hand(family, kind)

    @pytest.mark.parametrize("name", ["SO_KEEPALIVE", "SO_RCVBUF", "SO_TYPE"])
    def test_an_option_shows_the_value_read(self, passport, name):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            value = sock.getsockopt(socket.SOL_SOCKET, getattr(socket, name))
        assert passport[name].detail.startswith(f"{value}, ")

    @pytest.mark.skipif(sys.platform != "linux", reason="which options are read only is each kernel's own")
    def test_an_option_that_cannot_be_set_says_why(self, passport):
        assert passport["SO_TYPE"].detail == "1, read only (ENOPROTOOPT)"
        assert passport["SO_REUSEADDR"].detail == "0, read and written back"
        assert passport["IP_ADD_MEMBERSHIP"].detail in ("set only", "No such device")

    def test_raw_sockets_have_the_errno_of_trying(self, passport):
        try:
            socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
            expected = None
        except OSError as exc:
            expected = exc.errno
        assert passport["raw_ipv4"].errno == passport["AF_INET SOCK_RAW"].errno == expected

    def test_what_the_other_tests_stand_on_works_here(self, passport):
        for name in ("tcp_loopback", "udp_loopback", "AF_INET SOCK_STREAM", "SO_REUSEADDR"):
            assert passport.works(name), passport[name]

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
    def test_somebody_without_privileges_gets_them_refused(self):
        code = """
            import os
            from socketlab.probe import probe
            probe()  # loads what is loaded late, which nobody may be unable to read
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            print({probe()[name].verdict for name in ("raw_ipv4", "sethostname", "net_admin", "AF_PACKET")})
        """
        done = in_a_process(code)
        assert done.stdout == "{'EPERM (1)'}\n", done.stderr

    def test_without_a_loopback_interface_it_says_so(self):
        code = "from socketlab.probe import probe; print(probe()['tcp_loopback'].errno)"
        done = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", code],
            capture_output=True, text=True, timeout=60,
        ) if sys.platform == "linux" else None  # fmt: skip
        if done is None or "unshare" in done.stderr:
            pytest.skip("no network namespaces here")
        assert int(done.stdout) in (errno.ENETUNREACH, errno.EADDRNOTAVAIL), done.stderr


class TestDerived:
    """Families and options come from this Python's socket module, not from a list."""

    def test_every_family_and_type_of_this_python_is_tried(self, passport):
        families = {name for name in dir(socket) if name.startswith("AF_")}
        assert families <= {finding.name for finding in passport.group("families")}
        pairs = {f"{family} {kind}" for family in families for kind in ("SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW")}
        assert pairs <= {finding.name for finding in passport.group("types")}

    def test_a_new_family_is_tried(self, monkeypatch):
        monkeypatch.setattr(socket, "AF_TOMORROW", 250, raising=False)
        assert probe()["AF_TOMORROW"].errno in (errno.EAFNOSUPPORT, errno.EINVAL)

    def test_a_new_option_is_tried(self, monkeypatch):
        monkeypatch.setattr(socket, "SO_TOMORROW", 30_000, raising=False)
        assert probe()["SO_TOMORROW"].errno in (errno.ENOPROTOOPT, errno.EINVAL)

    def test_a_family_that_this_python_lacks_still_answers(self, monkeypatch):
        monkeypatch.delattr(socket, "AF_VSOCK", raising=False)
        passport = probe()
        assert not passport.works("AF_VSOCK")
        assert str(passport["AF_VSOCK"]) == "AF_VSOCK: absent, this Python has no socket.AF_VSOCK"


class TestManners:
    """No descriptor, no thread, nothing hanging, nothing beyond loopback, nothing changed."""

    @pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="descriptors are counted in /proc")
    def test_no_descriptor_and_no_thread_stays(self):
        probe()
        before = (sorted(os.listdir("/proc/self/fd")), threading.active_count())
        for _ in range(3):
            probe()
        assert (sorted(os.listdir("/proc/self/fd")), threading.active_count()) == before

    def test_every_address_is_on_this_machine(self):
        code = """
            import json, sys
            seen = []
            calls = ("socket.bind", "socket.connect", "socket.sendto", "socket.sethostname", "socket.getaddrinfo")
            sys.addaudithook(lambda event, args: seen.append((event, repr(args[-1]))) if event in calls else None)
            from socketlab.probe import probe
            probe()
            import socket
            print(json.dumps([seen, socket.gethostname()]))
        """
        done = in_a_process(code)
        assert done.returncode == 0, done.stderr
        seen, hostname = json.loads(done.stdout)
        events = {event for event, _ in seen}
        assert {"socket.bind", "socket.connect", "socket.sendto"} <= events
        assert "socket.getaddrinfo" not in events  # a name could be asked of a server far away
        local = ("127.0.0.1", "::1", "::ffff:127.0.0.1", "239.255.76.67", "ff11::4c43")
        for event, text in seen:
            address = ast.literal_eval(text)
            if event == "socket.sethostname":
                assert address in (hostname, hostname.encode())
            elif isinstance(address, tuple):
                assert address[0] in (*local, 0), (event, address)  # 0: the kernel, over AF_NETLINK
            else:
                assert event in ("socket.bind", "socket.connect")
                assert "lab" in address  # a path in a new folder, or an abstract name

    def test_nothing_is_connected_without_a_deadline(self, monkeypatch):
        deadlines = []
        connect = socket.socket.connect

        def watched(sock, address):
            deadlines.append((sock.family, sock.gettimeout()))
            return connect(sock, address)

        monkeypatch.setattr(socket.socket, "connect", watched)
        probe()
        assert deadlines
        assert all(timeout is not None for _, timeout in deadlines)
        assert getattr(socket, "AF_VSOCK", "absent") not in {family for family, _ in deadlines}

    def test_importing_it_loads_no_heavy_module(self):
        heavy = "{'matplotlib', 'ipywidgets', 'IPython', 'asyncio', 'numpy'}"
        code = f"import sys, socketlab.probe; socketlab.probe.probe(); print({heavy} & set(sys.modules))"
        assert in_a_process(code).stdout == "set()\n"


class TestPassport:
    def test_every_row_works_or_says_why_not(self, passport):
        for finding in passport:
            assert finding.tried, finding
            if finding.works:
                assert finding.errno is None
                assert finding.verdict == "works"
            elif finding.errno is None:
                assert finding.detail.startswith("this Python has no "), finding
                assert finding.verdict == "absent"
            else:
                assert finding.verdict == f"{errno.errorcode[finding.errno]} ({finding.errno})"

    def test_every_name_is_found_and_none_twice(self, passport):
        names = [finding.name.lower() for finding in passport]
        assert len(set(names)) == len(names) == len(passport)
        assert all(passport[finding.name] is finding for finding in passport)

    def test_two_probes_are_equal_and_in_the_same_order(self, passport):
        assert probe() == passport
        groups = [finding.group for finding in passport]
        assert groups == sorted(groups, key=GROUPS.index)
        assert set(groups) == set(GROUPS)

    def test_values_cannot_change(self, passport):
        with pytest.raises(dataclasses.FrozenInstanceError):
            passport.findings = ()
        with pytest.raises(dataclasses.FrozenInstanceError):
            passport["AF_INET"].works = False

    @pytest.mark.parametrize("name", ["AF_INET6", "af_inet6", "ipv6", "IPv6", "inet6", " ipv6 "])
    def test_a_row_answers_to_its_names(self, passport, name):
        assert passport[name].name == "AF_INET6"

    @pytest.mark.parametrize(
        ("name", "near"), [("ipv7", "ipv6"), ("AF_INTE6", "af_inet6"), ("SO_RECVBUF", "so_rcvbuf")]
    )
    def test_an_unknown_name_is_told_its_neighbours(self, passport, name, near):
        with pytest.raises(KeyError, match=near) as caught:
            passport.works(name)
        assert name in str(caught.value)

    def test_an_unknown_group_is_told_the_groups(self, passport):
        with pytest.raises(KeyError, match="abilities"):
            passport.group("talents")

    def test_changes_are_pairs_of_then_and_now(self, passport):
        lesser = probe(without=["udp_loopback"])
        assert passport.changes(passport) == ()
        ((then, now),) = lesser.changes(passport)
        assert (then.name, then.works, now.name, now.works) == ("udp_loopback", True, "udp_loopback", False)

    def test_changes_know_rows_that_came_and_went(self, passport):
        shorter = Passport(passport.findings[1:])
        assert shorter.changes(passport) == ((passport.findings[0], None),)
        assert passport.changes(shorter) == ((None, passport.findings[0]),)

    def test_repr_is_the_same_on_every_machine(self, passport, bare):
        assert repr(passport) == repr(bare)

    def test_the_text_names_every_row_of_the_machine(self, passport):
        text = str(passport)
        for finding in passport:
            if finding.group != "types":
                assert f" {finding.name}" in text
        for family in type_matrix(passport)[0]:
            assert f"\n  {family} " in text

    def test_the_html_names_every_row_and_escapes(self, passport):
        odd = Finding("abilities", "<b>", False, errno.EPERM, "a < b & 'c' \"d\"", "<i>")
        html = Passport((*passport.findings, odd))._repr_html_()
        assert all(f">{finding.name}</code>" in html for finding in passport)
        assert "<b>" not in html
        assert "<i>" not in html
        assert html.count("<details>") == html.count("</details>") == len(GROUPS)


class TestWithout:
    def test_what_stands_on_it_falls_with_it(self, passport):
        lesser = probe(without=["ipv6"])
        for name in ("AF_INET6", "AF_INET6 SOCK_STREAM", "IPV6_V6ONLY", "raw_ipv6", "tcp_loopback_ipv6", "dual_stack"):
            assert lesser[name].errno == errno.EAFNOSUPPORT
            assert lesser[name].detail == "simulated"
        changed = {then.name for then, _ in lesser.changes(passport)}
        assert not [name for name in changed if "6" not in name and name != "dual_stack"]

    def test_a_whole_group_can_be_missing(self):
        lesser = probe(without=["privileges"])
        assert not any(finding.works for finding in lesser.group("privileges"))
        for name in ("AF_PACKET", "AF_INET SOCK_RAW", "IP_HDRINCL"):
            assert lesser[name].errno == errno.EPERM
        assert lesser.works("tcp_loopback")

    def test_everything_can_be_missing(self, bare, passport):
        assert not any(finding.works for finding in bare)
        assert [finding.name for finding in bare] == [finding.name for finding in passport]
        assert str(bare)

    def test_the_environment_says_the_same(self, monkeypatch):
        monkeypatch.setenv(WITHOUT, " ipv6 , proc_net,")
        assert probe() == probe(without=["proc_net", "AF_INET6"])
        assert not probe(without=["udp_loopback"]).works("proc_net")

    def test_a_misspelt_lack_is_an_error(self, monkeypatch):
        with pytest.raises(KeyError, match="proc_net"):
            probe(without=["proc_nett"])
        monkeypatch.setenv(WITHOUT, "ipv7")
        with pytest.raises(KeyError, match="ipv6"):
            probe()

    def test_the_sockets_themselves_still_work(self):
        assert not probe(without=["AF_INET"]).works("tcp_loopback")
        assert by_hand("AF_INET", "SOCK_STREAM", ("127.0.0.1", 0)) is None


class TestAttempt:
    """One experiment: what is an answer, and what is a bug."""

    def run(self, function) -> Finding:
        return attempt(Trial("abilities", "one", "try it", function))

    def test_a_result_is_kept(self):
        assert self.run(lambda: "280 bytes") == Finding("abilities", "one", True, None, "280 bytes", "try it")

    def test_a_timeout_is_etimedout(self):
        left, right = socket.socketpair()
        with left, right:
            left.settimeout(0.01)
            assert self.run(lambda: left.recv(1)).errno == errno.ETIMEDOUT

    def test_a_refusal_without_a_number_gets_one(self):
        def refuse():
            raise OSError("the kernel did not say")

        assert self.run(refuse).errno == errno.EIO
        assert self.run(refuse).detail == "the kernel did not say"

    def test_a_missing_name_is_an_answer(self):
        assert self.run(lambda: socket.AF_NEVER).detail == "this Python has no socket.AF_NEVER"

    def test_a_missing_module_is_an_answer(self):
        def need():
            import no_such_module_here  # noqa: F401

        assert self.run(need).detail == "this Python has no no_such_module_here"

    def test_a_bug_is_not(self):
        with pytest.raises(AttributeError):
            self.run(lambda: "text".no_such_method())
        with pytest.raises(ZeroDivisionError):
            self.run(lambda: 1 / 0)


class TestSoftware:
    def test_versions_are_those_installed(self):
        import matplotlib

        versions = {finding.name: finding.detail for finding in software()}
        assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
        assert versions["matplotlib"] == matplotlib.__version__

    def test_a_missing_package_says_what_to_type(self, monkeypatch):
        monkeypatch.setattr("socketlab.probe.versions.NEEDED", ("no-such-package-here",))
        missing = software()[-1]
        assert not missing.works
        assert missing.detail == "missing: pip install no-such-package-here"


class TestPictures:
    """The size and the repr do not depend on the machine; what is drawn is what was found."""

    @pytest.fixture(params=["draw_types", "draw_options", "draw_abilities"])
    def draw(self, request):
        import socketlab.measure.passport as pictures

        return getattr(pictures, request.param)

    def test_the_text_beside_it_is_the_same_everywhere(self, draw, passport, bare):
        assert repr(draw(passport)) == repr(draw(bare))

    def test_every_text_stands_inside(self, draw, passport, bare):
        for found in (passport, bare):
            picture = draw(found)
            picture.draw_without_rendering()
            width, height = picture.get_size_inches() * picture.dpi
            for ax in picture.axes:
                for text in (*ax.texts, ax.title, ax.xaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()):
                    box = text.get_window_extent()
                    if text.get_text() and text.get_visible():
                        assert box.x0 >= -1, text.get_text()
                        assert box.x1 <= width + 1, text.get_text()
                        assert -1 <= box.y0 <= box.y1 <= height + 1, text.get_text()

    def test_the_matrix_has_a_cell_for_each_pair(self, passport):
        from socketlab.measure.passport import draw_types

        (ax,) = draw_types(passport).axes
        families, kinds, cells = type_matrix(passport)
        said = [text.get_text() for text in ax.texts]
        assert len(said) == len(families) * len(kinds)
        assert said.count("works") == sum(finding.works for finding in passport.group("types"))
        assert [cells[f, k].verdict.partition(" ")[0] for f in families for k in kinds] == said

    def test_a_family_without_an_address_is_marked(self, passport):
        from socketlab.measure.passport import draw_types

        nowhere = tuple(
            dataclasses.replace(f, works=False, errno=errno.EADDRNOTAVAIL) if f.name == "AF_INET" else f
            for f in passport
        )
        (ax,) = draw_types(Passport(nowhere)).axes
        assert "AF_INET\nEADDRNOTAVAIL" in [label.get_text() for label in ax.get_yticklabels()]

    def test_every_option_is_drawn(self, passport):
        from socketlab.measure.passport import draw_options

        (ax,) = draw_options(passport).axes
        said = [text.get_text() for text in ax.texts]
        assert len(said) == len(passport.group("options")) + 5  # four columns and the others have headings


class TestPanel:
    @pytest.fixture
    def panel(self):
        panels = pytest.importorskip("socketlab.panels.passport")
        panel = panels.PassportPanel()
        yield panel
        panel.close()

    def test_what_is_stored_is_the_same_on_every_machine(self, panel, monkeypatch):
        from socketlab.panels.passport import PassportPanel

        monkeypatch.setenv(WITHOUT, ",".join(GROUPS))
        bare = PassportPanel()
        assert repr(bare) == repr(panel) == "<Passport panel>"
        assert bare.snapshot() == panel.snapshot()
        assert panel._repr_mimebundle_()["text/html"] == panel.snapshot()
        bare.close()

    def test_the_button_probes_again(self, panel):
        panel.button.click()
        assert "Nothing changed" in panel.changes.value

    def test_a_pretended_lack_shows_as_changes(self, panel):
        panel.lesser.value = "Unix sockets"
        assert "AF_UNIX" in panel.changes.value
        assert "EAFNOSUPPORT" in panel.changes.value
        assert not panel.model.now.works("AF_UNIX")
        panel.lesser.value = "nothing: as it is"
        assert panel.model.now == probe()

    def test_a_real_change_shows(self, panel):
        resource = pytest.importorskip("resource")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
        try:
            panel.button.click()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert [now.name for _, now in panel.model.now.changes(panel.model.before)] == ["open_files"]
        assert f"{soft - 1}, can be raised" in panel.changes.value

    def test_every_word_of_the_menu_can_be_probed(self):
        from socketlab.panels.passport import LESSER

        for without in LESSER.values():
            assert probe(without) == probe(without)
