import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts'
import { directMethod } from '../direct-method.ts'
import { HubRefusal } from '../hub-refusal.ts'
import { twinChange } from '../twin-request.ts'
import { conditionQuery } from '../twin-query.ts'

/** What is to be done, when, and on which devices; as it was asked, so that it can be kept and answered. */
export interface JobRequest {
  readonly type: 'scheduleUpdateTwin' | 'scheduleDeviceMethod'
  /** The twin's parts, or the method. */
  readonly task: JsonObject
  readonly condition: string
  /** Milliseconds since 1970. */
  readonly starts: number
  /** Seconds. */
  readonly longest: number
}

const usualLongest = 3600
const mostLongest = 172_800

/** Read a job; refuses with ArgumentInvalid, so that what is scheduled can be understood when its time has come. */
export function jobRequest(body: JsonObject, now: number): JobRequest {
  const { type, queryCondition, startTime, maxExecutionTimeInSeconds: longest } = body
  const condition = queryCondition ?? '*'
  if (typeof condition !== 'string') throw new HubRefusal('ArgumentInvalid', 'queryCondition is not a text')
  conditionQuery(condition)
  const common = { condition, starts: moment(startTime) ?? now, longest: seconds(longest) ?? usualLongest }
  switch (type) {
    case 'scheduleUpdateTwin': {
      const task = part(body, 'updateTwin')
      twinChange(task)
      return { type, task, ...common }
    }
    case 'scheduleDeviceMethod': {
      const task = part(body, 'cloudToDeviceMethod')
      directMethod(task)
      return { type, task, ...common }
    }
    default:
      throw new HubRefusal('ArgumentInvalid', 'type is neither scheduleUpdateTwin nor scheduleDeviceMethod')
  }
}

function part(body: JsonObject, member: string): JsonObject {
  const value = body[member]
  if (isJsonObject(value)) return value
  throw new HubRefusal('ArgumentInvalid', `${member} is not an object`)
}

function moment(value: Json | undefined): number | undefined {
  if (value === undefined || value === null || value === '') return undefined
  const time = typeof value === 'string' ? Date.parse(value) : NaN
  if (Number.isNaN(time)) throw new HubRefusal('ArgumentInvalid', 'startTime is not a moment in ISO 8601')
  return time
}

function seconds(value: Json | undefined): number | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'number' && value > 0 && value <= mostLongest) return value
  throw new HubRefusal('ArgumentInvalid', `maxExecutionTimeInSeconds is not from 1 to ${mostLongest}`)
}
