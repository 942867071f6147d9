"""Corrections, one per file: value in, better value out. Distances in metres, times in seconds, never frames."""
