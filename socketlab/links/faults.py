"""What can be wrong with a link: attributes that are checked when they are set, and may be set at any time.

The words are those of toxiproxy, which made them the standard. Times are seconds, sizes bytes, rates bytes per second,
probabilities 0 to 1; None, or 0 where that means the same, is "nothing wrong".
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar

_LONGEST = 3600.0  # s; a link that delays for more than an hour is a mistake in the unit
_LARGEST = 2**40  # bytes; more than any conversation on loopback

_Check = Callable[[str, Any], Any]


def _number(low: float, high: float, unit: str, none: bool = False) -> _Check:
    wanted = f"a number from {low:g} to {high:g}{unit and ' '}{unit}" + (", or None" if none else "")

    def check(name: str, value: Any) -> Any:
        if value is None and none:
            return None
        number: Any = value  # mypy does not compare a Real with a float
        if isinstance(value, bool) or not isinstance(value, Real):
            raise ValueError(f"{name} must be {wanted}, not {type(value).__name__} {value!r}")
        if not low <= number <= high:  # nor is NaN
            raise ValueError(f"{name} must be {wanted}, not {value!r}")
        return float(number)

    return check


def _count(low: int, unit: str, none: bool = True) -> _Check:
    wanted = f"a whole number of {unit} from {low} to 2**40" + (", or None" if none else "")

    def check(name: str, value: Any) -> Any:
        if value is None and none:
            return None
        number: Any = value
        if isinstance(value, bool) or not isinstance(value, Integral) or not low <= number <= _LARGEST:
            raise ValueError(f"{name} must be {wanted}, not {type(value).__name__} {value!r}")
        return int(number)

    return check


_SECONDS = _number(0, _LONGEST, "seconds")
_SECONDS_OR_NONE = _number(0, _LONGEST, "seconds", none=True)
_PROBABILITY = _number(0, 1, "")


class Faults:
    """The faults of one direction. Names that are not set are those of `parent`; a change is heard by `changed`."""

    CHECKS: ClassVar[dict[str, tuple[_Check, Any]]] = {}  # name: check, value when nothing is wrong

    def __init__(self, parent: Faults | None = None, changed: Callable[[], object] = lambda: None) -> None:
        self.__dict__.update(_own={}, _parent=parent, _heard=(changed,))

    def __getattr__(self, name: str) -> Any:
        if name not in self.CHECKS:
            raise AttributeError(self._advice(name))
        own: dict[str, Any] = self.__dict__["_own"]
        if name in own:
            return own[name]
        parent: Faults | None = self.__dict__["_parent"]
        return self.CHECKS[name][1] if parent is None else getattr(parent, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.set(**{name: value})

    def set(self, **faults: Any) -> None:
        """Set several at once, all or none. Raises ValueError for a value, AttributeError for a name."""
        checked = {}
        for name, value in faults.items():
            if name not in self.CHECKS:
                raise AttributeError(self._advice(name))
            checked[name] = self.CHECKS[name][0](name, value)
        self.__dict__["_own"].update(checked)
        self._tell()

    def heard_by(self, changed: Callable[[], object]) -> None:
        """From now on, call `changed` too after each change, in the thread that makes it."""
        self.__dict__["_heard"] = (*self.__dict__["_heard"], changed)

    def _tell(self) -> None:
        for changed in self.__dict__["_heard"]:
            changed()

    def clear(self) -> None:
        """Nothing is wrong any more; of a single connection: what is wrong with the link is wrong with it."""
        self.__dict__["_own"].clear()
        self._tell()

    def as_dict(self) -> dict[str, Any]:
        """All faults by name."""
        return {name: getattr(self, name) for name in self.CHECKS}

    @property
    def perfect(self) -> bool:
        """True where nothing is wrong."""
        return all(getattr(self, name) == value for name, (_, value) in self.CHECKS.items())

    def __repr__(self) -> str:
        wrong = [f"{name}={value}" for name, value in self.as_dict().items() if value != self.CHECKS[name][1]]
        return f"<{', '.join(wrong) or 'nothing wrong'}>"

    def _advice(self, name: str) -> str:
        return f"a link has no fault {name!r}; there are: {', '.join(self.CHECKS)}"


class StreamFaults(Faults):
    """What can be wrong with one direction of a TCP connection.

    ``latency``, ``jitter``   every byte arrives so many seconds later; jitter moves that up or down, at random
    ``bandwidth``             at most so many bytes per second; None: no limit
    ``slice_size``            data is cut into slices of about so many bytes; None: as it comes
    ``slice_variation``       by how many bytes the size of a slice differs, at random
    ``slice_delay``           seconds between two slices
    ``limit_data``            the connection is closed when so many bytes have passed; None: no limit
    ``slow_close``            seconds by which the end of the stream is delayed
    ``timeout``               nothing passes; the connection is closed after so many seconds, 0: never. None: off.
                              What came meanwhile is lost, so that of this connection nothing passes afterwards either
    ``reset_peer``            both sides are reset (RST) so many seconds after this was set or they connected. None: off
    """

    CHECKS: ClassVar[dict[str, tuple[_Check, Any]]] = {
        "latency": (_SECONDS, 0.0),
        "jitter": (_SECONDS, 0.0),
        "bandwidth": (_number(1, _LARGEST, "bytes per second", none=True), None),
        "slice_size": (_count(1, "bytes"), None),
        "slice_variation": (_count(0, "bytes", none=False), 0),
        "slice_delay": (_SECONDS, 0.0),
        "limit_data": (_count(0, "bytes"), None),
        "slow_close": (_SECONDS, 0.0),
        "timeout": (_SECONDS_OR_NONE, None),
        "reset_peer": (_SECONDS_OR_NONE, None),
    }


class DatagramFaults(Faults):
    """What can be wrong with one direction of datagrams.

    ``loss``                  the probability that a datagram does not arrive
    ``duplication``           that it arrives twice
    ``reordering``            that it arrives behind the one that follows it, or 50 ms later where none does
    ``corruption``            that one of its bits is flipped
    ``latency``, ``jitter``   as for a stream; jitter can change the order, as it does in a network
    """

    CHECKS: ClassVar[dict[str, tuple[_Check, Any]]] = {
        "loss": (_PROBABILITY, 0.0),
        "duplication": (_PROBABILITY, 0.0),
        "reordering": (_PROBABILITY, 0.0),
        "corruption": (_PROBABILITY, 0.0),
        "latency": (_SECONDS, 0.0),
        "jitter": (_SECONDS, 0.0),
    }


class BothWays:
    """Something with faults in two directions, `up` and `down`: a fault that is set here is set for both."""

    up: Any
    down: Any

    def __getattr__(self, name: str) -> Any:
        up: Faults | None = self.__dict__.get("up")
        if up is None or name not in up.CHECKS:
            raise AttributeError(up._advice(name) if up is not None and name[:1] != "_" else name)
        one, other = getattr(up, name), getattr(self.down, name)
        return one if one == other else (one, other)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or (name in ("up", "down") and name not in self.__dict__):
            object.__setattr__(self, name, value)
            return
        self.up.set(**{name: value})
        self.down.set(**{name: value})

    def clear(self) -> None:
        """Nothing is wrong any more in either direction."""
        self.up.clear()
        self.down.clear()
