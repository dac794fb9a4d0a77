"""connect_call.py BOOTSTRAP_SERVERS FOLDER [TOPIC]: each call of Amazon Connect as two WAV files, named after its ContactId."""

import os
import sys
from collections import defaultdict
from pathlib import Path

from kvs_connect import Fragment, FragmentConsumer, to_wav

SPEAKERS = {"AUDIO_FROM_CUSTOMER": "customer", "AUDIO_TO_CUSTOMER": "agent"}


def main(bootstrap_servers: str, folder: str, topic: str = "kvs.fragments") -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    registry = os.environ.get("SCHEMA_REGISTRY_URL")
    calls: dict[str, list[Fragment]] = defaultdict(list)
    with FragmentConsumer(topic, bootstrap_servers, schema_registry=registry, until_end=True) as consumer:
        for fragment in consumer:
            # A stream has one call after the other; the tags of each fragment say whose it is.
            contact = fragment.tag("ContactId")
            if contact is not None:
                calls[contact].append(fragment)
    for contact, fragments in calls.items():
        for track, speaker in SPEAKERS.items():
            spoken = [fragment for fragment in fragments if fragment.track(track)]
            if spoken:
                print(to_wav(spoken, Path(folder, f"{contact}-{speaker}.wav"), track=track))


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) in (3, 4) and sys.argv[1][0] != "-" else sys.exit(f"usage: {__doc__}")
