// Hardhat's in-process node behind Hardhat's own HTTP and WebSocket server, which is what `hardhat node` runs, with two additions
// that the load needs: eth_getBlockReceipts, which Hardhat does not have, is put together from the receipts of a block's
// transactions; and transactions of one batch reach the node in the order in which they stand there.
//
// Prints its address once it serves. PEERS_MINE is `auto`, or the milliseconds between two blocks.

const { JsonRpcServer } = require('hardhat/internal/hardhat-network/jsonrpc/server');
const hre = require('hardhat');

const provider = hre.network.provider;
let last = Promise.resolve();

function inOrder(request) {
  const answer = last.then(() => provider.request(request));
  last = answer.catch(() => {});
  return answer;
}

async function blockReceipts([block]) {
  const found = await provider.request({ method: 'eth_getBlockByNumber', params: [block, false] });
  if (found === null) return null;
  return Promise.all(found.transactions.map((hash) => provider.request({ method: 'eth_getTransactionReceipt', params: [hash] })));
}

const front = {
  request(request) {
    if (request.method === 'eth_sendRawTransaction') return inOrder(request);
    if (request.method === 'eth_getBlockReceipts') return blockReceipts(request.params);
    return provider.request(request);
  },
  addListener: (event, listener) => provider.addListener(event, listener),
  removeListener: (event, listener) => provider.removeListener(event, listener),
};

// Each WebSocket listens for notifications; more than ten are no leak.
provider.setMaxListeners(0);
const server = new JsonRpcServer({ hostname: '127.0.0.1', port: 0, provider: front });
// A connection may rest for longer than Node's five seconds while others are measured.
server._httpServer.keepAliveTimeout = 0;
server.listen().then(({ address, port }) => console.log(`http://${address}:${port}`));
