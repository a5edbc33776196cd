/** A part of the sources that is judged, and counted, by itself. */
export interface Room {
  readonly name: string
  /** Its sources; a file that several rooms name belongs to the first. */
  readonly files: readonly string[]
  /** How many of its mutants are tried, drawn by the seed, unless a run says otherwise. */
  readonly sample: number
}

/** In the order of what a fault would cost. */
export const rooms: readonly Room[] = [
  { name: 'attestation', files: ['src/attestation/**/*.ts'], sample: 150 },
  {
    name: 'certificates',
    files: ['src/wire/x509/**/*.ts', 'src/wire/{certificate,der,distinguished-name,normal-name}.ts'],
    sample: 150,
  },
  {
    name: 'revocation',
    files: [
      'src/wire/revocation-list.ts',
      'src/wire/revocation-list/**/*.ts',
      'src/instances/revo*.ts',
      'src/instances/revocation-lists/**/*.ts',
      'src/main/fetch-list.ts',
      'src/store/tables/{listed-,}revocations.ts',
    ],
    sample: 120,
  },
  { name: 'admission', files: ['src/transport/admission/**/*.ts', 'src/transport/throttle.ts'], sample: 60 },
  { name: 'wire', files: ['src/wire/**/*.ts', 'src/base/**/*.ts'], sample: 180 },
  { name: 'transport', files: ['src/transport/*.ts'], sample: 60 },
  {
    name: 'files',
    files: [
      'src/sqlite/**/*.ts',
      'src/main/**/{log,thrown,audit-file,data-folder,certificates,files,key-pair,keep-private}.ts',
    ],
    sample: 60,
  },
  {
    name: 'access',
    files: ['src/access/**/*.ts', 'src/instances/**/*.ts', 'src/transport/{service,management}-api/**/*.ts'],
    sample: 60,
  },
]
