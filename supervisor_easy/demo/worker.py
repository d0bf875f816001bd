"""One process of the demo: behaves, and logs, as its first argument says.

Standard library only, and little of it: forty of these share one machine. It runs as
a script (`python -S -E -u worker.py KIND NAME --demo=FOLDER`) and imports nothing of
ours. It ends by itself when its supervisord is gone.
"""

import os
import sys
import time

# signal.py imports enum, 1 MB in each of forty processes, to name two numbers.
from _signal import SIGTERM, signal  # type: ignore[import-not-found]

#: Bytes the leaking worker holds at most, and takes at a time.
LEAK_LIMIT_BYTES = 200 << 20
LEAK_STEP_BYTES = 1 << 20
#: Seconds that the slow worker goes on after TERM.
SLOW_STOP_SECONDS = 8
#: Longest sleep in one go, in seconds: how soon a lost supervisord is noticed.
NAP_SECONDS = 2.0

_ADDRESSES = (
    "ada@example.org",
    "li.wei@example.cn",
    "zoe@example.net",
    "sam@example.com",
)
_URLS = ("/", "/news", "/robots.txt", "/产品/列表", "/item?id=42", "/login")


class Dice:
    """Small pseudo-random numbers without the weight of `random`."""

    def __init__(self, seed: str) -> None:
        """Start from a name, so that equal workers do not march in step."""
        self._value = sum(ord(c) << (i % 16) for i, c in enumerate(seed)) ^ os.getpid()

    def below(self, limit: int) -> int:
        """Return a number from 0 to `limit` - 1."""
        self._value = (self._value * 1103515245 + 12345) & 0x7FFFFFFF
        return (self._value >> 8) % limit

    def between(self, low: float, high: float) -> float:
        """Return a number from `low` to `high`."""
        return low + (high - low) * self.below(1000) / 1000


class Worker:
    """What the styles share: its name, its dice, writing and waiting."""

    def __init__(self, name: str) -> None:
        """Remember who started us."""
        self.name = name
        self.dice = Dice(name)
        self.count = 0
        self._parent = os.getppid()

    def say(self, text: str, *, end: str = "\n") -> None:
        """Write to stdout as UTF-8, whatever the locale is."""
        self._write(1, text + end)

    def complain(self, text: str) -> None:
        """Write to stderr."""
        self._write(2, text + "\n")

    def _write(self, descriptor: int, text: str) -> None:
        try:
            os.write(descriptor, text.encode())
        except OSError:  # nobody reads any more: supervisord is gone
            sys.exit(0)

    def sleep(self, seconds: float) -> None:
        """Sleep, and end the process if its supervisord has gone meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, NAP_SECONDS))
            if os.getppid() != self._parent:
                sys.exit(0)

    def task_id(self) -> str:
        """Return something that looks like a Celery task's id."""
        part = self.dice.below
        return f"{part(1 << 20):08x}-{part(1 << 16):04x}-4{part(1 << 12):03x}"

    def stamp(self) -> str:
        """Return the time as Python's logging writes it."""
        now = time.time()
        whole = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        return f"{whole},{int(now % 1 * 1000):03d}"


def celery(worker: Worker) -> None:
    """Log as a Celery worker does, now and then with a traceback."""
    worker.say(f"[{worker.stamp()}: INFO/MainProcess] {worker.name} ready.")
    while True:
        task = f"tasks.{worker.name.partition('_')[0]}.run[{worker.task_id()}]"
        worker.say(f"[{worker.stamp()}: INFO/MainProcess] Task {task} received")
        took = worker.dice.between(0.2, 2.5)
        worker.sleep(took)
        child = f"ForkPoolWorker-{worker.dice.below(4) + 1}"
        if worker.dice.below(25) == 0:
            worker.say(
                f"[{worker.stamp()}: ERROR/{child}] Task {task} raised unexpected: "
                "TimeoutError('upstream did not answer')"
            )
            show_traceback("upstream did not answer")
        else:
            worker.say(
                f"[{worker.stamp()}: INFO/{child}] Task {task} succeeded in "
                f"{took:.3f}s: {{'found': {worker.dice.below(90)}}}"
            )
        worker.sleep(worker.dice.between(0.5, 4))


def show_traceback(reason: str) -> None:
    """Write a real traceback to stderr, many lines at once."""
    try:
        _fetch(reason)
    except TimeoutError:
        sys.__excepthook__(*sys.exc_info())


def _fetch(reason: str) -> None:
    _read(reason)


def _read(reason: str) -> None:
    raise TimeoutError(reason)


def json(worker: Worker) -> None:
    """Log one JSON object a line, as web programs do."""
    while True:
        worker.count += 1
        status = (200, 200, 200, 304, 404, 500)[worker.dice.below(6)]
        level = "error" if status == 500 else "info"
        worker.say(
            f'{{"ts": {time.time():.3f}, "level": "{level}", "status": {status}, '
            f'"path": "{_URLS[worker.dice.below(len(_URLS))]}", '
            f'"ms": {worker.dice.below(400)}, "n": {worker.count}}}'
        )
        worker.sleep(worker.dice.between(0.3, 2))


def colour(worker: Worker) -> None:
    """Log in ANSI colours."""
    levels = (("32", "INFO "), ("33", "WARN "), ("1;31", "ERROR"), ("36", "DEBUG"))
    while True:
        worker.count += 1
        code, level = levels[worker.dice.below(len(levels))]
        address = _ADDRESSES[worker.dice.below(len(_ADDRESSES))]
        worker.say(
            f"\x1b[2m{worker.stamp()}\x1b[0m \x1b[{code}m{level}\x1b[0m "
            f"message \x1b[1m#{worker.count}\x1b[0m for \x1b[4m{address}\x1b[0m"
        )
        worker.sleep(worker.dice.between(0.4, 2.5))


def chinese(worker: Worker) -> None:
    """Log in Chinese."""
    lines = ("开始抓取", "解析完成", "写入数据库", "重试第 1 次", "警告：响应过慢")
    while True:
        worker.count += 1
        line = lines[worker.dice.below(len(lines))]
        worker.say(f"{worker.stamp()} [{worker.name}] {line}：第 {worker.count} 页 ✓")
        worker.sleep(worker.dice.between(0.5, 3))


def progress(worker: Worker) -> None:
    """Draw a progress bar over itself with carriage returns."""
    while True:
        worker.count += 1
        for done in range(0, 101, 5):
            bar = "█" * (done // 5) + "░" * (20 - done // 5)
            worker.say(f"\rexport {worker.count} |{bar}| {done:3d}%", end="")
            worker.sleep(0.4)
        worker.say(f"\rexport {worker.count} finished, {worker.dice.below(9000)} rows")
        worker.sleep(worker.dice.between(2, 5))


def beat(worker: Worker) -> None:
    """Log as Celery's scheduler does, seldom."""
    while True:
        worker.say(
            f"[{worker.stamp()}: INFO/MainProcess] Scheduler: Sending due task "
            "sweep (tasks.scanner.sweep)"
        )
        worker.sleep(10)


def leak(worker: Worker) -> None:
    """Take ever more memory, up to a bound, and say so."""
    held: list[bytes] = []
    while True:
        leak_step(held)
        worker.say(f"{worker.stamp()} INFO cache holds {len(held)} MiB")
        worker.sleep(1)


def leak_step(held: list[bytes], *, limit: int = LEAK_LIMIT_BYTES) -> None:
    """Take one step more, never beyond `limit` bytes."""
    if (len(held) + 1) * LEAK_STEP_BYTES <= limit:
        # Written bytes: memory that was only asked for would not be resident.
        held.append(b"\x01" * LEAK_STEP_BYTES)


def crash(worker: Worker) -> None:
    """Work for a while, then die of an exception."""
    for _ in range(15 + worker.dice.below(25)):
        worker.count += 1
        worker.say(f"{worker.stamp()} INFO batch {worker.count} stored")
        worker.sleep(2)
    worker.complain(f"{worker.stamp()} CRITICAL connection to the broker lost")
    _fetch("broker did not answer")


def slow(worker: Worker) -> None:
    """Take its time to stop: TERM ends it only after its last batch."""

    def finish(_number: int, _frame: object) -> None:
        worker.say(f"{worker.stamp()} INFO TERM received, finishing the last batch")
        for left in range(SLOW_STOP_SECONDS, 0, -1):
            worker.say(f"{worker.stamp()} INFO {left} messages left")
            worker.sleep(1)
        sys.exit(0)

    signal(SIGTERM, finish)
    colour(worker)


def broken(worker: Worker) -> None:
    """End at once, as a program without its configuration does."""
    worker.complain(f"{worker.name}: settings.ini: no such file")
    sys.exit(3)


KINDS = {
    function.__name__: function
    for function in (
        *(celery, json, colour, chinese, progress, beat),
        *(leak, crash, slow, broken),
    )
}


def main() -> None:
    """Be the kind of worker that the command line names."""
    kind, name = sys.argv[1:3]
    try:
        KINDS[kind](Worker(name))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
