"""Which decoder a track needs.

**Contract.** `coding_of_track` says it for a track of a fragment, `coding_of_record` for a record of the frames topic. What the frames
really are counts more than what the track declares: Amazon Connect declares AAC and sends 16-bit samples.
"""

from __future__ import annotations

import zlib
from typing import Any

from kvs_connect.encodings import decoded_config
from kvs_connect.errors import MediaError
from kvs_connect.frame import Coding
from kvs_connect.model import Track

__all__ = ["coding_of_record", "coding_of_track"]

_BY_CODEC_ID = {
    "V_MPEG4/ISO/AVC": "h264",
    "V_MPEGH/ISO/HEVC": "hevc",
    "V_VP8": "vp8",
    "V_VP9": "vp9",
    "V_AV1": "libdav1d",
    "V_MPEG4/ISO/ASP": "mpeg4",
    "V_MJPEG": "mjpeg",
    "V_FFV1": "ffv1",
    "A_AAC": "aac",
    "A_OPUS": "opus",
    "A_VORBIS": "vorbis",
    "A_FLAC": "flac",
    "A_AC3": "ac3",
    "A_EAC3": "eac3",
    "A_MPEG/L2": "mp2",
    "A_MPEG/L3": "mp3",
    "A_PCM/FLOAT/IEEE": "pcm_f32le",
}
_BY_MEDIA_TYPE = {
    # Amazon Connect's is little-endian, in spite of RFC 2586.
    "audio/l16": "pcm_s16le",
    "audio/pcma": "pcm_alaw",
    "audio/pcmu": "pcm_mulaw",
    "audio/aac": "aac",
    "audio/opus": "opus",
    "audio/flac": "flac",
    "video/h264": "h264",
    "video/h265": "hevc",
}
# Names of the frames topic that FFmpeg has otherwise.
_BY_RECORD = {"h265": "hevc", "av1": "libdav1d"}
_PCM_IDS = {"A_PCM/INT/LIT": "le", "A_PCM/INT/BIG": "be"}


def coding_of_track(track: Track) -> Coding:
    """Returns how the frames of a fragment's track are coded."""
    codec = _codec_of_track(track)
    rate_hz, channels = _rate_and_channels(track.media_type)
    config = decoded_config(track)
    return Coding(
        codec=codec,
        # What a wrongly declared codec is configured with is none of the decoder's business.
        config=None if codec.startswith("pcm_") else config,
        config_id=f"{zlib.crc32(config or b''):08x}",
        sample_rate_hz=rate_hz or _whole(track.sample_rate_hz),
        channels=channels or track.channels,
        delay_ns=track.codec_delay_ns or 0,
    )


def coding_of_record(fields: dict[str, Any], config: bytes | None) -> Coding:
    """Returns how a frame of the frames topic is coded, with the configuration that its stream has had last."""
    codec = _BY_RECORD.get(fields["codec"], fields["codec"])
    rate_hz, channels = _rate_and_channels(fields.get("media_type"))
    # Annex B and ADTS have their configuration in the frames, and the stored one would contradict them.
    is_stored = fields["format"] == "mkv"
    return Coding(codec, config if is_stored else None, fields["config_id"], rate_hz, channels, _opus_delay_ns(codec, config))


def _codec_of_track(track: Track) -> str:
    codec_id, media_type = track.codec_id, track.media_type
    if codec_id in _PCM_IDS:
        bits = track.bit_depth or 16
        return "pcm_u8" if bits == 8 else f"pcm_s{bits}{_PCM_IDS[codec_id]}"
    true_codec = _BY_MEDIA_TYPE.get((media_type or "").partition(";")[0].strip().lower())
    codec = true_codec or _BY_CODEC_ID.get(codec_id)
    if codec is None:
        raise MediaError(f"there is no decoder for {codec_id}", track=track.number)
    return "pcm_f64le" if codec == "pcm_f32le" and track.bit_depth == 64 else codec


def _rate_and_channels(media_type: str | None) -> tuple[int | None, int | None]:
    """Returns what a media type such as `audio/L16;rate=8000;channels=1;` says."""
    parameters = {
        name.strip().lower(): value.strip()
        for name, has_value, value in (part.partition("=") for part in (media_type or "").split(";")[1:])
        if has_value
    }
    rate_hz, channels = (parameters.get(name, "") for name in ("rate", "channels"))
    return int(rate_hz) if rate_hz.isdecimal() else None, int(channels) if channels.isdecimal() else None


def _whole(rate_hz: float | None) -> int | None:
    return None if rate_hz is None else round(rate_hz)


def _opus_delay_ns(codec: str, config: bytes | None) -> int:
    """Returns the pre-skip of an OpusHead, which the frames topic has nowhere else."""
    if codec != "opus" or config is None or len(config) < 12:
        return 0
    return int.from_bytes(config[10:12], "little") * 1_000_000_000 // 48_000
