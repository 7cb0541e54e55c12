import type { AppSpec, Endpoint } from './spec.ts'

const LOCAL_HOSTS = new Set(['127.0.0.1', 'localhost', '::1', '[::1]', '0.0.0.0', '::', '[::]', ''])

/** Ports of this machine that an app is reached at: those it listens on, and those its ready check asks. */
export function portsOf(spec: AppSpec): Set<number> {
  const ports = new Set<number>()
  for (const listen of spec.listen) if (listen.type === 'tcp') ports.add(listen.port)
  const { check } = spec.ready
  if (check.type !== 'http' && check.type !== 'tcp') return ports
  const { endpoint } = check
  if (endpoint.type !== 'tcp' || !LOCAL_HOSTS.has(endpoint.host)) return ports
  const count = endpoint.perInstance ? spec.instances : 1
  for (let slot = 0; slot < count; slot++) ports.add(endpoint.port + slot)
  return ports
}

/** The endpoint of one instance. */
export function endpointOf(endpoint: Endpoint, slot: number): Endpoint {
  if (endpoint.type === 'unix' || !endpoint.perInstance) return endpoint
  return { ...endpoint, port: endpoint.port + slot, perInstance: false }
}
