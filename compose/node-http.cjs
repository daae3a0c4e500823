// Stands in for node:http in what is built. Whoever imports that as an ES module has all that it exports made, a whole client with
// web sockets among it, which no program here uses and which takes a tenth of a start.
// biome-ignore lint/style/useNodejsImportProtocol: by that name it would stand in for itself
module.exports = require('http')
