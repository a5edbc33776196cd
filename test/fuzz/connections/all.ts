import type { Load } from '../engine/target.ts'
import { amqpConversations } from './amqp.ts'
import type { Converse } from './conversation.ts'
import { httpConversation } from './http.ts'
import { hubConversations } from './hub.ts'
import { managementConversations } from './management.ts'
import { mqttConversation } from './mqtt.ts'
import type { Subject } from './subject.ts'
import { certificateConversations, garbageConversation, proxyConversation } from './tls.ts'
import { webSocketConversations } from './websocket.ts'

/** Ways for strangers to talk to a service, by name. */
export async function conversations(load: Load, { hub, token }: Subject): Promise<ReadonlyMap<string, Converse>> {
  return new Map<string, Converse>([
    ['websocket', await webSocketConversations(load)],
    ['mqtt', mqttConversation],
    ['amqp', await amqpConversations(load)],
    ['http', httpConversation],
    ['hub', await hubConversations(load, hub)],
    ['management', managementConversations(token)],
    ['client-certificate', await certificateConversations()],
    ['tls', garbageConversation],
    ['proxy', proxyConversation],
  ])
}
