"""How fast pictures come from fragments, compared with PyAV alone on the same file.

    python benchmarks/decode.py FILE.mkv BOOTSTRAP_SERVERS TOPIC STREAM

The topic has the fragments of the file. Prints pictures a second in RGB, the best of several turns, and their ratios to PyAV's own: as
its documentation has it, and with one reformatter for all pictures, which is faster.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import av
from av.video.reformatter import VideoReformatter

from kvs_connect import FragmentConsumer, decode_frames


def best(turns: int, run: Callable[[], int]) -> float:
    """Returns pictures a second of the fastest turn."""
    rates = []
    for _ in range(turns):
        began = time.perf_counter()
        count = run()
        rates.append(count / (time.perf_counter() - began))
    return max(rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("bootstrap_servers")
    parser.add_argument("topic")
    parser.add_argument("stream")
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()

    def bare() -> int:
        with av.open(arguments.file) as container:
            return sum(frame.to_ndarray(format="rgb24").size > 0 for frame in container.decode(video=0))

    def bare_with_reformatter() -> int:
        reformatter = VideoReformatter()
        with av.open(arguments.file) as container:
            pictures = (reformatter.reformat(frame, format="rgb24") for frame in container.decode(video=0))
            return sum(picture.to_ndarray().size > 0 for picture in pictures)

    def consumer() -> FragmentConsumer:
        return FragmentConsumer(arguments.topic, arguments.bootstrap_servers, streams=arguments.stream, start="earliest", until_end=True)

    with consumer() as source:
        fragments = list(source)

    def at_hand() -> int:
        return sum(frame.image is not None for frame in decode_frames(fragments))

    def from_kafka() -> int:
        with consumer() as source:
            return sum(frame.image is not None for frame in source.frames())

    runs = {
        "PyAV, frame.to_ndarray()": bare,
        "PyAV, one reformatter": bare_with_reformatter,
        "fragments at hand": at_hand,
        "from Kafka, with connecting": from_kafka,
    }
    rates = {name: best(arguments.turns, run) for name, run in runs.items()}
    plain, tuned, *_ = rates.values()
    for name, rate in rates.items():
        print(f"{name:28} {rate:7.0f} pictures a second, {rate / plain:.2f} of the first, {rate / tuned:.2f} of the second")


if __name__ == "__main__":
    main()
