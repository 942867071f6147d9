"""Several cameras, one clock, one person: which video is which camera, what time it is, who is who."""

from mocaplift.views.pairing import pair_cameras
from mocaplift.views.synchronise import Timing, find_offsets, on_one_clock, tracks_on_one_clock

__all__ = ["Timing", "find_offsets", "on_one_clock", "pair_cameras", "tracks_on_one_clock"]
