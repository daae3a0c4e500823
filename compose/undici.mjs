// What the proxy uses of undici, in place of its index, when the proxy is built: the index loads all that undici can do, fetch, caches and web
// sockets among it, and that at each start. As in the index, a dispatcher has its methods from the API.
import api from '../node_modules/undici/lib/api/index.js'
import errors from '../node_modules/undici/lib/core/errors.js'
import Client from '../node_modules/undici/lib/dispatcher/client.js'
import Dispatcher from '../node_modules/undici/lib/dispatcher/dispatcher.js'
import Pool from '../node_modules/undici/lib/dispatcher/pool.js'

Object.assign(Dispatcher.prototype, api)

export { Client, errors, Pool }
