/*
 * call: ops recorded by name: for users, and the few that the engine itself needs.
 */
#include "graph.h"
#include "registry.h"

#include <stdatomic.h>
#include <stdio.h>

static ad_node *call_op(ad_graph *g, const ad_op *op, size_t n_in, ad_node *const in[],
                        size_t n_settings, const ad_setting settings[])
{
	char message[256];
	_Alignas(16) unsigned char few[512];
	void *attrs = few;
	ad_node *y;

	if (op->attrs_size > sizeof few && !(attrs = malloc(op->attrs_size)))
		return out_of_memory(g, op->attrs_size);
	memset(attrs, 0, op->attrs_size);
	if (!ad_fill_attrs(op->attrs, attrs, n_settings, settings, message, sizeof message))
		y = ad_fail(g, AD_ERROR_ARGUMENT, "%s: %s", op->name, message);
	else
		y = ad_record_on(g, op, n_in, in, op->attrs ? attrs : NULL);
	if (attrs != few)
		free(attrs);
	return y;
}

ad_node *ad_call(ad_graph *g, const char *name, size_t n_in, ad_node *const in[], size_t n_settings,
                 const ad_setting settings[])
{
	const ad_op *op = ad_op_find(name);

	if (!op)
		return ad_fail(g, AD_ERROR_ARGUMENT, "%s: there is no op of this name", name);
	return call_op(g, op, n_in, in, n_settings, settings);
}

ad_node *call_op_text(ad_graph *g, const ad_op *op, size_t n_in, ad_node *const in[],
                      const char *text)
{
	struct settings settings;
	char message[256];

	if (!read_settings(text, &settings, message, sizeof message))
		return ad_fail(g, AD_ERROR_ARGUMENT, "%s: %s", op->name, message);
	return call_op(g, op, n_in, in, settings.n, settings.of);
}

ad_node *ad_call_text(ad_graph *g, const char *name, size_t n_in, ad_node *const in[],
                      const char *text)
{
	const ad_op *op = ad_op_find(name);

	if (!op)
		return ad_fail(g, AD_ERROR_ARGUMENT, "%s: there is no op of this name", name);
	return call_op_text(g, op, n_in, in, text);
}

/* ---- what the engine calls ------------------------------------------------------------------------- */

/* The op of that name, looked up once; threads that do so at the same time find the same. */
static const ad_op *found(_Atomic(const ad_op *) *kept, const char *name)
{
	const ad_op *op = atomic_load_explicit(kept, memory_order_relaxed);

	if (!op) {
		op = ad_op_find(name);
		atomic_store_explicit(kept, op, memory_order_relaxed);
	}
	return op;
}

const ad_op *engine_add_op(void)
{
	static _Atomic(const ad_op *) add;

	return found(&add, "add");
}

bool engine_splits(const ad_op *op)
{
	static _Atomic(const ad_op *) split;

	return op == found(&split, "split");
}

bool engine_joins(const ad_op *op)
{
	static _Atomic(const ad_op *) concat;

	return op == found(&concat, "concat");
}

ad_node *engine_add(ad_node *a, ad_node *b)
{
	return ad_record(engine_add_op(), 2, (ad_node *[]){ a, b }, NULL);
}

ad_node *engine_to_real(ad_node *x)
{
	static _Atomic(const ad_op *) to_real;

	return ad_record(found(&to_real, "to_real"), 1, &x, NULL);
}

static ad_setting shape_setting(const ad_shape *shape)
{
	return (ad_setting){ .name = "shape",
		             .type = AD_INTLIST,
		             .ints = { shape->rank, shape->dims } };
}

ad_node *engine_sum_to(ad_node *x, ad_shape shape)
{
	ad_setting s = shape_setting(&shape);

	return ad_call(x->graph, "sum_to", 1, &x, 1, &s);
}

ad_node *engine_full(ad_graph *g, ad_shape shape, double value)
{
	ad_setting s[2] = { shape_setting(&shape),
		            { .name = "value", .type = AD_NUM, .r = value } };

	return ad_call(g, "full", 0, NULL, 2, s);
}

ad_node *engine_reshape(ad_node *x, ad_shape shape)
{
	ad_setting s = shape_setting(&shape);

	return ad_call(x->graph, "reshape", 1, &x, 1, &s);
}

ad_node *engine_concat(ad_graph *g, size_t n, ad_node *const x[], int64_t axis)
{
	ad_setting s = { .name = "axis", .type = AD_INT, .i = axis };

	return ad_call(g, "concat", n, x, 1, &s);
}
