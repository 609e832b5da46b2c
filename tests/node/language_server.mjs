/*
 * language_server: yaml-language-server on its standard input and output, as an editor speaks to it.
 *
 * Its settings name no catalogue of schemas, so nothing is fetched: a file has the schema that `schemas`
 * binds to it, or the one that its first line names.
 */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import rpc from "vscode-jsonrpc/node.js";

const program = path.join(path.dirname(createRequire(import.meta.url).resolve("yaml-language-server/package.json")),
                          "bin/yaml-language-server");

/* The server with its schemas: {path of a schema: [path of a file, ...]}. */
export async function start(schemas) {
	const server = spawn(process.execPath, [program, "--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
	const link = rpc.createMessageConnection(server.stdout, server.stdin), diagnosed = new Map();
	const bound = Object.entries(schemas).map(([schema, files]) => [pathToFileURL(schema).href, files]);
	const yaml = { schemas: Object.fromEntries(bound), schemaStore: { enable: false },
	               kubernetesCRDStore: { enable: false }, validate: true, completion: true, hover: true };

	link.onRequest("workspace/configuration", ask => ask.items.map(item => item.section === "yaml" ? yaml : {}));
	link.onRequest("client/registerCapability", () => null);
	link.onNotification("textDocument/publishDiagnostics", about => diagnosed.get(about.uri)?.(about.diagnostics));
	link.listen();
	await link.sendRequest("initialize", {
		processId: process.pid, rootUri: null,
		capabilities: { workspace: { configuration: true, didChangeConfiguration: { dynamicRegistration: true } },
		                textDocument: { completion: { completionItem: { snippetSupport: true } } } },
	});
	await link.sendNotification("initialized", {});
	await link.sendNotification("workspace/didChangeConfiguration", { settings: { yaml } });

	return {
		/* The text under the name of a file, opened once. What the server says about it comes a while later.
		 * Places count from 0. */
		async open(file, text) {
			const uri = pathToFileURL(file).href;
			const at = (line, character) => ({ textDocument: { uri }, position: { line, character } });
			const diagnostics = new Promise(resolve => diagnosed.set(uri, resolve));

			await link.sendNotification("textDocument/didOpen",
			                            { textDocument: { uri, languageId: "yaml", version: 1, text } });
			return {
				diagnostics,
				completion: async (line, character) =>
					(await link.sendRequest("textDocument/completion", at(line, character))).items,
				hover: async (line, character) =>
					(await link.sendRequest("textDocument/hover", at(line, character)))?.contents.value ?? "",
			};
		},
		async stop() {
			await link.sendRequest("shutdown");
			await link.sendNotification("exit");
			link.dispose();
		},
	};
}
