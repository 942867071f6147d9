"""What the readers of other people's pickles share: no file makes Python set aside memory that it does not fill.

Which names a file may use is each reader's own affair (`find_class`).
"""

from __future__ import annotations

import pickle  # noqa: TID251 - only its unpickler, whose users restrict it to what they know
import pickletools
from io import BufferedReader, BytesIO
from itertools import count
from typing import Any

# A pickle numbers what it may use again. Room is made for all numbers up to the highest: one code that says two
# thousand million takes 32 GB. Files of models and cameras number some thousands.
MOST_STORED = 1_000_000
# Each code makes at most one object, and an empty set is a byte in the file and 216 in memory.
MOST_CODES = 5_000_000
_CODES = {each.code.encode("latin1"): each for each in pickletools.opcodes}
_STORES = {"PUT", "BINPUT", "LONG_BINPUT"}

Stream = BufferedReader | BytesIO


class BoundedUnpickler(pickle.Unpickler):
    """An unpickler that looks through a pickle before it obeys it."""

    def __init__(self, file: Stream, **options: Any) -> None:
        """Look through the pickle that begins here.

        Raises:
            UnpicklingError: it would take memory out of proportion, or is none.
            ValueError: it is cut off, or is none.
        """
        start = file.tell()
        _check_size(file)
        file.seek(start)
        super().__init__(file, **options)


def _check_size(file: Stream) -> None:
    for number in count():
        code = file.read(1)
        known = _CODES.get(code)
        if known is None or number >= MOST_CODES:
            what = "ends too early" if not code else "has too many codes" if known else "is none"
            raise pickle.UnpicklingError(f"this pickle {what}")
        if known.name == "STOP":
            return
        if known.name == "STRING":
            file.readline()  # Python 2 wrote arrays so, which pickletools takes for text
        elif known.arg is not None:
            argument = known.arg.reader(file)
            if known.name in _STORES and not 0 <= argument <= MOST_STORED:
                raise pickle.UnpicklingError(f"this pickle stores something at an absurd place ({argument})")
