// Writes down the request validators and the record schemas that the vendor publishes, as JSON.
import * as rest from '@rocket.chat/rest-typings';
import { schemas } from '@rocket.chat/core-typings';

const validators = {};
for (const [name, value] of Object.entries(rest)) {
	if (typeof value === 'function' && value.schema) {
		validators[name] = value.schema;
	}
}
process.stdout.write(JSON.stringify({ validators, components: schemas.components.schemas }));
