/*
 * registry: the ops by name: those of the library, then those of plugins.
 */
#include "registry.h"
#include "graph.h"

#include <pthread.h>
#include <stdatomic.h>

/* A plugin, and all ops, by name, since it was loaded. */
struct plugin {
	struct plugin *before;
	char *path;
	size_t n;
	struct op_row rows[];
};
static _Atomic(struct plugin *) last_plugin;

static const struct op_row *all_rows(size_t *n)
{
	const struct plugin *last = atomic_load_explicit(&last_plugin, memory_order_acquire);

	*n = last ? last->n : op_table_size;
	return last ? last->rows : op_table;
}

static int by_name(const void *a, const void *b)
{
	const struct op_row *x = a, *y = b;

	return strcmp(x->op->name, y->op->name);
}

bool registry_add(const char *path, size_t n, const struct op_row rows[])
{
	size_t n_before;
	const struct op_row *before = all_rows(&n_before);
	struct plugin *p = malloc(sizeof *p + (n_before + n) * sizeof *p->rows);
	char *copy = strdup(path);

	if (!p || !copy) {
		free(p);
		free(copy);
		return false;
	}
	*p = (struct plugin){ .before = atomic_load(&last_plugin), .path = copy, .n = n_before + n };
	memcpy(p->rows, before, n_before * sizeof *before);
	for (size_t k = 0; k < n; k++)
		p->rows[n_before + k] = (struct op_row){ rows[k].op, rows[k].doc ? rows[k].doc : "", copy };
	qsort(p->rows, p->n, sizeof *p->rows, by_name);
	atomic_store_explicit(&last_plugin, p, memory_order_release);
	return true;
}

const char *ad_plugin_at(size_t k)
{
	const struct plugin *p = atomic_load_explicit(&last_plugin, memory_order_acquire);
	size_t n = 0;

	for (const struct plugin *q = p; q; q = q->before)
		n++;
	for (; p && k + 1 < n; n--)
		p = p->before;
	return p && k < n ? p->path : NULL;
}

size_t ad_ops(void)
{
	size_t n;

	all_rows(&n);
	return n;
}

const ad_op *ad_op_at(size_t k)
{
	size_t n;
	const struct op_row *rows = all_rows(&n);

	return k < n ? rows[k].op : NULL;
}

static int against_name(const void *name, const void *row)
{
	return strcmp(name, ((const struct op_row *)row)->op->name);
}

static const struct op_row *row_of(const char *name)
{
	size_t n;
	const struct op_row *rows = all_rows(&n);

	return bsearch(name, rows, n, sizeof *rows, against_name);
}

const ad_op *ad_op_find(const char *name)
{
	const struct op_row *row = row_of(name);

	return row ? row->op : NULL;
}

/* op_numbers by the op's address, and by number. */
#define PLACES 1024
static struct op_number by_op[PLACES], by_number[PLACES];
static atomic_bool places_there;
static pthread_once_t places_once = PTHREAD_ONCE_INIT;

static size_t place_of(uint64_t x)
{
	return (size_t)(x * UINT64_C(0x9E3779B97F4A7C15) >> 54);
}

static void put(struct op_number *places, size_t k, const struct op_number *n)
{
	while (places[k].op)
		k = (k + 1) % PLACES;
	places[k] = *n;
}

static void fill_places(void)
{
	for (const struct op_number *n = op_numbers; n->op; n++) {
		put(by_op, place_of((uintptr_t)n->op), n);
		put(by_number, place_of(n->number), n);
	}
	atomic_store(&places_there, true);
}

static void have_places(void)
{
	if (!atomic_load_explicit(&places_there, memory_order_acquire))
		pthread_once(&places_once, fill_places);
}

uint32_t number_of_op(const ad_op *op, size_t n_in)
{
	have_places();
	for (size_t k = place_of((uintptr_t)op); by_op[k].op; k = (k + 1) % PLACES)
		if (by_op[k].op == op)
			return by_op[k].n_in == n_in ? by_op[k].number : 0;
	return 0;
}

ad_node *ad_record_call(uint32_t op, size_t n, ad_node *a, ad_node *b)
{
	ad_node *in[] = { a, b };

	have_places();
	for (size_t k = place_of(op); by_number[k].op; k = (k + 1) % PLACES)
		if (by_number[k].number == op)
			return ad_record(by_number[k].op, n, in, NULL);
	return ad_fail(ad_graph_of(a ? a : b), AD_ERROR_ARGUMENT,
	               "the program was compiled for another version of the library, which has an op that is not in this one");
}

const char *ad_op_name(const ad_op *op)
{
	return op->name;
}

const char *ad_op_doc(const ad_op *op)
{
	const struct op_row *row = row_of(op->name);

	return row && row->op == op ? row->doc : "";
}

const char *ad_op_plugin(const ad_op *op)
{
	const struct op_row *row = row_of(op->name);

	return row && row->op == op ? row->plugin : NULL;
}

const ad_attr *ad_op_attrs(const ad_op *op)
{
	return op->attrs;
}

const char *ad_op_inputs(const ad_op *op)
{
	if (op->inputs)
		return op->inputs;
	return op->optional < 0 ? "x..." : op->arity == 0 ? "" : op->arity == 1 ? "x" : "a b";
}

int ad_op_min_inputs(const ad_op *op)
{
	return op->arity;
}

int ad_op_max_inputs(const ad_op *op)
{
	return op->optional < 0 ? -1 : op->arity + op->optional;
}
