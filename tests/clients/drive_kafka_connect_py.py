"""A connector's life by kafka-connect-py: URL, and the connector's file in Connect's JSON."""

import json
import sys
import time

from kafka_connect import KafkaConnect
from requests.exceptions import HTTPError


def wait(what, condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)


def states(client, name):
    status = client.get_connector_status(name)
    return [status["connector"]["state"]] + [task["state"] for task in status["tasks"]]


url, file = sys.argv[1:]
client = KafkaConnect(url)
with open(file) as text:
    connector = json.load(text)
name = connector["name"]

info = client.get_cluster_info()
assert info["version"] and info["kafka_cluster_id"], info
assert client.list_connectors() == []
made = client.create_connector(connector)
assert made["name"] == name and made["type"] == "source", made
try:
    client.create_connector(connector)
    raise AssertionError("made twice")
except HTTPError as error:
    assert error.response.status_code == 409, error
assert client.list_connectors() == [name]
wait("all of it to run", lambda: states(client, name) == ["RUNNING"] * 3)
assert list(client.list_connectors(expand="status", state="RUNNING")) == [name]
assert client.get_connector(name)["tasks"] == [{"connector": name, "task": 0}, {"connector": name, "task": 1}]
assert client.get_connector_config(name)["topic"] == connector["config"]["topic"]
assert len(client.list_connector_tasks(name)) == 2
assert client.get_connector_task_status(name, 1)["state"] == "RUNNING"
client.pause_connector(name)
wait("all of it to be paused", lambda: states(client, name) == ["PAUSED"] * 3)
client.resume_connector(name)
wait("all of it to run again", lambda: states(client, name) == ["RUNNING"] * 3)
client.stop_connector(name)
wait("it to be stopped", lambda: states(client, name) == ["STOPPED"])
client.resume_connector(name)
wait("all of it to run again", lambda: states(client, name) == ["RUNNING"] * 3)
# Python's True and False are in the query as they are written.
restarted = client.restart_connector(name, include_tasks=True, only_failed=False)
assert [task["state"] for task in restarted["tasks"]] == ["RESTARTING"] * 2, restarted
assert client.restart_connector(name) is None
client.restart_connector_task(name, 0)
wait("its topic to be known", lambda: client.list_connector_topics(name)[name]["topics"] != [])
client.reset_connector_topics(name)
changed = dict(connector["config"], **{"record.timestamp": "server"})
assert client.update_connector(name, changed)["config"]["record.timestamp"] == "server"
plugin = client.list_connector_plugins()[0]
assert plugin["type"] == "source", plugin
checked = client.validate_connector_config(plugin["class"], dict(changed, **{"tasks.max": "many", "name": name}))
assert checked["error_count"] == 1, checked
client.delete_connector(name)
assert client.list_connectors() == []
try:
    client.get_connector(name)
    raise AssertionError("it is still there")
except HTTPError as error:
    assert error.response.status_code == 404, error
print("kafka-connect-py: done")
