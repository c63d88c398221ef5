// nodemailer's pool, as its users write it: each message filled in and handed over as text and HTML.
//
//     node _peer_nodemailer.mjs FOLDER PORT MESSAGES CONNECTIONS PIECES [CA_FILE]
//
// FOLDER has node_modules in it, PIECES is the file of benchmarks._material.write_pieces. With CA_FILE each
// connection begins with STARTTLS. Twice as many messages as connections are under way, so that none waits for
// its next message. Prints one line of JSON as benchmarks._child does.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";

const [folder, port, messages, connections, pieces, ca] = process.argv.slice(2);
const nodemailer = createRequire(`${folder}/`)("nodemailer");
const content = JSON.parse(readFileSync(pieces, "utf8"));

function memory(field) {
  const found = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync("/proc/self/status", "utf8"));
  return Number(found[1]) * 1024;
}

const escaped = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const html = (text) => text.replace(/[&<>"']/g, (character) => escaped[character]);

function filled(parts, values) {
  let made = parts[0];
  for (let i = 1; i < parts.length; i += 2) made += values[parts[i]] + parts[i + 1];
  return made;
}

function message(number) {
  const { leave, bounce, message: id } = content.tokens;
  const address = `reader.${number}@mail${number % content.domains}.example`;
  const name = content.names[number % content.names.length] || address;
  const url = `https://news.example.org/leave/${leave}`;
  const values = {
    "name-html": html(name), "address-html": html(address), "leave.url-url": url,
    "name-text": name, "address-text": address, "leave.url-text": url,
  };
  return {
    envelope: { from: `bounce+${bounce}@example.org`, to: address },
    from: { name: "Weekly News", address: "news@example.org" },
    to: { name, address },
    subject: content.subject,
    messageId: `<${id}@example.org>`,
    headers: {
      "List-Id": "<weekly.example.org>",
      "List-Unsubscribe": `<${url}>`,
      "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    },
    text: filled(content.text, values),
    html: filled(content.html, values),
    textEncoding: "quoted-printable",
  };
}

const pool = nodemailer.createTransport({
  host: "127.0.0.1",
  port: Number(port),
  pool: true,
  maxConnections: Number(connections),
  maxMessages: Infinity,
  ...(ca ? { requireTLS: true, tls: { ca: readFileSync(ca) } } : { ignoreTLS: true }),
});

let next = 0;
async function worker() {
  while (next < Number(messages)) await pool.sendMail(message(next++));
}

const idle = memory("VmRSS");
const start = performance.now();
const used = process.cpuUsage();
await Promise.all(Array.from({ length: 2 * Number(connections) }, worker));
const seconds = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage(used);
pool.close();
console.log(JSON.stringify({
  messages: Number(messages), seconds, cpu: (user + system) / 1e6, peak: memory("VmHWM"), idle, before: 0,
}));
