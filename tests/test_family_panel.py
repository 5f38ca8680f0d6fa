"""The family panel: what `ask` answers is what socket(2) answers, in words that name the argument that did not fit."""

import errno
import gc
import os
import socket
import sys
import time
import warnings

import pytest

from socketlab.panels import family
from socketlab.panels.family import PROTOCOLS, Answer, FamilyPanel, as_html, ask, protocol_words, remark
from socketlab.probe import probe

linux = pytest.mark.skipif(sys.platform != "linux", reason="these errnos are Linux's")


@pytest.fixture(autouse=True)
def _no_socket_left_to_the_collector(nothing_left_at_once):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        yield
        gc.collect()


@pytest.fixture
def panel():
    panel = FamilyPanel()
    yield panel
    panel.close()


class TestAsk:
    @pytest.mark.parametrize("name", ["ipv4", "ipv6", "unix"])
    def test_says_what_the_kernel_made(self, name):
        machine = probe()
        row = machine[name].name
        if not machine.works(f"{row} SOCK_STREAM"):
            pytest.skip(f"this machine has no {row}")
        answer = ask(row, "SOCK_STREAM")
        assert answer.works
        assert answer.verdict == "a socket"
        with socket.socket(getattr(socket, row), socket.SOCK_STREAM) as made:
            if hasattr(socket, "SO_PROTOCOL"):
                assert answer.chosen == made.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)

    @linux
    @pytest.mark.parametrize(
        ("arguments", "name"),
        [
            (("AF_UNSPEC", "SOCK_STREAM"), "EAFNOSUPPORT"),
            (("AF_INET", "SOCK_RDM"), "ESOCKTNOSUPPORT"),
            (("AF_INET", "SOCK_STREAM", socket.IPPROTO_UDP), "EPROTONOSUPPORT"),
            (("AF_INET", "SOCK_RAW"), "EPROTONOSUPPORT"),
        ],
        ids=lambda value: value if isinstance(value, str) else " ".join(map(str, value)),
    )
    def test_a_refusal_is_an_answer(self, arguments, name):
        answer = ask(*arguments)
        assert not answer.works
        assert answer.verdict == name
        assert answer.errno == getattr(errno, name)
        assert answer.chosen is None

    def test_a_name_that_this_python_lacks(self):
        answer = ask("AF_NOWHERE", "SOCK_STREAM")
        assert (answer.works, answer.errno, answer.verdict) == (False, None, "absent")
        assert "AF_NOWHERE" in remark(answer)

    def test_out_of_descriptors(self):
        resource = pytest.importorskip("resource")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        held = []
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 64), hard))
            with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
                held.extend(iter(lambda: os.dup(0), None))
            answer = ask("AF_INET", "SOCK_STREAM")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for number in held:
                os.close(number)
        assert answer.verdict == "EMFILE"
        assert "descriptor" in remark(answer)

    def test_agrees_with_probe(self):
        for finding in probe().group("types"):
            kind = finding.name.split()
            answer = ask(*kind)
            if answer.verdict == "EPROTONOSUPPORT":
                continue  # probe names a protocol where there is no usual one
            assert answer.works == finding.works, finding


class TestWords:
    def test_the_call_can_be_pasted(self):
        for protocol in PROTOCOLS.values():
            for kind in ("SOCK_STREAM", "SOCK_DGRAM"):
                answer = ask("AF_INET", kind, protocol)
                if answer.works:
                    with eval(answer.call) as made:
                        assert made.proto == protocol
                else:
                    with pytest.raises(OSError, match=os.strerror(answer.errno)):
                        eval(answer.call)

    @linux
    def test_the_usual_protocol_is_named(self):
        assert protocol_words(ask("AF_INET", "SOCK_STREAM")) == "0, the usual one: the kernel took 6, TCP"
        assert protocol_words(ask("AF_INET", "SOCK_DGRAM")) == "0, the usual one: the kernel took 17, UDP"
        assert protocol_words(ask("AF_UNIX", "SOCK_STREAM")) == "0: there is nothing to choose"
        assert protocol_words(ask("AF_INET", "SOCK_STREAM", 6)) == "6, TCP"

    @pytest.mark.parametrize("name", sorted(family._MEANINGS))
    def test_each_refusal_has_a_meaning(self, name):
        number = getattr(errno, name, None)
        if number is None:
            pytest.skip(f"this system has no {name}")
        answer = Answer("AF_INET", "SOCK_STREAM", errno=number)
        assert answer.verdict == name
        assert remark(answer) == family._MEANINGS[name]
        assert os.strerror(number) in as_html(answer)

    def test_an_errno_without_words_of_ours_has_the_systems(self):
        answer = Answer("AF_INET", "SOCK_STREAM", errno=errno.ETIMEDOUT)
        assert remark(answer) == os.strerror(errno.ETIMEDOUT) + "."

    def test_every_sentence_is_one(self):
        for words in [*family._PURPOSES.values(), *family._MEANINGS.values()]:
            assert words.endswith(".")
            assert words.count(". ") == 0


class TestPanel:
    def test_asks_when_shown(self, panel):
        assert panel.answer == ask("AF_INET", "SOCK_STREAM")
        assert "socket.socket(socket.AF_INET, socket.SOCK_STREAM)" in panel.shown.value

    def test_offers_everything_that_python_knows(self, panel):
        here = {name for name in dir(socket) if name.startswith("AF_")}
        assert here <= set(panel.family.options)
        assert panel.family.value == "AF_INET"
        assert set(panel.type.options) >= {"SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "SOCK_SEQPACKET", "SOCK_RDM"}

    @linux
    def test_each_control_asks_again(self, panel):
        panel.type.value = "SOCK_DGRAM"
        assert panel.answer.works
        assert "17, UDP" in panel.shown.value
        panel.protocol.value = "IPPROTO_TCP"
        assert panel.answer.verdict == "EPROTONOSUPPORT"
        assert "EPROTONOSUPPORT" in panel.shown.value
        panel.family.value = "AF_UNSPEC"
        assert panel.answer.verdict == "EAFNOSUPPORT"

    def test_every_choice_gets_an_answer_and_leaves_nothing_open(self, panel):
        for name in panel.family.options:
            panel.family.value = name
            for kind in panel.type.options:
                panel.type.value = kind
                assert (panel.answer.family, panel.answer.type) == (name, kind)
                assert f"socket.{name}, socket.{kind}" in panel.shown.value

    def test_a_change_shows_at_once(self, panel):
        panel.family.value = "AF_UNIX" if hasattr(socket, "AF_UNIX") else "AF_INET6"
        spent = []
        for kind in [*panel.type.options, *panel.type.options]:
            began = time.thread_time()  # of this thread: other programs do not count
            panel.type.value = kind
            spent.append(time.thread_time() - began)
        assert min(spent) < 0.1

    def test_repr_and_picture_say_nothing_of_the_machine(self, panel):
        before = repr(panel), panel.snapshot()
        panel.family.value = "AF_INET6"
        assert (repr(panel), panel.snapshot()) == before
        assert repr(panel) == "<Family and type panel>"
        assert "AF_INET" in panel.snapshot()

    def test_close_twice(self, panel):
        panel.close()
        panel.close()
        assert panel.closed
        assert panel.family.comm is None

    def test_the_bundle_has_all_three_forms(self, panel):
        bundle = panel._repr_mimebundle_()
        assert bundle["text/plain"] == repr(panel)
        assert bundle["text/html"] == panel.snapshot()
        assert "application/vnd.jupyter.widget-view+json" in bundle
