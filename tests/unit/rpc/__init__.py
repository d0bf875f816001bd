"""Tests of the values and the fake, without sockets."""
