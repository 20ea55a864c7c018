// Writes down the vendor's types of every route as JSON Schema: what it takes, and what it answers.
// Usage: node dump_endpoints.cjs DIRECTORY   (a directory with node_modules of rest-typings and typescript)
const path = require('node:path');

const directory = path.resolve(process.argv[2]);
const ts = require(path.join(directory, 'node_modules', 'typescript'));

const SOURCE = path.join(directory, 'endpoints.ts');
const OPTIONS = {
	strict: true, noEmit: true, skipLibCheck: true, types: [],
	target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS, moduleResolution: ts.ModuleResolutionKind.Node10,
};
const host = ts.createCompilerHost(OPTIONS);
const readFile = host.getSourceFile.bind(host);
host.getSourceFile = (name, ...rest) =>
	name === SOURCE
		? ts.createSourceFile(name, "import type { Endpoints } from '@rocket.chat/rest-typings';\nexport type All = Endpoints;\n", ts.ScriptTarget.ES2022, true)
		: readFile(name, ...rest);
host.fileExists = ((exists) => (name) => name === SOURCE || exists(name))(host.fileExists.bind(host));
const program = ts.createProgram([SOURCE], OPTIONS, host);
const checker = program.getTypeChecker();
const all = checker.getDeclaredTypeOfSymbol(checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(SOURCE)))[0]);

const definitions = {};
const names = new Map();

const schemaOf = (type, deep) => {
	const { flags } = type;
	if (flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown | ts.TypeFlags.TypeParameter | ts.TypeFlags.ESSymbolLike)) return {};
	if (flags & ts.TypeFlags.Null) return { type: 'null' };
	if (flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Void | ts.TypeFlags.Never)) return { not: {} };
	if (type.isStringLiteral() || type.isNumberLiteral()) return { const: type.value };
	if (flags & ts.TypeFlags.BooleanLiteral) return { const: checker.typeToString(type) === 'true' };
	if (flags & ts.TypeFlags.StringLike) return { type: 'string' };
	if (flags & ts.TypeFlags.NumberLike) return { type: 'number' };
	if (flags & ts.TypeFlags.BooleanLike) return { type: 'boolean' };
	if (type.isUnion()) return { anyOf: type.types.filter((one) => !(one.flags & ts.TypeFlags.Undefined)).map((one) => schemaOf(one, deep)) };
	if (checker.isArrayType(type)) return { type: 'array', items: schemaOf(checker.getTypeArguments(type)[0], deep) };
	if (checker.isTupleType(type)) return { type: 'array' };
	const name = type.symbol?.name;
	if (name === 'Date') return { type: 'string' }; // as JSON
	if (type.getCallSignatures().length || ['Buffer', 'Uint8Array', 'Blob', 'File', 'Promise'].includes(name)) return {};
	return objectOf(type);
};

const objectOf = (type) => {
	const key = names.get(type);
	if (key) return { $ref: `#/definitions/${key}` };
	const id = `t${names.size}`;
	names.set(type, id);
	const properties = {};
	const required = [];
	for (const property of checker.getPropertiesOfType(type)) {
		if (property.name.startsWith('__@')) continue;
		const value = checker.getTypeOfSymbol(property);
		properties[property.name] = schemaOf(value);
		const maybe = property.flags & ts.SymbolFlags.Optional || value.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown | ts.TypeFlags.Undefined)
			|| (value.isUnion() && value.types.some((one) => one.flags & ts.TypeFlags.Undefined));
		if (!maybe) required.push(property.name);
	}
	const index = checker.getIndexInfoOfType(type, ts.IndexKind.String);
	definitions[id] = { type: 'object', properties, required, ...(index && !Object.keys(properties).length ? { additionalProperties: schemaOf(index.type) } : {}) };
	return { $ref: `#/definitions/${id}` };
};

const routes = {};
for (const route of checker.getPropertiesOfType(all)) {
	for (const method of checker.getPropertiesOfType(checker.getTypeOfSymbol(route))) {
		const [signature] = checker.getTypeOfSymbol(method).getCallSignatures();
		if (!signature) continue;
		const [given] = signature.getParameters();
		const answer = signature.getReturnType();
		routes[`${method.name} ${route.name}`] = {
			takes: given ? schemaOf(checker.getTypeOfSymbol(given)) : null,
			named: given ? (checker.getTypeOfSymbol(given).aliasSymbol?.name ?? null) : null,
			answers: answer.flags & ts.TypeFlags.Void ? null : schemaOf(answer),
		};
	}
}
process.stdout.write(JSON.stringify({ routes, definitions }));
