"""An operator's program as the official Python service SDK makes it: lines of JSON in, what the SDK gave out."""

import json
import sys

from azure.core.exceptions import HttpResponseError
from azure.iot.deviceprovisioning import DeviceProvisioningClient

client = None
verify = sys.argv[1]


def operations(family):
    return {
        "enrollments": client.enrollment,
        "enrollmentGroups": client.enrollment_group,
        "registrations": client.device_registration_state,
    }[family]


def id_of(family, record):
    return record["registrationId" if family == "enrollments" else "enrollmentGroupId"]


def open_client(argument):
    global client
    client = DeviceProvisioningClient.from_connection_string(argument, connection_verify=verify)


def put(argument):
    family, record = argument["family"], argument["record"]
    return operations(family).create_or_update(id_of(family, record), record, if_match=argument.get("ifMatch"))


def delete(argument):
    return operations(argument["family"]).delete(argument["id"], if_match=argument.get("ifMatch"))


def query(argument):
    found = operations(argument["family"]).query({"query": argument["query"]}, top=argument["pageSize"])
    return [list(page) for page in found.by_page()]


def registrations_of(argument):
    found = client.device_registration_state.query(argument["id"], top=argument["pageSize"])
    return [list(page) for page in found.by_page()]


commands = {
    "open": open_client,
    "put": put,
    "get": lambda argument: operations(argument["family"]).get(argument["id"]),
    "delete": delete,
    "mechanism": lambda argument: operations(argument["family"]).get_attestation_mechanism(argument["id"]),
    "bulk": lambda argument: client.enrollment.run_bulk_operation(argument["operation"]),
    "query": query,
    "registrationsOf": registrations_of,
}

for line in sys.stdin:
    call = json.loads(line)
    try:
        result = {"given": commands[call["command"]](call.get("argument"))}
    except HttpResponseError as error:
        text = error.response.text() if error.response is not None else str(error)
        result = {"refused": {"name": type(error).__name__, "status": error.status_code, "text": text}}
    print(json.dumps({"id": call["id"], "result": result}), flush=True)
