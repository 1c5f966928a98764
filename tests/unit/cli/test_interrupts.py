"""Ctrl-C at moments when it must not come."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from manim_kernel_ext.commands.interrupts import interrupts_held

pytestmark = pytest.mark.timeout(30)


@pytest.fixture(autouse=True)
def default_handler() -> Iterator[None]:
    """Have Python's own handler, which a test run in the background lacks."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_inside(times: int, survived: list[int]) -> None:
    """Press Ctrl-C that often inside the block, and note each time that was lived through."""
    with interrupts_held():
        for number in range(times):
            signal.raise_signal(signal.SIGINT)
            survived.append(number)


def fail_inside() -> None:
    with interrupts_held():
        raise ValueError("bad")


def test_an_interrupt_waits_for_the_end_of_the_block() -> None:
    """Ctrl-C inside the block is raised after it, and what the block did is done."""
    survived: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        press_inside(1, survived)
    assert survived == [0]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_interrupt_does_not_wait() -> None:
    """Whoever presses Ctrl-C twice gets out of a block that hangs."""
    survived: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        press_inside(2, survived)
    assert survived == [0]


def test_an_error_of_the_block_passes_through() -> None:
    """An exception in the block is the block's outcome; the handler is as before."""
    with pytest.raises(ValueError, match="bad"):
        fail_inside()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_ignored_interrupt_stays_ignored() -> None:
    """A program in the background, which ignores Ctrl-C, goes on doing so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts_held():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
