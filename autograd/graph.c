/*
 * graph: nodes in an arena, leaves, names, scopes, and errors that stick.
 */
#include "graph.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- a graph that cannot be: what ad_open gives without memory, and where NULL nodes lead ---- */

static ad_graph dead_graph;
static ad_node dead_node = { .graph = &dead_graph, .owner = &dead_node, .is_error = true, .n_out = 1 };
static ad_graph dead_graph = { .dead = true,
	                       .error = &dead_node,
	                       .status = AD_ERROR_MEMORY,
	                       .message = "open: out of memory" };

static ad_graph *open_graph(bool f64)
{
	ad_graph *g = calloc(1, sizeof *g);
	const char *level = getenv("AUTOGRAD_LEVEL");

	if (!g)
		return &dead_graph;
	g->f64 = f64;
	g->training = true;
	g->clock = 1;
#if AD_LEVELS == 3
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
	    __builtin_cpu_supports("bmi2"))
		g->level = 1;
	if (g->level == 1 && __builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"))
		g->level = 2;
	if (level && level[0] >= '0' && level[0] - '0' < g->level && level[1] == '\0')
		g->level = level[0] - '0';
#else
	(void)level;
#endif
	g->error = arena_take(&g->lasting_arena, sizeof *g->error);
	if (!g->error) {
		free(g);
		return &dead_graph;
	}
	*g->error = (ad_node){ .graph = g, .owner = g->error, .is_error = true, .n_out = 1 };
	return g;
}

ad_graph *ad_open(void)
{
	return open_graph(false);
}

ad_graph *ad_open_f64(void)
{
	return open_graph(true);
}

static void forget_memory(ad_node *x)
{
	if (x->own && x->own != x->small) {
		free(x->own);
		x->graph->memory_used -= x->count * element_size(x->graph, x->type);
	}
	x->own = NULL;
}

void ad_close(ad_graph *g)
{
	if (!g || g->dead)
		return;
	drop_plans(g, 0);
	for (size_t k = 0; k < g->n_nodes; k++)
		forget_memory(g->nodes[k]);
	for (size_t k = 0; k < g->n_lasting; k++)
		forget_memory(g->lasting[k]);
	free(g->nodes);
	free(g->lasting);
	free(g->marks);
	free(g->scopes);
	block_free(&g->workspace);
	block_free(&g->scratch);
	arena_free(&g->arena);
	arena_free(&g->lasting_arena);
	free(g);
}

bool ad_is_f64(const ad_graph *g)
{
	return g->f64;
}

const char *ad_instructions(const ad_graph *g)
{
	static const char *const names[] = { "portable", "avx2", "avx512" };

	return names[g->level];
}

/* ---- errors ---------------------------------------------------------------------------------- */

ad_status ad_status_of(const ad_graph *g)
{
	return g ? g->status : AD_ERROR_ARGUMENT;
}

const char *ad_errmsg(const ad_graph *g)
{
	return g ? g->message : "there is no graph (NULL)";
}

void ad_clear(ad_graph *g)
{
	if (!g || g->dead)
		return;
	g->status = AD_OK;
	g->message[0] = '\0';
}

ad_node *ad_fail(ad_graph *g, ad_status status, const char *format, ...)
{
	va_list args;

	if (!g || g->dead)
		return &dead_node;
	if (g->status == AD_OK) {
		g->status = status;
		va_start(args, format);
		vsnprintf(g->message, sizeof g->message, format, args);
		va_end(args);
	}
	return g->error;
}

ad_node *out_of_memory(ad_graph *g, size_t bytes)
{
	return ad_fail(g, AD_ERROR_MEMORY, "out of memory: %zu bytes could not be had", bytes);
}

bool ad_is_error(const ad_node *x)
{
	return !x || x->is_error;
}

bool is_stale_error(const ad_node *x, const char *what)
{
	if (!ad_is_error(x))
		return false;
	ad_fail(ad_graph_of(x), AD_ERROR_ARGUMENT,
	        "%s: it was given the result of a call that failed; that failure has been cleared since",
	        what);
	return true;
}

const char *called(const ad_node *x)
{
	static _Thread_local char ring[2][160];
	static _Thread_local unsigned next;
	char *text = ring[next++ % 2];

	if (x->name)
		snprintf(text, sizeof ring[0], "'%s'", x->name);
	else if (x->op)
		snprintf(text, sizeof ring[0], "the result of %s", x->op->name);
	else
		snprintf(text, sizeof ring[0], "a leaf without name");
	return text;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

bool grow(void *array, size_t *cap, size_t n, size_t size)
{
	void **at = array;
	size_t wider = *cap ? *cap * 2 : 64;
	void *p;

	if (n <= *cap)
		return true;
	if (wider < n)
		wider = n;
	if (wider > SIZE_MAX / size || !(p = realloc(*at, wider * size)))
		return false;
	*at = p;
	*cap = wider;
	return true;
}

static void fill_node(ad_graph *g, ad_node *x, ad_shape shape, ad_type type)
{
	x->graph = g;
	x->owner = x;
	x->n_out = 1;
	x->shape = shape;
	x->type = (uint8_t)type;
	x->scope = g->scope;
	x->order = g->order;
	x->origin = g->origin;
	ad_count_of(&shape, &x->count);
}

ad_node *new_node(ad_graph *g, const ad_op *op, size_t n_in, ad_node *const in[], const void *attrs,
                  size_t n_out, const ad_shape shapes[], const ad_type types[])
{
	size_t links = n_in * sizeof(ad_node *), count;
	ad_node *y;

	for (size_t k = 0; k < n_out; k++)
		if (!ad_count_of(&shapes[k], &count)) {
			char text[192];

			return ad_fail(g, AD_ERROR_SHAPE, "%s: a result of shape %s is too large",
			               op->name, ad_print_shape(text, sizeof text, shapes[k]));
		}
	if (n_in > UINT16_MAX || n_out > UINT16_MAX)
		return ad_fail(g, AD_ERROR_ARGUMENT, "%s: %zu inputs are too many (at most %d)",
		               op->name, n_in, UINT16_MAX);
	if (g->n_nodes + n_out >= UINT32_MAX)
		return ad_fail(g, AD_ERROR_MEMORY, "%s: a graph cannot have more nodes", op->name);
	if (!grow(&g->nodes, &g->cap_nodes, g->n_nodes + n_out, sizeof *g->nodes))
		return out_of_memory(g, (g->n_nodes + n_out) * sizeof *g->nodes);
	y = arena_take(&g->arena, n_out * sizeof *y + links);
	if (!y)
		return out_of_memory(g, n_out * sizeof *y + links);
	for (size_t k = 0; k < n_out; k++) {
		fill_node(g, &y[k], shapes[k], types[k]);
		y[k].op = op;
		y[k].owner = y;
		y[k].out = (uint16_t)k;
		y[k].attrs = attrs;
		y[k].index = (uint32_t)g->n_nodes;
		g->nodes[g->n_nodes++] = &y[k];
	}
	y->n_out = (uint16_t)n_out;
	y->n_in = (uint16_t)n_in;
	y->in = (ad_node **)(void *)(y + n_out);
	if (n_in)
		memcpy(y->in, in, links);
	return y;
}

/* The type of an element-wise result: a mask, an index if every input is one and the op allows
 * it, else real. */
static ad_type map_type(const ad_op *op, size_t n, const ad_type types[], const ad_shape shapes[])
{
	bool index = false;

	if (op->gives_mask)
		return AD_BOOL;
	if (!op->integral)
		return AD_REAL;
	for (size_t i = 0; i < n; i++) {
		if (shapes[i].rank < 0)
			continue;
		if (types[i] == AD_REAL)
			return AD_REAL;
		index |= types[i] == AD_I32;
	}
	return index ? AD_I32 : AD_REAL;
}

static bool arity_fits(ad_graph *g, const ad_op *op, size_t n, ad_node *const in[])
{
	size_t most = op->optional < 0 ? UINT16_MAX : (size_t)op->arity + (size_t)op->optional;

	if (n < (size_t)op->arity || n > most) {
		ad_fail(g, AD_ERROR_ARGUMENT,
		        op->optional < 0 ? "%s: %zu inputs given, it takes %d or more" :
		        op->optional > 0 ? "%s: %zu inputs given, it takes %d to %zu" :
		                           "%s: %zu inputs given, it takes %d",
		        op->name, n, op->arity, most);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (!in[i] && (i < (size_t)op->arity || op->optional < 0)) {
			ad_fail(g, AD_ERROR_ARGUMENT, "%s: input %zu is missing (NULL)", op->name, i);
			return false;
		}
	return true;
}

ad_node *ad_record_on(ad_graph *g, const ad_op *op, size_t n, ad_node *const in[], const void *attrs)
{
	ad_node *few[8], **converted = few, *y = NULL;
	ad_shape few_shapes[8], *shapes = few_shapes;
	ad_type few_types[8], *types = few_types;
	ad_infer s;

	if (!g || g->dead)
		return &dead_node;
	for (size_t i = 0; i < n; i++) {
		if (!in[i])
			continue;
		if (in[i]->graph != g)
			return ad_fail(g, AD_ERROR_TYPE, "%s: its inputs belong to different graphs",
			               op->name);
		if (in[i]->is_error)
			return g->error;
	}
	if (!arity_fits(g, op, n, in))
		return g->error;
	if (op->attrs && !(attrs = copy_attrs(g, op, attrs)))
		return g->error;
	if (op->compose)
		return op->compose(g, in, (int)n, attrs);
	if (n > 8) {
		converted = malloc(n * (sizeof *converted + sizeof *shapes + sizeof *types));
		if (!converted)
			return out_of_memory(g, n * sizeof *shapes);
		shapes = (ad_shape *)(void *)(converted + n);
		types = (ad_type *)(void *)(shapes + n);
	}
	for (size_t i = 0; i < n; i++) {
		converted[i] = in[i];
		if (in[i] && in[i]->type != AD_REAL && !op->map && !(op->as_is >> (i < 31 ? i : 31) & 1))
			converted[i] = engine_to_real(in[i]);
		if (converted[i] && converted[i]->is_error)
			y = g->error;
		shapes[i] = in[i] ? in[i]->shape : (ad_shape){ -1, { 0 } };
		types[i] = in[i] ? (ad_type)converted[i]->type : AD_REAL;
	}
	s.graph = g;
	s.op = op;
	s.n_in = (int)n;
	s.in = shapes;
	s.in_type = types;
	s.attrs = attrs;
	s.n_out = 1;
	s.work = 0;
	s.out[0] = AD_SCALAR;
	s.out_type[0] = op->map ? map_type(op, n, types, shapes) : AD_REAL;
	for (int k = 1; k < AD_MAX_OUTPUTS; k++)
		s.out_type[k] = AD_REAL;
	if (!y && !op->shape(&s))
		y = g->error;
	if (!y)
		y = new_node(g, op, n, converted, attrs, (size_t)s.n_out, s.out, s.out_type);
	if (!y->is_error) {
		y->work = s.work;
		if (op->random)
			y->ordinal = g->ordinal++;
	}
	if (converted != few)
		free(converted);
	return y;
}

ad_node *ad_record(const ad_op *op, size_t n, ad_node *const in[], const void *attrs)
{
	for (size_t i = 0; i < n; i++)
		if (in[i])
			return ad_record_on(in[i]->graph, op, n, in, attrs);
	return &dead_node;
}

/* ---- leaves ---------------------------------------------------------------------------------- */

bool own_memory(ad_node *x)
{
	ad_graph *g = x->graph;
	size_t bytes = x->count * element_size(g, x->type);

	if (!x->own) {
		if (bytes <= sizeof x->small) {
			x->own = x->small;
		} else {
			if (g->memory_limit &&
			    (bytes > g->memory_limit || g->memory_used > g->memory_limit - bytes)) {
				ad_fail(g, AD_ERROR_MEMORY,
				        "%s needs %zu bytes beside %zu in use; the limit is %zu",
				        called(x), bytes, g->memory_used, g->memory_limit);
				return false;
			}
			x->own = aligned_alloc(64, (bytes + 63) / 64 * 64);
			if (!x->own) {
				out_of_memory(g, bytes);
				return false;
			}
			g->memory_used += bytes;
		}
		if (!x->op)
			memset(x->own, 0, bytes);
	}
	x->data = x->own;
	x->place = OWN;
	return true;
}

static ad_node *new_leaf(ad_graph *g, const char *what, ad_kind kind, const char *name, ad_type type,
                         ad_shape shape)
{
	bool lasting = kind == AD_IS_PARAM || kind == AD_IS_BUFFER;
	struct arena *arena;
	ad_node *x;
	size_t count;

	if (!g || g->dead)
		return &dead_node;
	if (!ad_count_of(&shape, &count)) {
		char text[192];

		return ad_fail(g, AD_ERROR_SHAPE, "%s '%s': %s is no shape, or too large", what,
		               name ? name : "", ad_print_shape(text, sizeof text, shape));
	}
	arena = lasting ? &g->lasting_arena : &g->arena;
	if (lasting ? !grow(&g->lasting, &g->cap_lasting, g->n_lasting + 1, sizeof *g->lasting) :
	              !grow(&g->nodes, &g->cap_nodes, g->n_nodes + 1, sizeof *g->nodes))
		return out_of_memory(g, sizeof *g->nodes);
	x = arena_take(arena, sizeof *x);
	if (!x || (name && !(x->name = arena_copy_text(arena, name))))
		return out_of_memory(g, sizeof *x);
	fill_node(g, x, shape, type);
	x->order = 0;
	x->origin = lasting ? NULL : g->origin;
	x->kind = (uint8_t)kind;
	x->lasting = lasting;
	x->wants = kind == AD_IS_LEAF || kind == AD_IS_PARAM;
	if (lasting) {
		x->index = (uint32_t)g->n_lasting;
		x->changed = g->clock; /* zero, until set */
		g->lasting[g->n_lasting++] = x;
	} else {
		x->index = (uint32_t)g->n_nodes;
		g->nodes[g->n_nodes++] = x;
	}
	if (x->wants)
		g->swept = NULL;
	return x;
}

ad_node *ad_leaf(ad_graph *g, const char *name, double value)
{
	ad_node *x = new_leaf(g, "leaf", AD_IS_LEAF, name, AD_REAL, AD_SCALAR);

	if (!x->is_error)
		ad_set_item(x, value);
	return x;
}

ad_node *ad_input(ad_graph *g, const char *name, ad_type type, ad_shape shape)
{
	return new_leaf(g, "input", AD_IS_INPUT, name, type, shape);
}

ad_node *ad_param(ad_graph *g, const char *name, ad_shape shape)
{
	return new_leaf(g, "param", AD_IS_PARAM, name, AD_REAL, shape);
}

ad_node *ad_buffer(ad_graph *g, const char *name, ad_type type, ad_shape shape)
{
	return new_leaf(g, "buffer", AD_IS_BUFFER, name, type, shape);
}

static bool set_one(ad_node *leaf, void *data, size_t k, double v);

ad_node *new_constant(ad_graph *g, ad_shape shape, double value, size_t one_at)
{
	ad_node *x = new_leaf(g, "constant", AD_IS_CONSTANT, NULL, AD_REAL, shape);

	if (x->is_error)
		return x;
	if (!own_memory(x))
		return g->error;
	for (size_t k = 0; k < x->count; k++)
		set_one(x, x->data, k, k == one_at ? 1 : value);
	x->changed = 1;
	return x;
}

ad_node *ad_constant(ad_graph *g, double value)
{
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
	leaf->wants = on;
	leaf->graph->swept = NULL;
}

void ad_assign(ad_node *buffer, ad_node *node)
{
	ad_graph *g;

	if (ad_is_error(buffer) || (node && ad_is_error(node)))
		return;
	g = buffer->graph;
	if (buffer->kind != AD_IS_BUFFER || buffer->op)
		ad_fail(g, AD_ERROR_ARGUMENT, "assign: %s is no buffer", called(buffer));
	else if (!node)
		buffer->assign = NULL, g->wishes++;
	else if (node->graph != g)
		ad_fail(g, AD_ERROR_TYPE, "assign: the two belong to different graphs");
	else if (!ad_equal_shapes(&buffer->shape, &node->shape) || buffer->type != node->type)
		ad_fail(g, AD_ERROR_SHAPE, "assign: shape or type of %s differ from those of %s",
		        called(node), called(buffer));
	else
		buffer->assign = node, g->wishes++;
}

void *ad_write(ad_node *leaf)
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

ad_status ad_set_item(ad_node *leaf, double value)
{
	void *data = leaf ? start_set(leaf, leaf->count) : NULL;

	if (!data)
		return leaf ? ad_status_of(leaf->graph) : AD_ERROR_ARGUMENT;
	for (size_t k = 0; k < leaf->count; k++)
		if (!set_one(leaf, data, k, value))
			return AD_ERROR_TYPE;
	return AD_OK;
}

/* ---- marks ----------------------------------------------------------------------------------- */

size_t ad_mark(ad_graph *g)
{
	struct position *last = g->n_marks ? &g->marks[g->n_marks - 1] : NULL;

	if (g->dead)
		return 0;
	if (last && last->n_nodes == g->n_nodes && last->n_scopes == g->n_scopes &&
	    last->scope == g->scope)
		return g->n_nodes;
	if (!grow(&g->marks, &g->cap_marks, g->n_marks + 1, sizeof *g->marks)) {
		out_of_memory(g, sizeof *g->marks);
		return g->n_nodes;
	}
	g->marks[g->n_marks++] = (struct position){ g->n_nodes, arena_mark(&g->arena), g->ordinal,
		                                    g->n_scopes, g->scope };
	return g->n_nodes;
}

void ad_release(ad_graph *g, size_t mark)
{
	struct position *p;

	if (g->dead)
		return;
	while (g->n_marks && g->marks[g->n_marks - 1].n_nodes > mark)
		g->n_marks--;
	if (!g->n_marks || g->marks[g->n_marks - 1].n_nodes != mark) {
		ad_fail(g, AD_ERROR_ARGUMENT, "release: %zu is no mark of this graph", mark);
		return;
	}
	p = &g->marks[g->n_marks - 1];
	drop_plans(g, p->n_nodes);
	drop_sweep(g, p->n_nodes);
	for (size_t k = p->n_nodes; k < g->n_nodes; k++)
		forget_memory(g->nodes[k]);
	g->n_nodes = p->n_nodes;
	for (size_t k = 0; k < g->n_lasting; k++) {
		ad_node *next = g->lasting[k]->assign;

		if (next && !next->lasting && next->index >= g->n_nodes)
			g->lasting[k]->assign = NULL, g->wishes++;
		/* its scope ends here, and the scope's number will stand for another */
		if (g->lasting[k]->scope >= p->n_scopes)
			g->lasting[k]->scope = p->scope;
	}
	g->ordinal = p->ordinal;
	g->origin = NULL;
	g->n_scopes = p->n_scopes;
	g->scope = p->scope;
	arena_release(&g->arena, p->arena);
}

/* ---- state ----------------------------------------------------------------------------------- */

void ad_training(ad_graph *g, bool on)
{
	if (!g->dead)
		g->training = on;
}

bool ad_is_training(const ad_graph *g)
{
	return g->training;
}

void ad_seed(ad_graph *g, uint64_t seed)
{
	if (!g->dead)
		g->seed = seed, g->stepped = ++g->clock;
}

void ad_step(ad_graph *g, uint64_t step)
{
	if (!g->dead && g->step != step)
		g->step = step, g->stepped = ++g->clock;
}

void ad_limit_memory(ad_graph *g, size_t bytes)
{
	if (!g->dead)
		g->memory_limit = bytes;
}

void ad_keep_all(ad_graph *g)
{
	if (!g->dead && !g->keep_all)
		g->keep_all = true, g->wishes++, g->swept = NULL;
}

void ad_watch_nonfinite(ad_graph *g, bool on)
{
	if (!g->dead)
		g->watch = on;
}

void ad_set_origin(ad_graph *g, const char *where)
{
	if (g->dead)
		return;
	g->origin = where ? arena_copy_text(&g->arena, where) : NULL;
	if (where && !g->origin)
		out_of_memory(g, strlen(where) + 1);
}

const char *ad_origin_of(const ad_node *x)
{
	return x ? x->origin : NULL;
}

ad_node *ad_keep(ad_node *x)
{
	if (!ad_is_error(x) && !x->keep)
		x->keep = true, x->graph->wishes++;
	return x;
}

/* ---- scopes ---------------------------------------------------------------------------------- */

void ad_scope_begin(ad_graph *g, const char *name)
{
	size_t cap = (size_t)g->cap_scopes;
	char *copy;

	if (g->dead)
		return;
	copy = arena_copy_text(&g->arena, name ? name : "");
	if (!copy || !grow(&g->scopes, &cap, (size_t)g->n_scopes + 2, sizeof *g->scopes)) {
		out_of_memory(g, sizeof *g->scopes);
		return;
	}
	g->cap_scopes = (int)cap;
	if (g->n_scopes == 0)
		g->scopes[g->n_scopes++] = (struct scope){ "", -1 };
	g->scopes[g->n_scopes] = (struct scope){ copy, g->scope };
	g->scope = g->n_scopes++;
}

void ad_scope_end(ad_graph *g)
{
	if (g->scope > 0)
		g->scope = g->scopes[g->scope].parent;
}

int ad_scopes(const ad_graph *g)
{
	return g->n_scopes ? g->n_scopes : 1;
}

const char *ad_scope_name(const ad_graph *g, int scope)
{
	return scope > 0 && scope < g->n_scopes ? g->scopes[scope].name : "";
}

int ad_scope_parent(const ad_graph *g, int scope)
{
	return scope > 0 && scope < g->n_scopes ? g->scopes[scope].parent : -1;
}

/* ---- looking at nodes ------------------------------------------------------------------------ */

ad_graph *ad_graph_of(const ad_node *x)
{
	return x ? x->graph : &dead_graph;
}

ad_shape ad_shape_of(const ad_node *x)
{
	return x ? x->shape : AD_SCALAR;
}

ad_type ad_type_of(const ad_node *x)
{
	return x ? (ad_type)x->type : AD_REAL;
}

size_t ad_count(const ad_node *x)
{
	return x ? x->count : 0;
}

const char *ad_name_of(const ad_node *x)
{
	return x ? x->name : NULL;
}

ad_node *ad_name(ad_node *x, const char *name)
{
	ad_graph *g;
	bool lasting;

	if (ad_is_error(x) || !name)
		return x;
	/* a node from before the last mark outlives what the arena takes now */
	g = x->graph;
	lasting = x->lasting || (g->n_marks && x->index < g->marks[g->n_marks - 1].n_nodes);
	x->name = arena_copy_text(lasting ? &g->lasting_arena : &g->arena, name);
	if (!x->name)
		out_of_memory(g, strlen(name) + 1);
	return x;
}

ad_kind ad_kind_of(const ad_node *x)
{
	return !x || x->op ? AD_IS_OP : (ad_kind)x->kind;
}

const char *ad_op_of(const ad_node *x)
{
	return x && x->op ? x->op->name : NULL;
}

int ad_inputs(const ad_node *x)
{
	return x ? x->owner->n_in : 0;
}

ad_node *ad_input_of(const ad_node *x, int i)
{
	return x && i >= 0 && i < x->owner->n_in ? x->owner->in[i] : NULL;
}

bool ad_wants_gradient(const ad_node *x)
{
	return x && !x->op && x->wants;
}

int ad_scope_of(const ad_node *x)
{
	return x ? x->scope : 0;
}

ad_node *ad_output(ad_node *y, int k)
{
	if (ad_is_error(y))
		return y ? y : &dead_node;
	if (k < 0 || k >= y->owner->n_out)
		return ad_fail(y->graph, AD_ERROR_ARGUMENT, "output: %s has %d outputs, there is no %d",
		               called(y), y->owner->n_out, k);
	return y->owner + k;
}

int ad_outputs(const ad_node *y)
{
	return y ? y->owner->n_out : 0;
}

ad_node *ad_owner_of(ad_node *x, int *k)
{
	if (k)
		*k = x ? x->out : 0;
	return x ? x->owner : &dead_node;
}

size_t ad_nodes(const ad_graph *g)
{
	return g->n_lasting + g->n_nodes;
}

ad_node *ad_node_at(const ad_graph *g, size_t k)
{
	if (k < g->n_lasting)
		return g->lasting[k];
	return k - g->n_lasting < g->n_nodes ? g->nodes[k - g->n_lasting] : NULL;
}

bool ad_depends(const ad_node *y, const ad_node *x)
{
	ad_graph *g;
	uint32_t walk;

	if (ad_is_error(y) || ad_is_error(x) || y->graph != x->graph)
		return false;
	if (x == y)
		return true;
	if (y->lasting)
		return false;
	g = y->graph;
	walk = ++g->walk;
	g->nodes[y->index]->mark = walk;
	for (size_t k = y->index + 1; k-- > 0;) {
		ad_node *z = g->nodes[k];

		if (z->mark != walk)
			continue;
		if (z == x)
			return true;
		if (z->owner != z) {
			z->owner->mark = walk;
			continue;
		}
		for (int i = 0; i < z->n_in; i++)
			if (z->in[i])
				z->in[i]->mark = walk;
	}
	return x->mark == walk;
}

const void *ad_attrs_of(const ad_node *y)
{
	return y->attrs;
}
