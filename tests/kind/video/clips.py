"""Tiny clips for tests."""

from fractions import Fraction

import numpy as np


def scene(size=(48, 64), level=20):
    """Smooth dark colours, float [H, W, 3] in levels."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    waves = np.sin(columns / 7), np.cos(rows / 5), np.cos((rows + columns) / 9)
    return np.stack([level * (1 + wave) / 1.5 for wave in waves], axis=-1)


def write_clip(
    path, frames=16, *, size=(48, 64), times=None, audio=False, codec="libx264", options=None, **coded
):
    """Writes a clip.

    Args:
        path: its suffix chooses the container.
        frames: their number, or [N, H, W, 3] uint8.
        size: of frames where their number is given.
        times: of frames, in 1/12800 s; by default 25 a second.
        audio: with a tone.
        codec: of the video.
        options: of the encoder.
        coded: `matrix` and `range` of the colours.
    """
    import av

    from kind.video.colours import Colours, frame_of

    if isinstance(frames, int):
        noise = np.random.default_rng(0)
        shown = [scene(size) + noise.normal(0, 2, (*size, 3)) for _ in range(frames)]
        frames = np.clip(shown, 0, 255).astype(np.uint8)
    colours, base = Colours(**{"matrix": 1, "range": 1, **coded}), Fraction(1, 12800)
    with av.open(str(path), "w") as output:
        video = output.add_stream(codec, rate=25, options=options or {"crf": "10"})
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = base
        video.codec_context.colorspace, video.codec_context.color_range = colours[:2]
        voice = "libopus" if codec == "libvpx-vp9" else "aac"
        sound = output.add_stream(voice, rate=48000, layout="mono") if audio else None
        for number, pixels in enumerate(frames):
            frame = frame_of(pixels, colours, "yuv420p")
            frame.pts, frame.time_base = times[number] if times else number * 512, base
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if sound:
            tone = (np.sin(np.arange(48000 * len(frames) // 25) / 20) * 8000).astype(np.int16)
            samples = av.AudioFrame.from_ndarray(tone[np.newaxis], format="s16", layout="mono")
            samples.sample_rate, samples.pts = 48000, 0
            output.mux(sound.encode(samples))
            output.mux(sound.encode(None))
    return path


def packets(path, kind):
    """(time in seconds, bytes) of all packets of the first stream of a kind."""
    import av

    with av.open(str(path)) as opened:
        return [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in opened.demux(**{kind: 0})
            if packet.size
        ]
