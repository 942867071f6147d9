"""What time it is: the cameras' offsets from how they were started, from motion or from sound."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from mocaplift.detect.track import Track
from mocaplift.errors import InvalidData, NoPersonFound
from mocaplift.values import Camera, Clip
from mocaplift.views.motion_offsets import offsets_by_motion
from mocaplift.views.shared_clock import Timing, given, on_one_clock, same_clock, tracks_on_one_clock
from mocaplift.views.sound_offsets import offsets_by_sound

__all__ = ["Timing", "find_offsets", "on_one_clock", "tracks_on_one_clock"]

# Sound and motion that differ by more than this (s) do not mean the same moment.
CONTRADICTION = 0.1

_log = logging.getLogger(__name__)


def find_offsets(
    tracks_per_view: Sequence[Sequence[Track]], clips: Sequence[Clip], cameras: Sequence[Camera], mode: str
) -> Timing:
    """Return how the cameras' clocks relate.

    Args:
        tracks_per_view: everybody in each view, each on its own clip's clock.
        clips: one for each view.
        cameras: one for each view, in one world of any unit and axes.
        mode: `none` (the first frames were taken at the same moment), `motion`, `sound`, `auto` (motion, helped by
            sound where all clips have it; sound alone where motion does not tell), or the offsets in seconds:
            `0,0.12,-0.3`.

    Raises:
        ConfigError: the mode is none of these, or not one offset for each clip.
        NoPersonFound: motion is to tell, and nobody is in a view.
        InvalidData: neither motion nor sound tells; the message says what would help.
        VideoError: sound is to tell, and a file has gone.
    """
    if mode == "none" or (len(clips) == 1 and mode in ("auto", "motion", "sound")):
        return same_clock(len(clips))
    if mode == "motion":
        return offsets_by_motion(tracks_per_view, clips, cameras)
    if mode == "sound":
        return offsets_by_sound(clips)
    if mode != "auto":
        return given(mode, len(clips))
    heard: Timing | None = None
    try:
        heard = offsets_by_sound(clips)
    except InvalidData as error:
        _log.info("sound does not tell the clocks: %s", error)
    try:
        seen = offsets_by_motion(
            tracks_per_view, clips, cameras, hints=None if heard is None else heard.offsets
        )
    except (InvalidData, NoPersonFound) as error:
        if heard is None:
            raise
        _log.warning("clocks are set by sound alone: %s", error)
        return heard
    if heard is not None:
        apart = np.abs(np.array(seen.offsets) - np.array(heard.offsets))
        if apart.max() > CONTRADICTION:
            worst = int(apart.argmax())
            _log.warning(
                "%s: sound and motion set its clock %.2f s apart; motion is believed",
                *(clips[worst].path, apart[worst]),
            )
    return seen
