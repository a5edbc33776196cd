import { existsSync } from 'node:fs'

const architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
const libraries = `/usr/lib/${architecture}-linux-gnu`

/** The engine of OpenSSL 3 that takes a PKCS#11 module's keys. */
export const pkcs11Engine = `${libraries}/engines-3/pkcs11.so`

/** The PKCS#11 modules. */
export const softHsmLibrary = '/usr/lib/softhsm/libsofthsm2.so'
export const tpmLibrary = `${libraries}/pkcs11/libtpm2_pkcs11.so`

/** What makes and uses a key in a PKCS#11 module: the Debian package, and the file that shows that it is installed. */
export const tokenPackages: Packages = {
  opensc: '/usr/bin/pkcs11-tool',
  'gnutls-bin': '/usr/bin/certtool',
  'libengine-pkcs11-openssl': pkcs11Engine,
}

export const softHsmPackages: Packages = { ...tokenPackages, softhsm2: softHsmLibrary }

/** A TPM in software, with the resource manager that the kernel is for a TPM in hardware. */
export const tpmPackages: Packages = {
  swtpm: '/usr/bin/swtpm',
  'tpm2-abrmd': '/usr/sbin/tpm2-abrmd',
  'libtss2-tcti-tabrmd0': `${libraries}/libtss2-tcti-tabrmd.so.0`,
  'dbus-daemon': '/usr/bin/dbus-daemon',
  'dbus-bin': '/usr/bin/dbus-send',
}

export const tpmTokenPackages: Packages = { ...tokenPackages, ...tpmPackages, 'libtpm2-pkcs11-1': tpmLibrary }

export type Packages = Readonly<Record<string, string>>

/** Those of the packages that are not installed on this machine. */
export function lacking(packages: Packages): string[] {
  return Object.entries(packages).flatMap(([name, file]) => (existsSync(file) ? [] : [name]))
}
