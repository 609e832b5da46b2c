/*
 * explain: what each error means: a page with a wrong and a right example. tests/models/explain.c
 * runs them.
 */
#include "language.h"

const struct explanation explanations[] = {
	{ E_KEY, "unknown key",
	  "A mapping has a key that is not one of those that the place knows, or an op is given an "
	  "argument that it has not. Nothing is ignored silently: what is misspelt would otherwise "
	  "keep "
	  "its default value. 'autograd ops NAME' shows the arguments of an op. An override by "
	  "--set or "
	  "AUTOGRAD_SET that names no key of the file is the same error.",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model:\n"
	  "  - linear: {out: 3, bais: false}\n",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model:\n"
	  "  - linear: {out: 3, bias: false}\n" },
	{ E_OP, "unknown op, layer or block",
	  "An item of 'model' or of a body is a block of 'defs', else a layer, else an op. In an "
	  "expression a name before '(' is a block or an op; layers own weights and occur only as "
	  "items. "
	  "Names of optimizers, data formats and initial values are looked for in the same way.",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: [{linear: 3}, reluu]\n",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: [{linear: 3}, relu]\n" },
	{ E_MISSING, "missing argument",
	  "Something that has no default was not given: a param of a block that is declared by its "
	  "type "
	  "alone, an argument of an op, an input of an item that nothing stands before, a key such "
	  "as "
	  "'version'.",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "defs:\n"
	  "  head: {params: {out: int}, body: [{linear: out}]}\n"
	  "model: [head]\n",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "defs:\n"
	  "  head: {params: {out: int}, body: [{linear: out}]}\n"
	  "model: [{head: {out: 3}}]\n" },
	{ E_TYPE, "wrong type",
	  "A value is of another kind than its place wants: a word where a number is due, a list "
	  "where "
	  "a mapping is. Where a number is due, a word is the name of a param; --set may have "
	  "given it "
	  "another value than the file.",
	  "version: 1\n"
	  "params: {hidden: 8}\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: [{linear: hiden}]\n",
	  "version: 1\n"
	  "params: {hidden: 8}\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: [{linear: hidden}]\n" },
	{ E_TWICE, "the same key twice",
	  "A mapping has a key twice. Most YAML readers keep one of the two without a word; which "
	  "one "
	  "was meant, only the author knows. The same holds for an argument that a call is given "
	  "twice.",
	  "version: 1\n"
	  "params: {n: 3}\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: [{linear: n}]\n"
	  "params: {n: 5}\n",
	  "version: 1\n"
	  "params: {n: 5}\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: [{linear: n}]\n" },
	{ E_COMMA, "a comma inside braces or brackets",
	  "In { } and [ ] a comma ends a value, also within parentheses: {acc: max(a, b)} reads as "
	  "the "
	  "key acc with the value 'max(a' and a key 'b)'. Put such a value into quotes, or on a "
	  "line of "
	  "its own.",
	  "version: 1\n"
	  "inputs: {x: 3}\n"
	  "model: {y: max(x, 0)}\n",
	  "version: 1\n"
	  "inputs: {x: 3}\n"
	  "model: {y: \"max(x, 0)\"}\n" },
	{ E_OPEN, "a bracket or quote that is never closed",
	  "The reader came to a line that cannot be part of what was opened. The place is that of "
	  "the "
	  "opening; the message tells where the reader gave up.",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: [{linear: 3}, relu\n",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: [{linear: 3}, relu]\n" },
	{ E_TAB, "a tab in indentation",
	  "YAML indents by spaces only: how wide a tab is, readers do not agree on.",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model:\n"
	  "\t- relu\n",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model:\n"
	  "  - relu\n" },
	{ E_TAG, "a tag",
	  "YAML's tags, such as !!python/object or !include, make readers run code or open files. "
	  "A "
	  "model file has none: it is data. Types follow from the values; other files are named by "
	  "'include' and 'extends'.",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: [{linear: !!int 3}]\n",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: [{linear: 3}]\n" },
	{ E_SHAPE, "shapes do not fit",
	  "An op is given tensors whose shapes do not go together, or a result has not the shape "
	  "that "
	  "'shape' asserts. Free dims print by name, [B, 784], since all sizes are checked before "
	  "any "
	  "data is read. The notes say where each side comes from. For matrices, a @ b wants the "
	  "last "
	  "axis of a as long as the one before the last of b; element by element, axes from the "
	  "right "
	  "must be equal or 1.",
	  "version: 1\n"
	  "inputs: {x: [B, 784]}\n"
	  "weights: {w: {shape: [128, 64]}}\n"
	  "model: {y: x @ w}\n",
	  "version: 1\n"
	  "inputs: {x: [B, 784]}\n"
	  "weights: {w: {shape: [784, 64]}}\n"
	  "model: {y: x @ w}\n" },
	{ E_NAME, "unknown name",
	  "Nothing within reach has this name. A name given by 'as' is seen in the rest of its "
	  "list and "
	  "in lists inside, not outside; a block sees its own names and the params of the file, a "
	  "block "
	  "of an included file its own alone. Equations may stand in any order.",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model:\n"
	  "  - linear: 4\n"
	  "    as: here\n"
	  "  - add: hear\n",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model:\n"
	  "  - linear: 4\n"
	  "    as: here\n"
	  "  - add: here\n" },
	{ E_NAMED_TWICE, "two things with one name",
	  "A body gives a name twice, or two items would have weights of the same path. Names are "
	  "how "
	  "items are wired and how weights are found in a checkpoint, so each stands for one "
	  "thing.",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model:\n"
	  "  - {linear: 4, as: h}\n"
	  "  - {linear: 4, as: h}\n",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model:\n"
	  "  - {linear: 4, as: h1}\n"
	  "  - {linear: 4, as: h2}\n" },
	{ E_CYCLE, "a cycle",
	  "An equation needs its own result, directly or through others; an alias stands inside of what it "
	  "names; or a file extends or includes itself. For a recurrence use 'scan', which carries state from "
	  "step to step. Of equations that share weights one owns them, and the others have 'share'.",
	  "version: 1\n"
	  "inputs: {x: 3}\n"
	  "model:\n"
	  "  a: b + x\n"
	  "  b: a * 2\n",
	  "version: 1\n"
	  "inputs: {x: 3}\n"
	  "model:\n"
	  "  a: x + 1\n"
	  "  b: a * 2\n" },
	{ E_WHOLE, "not a whole number",
	  "A size, a count or an axis came out as a fraction. '/' is the exact quotient and is "
	  "accepted "
	  "where it is whole; '//' rounds down.",
	  "version: 1\n"
	  "params: {d: 10}\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: [{linear: d/4}]\n",
	  "version: 1\n"
	  "params: {d: 10}\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: [{linear: d//4}]\n" },
	{ E_RESIDUAL, "a residual that changes the shape",
	  "'residual' is x + f(x), so f has to keep the shape. In the long form, 'skip: auto' "
	  "projects x "
	  "to the shape of f(x) where they differ: by a convolution of kernel 1, or a linear "
	  "layer.",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model:\n"
	  "  - residual: [{linear: 8}, relu]\n",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model:\n"
	  "  - residual: {body: [{linear: 8}, relu], skip: auto}\n" },
	{ E_YAML, "not readable",
	  "The text is not YAML, not UTF-8, empty, or holds something that a model file has no use "
	  "for: "
	  "a NUL, a second document, a key that is a list, an alias without an anchor.",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: *body\n",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "x-body: &body [relu]\n"
	  "model: *body\n" },
	{ E_LIMIT, "over a limit",
	  "A file from anywhere must not take the machine's memory or time: sizes of files and "
	  "values, "
	  "nesting, aliases, items with all copies, blocks inside themselves and the memory for "
	  "weights "
	  "have limits, which the message tells.",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "defs:\n"
	  "  tower: {params: {n: int}, body: [{linear: 4}, {tower: {n: n + 1}}]}\n"
	  "model: [{tower: 0}]\n",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "defs:\n"
	  "  tower: {params: {n: int}, body: [{linear: 4}, {tower: {n: n + 1}, when: n < 3}]}\n"
	  "model: [{tower: 0}]\n" },
	{ E_RANGE, "out of range",
	  "A number has the right type but a value that makes no sense there, or a computation of "
	  "numbers has none: a size below 1, an index beyond its axis, a division by zero.",
	  "version: 1\n"
	  "params: {n: 0}\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: [{linear: n}]\n",
	  "version: 1\n"
	  "params: {n: 2}\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: [{linear: n}]\n" },
	{ E_LATER, "not in this version",
	  "The language has this, but this version of the program does not read it. Leaving it out or "
	  "saying it in another way gives a model that this version knows.",
	  "version: 1\n"
	  "inputs: {x: [B, 4], i: {shape: [B, 2], dtype: i32}}\n"
	  "model:\n"
	  "  y: x[i]\n",
	  "version: 1\n"
	  "inputs: {x: [B, 4], i: {shape: [B, 2], dtype: i32}}\n"
	  "model:\n"
	  "  y: gather(x, i, axis=1)\n" },
	{ E_LABELS, "data against model",
	  "The data does not go with the model: labels that are no class of the loss that reads "
	  "them, "
	  "samples of another size than the input declares.",
	  "version: 1\n"
	  "inputs: {x: [B, 1], y: {shape: [B], dtype: i32, role: target}}\n"
	  "model: [{linear: 2, as: logits}]\n"
	  "loss: cross_entropy(logits, y)\n"
	  "data: {train: {table: {columns: [x, y], rows: [[0, 0], [1, 2]]}}}\n"
	  "train: {steps: 1, optimizer: {sgd: {lr: 0.1}}}\n",
	  "version: 1\n"
	  "inputs: {x: [B, 1], y: {shape: [B], dtype: i32, role: target}}\n"
	  "model: [{linear: 3, as: logits}]\n"
	  "loss: cross_entropy(logits, y)\n"
	  "data: {train: {table: {columns: [x, y], rows: [[0, 0], [1, 2]]}}}\n"
	  "train: {steps: 1, optimizer: {sgd: {lr: 0.1}}}\n" },
	{ E_SYNTAX, "not an expression",
	  "The text of an expression cannot be read: an operator or a value is missing, a "
	  "parenthesis is "
	  "open, comparisons are chained. Expressions have numbers, names, + - * / // % ** @, "
	  "comparisons, calls f(a, k=b) and indices x[:, 0]. Names stand bare; '${name}' is for "
	  "paths "
	  "only.",
	  "version: 1\n"
	  "inputs: {x: 3}\n"
	  "model:\n"
	  "  y: (x + 1) * * 2\n",
	  "version: 1\n"
	  "inputs: {x: 3}\n"
	  "model:\n"
	  "  y: (x + 1) * 2\n" },
	{ E_FILE, "a file that cannot be read",
	  "The model file, or one that it extends or includes, is not there, is no regular file, "
	  "or may "
	  "not be read. Paths are relative to the folder of the file that names them.",
	  "extends: no_such_file.yaml\n",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: [relu]\n" },
	{ E_CHECK, "a check of a block that does not hold",
	  "A block states under 'check' what its params and dims must be; with the arguments of "
	  "this use "
	  "it is not so. The message shows the condition and the values.",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "defs:\n"
	  "  even: {params: {out: int}, check: [out % 2 == 0], body: [{linear: out}]}\n"
	  "model: [{even: 3}]\n",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "defs:\n"
	  "  even: {params: {out: int}, check: [out % 2 == 0], body: [{linear: out}]}\n"
	  "model: [{even: 4}]\n" },
	{ E_CHECKPOINT, "checkpoint against model",
	  "The weights in a file are not those of the model: a name is missing or too many, or a "
	  "tensor "
	  "has another shape or type. It was written by another model, or by this one before it "
	  "was "
	  "changed. The number of an unnamed item, linear_2, moves when another is put before it; "
	  "a name "
	  "by 'as' does not. Here the first model is given the weights of the second.",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: [{linear: 3, as: head}]\n",
	  "version: 1\n"
	  "inputs: {x: [B, 4]}\n"
	  "model: [{linear: 5, as: head}]\n" },
	{ 0 },
};
