// Where the healer can reach a container: an address on a network that both are on. Never a port published on the host.
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import type { ContainerSummary } from '../docker/docker.ts'

/** An interface of the healer's, such as `172.18.0.3/16`. */
export type Cidr = string

export type Address = { readonly address: string } | { readonly unreachable: string }

/** What the healer knows beside the container itself. */
export type Surroundings = {
  /** One of the containers that the healer sees, by its id. */
  readonly find: (id: string) => ContainerSummary | undefined
  /** The healer's own interfaces, as read last: the same array, as long as they were not read again. */
  readonly own: readonly Cidr[]
}

/** The address to probe `container` at, which is another's where it shares that one's network. */
export function findAddress(container: ContainerSummary, surroundings: Surroundings): Address {
  const { networkMode } = container
  if (networkMode === 'host')
    return {
      unreachable: "it uses the host's network, which the healer is not on; give it a HEALTHCHECK and set healer.probe=docker",
    }
  if (networkMode === 'none') return { unreachable: 'it has no network; give it a HEALTHCHECK and set healer.probe=docker' }
  if (networkMode.startsWith('container:')) {
    const providerId = networkMode.slice('container:'.length)
    const provider = surroundings.find(providerId)
    if (!provider)
      return {
        unreachable:
          'it uses the network of a container that is not there any more, or that the healer cannot see: recreate this one, or label that one monitored=true too',
      }
    if (provider.networkMode.startsWith('container:'))
      return { unreachable: 'it uses the network of a container that uses another one’s' }
    return findAddress(provider, surroundings)
  }
  const reachable = subnetsOf(surroundings.own)
  for (const { addresses } of container.networks) {
    const address = addresses.find((candidate) => reachable.check(candidate, isIPv6(candidate) ? 'ipv6' : 'ipv4'))
    if (address !== undefined) return { address }
  }
  const names = container.networks.map(({ name }) => `\`${name}\``).join(' or ')
  return { unreachable: names ? `no network shared with the healer; join the healer to ${names}` : 'it is on no network' }
}

const SUBNETS = new WeakMap<readonly Cidr[], BlockList>()

function subnetsOf(own: readonly Cidr[]): BlockList {
  const known = SUBNETS.get(own)
  if (known) return known
  const list = new BlockList()
  SUBNETS.set(own, list)
  for (const cidr of own) {
    const [address = '', prefix] = cidr.split('/')
    if (isIPv4(address)) list.addSubnet(address, Number(prefix), 'ipv4')
    else if (isIPv6(address)) list.addSubnet(address, Number(prefix), 'ipv6')
  }
  return list
}
