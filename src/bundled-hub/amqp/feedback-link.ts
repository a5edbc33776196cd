import { writeMessage } from '../../wire/amqp/message.ts'
import type { AmqpGiver, AmqpSender } from '../../wire/amqp/service.ts'
import { sweepSpent } from '../cloud-to-device.ts'
import { feedbackTaken, waitingFeedback } from '../feedback.ts'
import type { Hub } from '../hub.ts'

const lookEvery = 500
const contentType = 'application/vnd.microsoft.iothub.feedback.json'

/** Tells a service what became of the messages that it sent to devices, a list of records at a time. [service-wire §13.5] */
export function feedbackGiver(hub: Hub, sender: AmqpSender): AmqpGiver & { readonly end: () => void } {
  let after = 0

  function give(): void {
    const records = sender.free() > 0 ? waitingFeedback(hub, after) : []
    const [first, last] = [records[0]?.sequence, records.at(-1)?.sequence]
    if (first === undefined || last === undefined) return
    after = last
    const body = `[${records.map(({ record }) => record).join(',')}]`
    const message = writeMessage({ contentType, to: '/messages/serviceBound/feedback', body })
    void sender
      .send(message)
      .then((delivered) => {
        if (delivered === 'accepted' || delivered === 'rejected')
          return hub.database.write([feedbackTaken(hub, first, last)])
        // It is given again, to whoever asks.
        after = Math.min(after, first - 1)
        return undefined
      })
      .catch(hub.onFault)
  }

  const look = () => sweepSpent(hub).then(give).catch(hub.onFault)
  const timer = setInterval(() => void look(), lookEvery).unref()
  const end = () => clearInterval(timer)
  return { ready: () => void look(), detached: end, end }
}
