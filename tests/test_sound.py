"""Sound of videos and offsets by it: claps, noise and echoes of which the times are known."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mocaplift import sound, video
from mocaplift.errors import InvalidData, NoPersonFound
from mocaplift.values import Clip
from mocaplift.views import find_offsets
from tests.clips import numbered, write_clip

SAMPLES = 44100  # a second
CLAPS = (2.13, 3.40, 4.02, 5.55, 7.21)  # s


def room(seconds: float = 9.0) -> np.ndarray:
    """Return what is heard in the room: claps of different loudness."""
    rng = np.random.default_rng(0)
    out = np.zeros(int(seconds * SAMPLES))
    length = int(0.03 * SAMPLES)
    for number, moment in enumerate(CLAPS):
        place = int(moment * SAMPLES)
        fading = np.exp(-np.arange(length) / (0.005 * SAMPLES))
        out[place : place + length] += rng.normal(0, 0.2 + 0.1 * number, length) * fading
    return out


def recorded(path: Path, heard: np.ndarray, fps: int = 10, codec: str = "aac", noise: float = 0.003) -> Clip:
    """Write a video whose microphone, with hiss of its own, heard this, and return the clip."""
    rng = np.random.default_rng(len(heard))
    samples = (heard + rng.normal(0, noise, len(heard))).astype(np.float32)
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=fps)
        pictures.width, pictures.height, pictures.pix_fmt = 96, 64, "yuv420p"
        stream = container.add_stream(codec, rate=SAMPLES)
        stream.layout = "mono"
        for index in range(int(len(heard) / SAMPLES * fps)):
            picture = av.VideoFrame.from_ndarray(numbered(index), format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, fps)
            container.mux(pictures.encode(picture))
        container.mux(pictures.encode(None))
        for begin in range(0, len(samples), 1024):
            piece = av.AudioFrame.from_ndarray(
                samples[None, begin : begin + 1024], format="fltp", layout="mono"
            )
            piece.sample_rate, piece.pts = SAMPLES, begin
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return video.probe(path)


def later(seconds: float) -> np.ndarray:
    return room()[int(seconds * SAMPLES) :]


class TestCurve:
    def test_claps_are_where_they_were_made(self, tmp_path: Path) -> None:
        curve = sound.sudden_noises(recorded(tmp_path / "a.mp4", room()))
        assert curve is not None
        assert (curve >= 0).all()
        for moment in CLAPS:
            place = round(moment * 1000)
            near = curve[place - 200 : place + 200]
            assert abs(int(near.argmax()) - 200) <= 2

    def test_time_counts_from_the_clips_start(self, tmp_path: Path) -> None:
        clip = recorded(tmp_path / "a.mp4", room())
        curve = sound.sudden_noises(video.probe(clip.path, start=2.0, end=3.0))
        assert curve is not None
        assert len(curve) == 1001
        assert abs(int(curve.argmax()) - 130) <= 2

    def test_slowed_sound_is_put_back_to_life(self, tmp_path: Path) -> None:
        path = recorded(tmp_path / "a.mp4", room()).path
        curve = sound.sudden_noises(video.probe(path, slow_motion=2.0))
        assert curve is not None
        assert abs(int(curve[1600:1800].argmax()) + 1600 - CLAPS[1] * 500) <= 2

    def test_no_sound_and_silence_are_none(self, tmp_path: Path) -> None:
        mute = write_clip(tmp_path / "mute.mp4", [numbered(k) for k in range(8)])
        silent = write_clip(tmp_path / "silent.mp4", [numbered(k) for k in range(8)], sound_s=0.3)
        assert sound.sudden_noises(video.probe(mute)) is None
        assert sound.sudden_noises(video.probe(silent)) is None

    def test_a_damaged_file_gives_what_can_be_heard(self, tmp_path: Path) -> None:
        clip = recorded(tmp_path / "a.mkv", room())
        content = bytearray(clip.path.read_bytes())
        for place in range(len(content) // 2, len(content) // 2 + 4000):
            content[place] ^= 0x5A
        clip.path.write_bytes(bytes(content[: len(content) * 3 // 4]))
        curve = sound.sudden_noises(clip)
        assert curve is not None
        assert abs(int(curve[1930:2330].argmax()) - 200) <= 2


class TestOffsets:
    def test_they_are_found_to_a_millisecond(self, tmp_path: Path) -> None:
        clips = [
            recorded(tmp_path / "a.mp4", later(0.0)),
            recorded(tmp_path / "b.mp4", 0.2 * later(1.2345), fps=15),
            recorded(tmp_path / "c.mkv", later(0.5), codec="pcm_s16le", noise=0.02),
        ]
        found = find_offsets([[], [], []], clips, [], "sound")
        assert found.source == "sound"
        np.testing.assert_allclose(found.offsets, [0.0, 1.2345, 0.5], atol=0.001)
        assert 0.3 < found.agreement <= 1.0

    def test_auto_takes_the_sound_where_nobody_is_seen(self, tmp_path: Path) -> None:
        clips = [recorded(tmp_path / "a.mp4", later(0.0)), recorded(tmp_path / "b.mp4", later(0.7))]
        found = find_offsets([[], []], clips, [], "auto")
        assert found.source == "sound"
        assert found.offsets[1] == pytest.approx(0.7, abs=0.001)

    def test_a_cut_clip_counts_from_its_own_file(self, tmp_path: Path) -> None:
        clips = [recorded(tmp_path / "a.mp4", later(0.0)), recorded(tmp_path / "b.mp4", later(0.7))]
        clips[1] = video.probe(clips[1].path, start=1.0)
        found = find_offsets([[], []], clips, [], "sound")
        assert found.offsets[1] == pytest.approx(0.7, abs=0.001)

    def test_different_rooms_are_refused(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(5)
        clips = [
            recorded(tmp_path / "a.mp4", later(0.0)),
            recorded(tmp_path / "b.mp4", rng.normal(0, 0.1, 8 * SAMPLES)),
        ]
        with pytest.raises(InvalidData, match="nothing in common with the sound"):
            find_offsets([[], []], clips, [], "sound")

    def test_a_beat_that_repeats_itself_is_refused(self, tmp_path: Path) -> None:
        click = np.zeros(SAMPLES // 2)
        click[:400] = np.random.default_rng(1).normal(0, 0.3, 400)
        beat = np.tile(click, 16)
        clips = [recorded(tmp_path / "a.mp4", beat), recorded(tmp_path / "b.mp4", beat[9000:])]
        with pytest.raises(InvalidData, match="nothing in common with the sound"):
            find_offsets([[], []], clips, [], "sound")

    def test_a_clip_without_sound_is_named(self, tmp_path: Path) -> None:
        mute = video.probe(write_clip(tmp_path / "mute.mp4", [numbered(k) for k in range(8)]))
        clips = [recorded(tmp_path / "a.mp4", later(0.0)), mute]
        with pytest.raises(InvalidData, match=r"no sound in .*mute\.mp4"):
            find_offsets([[], []], clips, [], "sound")
        with pytest.raises(NoPersonFound):
            find_offsets([[], []], [replace(each) for each in clips], [], "auto")
