// Where the healer can reach a container: an address on a network that both are on. Never a port published on the host.
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import type { ContainerSummary } from '../docker/docker.ts'

/** An interface of the healer's, such as `172.18.0.3/16`. */
export type Cidr = string

export type Address = { readonly address: string } | { readonly unreachable: string }

/** The address to probe `container` at. `containers` are all that the healer sees, for one that shares another's network. */
export function findAddress(container: ContainerSummary, containers: readonly ContainerSummary[], own: readonly Cidr[]): Address {
  const { networkMode } = container
  if (networkMode === 'host')
    return {
      unreachable: "it uses the host's network, which the healer is not on; give it a HEALTHCHECK and set healer.probe=docker",
    }
  if (networkMode === 'none') return { unreachable: 'it has no network; give it a HEALTHCHECK and set healer.probe=docker' }
  if (networkMode.startsWith('container:')) {
    const providerId = networkMode.slice('container:'.length)
    const provider = containers.find(({ id }) => id === providerId)
    if (!provider)
      return {
        unreachable:
          'it uses the network of a container that is not there any more, or that the healer cannot see: recreate this one, or label that one monitored=true too',
      }
    if (provider.networkMode.startsWith('container:'))
      return { unreachable: 'it uses the network of a container that uses another one’s' }
    return findAddress(provider, containers, own)
  }
  const reachable = subnets(own)
  for (const { addresses } of container.networks) {
    const address = addresses.find((candidate) => reachable.check(candidate, isIPv6(candidate) ? 'ipv6' : 'ipv4'))
    if (address !== undefined) return { address }
  }
  const names = container.networks.map(({ name }) => `\`${name}\``).join(' or ')
  return { unreachable: names ? `no network shared with the healer; join the healer to ${names}` : 'it is on no network' }
}

function subnets(own: readonly Cidr[]): BlockList {
  const list = new BlockList()
  for (const cidr of own) {
    const [address = '', prefix] = cidr.split('/')
    if (isIPv4(address)) list.addSubnet(address, Number(prefix), 'ipv4')
    else if (isIPv6(address)) list.addSubnet(address, Number(prefix), 'ipv6')
  }
  return list
}
