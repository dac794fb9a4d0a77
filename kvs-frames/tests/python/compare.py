"""Decodes frames with PyAV, and compares with what PyAV decodes of the file.

FILE LIST DATA [fresh]: LIST has a line a frame (see tests/decoding.rs), DATA their data, one after the other. Pictures and samples
are those of the file's own packets; of audio that is as stored, the packets are compared. With `fresh` each key frame gets a decoder
of its own. Prints for each track what was compared.

chosen FILE POSITION DOCUMENT...: compares documents of one track, which follow each other, with that track of the file. Prints what
was compared.

make FILE CODEC: writes a file with 60 moving pictures, with B-frames, and closed groups of 15.
"""

import collections
import fractions
import hashlib
import io
import sys

import av

NAMES = {"h265": "hevc"}
Frame = collections.namedtuple("Frame", "track position codec format key pts_ns size config")


def rows(plane, width_bytes):
    # What is behind a line belongs to no picture.
    view = memoryview(plane)
    return b"".join(view[row * plane.line_size :][:width_bytes] for row in range(plane.height))


def picture(frame):
    assert frame.format.name == "yuv420p", frame.format.name
    digest = hashlib.sha256()
    for plane in frame.planes:
        digest.update(rows(plane, plane.width))
    return digest.hexdigest()


def samples(frames):
    size = lambda frame: frame.samples * frame.format.bytes * (1 if frame.format.is_planar else frame.layout.nb_channels)
    return b"".join(bytes(plane)[: size(frame)] for frame in frames for plane in frame.planes)


def decode(context, packets):
    for data, pts in packets:
        packet = av.Packet(data)
        packet.pts = pts
        yield from context.decode(packet)
    yield from context.decode(None)


def of_file(name, position):
    """The pictures of a stream with their times in milliseconds, the packets, the extradata."""
    pictures, packets = [], []
    with av.open(name) as file:
        stream = file.streams[position]
        extradata = stream.codec_context.extradata
        for packet in file.demux(stream):
            if packet.size:
                packets.append(bytes(packet))
            if stream.type == "video":
                for frame in packet.decode():
                    pictures.append((round(frame.pts * fractions.Fraction(frame.time_base) * 1000), picture(frame)))
    return pictures, packets, extradata


def decoder(frame):
    context = av.CodecContext.create(NAMES.get(frame.codec, frame.codec), "r")
    if frame.format == "mkv" and frame.config:
        context.extradata = frame.config
    return context


def groups(frames, fresh):
    """Frames that one decoder takes: up to another configuration, or another key frame."""
    group = []
    for frame, data in frames:
        if group and (frame.config != group[0][0].config or fresh and frame.key):
            yield group
            group = []
        group.append((frame, data))
    yield group


def compare(name, frames, fresh):
    first = frames[0][0]
    pictures, packets, extradata = of_file(name, first.position)
    if first.codec in ("h264", "h265"):
        found, leading = [], set()
        for group in groups(frames, fresh):
            decoded = decode(decoder(group[0][0]), [(data, frame.pts_ns) for frame, data in group])
            found += [(round(frame.pts / 1_000_000), picture(frame)) for frame in decoded]
            leading |= {round(frame.pts_ns / 1_000_000) for frame, _ in group if frame.pts_ns < group[0][0].pts_ns}
        missing = collections.Counter(pictures) - collections.Counter(found)
        assert len(found) == len(frames) - missing.total(), (len(found), len(frames))
        assert not collections.Counter(found) - collections.Counter(pictures), "the pictures differ"
        # Pictures of an open group that are shown before its key frame need the group before.
        assert not missing or fresh and {time for time, _ in missing} <= leading, missing
        return f"{len(found)} pictures"
    if first.format == "adts":
        truth = av.CodecContext.create("aac", "r")
        truth.extradata = extradata
        expected = samples(decode(truth, [(data, None) for data in packets]))
        # A file of such frames is one that players open: the headers say where each ends.
        joined = io.BytesIO(b"".join(data for _, data in frames))
        with av.open(joined, format="aac") as file:
            found = samples(file.decode(audio=0))
        assert found and found == expected, "the samples differ"
        return f"{len(found)} bytes of samples"
    assert b"".join(packets) == b"".join(data for _, data in frames), "the packets differ"
    return f"{len(frames)} packets"


def of_track(file, position):
    """The packets of a stream, and the hash of each picture or of all samples, if its codec is what it says."""
    packets, frames, undecodable = [], [], False
    stream = file.streams[position]
    for packet in file.demux(stream):
        if packet.size:
            packets.append((packet.pts, bytes(packet)))
        try:
            frames += packet.decode()
        except av.FFmpegError:
            # Amazon Connect's PCM calls itself AAC.
            undecodable = True
    if undecodable:
        return packets, []
    if stream.type == "video":
        return packets, [(frame.pts, picture(frame)) for frame in frames]
    return packets, [hashlib.sha256(samples(frames)).hexdigest()]


def chosen(name, position, *documents):
    with av.open(name) as file:
        packets, hashes = of_track(file, int(position))
    found = []
    for document in documents:
        # Each is a file that players open.
        with av.open(document) as file:
            assert len(file.streams) == 1, document
            found += of_track(file, 0)[0]
    assert found == packets, "the packets differ"
    joined = b"".join(open(document, "rb").read() for document in documents)
    with av.open(io.BytesIO(joined), format="matroska") as file:
        found, found_hashes = of_track(file, 0)
    assert found == packets, "the packets differ"
    assert found_hashes == hashes, "what is decoded differs"
    print(len(packets), "packets,", len(hashes), "hashes")


def make(name, codec):
    with av.open(name, "w", "matroska") as file:
        options = {"bf": "2", "g": "15", "x265-params": "bframes=2:keyint=15:open-gop=0:log-level=none:pools=1:frame-threads=1"}
        stream = file.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for index in range(60):
            frame = av.VideoFrame(128, 96, "yuv420p")
            for number, plane in enumerate(frame.planes):
                line = bytes((index * 7 + column * (number + 2)) % 256 for column in range(plane.line_size))
                plane.update(line * plane.height)
            frame.pts = index
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def main(name, listed, data, *options):
    tracks = collections.defaultdict(list)
    with open(listed, encoding="utf-8") as lines, open(data, "rb") as bytes_of_frames:
        for line in lines:
            track, position, codec, form, key, pts_ns, size, config = line.rstrip("\n").split("\t")
            config = bytes.fromhex(config) if config != "-" else None
            frame = Frame(int(track), int(position), codec, form, key == "true", int(pts_ns), int(size), config)
            tracks[frame.track].append((frame, bytes_of_frames.read(frame.size)))
    for track, frames in sorted(tracks.items()):
        print(track, frames[0][0].codec, frames[0][0].format, compare(name, frames, "fresh" in options))


if sys.argv[1] == "make":
    make(*sys.argv[2:])
elif sys.argv[1] == "chosen":
    chosen(*sys.argv[2:])
else:
    main(*sys.argv[1:])
