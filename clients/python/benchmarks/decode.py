"""How fast pictures come from fragments, compared with PyAV alone on the same file.

    python benchmarks/decode.py FILE.mkv BOOTSTRAP_SERVERS TOPIC STREAM

The topic has the fragments of the file. Prints pictures a second in RGB and their ratios to PyAV's own: as its documentation has it, and
with one reformatter for all pictures, which is faster. All take turns, and what is printed are the medians of the turns. Each keeps a
picture until the next one is there, as a program does that works with it: to give it back at once is faster, for its memory is warm.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from statistics import median

import av
from av.video.reformatter import VideoReformatter

from kvs_connect import FragmentConsumer, Frame, decode_frames


def rate(run: Callable[[], int]) -> float:
    """Returns pictures a second."""
    began = time.perf_counter()
    return run() / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("bootstrap_servers")
    parser.add_argument("topic")
    parser.add_argument("stream")
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()

    def bare() -> int:
        count, _image = 0, None
        with av.open(arguments.file) as container:
            for frame in container.decode(video=0):
                _image = frame.to_ndarray(format="rgb24")
                count += 1
        return count

    def bare_with_reformatter() -> int:
        count, _image = 0, None
        reformatter = VideoReformatter()
        with av.open(arguments.file) as container:
            for frame in container.decode(video=0):
                _image = reformatter.reformat(frame, format="rgb24").to_ndarray()
                count += 1
        return count

    def consumer() -> FragmentConsumer:
        return FragmentConsumer(arguments.topic, arguments.bootstrap_servers, streams=arguments.stream, start="earliest", until_end=True)

    with consumer() as source:
        fragments = list(source)

    def counted(frames: Iterable[Frame]) -> int:
        count, _image = 0, None
        for frame in frames:
            _image = frame.image
            count += 1
        return count

    def from_kafka() -> int:
        with consumer() as source:
            return counted(source.frames())

    runs = {
        "PyAV, frame.to_ndarray()": bare,
        "PyAV, one reformatter": bare_with_reformatter,
        "fragments at hand": lambda: counted(decode_frames(fragments)),
        "fragments at hand, threads=0": lambda: counted(decode_frames(fragments, threads=0)),
        "from Kafka, with connecting": from_kafka,
    }
    turns = [{name: rate(run) for name, run in runs.items()} for _ in range(arguments.turns)]
    plain, tuned, *_ = runs
    for name in runs:
        own, of_plain, of_tuned = (
            median(values) for values in zip(*((t[name], t[name] / t[plain], t[name] / t[tuned]) for t in turns), strict=True)
        )
        print(f"{name:28} {own:7.0f} pictures a second, {of_plain:.2f} of the first, {of_tuned:.2f} of the second")


if __name__ == "__main__":
    main()
