"""supervisor-easy: one console and one CLI over every supervisord of a team."""

__version__ = "0.1.0"
