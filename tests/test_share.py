"""What one run leaves out, another takes."""

from __future__ import annotations

import pytest
import share


def test_the_seeds_together_take_everything_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "ALL", False)
    taken = []
    for seed in range(share.SHARES):
        monkeypatch.setattr(share, "SEED", seed)
        taken += share.share_of(range(10))
    assert sorted(taken) == list(range(10))


def test_a_seed_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCKETLAB_SEED", "today")
    with pytest.raises(ValueError, match="SOCKETLAB_SEED wanted a number .* 'today'"):
        share._number("SOCKETLAB_SEED")


def test_all_leaves_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "ALL", True)
    assert share.share_of("abcd") == list("abcd")
