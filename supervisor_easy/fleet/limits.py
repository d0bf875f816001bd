"""How long supervisord may take for a start or a stop, from its own configuration."""

from datetime import timedelta

from supervisor_easy.model import ProcessConfig

#: Deadline of a stop where the host does not tell `stopwaitsecs`.
UNKNOWN_STOP_TIME = timedelta(seconds=60)
#: `startsecs` and `startretries` assumed where the host does not tell them.
UNKNOWN_START_SECONDS = 10
UNKNOWN_START_RETRIES = 3


def stop_limit(config: ProcessConfig | None, margin: timedelta) -> timedelta:
    """Return after how long a stop has failed: supervisord kills at stopwaitsecs."""
    if config is None:
        return UNKNOWN_STOP_TIME + margin
    return timedelta(seconds=config.stopwaitsecs) + margin


def start_limit(config: ProcessConfig | None, margin: timedelta) -> timedelta:
    """Return after how long a start has failed.

    Supervisord tries `startretries` + 1 times and waits 1, 2, 3 … seconds in between.
    """
    seconds = max(config.startsecs, 1) if config else UNKNOWN_START_SECONDS
    retries = config.startretries if config else UNKNOWN_START_RETRIES
    waits = retries * (retries + 1) // 2
    return timedelta(seconds=seconds * (retries + 1) + waits) + margin
