"""A device as the official Python SDK makes it; commands come in and results go out as lines of JSON."""

import json
import sys
import threading

from azure.iot.device import IoTHubDeviceClient, Message, MethodResponse, X509

with open(sys.argv[1], encoding="utf-8") as file:
    trusted = file.read()

client = None
writing = threading.Lock()


def write(line):
    with writing:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def tell(event, value=None):
    write({"event": event, "value": value})


def text(data):
    return data.decode() if isinstance(data, bytes) else data


def connect(argument):
    global client
    options = {"server_verification_cert": trusted, "websockets": argument.get("webSocket", False)}
    if "sasTokenTtl" in argument:
        options["sastoken_ttl"] = argument["sasTokenTtl"]
    if "certificateFile" in argument:
        x509 = X509(argument["certificateFile"], argument["keyFile"])
        client = IoTHubDeviceClient.create_from_x509_certificate(
            x509, argument["hostName"], argument["deviceId"], **options
        )
    else:
        client = IoTHubDeviceClient.create_from_connection_string(argument["connectionString"], **options)
    client.on_connection_state_change = lambda: tell("connected" if client.connected else "disconnected")
    client.connect()


def listen(_):
    def on_message(message):
        value = {"body": text(message.data), "messageId": message.message_id, "properties": message.custom_properties}
        tell("message", value)

    client.on_message_received = on_message


def desired(_):
    client.on_twin_desired_properties_patch_received = lambda patch: tell("desired", patch)


def send(argument):
    message = Message(argument["body"], message_id=argument.get("messageId"))
    message.content_type = "application/json"
    message.content_encoding = "utf-8"
    message.custom_properties.update(argument.get("properties", {}))
    client.send_message(message)


def method(argument):
    def on_method(request):
        tell("method", {"name": request.name, "payload": request.payload})
        answer = MethodResponse.create_from_method_request(request, argument["status"], argument["payload"])
        client.send_method_response(answer)

    client.on_method_request_received = on_method


commands = {
    "connect": connect,
    "twin": lambda _: client.get_twin(),
    "report": lambda patch: client.patch_twin_reported_properties(patch),
    "desired": desired,
    "listen": listen,
    "send": send,
    "method": method,
    "disconnect": lambda _: client.shutdown(),
}

for line in sys.stdin:
    asked = json.loads(line)
    try:
        write({"id": asked["id"], "result": commands[asked["command"]](asked.get("argument") or {})})
    except Exception as error:  # whatever the SDK raises is what the test wants to see
        write({"id": asked["id"], "error": f"{type(error).__name__}: {error} {error.__cause__}"})
