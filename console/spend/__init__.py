"""Spend that people bring themselves: files, and single figures."""
