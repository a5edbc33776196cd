"""A worker that provisions devices through the unmodified Python SDK: one JSON job a line on stdin, one JSON result a line
on stdout, several at once. The jobs and results are described in ../runner.ts; the first argument is the CA file."""

import json
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from azure.iot.device import IoTHubDeviceClient, ProvisioningDeviceClient, X509

with open(sys.argv[1], encoding="ascii") as ca_file:
    trusted = ca_file.read()

results = sys.stdout
one_line_at_a_time = threading.Lock()


def work(line):
    order = json.loads(line)
    answer = {"number": order["number"], "result": outcome(order["job"])}
    with one_line_at_a_time:
        results.write(json.dumps(answer) + "\n")
        results.flush()


def outcome(job):
    started = time.monotonic()
    try:
        registered = register(job)
        milliseconds = round((time.monotonic() - started) * 1000)
        state = registered.registration_state
        twin = read_twin(job, state.assigned_hub, state.device_id) if job.get("connect") else None
        return {
            "ok": registered.status == "assigned",
            "status": registered.status,
            "assignedHub": state.assigned_hub,
            "deviceId": state.device_id,
            "substatus": state.sub_status,
            "milliseconds": milliseconds,
            **({} if twin is None else {"twin": twin}),
            **({} if state.response_payload == "null" else {"payload": json.loads(state.response_payload)}),
        }
    except Exception as error:
        milliseconds = round((time.monotonic() - started) * 1000)
        return {"ok": False, "milliseconds": milliseconds, "error": spell(error)}


def register(job):
    common = {
        "provisioning_host": job["host"],
        "registration_id": job["registrationId"],
        "id_scope": job["idScope"],
        "server_verification_cert": trusted,
        "websockets": over_web_socket(job["transport"]),
    }
    attestation = job["attestation"]
    if "symmetricKey" in attestation:
        client = ProvisioningDeviceClient.create_from_symmetric_key(symmetric_key=attestation["symmetricKey"], **common)
    else:
        client = with_x509(attestation, lambda x509: ProvisioningDeviceClient.create_from_x509_certificate(x509=x509, **common))
    if "payload" in job:
        client.provisioning_payload = job["payload"]
    return client.register()


def read_twin(job, hub, device_id):
    common = {
        "hostname": hub,
        "device_id": device_id,
        "server_verification_cert": trusted,
        "websockets": over_web_socket(job.get("hubTransport", "mqtt")),
        "connection_retry": False,
    }
    attestation = job["attestation"]
    if "symmetricKey" in attestation:
        client = IoTHubDeviceClient.create_from_symmetric_key(symmetric_key=attestation["symmetricKey"], **common)
    else:
        client = with_x509(attestation, lambda x509: IoTHubDeviceClient.create_from_x509_certificate(x509=x509, **common))
    try:
        client.connect()
        twin = client.get_twin()
        if job.get("report") is not None:
            client.patch_twin_reported_properties(job["report"])
        return twin
    finally:
        client.shutdown()


def over_web_socket(transport):
    if transport not in ("mqtt", "mqtt-ws"):
        raise ValueError(f"The Python SDK has no transport {transport}")
    return transport == "mqtt-ws"


def with_x509(attestation, create):
    """The SDK reads certificates from files, and reads them while the client is created."""
    with tempfile.NamedTemporaryFile("w") as certificate, tempfile.NamedTemporaryFile("w") as key:
        certificate.write(attestation["certificate"])
        certificate.flush()
        key.write(attestation["key"])
        key.flush()
        return create(X509(cert_file=certificate.name, key_file=key.name))


def spell(error):
    causes = []
    cause = error
    while cause is not None and len(causes) < 5:
        causes.append(str(cause))
        cause = cause.__cause__
    return {"name": type(error).__name__, "message": ": ".join(causes)}


with ThreadPoolExecutor(max_workers=8) as workers:
    for job_line in sys.stdin:
        workers.submit(work, job_line)
