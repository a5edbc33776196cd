// An operator's program as the official Node service SDK makes it: lines of JSON in, what the SDK gave out.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const require = createRequire(join(process.env.SDK_FOLDER, 'package.json'))
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service')

let client

const called = (method, ...given) =>
  new Promise((resolve, reject) =>
    client[method](...given, (error, result) => (error ? reject(error) : resolve(result ?? null))),
  )

const methods = {
  enrollments: {
    put: 'createOrUpdateIndividualEnrollment',
    get: 'getIndividualEnrollment',
    delete: 'deleteIndividualEnrollment',
    mechanism: 'getIndividualEnrollmentAttestationMechanism',
    query: 'createIndividualEnrollmentQuery',
  },
  enrollmentGroups: {
    put: 'createOrUpdateEnrollmentGroup',
    get: 'getEnrollmentGroup',
    delete: 'deleteEnrollmentGroup',
    mechanism: 'getEnrollmentGroupAttestationMechanism',
    query: 'createEnrollmentGroupQuery',
  },
  registrations: { get: 'getDeviceRegistrationState', delete: 'deleteDeviceRegistrationState' },
}

const commands = {
  open: async (connectionString) => {
    client = ProvisioningServiceClient.fromConnectionString(connectionString)
  },
  // The SDK takes the etag from the record; the promise form of the bulk call never resolves, an SDK bug.
  put: ({ family, record, ifMatch }) => called(methods[family].put, { ...record, etag: ifMatch }),
  get: ({ family, id }) => called(methods[family].get, id),
  delete: ({ family, id, ifMatch }) => called(methods[family].delete, id, ...(ifMatch ? [ifMatch] : [])),
  mechanism: ({ family, id }) => called(methods[family].mechanism, id),
  bulk: ({ operation }) => called('runBulkEnrollmentOperation', operation),
  query: ({ family, query, pageSize }) => pages(client[methods[family].query]({ query }, pageSize)),
  registrationsOf: ({ id, pageSize }) =>
    pages(client.createEnrollmentGroupDeviceRegistrationStateQuery({ query: 'SELECT *' }, id, pageSize)),
}

/** By callback: the promise form of `next` forgets the continuation and reads the first page for ever, an SDK bug. */
async function pages(query) {
  const all = []
  while (query.hasMoreResults) {
    all.push(
      await new Promise((resolve, reject) => query.next((error, page) => (error ? reject(error) : resolve(page)))),
    )
  }
  return all
}

createInterface(process.stdin).on('line', async (line) => {
  const { id, command, argument } = JSON.parse(line)
  const answer = (result) => process.stdout.write(JSON.stringify({ id, result }) + '\n')
  try {
    answer({ given: (await commands[command](argument)) ?? null })
  } catch (error) {
    answer({
      refused: { name: error.name, status: error.response?.statusCode, text: String(error.responseBody ?? error) },
    })
  }
})
