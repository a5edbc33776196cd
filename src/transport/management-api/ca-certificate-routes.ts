import type { JsonObject } from '../../base/json.ts'
import type { Clock, Timestamp } from '../../base/time.ts'
import {
  caCertificateNamed,
  deleteCaCertificate,
  generateVerificationCode,
  uploadCaCertificate,
  verifyPossession,
} from '../../instances/ca-certificates.ts'
import { resourceId } from '../../instances/instance-resource.ts'
import type { InstanceLimits } from '../../instances/instances.ts'
import type { CaCertificate } from '../../model/ca-certificate.ts'
import { members, type Members } from '../../model/members.ts'
import type { ProvisioningService } from '../../model/service.ts'
import type { Store } from '../../store/store.ts'
import { preconditionOf } from '../../wire/precondition.ts'
import { instancePath, objectIn, serviceOf, type ManagementCall, type ManagementRoute } from './route.ts'

const certificatesPath = `${instancePath}/certificates`
const certificatePath = `${certificatesPath}/:certificate`

/** CA certificates and the proof that their keys are the operator's. [service-wire §8.5] */
export function caCertificateRoutes(store: Store, clock: Clock, limits: InstanceLimits): readonly ManagementRoute[] {
  const owner = (call: ManagementCall) => ({ idScope: serviceOf(call).idScope, store, clock })
  const shown = (call: ManagementCall, certificate: CaCertificate, code = false) => ({
    json: certificateJson(serviceOf(call), certificate, code),
    change: { after: certificateJson(serviceOf(call), certificate, false) },
  })
  return [
    {
      method: 'GET',
      path: certificatesPath,
      operationName: 'ListCertificates',
      permission: 'read',
      run: async (call) => {
        const service = serviceOf(call)
        const certificates = await store.caCertificates.all(service.idScope)
        return { json: { value: certificates.map((certificate) => certificateJson(service, certificate, false)) } }
      },
    },
    {
      method: 'GET',
      path: certificatePath,
      operationName: 'GetCertificate',
      permission: 'read',
      run: async (call) => shown(call, await caCertificateNamed(nameOf(call), owner(call))),
    },
    {
      method: 'PUT',
      path: certificatePath,
      operationName: 'UploadCertificate',
      permission: 'write',
      run: async (call) => {
        const properties = propertiesOf(call)
        const text = properties.text('certificate')
        if (text === undefined) throw properties.refusal('certificate', 'is required')
        const upload = { name: nameOf(call), text, isVerified: properties.flag('isVerified') }
        const most = limits(serviceOf(call)).caCertificates
        return shown(call, await uploadCaCertificate(upload, preconditionOf(call.request), owner(call), most))
      },
    },
    {
      method: 'DELETE',
      path: certificatePath,
      operationName: 'DeleteCertificate',
      permission: 'write',
      run: async (call) => {
        const deleted = await deleteCaCertificate(nameOf(call), preconditionOf(call.request), owner(call))
        if (!deleted) return {}
        return { status: 200, json: {}, change: { before: certificateJson(serviceOf(call), deleted, false) } }
      },
    },
    {
      method: 'POST',
      path: `${certificatePath}/generateverificationcode`,
      operationName: 'GenerateVerificationCode',
      permission: 'write',
      run: async (call) =>
        shown(call, await generateVerificationCode(nameOf(call), preconditionOf(call.request), owner(call)), true),
    },
    {
      method: 'POST',
      path: `${certificatePath}/verify`,
      operationName: 'VerifyCertificate',
      permission: 'write',
      run: async (call) =>
        shown(
          call,
          await verifyPossession(nameOf(call), propertiesOf(call), preconditionOf(call.request), owner(call)),
        ),
    },
  ]
}

/** Newer api-versions put the members into `properties`. [service-wire §8.5] */
function propertiesOf(call: ManagementCall): Members {
  const top = members(objectIn(call))
  return top.object('properties') ?? top
}

function nameOf({ parameters }: ManagementCall): string {
  return parameters['certificate'] ?? ''
}

function certificateJson(service: ProvisioningService, certificate: CaCertificate, code: boolean): JsonObject {
  const { name, etag, info, isVerified, der, verification } = certificate
  return {
    id: `${resourceId(service)}/certificates/${name}`,
    name,
    type: 'Microsoft.Devices/ProvisioningServices/Certificates',
    etag,
    properties: {
      subject: /(?:^|, )CN=("(?:[^"]|"")*"|[^,]*)/.exec(info.subjectName)?.[1] ?? info.subjectName,
      expiry: httpDate(info.notAfterUtc),
      thumbprint: info.sha1Thumbprint,
      isVerified,
      created: httpDate(certificate.createdDateTimeUtc),
      updated: httpDate(certificate.lastUpdatedDateTimeUtc),
      certificate: der,
      ...(code && verification && { verificationCode: verification.code }),
    },
  }
}

/** As RFC 1123 writes it. */
function httpDate(time: Timestamp | string): string {
  return new Date(time).toUTCString()
}
