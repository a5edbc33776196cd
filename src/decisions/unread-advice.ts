/** What to do about a connection on which no request could be read. */
export const unreadAdvice = {
  TlsMissing: [
    'device',
    'Every port here speaks TLS: https:// for HTTP, mqtts:// or ssl:// at 8883, amqps:// at 5671, wss:// for WebSockets. A load balancer that takes TLS off must pass it through, and is listed where it sends the PROXY protocol.',
  ],
  TlsHandshakeFailed: [
    'device',
    'Let the TLS stack of the device offer TLS 1.2 or 1.3, an ECDHE cipher with AES-GCM, and one of the curves X25519, P-256, P-384, P-521.',
  ],
  TlsServerNotTrusted: [
    'device',
    'Give the device the CA file (data/ca.pem) as trusted, and dial a name that the server certificate has (--device-host). Check the clock of the device, too. A health check that only connects looks the same.',
  ],
  HttpMalformed: [
    'device',
    'Send HTTP/1.1, with headers of 32 KiB at most; what stands in between may have changed it.',
  ],
  WebSocketInvalid: ['device', 'Open the WebSocket with the subprotocol mqtt or AMQPWSB10, and send binary frames.'],
  MqttVersionUnsupported: [
    'device',
    'Let the client speak MQTT 3.1.1 (protocol level 4), as Azure does: in Paho MQTTv311 or MQTTVersion 4, in mosquitto -V 311.',
  ],
  MqttMalformed: [
    'device',
    'Send MQTT 3.1.1 at QoS 0 or 1, CONNECT first; a packet that was cut or changed on its way looks so, too.',
  ],
  MqttTopicUnknown: [
    'device',
    'Subscribe to $dps/registrations/res/#, then publish to $dps/registrations/PUT/iotdps-register/?$rid=1. In a shell, put topics into single quotes: in double quotes it takes $dps and $rid away.',
  ],
  MqttNotSubscribed: ['device', 'Subscribe to $dps/registrations/res/# before a request: answers go there.'],
  AmqpVersionUnsupported: [
    'device',
    'Use AMQP 1.0 over TLS at 5671; clients of RabbitMQ speak 0-9-1 unless told otherwise.',
  ],
  AmqpMalformed: [
    'device',
    'Authenticate by SASL, or with a client certificate, then send OPEN: compare with what the official SDKs do.',
  ],
} as const
