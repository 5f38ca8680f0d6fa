"""Models of concurrency under load: who waits for whom, what close() wakes, what the clients tell, what is left."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from socketlab.experiments.clients import by_clients as module
from socketlab.experiments.clients import throughput
from socketlab.experiments.clients.by_clients import (
    Ask,
    LatencyByClients,
    Load,
    cpus,
    draw_latency_by_clients,
    finding,
    in_a_row,
    latency_by_clients,
    latency_by_clients_steps,
)
from socketlab.experiments.clients.load import Clients, ask_all
from socketlab.experiments.clients.models import MODELS
from socketlab.experiments.clients.serving import COMPUTES, SLEEPS, Work
from socketlab.experiments.clients.throughput import draw_throughput_by_clients
from socketlab.measure import PeerError

pytestmark = pytest.mark.usefixtures("nothing_left_at_once", "no_process_left")

LIMIT = 20  # s: every wait of these tests ends by then, with an error
HERE = [name for name, model in MODELS.items() if not model.lacking()]
LOOPS = [name for name in ("selectors loop", "epoll loop", "asyncio") if name in HERE]
needs_gil = pytest.mark.skipif(
    getattr(__import__("sys"), "_is_gil_enabled", lambda: True)() is False, reason="this Python has no global lock"
)


@pytest.fixture(params=HERE)
def model(request) -> type:
    return MODELS[request.param]


def come_up(server) -> None:
    deadline = time.monotonic() + LIMIT
    while not server.ready():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def at_once(load: Load) -> int:
    """How many were worked for at the same time, at most."""
    return max(sum(other.began <= ask.began < other.ended for other in load.asks) for ask in load.asks)


def measured(name: str, clients: int, cost: float, kind: str = SLEEPS, rounds: int = 1) -> Load:
    (load,) = latency_by_clients([name], [clients], cost, kind, rounds=rounds).loads
    return load


class TestModel:
    """What all models promise: a line for a line, and an end."""

    def test_every_client_gets_its_answer(self, model):
        with model(Work(0, SLEEPS)) as server:
            come_up(server)
            rows = ask_all(server.address, 12, 3, LIMIT)
        assert sorted(client for client, *_ in rows) == sorted([*range(1, 13)] * 3)
        assert server.errors == []
        for _, asked, answered, line in rows:
            began, ended, who = line.split(" ", 2)
            assert asked <= int(began) <= int(ended) <= answered
            assert who.startswith(("thread ", "the loop", "process "))

    def test_listens_on_loopback_alone(self, model):
        with model(Work(0, SLEEPS)) as server:
            assert server.address[0] == "127.0.0.1"

    @pytest.mark.parametrize("kind", [SLEEPS, COMPUTES])
    def test_close_ends_what_is_being_worked_on(self, model, kind):
        with model(Work(60, kind)) as server:
            come_up(server)
            with socket.create_connection(server.address, LIMIT) as client:
                client.sendall(b"?\n")
                began = time.monotonic()
                server.close()
                assert time.monotonic() - began < 30

    def test_close_wakes_who_waits_for_a_silent_client(self, model):
        with model(Work(0, SLEEPS)) as server:
            come_up(server)
            with socket.create_connection(server.address, LIMIT) as silent:
                # Whoever is served after it: the silent one has been accepted, unless one at a time is.
                if server.name != "one at a time":
                    ask_all(server.address, 1, 1, LIMIT)
                server.close()
                try:
                    assert silent.recv(1) == b""
                except ConnectionError:  # a reset
                    pass

    def test_close_may_be_repeated_and_nobody_is_let_in_afterwards(self, model):
        server = model(Work(0, SLEEPS))
        come_up(server)
        server.close()
        server.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(server.address, LIMIT)

    def test_a_client_that_leaves_harms_nobody(self, model):
        with model(Work(0, SLEEPS)) as server:
            come_up(server)
            for goodbye in (b"", b"?\n"):
                with socket.create_connection(server.address, LIMIT) as rude:
                    rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # an RST
                    rude.sendall(goodbye)
            assert len(ask_all(server.address, 2, 2, LIMIT)) == 4
        assert server.errors == []

    def test_the_repr_is_its_name(self, model):
        with model(Work(0, SLEEPS)) as server:
            assert repr(server) == f"<{model.name}>"


class TestAsyncio:
    def test_close_in_the_middle_of_an_answer_prints_nothing(self, monkeypatch, caplog):
        """Until 3.12 asyncio calls it an error when a handler of its streams is cancelled, and logs a traceback."""
        asleep, sleep = threading.Event(), asyncio.sleep

        async def noted(seconds: float) -> None:
            asleep.set()
            await sleep(seconds)

        monkeypatch.setattr(asyncio, "sleep", noted)
        with caplog.at_level("WARNING"), MODELS["asyncio"](Work(60, SLEEPS)) as server:
            come_up(server)
            with socket.create_connection(server.address, LIMIT) as client:
                client.sendall(b"?\n")
                assert asleep.wait(LIMIT)
                server.close()
        assert not caplog.records


class TestWhoWaitsForWhom:
    """Orders, not durations: who was worked for at the same time as whom."""

    @pytest.mark.parametrize("kind", [SLEEPS, COMPUTES])
    def test_one_at_a_time(self, kind):
        load = measured("one at a time", 6, 0.01, kind)
        assert at_once(load) == 1
        assert load.servers == ("thread 1",)
        assert load.seconds >= 6 * 0.01

    @pytest.mark.parametrize("name", ["thread per connection", *LOOPS])
    def test_all_sleep_at_once(self, name):
        load = measured(name, 8, 0.4)
        assert at_once(load) == 8
        assert load.seconds < 8 * 0.4

    def test_a_pool_sleeps_eight_at_once_and_the_ninth_waits(self):
        load = measured("pool of 8 threads", 12, 0.3)
        assert at_once(load) == 8
        assert sorted(load.servers) == [f"thread {n}" for n in range(1, 9)]

    def test_four_processes_at_once(self):
        if "4 processes" not in HERE:
            pytest.skip(MODELS["4 processes"].lacking())
        load = measured("4 processes", 8, 0.3)
        assert at_once(load) == 4
        assert sorted(load.servers) == [f"process {n}" for n in range(1, 5)]

    @pytest.mark.parametrize("name", LOOPS)
    def test_a_loop_computes_for_one_after_the_other(self, name):
        load = measured(name, 5, 0.02, COMPUTES)
        assert at_once(load) == 1
        assert load.servers == ("the loop",)

    @needs_gil
    @pytest.mark.parametrize("name", ["thread per connection", "pool of 8 threads"])
    def test_computing_threads_share_one_lock(self, name):
        assert measured(name, 6, 0.05, COMPUTES).seconds > 0.9 * 6 * 0.05

    def test_the_work_of_computing_does_not_shrink_while_others_run(self):
        ended = threading.Event()
        hog = threading.Thread(target=lambda: [None for _ in iter(ended.is_set, True)])
        hog.start()
        try:
            began = time.thread_time()
            Work(0.05, COMPUTES)()
            assert time.thread_time() - began >= 0.05
        finally:
            ended.set()
            hog.join()

    @pytest.mark.parametrize(
        ("name", "kind", "turns"),
        [
            ("one at a time", SLEEPS, 64), ("thread per connection", SLEEPS, 1), ("pool of 8 threads", SLEEPS, 8),
            ("selectors loop", SLEEPS, 1), ("epoll loop", SLEEPS, 1),
            ("asyncio", SLEEPS, 1), ("4 processes", SLEEPS, 16),
            ("one at a time", COMPUTES, 64), ("thread per connection", COMPUTES, 64),
            ("pool of 8 threads", COMPUTES, 64), ("asyncio", COMPUTES, 64),
            ("4 processes", COMPUTES, -(-64 // min(4, cpus()))),
        ],
    )  # fmt: skip
    def test_by_arithmetic(self, name, kind, turns):
        assert in_a_row(name, 64, kind) == turns


class TestClients:
    """The other process: it asks, it tells, it gives up, it ends."""

    def test_a_server_that_does_not_answer(self):
        with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(PeerError, match="only 0 of 2 answers"):
            ask_all(mute.getsockname(), 2, 1, 0.2)

    def test_a_server_that_closes_without_an_answer(self):
        with socket.create_server(("127.0.0.1", 0)) as listener, Clients() as clients:
            clients.ask(listener.getsockname(), 1, 1, LIMIT)
            listener.settimeout(LIMIT)
            conn, _ = listener.accept()
            with conn:
                assert conn.recv(10) == b"?\n"
            with pytest.raises(PeerError, match="closed the connection without one"):
                clients.answers(LIMIT)

    def test_it_can_be_asked_again_and_told_while_it_goes_on(self):
        with MODELS["one at a time"](Work(0.05, SLEEPS)) as server, Clients() as clients:
            for _ in range(2):
                clients.ask(server.address, 2, 2, LIMIT)
                assert clients.answers(0) is None
                rows = clients.answers(LIMIT)
                assert rows is not None
                assert len(rows) == 4

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as gone:
            address = gone.getsockname()
        with Clients() as clients:
            clients.ask(address, 1, 1, LIMIT)
            with pytest.raises(PeerError):
                clients.answers(LIMIT)

    def test_it_dies(self):
        with Clients() as clients:
            clients._process.kill()
            with pytest.raises(PeerError, match="has ended"):
                clients.answers(LIMIT)


class TestSteps:
    def test_models_take_turns_and_shares_rise(self):
        shares, names = [], []
        for share, result in latency_by_clients_steps(["one at a time", "asyncio"], [1, 2], 0.0, rounds=3):
            shares.append(share)
            names = [(load.model, load.clients, len(load.asks)) for load in result.loads]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        assert names == [(model, n, 3 * n) for n in (1, 2) for model in ("one at a time", "asyncio")]

    def test_a_hundred_answers_unless_told(self):
        result = latency_by_clients(["selectors loop"], [1, 30], 0.0)
        assert [len(load.asks) for load in result.loads] == [100, 120]

    @pytest.mark.parametrize("name", HERE)
    def test_closed_in_the_middle_leaves_nothing(self, name):
        for taken in (1, 2, 4):
            steps = latency_by_clients_steps([name], [4], 0.5, rounds=20)
            for _ in range(taken):
                next(steps)
            steps.close()

    def test_yields_while_the_clients_wait(self):
        steps = latency_by_clients_steps(["one at a time"], [2], 0.3, rounds=1)
        assert sum(not result.loads for _, result in steps) >= 4

    def test_a_model_that_the_platform_lacks(self, monkeypatch):
        monkeypatch.setattr(MODELS["4 processes"], "lacking", classmethod(lambda cls: "no fork here"))
        result = latency_by_clients(["4 processes"])
        assert (result.loads, result.lacking) == ((), (("4 processes", "no fork here"),))

    def test_a_process_that_does_not_come_up(self, monkeypatch):
        if "4 processes" not in HERE:
            pytest.skip(MODELS["4 processes"].lacking())
        monkeypatch.setattr("socketlab.experiments.clients.processes._WORKER", "raise SystemExit(1)")
        with pytest.raises(RuntimeError, match="has ended before it began"):
            latency_by_clients(["4 processes"], [1])

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"models": ["fork"]}, "models wanted some of 'one at a time'.*got 'fork'"),
            ({"models": []}, "at least one model"),
            ({"clients": [0]}, "clients wanted .* from 1 to 500"),
            ({"clients": [10**6]}, "clients wanted"),
            ({"clients": ["4"]}, "got '4'"),
            ({"cost": -0.001}, "cost wanted a number of seconds from 0 to 1"),
            ({"cost": float("nan")}, "cost wanted"),
            ({"cost": 10}, "got 10"),
            ({"kind": "naps"}, "'sleeps' or 'computes'"),
            ({"rounds": 0}, "rounds wanted"),
        ],
    )
    def test_bad_arguments_are_told_at_the_call(self, settings, words):
        with pytest.raises(ValueError, match=words):
            latency_by_clients_steps(**settings)


def known(model: str, clients: int, last: float) -> Load:
    asks = (Ask(n, "thread 1", 0.0, 0.0, last * n / clients, last * n / clients) for n in range(1, clients + 1))
    return Load(model, clients, tuple(asks))


KNOWN = LatencyByClients(
    0.01, SLEEPS, (known("one at a time", 1, 0.01), known("asyncio", 1, 0.011), known("one at a time", 64, 0.64),
                   known("asyncio", 64, 0.012))
)  # fmt: skip


class TestResult:
    def test_of_one_model(self):
        assert KNOWN.of("one at a time").clients == 64
        assert KNOWN.of("asyncio", 1).timing.p99 == 0.011
        assert KNOWN.models == ("one at a time", "asyncio")
        with pytest.raises(KeyError):
            KNOWN.of("asyncio", 7)

    def test_rates(self):
        load = KNOWN.of("one at a time")
        assert (load.seconds, load.per_second) == (0.64, 100)

    def test_reprs_have_no_times(self):
        assert repr(KNOWN) == "<LatencyByClients, one at a time, asyncio>"
        assert repr(KNOWN.loads[0]) == "<Load one at a time, 1 client>"
        assert repr(LatencyByClients(0, SLEEPS)) == "<LatencyByClients, nothing measured>"


class TestPicture:
    def test_p99_and_p50_of_each_model(self):
        (ax,) = draw_latency_by_clients(KNOWN).axes
        lines = {line.get_label(): line for line in ax.lines}
        assert list(lines["one at a time"].get_xdata()) == [1, 64]
        assert list(lines["one at a time"].get_ydata()) == [0.01, 0.64]
        assert [0.01, 0.32] in [list(line.get_ydata()) for line in ax.lines]
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")

    def test_the_title_states_the_finding(self):
        assert finding(KNOWN) == "64 clients, a handler sleeps 10 ms: one at a time p99 640 ms, asyncio 12 ms"
        (ax,) = draw_latency_by_clients(KNOWN).axes
        assert ax.get_title(loc="left") == finding(KNOWN)

    def test_axes_of_ones_own(self):
        from socketlab.measure import figure

        (ax,) = figure().axes
        assert draw_latency_by_clients(KNOWN, title="mine", ax=ax) is ax
        assert ax.get_title(loc="left") == "mine"

    def test_nothing_measured(self):
        with pytest.raises(ValueError, match="has none"):
            draw_latency_by_clients(LatencyByClients(0, SLEEPS))

    def test_the_modules_names_are_not_the_functions(self):
        from socketlab import experiments

        assert experiments.latency_by_clients is module.latency_by_clients


class TestThroughputPicture:
    def test_answers_per_second_and_p99_of_each_model(self):
        upper, lower = draw_throughput_by_clients(KNOWN).axes
        lines = {line.get_label(): line for line in upper.lines}
        assert list(lines["one at a time"].get_xdata()) == [1, 64]
        assert [round(y) for y in lines["one at a time"].get_ydata()] == [100, 100]
        assert [0.01, 0.64] in [list(line.get_ydata()) for line in lower.lines]

    def test_the_title_states_the_finding(self):
        assert throughput.finding(KNOWN) == "64 clients: asyncio 5,333/s, one at a time 100/s"
        upper, _ = draw_throughput_by_clients(KNOWN, title="mine").axes
        assert upper.get_title(loc="left") == "mine"

    def test_nothing_measured(self):
        assert throughput.finding(LatencyByClients(0, SLEEPS)) == "Nothing has been measured yet"
        with pytest.raises(ValueError, match="has none"):
            draw_throughput_by_clients(LatencyByClients(0, SLEEPS))
