"""Tests of the packages that users install."""
