"""Decodes pictures with the example of docs/RECORDS.md: EXAMPLE LIST DATA.

LIST has a line a frame (see tests/e2e/frames.rs), DATA their data, one after the other. Prints the number of pictures.
"""

import sys


def main(example, listed, data):
    names = {}
    with open(example, encoding="utf-8") as code:
        exec(code.read(), names)
    frames, last = [], None
    with open(listed, encoding="utf-8") as lines, open(data, "rb") as bytes_of_frames:
        for line in lines:
            _, _, codec, _, _, pts_ns, size, config = line.rstrip("\n").split("\t")
            frames.append({
                "stream_name": "s", "kind": "video", "codec": codec, "discontinuity": not frames, "config_id": config,
                "pts_ns": int(pts_ns), "utc": int(pts_ns) // 1000, "data": bytes_of_frames.read(int(size)),
            })
    pictures = list(names["pictures"](frames))
    assert all(picture.width > 0 and taken == picture.pts // 1000 for _, taken, picture in pictures)
    print(len(pictures))


main(*sys.argv[1:])
