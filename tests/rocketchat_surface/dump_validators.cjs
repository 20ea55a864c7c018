// Writes down the request validators that the vendor publishes, as JSON Schema by name.
const rest = require('@rocket.chat/rest-typings');

const validators = Object.entries(rest).filter(([, value]) => typeof value === 'function' && value.schema);
process.stdout.write(JSON.stringify(Object.fromEntries(validators.map(([name, value]) => [name, value.schema]))));
