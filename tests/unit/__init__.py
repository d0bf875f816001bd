"""Tests of the parts that need no host, no disk and no network."""
