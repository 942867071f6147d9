"""Several cameras, one clock, one person: which video is which camera, what time it is, who is who."""

from mocaplift.views.pairing import pair_cameras

__all__ = ["pair_cameras"]
