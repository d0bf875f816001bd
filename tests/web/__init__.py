"""Tests of the console: pages, API, streams, security."""
