"""The checker that holds every call in the tests against its annotations, shapes included."""

from beartype import BeartypeConf, beartype

# A whole number may stand where a float is wanted (PEP 484), as everywhere in Python.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
