/*
 * editor.test: model files in an editor: yaml-language-server with the schemas that `autograd schema` writes.
 *
 * $AUTOGRAD_BIN is the command, else build/autograd in the project's top folder.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { start } from "./language_server.mjs";

const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const command = path.resolve(top, process.env.AUTOGRAD_BIN || "build/autograd");
const work = mkdtempSync(path.join(tmpdir(), "autograd-editor-"));
const MODELINE = "# yaml-language-server: $schema=model.schema.json\n";
const TEMPLATES = ["mlp", "cnn", "lstm", "gpt", "graph"];

/* The words around an item, and the items that hold items. */
const WORDS = "as from repeat each when share freeze lr_scale init shape note checkpoint chain residual parallel scan";

/* A file with what the listed ones lack: blocks with inputs, plug-ins, every key of train, a schedule. */
const MORE = `version: 1
plugins: [swish]
params: {lr: 0.1, n: 2}
inputs: {x: [B, T, 4], y: {shape: [B], role: target}}
defs:
  cell:
    params: {hidden: int = 4, act: op = tanh}
    inputs: {x: [B, D], h: [B, hidden]}
    body: {y: act(x @ W + h)}
    weights: {W: {shape: [4, hidden], init: xavier}}
    outputs: {y: y, h: y}
    check: [hidden > 0]
model:
  - scan: {cell: cell, axis: 1, args: {hidden: 4}, state: {h: zeros}}
  - {chain: [{linear: 4}, swish], checkpoint: true, repeat: {j: n}, when: n > 1}
  - parallel: [relu, [{linear: 4}, tanh]]
  - parallel: {branches: {a: [relu], b: {cell: {hidden: 4, h: prev}}}, join: add}
  - residual: {body: [{linear: {out: max(3, 4), init: {normal: 0.1}}}], skip: auto}
  - {linear: 4, as: last, from: prev, share: {weight: other.weight}, freeze: false, lr_scale: n/2, shape: [B, T, 4]}
output: last
loss: mean(last)
train:
  steps: n
  log: 2
  schedule: {warmup_cosine: {warmup: 100, floor: lr/10}}
  optimizer: {adam: {lr: lr}}
  clip: {norm: 1.0}
  groups: [{match: "*.bias", weight_decay: 0}]
  early_stop: {watch: valid.loss, patience: n, mode: min}
  checkpoint: {every: 1 epoch, keep: 3, best: valid.loss, mode: min}
  gradients: {every: 200 steps, draw: true}
  accumulate: 2
  eval: 100 steps
  from: runs/a-1
data:
  train: {table: {columns: [x, y], rows: [[0, 1]]}}
  valid: {split: 0.1, of: train, how: tail}
  map: {x: [{scale: 1/255}, standardize]}
  augment: {x: random_flip}
  batch: n
  draw: random
sweep: {over: {lr: {log: [1e-4, 1e-1]}}, method: random, trials: 20, goal: min valid.loss}
draw: {view: flow, depth: 2, direction: LR, gradients: rms, max_nodes: 40, thresholds: {vanishing: 1e-3, weak: 1/30}}
x-note: [of no concern]
`;

function autograd(words, cwd = top) {
	return execFileSync(command, words, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 1 << 26 });
}

/* The names and sentences of a part of `autograd ops`, without those that `but` has. */
function listed(part, but = {}) {
	const lines = autograd(["ops"]).split("\n"), from = lines.indexOf(part) + 1, to = lines.indexOf("", from);
	const list = lines.slice(from, to < 0 ? undefined : to).map(line => line.match(/^ {2}(\S+) +(.*)$/).slice(1));

	assert.ok(from > 0 && list.length > 4, part);
	return Object.fromEntries(list.filter(([name]) => !but[name]));
}

/* What is left of a sentence that is shown as Markdown. */
const letters = text => text.replace(/[^A-Za-z0-9]/g, "");

const files = new Map(); /* by path: the text as it is in the project or as `autograd new` writes it */
let layers, ops, server, count = 0;

const schema_of = file => file.replace(/yaml$/, "json");
const twin_of = file => file.replace(/yaml$/, "twin.yaml");

before(async () => {
	const schemas = {}, folder = name => path.join(work, name);

	cpSync(path.join(top, "configs"), folder("configs"), { recursive: true });
	cpSync(path.join(top, "tests/examples"), folder("examples"), { recursive: true });
	for (const name of ["new", "own", "texts"])
		mkdirSync(folder(name));
	for (const name of TEMPLATES)
		autograd(["new", name, "--like", name], folder("new"));
	writeFileSync(folder("own/more.yaml"), MORE);
	writeFileSync(folder("own/child.yaml"), "extends: more.yaml\nunset: [train.clip]\nmodel: [cell]\n");
	for (const where of ["configs", "examples", "new", "own"])
		for (const name of readdirSync(folder(where)).filter(name => name.endsWith(".yaml"))) {
			const file = path.join(folder(where), name);

			writeFileSync(schema_of(file), autograd(["schema", "--for", file]));
			schemas[schema_of(file)] = [file, twin_of(file)];
			files.set(file, readFileSync(file, "utf8"));
		}
	writeFileSync(folder("texts/any.json"), autograd(["schema"]));
	schemas[folder("texts/any.json")] = [folder("texts/any*.yaml")];
	schemas[folder("own/more.json")].push(folder("texts/own*.yaml"));
	layers = listed("layers");
	ops = listed("ops", layers);
	server = await start(schemas);
});

after(async () => {
	await server?.stop();
	rmSync(work, { recursive: true });
});

/* A text, opened, with the place of its "|", which is taken out: a file with the schema for MORE, or with one
 * for no file, "any". */
async function open(marked, kind = "own") {
	const [before, after] = marked.split("|"), lines = before.split("\n");
	const file = await server.open(path.join(work, "texts", `${kind}${count++}.yaml`), before + (after ?? ""));

	return { ...file, place: [lines.length - 1, lines.at(-1).length] };
}

async function labels(marked, kind) {
	const file = await open(marked, kind);

	return [...new Set((await file.completion(...file.place)).map(item => item.label))];
}

async function hover(marked) {
	const file = await open(marked);

	return file.hover(...file.place);
}

/* "LINE:FROM-TO sentence" of each, counted from 1, TO behind the last character. */
const said = list => list.map(({ range: { start, end }, message }) =>
	`${start.line + 1}:${start.character + 1}-${end.line === start.line ? end.character + 1 : "..."} ${message}`);

const flagged = async (text, kind) => said(await (await open(text, kind)).diagnostics);

/* Nothing is said of a file, and under another name a key that nothing knows is: so it has its schema. */
async function expect_silence(from, file, text) {
	const lines = text.split("\n").length;

	assert.deepEqual(said(await (await from.open(file, text)).diagnostics), [], file);
	assert.deepEqual(said(await (await from.open(twin_of(file), text + "surely_not_a_key: 1\n")).diagnostics),
	                 [`${lines}:1-17 Property surely_not_a_key is not allowed.`], file);
}

test("no file is found fault with: each with the schema that is written for it", async () => {
	const all = [...readdirSync(path.join(top, "configs")), ...readdirSync(path.join(top, "tests/examples"))];

	assert.equal(files.size, all.filter(name => name.endsWith(".yaml")).length + TEMPLATES.length + 2);
	await Promise.all([...files].map(([file, text]) => expect_silence(server, file, text.replace(MODELINE, ""))));
});

test("a file that names its schema in its first line has it, without a setting", async () => {
	const named = [...files].filter(([, text]) => text.startsWith(MODELINE)), plain = await start({});

	assert.ok(named.length > TEMPLATES.length);
	for (const [file] of named) {
		const schema = path.join(path.dirname(file), "model.schema.json");

		if (path.basename(path.dirname(file)) !== "new") /* there it is written with the first template */
			writeFileSync(schema, autograd(["schema"]));
	}
	await Promise.all(named.map(([file, text]) => expect_silence(plain, file, text)));
	await plain.stop();
});

test("an item may be each op, layer, block and word, wherever items stand", async () => {
	const own = ["cell", "act", "swish"];
	const all = [...new Set([...Object.keys(layers), ...Object.keys(ops), ...WORDS.split(" ")])].sort();
	const places = ["model:\n  - |", "model:\n  - r|", "model: [r|]", "model:\n  - {r|}", "model:\n  h:\n    |",
	                "defs:\n  b:\n    body:\n      - |", "model:\n  - chain:\n      - |",
	                "model:\n  - residual:\n      - |", "model:\n  - residual:\n      body:\n        - |",
	                "model:\n  - parallel:\n      branches:\n        a:\n          - |"];

	assert.ok(Object.keys(ops).length > 150 && Object.keys(layers).length > 20);
	for (const place of places) {
		assert.deepEqual((await labels(`version: 1\n${place}\n`)).sort(), [...all, ...own].sort(), place);
		assert.deepEqual((await labels(`version: 1\n${place}\n`, "any")).sort(), all, place);
	}
});

test("what completion writes is a name alone, or a key and what is below it", async () => {
	const file = await open("version: 1\nmodel:\n  - |\n"), texts = {};

	for (const item of await file.completion(...file.place))
		(texts[item.label] ??= []).push(item.insertText);
	for (const name of [...Object.keys(layers), ...Object.keys(ops), "cell"])
		if (!WORDS.split(" ").includes(name))
			assert.deepEqual(texts[name].sort(), [name, `${name}:\n    `], name);
	for (const name of WORDS.split(" ").filter(name => !ops[name]))
		assert.match(texts[name].join("|"), new RegExp(`^${name}:(\\s*|\\s*- .*| \\$\\{1:0\\})$`), name);
});

test("a layer, an op, a block and an optimizer offer their arguments, and tell what they are", async () => {
	const names = [...Object.keys(layers), ...Object.keys(ops)].filter(name => !WORDS.split(" ").includes(name));

	for (const name of names) {
		/* `autograd ops NAME` tells of an op, then of the layer of this name */
		const page = autograd(["ops", name]).split(/^layer .*\n/m).at(-1);
		const list = part => (page.match(new RegExp(`^${part}\n((?:  .*\n)*)`, "m"))?.[1] ?? "").match(/^ {2}\w+/mg) ?? [];
		const inputs = list("inputs"); /* a layer that has one alone reads it from the item before */
		const wanted = new Set([...list("arguments"), ...layers[name] && inputs.length === 1 ? [] : inputs].map(word =>
			word.trim()));
		const sentence = letters(layers[name] ?? ops[name]);

		if (layers[name])
			wanted.add("init");
		assert.deepEqual((await labels(`version: 1\nmodel:\n  - ${name}:\n      |\n`)).sort(), [...wanted].sort(), name);
		for (const item of [`|${name}`, `|${name}: `, `{|${name}: }`]) {
			const shown = await hover(`version: 1\nmodel:\n  - ${item}\n`);

			assert.ok(letters(shown).includes(sentence), `${name}: ${shown}`);
		}
	}
	assert.deepEqual(await labels("version: 1\nmodel:\n  - cell:\n      |\n"), ["hidden", "act", "x", "h"]);
	assert.deepEqual(await labels("version: 1\nmodel:\n  - conv2d: {out: 3, ke|}\n"),
	                 ["kernel", "stride", "padding", "dilation", "groups", "bias", "init"]);
	assert.match(await hover("version: 1\nmodel:\n  - conv2d: {ker|nel: 3}\n"), /the size of the window.*required/);
	assert.match(await hover("version: 1\nmodel:\n  - ce|ll: {hidden: 3}\n"), /a block of this file/);
	assert.match(await hover("version: 1\nmodel:\n  - cell: {hid|den: 3}\n"), /int = 4/);
});

test("the keys of a file, of its parts and of theirs are offered, and tell what they are", async () => {
	const keys = {
		"": "params weights defs defaults output loss metrics data train extends include unset plugins sweep draw name " +
		    "inputs model",
		"train": "epochs steps seed optimizer precision log schedule clip groups early_stop checkpoint gradients " +
		         "accumulate eval from",
		"data": "train valid test map augment batch shuffle draw",
		"sweep": "over method trials goal",
		"draw": "view depth direction gradients max_nodes thresholds",
		"train.clip": "norm",
		"train.early_stop": "watch patience mode",
		"train.checkpoint": "every keep best mode",
		"train.gradients": "every draw",
		"draw.thresholds": "vanishing weak strong exploding",
		"train.schedule": "steps exponential warmup cosine warmup_cosine",
		"train.optimizer": Object.keys(listed("optimizers")).join(" "),
		"defs.b": "params inputs weights body outputs check",
		"inputs.x": "shape dtype role",
	};

	for (const [where, list] of Object.entries(keys)) {
		const way = where ? where.split(".") : [], indent = "  ".repeat(way.length);
		const head = "version: 1\n" + way.map((key, k) => `${"  ".repeat(k)}${key}:\n`).join("");

		assert.deepEqual((await labels(`${head}${indent}|\n`)).sort(), list.split(" ").sort(), where);
		if (where === "train.optimizer" || where === "train.schedule" || where === "inputs.x")
			continue;
		for (const key of list.split(" "))
			assert.match(await hover(`${head}${indent}|${key}: \n`), /[a-z]{2,}[^]*[a-z]{2,}\.?\)?$/, `${where} ${key}`);
	}
	assert.deepEqual(await labels("version: 1\ntrain:\n  optimizer:\n    adam:\n      |\n"),
	                 ["lr", "betas", "eps", "weight_decay", "amsgrad"]);
	assert.deepEqual(await labels("version: 1\ntrain:\n  precision: |\n"), ["f32", "f64", "bf16"]);
	assert.deepEqual((await labels("version: 1\ndata:\n  train: {format: |}\n")).sort(), Object.keys(listed("data formats")));
	assert.match(await hover("version: 1\ntrain:\n  ep|ochs: 3\n"), /How often all samples are seen/);
	assert.match(await hover("version: 1\ntrain: {optimizer: {adam: {l|r: 3}}}\n"), /learning rate .default: 1e-3/);
	assert.match(await hover("version: 1\ntrain: {schedule: {cos|ine: }}\n"), /half a wave/);
	assert.match(await hover("version: 1\ndata:\n  train: {format: cs|v}\n"), /separated by commas/);
	assert.match(await hover("version: 1\nmodel:\n  - linear: 3\n    a|s: q\n"), /The name of the result/);
});

/* What is flagged: the text, and the place of what is wrong in it. */
const WRONG = [
	["model:\n  - conv2d: {out: 3, kernl: 3}", "3:22-27"],
	["model:\n  - reluu", "3:5-10"],
	["model:\n  - reluu: {}", "3:5-10"],
	["model:\n  - residual: [reluu]", "3:16-21"],
	["model:\n  - residual: {bod: [relu], skip: auto}", "3:16-19"],
	["model:\n  - parallel: {branches: {a: [reluu]}}", "3:31-36"],
	["model:\n  - parallel: [[reluu], [relu]]", "3:17-22"],
	["model:\n  - scan: {cel: cell}", "3:12-15"],
	["model:\n  - linear: 3\n    whn: true", "4:5-8"],
	["model:\n  h: {reluu: {}}", "3:7-12"],
	["model:\n  - cell: {hiden: 3}", "3:12-17"],
	["defs: {b: {bdy: [relu]}}", "2:12-15"],
	["defs: {b: {body: [reluu]}}", "2:19-24"],
	["train:\n  epoch: 10", "3:3-8"],
	["train: {optimizer: {adm: 3}}", "2:21-24"],
	["train: {optimizer: {adam: {lrr: 3}}}", "2:28-31"],
	["train: {schedule: {cosin: 3}}", "2:20-25"],
	["train: {early_stop: {wach: valid.loss}}", "2:22-26"],
	["train: {precision: f16}", "2:20-23"],
	["data: {batches: 3}", "2:8-15"],
	["data: {train: {format: cvs}}", "2:24-27"],
	["draw: {thresholds: {week: 1}}", "2:21-25"],
	["modle: [relu]", "2:1-6"],
];

test("what is misspelt is flagged at its place", async () => {
	await Promise.all(WRONG.map(async ([text, place]) => {
		const list = await flagged(`version: 1\n${text}\n`);

		assert.equal(list.length, 1, `${text}: ${list}`);
		assert.equal(list[0].split(" ")[0], place, `${text}: ${list}`);
		assert.ok(list[0].length < 300, list[0]);
	}));
	assert.deepEqual(await flagged("model: [relu]\n"), ['1:1-2 Missing property "version".']);
	/* without a file an unknown op may be a block of it */
	assert.deepEqual(await flagged("version: 1\nmodel: [reluu, {reluu: 3}]\n", "any"), []);
});
