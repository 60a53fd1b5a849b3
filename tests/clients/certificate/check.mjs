// Handshakes as Node makes them by default. PORT NAME..., one line each.
import tls from 'node:tls';

const words = process.argv.slice(2);
for (let at = 0; at < words.length; at += 2) {
  const [port, name] = words.slice(at, at + 2);
  const line = await new Promise((resolve) => {
    // Node sends no server name for an address.
    const servername = /^[0-9.]+$/.test(name) ? undefined : name;
    const socket = tls.connect({ host: '127.0.0.1', port: Number(port), servername });
    socket.once('secureConnect', () => { socket.end(); resolve('accepted'); });
    socket.once('error', (error) => resolve(`refused: ${error.message}`));
  });
  console.log(line);
}
