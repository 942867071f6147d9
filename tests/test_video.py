from __future__ import annotations

import gc
import itertools
import math
import os
import shutil
import signal
import socket
import subprocess
import threading
import weakref
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mocaplift import decoding, video
from mocaplift.errors import ConfigError, InvalidData, OutputError, VideoError
from mocaplift.values import Clip
from tests.clips import NTSC, SIZE, number_of, numbered, numbers_of, write_clip, write_sound

NUM_FRAMES = 90


@pytest.fixture(scope="module")
def ntsc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """90 numbered frames at 29.97."""
    path = tmp_path_factory.mktemp("clips") / "ntsc.mp4"
    return write_clip(path, map(numbered, range(NUM_FRAMES)))


def test_a_television_rate_stays_exact(ntsc: Path) -> None:
    clip = video.probe(ntsc)
    assert clip.fps == NTSC
    assert (clip.frames, clip.size, clip.start) == (NUM_FRAMES, SIZE, 0.0)
    assert clip.facts["is_variable_rate"] is False and clip.facts["complete"] is True
    assert clip.facts["duration_s"] == pytest.approx(90 * 1001 / 30000, abs=1e-12)
    assert "focal_px" not in clip.facts


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".ts", ".avi"])
@pytest.mark.parametrize("fps", [Fraction(25), NTSC, Fraction(60000, 1001), Fraction(120)])
def test_every_container_gives_every_frame_at_its_exact_rate(
    tmp_path: Path, suffix: str, fps: Fraction
) -> None:
    clip = video.probe(write_clip(tmp_path / f"clip{suffix}", map(numbered, range(40)), fps=fps))
    assert clip.fps == fps
    assert numbers_of(video.frames(clip)) == list(range(40))


def test_a_bare_stream_without_times_is_counted(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.h264", map(numbered, range(30)), fps=50, container_format="h264")
    clip = video.probe(path, start=0.2)
    assert clip.fps == 50
    assert numbers_of(video.frames(clip)) == list(range(10, 30))


@pytest.mark.parametrize("prefetch", [0, 1, 2, 5])
@pytest.mark.parametrize(
    ("start", "end", "first", "stop"),
    [
        (0.0, None, 0, 90),
        (1.0, 2.0, 30, 60),  # 29.97 and 59.94: the nearest frames
        (1.001, 2.002, 30, 60),
        (0.05, 0.2, 1, 6),  # 1.4985 and 5.994
        (1.45, None, 43, 90),  # 43.46; more than a second in, so that the reader seeks
        (2.9, 100.0, 87, 90),
    ],
)
def test_start_and_end_are_exact_to_the_frame(
    ntsc: Path, start: float, end: float | None, first: int, stop: int, prefetch: int
) -> None:
    clip = video.probe(ntsc, start=start, end=end)
    assert clip.start == pytest.approx(first / NTSC, abs=1e-12)
    assert clip.frames == stop - first
    assert numbers_of(video.frames(clip, prefetch=prefetch)) == list(range(first, stop))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi", ".mpg"])
@pytest.mark.parametrize("group", [1, 12, 250])
def test_seeking_finds_the_frame_wherever_key_frames_lie(tmp_path: Path, suffix: str, group: int) -> None:
    codec = "mpeg2video" if suffix == ".mpg" else "libx264"
    path = write_clip(tmp_path / f"clip{suffix}", map(numbered, range(400)), fps=50, group=group, codec=codec)
    for first in (99, 150, 250, 251, 252, 299, 395):
        clip = video.probe(path, start=first / 50)
        stream = video.frames(clip)
        assert number_of(next(stream)) == first
        stream.close()


def test_starting_late_decodes_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "long.mp4", map(numbered, range(800)), fps=100)
    num_decoded = 0
    real = decoding.decoded

    def counted(*arguments: object) -> Iterator[av.VideoFrame]:
        nonlocal num_decoded
        for frame in real(*arguments):
            num_decoded += 1
            yield frame

    monkeypatch.setattr(decoding, "decoded", counted)
    clip = video.probe(path, start=7.5, end=7.6)
    num_decoded = 0
    assert numbers_of(video.frames(clip)) == list(range(750, 760))
    assert num_decoded < 100 + 2 * 12 + 10  # a second back, the groups at both ends, the part itself


def test_parts_that_share_a_bound_share_no_frame_and_miss_none(ntsc: Path) -> None:
    bounds = [0.0, 0.777, 1.234, 1.6183, 2.5, 3.1]
    parts = [video.probe(ntsc, start=a, end=b) for a, b in itertools.pairwise(bounds)]
    together = [number for part in parts for number in numbers_of(video.frames(part))]
    assert together == list(range(NUM_FRAMES))


def test_times_that_do_not_begin_at_zero_change_nothing(tmp_path: Path) -> None:
    unit = Fraction(1, 90000)
    times = [72000 + 3600 * k for k in range(60)]
    path = write_clip(tmp_path / "late.mkv", map(numbered, range(60)), times=times, unit=unit)
    clip = video.probe(path, start=1.2)
    assert (clip.fps, clip.start) == (25, 1.2)
    assert numbers_of(video.frames(clip)) == list(range(30, 60))


def nearest_frames(times: list[float], fps: float, ticks: int) -> list[int]:
    """Return which frame is nearest to each tick, by looking at all of them."""
    passed = np.array(times) - times[0]
    return [int(np.abs(passed - tick / fps).argmin()) for tick in range(ticks)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_variable_rate_is_put_on_a_constant_clock_by_nearest_frame(tmp_path: Path, suffix: str) -> None:
    # 30 frames per second, each up to 6 ms late; one pause of 0.21 s and one burst at 60.
    noise = np.random.default_rng(3)
    steps = np.full(120, 1 / 30)
    steps[40], steps[70:80] = 0.21, 1 / 60
    ms = [round(1000 * t) for t in np.cumsum(steps) + noise.uniform(0, 0.006, 120)]
    path = write_clip(
        tmp_path / f"phone{suffix}", map(numbered, range(120)), times=ms, unit=Fraction(1, 1000)
    )
    clip = video.probe(path)
    assert clip.fps == 30 and clip.facts["is_variable_rate"] is True
    assert clip.frames == round((ms[-1] - ms[0]) / 1000 * 30) + 1
    expected = nearest_frames([t / 1000 for t in ms], 30, clip.frames)
    assert numbers_of(video.frames(clip)) == expected
    assert len(set(expected)) < 120 and len(expected) > len(set(expected))  # some dropped, some doubled
    later = video.probe(path, start=2.0, end=3.0)
    assert numbers_of(video.frames(later)) == expected[60:90]


@pytest.mark.parametrize(
    ("rotation", "mirrored", "clockwise"),
    [(0, False, 0), (90, False, 270), (180, False, 180), (270, False, 90), (0, True, 0), (90, True, 90)],
)
def test_pictures_come_turned_as_players_show_them(
    tmp_path: Path, rotation: int, mirrored: bool, clockwise: int
) -> None:
    path = write_clip(tmp_path / "turned.mp4", map(numbered, range(5)), rotation=rotation, mirrored=mirrored)
    clip = video.probe(path)
    expected = numbered(3)
    # The matrix turns counter-clockwise and then mirrors left to right, by PyAV's documentation.
    expected = np.rot90(expected, rotation // 90)
    expected = expected[:, ::-1] if mirrored else expected
    shown = list(video.frames(clip))[3]
    assert shown.shape == expected.shape and clip.size == expected.shape[1::-1]
    assert np.abs(shown.astype(int) - expected).mean() < 6
    assert clip.facts["is_mirrored"] is mirrored
    assert mirrored or clip.facts["rotation_deg"] == clockwise


def test_a_turned_picture_equals_what_ffmpeg_shows(tmp_path: Path) -> None:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        pytest.skip("ffmpeg is not installed")
    for rotation, mirrored in ((90, False), (270, False), (90, True), (180, True)):
        path = write_clip(tmp_path / "a.mp4", map(numbered, range(2)), rotation=rotation, mirrored=mirrored)
        clip = video.probe(path)
        raw = subprocess.run(
            [
                ffmpeg,
                "-v",
                "error",
                "-i",
                str(path),
                "-frames:v",
                "1",
                "-f",
                "rawvideo",
                "-pix_fmt",
                "rgb24",
                "-",
            ],
            capture_output=True,
            check=True,
        ).stdout
        theirs = np.frombuffer(raw, dtype=np.uint8).reshape(clip.size[1], clip.size[0], 3)
        ours = next(video.frames(clip, prefetch=0))
        assert np.abs(ours.astype(int) - theirs).mean() < 6, (rotation, mirrored)


def test_pixels_that_are_not_square_are_widened(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "dv.mp4", map(numbered, range(5)), pixel_aspect=Fraction(4, 3))
    clip = video.probe(path)
    assert clip.size == (128, 64)
    assert next(video.frames(clip)).shape == (64, 128, 3)


def test_slow_motion_gives_the_rate_in_life(ntsc: Path) -> None:
    clip = video.probe(ntsc, slow_motion=8, start=1.001)
    assert clip.fps == NTSC * 8
    assert clip.frames == 60
    assert clip.start == pytest.approx(1.001 / 8, abs=1e-12)
    assert clip.facts["source_fps"] == pytest.approx(30000 / 1001)
    assert numbers_of(video.frames(clip)) == list(range(30, 90))


def test_the_focal_length_comes_from_a_phones_metadata(tmp_path: Path) -> None:
    tag = {"com.apple.quicktime.camera.focal_length.35mm_equivalent": "26"}
    path = write_clip(
        tmp_path / "phone.mov",
        map(numbered, range(5)),
        metadata=tag,
        container_options={"movflags": "use_metadata_tags"},
        rotation=270,
    )
    # 26 mm on a diagonal of 43.267 mm; the picture's diagonal is sqrt(96^2 + 64^2) = 115.378 px.
    assert video.probe(path).facts["focal_px"] == pytest.approx(69.333, abs=1e-3)


def test_shrunk_pictures_lead_back_to_the_clips_own_pixels(tmp_path: Path) -> None:
    image = np.zeros((480, 640, 3), dtype=np.uint8)
    image[200:208, 400:416] = 255  # centre at (407.5, 203.5)
    clip = video.probe(write_clip(tmp_path / "large.mp4", [image] * 3))
    (small, *_), full = video.frames(clip, max_side=160), clip.size
    assert small.shape == (120, 160, 3) and full == (640, 480)
    weight = small[..., 0].astype(float)
    weight[weight < 40] = 0
    found = np.array([(weight.sum(0) * np.arange(160)).sum(), (weight.sum(1) * np.arange(120)).sum()])
    spot = video.clip_pixels(found / weight.sum(), small, clip)
    assert spot == pytest.approx([407.5, 203.5], abs=1.0)
    by_hand = video.clip_pixels(np.array([0.0, 119.0]), small, clip)
    assert by_hand == pytest.approx([1.5, 477.5])  # four pixels to one: centres at 1.5 and 476 + 1.5
    assert next(video.frames(clip, max_side=4000)).shape == (480, 640, 3)


def truncate(path: Path, share: float) -> Path:
    """Return a copy of the first bytes of a file."""
    short = path.with_stem(path.stem + "-short")
    content = path.read_bytes()
    short.write_bytes(content[: int(share * len(content))])
    return short


@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".mp4", {"movflags": "+faststart"}), (".mkv", {}), (".mov", {"movflags": "+faststart"})],
)
def test_a_file_cut_off_gives_the_frames_that_are_there_and_says_so(
    tmp_path: Path, suffix: str, options: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    noise = np.random.default_rng(0).integers(0, 90, (64, 96, 3))
    images = (
        np.clip(numbered(k).astype(int) - np.roll(noise, k, 0), 0, 255).astype(np.uint8) for k in range(120)
    )
    whole = write_clip(tmp_path / f"whole{suffix}", images, container_options=options, sound_s=4.0)
    assert video.probe(whole).facts["complete"] is True and not caplog.records
    clip = video.probe(truncate(whole, 0.6))
    assert clip.facts["complete"] is False
    assert "cut off" in caplog.text and clip.path.name in caplog.text
    assert clip.fps == NTSC and clip.facts["is_variable_rate"] is False
    numbers = numbers_of(video.frames(clip))
    assert 40 < clip.frames < 100
    assert numbers == list(range(clip.frames))


def test_a_file_that_lacks_its_last_frames_only_is_cut_off_too(tmp_path: Path) -> None:
    whole = write_clip(
        tmp_path / "whole.mp4", map(numbered, range(90)), container_options={"movflags": "+faststart"}
    )
    position, _ = stored_packets(whole)[-5]
    short = truncate(whole, position / whole.stat().st_size)
    clip = video.probe(short)
    assert clip.facts["complete"] is False and 82 <= clip.frames <= 86
    assert numbers_of(video.frames(clip)) == list(range(clip.frames))


def test_damage_in_the_middle_is_bridged_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_clip(tmp_path / "damaged.avi", map(numbered, range(60)), codec="mpeg4", fps=25, group=1)
    packets = stored_packets(path)
    content = bytearray(path.read_bytes())
    position, size = packets[30]
    content[position : position + size] = bytes(size)
    path.write_bytes(content)
    clip = video.probe(path)
    numbers = numbers_of(video.frames(clip))
    assert numbers == [*range(30), 29, *range(31, 60)]
    assert "1 damaged" in caplog.text


def stored_packets(path: Path) -> list[tuple[int, int]]:
    """Return position and size of every packet of picture, in bytes."""
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


def test_frames_end_early_where_nothing_more_can_be_decoded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_clip(tmp_path / "damaged.mp4", map(numbered, range(60)), fps=25, group=1)
    content = bytearray(path.read_bytes())
    for position, size in stored_packets(path)[40:]:
        content[position : position + size] = bytes(size)
    path.write_bytes(content)
    clip = video.probe(path)
    assert clip.frames == 60
    assert numbers_of(video.frames(clip)) == list(range(40))
    assert "only 40 of 60 frames (1.60 s) can be decoded" in caplog.text
    with pytest.raises(VideoError, match=r"no frame can be decoded from 2 s on"):
        list(video.frames(video.probe(path, start=2.0)))


# MPEG-2 has open groups: 10 and 11 are stored behind the key frame 12, but lean on what is gone.
@pytest.mark.parametrize(("codec", "first"), [("libx264", 10), ("mpeg2video", 12)])
def test_a_recording_cut_out_of_a_longer_one_starts_at_its_first_key_frame(
    tmp_path: Path, codec: str, first: int
) -> None:
    whole = write_clip(tmp_path / "whole.ts", map(numbered, range(60)), fps=25, group=10, codec=codec)
    part = tmp_path / "part.ts"
    with av.open(str(whole)) as source, av.open(str(part), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        for packet in list(source.demux(video=0))[4:]:  # frames 0 to 3 are gone, with them the key frame
            if packet.size:
                packet.stream = copy
                target.mux(packet)
    clip = video.probe(part)
    numbers = numbers_of(video.frames(clip))
    assert numbers == list(range(first, 60)) and clip.fps == 25


def test_a_trimmed_file_starts_where_it_was_trimmed(tmp_path: Path) -> None:
    # Phones trim without encoding again: the frames from the key frame on are kept, but not to be shown.
    whole = write_clip(tmp_path / "whole.mp4", map(numbered, range(60)), fps=25, group=30)
    trimmed = tmp_path / "trimmed.mp4"
    with (
        av.open(str(whole)) as source,
        av.open(str(trimmed), "w", options={"avoid_negative_ts": "disabled", "use_editlist": "1"}) as target,
    ):
        copy = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.pts is not None and packet.dts is not None:
                shift = int(Fraction(13, 25) / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                target.mux(packet)
    clip = video.probe(trimmed)
    assert clip.facts["complete"] is True
    assert numbers_of(video.frames(clip)) == list(range(13, 60))
    assert numbers_of(video.frames(video.probe(trimmed, start=1.4))) == list(range(13 + 35, 60))


def bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    """Return files that are no video, each with what must be said about it."""
    text = folder / "text.mp4"
    text.write_text("not a video at all\n" * 500)
    empty = folder / "empty.mp4"
    empty.touch()
    headless = write_clip(folder / "headless.mp4", map(numbered, range(20)))
    headless.write_bytes(headless.read_bytes()[:2000])
    noise = folder / "noise.mp4"
    noise.write_bytes(np.random.default_rng(1).bytes(20000))
    return {
        "missing": (folder / "nowhere.mp4", "no such file"),
        "folder": (folder, "is a folder"),
        "empty": (empty, "is empty"),
        "text": (text, "not a video"),
        "noise": (noise, "not a video"),
        "headless": (headless, "index .* missing"),
        "sound": (write_sound(folder / "sound.m4a"), "sound but no picture"),
        "no frames": (write_clip(folder / "none.mkv", [], sound_s=0.5), "no frames|no picture|not a video"),
        "one frame": (write_clip(folder / "one.mp4", [numbered(1)]), "single frame"),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "missing",
        "folder",
        "empty",
        "text",
        "noise",
        "headless",
        "sound",
        "no frames",
        "one frame",
    ],
)
def test_what_is_no_video_is_named_and_explained(tmp_path: Path, kind: str) -> None:
    path, reason = bad_files(tmp_path)[kind]
    with pytest.raises(VideoError, match=reason) as caught:
        video.probe(path)
    assert str(path) in str(caught.value) and "Errno" not in str(caught.value)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(VideoError, match="pipe, not a video"):
        video.probe(tmp_path / "pipe.mp4")


def test_a_song_with_cover_art_is_sound(tmp_path: Path) -> None:
    song = tmp_path / "song.mp4"
    with av.open(str(song), "w") as container:
        sound = container.add_stream("aac", rate=16000)
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 96, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(numbered(1), format="rgb24")))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 16000
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
    with pytest.raises(VideoError, match="sound but no picture"):
        video.probe(song)


def test_a_playlist_does_not_reach_for_the_network(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/part.ts"
        playlist = tmp_path / "playlist.m3u8"
        playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{address}\n#EXT-X-ENDLIST\n")
        with pytest.raises(VideoError):
            video.probe(playlist)
        with pytest.raises(BlockingIOError):  # nobody has called
            server.accept()


def test_a_name_with_a_colon_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "12.mp4", map(numbered, range(3))).rename(tmp_path / "http:12.mp4")
    monkeypatch.chdir(tmp_path)
    assert video.probe("http:12.mp4").frames == 3


@pytest.mark.parametrize(
    "options",
    [
        {"start": -1.0}, {"start": math.nan}, {"end": math.nan}, {"start": 2.0, "end": 1.0}, {"end": 0.0},
        {"slow_motion": 0.0}, {"slow_motion": -2.0}, {"slow_motion": math.nan}, {"slow_motion": math.inf},
        {"slow_motion": 1e-9},
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(ntsc: Path, options: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        video.probe(ntsc, **options)


def test_a_start_after_the_end_of_the_video_is_told(ntsc: Path) -> None:
    with pytest.raises(VideoError, match=r"start \(5 s\) lies after the end of the video \(3.00 s\)"):
        video.probe(ntsc, start=5.0)
    with pytest.raises(VideoError, match="fewer than two frames"):
        video.probe(ntsc, start=1.0, end=1.04)


@pytest.mark.parametrize(("slow_motion", "unit"), [(100.0, None), (1.0, Fraction(1, 90000)), (0.01, None)])
def test_absurd_rates_are_refused(tmp_path: Path, slow_motion: float, unit: Fraction | None) -> None:
    # With a unit, 20 frames lie 1/90000 s apart: a file whose times are nonsense.
    times = None if unit is None else list(range(20))
    path = write_clip(tmp_path / "odd.mp4", map(numbered, range(20)), times=times, unit=unit)
    with pytest.raises(VideoError, match="frames per second cannot be"):
        video.probe(path, slow_motion=slow_motion)


def test_frame_times_that_jump_for_minutes_are_refused_unless_left_out(tmp_path: Path) -> None:
    times = [*range(50), *range(5000, 5050)]
    path = write_clip(tmp_path / "jump.mp4", map(numbered, range(100)), times=times, unit=Fraction(1, 25))
    with pytest.raises(VideoError, match=r"nothing is shown between 1.96 and 200.00 s"):
        video.probe(path)
    assert numbers_of(video.frames(video.probe(path, end=1.96))) == list(range(49))
    assert numbers_of(video.frames(video.probe(path, start=200.0))) == list(range(50, 100))


@pytest.mark.parametrize("prefetch", [0, 2])
def test_only_a_few_pictures_live_at_a_time(ntsc: Path, prefetch: int) -> None:
    clip = video.probe(ntsc)
    seen: list[weakref.ref[np.ndarray]] = []
    most = 0
    for image in video.frames(clip, prefetch=prefetch):
        base = image if image.base is None else image.base
        seen.append(weakref.ref(base if isinstance(base, np.ndarray) else image))
        most = max(most, sum(each() is not None for each in seen))
    assert len(seen) == 90
    # Those given out and still alive: the current one, and the one it replaces in this loop.
    assert most <= 2


def test_the_decoder_runs_no_further_ahead_than_asked(ntsc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0
    real = video.upright

    def counted(*arguments: object) -> np.ndarray:
        nonlocal made
        made += 1
        return real(*arguments)

    monkeypatch.setattr(video, "upright", counted)
    stream = video.frames(video.probe(ntsc), prefetch=3)
    for taken in range(1, 10):
        next(stream)
        waited = threading.Event()
        waited.wait(0.05)
        assert made <= taken + 3
    stream.close()


def video_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "video-frames"]


def test_the_decoding_thread_ends_with_its_reader(ntsc: Path) -> None:
    stream = video.frames(video.probe(ntsc))
    next(stream)
    assert len(video_threads()) == 1
    stream.close()
    assert not video_threads()

    def reader() -> None:
        for _ in video.frames(video.probe(ntsc)):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reader()
    gc.collect()
    assert not video_threads()


def test_a_reader_that_leaves_stops_the_decoder(ntsc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0
    real = video.upright

    def counted(*arguments: object) -> np.ndarray:
        nonlocal made
        made += 1
        return real(*arguments)

    monkeypatch.setattr(video, "upright", counted)
    stream = video.frames(video.probe(ntsc))
    next(stream)
    stream.close()
    assert made < 8


def test_a_failure_in_the_thread_reaches_the_caller(ntsc: Path) -> None:
    clip = video.probe(ntsc)
    gone = Clip(ntsc.with_name("gone.mp4"), clip.fps, clip.frames, clip.size, facts=clip.facts)
    with pytest.raises(VideoError, match="no such file"):
        next(video.frames(gone))
    assert not video_threads()


def test_a_clip_made_by_hand_is_read_from_its_file(ntsc: Path) -> None:
    clip = Clip(ntsc, NTSC, 10, SIZE, start=float(40 / NTSC))
    assert numbers_of(video.frames(clip)) == list(range(40, 50))


def test_a_reader_that_changes_its_pictures_spoils_no_other(tmp_path: Path) -> None:
    times = [0, 1, 2, 6, 7, 8, 9]  # in 1/30 s: frame 2 stands for several ticks
    path = write_clip(tmp_path / "paused.mp4", map(numbered, range(7)), times=times, unit=Fraction(1, 30))
    shown = []
    for image in video.frames(video.probe(path)):
        shown.append(number_of(image))
        image[:] = 0
    assert shown == [0, 1, 2, 2, 2, 3, 3, 4, 5, 6]  # tick 4 lies halfway: the earlier one stays


@pytest.mark.parametrize("size", [(96, 64), (97, 63), (1, 1)])
def test_written_pictures_come_back(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "folder" / "out.mp4"
    colours = [(250, 20, 20), (20, 250, 20), (20, 20, 250), (128, 128, 128), (255, 255, 255), (0, 0, 0)]
    with video.write(path, NTSC, size) as append:
        for colour in colours:
            append(np.full((size[1], size[0], 3), colour, dtype=np.uint8))
    assert [each.name for each in path.parent.iterdir()] == ["out.mp4"]
    clip = video.probe(path)
    assert clip.fps == NTSC and clip.frames == len(colours)
    assert clip.size == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    for image, colour in zip(video.frames(clip), colours, strict=True):
        assert np.abs(image[: size[1], : size[0]].reshape(-1, 3).mean(0) - colour).max() < 6


def test_written_numbers_come_back_in_order(tmp_path: Path) -> None:
    with video.write(tmp_path / "out.mp4", Fraction(60), SIZE) as append:
        for number in range(100):
            append(numbered(number))
    assert numbers_of(video.frames(video.probe(tmp_path / "out.mp4"))) == list(range(100))


def test_a_writer_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"before")
    with pytest.raises(ZeroDivisionError), video.write(path, NTSC, SIZE) as append:
        append(numbered(1))
        raise ZeroDivisionError
    with pytest.raises(OutputError, match="not a single picture"), video.write(path, NTSC, SIZE):
        pass
    with pytest.raises(InvalidData, match="pixels"), video.write(path, NTSC, SIZE) as append:
        append(np.zeros((10, 10, 3), dtype=np.uint8))
    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == ["out.mp4"]


def test_a_folder_that_cannot_be_is_told_before_anything_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="folder"), video.write(tmp_path / "file" / "a.mp4", NTSC, SIZE):
        pytest.fail("the block must not run")


def test_a_disk_that_takes_no_more_is_told(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(0)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        with (
            pytest.raises(OutputError, match=r"cannot write .*a.mp4: .*too large"),
            video.write(tmp_path / "a.mp4", NTSC, SIZE) as append,
        ):
            for _ in range(200):
                append(noise.integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert not list(tmp_path.iterdir())
