"""A small real fleet on loopback: real supervisords and workers that misbehave.

It is what `fleet demo` shows and what tests can stand on; nothing of it is needed on
real hosts.
"""

from supervisor_easy.demo.fleet import DemoFleet

__all__ = ["DemoFleet"]
