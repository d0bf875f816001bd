"""Logs: the pure parts, and readers over a real file read by supervisord's rules."""
