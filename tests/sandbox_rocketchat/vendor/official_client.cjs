// The vendor's own realtime client against a server: node official_client.cjs DIRECTORY, settings in the environment.
// Every step is told as a line of JSON; "cut" and "go" lines are for whoever reads them.
const { createHash } = require('node:crypto');
const { createRequire } = require('node:module');
const readline = require('node:readline');

const load = createRequire(`${process.argv[2]}/package.json`);
globalThis.WebSocket = load('ws');
const { DDPSDK } = load('@rocket.chat/ddp-client');

const { ROCKETCHAT_URL: url, USER_ID: uid, USER_TOKEN: token, ROCKETCHAT_PASSWORD: password, PASSWORDS: passwords } = process.env;
const input = readline.createInterface({ input: process.stdin });
const orders = input[Symbol.asyncIterator]();
const tell = (step, value) => process.stdout.write(`${JSON.stringify({ step, value })}\n`);
const settled = (promise) => promise.then((value) => ({ value }), (error) => ({ error }));

// A list that can be waited on.
const mailbox = () => {
	const waiting = [];
	const items = [];
	return {
		put: (...item) => (waiting.length ? waiting.shift()(item) : items.push(item)),
		take: () => (items.length ? Promise.resolve(items.shift()) : new Promise((resolve) => waiting.push(resolve))),
	};
};

const main = async () => {
	const sdk = await DDPSDK.createAndConnect(url, { retryCount: 5, retryTime: 20 });
	tell('connected', sdk.connection.status);

	const early = sdk.stream('room-messages', 'GENERAL', () => undefined);
	tell('anonymous', await new Promise((resolve) => early.onChange(resolve)));

	tell('login', await sdk.account.loginWithToken(token));
	tell('account', { uid: sdk.account.uid, username: sdk.account.user.username });

	const messages = mailbox();
	const room = sdk.stream('room-messages', 'GENERAL', (message) => messages.put(message));
	await room.ready();
	const changes = mailbox();
	await sdk.stream('notify-user', `${uid}/subscriptions-changed`, (...args) => changes.put(...args)).ready();

	tell('sent', await sdk.call('sendMessage', { _id: 'abcdefghijklmnopq', rid: 'GENERAL', msg: 'by method' }));
	tell('heard', await messages.take());
	tell('changed', await changes.take());

	tell('me', await sdk.rest.get('/v1/me'));
	tell('posted', await sdk.rest.post('/v1/chat.postMessage', { channel: '#general', text: 'by rest' }));
	tell('heard', await messages.take());
	tell('rooms', (await sdk.call('rooms/get')).length);
	tell('unknown', await settled(sdk.call('no-such-method')));

	const back = new Promise((resolve) => sdk.connection.once('connected', resolve));
	tell('cut');
	await orders.next();
	await back;
	await sdk.call('rooms/get');
	await sdk.rest.post('/v1/chat.postMessage', { channel: '#general', text: 'after the cut' });
	tell('heard', await messages.take());

	room.stop();
	await sdk.account.logout();
	tell('logged out', { user: sdk.account.user ?? null });
	sdk.connection.close();

	if (passwords) {
		const other = await DDPSDK.createAndConnect(url);
		await other.account.loginWithPassword('admin', createHash('sha256').update(password).digest('hex'));
		tell('by password', { uid: other.account.uid, expires: other.account.user.tokenExpires });
		other.connection.close();
	}
	process.exit(0);
};

main().catch((error) => {
	console.error(error);
	process.exit(1);
});
