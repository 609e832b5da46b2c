/*
 * leaf: nodes that come from outside, and the setting of their values.
 */
#include "graph.h"

#include <stdio.h>

void forget_memory(ad_node *x)
{
	size_t bytes = x->count * element_size(x->graph, (ad_type)x->type);

	if (x->own && x->own != &x->small) {
		free(x->own);
		x->graph->memory_used -= bytes;
		if (!x->lasting)
			x->graph->owned -= bytes;
	}
	x->own = NULL;
}

bool own_memory(ad_node *x)
{
	ad_graph *g = x->graph;
	size_t bytes = x->count * element_size(g, (ad_type)x->type);

	if (!x->own && bytes <= sizeof x->small) {
		x->own = &x->small;
	} else if (!x->own) {
		if (g->memory_limit &&
		    (bytes > g->memory_limit || g->memory_used > g->memory_limit - bytes)) {
			ad_fail(g, AD_ERROR_MEMORY,
			        "%s needs %zu bytes beside %zu in use; the limit is %zu", called(x),
			        bytes, g->memory_used, g->memory_limit);
			return false;
		}
		if (!x->lasting && !grow(&g->owners, &g->cap_owners, g->n_owners + 1, sizeof *g->owners)) {
			out_of_memory(g, bytes);
			return false;
		}
		x->own = aligned_alloc(64, (bytes + 63) / 64 * 64);
		if (!x->own) {
			out_of_memory(g, bytes);
			return false;
		}
		g->memory_used += bytes;
		if (!x->lasting) {
			g->owners[g->n_owners++] = x;
			g->owned += bytes;
		}
		if (!x->op)
			memset(x->own, 0, bytes);
	}
	g->moves += x->data != x->own;
	x->data = x->own;
	x->place = OWN;
	return true;
}

/* A param or buffer: outside of the recording. */
static ad_node *append_lasting(ad_graph *g, ad_kind kind, const char *name, ad_type type,
                               ad_shape shape)
{
	ad_node *x = NULL;

	if (!grow(&g->lasting, &g->cap_lasting, g->n_lasting + 1, sizeof *g->lasting) ||
	    !(x = arena_take(&g->lasting_arena, sizeof *x)) ||
	    (name && !(x->name = arena_copy_text(&g->lasting_arena, name))))
		return NULL;
	fill_node(g, x, shape, type);
	x->kind = (uint8_t)kind;
	x->lasting = true;
	x->origin = NULL;
	x->changed = g->clock; /* zero, until set */
	x->index = (uint32_t)g->n_lasting;
	g->lasting[g->n_lasting++] = x;
	return x;
}

static ad_node *new_leaf(ad_graph *g, const char *what, ad_kind kind, const char *name, ad_type type,
                         ad_shape shape, const struct fixed *fixed)
{
	bool lasting = kind == AD_IS_PARAM || kind == AD_IS_BUFFER;
	ad_node *x;
	size_t count;

	if (!g || g->dead)
		return &dead_node;
	if (!ad_count_of(&shape, &count)) {
		char text[192];

		return ad_fail(g, AD_ERROR_SHAPE, "%s '%s': %s is no shape, or too large", what,
		               name ? name : "", ad_print_shape(text, sizeof text, shape));
	}
	x = lasting ? append_lasting(g, kind, name, type, shape) :
	              append_leaf(g, kind, name, type, shape, fixed);
	if (!x)
		return out_of_memory(g, sizeof *x);
	x->order = 0;
	x->grad = NULL;
	x->wants = kind == AD_IS_LEAF || kind == AD_IS_PARAM;
	if (x->wants) {
		count_wish(x, true);
		g->swept = NULL;
	}
	return x;
}

ad_node *ad_leaf(ad_graph *g, const char *name, double value)
{
	ad_node *x = new_leaf(g, "leaf", AD_IS_LEAF, name, AD_REAL, AD_SCALAR, NULL);

	if (!x->is_error)
		ad_set_item(x, value);
	return x;
}

ad_node *ad_input(ad_graph *g, const char *name, ad_type type, ad_shape shape)
{
	return new_leaf(g, "input", AD_IS_INPUT, name, type, shape, NULL);
}

ad_node *ad_param(ad_graph *g, const char *name, ad_shape shape)
{
	return new_leaf(g, "param", AD_IS_PARAM, name, AD_REAL, shape, NULL);
}

ad_node *ad_buffer(ad_graph *g, const char *name, ad_type type, ad_shape shape)
{
	return new_leaf(g, "buffer", AD_IS_BUFFER, name, type, shape, NULL);
}

static bool set_one(ad_node *leaf, void *data, size_t k, double v);

bool holds_fixed(const ad_node *x, const struct fixed *fixed)
{
	size_t size = element_size(x->graph, AD_REAL);

	for (size_t k = 0; k < x->count; k++) {
		double f64 = k == fixed->one_at ? 1 : fixed->value;
		float f32 = (float)f64;

		if (!x->own || memcmp((const char *)x->own + k * size,
		                      size == sizeof f64 ? (const void *)&f64 : &f32, size) != 0)
			return false;
	}
	return true;
}

ad_node *new_constant(ad_graph *g, ad_shape shape, double value, size_t one_at)
{
	struct fixed fixed = { value, one_at };
	ad_node *x = new_leaf(g, "constant", AD_IS_CONSTANT, NULL, AD_REAL, shape, &fixed);

	if (x->is_error)
		return x;
	if (!own_memory(x))
		return g->error;
	for (size_t k = 0; k < x->count; k++)
		set_one(x, x->data, k, k == one_at ? 1 : value);
	x->changed = 1;
	return x;
}

/* Sets a single real in the node's own memory. */
static inline void set_small(ad_node *x, double value)
{
	void *data = &x->small;

	if (x->graph->f64)
		*(double *)data = value;
	else
		*(float *)data = (float)value;
}

ad_node *ad_constant(ad_graph *g, double value)
{
	/* a number where one stood the last time, in a recording that has no sweep */
	if (g && !g->dead && g->order == 0 && g->path.calls[g->path.n].what == (g->path.context | NUMBER_OF_CONSTANT)) {
		ad_node *x = g->path.calls[g->path.n].y;

		if (x->own == &x->small && !x->name) {
			g->path.n++;
			set_small(x, value);
			g->moves += x->data != &x->small;
			x->data = &x->small;
			x->place = OWN;
			x->changed = 1;
			x->grad = NULL;
			x->wants = false;
			return x;
		}
	}
	return new_constant(g, AD_SCALAR, value, SIZE_MAX);
}

void ad_want_gradient(ad_node *leaf, bool on)
{
	if (ad_is_error(leaf))
		return;
	if (leaf->op || (on && leaf->type != AD_REAL)) {
		ad_fail(leaf->graph, AD_ERROR_GRADIENT,
		        "want_gradient: %s cannot want a gradient: only a leaf of reals can",
		        called(leaf));
		return;
	}
	if (leaf->wants == on)
		return;
	leaf->wants = on;
	leaf->grad = NULL;
	count_wish(leaf, on);
	leaf->graph->swept = NULL;
}

void ad_assign(ad_node *buffer, ad_node *node)
{
	ad_graph *g;

	if (ad_is_error(buffer) || (node && ad_is_error(node)))
		return;
	g = buffer->graph;
	if (node && node->graph == g && is_stale_error(node, "assign"))
		return;
	if (buffer->kind != AD_IS_BUFFER || buffer->op)
		ad_fail(g, AD_ERROR_ARGUMENT, "assign: %s is no buffer", called(buffer));
	else if (!node)
		g->n_assigned -= buffer->assign != NULL, buffer->assign = NULL;
	else if (node->graph != g)
		ad_fail(g, AD_ERROR_TYPE, "assign: the two belong to different graphs");
	else if (!ad_equal_shapes(&buffer->shape, &node->shape) || buffer->type != node->type)
		ad_fail(g, AD_ERROR_SHAPE, "assign: shape or type of %s differ from those of %s",
		        called(node), called(buffer));
	else {
		g->n_assigned += !buffer->assign;
		buffer->assign = node;
	}
}

static __attribute__((noinline)) void *take_memory(ad_node *leaf)
{
	if (ad_is_error(leaf))
		return NULL;
	if (leaf->op || leaf->kind == AD_IS_CONSTANT) {
		ad_fail(leaf->graph, AD_ERROR_ARGUMENT, "write: %s is no leaf that can be set",
		        called(leaf));
		return NULL;
	}
	if (!own_memory(leaf))
		return NULL;
	leaf->changed = ++leaf->graph->clock;
	return leaf->data;
}

void *ad_write(ad_node *leaf)
{
	/* what has been set before */
	if (leaf && leaf->place == OWN && !leaf->op && leaf->own && leaf->data == leaf->own && leaf->kind != AD_IS_CONSTANT) {
		leaf->changed = ++leaf->graph->clock;
		return leaf->data;
	}
	return take_memory(leaf);
}

ad_status ad_lend(ad_node *input, const void *data)
{
	if (ad_is_error(input)) {
		is_stale_error(input, "lend");
		return ad_status_of(ad_graph_of(input));
	}
	if (input->op || input->kind != AD_IS_INPUT || !data) {
		ad_fail(input->graph, AD_ERROR_ARGUMENT, "lend: %s", data ? "only an input can read the caller's memory" :
		                                                            "there is no memory (NULL)");
		return input->graph->status;
	}
	/* it is read only: nothing writes to an input but those who set it */
	input->graph->moves += input->data != data;
	input->data = (void *)(uintptr_t)data;
	input->place = OWN;
	input->changed = ++input->graph->clock;
	return AD_OK;
}

static void *start_set(ad_node *leaf, size_t n)
{
	if (ad_is_error(leaf)) {
		is_stale_error(leaf, "set");
		return NULL;
	}
	if (n != leaf->count) {
		ad_fail(leaf->graph, AD_ERROR_ARGUMENT, "set: %s has %zu elements, not %zu",
		        called(leaf), leaf->count, n);
		return NULL;
	}
	return ad_write(leaf);
}

static bool set_one(ad_node *leaf, void *data, size_t k, double v)
{
	if (leaf->type == AD_REAL) {
		if (leaf->graph->f64)
			((double *)data)[k] = v;
		else
			((float *)data)[k] = (float)v;
		return true;
	}
	if (leaf->type == AD_I32 && v >= INT32_MIN && v <= INT32_MAX && v == floor(v)) {
		((int32_t *)data)[k] = (int32_t)v;
		return true;
	}
	if (leaf->type == AD_BOOL && (v == 0 || v == 1)) {
		((unsigned char *)data)[k] = v == 1;
		return true;
	}
	ad_fail(leaf->graph, AD_ERROR_TYPE, "set: element %zu of %s is %g, which is no %s", k,
	        called(leaf), v, leaf->type == AD_I32 ? "32-bit whole number" : "0 or 1");
	return false;
}

ad_status ad_set(ad_node *leaf, const double *values, size_t n)
{
	void *data = start_set(leaf, n);

	if (!data)
		return leaf ? ad_status_of(leaf->graph) : AD_ERROR_ARGUMENT;
	for (size_t k = 0; k < n; k++)
		if (!set_one(leaf, data, k, values[k]))
			return AD_ERROR_TYPE;
	return AD_OK;
}

ad_status ad_set_f32(ad_node *leaf, const float *values, size_t n)
{
	void *data = start_set(leaf, n);

	if (!data)
		return leaf ? ad_status_of(leaf->graph) : AD_ERROR_ARGUMENT;
	if (leaf->type == AD_REAL && !leaf->graph->f64) {
		memcpy(data, values, n * sizeof *values);
		return AD_OK;
	}
	for (size_t k = 0; k < n; k++)
		if (!set_one(leaf, data, k, values[k]))
			return AD_ERROR_TYPE;
	return AD_OK;
}

ad_status ad_set_i32(ad_node *leaf, const int32_t *values, size_t n)
{
	void *data = start_set(leaf, n);

	if (!data)
		return leaf ? ad_status_of(leaf->graph) : AD_ERROR_ARGUMENT;
	for (size_t k = 0; k < n; k++)
		if (!set_one(leaf, data, k, values[k]))
			return AD_ERROR_TYPE;
	return AD_OK;
}

/* Every element of a leaf. */
static __attribute__((noinline)) ad_status set_items(ad_node *leaf, double value)
{
	void *data = leaf ? start_set(leaf, leaf->count) : NULL;

	if (!data)
		return leaf ? ad_status_of(leaf->graph) : AD_ERROR_ARGUMENT;
	for (size_t k = 0; k < leaf->count; k++)
		if (!set_one(leaf, data, k, value))
			return AD_ERROR_TYPE;
	return AD_OK;
}

ad_status ad_set_item(ad_node *leaf, double value)
{
	/* a single number that has been set before */
	if (leaf && leaf->single && !leaf->op && leaf->data == &leaf->small && leaf->place == OWN &&
	    leaf->kind != AD_IS_CONSTANT && is_recorded(leaf)) {
		set_small(leaf, value);
		leaf->changed = ++leaf->graph->clock;
		return AD_OK;
	}
	return set_items(leaf, value);
}
