"""Tests on real sockets and real supervisords."""
