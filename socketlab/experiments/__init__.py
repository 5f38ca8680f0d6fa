"""Experiments: one effect of the network per file, measured step by step, and drawn.

    from socketlab.experiments import bytes_until_stall, draw_bytes_until_stall

    draw_bytes_until_stall(bytes_until_stall())

A function measures and returns a frozen result; its ``draw_`` function turns results into a picture, and measures
nothing. What takes more than a second shows a bar and a Stop button, which gives the result so far. Names are loaded
on first use. This room knows `trace`, `links`, `measure` and what is below them; `panels` stand on it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .buffer_sizes import ThroughputByBuffer, draw_throughput_by_buffer, throughput_by_buffer
    from .by_clients import LatencyByClients, draw_latency_by_clients, latency_by_clients
    from .closers import TimeWait, draw_time_wait, time_wait
    from .compare import draw_side_by_side, side_by_side
    from .datagrams import datagram_loss, loss_by_receive_buffer
    from .door import ListenQueue
    from .fates import BufferLoss, DatagramLoss, draw_datagram_loss, draw_loss_by_receive_buffer
    from .framing import recv_sizes
    from .listening import draw_listen_queue, listen_queue
    from .loop_turns import LoopGantt, draw_loop_gantt, loop_gantt
    from .nagle import SmallWrites, draw_small_writes, small_writes
    from .payload import RoundTripsByPayload, draw_round_trips_by_payload, round_trips_by_payload
    from .pieces import RecvSizes, draw_recv_sizes
    from .queues import Depths, QueueDepth, draw_queue_depth, queue_depth, watching
    from .readiness import ReadinessCost, draw_readiness_cost, readiness_cost
    from .running import Steps, run
    from .slow_loop import slow_loop
    from .stall import Stall, bytes_until_stall, draw_bytes_until_stall
    from .through_link import LinkProbe, draw_link_probe, link_probe

__all__ = [
    "BufferLoss",
    "DatagramLoss",
    "Depths",
    "LatencyByClients",
    "LinkProbe",
    "ListenQueue",
    "LoopGantt",
    "QueueDepth",
    "ReadinessCost",
    "RecvSizes",
    "RoundTripsByPayload",
    "SmallWrites",
    "Stall",
    "Steps",
    "ThroughputByBuffer",
    "TimeWait",
    "bytes_until_stall",
    "datagram_loss",
    "draw_bytes_until_stall",
    "draw_datagram_loss",
    "draw_latency_by_clients",
    "draw_link_probe",
    "draw_listen_queue",
    "draw_loop_gantt",
    "draw_loss_by_receive_buffer",
    "draw_queue_depth",
    "draw_readiness_cost",
    "draw_recv_sizes",
    "draw_round_trips_by_payload",
    "draw_side_by_side",
    "draw_small_writes",
    "draw_throughput_by_buffer",
    "draw_time_wait",
    "latency_by_clients",
    "link_probe",
    "listen_queue",
    "loop_gantt",
    "loss_by_receive_buffer",
    "queue_depth",
    "readiness_cost",
    "recv_sizes",
    "round_trips_by_payload",
    "run",
    "side_by_side",
    "slow_loop",
    "small_writes",
    "throughput_by_buffer",
    "time_wait",
    "watching",
]

# No module has the name of a function: importing it would put itself in the function's place here.
_ROOMS: dict[str, tuple[str, ...]] = {
    "buffer_sizes": (
        "ThroughputByBuffer",
        "draw_throughput_by_buffer",
        "throughput_by_buffer",
    ),
    "by_clients": (
        "LatencyByClients",
        "draw_latency_by_clients",
        "latency_by_clients",
    ),
    "closers": (
        "TimeWait",
        "draw_time_wait",
        "time_wait",
    ),
    "compare": (
        "draw_side_by_side",
        "side_by_side",
    ),
    "datagrams": (
        "datagram_loss",
        "loss_by_receive_buffer",
    ),
    "door": ("ListenQueue",),
    "fates": (
        "BufferLoss",
        "DatagramLoss",
        "draw_datagram_loss",
        "draw_loss_by_receive_buffer",
    ),
    "framing": ("recv_sizes",),
    "listening": (
        "draw_listen_queue",
        "listen_queue",
    ),
    "loop_turns": (
        "LoopGantt",
        "draw_loop_gantt",
        "loop_gantt",
    ),
    "nagle": (
        "SmallWrites",
        "draw_small_writes",
        "small_writes",
    ),
    "payload": (
        "RoundTripsByPayload",
        "draw_round_trips_by_payload",
        "round_trips_by_payload",
    ),
    "pieces": (
        "RecvSizes",
        "draw_recv_sizes",
    ),
    "queues": (
        "Depths",
        "QueueDepth",
        "draw_queue_depth",
        "queue_depth",
        "watching",
    ),
    "readiness": (
        "ReadinessCost",
        "draw_readiness_cost",
        "readiness_cost",
    ),
    "running": (
        "Steps",
        "run",
    ),
    "slow_loop": ("slow_loop",),
    "stall": (
        "Stall",
        "bytes_until_stall",
        "draw_bytes_until_stall",
    ),
    "through_link": (
        "LinkProbe",
        "draw_link_probe",
        "link_probe",
    ),
}


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            value = getattr(import_module(f"{__name__}.{room}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
