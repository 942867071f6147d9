"""Figures with a known truth: metrics, benchmarks, and the table they are printed in.

`metrics` and `alignment` hold the definitions, `single` and `several` how one view and several are scored by
them; `aist`, `pose2sim`, `samples` and `speed` are benchmarks, each a function that returns rows for `report`.
`baselines` and `published` are what our lifters are held against.
"""
