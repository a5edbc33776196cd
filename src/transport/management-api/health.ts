import type { Reader } from '../../store/store.ts'
import type { Route } from './route.ts'

/** `GET /health`: the process answers. `GET /ready`: it can also read what it needs; 503 if not. Neither asks for a token. */
export function healthRoutes(store: Reader, onFault: (fault: unknown) => void): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/health',
      operationName: 'GetHealth',
      permission: 'public',
      run: async () => ({ json: { status: 'alive' } }),
    },
    {
      method: 'GET',
      path: '/ready',
      operationName: 'GetReadiness',
      permission: 'public',
      run: async () => {
        try {
          await store.services.all()
          return { json: { status: 'ready' } }
        } catch (fault) {
          onFault(fault)
          return { status: 503, json: { status: 'the store cannot be read' } }
        }
      },
    },
  ]
}
