"""A back end as the official Python service SDK makes it; commands come in and results go out as lines of JSON."""

import json
import os
import sys

os.environ["REQUESTS_CA_BUNDLE"] = sys.argv[1]

from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import CloudToDeviceMethod, QuerySpecification, Twin, TwinProperties

registry = None


def open_registry(connection_string):
    global registry
    registry = IoTHubRegistryManager.from_connection_string(connection_string)


def call(argument):
    result = getattr(registry, argument["method"])(*argument["arguments"])
    if isinstance(result, list):
        return [item.as_dict() for item in result]
    return result.as_dict() if hasattr(result, "as_dict") else result


def update_twin(argument):
    properties = TwinProperties(desired=argument["desired"])
    twin = Twin(tags=argument["tags"], properties=properties)
    return registry.update_twin(argument["deviceId"], twin, argument["etag"]).as_dict()


def query(text):
    pages, continuation = [], None
    while True:
        result = registry.query_iot_hub(QuerySpecification(query=text), continuation, 1)
        pages.append([twin.device_id for twin in result.items])
        continuation = result.continuation_token
        if not continuation:
            return pages


def invoke(argument):
    method = CloudToDeviceMethod(method_name=argument["name"], payload=argument["payload"])
    return registry.invoke_device_method(argument["deviceId"], method).as_dict()


commands = {"open": open_registry, "call": call, "updateTwin": update_twin, "query": query, "invoke": invoke}

for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = {"id": asked["id"], "result": commands[asked["command"]](asked.get("argument"))}
    except Exception as error:  # whatever the SDK raises is what the test wants to see
        answer = {"id": asked["id"], "error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
