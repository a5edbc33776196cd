import { withoutTrailingSlashes } from '../http.ts'

/** What a route answers to. */
export interface HttpRoute {
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
  /** Segments in lower case, each behind its slash; `:name` stands for any one. */
  readonly path: string
}

/** A route, with what stands in the path for its parameters. */
export interface Routed<R extends HttpRoute> {
  readonly route: R
  /** The `:name`s of the route's path, decoded once. */
  readonly parameters: Readonly<Record<string, string>>
  /** The segments of the request's path, decoded once. */
  readonly segments: readonly string[]
}

/** Why no route was found: the path's escapes are none, nothing has this path, or what has it takes these methods. */
export type Unrouted = 'undecodable' | 'unknownPath' | { readonly methods: readonly HttpRoute['method'][] }

/** True if a route was found. */
export function isRouted<R extends HttpRoute>(found: Routed<R> | Unrouted): found is Routed<R> {
  return typeof found === 'object' && 'route' in found
}

export interface Router<R extends HttpRoute> {
  readonly find: (method: string, path: string) => Routed<R> | Unrouted
  /** True if a route's path begins as this one does, found or not. */
  readonly owns: (path: string) => boolean
}

/** How the paths of an API are taken where APIs differ. */
export interface Matching {
  /** How many slashes at the end of a path say nothing. */
  readonly idleSlashes: 'none' | 'one' | 'all'
  /** Two slashes are one, as where a client joins a base that ends with one and a path that begins with one. */
  readonly doubledSlashes?: boolean
  /** A parameter may be empty, as between two slashes; else there is nothing at such a path. */
  readonly emptyParameters?: boolean
}

/**
 * Finds routes by path, in any letter case, and then by method. Every segment is decoded by itself, so
 * that an escaped slash is part of its segment. Of two routes for a path the first one is taken.
 */
export function routerOf<R extends HttpRoute>(routes: readonly R[], matching: Matching): Router<R> {
  const byLength = new Map<number, { readonly route: R; readonly pattern: readonly string[] }[]>()
  for (const route of routes) {
    const pattern = route.path.split('/').slice(1)
    byLength.set(pattern.length, [...(byLength.get(pattern.length) ?? []), { route, pattern }])
  }
  const families = new Set(routes.map(({ path }) => path.split('/')[1]))
  return {
    owns: (path) => families.has(segmentsOf(path, matching)?.[0]?.toLowerCase()),
    find: (method, path) => {
      const segments = segmentsOf(path, matching)
      if (!segments) return 'undecodable'
      const methods: HttpRoute['method'][] = []
      for (const { route, pattern } of byLength.get(segments.length) ?? []) {
        const parameters = match(pattern, segments, matching)
        if (!parameters) continue
        if (route.method === method) return { route, parameters, segments }
        methods.push(route.method)
      }
      return methods.length > 0 ? { methods } : 'unknownPath'
    },
  }
}

function segmentsOf(asked: string, { idleSlashes, doubledSlashes }: Matching): readonly string[] | undefined {
  const path = doubledSlashes ? asked.replaceAll(/\/{2,}/g, '/') : asked
  const one = path.endsWith('/') ? path.slice(0, -1) : path
  const told = { none: path, one, all: withoutTrailingSlashes(path) }[idleSlashes]
  try {
    return told.split('/').slice(1).map(decodeURIComponent)
  } catch {
    return undefined
  }
}

function match(
  pattern: readonly string[],
  segments: readonly string[],
  { emptyParameters = false }: Matching,
): Record<string, string> | undefined {
  const parameters: Record<string, string> = {}
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index]!
    if (!part.startsWith(':')) {
      if (part !== segment.toLowerCase()) return undefined
    } else if (segment === '' && !emptyParameters) return undefined
    else parameters[part.slice(1)] = segment
  }
  return parameters
}
