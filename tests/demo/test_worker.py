"""The demo's worker: its trouble has bounds."""

import pytest

from supervisor_easy.demo.worker import (
    LEAK_STEP_BYTES,
    Dice,
    Worker,
    crash,
    leak_step,
    show_traceback,
)


class Restless(Worker):
    """A worker that never sleeps."""

    def sleep(self, seconds: float) -> None:
        """Go on at once."""


def test_the_leak_stops_at_its_limit() -> None:
    held: list[bytes] = []

    for _ in range(10):
        leak_step(held, limit=3 * LEAK_STEP_BYTES)

    assert sum(map(len, held)) == 3 * LEAK_STEP_BYTES


def test_dice_stay_below_their_limit() -> None:
    dice = Dice("scanner_00")

    assert {dice.below(6) for _ in range(500)} == set(range(6))


def test_the_crash_comes_after_some_work(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TimeoutError):
        crash(Restless("proxy-pool"))

    assert "batch 15 stored" in capfd.readouterr().out


def test_a_traceback_has_many_lines(capfd: pytest.CaptureFixture[str]) -> None:
    show_traceback("upstream did not answer")

    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "TimeoutError: upstream did not answer"
    assert len(lines) > 5


def test_what_it_says_is_utf_8_in_any_locale(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    Worker("crawler_00").say("开始抓取")

    assert capfdbinary.readouterr().out == "开始抓取\n".encode()
