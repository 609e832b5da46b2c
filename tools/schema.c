/*
 * schema: the model language as a JSON Schema (draft 7), for completion and hover in editors: its
 * keys, the ops, layers, optimizers and data formats of this build by their tables, the blocks of a
 * file.
 *
 * It is lenient where an expression may stand, and without a file for names of items, which may be
 * blocks: `autograd check` is what judges a file.
 */
#include "schema.h"

#include "command.h"
#include "file.h"
#include "language.h"

#include <stdlib.h>
#include <string.h>

enum { DEEPEST_BASE = 8, MOST_FILE = 1 << 20 };

/* The keys that are no table elsewhere: what they mean. */
static const struct {
	const char *where, *key, *doc;
} docs[] = {
	{ "", "version", "The version of the language: 1." },
	{ "", "name", "The name of the model: runs are called NAME-1, NAME-2." },
	{ "", "params",
	  "Hyper-parameters: names for numbers, words and lists, used in expressions." },
	{ "", "inputs",
	  "What is fed: {x: [B, 784], y: {shape: [B], dtype: i32, role: target}}; a number is a "
	  "leaf that wants a gradient." },
	{ "", "weights", "Weights by name: {w: 5} or {W: {shape: [4, 3], init: xavier}}." },
	{ "", "defs",
	  "Blocks: parts of a model with parameters, used as items or called in expressions." },
	{ "", "defaults",
	  "Arguments of ops and layers for the whole file: {conv2d: {kernel: 3}}." },
	{ "", "model",
	  "A list is a chain, each item eats the one before; a mapping is a set of equations." },
	{ "", "output", "The result: a name or an expression; else the last item." },
	{ "", "loss", "The number that training makes small." },
	{ "", "metrics",
	  "Numbers that are measured beside the loss: {acc: mean(argmax(logits, axis=1) == y)}." },
	{ "", "data", "Where the samples come from, and how they are split, mapped and batched." },
	{ "", "train", "How it is trained." },
	{ "", "sweep", "Trainings over several values of params, by `autograd sweep`: {over: {lr: [0.1, 0.01]}}." },
	{ "", "draw", "How `autograd draw` shows it." },
	{ "", "include", "Files whose blocks are used here as FILE.NAME." },
	{ "", "extends", "A file that this one changes: mappings merge, the rest replaces." },
	{ "", "unset", "Keys of the file that is extended which are taken away: [train.clip]." },
	{ "", "plugins", "Ops of plug-ins that the file needs." },
	{ "train", "epochs", "How often all samples are seen." },
	{ "train", "steps", "How many steps are made, instead of epochs." },
	{ "train", "seed", "Of initial weights, shuffling, dropout, made-up data." },
	{ "train", "optimizer", "{adam: {lr: 1e-3}}" },
	{ "train", "precision", "f32, f64, or bf16: f32 with the products of training steps in bf16." },
	{ "train", "log", "A line on the terminal every so many epochs." },
	{ "train", "schedule", "How the learning rate changes: {warmup_cosine: {warmup: 100, floor: lr/10}}." },
	{ "train", "clip", "A limit for gradients: {norm: 1.0}." },
	{ "train", "groups",
	  "Other settings for weights that match: [{match: \"*.bias\", weight_decay: 0}]." },
	{ "train", "early_stop", "{watch: valid.loss, patience: 3}" },
	{ "train", "checkpoint",
	  "When weights are saved: {every: 1 epoch, keep: 3, best: valid.acc}." },
	{ "train", "gradients", "When gradients are recorded: {every: 200 steps}." },
	{ "train", "accumulate", "Batches whose gradients are added up for one step." },
	{ "train", "eval", "When the valid part is measured: 100 steps." },
	{ "train", "from", "A run or a file of weights to begin with." },
	{ "train.clip", "norm", "The most that the norm of all gradients together may be." },
	{ "train.early_stop", "watch", "The number that has to become better: valid.loss, valid.acc." },
	{ "train.early_stop", "patience", "After how many measurements without a better one it stops (default: 1)." },
	{ "train.early_stop", "mode", "Which is better; if it is not given min for the loss, max for a metric." },
	{ "train.checkpoint", "every", "A period: 1 epoch (the default), 250 steps." },
	{ "train.checkpoint", "keep", "How many of them are kept, the newest; 0: all (default: 1)." },
	{ "train.checkpoint", "best", "The number whose best weights are kept, too: valid.acc." },
	{ "train.checkpoint", "mode", "Which is better; if it is not given min for the loss, max for a metric." },
	{ "train.gradients", "every", "A period: 200 steps, 1 epoch." },
	{ "train.gradients", "draw", "Whether each record is drawn, too." },
	{ "data", "train", "The samples to learn from." },
	{ "data", "valid", "Samples measured each epoch: a source, or {split: 0.1, of: train}." },
	{ "data", "test", "Samples measured at the end: a source, or {split: 0.2, of: train}." },
	{ "data", "map", "What is done to an input: {x: [{scale: 1/255}, standardize]}." },
	{ "data", "augment", "Random changes of the training pictures: {x: [{random_crop: {pad: 4}}, random_flip]}." },
	{ "data", "batch", "Samples of a step." },
	{ "data", "shuffle", "Whether samples come in another order each epoch." },
	{ "data", "draw", "random: each step draws its samples at random." },
	{ "sweep", "over", "Params and their values: {lr: [0.1, 0.01]}, or a range, {lr: {log: [1e-4, 1e-1]}}." },
	{ "sweep", "method", "grid: all combinations of the lists; random: so many trials at random." },
	{ "sweep", "trials", "How many, for method: random." },
	{ "sweep", "goal", "What is compared: min valid.loss, max valid.acc." },
	{ "draw", "view", "circuit, flow or auto." },
	{ "draw", "depth", "How many levels of modules are shown." },
	{ "draw", "direction", "Where the values go: TB, BT, LR or RL." },
	{ "draw", "gradients", "The number at a gradient: rms, max or ratio." },
	{ "draw", "max_nodes", "Modules are opened while there are no more boxes than that." },
	{ "draw", "thresholds",
	  "Where the classes of gradients begin, against the reference: {vanishing: 1e-3, weak: 1/30, strong: 10, "
	  "exploding: 100}." },
	{ "draw.thresholds", "vanishing", "Below this part of the reference gradients vanish (default: 1e-3)." },
	{ "draw.thresholds", "weak", "Below this part they are weak (default: 1/30)." },
	{ "draw.thresholds", "strong", "Above this multiple they are strong (default: 10)." },
	{ "draw.thresholds", "exploding", "Above this multiple they explode (default: 100)." },
	{ "item", "as", "The name of the result, or a list of names where there are several." },
	{ "item", "from", "What it reads, instead of the item before." },
	{ "item", "repeat",
	  "So many copies with weights of their own: n, or {j: n} with a counter j." },
	{ "item", "each", "A copy for each element of lists: {c: [16, 32], s: [1, 2]}." },
	{ "item", "when", "A condition; if it is false the item passes on what it gets." },
	{ "item", "share", "The weights of another item, or tensors: {weight: tok.weight}." },
	{ "item", "freeze", "Its weights are not trained." },
	{ "item", "lr_scale", "A factor of the learning rate for its weights." },
	{ "item", "init", "Initial values of its weights: he, {normal: 0.02}, {bias: ones}." },
	{ "item", "shape", "The shape that its result must have." },
	{ "item", "note", "A remark." },
	{ "item", "checkpoint",
	  "true: what it holds is computed again by the backward pass rather than kept in memory." },
	{ "part", "chain", "A list of items as one." },
	{ "part", "residual", "x + f(x): a list of items, or {body: [...], skip: auto}." },
	{ "part", "parallel", "{branches: {a: [...], b: [...]}, join: concat, axis: 1}" },
	{ "part", "scan",
	  "A block with state over the steps of a sequence: {cell: NAME, axis: 1, state: {h: "
	  "zeros}}." },
	{ "residual", "body", "The items of f." },
	{ "residual", "skip", "identity: x as it is (the default); auto: projected where the shapes differ." },
	{ "parallel", "branches", "Lists of items by name, which all read x: {a: [...], b: [...]}." },
	{ "parallel", "join", "The op that makes one of their results (default: concat)." },
	{ "parallel", "axis", "The axis that the results are joined along." },
	{ "scan", "cell", "The block that is one step." },
	{ "scan", "args", "Arguments of the block: {hidden: 64}." },
	{ "scan", "axis", "The axis of the steps (default: 1)." },
	{ "scan", "state", "Inputs of the block that carry its outputs to the next step: {h: zeros}." },
	{ "block", "params",
	  "Parameters: a type (int float bool str op block shape) is required, a value is a "
	  "default, `int = 4` is both." },
	{ "block", "inputs", "Inputs by name, with shapes." },
	{ "block", "weights", "Weights of its own." },
	{ "block", "body", "A list of items or a mapping of equations." },
	{ "block", "outputs", "Results: {y: h_new, h: h_new}." },
	{ "block", "check", "Expressions that must hold: [out % 8 == 0]." },
	{ "split", "split", "The fraction that is split off." },
	{ "split", "of", "What it is split off: train or test." },
	{ "split", "how", "random, or tail: the last ones." },
};

/* A block of the file; or another name of an item: an op of a plug-in, a parameter that stands for
 * an op. */
struct file_block {
	char *name;
	const struct yaml *block; /* NULL: another name, whose arguments are not known */
	const char *doc;
};

struct schema {
	FILE *to;
	bool comma;  /* something stands before in this object or list */
	bool strict; /* the names of all blocks are known */
	size_t n_blocks, n_trees;
	struct file_block *blocks;
	struct yaml_tree **trees; /* what the blocks point into */
	struct messages **messages;
};

/* ---- JSON
 * ---------------------------------------------------------------------------------------------- */

static void open_with(struct schema *s, const char *key, char bracket)
{
	if (s->comma)
		fputc(',', s->to);
	if (key) {
		json_text(s->to, key);
		fputc(':', s->to);
	}
	if (bracket)
		fputc(bracket, s->to);
	s->comma = bracket == 0;
}

static void shut(struct schema *s, char bracket)
{
	fputc(bracket, s->to);
	s->comma = true;
}

static void text(struct schema *s, const char *key, const char *value)
{
	open_with(s, key, 0);
	json_text(s->to, value);
}

/* A value that is JSON already. */
static void raw(struct schema *s, const char *key, const char *json)
{
	open_with(s, key, 0);
	fputs(json, s->to);
}

static void refer(struct schema *s, const char *key, const char *definition)
{
	open_with(s, key, '{');
	fprintf(s->to, "\"$ref\":\"#/definitions/%s\"", definition);
	shut(s, '}');
}

/* Text up to the first empty line, in one line. */
static void first_paragraph(struct schema *s, const char *key, const char *from)
{
	const char *end = strstr(from, "\n\n");
	char *copy = strndup(from, end ? (size_t)(end - from) : strlen(from));

	if (!copy)
		return;
	for (char *c = copy; *c; c++)
		if (*c == '\n')
			*c = c[1] ? ' ' : '\0';
	text(s, key, copy);
	free(copy);
}

static const char *doc_of(const char *where, const char *key)
{
	for (size_t k = 0; k < sizeof docs / sizeof *docs; k++)
		if (strcmp(docs[k].where, where) == 0 && strcmp(docs[k].key, key) == 0)
			return docs[k].doc;
	return NULL;
}

/* ---- tables of attributes
 * -------------------------------------------------------------------------------- */

static void words(struct schema *s, const char *key, const char *list)
{
	open_with(s, key, '[');
	while (*list) {
		size_t n = strcspn(list, " ");

		open_with(s, NULL, 0);
		fprintf(s->to, "\"%.*s\"", (int)n, list);
		list += n + strspn(list + n, " ");
	}
	shut(s, ']');
}

static void attribute_types(struct schema *s, const ad_attr *a)
{
	static const char *const types[] = {
		[AD_INT] = "[\"integer\",\"string\",\"null\"]",
		[AD_NUM] = "[\"number\",\"string\",\"null\"]",
		[AD_FLAG] = "[\"boolean\",\"string\",\"null\"]",
		[AD_WORD] = "[\"string\",\"null\"]",
		[AD_INTLIST] = "[\"integer\",\"string\",\"array\",\"null\"]",
		[AD_NUMLIST] = "[\"number\",\"string\",\"array\",\"null\"]",
		[AD_NOTHING] = "\"null\"",
	};

	if (!a->choice) {
		raw(s, "type", types[a->type]);
		return;
	}
	open_with(s, "anyOf", '[');
	open_with(s, NULL, '{');
	words(s, "enum", a->choice);
	shut(s, '}');
	open_with(s, NULL, '{');
	raw(s, "type", types[a->type]);
	shut(s, '}');
	shut(s, ']');
}

static void attribute(struct schema *s, const ad_attr *a)
{
	char *doc = NULL;

	open_with(s, a->name, '{');
	if (asprintf(&doc, a->def ? "%s (default: %s)" : "%s (required)", a->doc ? a->doc : a->name,
	             a->def) >= 0)
		text(s, "description", doc);
	free(doc);
	attribute_types(s, a);
	shut(s, '}');
}

/* The names in "x w b?", as keys for expressions. */
static void input_keys(struct schema *s, const char *inputs, const ad_attr *attrs)
{
	for (; inputs && *inputs; inputs += strspn(inputs, " ?.")) {
		size_t n = strcspn(inputs, " ?.");
		char *name = strndup(inputs, n);

		if (name && !attr_find(attrs, name)) {
			open_with(s, name, '{');
			text(s, "description", "an input, instead of the item before");
			raw(s, "type", "[\"string\",\"number\"]");
			shut(s, '}');
		}
		free(name);
		inputs += n;
	}
}

/* The value of an item's key: a mapping of arguments, the primary argument, or nothing. One form of many
 * types rather than alternatives: of alternatives an editor makes `relu: relu`, from the key and the name alone. */
#define ARGUMENTS "[\"object\",\"number\",\"string\",\"boolean\",\"array\",\"null\"]"

static void arguments(struct schema *s, const char *name, const char *doc, const ad_attr *attrs,
                      const char *inputs, bool weights)
{
	open_with(s, name, '{');
	first_paragraph(s, "description", doc);
	raw(s, "type", ARGUMENTS);
	raw(s, "additionalProperties", "false");
	open_with(s, "properties", '{');
	for (const ad_attr *a = attrs; a && a->name; a++)
		attribute(s, a);
	input_keys(s, inputs, attrs);
	if (weights)
		refer(s, "init", "init");
	shut(s, '}');
	shut(s, '}');
}

/* ---- keys -------------------------------------------------------------------------------------- */

/* What stands under a key that has no keys of its own. */
static const struct {
	const char *where, *key, *value;
} values[] = {
	{ "", "version", "\"enum\":[1]" },
	{ "", "name", "\"type\":\"string\"" },
	{ "", "params", "\"type\":\"object\"" },
	{ "", "inputs",
	  "\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#/definitions/input\"}" },
	{ "", "weights",
	  "\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#/definitions/weight\"}" },
	{ "", "defs",
	  "\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#/definitions/block\"}" },
	{ "", "defaults", "\"type\":\"object\"" },
	{ "", "include", "\"type\":[\"array\",\"string\"],\"items\":{\"type\":\"string\"}" },
	{ "", "extends", "\"type\":\"string\"" },
	{ "", "unset", "\"type\":\"array\",\"items\":{\"type\":\"string\"}" },
	{ "", "plugins", "\"type\":\"array\",\"items\":{\"type\":\"string\"}" },
	{ "", "model", "\"anyOf\":[{\"$ref\":\"#/definitions/model\"}]" },
	{ "", "loss", "\"anyOf\":[{\"$ref\":\"#/definitions/expression\"}]" },
	{ "", "output", "\"anyOf\":[{\"$ref\":\"#/definitions/expression\"}]" },
	{ "", "metrics",
	  "\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#/definitions/expression\"}" },
	{ "train", "optimizer", "\"anyOf\":[{\"$ref\":\"#/definitions/optimizer\"}]" },
	{ "train", "schedule", "\"anyOf\":[{\"$ref\":\"#/definitions/schedule\"}]" },
	{ "train", "epochs", "\"type\":[\"integer\",\"string\"]" },
	{ "train", "steps", "\"type\":[\"integer\",\"string\"]" },
	{ "train", "seed", "\"type\":[\"integer\",\"string\"]" },
	{ "train", "log", "\"type\":[\"integer\",\"string\"]" },
	{ "train", "groups", "\"type\":\"array\",\"items\":{\"type\":\"object\"}" },
	{ "train", "accumulate", "\"type\":[\"integer\",\"string\"]" },
	{ "train", "eval", "\"type\":\"string\"" },
	{ "train", "from", "\"type\":\"string\"" },
	{ "train", "precision", "\"enum\":[\"f32\",\"f64\",\"bf16\"]" },
	{ "data", "train", "\"anyOf\":[{\"$ref\":\"#/definitions/source\"}]" },
	{ "data", "valid", "\"anyOf\":[{\"$ref\":\"#/definitions/source\"}]" },
	{ "data", "test", "\"anyOf\":[{\"$ref\":\"#/definitions/source\"}]" },
	{ "data", "map", "\"type\":\"object\"" },
	{ "data", "augment", "\"type\":\"object\"" },
	{ "data", "batch", "\"type\":[\"integer\",\"string\"]" },
	{ "data", "shuffle", "\"type\":[\"boolean\",\"string\"]" },
	{ "data", "draw", "\"enum\":[\"random\"]" },
	{ "sweep", "over", "\"type\":\"object\"" },
	{ "sweep", "method", "\"enum\":[\"grid\",\"random\"]" },
	{ "sweep", "trials", "\"type\":[\"integer\",\"string\"]" },
	{ "sweep", "goal", "\"type\":\"string\"" },
	{ "draw", "view", "\"enum\":[\"auto\",\"circuit\",\"flow\"]" },
	{ "draw", "depth", "\"type\":[\"integer\",\"string\"]" },
	{ "draw", "direction", "\"enum\":[\"TB\",\"BT\",\"LR\",\"RL\"]" },
	{ "draw", "gradients", "\"enum\":[\"rms\",\"max\",\"ratio\"]" },
	{ "draw", "max_nodes", "\"type\":[\"integer\",\"string\"]" },
	{ "train.early_stop", "patience", "\"type\":[\"integer\",\"string\"]" },
	{ "train.early_stop", "mode", "\"enum\":[\"min\",\"max\"]" },
	{ "train.checkpoint", "keep", "\"type\":[\"integer\",\"string\"]" },
	{ "train.checkpoint", "mode", "\"enum\":[\"min\",\"max\"]" },
	{ "train.gradients", "draw", "\"type\":[\"boolean\",\"string\"]" },
	{ "split", "of", "\"enum\":[\"train\",\"test\"]" },
	{ "split", "how", "\"enum\":[\"random\",\"tail\"]" },
	{ "item", "as", "\"type\":[\"string\",\"array\"]" },
	{ "item", "from", "\"type\":[\"string\",\"array\",\"number\"]" },
	{ "item", "repeat", "\"type\":[\"integer\",\"string\",\"object\"]" },
	{ "item", "each", "\"type\":\"object\"" },
	{ "item", "when", "\"type\":[\"string\",\"boolean\",\"number\"]" },
	{ "item", "share", "\"type\":[\"string\",\"object\"]" },
	{ "item", "freeze", "\"type\":[\"boolean\",\"string\"]" },
	{ "item", "lr_scale", "\"type\":[\"number\",\"string\"]" },
	{ "item", "shape", "\"anyOf\":[{\"$ref\":\"#/definitions/shape\"}]" },
	{ "item", "note", "\"type\":[\"string\",\"number\",\"boolean\",\"array\",\"object\",\"null\"]" },
	{ "item", "checkpoint", "\"type\":[\"boolean\",\"string\"]" },
	{ "item", "init", "\"anyOf\":[{\"$ref\":\"#/definitions/init\"}]" },
	{ "part", "chain", "\"anyOf\":[{\"$ref\":\"#/definitions/items\"}]" },
	{ "part", "residual",
	  "\"anyOf\":[{\"$ref\":\"#/definitions/items\"},{\"$ref\":\"#/definitions/residual\"}]" },
	{ "part", "parallel",
	  "\"anyOf\":[{\"$ref\":\"#/definitions/branches\"},{\"$ref\":\"#/definitions/parallel\"}]" },
	{ "part", "scan", "\"anyOf\":[{\"$ref\":\"#/definitions/scan\"},{\"type\":\"string\"}]" },
	{ "residual", "body", "\"anyOf\":[{\"$ref\":\"#/definitions/items\"}]" },
	{ "residual", "skip", "\"enum\":[\"identity\",\"auto\"]" },
	{ "parallel", "branches",
	  "\"anyOf\":[{\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#/definitions/branch\"}},"
	  "{\"$ref\":\"#/definitions/branches\"}]" },
	{ "block", "body", "\"anyOf\":[{\"$ref\":\"#/definitions/model\"}]" },
};

static void mapping(struct schema *s, const char *where);

/* A key with what is said of it above: its keys, if it has a table of them, or its value. */
static void mapping_key(struct schema *s, const char *where, const char *key)
{
	const char *doc = doc_of(where, key);
	char inner[64];

	snprintf(inner, sizeof inner, "%s%s%s", where, *where ? "." : "", key);
	open_with(s, key, '{');
	if (doc)
		text(s, "description", doc);
	for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
		if (strcmp(values[k].where, where) != 0 || strcmp(values[k].key, key) != 0)
			continue;
		fprintf(s->to, "%s%s", s->comma ? "," : "", values[k].value);
		s->comma = true;
	}
	for (size_t k = 0; k < sizeof docs / sizeof *docs; k++)
		if (strcmp(docs[k].where, inner) == 0) {
			mapping(s, inner);
			break;
		}
	shut(s, '}');
}

/* The keys that have a sentence there. */
static void described(struct schema *s, const char *where)
{
	for (size_t k = 0; k < sizeof docs / sizeof *docs; k++)
		if (strcmp(docs[k].where, where) == 0)
			mapping_key(s, where, docs[k].key);
}

/* "type", "properties": the keys that the reader of the language takes there, or those that have a
 * sentence. */
static void mapping(struct schema *s, const char *where)
{
	size_t n = 0;
	bool any;
	const char *const *keys = keys_at(NULL, *where ? 1 : 0, &where, &n, &any);

	raw(s, "type", "\"object\"");
	raw(s, "additionalProperties", "false");
	if (!*where)
		raw(s, "patternProperties", "{\"^x-\":{}}");
	open_with(s, "properties", '{');
	for (size_t k = 0; k < n; k++)
		mapping_key(s, where, keys[k]);
	if (n == 0)
		described(s, where);
	shut(s, '}');
}

/* ---- items ---------------------------------------------------------------------------------- */

static const struct layer *layer_named(const char *name)
{
	for (size_t k = 0; layers[k]; k++)
		if (strcmp(layers[k]->name, name) == 0)
			return layers[k];
	return NULL;
}

/* A name alone as an item, with what hover shows. */
static void name_alone(struct schema *s, const char *name, const char *doc)
{
	open_with(s, NULL, '{');
	text(s, "const", name);
	first_paragraph(s, "description", doc);
	shut(s, '}');
}

/* The params or the inputs of a block, as keys. */
static void block_keys(struct schema *s, const struct yaml *map, bool inputs)
{
	for (size_t i = 0; map && map->kind == YAML_MAP && i < map->n; i++) {
		open_with(s, map->keys[i]->text, '{');
		if (inputs)
			text(s, "description", "an input, instead of the item before");
		else if (map->items[i]->kind == YAML_SCALAR)
			text(s, "description", map->items[i]->text);
		shut(s, '}');
	}
}

static void block_arguments(struct schema *s, const struct file_block *b)
{
	open_with(s, b->name, '{');
	text(s, "description", b->doc);
	raw(s, "type", ARGUMENTS);
	raw(s, "additionalProperties", b->block ? "false" : "true");
	open_with(s, "properties", '{');
	block_keys(s, yaml_get(b->block, "params"), false);
	block_keys(s, yaml_get(b->block, "inputs"), true);
	shut(s, '}');
	shut(s, '}');
}

/* An item: a mapping, or a name alone. What is neither gets the sentence of the mapping, the first form. */
static void define_item(struct schema *s)
{
	open_with(s, "item", '{');
	open_with(s, "anyOf", '[');
	open_with(s, NULL, '{');
	raw(s, "type", "\"object\"");
	if (s->strict)
		text(s, "errorMessage", "neither an op, a layer or a block of this file nor a word of items such "
		                        "as 'repeat'");
	raw(s, "additionalProperties", s->strict ? "false" : "true");
	open_with(s, "properties", '{');
	described(s, "item");
	described(s, "part");
	for (size_t k = 0; k < s->n_blocks; k++)
		block_arguments(s, &s->blocks[k]);
	for (size_t k = 0; layers[k]; k++)
		arguments(s, layers[k]->name, layers[k]->doc, layers[k]->attrs, layers[k]->inputs,
		          true);
	for (size_t k = 0; k < ad_ops(); k++) {
		const ad_op *op = ad_op_at(k);

		if (!layer_named(ad_op_name(op)) && !doc_of("item", ad_op_name(op)))
			arguments(s, ad_op_name(op), ad_op_doc(op), ad_op_attrs(op),
			          ad_op_inputs(op), false);
	}
	shut(s, '}');
	shut(s, '}');
	for (size_t k = 0; k < s->n_blocks; k++)
		name_alone(s, s->blocks[k].name, s->blocks[k].doc);
	for (size_t k = 0; layers[k]; k++)
		name_alone(s, layers[k]->name, layers[k]->doc);
	for (size_t k = 0; k < ad_ops(); k++)
		if (!layer_named(ad_op_name(ad_op_at(k))))
			name_alone(s, ad_op_name(ad_op_at(k)), ad_op_doc(ad_op_at(k)));
	if (!s->strict)
		raw(s, NULL, "{\"type\":\"string\"}");
	shut(s, ']');
	shut(s, '}');
}

/* ---- the other parts of a file
 * --------------------------------------------------------------------------------- */

/* A key of a source, once: what it means in each of the formats that have it, of which k is the
 * first. */
static void format_key(struct schema *s, size_t k, const char *name)
{
	char *doc = NULL;
	size_t length;
	FILE *to;

	for (size_t j = 0; j < k; j++)
		if (formats[j]->attrs && attr_find(formats[j]->attrs, name))
			return;
	to = open_memstream(&doc, &length);
	if (!to)
		return;
	for (size_t j = k; formats[j]; j++) {
		const ad_attr *a = formats[j]->attrs ? attr_find(formats[j]->attrs, name) : NULL;

		if (a)
			fprintf(to, "%s%s: %s", j == k ? "" : "; ", formats[j]->name, a->doc);
	}
	if (fclose(to) == 0) {
		open_with(s, name, '{');
		text(s, "description", doc);
		shut(s, '}');
	}
	free(doc);
}

static void define_source(struct schema *s)
{
	open_with(s, "source", '{');
	raw(s, "type", "\"object\"");
	open_with(s, "properties", '{');
	open_with(s, "format", '{');
	text(s, "description", "the format of a file, or a generated set");
	open_with(s, "anyOf", '[');
	for (size_t k = 0; formats[k]; k++)
		name_alone(s, formats[k]->name, formats[k]->doc);
	shut(s, ']');
	shut(s, '}');
	described(s, "split");
	for (size_t k = 0; formats[k]; k++)
		for (const ad_attr *a = formats[k]->attrs; a && a->name; a++)
			format_key(s, k, a->name);
	shut(s, '}');
	shut(s, '}');
}

/* An optimizer or a schedule: a name alone, or a mapping of one name to its arguments. */
static void define_choices(struct schema *s)
{
	open_with(s, "optimizer", '{');
	raw(s, "type", "[\"object\",\"string\"]");
	raw(s, "additionalProperties", "false");
	open_with(s, "properties", '{');
	for (size_t k = 0; optimizers[k]; k++)
		arguments(s, optimizers[k]->name, optimizers[k]->doc, optimizers[k]->attrs, NULL,
		          false);
	shut(s, '}');
	shut(s, '}');
	open_with(s, "schedule", '{');
	raw(s, "type", "[\"object\",\"string\"]");
	raw(s, "additionalProperties", "false");
	open_with(s, "properties", '{');
	for (size_t k = 0; schedules[k].name; k++)
		arguments(s, schedules[k].name, schedules[k].doc, schedules[k].attrs, NULL, false);
	shut(s, '}');
	shut(s, '}');
}

static void define_plain(struct schema *s)
{
	static const char *const parts[] = { "block", "residual", "parallel", "scan" };

	raw(s, "expression", "{\"type\":[\"number\",\"string\",\"boolean\"]}");
	raw(s, "shape", "{\"type\":\"array\",\"items\":{\"type\":[\"integer\",\"string\"]}}");
	raw(s, "items", "{\"type\":\"array\",\"items\":{\"$ref\":\"#/definitions/item\"}}");
	raw(s, "model",
	    "{\"anyOf\":[{\"$ref\":\"#/definitions/"
	    "items\"},{\"type\":\"object\",\"additionalProperties\":"
	    "{\"anyOf\":[{\"$ref\":\"#/definitions/item\"},{\"$ref\":\"#/definitions/"
	    "expression\"}]}}]}");
	raw(s, "branch", "{\"anyOf\":[{\"$ref\":\"#/definitions/items\"},{\"$ref\":\"#/definitions/item\"}]}");
	raw(s, "branches", "{\"type\":\"array\",\"items\":{\"$ref\":\"#/definitions/branch\"}}");
	raw(s, "init",
	    "{\"description\":\"initial values: a word, or a mapping with one "
	    "key\",\"anyOf\":[{\"enum\":["
	    "\"zeros\",\"ones\",\"xavier\",\"xavier_normal\",\"xavier_uniform\",\"he\",\"he_"
	    "normal\","
	    "\"he_uniform\",\"normal\",\"uniform\"]},{\"type\":[\"object\",\"string\"]}]}");
	raw(s, "input",
	    "{\"anyOf\":[{\"type\":[\"number\",\"string\"]},{\"$ref\":\"#/definitions/"
	    "shape\"},{\"type\":"
	    "\"object\",\"additionalProperties\":false,\"properties\":{\"shape\":{\"$ref\":"
	    "\"#/definitions/shape\"},\"dtype\":{\"enum\":[\"f32\",\"f64\",\"i32\",\"bool\"]},"
	    "\"role\":{\"enum\":[\"input\",\"target\"],\"description\":\"target: what is to be found\"}}}]}");
	raw(s, "weight",
	    "{\"anyOf\":[{\"type\":[\"number\",\"string\"]},{\"$ref\":\"#/definitions/"
	    "shape\"},{\"type\":"
	    "\"object\",\"properties\":{\"shape\":{\"$ref\":\"#/definitions/"
	    "shape\"},\"init\":{\"$ref\":"
	    "\"#/definitions/init\"}}}]}");
	for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
		open_with(s, parts[k], '{');
		mapping(s, parts[k]);
		shut(s, '}');
	}
}

/* ---- the blocks of a file
 * ------------------------------------------------------------------------------------------ */

static void add_name(struct schema *s, const char *prefix, const char *name,
                     const struct yaml *block, const char *doc)
{
	struct file_block *more = realloc(s->blocks, (s->n_blocks + 1) * sizeof *more);
	char *whole = NULL;

	if (!more)
		return;
	s->blocks = more;
	if (asprintf(&whole, "%s%s", prefix, name) < 0)
		return;
	/* a child's block stands before its parent's of the same name */
	for (size_t k = 0; k < s->n_blocks; k++)
		if (strcmp(s->blocks[k].name, whole) == 0) {
			free(whole);
			return;
		}
	s->blocks[s->n_blocks++] = (struct file_block){ whole, block, doc };
}

/* A block, and those of its parameters that are ops or blocks, which its body may have as items. */
static void add_block(struct schema *s, const char *prefix, const struct yaml *key,
                      const struct yaml *block)
{
	const struct yaml *params = yaml_get(block, "params");

	add_name(s, prefix, key->text, block, "a block of this file");
	for (size_t i = 0; params && params->kind == YAML_MAP && i < params->n; i++) {
		const struct yaml *type = params->items[i];
		size_t n = type->kind == YAML_SCALAR
		               ? strspn(type->text, "abcdefghijklmnopqrstuvwxyz")
		               : 0;

		if ((n == 2 && strncmp(type->text, "op", 2) == 0) ||
		    (n == 5 && strncmp(type->text, "block", 5) == 0))
			add_name(s, "", params->keys[i]->text, NULL,
			         "a parameter of a block of this file");
	}
}

static struct yaml *read_tree(struct schema *s, const char *path)
{
	char *content = malloc(MOST_FILE + 1), error[256];
	struct reader file;
	size_t n = 0, got = 1;
	struct yaml *root = NULL;
	struct yaml_tree **trees = realloc(s->trees, (s->n_trees + 1) * sizeof(*trees));
	struct messages **messages = NULL;

	if (trees) {
		s->trees = trees;
		messages = realloc(s->messages, (s->n_trees + 1) * sizeof(*messages));
	}
	if (messages)
		s->messages = messages;
	if (content && messages && reader_open(&file, path, error, sizeof error)) {
		while (got > 0 && n < MOST_FILE &&
		       reader_read(&file, content + n, MOST_FILE - n, &got, error, sizeof error))
			n += got;
		reader_close(&file);
		content[n] = '\0';
		messages[s->n_trees] = messages_new(path, content, n);
		trees[s->n_trees] =
		    messages[s->n_trees] ? yaml_read(content, n, messages[s->n_trees]) : NULL;
		root = trees[s->n_trees] ? yaml_root(trees[s->n_trees]) : NULL;
		s->n_trees++;
	}
	free(content);
	return root && root->kind == YAML_MAP ? root : NULL;
}

/* The blocks of a file, of what it extends, and of what it includes as FILE.NAME. What cannot be
 * read is left out: the schema is for a file that is being written. */
static void add_file(struct schema *s, const char *path, const char *prefix, int depth)
{
	const struct yaml *root = depth <= DEEPEST_BASE ? read_tree(s, path) : NULL;
	const struct yaml *defs = root ? yaml_get(root, "defs") : NULL;
	const struct yaml *plugins = root ? yaml_get(root, "plugins") : NULL;
	const struct yaml *base = root ? yaml_get(root, "extends") : NULL;
	const struct yaml *include = root && !*prefix ? yaml_get(root, "include") : NULL;
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./");

	for (size_t i = 0; plugins && plugins->kind == YAML_LIST && i < plugins->n; i++)
		if (plugins->items[i]->kind == YAML_SCALAR && !ad_op_find(plugins->items[i]->text))
			add_name(s, "", plugins->items[i]->text, NULL, "an op of a plug-in that is not loaded");
	for (size_t i = 0; defs && defs->kind == YAML_MAP && i < defs->n; i++)
		add_block(s, prefix, defs->keys[i], defs->items[i]);
	if (folder && base && base->kind == YAML_SCALAR) {
		char *other = path_in(folder, base->text);

		if (other)
			add_file(s, other, prefix, depth + 1);
		free(other);
	}
	for (size_t i = 0; folder && include && include->kind == YAML_LIST && i < include->n; i++) {
		const struct yaml *y = include->items[i];
		const char *name = y->kind == YAML_SCALAR ? y->text : "";
		char *other = path_in(folder, name), *inner = NULL;

		name = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
		if (other && asprintf(&inner, "%.*s.", (int)strcspn(name, "."), name) >= 0)
			add_file(s, other, inner, depth + 1);
		free(inner);
		free(other);
	}
	free(folder);
}

/* ---- the whole ------------------------------------------------------------------------------ */

char *schema_text(const char *file)
{
	char *json = NULL;
	size_t length;
	struct schema s = { .to = open_memstream(&json, &length), .strict = file != NULL };

	if (!s.to)
		return NULL;
	if (file)
		add_file(&s, file, "", 0);
	fputc('{', s.to);
	text(&s, "$schema", "http://json-schema.org/draft-07/schema#");
	text(&s, "title", "a model of autograd " AD_VERSION);
	mapping(&s, "");
	/* a file that extends another may have it from there */
	raw(&s, "if", "{\"required\":[\"extends\"]}");
	raw(&s, "else", "{\"required\":[\"version\"]}");
	open_with(&s, "definitions", '{');
	define_plain(&s);
	define_item(&s);
	define_source(&s);
	define_choices(&s);
	shut(&s, '}');
	fputs("}\n", s.to);
	for (size_t k = 0; k < s.n_blocks; k++)
		free(s.blocks[k].name);
	for (size_t k = 0; k < s.n_trees; k++) {
		yaml_free(s.trees[k]);
		messages_free(s.messages[k]);
	}
	free(s.blocks);
	free(s.trees);
	free(s.messages);
	if (fclose(s.to) == 0)
		return json;
	free(json);
	return NULL;
}

struct schema_options {
	const char *file;
};

static const struct option options[] = {
	{ "for", 0, OPTION_TEXT, "FILE", NULL, false, offsetof(struct schema_options, file),
	  "with the blocks of this file, of what it extends and includes" },
	{ 0 },
};

static int run(const void *given, int n, const char *const args[])
{
	const struct schema_options *o = given;
	char *json = schema_text(o->file);

	if (!json)
		return failed("schema", "out of memory");
	fputs(json, stdout);
	free(json);
	return EXIT_DONE;
}

const struct command command_schema = {
	.name = "schema",
	.arguments = "",
	.least = 0,
	.most = 0,
	.doc = "prints a JSON Schema of model files, for completion and help in editors",
	.details =
	    "Save it as model.schema.json beside the file and begin the file with the line "
	    "'# yaml-language-server: $schema=model.schema.json'. It knows the keys, ops, layers, "
	    "optimizers and formats of this build. Whether a file is right is what 'autograd "
	    "check' says.",
	.options = options,
	.options_size = sizeof(struct schema_options),
	.run = run,
};
