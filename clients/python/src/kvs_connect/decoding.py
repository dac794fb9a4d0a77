"""Pictures from frames of video.

**Contract.** `PictureDecoder` returns each picture together with the frame that it was coded in, in the order in which pictures are
shown; with B-frames that is another one than that of the frames. `flush` returns those that a decoder still has: without it the last
ones are missing.
"""

from __future__ import annotations

from typing import Any, cast

import av
import numpy as np
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from kvs_connect.errors import MediaError
from kvs_connect.frame import Coding, EncodedFrame, PictureFormat

__all__ = ["PictureDecoder", "context_for", "media_error", "packet_of"]

_HELD_MAX_FRAMES = 128
"""More frames than any codec holds back before it shows the first of them."""


def context_for(coding: Coding) -> CodecContext:
    """Returns a decoder of FFmpeg's with the track's configuration."""
    try:
        context = av.CodecContext.create(coding.codec, "r")
    except (ValueError, FFmpegError) as error:
        raise MediaError(f"PyAV has no decoder for {coding.codec}") from error
    if coding.config:
        context.extradata = coding.config
    return context


def media_error(frame: EncodedFrame, reason: str) -> MediaError:
    """Returns an error that says where a frame is."""
    return MediaError(reason, frame.stream, frame.fragment_number, frame.track, frame.index)


def packet_of(frame: EncodedFrame) -> Packet[Any]:
    """Returns a packet with a copy of the frame's data, the only one that is made here."""
    if not len(frame.data):
        # A decoder would take it for the end of the stream, and refuse all that comes behind it.
        raise media_error(frame, "it has no data")
    # The memory is FFmpeg's own. Python's could be given back by a thread of the decoder, which would wait for the interpreter's
    # lock while the interpreter waits for the thread, for ever.
    packet: Packet[Any] = Packet(len(frame.data))
    # Any buffer will do, although the types do not say so.
    packet.update(cast("bytes", frame.data))
    return packet


class PictureDecoder:
    """A decoder for the frames of one track, from a key frame on."""

    def __init__(self, coding: Coding, threads: int = 1) -> None:
        self._context = cast(VideoCodecContext, context_for(coding))
        # FFmpeg's own choice is a thread for each core and decoder: too many for the streams of a topic.
        self._context.thread_count = threads
        self._has_threads = threads != 1
        if self._has_threads:
            # Several pictures at a time, too: most encoders put one slice into a picture, which is all that PyAV's own choice shares out.
            self._context.thread_type = "AUTO"
        self._reformatter = VideoReformatter()
        # Times are not always unique, so that packets are numbered, and pictures come with their packet's number.
        self._held: dict[int, EncodedFrame] = {}
        self._count = 0

    def decode(self, frame: EncodedFrame) -> list[tuple[EncodedFrame, VideoFrame]]:
        """Returns the pictures that can be shown now that this frame is known."""
        packet = packet_of(frame)
        packet.pts = self._count
        self._held[self._count] = frame
        self._count += 1
        try:
            pictures = self._context.decode(packet)
        except FFmpegError as error:
            if self._has_threads:
                raise media_error(frame, f"it, or one shortly before it, cannot be decoded: {error.strerror}") from error
            self._held.pop(self._count - 1, None)
            raise media_error(frame, f"it cannot be decoded: {error.strerror}") from error
        while len(self._held) > _HELD_MAX_FRAMES:
            self._held.pop(next(iter(self._held)))
        return self._matched(pictures)

    def flush(self) -> list[tuple[EncodedFrame, VideoFrame]]:
        """Returns the pictures that are left. The next frame has to be a key frame."""
        try:
            pictures = self._context.decode(None)
        except FFmpegError as error:
            frame = next(iter(self._held.values()), None)
            self._held.clear()
            raise (media_error(frame, f"it cannot be decoded: {error.strerror}") if frame else MediaError(str(error))) from error
        matched = self._matched(pictures)
        self._held.clear()
        self._context.flush_buffers()
        return matched

    def image(self, picture: VideoFrame, picture_format: PictureFormat) -> NDArray[np.uint8]:
        """Returns a picture as an array."""
        # One for all pictures keeps what a conversion needs.
        converted: Any = self._reformatter.reformat(picture, format=picture_format)
        return cast("NDArray[np.uint8]", converted.to_ndarray())

    def _matched(self, pictures: list[VideoFrame]) -> list[tuple[EncodedFrame, VideoFrame]]:
        matched = []
        for picture in pictures:
            frame = None if picture.pts is None else self._held.pop(picture.pts, None)
            if frame is not None:
                matched.append((frame, picture))
        return matched
