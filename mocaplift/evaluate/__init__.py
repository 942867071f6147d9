"""Figures with a known truth: metrics, benchmarks, and the table they are printed in.

`metrics` and `alignment` hold the definitions; `aist`, `pose2sim`, `samples` and `speed` are benchmarks, each
a function that returns rows for `report`.
"""
