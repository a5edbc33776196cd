"""A back end that reads events with the official Event Hubs SDK for Python; commands come in and results go out as lines of JSON."""

import json
import sys
import threading

from azure.eventhub import EventHubConsumerClient

client = None


def tell(line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def open_client(connection_string):
    global client
    client = EventHubConsumerClient.from_connection_string(
        connection_string, consumer_group="$Default", connection_verify=sys.argv[1]
    )


def on_event(_, event):
    if event is None:
        return
    system = {key.decode(): str(value, "utf-8") if isinstance(value, bytes) else str(value) for key, value in event.system_properties.items()}
    properties = {key.decode(): value.decode() for key, value in event.properties.items()}
    tell({"event": "event", "value": {"body": event.body_as_str(), "properties": properties, "system": system}})


def subscribe(start):
    on_error = lambda _, error: tell({"event": "error", "value": f"{type(error).__name__}: {error}"})
    receive = lambda: client.receive(on_event, on_error=on_error, starting_position=start)
    threading.Thread(target=receive, daemon=True).start()


commands = {"open": open_client, "subscribe": subscribe, "partitions": lambda _: client.get_partition_ids()}

for line in sys.stdin:
    asked = json.loads(line)
    try:
        tell({"id": asked["id"], "result": commands[asked["command"]](asked.get("argument"))})
    except Exception as error:  # whatever the SDK raises is what the test wants to see
        tell({"id": asked["id"], "error": f"{type(error).__name__}: {error}"})
