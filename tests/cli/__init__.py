"""The command line program, against real supervisords."""
