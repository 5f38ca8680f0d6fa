"""A link for people: what a fault is, what has been changed, and what a conversation through it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...measure.timing import seconds_text

if TYPE_CHECKING:
    from .probe import LinkProbe

_SIZES = ("slice_size", "slice_variation", "limit_data")
_SHARES = ("loss", "duplication", "reordering", "corruption")

BothFaults = tuple[Mapping[str, Any], Mapping[str, Any]]  # up, down


def fault_text(name: str, value: Any) -> str:
    """A fault in words: ``latency 200 ms``, ``bandwidth 94 kB/s``, ``loss 10 %``, ``timeout off``."""
    label = name.replace("_", " ")
    if value is None:
        return f"{label} off"
    if name == "bandwidth":
        size, unit = next(((value / s, u) for s, u in ((1e6, "MB/s"), (1e3, "kB/s")) if value >= s), (value, "B/s"))
        return f"{label} {size:.3g} {unit}"
    if name in _SIZES:
        return f"{label} {value:,} {'byte' if value == 1 else 'bytes'}"
    if name in _SHARES:
        return f"{label} {value * 100:.3g} %"
    return f"{label} {seconds_text(value) if value else '0 ms'}"


def changes_in_words(before: BothFaults, after: BothFaults) -> dict[str, str]:
    """What is different, in words, by name; what is so in one direction alone by that direction's and its name."""
    words = {}
    for name in after[0]:
        was, now = [faults[name] for faults in before], [faults[name] for faults in after]
        if was != now and now[0] == now[1]:
            words[name] = fault_text(name, now[0])
            continue
        for n, way in enumerate(("up", "down")):
            if was[n] != now[n]:
                words[f"{way} {name}"] = f"{way} {fault_text(name, now[n])}"
    return words


def connections_in_words(probe: LinkProbe) -> str:
    """What is to be seen of a conversation over TCP."""
    told = [event for event in probe.events if event.what not in ("fault", "again")]
    if probe.closed:
        return "The link is closed: whoever connects there is refused."
    lately = [one for one in probe.lately if one.last is not None] or list(probe.answered[-10:])
    sentences = []
    waiting = probe.waiting
    stuck = waiting and probe.seconds - waiting[0].sent > 1 + 2 * _median([one.took for one in lately])
    if stuck:
        longest = seconds_text(probe.seconds - waiting[0].sent, 2)
        sentences.append(f"{_plural(len(waiting), 'message')} wait{'s' * (len(waiting) == 1)} for an answer, "
                         f"the oldest for {longest}.")  # fmt: skip
    if lately and not (stuck and not probe.lately):
        median = seconds_text(_median([one.took for one in lately]), 2)
        pieces = _median([len(one.sizes) for one in lately])
        split = f" and comes in {pieces:g} recvs" if pieces > 1 else ""
        sentences.append(f"An answer takes {median}{split} (median).")
    if told and told[-1].at > probe.seconds - 5:
        sentences.append(f"{_capital(told[-1].words)}.")
    if probe.failed:
        sentences.append(f"{_plural(len(probe.failed), 'message')} of the last 15 s will never be answered.")
    return " ".join(sentences) or "Nothing has come back yet."


def datagrams_in_words(probe: LinkProbe) -> str:
    """The same over UDP."""
    if probe.closed:
        return "The link is closed: datagrams to it are refused."
    settled = [one for one in probe.exchanges if one.end != "waiting"]
    if not settled:
        return "Nothing has come back yet."
    lost = sum(one.end == "lost" for one in settled)
    words = [f"{_plural(lost, 'was', 'were')} lost" if lost else "none was lost"]
    for number, what in (
        (sum(len(one.sizes) > 1 for one in settled), "came more than once"),
        (sum(one.overtaken for one in settled), "came late, behind a later one"),
        (sum(one.end == "changed" for one in settled), "came with other bytes"),
    ):
        if number:
            words.append(f"{number} {what}")
    sentences = [f"Of {_plural(len(settled), 'datagram')} {', '.join(words)}."]
    times = [one.took for one in probe.lately if one.last is not None]
    if times:
        sentences.append(f"A round trip takes {seconds_text(_median(times), 2)} (median).")
    last = probe.events[-1] if probe.events else None
    if last is not None and last.what == "refused":
        sentences.append(f"{_capital(last.words)}.")
    return " ".join(sentences)


def _median(values: list[Any]) -> float:
    return float(sorted(values)[len(values) // 2]) if values else 0.0


def _plural(count: int, noun: str, many: str = "") -> str:
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def _capital(words: str) -> str:
    return words if words.startswith("recv") else words[:1].upper() + words[1:]
