// The vendor's Node SDK at work. Reads one request a line from standard input, {work, ...}, and answers each with a line
// on standard error, {cpu, wall, count} in seconds (standard output is the SDK's own log).
//
//   node _node_sdk.cjs DIRECTORY shipped|cached     DIRECTORY holds node_modules/@ethora/sdk-backend
//
// "cached" makes one server token and uses it again; "shipped" changes nothing.
"use strict";

const fs = require("fs");
const path = require("path");
const readline = require("readline");

const [directory, tokens] = process.argv.slice(2);
const home = path.join(directory, "node_modules", "@ethora", "sdk-backend");
const sdk = require(home);

if (tokens === "cached") {
  const jwt = require(path.join(home, "dist", "utils", "jwt.js"));
  const sign = jwt.createServerToken;
  let token;
  jwt.createServerToken = (...options) => (token ??= sign(...options));
  if (sdk.createServerToken() !== sdk.createServerToken()) throw new Error("the SDK's token could not be cached");
}

const service = sdk.getEthoraSDKService();
const app = process.env.ETHORA_CHAT_APP_ID;
const BATCH = 100;
const FIRST_POLL = 25;

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function* people(count) {
  for (let n = 0; n < count; n++) {
    yield { id: `user-${n}`, email: `user-${n}@example.com`, firstName: `First${n}`, lastName: `Last${n}` };
  }
}

// The rows of a CSV file without quotes: less than any library for it does.
async function* rowsOf(file) {
  let columns;
  for await (const line of readline.createInterface({ input: fs.createReadStream(file), crlfDelay: Infinity })) {
    const cells = line.split(",");
    if (!columns) columns = cells;
    else yield Object.fromEntries(cells.map((cell, index) => [columns[index], cell]));
  }
}

async function* peopleOf(file) {
  for await (const { id, email, first_name, last_name } of rowsOf(file)) {
    yield { id, email, firstName: first_name, lastName: last_name };
  }
}

// As the README's onboardUser does.
const create = ({ id, email, firstName, lastName }) =>
  service.createUser(id, { firstName, lastName, email, displayName: `${firstName} ${lastName}` });

async function inTurn(users) {
  let count = 0;
  for await (const user of users) {
    await create(user);
    count++;
  }
  return count;
}

async function inChunks(users, size) {
  let count = 0;
  let chunk = [];
  const send = async () => {
    await Promise.all(chunk.map(create));
    count += chunk.length;
    chunk = [];
  };
  for await (const user of users) {
    chunk.push(user);
    if (chunk.length === size) await send();
  }
  await send();
  return count;
}

async function createBatch(usersList) {
  const { jobId } = await service.createUsersInApp(app, { bypassEmailConfirmation: true, usersList });
  for (let wait = FIRST_POLL; ; wait *= 2) {
    await pause(wait);
    const job = await service.getUsersBatchJob(app, jobId);
    if (job.state === "completed") return job.result.results.filter(({ status }) => status === "created").length;
    if (job.state === "failed") throw new Error(job.error);
  }
}

async function inBatches(usersLists, inFlight) {
  let count = 0;
  const lists = usersLists[Symbol.iterator]();
  const worker = async () => {
    for (let next = lists.next(); !next.done; next = lists.next()) {
      const created = await createBatch(next.value); // not in one with the sum, whose left side is read first
      count += created;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return count;
}

function batchesOf(count) {
  const all = [...people(count)].map(({ id, ...fields }) => ({ uuid: id, ...fields }));
  return Array.from({ length: Math.ceil(count / BATCH) }, (_, n) => all.slice(n * BATCH, (n + 1) * BATCH));
}

function signMany(count) {
  for (let n = 0; n < count; n++) sdk.createClientToken(`user-${n}`);
  return count;
}

// What is made ready here is not measured.
const WORKS = {
  in_turn: ({ count }) => { const users = [...people(count)]; return () => inTurn(users); },
  in_chunks: ({ count, in_flight }) => { const users = [...people(count)]; return () => inChunks(users, in_flight); },
  batches: ({ count, in_flight }) => { const lists = batchesOf(count); return () => inBatches(lists, in_flight); },
  import_in_turn: ({ file }) => () => inTurn(peopleOf(file)),
  import_in_chunks: ({ file, in_flight }) => () => inChunks(peopleOf(file), in_flight),
  sign: ({ count }) => () => signMany(count),
};

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    const work = WORKS[request.work](request);
    if (global.gc) global.gc();
    const cpu = process.cpuUsage();
    const started = process.hrtime.bigint();
    const count = await work();
    const wall = Number(process.hrtime.bigint() - started) / 1e9;
    const { user, system } = process.cpuUsage(cpu);
    fs.writeSync(2, JSON.stringify({ cpu: (user + system) / 1e6, wall, count }) + "\n");
  }
}

main().catch((error) => {
  fs.writeSync(2, `${error.stack}\n`);
  process.exit(1);
});
