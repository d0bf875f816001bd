"""Tests of the console in a real Chromium, over real supervisords."""
