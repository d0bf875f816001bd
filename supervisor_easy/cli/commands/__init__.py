"""The commands of `fleet`, one file a group of them; `cli.root` lists them.

A command parses, calls its backend and renders. Modules here import nothing heavy at
their top: completion loads them on every key.
"""
