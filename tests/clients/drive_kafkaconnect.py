"""A connector's life by kafkaconnect: URL, and the connector's file in Connect's JSON."""

import json
import sys
import time

from kafkaconnect.connect import Connect

url, file = sys.argv[1:]
client = Connect(url)
with open(file) as text:
    connector = json.load(text)
name, config = connector["name"], dict(connector["config"], name=connector["name"])

assert json.loads(client.list()) == []
made = json.loads(client.validate_and_create(name, json.dumps(config)))
assert made["name"] == name, made
assert json.loads(client.list()) == [name]


def wait(state):
    deadline = time.monotonic() + 60
    while True:
        status = json.loads(client.status(name))
        if [status["connector"]["state"]] + [task["state"] for task in status["tasks"]] == [state] * 3:
            return
        assert time.monotonic() < deadline, status
        time.sleep(0.1)


wait("RUNNING")
assert json.loads(client.config(name))["topic"] == config["topic"]
assert len(json.loads(client.tasks(name))) == 2
assert name in json.loads(client.topics(name))
assert json.loads(client.plugins())[0]["type"] == "source"
client.pause(name)
wait("PAUSED")
client.resume(name)
wait("RUNNING")
assert client.restart(name) == ""
wrong = json.loads(client.validate_and_create(name, json.dumps(dict(config, topic="not a topic name"))))
assert wrong["error_count"] == 1, wrong
assert json.loads(client.create_or_update(name, json.dumps(dict(config, **{"record.timestamp": "server"}))))
assert client.remove(name) == ""
assert "not found" in client.info(name)
print("kafkaconnect: done")
