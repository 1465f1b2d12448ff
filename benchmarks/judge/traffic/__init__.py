"""The library of traffic models, each with innocent and guilty candidates.

A `Model` makes a `Scenario` from a `Random` and a `Case`; `library.MODELS` has them by name. Requests are drawn one by
one in effect (Poisson arrivals, each with its own chance to fail), with a seed, and added up to ticks.
"""
