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
    from .addresses.race import Race, draw_eyeballs_race, eyeballs_race, recorded_race
    from .buffers.copies import FastPaths, draw_fast_paths, fast_paths
    from .buffers.granted import AskedAndGranted, asked_and_granted, draw_asked_and_granted
    from .buffers.queues import Depths, QueueDepth, draw_queue_depth, queue_depth, watching
    from .buffers.sizes import ThroughputByBuffer, draw_throughput_by_buffer, throughput_by_buffer
    from .buffers.stall import Stall, bytes_until_stall, draw_bytes_until_stall
    from .buffers.write_buffer import WriteBuffer, draw_write_buffer, write_buffer
    from .clients.by_clients import LatencyByClients, draw_latency_by_clients, latency_by_clients
    from .clients.holding import hold_clients
    from .clients.throughput import draw_throughput_by_clients
    from .compare import draw_side_by_side, side_by_side
    from .datagrams.fates import BufferLoss, DatagramLoss, draw_datagram_loss, draw_loss_by_receive_buffer
    from .datagrams.groups import WhoGotWhat, draw_who_got_what, who_got_what
    from .datagrams.loss import datagram_loss, loss_by_receive_buffer
    from .doors.closers import TimeWait, draw_time_wait, recorded_time_wait, time_wait
    from .doors.door import ListenQueue
    from .doors.knocking import SynRetries, draw_syn_retries, recorded_syn_retries, syn_retries
    from .doors.listening import draw_listen_queue, listen_queue
    from .doors.queues import Waiting, queues_are_told, who_waits
    from .doors.rebinding import Rebind, rebind
    from .doors.splitting import ReuseportSplit, draw_reuseport_split, recorded_split, reuseport_split
    from .doors.states import States, draw_states, follow_states
    from .families.catalogue import Constants, constants, undescribed
    from .families.recorded import recorded_answer
    from .ladder.load import LadderLoad, RungLoad, draw_ladder, ladder_load, ladder_servers
    from .ladder.serving import serving
    from .passing.handing import Handing, hand_over
    from .payload import RoundTripsByPayload, draw_round_trips_by_payload, round_trips_by_payload
    from .running import Steps, run
    from .secure.ends import Ends, tls_contexts, tls_ends, try_handshake
    from .secure.faults import CertificateFault, certificate_fault
    from .secure.handshakes import Handshakes, draw_handshakes, handshakes
    from .streams.both_ends import both_ends
    from .streams.framing import recv_sizes
    from .streams.inside_tcp import TcpOverTime, draw_tcp_over_time, tcp_over_time
    from .streams.nagle import SmallWrites, draw_small_writes, small_writes
    from .streams.pieces import RecvSizes, draw_recv_sizes
    from .through_link.probe import LinkProbe, draw_link_probe, link_probe
    from .waiting.drip import Drip, draw_drip, drip
    from .waiting.loop_turns import LoopGantt, draw_loop_gantt, loop_gantt
    from .waiting.readiness import ReadinessCost, draw_readiness_cost, readiness_cost
    from .waiting.retrying import Backoff, backoff, draw_backoff
    from .waiting.slow_loop import slow_loop
    from .waiting.task_turns import TaskTurns, draw_task_turns, task_turns

__all__ = [
    "AskedAndGranted",
    "Backoff",
    "BufferLoss",
    "CertificateFault",
    "Constants",
    "DatagramLoss",
    "Depths",
    "Drip",
    "Ends",
    "FastPaths",
    "Handing",
    "Handshakes",
    "LadderLoad",
    "LatencyByClients",
    "LinkProbe",
    "ListenQueue",
    "LoopGantt",
    "QueueDepth",
    "Race",
    "ReadinessCost",
    "Rebind",
    "RecvSizes",
    "ReuseportSplit",
    "RoundTripsByPayload",
    "RungLoad",
    "SmallWrites",
    "Stall",
    "States",
    "Steps",
    "SynRetries",
    "TaskTurns",
    "TcpOverTime",
    "ThroughputByBuffer",
    "TimeWait",
    "Waiting",
    "WhoGotWhat",
    "WriteBuffer",
    "asked_and_granted",
    "backoff",
    "both_ends",
    "bytes_until_stall",
    "certificate_fault",
    "constants",
    "datagram_loss",
    "draw_asked_and_granted",
    "draw_backoff",
    "draw_bytes_until_stall",
    "draw_datagram_loss",
    "draw_drip",
    "draw_eyeballs_race",
    "draw_fast_paths",
    "draw_handshakes",
    "draw_ladder",
    "draw_latency_by_clients",
    "draw_link_probe",
    "draw_listen_queue",
    "draw_loop_gantt",
    "draw_loss_by_receive_buffer",
    "draw_queue_depth",
    "draw_readiness_cost",
    "draw_recv_sizes",
    "draw_reuseport_split",
    "draw_round_trips_by_payload",
    "draw_side_by_side",
    "draw_small_writes",
    "draw_states",
    "draw_syn_retries",
    "draw_task_turns",
    "draw_tcp_over_time",
    "draw_throughput_by_buffer",
    "draw_throughput_by_clients",
    "draw_time_wait",
    "draw_who_got_what",
    "draw_write_buffer",
    "drip",
    "eyeballs_race",
    "fast_paths",
    "follow_states",
    "hand_over",
    "handshakes",
    "hold_clients",
    "ladder_load",
    "ladder_servers",
    "latency_by_clients",
    "link_probe",
    "listen_queue",
    "loop_gantt",
    "loss_by_receive_buffer",
    "queue_depth",
    "queues_are_told",
    "readiness_cost",
    "rebind",
    "recorded_answer",
    "recorded_race",
    "recorded_split",
    "recorded_syn_retries",
    "recorded_time_wait",
    "recv_sizes",
    "reuseport_split",
    "round_trips_by_payload",
    "run",
    "serving",
    "side_by_side",
    "slow_loop",
    "small_writes",
    "syn_retries",
    "task_turns",
    "tcp_over_time",
    "throughput_by_buffer",
    "time_wait",
    "tls_contexts",
    "tls_ends",
    "try_handshake",
    "undescribed",
    "watching",
    "who_got_what",
    "who_waits",
    "write_buffer",
]

# No module has the name of a function: importing it would put itself in the function's place here.
_ROOMS: dict[str, tuple[str, ...]] = {
    "addresses.race": (
        "Race",
        "draw_eyeballs_race",
        "eyeballs_race",
        "recorded_race",
    ),
    "buffers.copies": (
        "FastPaths",
        "draw_fast_paths",
        "fast_paths",
    ),
    "buffers.granted": (
        "AskedAndGranted",
        "asked_and_granted",
        "draw_asked_and_granted",
    ),
    "buffers.sizes": (
        "ThroughputByBuffer",
        "draw_throughput_by_buffer",
        "throughput_by_buffer",
    ),
    "clients.by_clients": (
        "LatencyByClients",
        "draw_latency_by_clients",
        "latency_by_clients",
    ),
    "clients.holding": ("hold_clients",),
    "clients.throughput": ("draw_throughput_by_clients",),
    "doors.closers": (
        "TimeWait",
        "draw_time_wait",
        "recorded_time_wait",
        "time_wait",
    ),
    "compare": (
        "draw_side_by_side",
        "side_by_side",
    ),
    "datagrams.loss": (
        "datagram_loss",
        "loss_by_receive_buffer",
    ),
    "doors.door": ("ListenQueue",),
    "doors.knocking": (
        "SynRetries",
        "draw_syn_retries",
        "recorded_syn_retries",
        "syn_retries",
    ),
    "datagrams.fates": (
        "BufferLoss",
        "DatagramLoss",
        "draw_datagram_loss",
        "draw_loss_by_receive_buffer",
    ),
    "datagrams.groups": (
        "WhoGotWhat",
        "draw_who_got_what",
        "who_got_what",
    ),
    "secure.ends": (
        "Ends",
        "tls_contexts",
        "tls_ends",
        "try_handshake",
    ),
    "secure.faults": (
        "CertificateFault",
        "certificate_fault",
    ),
    "secure.handshakes": (
        "Handshakes",
        "draw_handshakes",
        "handshakes",
    ),
    "families.catalogue": (
        "Constants",
        "constants",
        "undescribed",
    ),
    "families.recorded": ("recorded_answer",),
    "streams.both_ends": ("both_ends",),
    "streams.framing": ("recv_sizes",),
    "doors.listening": (
        "draw_listen_queue",
        "listen_queue",
    ),
    "doors.rebinding": (
        "Rebind",
        "rebind",
    ),
    "doors.splitting": (
        "ReuseportSplit",
        "draw_reuseport_split",
        "recorded_split",
        "reuseport_split",
    ),
    "doors.queues": (
        "Waiting",
        "queues_are_told",
        "who_waits",
    ),
    "doors.states": (
        "States",
        "draw_states",
        "follow_states",
    ),
    "waiting.drip": (
        "Drip",
        "draw_drip",
        "drip",
    ),
    "waiting.retrying": (
        "Backoff",
        "backoff",
        "draw_backoff",
    ),
    "waiting.loop_turns": (
        "LoopGantt",
        "draw_loop_gantt",
        "loop_gantt",
    ),
    "streams.inside_tcp": (
        "TcpOverTime",
        "draw_tcp_over_time",
        "tcp_over_time",
    ),
    "streams.nagle": (
        "SmallWrites",
        "draw_small_writes",
        "small_writes",
    ),
    "passing.handing": (
        "Handing",
        "hand_over",
    ),
    "ladder.load": (
        "LadderLoad",
        "RungLoad",
        "draw_ladder",
        "ladder_load",
        "ladder_servers",
    ),
    "ladder.serving": ("serving",),
    "payload": (
        "RoundTripsByPayload",
        "draw_round_trips_by_payload",
        "round_trips_by_payload",
    ),
    "streams.pieces": (
        "RecvSizes",
        "draw_recv_sizes",
    ),
    "buffers.queues": (
        "Depths",
        "QueueDepth",
        "draw_queue_depth",
        "queue_depth",
        "watching",
    ),
    "waiting.readiness": (
        "ReadinessCost",
        "draw_readiness_cost",
        "readiness_cost",
    ),
    "running": (
        "Steps",
        "run",
    ),
    "waiting.slow_loop": ("slow_loop",),
    "waiting.task_turns": (
        "TaskTurns",
        "draw_task_turns",
        "task_turns",
    ),
    "buffers.write_buffer": (
        "WriteBuffer",
        "draw_write_buffer",
        "write_buffer",
    ),
    "buffers.stall": (
        "Stall",
        "bytes_until_stall",
        "draw_bytes_until_stall",
    ),
    "through_link.probe": (
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
