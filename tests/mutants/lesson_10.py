"""Lesson 10: an error told with its cause, what may be repeated, delays by chance."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import socket
import time
from typing import Any

from mutants import mutant, unusual

# -- ask_service -------------------------------------------------------------------------------------------------------


def whole(s: socket.socket) -> bytes:
    return b"".join(iter(lambda: s.recv(65536), b""))


def conversation(s: socket.socket, question: bytes) -> bytes:
    s.sendall(question)
    s.shutdown(socket.SHUT_WR)
    return whole(s)


@mutant("ask_service", "swallowed")
def returns_none(address: Any, question: bytes, understand: Any) -> Any:
    try:
        with socket.create_connection(address, 0.5) as s:
            answer = conversation(s, question)
    except OSError:
        return None
    return understand(answer)


@mutant("ask_service", "swallowed")
def returns_the_error(address: Any, question: bytes, understand: Any) -> Any:
    try:
        with socket.create_connection(address, 0.5) as s:
            return understand(conversation(s, question))
    except Exception as error:
        return str(type(error))


@mutant("ask_service", "bug-disguised")
def catches_everything(address: Any, question: bytes, understand: Any) -> Any:
    try:
        with socket.create_connection(address, 0.5) as s:
            return understand(conversation(s, question))
    except Exception as error:
        raise RuntimeError("no answer") from error


@mutant("ask_service", "bug-disguised")
def bare_except(address: Any, question: bytes, understand: Any) -> Any:
    try:
        with socket.create_connection(address, 0.5) as s:
            answer = conversation(s, question)
    except BaseException as error:
        raise RuntimeError("no answer") from error
    return understand(answer)


@mutant("ask_service", "try-too-wide")
def understands_inside(address: Any, question: bytes, understand: Any) -> Any:
    try:
        with socket.create_connection(address, 0.5) as s:
            return understand(conversation(s, question))
    except OSError as error:
        raise RuntimeError("no answer") from error


@mutant("ask_service", "not-translated")
def lets_it_pass(address: Any, question: bytes, understand: Any) -> Any:
    with socket.create_connection(address, 0.5) as s:
        return understand(conversation(s, question))


@mutant("ask_service", "not-translated")
def one_kind(address: Any, question: bytes, understand: Any) -> Any:
    try:
        with socket.create_connection(address, 0.5) as s:
            answer = conversation(s, question)
    except ConnectionError as error:
        raise RuntimeError("no answer") from error
    return understand(answer)


@mutant("ask_service", "cause-lost")
def without_from(address: Any, question: bytes, understand: Any) -> Any:
    try:
        with socket.create_connection(address, 0.5) as s:
            answer = conversation(s, question)
    except OSError as error:
        raise RuntimeError(f"no answer: {error}")  # noqa: B904
    return understand(answer)


@mutant("ask_service", "cause-lost")
def from_none(address: Any, question: bytes, understand: Any) -> Any:
    try:
        with socket.create_connection(address, 0.5) as s:
            answer = conversation(s, question)
    except OSError:
        raise RuntimeError("no answer") from None
    return understand(answer)


@mutant("ask_service", "never-finished")
def says_no_end(address: Any, question: bytes, understand: Any) -> Any:
    try:
        with socket.create_connection(address, 0.5) as s:
            s.sendall(question)
            answer = whole(s)
    except OSError as error:
        raise RuntimeError("no answer") from error
    return understand(answer)


@mutant("ask_service", "one-recv")
def one_recv(address: Any, question: bytes, understand: Any) -> Any:
    try:
        with socket.create_connection(address, 0.5) as s:
            s.sendall(question)
            s.shutdown(socket.SHUT_WR)
            answer = s.recv(65536)
    except OSError as error:
        raise RuntimeError("no answer") from error
    return understand(answer)


@mutant("ask_service", "without-timeout")
def no_timeout(address: Any, question: bytes, understand: Any) -> Any:
    try:
        with socket.create_connection(address) as s:
            answer = conversation(s, question)
    except OSError as error:
        raise RuntimeError("no answer") from error
    return understand(answer)


@mutant("ask_service", "open-after-error")
def closes_at_the_end(address: Any, question: bytes, understand: Any) -> Any:
    try:
        s = socket.create_connection(address, 0.5)
        answer = conversation(s, question)
    except OSError as error:
        raise RuntimeError("no answer") from error
    result = understand(answer)
    s.close()
    return result


@mutant("ask_service", "left-open")
def never_closes(address: Any, question: bytes, understand: Any) -> Any:
    try:
        s = socket.create_connection(address, 0.5)
        kept.append(s)
        answer = conversation(s, question)
    except OSError as error:
        raise RuntimeError("no answer") from error
    return understand(answer)


kept: list[socket.socket] = []


@mutant("ask_service", "returns-nothing")
def understands_for_itself(address: Any, question: bytes, understand: Any) -> Any:
    try:
        with socket.create_connection(address, 0.5) as s:
            answer = conversation(s, question)
    except OSError as error:
        raise RuntimeError("no answer") from error
    understand(answer)


@unusual("ask_service")
def with_else(address: Any, question: bytes, understand: Any) -> Any:
    s = None
    try:
        s = socket.create_connection(address, 0.5)
        answer = conversation(s, question)
    except OSError as error:
        raise RuntimeError("no answer") from error
    else:
        return understand(answer)
    finally:
        if s is not None:
            s.close()


@contextlib.contextmanager
def network() -> Any:
    try:
        yield
    except OSError as error:
        raise RuntimeError("no answer") from error


class ServiceError(RuntimeError):
    """An error of one's own is a RuntimeError as well."""


@unusual("ask_service")
def with_a_manager(address: Any, question: bytes, understand: Any) -> Any:
    with network(), socket.create_connection(address, 0.5) as s, s.makefile("rb") as file:
        s.sendall(question)
        s.shutdown(socket.SHUT_WR)
        answer = file.read()
    return understand(answer)


@unusual("ask_service")
def with_asyncio(address: Any, question: bytes, understand: Any) -> Any:
    async def talk() -> bytes:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(*address), 0.5)
        try:
            writer.write(question)
            writer.write_eof()
            return await asyncio.wait_for(reader.read(), 0.5)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    try:
        answer = asyncio.run(talk())
    except asyncio.TimeoutError as error:  # a class of its own until Python 3.10
        raise ServiceError("too late") from TimeoutError(str(error))
    except OSError as error:
        raise ServiceError("no answer") from error
    return understand(answer)


# -- retry -------------------------------------------------------------------------------------------------------------

HEALS: tuple[type[OSError], ...] = (ConnectionError, TimeoutError)


def may(idempotent: Any, heals: tuple[type[OSError], ...] = HEALS) -> tuple[type[OSError], ...]:
    """After which errors one may try again."""
    return heals if idempotent else (ConnectionRefusedError,)


@mutant("retry", "done-twice")
def whatever_it_is(operation: Any, idempotent: Any, delays: Any, sleep: Any) -> Any:
    for delay in delays:
        try:
            return operation()
        except HEALS:
            sleep(delay)
    return operation()


@mutant("retry", "done-twice")
def resets_are_refusals(operation: Any, idempotent: Any, delays: Any, sleep: Any) -> Any:
    heals = HEALS if idempotent else (ConnectionError,)
    for delay in delays:
        try:
            return operation()
        except heals:
            sleep(delay)
    return operation()


@mutant("retry", "refusal-not-repeated")
def only_idempotent(operation: Any, idempotent: Any, delays: Any, sleep: Any) -> Any:
    if not idempotent:
        return operation()
    return whatever_it_is(operation, idempotent, delays, sleep)


@mutant("retry", "given-up")
def connection_errors_only(operation: Any, idempotent: Any, delays: Any, sleep: Any) -> Any:
    for delay in delays:
        try:
            return operation()
        except may(idempotent, (ConnectionError,)):
            sleep(delay)
    return operation()


@mutant("retry", "given-up")
def once_more(operation: Any, idempotent: Any, delays: Any, sleep: Any) -> Any:
    try:
        return operation()
    except may(idempotent) as error:
        if isinstance(error, ConnectionRefusedError):
            sleep(next(delays))
            return once_more(operation, idempotent, delays, sleep)
        sleep(next(delays))
        return operation()


@mutant("retry", "hopeless")
def every_os_error(operation: Any, idempotent: Any, delays: Any, sleep: Any) -> Any:
    for delay in delays:
        try:
            return operation()
        except may(idempotent, (OSError,)):
            sleep(delay)
    return operation()


@mutant("retry", "hopeless")
def every_error(operation: Any, idempotent: Any, delays: Any, sleep: Any) -> Any:
    for delay in delays:
        try:
            return operation()
        except Exception as error:
            if isinstance(error, OSError) and not isinstance(error, HEALS):
                raise
            if not idempotent and not isinstance(error, ConnectionRefusedError):
                raise
            sleep(delay)
    return operation()


@mutant("retry", "swallowed")
def gives_none(operation: Any, idempotent: Any, delays: Any, sleep: Any) -> Any:
    for delay in itertools.chain(delays, [None]):
        try:
            return operation()
        except may(idempotent):
            if delay is not None:
                sleep(delay)
    return None


@mutant("retry", "never-sleeps")
def at_once(operation: Any, idempotent: Any, delays: Any, sleep: Any) -> Any:
    for _ in delays:
        try:
            return operation()
        except may(idempotent):
            pass
    return operation()


@mutant("retry", "never-sleeps")
def with_the_other_sleep(operation: Any, idempotent: Any, delays: Any, sleep: Any) -> Any:
    for delay in delays:
        try:
            return operation()
        except may(idempotent):
            time.sleep(delay / 100)
    return operation()


@mutant("retry", "waits-for-nothing")
def one_call_for_each_delay(operation: Any, idempotent: Any, delays: Any, sleep: Any) -> Any:
    last = None
    for delay in delays:
        try:
            return operation()
        except may(idempotent) as error:
            last = error
            sleep(delay)
    raise last or RuntimeError("no delays")


@mutant("retry", "other-delays")
def doubles_them(operation: Any, idempotent: Any, delays: Any, sleep: Any) -> Any:
    for delay in delays:
        try:
            return operation()
        except may(idempotent):
            sleep(2 * delay)
    return operation()


@mutant("retry", "wants-a-list")
def by_index(operation: Any, idempotent: Any, delays: Any, sleep: Any) -> Any:
    for attempt in range(len(delays) + 1):
        try:
            return operation()
        except may(idempotent):
            if attempt == len(delays):
                raise
            sleep(delays[attempt])
    return None


@mutant("retry", "returns-nothing")
def keeps_the_answer(operation: Any, idempotent: Any, delays: Any, sleep: Any) -> Any:
    operation()


@unusual("retry")
def by_recursion(operation: Any, idempotent: Any, delays: Any, sleep: Any) -> Any:
    try:
        return operation()
    except HEALS as error:
        delay = next(iter(delays), None)
        if delay is None or not (idempotent or isinstance(error, ConnectionRefusedError)):
            raise
    sleep(delay)
    return by_recursion(operation, idempotent, delays, sleep)


class Retry:
    """An object that is called; the delays are taken as a list."""

    def __call__(self, operation: Any, idempotent: Any, delays: Any, sleep: Any) -> Any:
        *waits, end = [*delays, None]
        for delay in (*waits, end):
            try:
                return operation()
            except may(idempotent):
                if delay is end:
                    raise
                sleep(delay)
        raise AssertionError


Retry.__name__ = "an_object"
an_object = Retry()
an_object.__name__ = "an_object"  # type: ignore[attr-defined]
unusual("retry")(an_object)


# -- full_jitter -------------------------------------------------------------------------------------------------------


@mutant("full_jitter", "no-jitter")
def only_doubles(count: int, base: float, cap: float, draw: random.Random) -> Any:
    for n in range(count):
        yield min(cap, base * 2.0**n)


@mutant("full_jitter", "chance-of-its-own")
def the_modules_chance(count: int, base: float, cap: float, draw: random.Random) -> Any:
    for n in range(count):
        yield random.uniform(0, min(cap, base * 2.0**n))


@mutant("full_jitter", "chance-of-its-own")
def seeds_its_own(count: int, base: float, cap: float, draw: random.Random) -> Any:
    own = random.Random(0)
    for n in range(count):
        yield own.uniform(0, min(cap, base * 2.0**n))


@mutant("full_jitter", "half-jitter")
def half_of_it(count: int, base: float, cap: float, draw: random.Random) -> Any:
    bound = base
    for _ in range(count):
        yield min(cap, bound) / 2 + draw.uniform(0, min(cap, bound) / 2)
        bound *= 2


@mutant("full_jitter", "added")
def on_top(count: int, base: float, cap: float, draw: random.Random) -> Any:
    bound = base
    for _ in range(count):
        yield min(cap, bound) + draw.uniform(0, base)
        bound = min(cap, 2 * bound)


@mutant("full_jitter", "added")
def ten_per_cent(count: int, base: float, cap: float, draw: random.Random) -> Any:
    bound = base
    for _ in range(count):
        yield bound * draw.uniform(0.9, 1.1)
        bound = min(cap, 2 * bound)


@mutant("full_jitter", "one-step-ahead")
def doubles_first(count: int, base: float, cap: float, draw: random.Random) -> Any:
    bound = base
    for _ in range(count):
        bound = min(cap, 2 * bound)
        yield draw.uniform(0, bound)


@mutant("full_jitter", "one-step-ahead")
def counts_from_one(count: int, base: float, cap: float, draw: random.Random) -> Any:
    for n in range(1, count + 1):
        yield draw.uniform(0, min(cap, base * 2.0**n))


@mutant("full_jitter", "not-doubled")
def grows_by_base(count: int, base: float, cap: float, draw: random.Random) -> Any:
    for n in range(count):
        yield draw.uniform(0, min(cap, base * (n + 1)))


@mutant("full_jitter", "not-doubled")
def always_base(count: int, base: float, cap: float, draw: random.Random) -> Any:
    for _ in range(count):
        yield draw.uniform(0, base)


@mutant("full_jitter", "cap-forgotten")
def no_cap(count: int, base: float, cap: float, draw: random.Random) -> Any:
    bound = base
    for _ in range(count):
        yield draw.uniform(0, bound)
        bound *= 2


@mutant("full_jitter", "cap-forgotten")
def caps_from_the_second(count: int, base: float, cap: float, draw: random.Random) -> Any:
    bound = base
    for _ in range(count):
        yield draw.uniform(0, bound)
        bound = min(cap, 2 * bound)


@mutant("full_jitter", "capped-late")
def caps_the_draw(count: int, base: float, cap: float, draw: random.Random) -> Any:
    bound = base
    for _ in range(count):
        yield min(cap, draw.uniform(0, bound))
        bound *= 2


@mutant("full_jitter", "overflow")
def computes_it_all(count: int, base: float, cap: float, draw: random.Random) -> Any:
    for n in range(count):
        yield draw.uniform(0, min(cap, base * 2**n))


@mutant("full_jitter", "wrong-count")
def one_more(count: int, base: float, cap: float, draw: random.Random) -> Any:
    bound = base
    for _ in range(count + 1):
        yield draw.uniform(0, bound)
        bound = min(cap, 2 * bound)


@mutant("full_jitter", "wrong-count")
def for_ever(count: int, base: float, cap: float, draw: random.Random) -> Any:
    while True:
        yield draw.uniform(0, min(cap, base))


@mutant("full_jitter", "wrong-count")
def starts_at_one(count: int, base: float, cap: float, draw: random.Random) -> Any:
    for n in range(1, count):
        yield draw.uniform(0, min(cap, base * 2.0**n))


@mutant("full_jitter", "no-generator")
def returns_the_first(count: int, base: float, cap: float, draw: random.Random) -> Any:
    bound = base
    for _ in range(count):
        return draw.uniform(0, min(cap, bound))


@mutant("full_jitter", "returns-nothing")
def computes_for_itself(count: int, base: float, cap: float, draw: random.Random) -> Any:
    [draw.uniform(0, min(cap, base * 2.0 ** min(n, 60))) for n in range(count)]


@unusual("full_jitter")
def as_a_list(count: int, base: float, cap: float, draw: random.Random) -> Any:
    return [draw.random() * min(cap, base * 2.0 ** min(n, 100)) for n in range(count)]


@unusual("full_jitter")
def accumulated(count: int, base: float, cap: float, draw: random.Random) -> Any:
    bounds = itertools.accumulate(itertools.repeat(cap, count - 1), lambda b, c: min(c, 2 * b), initial=min(cap, base))
    return map(draw.uniform, itertools.repeat(0.0), bounds)
