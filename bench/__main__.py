"""Run all benchmarks and print them as the tables of bench/README.md."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable
from datetime import date

from . import course, exercises, links, panels, servers, trace
from .pairing import Paired, percentile, pin

Row = tuple[str, Paired]


def table(title: str, base: str, unit: str, scale: float, rows: list[Row], bar: str = "") -> None:
    """One table: ours, the plain thread's, and the ratio with its quartiles. `bar` is what we ask of ourselves."""
    print(f"\n### {title}\n")
    if bar:
        print(f"{bar}\n")
    print(f"| server | {unit} | {base}, {unit} | ratio (quartiles) |\n|---|---|---|---|")
    for name, pair in rows:
        print(f"| {name} | {pair.ours * scale:,.0f} | {pair.base * scale:,.0f} | {pair} |", flush=True)


def compare(measure: Callable[[servers.Make], Paired], everybody: dict[str, servers.Make]) -> list[Row]:
    return [(name, measure(make)) for name, make in everybody.items()]


def of_talk(rounds: int) -> None:
    """Round trips and connections."""
    everybody = servers.everybody()
    for size, label in ((1, "1 B"), (1024, "1 KiB"), (65536, "64 KiB")):
        for share, name in ((0.5, "p50"), (0.99, "p99")):
            bar = "Bar: socketlab at most 1.05." if (size, share) == (1024, 0.5) else ""
            rows = compare(lambda make, n=size, q=share: servers.round_trips(make, n, q, rounds), everybody)
            table(f"Round trip of {label}, {name}", "plain", "µs", 1e6, rows, bar)
    rows = compare(lambda make: servers.connections(make, rounds), {**everybody, **servers.BOUNDS})
    found = dict(rows)
    ratio = found["socketlab"].ratio / found["socketserver.ThreadingTCPServer"].ratio
    bar = f"Bar: socketlab at least 1.5 × ThreadingTCPServer; measured {ratio:.2f} × (ratio of the two ratios below)."
    table("Connections per second (connect, echo, close)", "plain", "1/s", 1, rows, bar)


def of_life(rounds: int) -> None:
    """Start, stop, and what is left."""
    everybody = servers.everybody()
    rows = compare(lambda make: servers.start(make, rounds), everybody)
    table("Start to first echo", "plain", "µs", 1e6, rows, "Bar: socketlab within 600 µs.")
    slow = {name: make for name, make in everybody.items() if name.startswith("socketserver")}
    quick = {name: make for name, make in everybody.items() if name not in slow}
    for clients, bar in ((0, ""), (1, "Bar: socketlab within 400 µs."), (10, "Bar: socketlab within 1,000 µs.")):
        rows = compare(lambda make, n=clients: servers.stop(make, n, rounds), quick)
        rows += compare(lambda make, n=clients: servers.stop(make, n, rounds, count=1), slow)  # half a second each
        table(f"close() with {clients} idle clients", "plain", "µs", 1e6, rows, bar)
    left = servers.leftovers()
    print(f"\nAfter {left['cycles']} servers: {left['threads']} threads and {left['descriptors']} descriptors more.")


def of_a_crowd() -> None:
    print("\n### 1,000 clients, all active, and 100 more that connect meanwhile\n")
    print("| server | echoes | echoes/s | p50, ms | p99, ms | connect all, s | late comers served | slowest, ms |")
    print("|---|---|---|---|---|---|---|---|")
    makes = servers.everybody()
    for name in ("socketlab", "bare epoll loop"):
        if name in makes:
            r = servers.crowd(makes[name])
            print(
                f"| {name} | {r['served']:,} | {r['echoes/s']:,.0f} | {r['p50'] * 1e3:.1f} | {r['p99'] * 1e3:.1f} "
                f"| {r['connect all']:.2f} | {r['late served']} | {r['late worst'] * 1e3:.0f} |",
                flush=True,
            )


def of_the_trace(rounds: int) -> None:
    """What seeing every call costs."""
    print("\n### One traced call of 1 B, start and end stamped\n\nBar: at most 600 ns more than an untraced one.\n")
    print("| call | ns | untraced, ns | added (quartiles) |\n|---|---|---|---|")
    for name, pair, more in trace.calls(rounds):
        print(f"| {name} | {pair.ours * 1e9:,.0f} | {pair.base * 1e9:,.0f} | {more} |", flush=True)
    print("\n### Ping-pong over TCP, traced at both ends\n\nBar: at most 1.15 for 1 B.\n")
    print("| | µs | untraced, µs | ratio (quartiles) |\n|---|---|---|---|")
    for size, label in ((1, "1 B"), (1024, "1 KiB")):
        for name, pair in zip(("control (untraced)", "traced"), trace.round_trips(size, rounds), strict=True):
            print(f"| {label}, {name} | {pair.ours * 1e6:,.1f} | {pair.base * 1e6:,.1f} | {pair} |", flush=True)
    beside = trace.under_strace(rounds=9)
    if isinstance(beside, str):
        print(f"| 1 B, strace -f -e trace=network | | | skipped: {beside} |")
    else:
        name = "1 B, under strace -f -e trace=network"
        print(f"| {name} | {beside.ours * 1e6:,.1f} | {beside.base * 1e6:,.1f} | {beside} |")
    pair = trace.untouched(rounds=9)
    print(f"\nNo trace open: the methods are the original ones; a send after 30 traces against one before: {pair}.")
    print(f"\nA recorded call of 1 B takes {trace.bytes_an_event():.0f} bytes (bar: 150).")
    found = ", ".join(f"{name} {took:.1f} s" for name, took in trace.shown().items())
    print(f"\nA million calls: {found}.")


def of_links(rounds: int) -> None:
    """What a link costs with nothing wrong, pinned."""
    everybody = links.relays()
    for size, label in ((1, "1 B"), (1024, "1 KiB"), (65536, "64 KiB")):
        rows = [(name, links.round_trips(size, make, rounds)) for name, make in everybody.items()]
        table(f"Round trip of {label} through a link, p50", "direct", "µs", 1e6, rows, "Bar: at most 2.20.")
    rows = [(name, links.throughput(make, rounds)) for name, make in everybody.items()]
    table("Throughput through a link, writes of 64 KiB", "direct", "MB/s", 1e-6, rows, "Bar: at least 0.50.")


def of_links_faults() -> None:
    """Whether a link does what it is asked for, on all CPUs."""
    print("\n### What a link is asked for, and what it does\n\n| fault | asked | had | bar |\n|---|---|---|---|")
    for asked, count in ((0.001, 500), (0.01, 200), (0.05, 60), (0.2, 20)):
        half, worst = links.latency(asked, count)
        had = f"off by {half * 1e3:.2f} ms (median), {worst * 1e3:.2f} ms (p99 of {count})"
        print(f"| latency | {asked * 1e3:.0f} ms | {had} | 1 ms, 3 ms |", flush=True)
    for rate in (1e5, 1e6, 1e7):
        print(f"| bandwidth | {rate:,.0f} B/s | {links.bandwidth(rate):.3f} × | 0.95 to 1.05 |", flush=True)
    lost, low, high = links.loss()
    print(f"| loss | 10 % of 10,000 | {lost} lost | {low:.0f} to {high:.0f} |", flush=True)
    half, worst = links.change()
    had = f"after {half * 1e3:.2f} ms (median), {worst * 1e3:.2f} ms (p99)"
    print(f"| a change | at once | {had} | 20 ms |", flush=True)
    r = links.crowd()
    had = f"late by {r['p50'] * 1e3:.2f} ms (median), {r['p99'] * 1e3:.2f} ms (p99), {r['threads']} thread"
    print(f"| 200 connections | 0 to 50 ms, each its own | {had} | 1 thread |", flush=True)


def of_exercises() -> None:
    """How long a check takes, and what three hundred of them leave behind."""
    print("\n### Checks of exercises\n\n| | measured | bar |\n|---|---|---|")
    took = exercises.checks_of_solutions()
    half, slowest = percentile(list(took.values()), 0.5), max(took, key=lambda name: took[name])
    print(f"| a correct answer, median of {len(took)} exercises | {half * 1e3:.0f} ms | 300 ms |")
    print(f"| the slowest, {slowest} | {took[slowest] * 1e3:.0f} ms | 1,500 ms |", flush=True)
    for name, seconds, limit in exercises.hanging():
        print(f"| {name} | {seconds:.2f} s | {limit:.1f} s |", flush=True)
    threads, descriptors, children, memory = exercises.many(300)
    print(f"| after 300 checks: threads, descriptors, children | {threads}, {descriptors}, {children} more | none |")
    print(f"| after 300 checks: memory | {memory / 1e6:.1f} MB more | 10 MB |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11, help="paired rounds of each comparison (at least 9; 11)")
    parser.add_argument(
        "--only",
        choices=("talk", "life", "crowd", "trace", "links", "panels", "exercises", "course"),
        help="one part of it",
    )
    parser.add_argument(
        "--unpinned", action="store_true", help="on all CPUs, as in a notebook; ratios mean little then"
    )
    args = parser.parse_args()
    if args.rounds < 9:
        parser.error("fewer than nine rounds say little about a median")
    everywhere = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    python = f"{platform.python_implementation()} {platform.python_version()}"
    where = f"{platform.system()} {platform.release()}, {os.cpu_count()} CPUs, {python}"
    print(f"{date.today()}, {where}; {args.rounds} rounds, {'not pinned' if args.unpinned else pin()}.")
    sys.stdout.flush()
    if args.only in (None, "talk"):
        of_talk(args.rounds)
    if args.only in (None, "life"):
        of_life(args.rounds)
    if args.only in (None, "crowd"):
        of_a_crowd()
    if args.only in (None, "trace"):
        of_the_trace(args.rounds)
    if args.only in (None, "links"):
        of_links(args.rounds)
    if everywhere:
        os.sched_setaffinity(0, everywhere)
    if args.only in (None, "links"):
        of_links_faults()
    if args.only in (None, "panels"):
        panels.of_panels()
    if args.only in (None, "exercises"):
        of_exercises()
    if args.only in (None, "course"):
        cost = course.import_cost(15)
        print(f"\n`import socketlab` takes {cost * 1e3:.1f} ms more than `import socket` (bar: 60 ms).")
        count, pair = course.validation(3)
        print(f"\nnbval, two workers: {count} notebooks {pair.ours:.1f} s, as many empty ones {pair.base:.1f} s: "
              f"{pair} × (bar: 4).")  # fmt: skip


if __name__ == "__main__":
    main()
