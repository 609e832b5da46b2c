/*
 * build: the whole model: its inputs and weights, its body, loss, metrics and output.
 *
 * The tree is read anew for every recording. The first one is the check: it says what is wrong, in
 * a graph of its own where every free dim is a large prime, and lists the weights and rows. Later
 * ones record the same model for given sizes; they say nothing, and a failure is the graph's.
 */
#include "language.h"

#include <stdlib.h>
#include <string.h>

static int64_t dim_size(struct recording *r, int64_t dim)
{
	return dim >= 0 ? dim : r->instance->dims[-1 - dim];
}

static void build_inputs(struct recording *r, struct scope *body)
{
	ad_model *m = r->model;

	for (int i = 0; i < m->n_inputs; i++) {
		const struct input *in = &m->inputs[i];
		struct value v = unknown;
		ad_shape shape = { .rank = in->rank };

		for (int k = 0; k < in->rank; k++)
			shape.dims[k] = dim_size(r, in->dims[k]);
		if (in->rank >= 0) {
			v.node = in->scalar_leaf ? ad_leaf(r->graph, in->name, in->value)
			                         : ad_input(r->graph, in->name, in->type, shape);
			if (ad_is_error(v.node)) {
				say_failure(r, in->at, "input", 0, NULL);
			} else {
				v.kind = VALUE_NODE;
				v.from =
				    new_origin(r, store_text(r->store, "is input '%s'", in->name),
				               in->name, in->at);
				r->instance->inputs[i] = v.node;
			}
		}
		scope_add(r->store, body, in->name, NAME_VALUE, in->at, v);
	}
}

static void build_declared(struct recording *r, struct scope *body)
{
	const struct yaml *y = r->model->build->weights;

	for (size_t i = 0; y && i < y->n; i++) {
		const char *name = y->keys[i]->text;
		struct value v = unknown;

		if (scope_own(body, name))
			continue;
		v.node = weight_declared(r, &r->model->build->file, y->keys[i], y->items[i]);
		if (v.node) {
			v.kind = VALUE_NODE;
			v.from = new_origin(r, store_text(r->store, "is weight '%s'", name), name,
			                    y->items[i]->at);
		}
		scope_add(r->store, body, name, NAME_VALUE, y->keys[i]->at, v);
	}
}

/* What the first item of a chain eats: the one input that is no target. Nothing, where there are
 * several; unknown, where one of these may be a target. */
static struct value first_input(struct recording *r, struct scope *body)
{
	struct name *only = NULL;
	bool several = false, doubtful = false;

	for (int i = 0; i < r->model->n_inputs; i++) {
		const struct input *in = &r->model->inputs[i];

		if (in->target)
			continue;
		several |= only != NULL;
		doubtful |= in->doubtful;
		only = scope_own(body, in->name);
	}
	if (several)
		return doubtful ? unknown : (struct value){ .kind = VALUE_NULL };
	if (!only)
		return (struct value){ .kind = VALUE_NULL };
	return only->value;
}

/* An expression whose value must be a single number. */
static ad_node *single(struct recording *r, struct scope *body, const struct yaml *y,
                       const char *what, const char *help)
{
	struct value v;

	if (y->kind != YAML_SCALAR) {
		message(r->messages, E_TYPE, y->at, NULL, help, "%s is an expression, not a %s",
		        what, y->kind == YAML_LIST ? "list" : "mapping");
		return NULL;
	}
	r->n_reads = 0;
	v = eval_yaml(r, body, y);
	if (v.kind == VALUE_NULL) {
		message(r->messages, E_MISSING, y->at, NULL, help, "%s is missing", what);
		return NULL;
	}
	ad_node *node = value_node(r, v, y->at);
	if (!node)
		return NULL;
	if (ad_shape_of(node).rank > 0) {
		message(r->messages, E_SHAPE, y->at, NULL,
		        store_text(r->store, "take the mean: mean(%s)", y->text),
		        "%s must be a single number, this is %s", what,
		        shape_text(r, ad_shape_of(node)));
		return NULL;
	}
	return node;
}

/* A metric stands beside these in the log and in the results. */
static void refuse_taken(struct recording *r, const struct yaml *key)
{
	static const char *const taken[] = { "step", "epoch", "loss", "lr", "grad_norm", "ms", "samples" };
	bool is = strncmp(key->text, "valid_", 6) == 0;

	for (size_t k = 0; k < sizeof taken / sizeof *taken; k++)
		is |= strcmp(key->text, taken[k]) == 0;
	if (is)
		message(r->messages, E_NAMED_TWICE, key->at, NULL,
		        "give the metric another name; loss, step, epoch, lr, grad_norm, ms, samples and "
		        "valid_... are taken",
		        "'%s' is the name of another number in the log", key->text);
}

static void build_metrics(struct recording *r, struct scope *body)
{
	const struct yaml *y = r->model->build->metrics;
	ad_model *m = r->model;

	if (!y || (y->kind == YAML_SCALAR && yaml_is_null(y)))
		return;
	if (y->kind != YAML_MAP) {
		message(r->messages, E_TYPE, y->at, NULL, "acc: mean(argmax(logits, axis=1) == y)",
		        "'metrics' is a mapping of names to expressions");
		return;
	}
	for (size_t i = 0; i < y->n; i++) {
		struct instance *in = r->instance;
		const char *what = store_text(r->store, "the metric '%s'", y->keys[i]->text);

		if (check_name(r, y->keys[i], "a metric"))
			refuse_taken(r, y->keys[i]);
		in->metrics = store_more(r->store, in->metrics, i, sizeof(*in->metrics));
		in->metrics[i] = single(r, body, y->items[i], what, NULL);
		if (in->metrics[i] && !ad_name_of(in->metrics[i]) && ad_op_of(in->metrics[i]))
			ad_name(in->metrics[i], y->keys[i]->text);
		if (r->messages) {
			m->metrics = store_more(r->store, m->metrics, (size_t)m->n_metrics,
			                        sizeof(*m->metrics));
			m->metrics[m->n_metrics++] = y->keys[i]->text;
		}
	}
}

static int by_place(const void *a, const void *b)
{
	const struct place x = (*(struct origin *const *)a)->at,
			   y = (*(struct origin *const *)b)->at;

	return x.file != y.file   ? (x.file < y.file ? -1 : 1)
	       : x.line != y.line ? (x.line < y.line ? -1 : 1)
	       : x.col != y.col   ? (x.col < y.col ? -1 : 1)
	                          : 0;
}

/* What is recorded and read by nothing. An item of a block or of a repeated chain counts as read if
 * one of its copies is. */
static void warn_origins(struct recording *r)
{
	struct build *b = r->model->build;
	bool used;

	qsort(b->origins, b->n_origins, sizeof *b->origins, by_place);
	for (size_t i = 0, k; i < b->n_origins; i = k) {
		used = false;
		for (k = i; k < b->n_origins && by_place(&b->origins[i], &b->origins[k]) == 0; k++)
			used = used || b->origins[k]->used;
		if (!used)
			message_warning(r->messages, b->origins[i]->at,
			                "item '%s' (line %d) feeds nothing", b->origins[i]->path,
			                b->origins[i]->at.line);
	}
}

/* A block of the file's own that no item uses, and params of one that it does not read. */
static void warn_block(struct recording *r, const struct definition *d)
{
	if (!scope_own(&r->model->build->blocks, d->name)->used) {
		message_warning(r->messages, d->at,
		                "block '%s' is never used", d->name);
		return;
	}
	for (size_t k = 0; k < d->n_params; k++)
		if (!d->params[k].used)
			message_warning(r->messages, d->params[k].at,
			                "param '%s' of block '%s' is never used", d->params[k].name,
			                d->name);
}

/* What is to be trained, but on nothing. */
static void warn_data(struct recording *r)
{
	const struct yaml *root = r->model->build->root;
	struct yaml *key;
	bool fed = false;

	for (int i = 0; i < r->model->n_inputs; i++)
		fed |= !r->model->inputs[i].scalar_leaf;
	if (fed && r->model->build->loss && !yaml_get(root, "data") && yaml_pair(root, "train", &key) &&
	    key->at.line > 0)
		message_warning(r->messages, key->at,
		                "no key 'data': 'autograd train' will need --data");
}

static void warn_unused(struct recording *r, const struct scope *body)
{
	struct build *b = r->model->build;

	if (b->n_origins > 0)
		warn_origins(r);
	for (int i = 0; i < r->model->n_inputs; i++) {
		const struct input *in = &r->model->inputs[i];
		const struct name *name = scope_own(body, in->name);

		if (name && !name->used && !(name->value.from && name->value.from->used))
			message_warning(r->messages, in->at, "input '%s' is never used", in->name);
	}
	for (size_t i = 0; b->weights && i < b->weights->n; i++) {
		const struct name *name = scope_own(body, b->weights->keys[i]->text);

		if (name && !name->used)
			message_warning(r->messages, name->at, "weight '%s' is never used",
			                name->text);
	}
	warn_data(r);
	for (size_t i = 0; i < b->n_definitions; i++)
		if (!*b->definitions[i]->space)
			warn_block(r, b->definitions[i]);
	for (size_t i = 0; b->given && i < b->given->n; i++) {
		const struct name *name = scope_own(&b->defaults, b->given->keys[i]->text);

		if (name && !name->used && !strchr(name->text, '.'))
			message_warning(r->messages, name->at, "defaults.%s is never used",
			                name->text);
	}
}

static struct value build_top(struct recording *r, struct scope *body)
{
	const struct yaml *y = r->model->build->model;

	if (!y)
		return unknown;
	if (y->kind != YAML_SCALAR)
		return build_body(r, body, y,
		                  y->kind == YAML_LIST ? first_input(r, body)
		                                       : (struct value){ .kind = VALUE_NULL });
	message(r->messages, E_TYPE, y->at, NULL,
	        "a list of items is a chain, a mapping is a set of equations",
	        "'model' is a list or a mapping");
	return unknown;
}

/* What no item uses is checked without shapes. Which these are is settled before: a block that only such a
 * block uses is one of them. */
static void check_unused_blocks(struct recording *r)
{
	const struct build *b = r->model->build;
	bool *unused = store_take(r->store, (b->n_definitions + 1) * sizeof *unused);

	for (size_t i = 0; i < b->n_definitions; i++)
		unused[i] = !*b->definitions[i]->space && !b->definitions[i]->broken &&
		            !scope_own(&b->blocks, b->definitions[i]->name)->used;
	for (size_t i = 0; i < b->n_definitions; i++)
		if (unused[i])
			probe_block(r, b->definitions[i]);
}

void build_model(struct recording *r, struct instance *to)
{
	struct build *b = r->model->build;
	struct scope *body = store_take(r->store, sizeof *body);
	struct level top = { .prefix = "", .weights = "" };
	struct value v;

	r->instance = to;
	r->level = &top;
	r->space = "";
	r->prev = (struct value){ .kind = VALUE_NULL };
	r->lr_scale = 1;
	to->inputs = store_take(r->store, (size_t)r->model->n_inputs * sizeof(*to->inputs));
	body->up = &b->file;
	for (int k = 0; k < r->model->n_dims; k++)
		b->dim_names[k]->value =
		    (struct value){ .kind = VALUE_INT, .i = to->dims[k], .r = (double)to->dims[k] };
	build_inputs(r, body);
	build_declared(r, body);
	for (int i = 0; i < r->model->n_inputs; i++)
		if (to->inputs[i])
			add_named(r, r->model->inputs[i].name, to->inputs[i]);
	for (size_t i = 0; b->weights && i < b->weights->n; i++) {
		struct name *name = scope_own(body, b->weights->keys[i]->text);

		if (name && name->value.kind == VALUE_NODE &&
		    ad_kind_of(name->value.node) == AD_IS_PARAM)
			add_named(r, name->text, name->value.node);
	}
	v = build_top(r, body);
	if (b->loss)
		to->loss =
		    single(r, body, b->loss, "the loss", "write for instance mse_loss(y, target)");
	if (b->output)
		v = b->output->kind == YAML_SCALAR
		        ? eval_yaml(r, body, b->output)
		        : (message(r->messages, E_TYPE, b->output->at, NULL, NULL,
		                   "'output' is a name or an expression"),
		           unknown);
	if (v.from)
		v.from->used = true;
	to->output = v.kind == VALUE_NULL ? NULL : value_node(r, v, (struct place){ 0 });
	if (!b->model && !b->output)
		to->output = to->loss;
	if (to->loss && !ad_name_of(to->loss) && ad_op_of(to->loss))
		ad_name(to->loss, "loss");
	build_metrics(r, body);
	for (int i = 0; i < r->model->n_inputs; i++) {
		const struct name *name = scope_own(body, r->model->inputs[i].name);

		if (!r->model->inputs[i].scalar_leaf && !name->used &&
		    !(name->value.from && name->value.from->used))
			to->inputs[i] = NULL;
	}
	if (r->messages)
		check_unused_blocks(r);
	if (r->messages && messages_errors(r->messages) == 0) {
		refuse_underived(r);
		warn_unused(r, body);
	}
}
