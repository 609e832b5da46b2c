/*
 * graph: opening and closing, errors that stick, the state of recording, looking at nodes.
 */
#include "graph.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- a graph that cannot be: what ad_open gives without memory, and where NULL nodes lead ---- */

static ad_graph dead_graph;
struct dead_place dead_place = {
	.node = { .graph = &dead_graph, .owner = &dead_node, .is_error = true, .n_out = 1 }
};
static ad_graph dead_graph = { .dead = true,
	                       .error = &dead_node,
	                       .status = AD_ERROR_MEMORY,
	                       .message = "open: out of memory" };

static ad_graph *open_graph(bool f64)
{
	ad_graph *g = calloc(1, sizeof *g);
	const char *level = getenv("AUTOGRAD_LEVEL"), *plan = getenv("AUTOGRAD_PLAN");

	if (!g)
		return &dead_graph;
	g->f64 = f64;
	g->training = true;
	g->clock = g->released_at = 1;
	g->node_by_node = plan && strcmp(plan, "off") == 0;
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
	g->arena.mark = g->lasting_arena.mark = &g->path;
	g->error = arena_take(&g->lasting_arena, sizeof *g->error);
	if (!g->error || !make_room(g, 0)) {
		arena_free(&g->lasting_arena);
		free(g->nodes);
		free(g);
		return &dead_graph;
	}
	find_context(g);
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

void ad_close(ad_graph *g)
{
	if (!g || g->dead)
		return;
	drop_plans(g, true);
	free_profile(g);
	for (size_t k = 0; k < g->n_owners; k++)
		forget_memory(g->owners[k]);
	for (size_t k = 0; k < g->n_lasting; k++)
		forget_memory(g->lasting[k]);
	free(g->nodes);
	free(g->path.calls);
	free(g->lasting);
	free(g->owners);
	free(g->marks);
	free(g->released);
	free(g->scopes);
	free(g->contexts);
	free(g->context_slots);
	free(g->texts);
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

int instruction_level(const ad_graph *g)
{
	return g->level;
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
	if (g->context == UNKNOWN_CONTEXT)
		find_context(g);
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
	if (!ad_is_error(x)) {
		if (is_recorded(x))
			return false;
		ad_fail(x->graph, AD_ERROR_ARGUMENT,
		        "%s: %s was released by ad_release and not recorded since", what, called(x));
		return true;
	}
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

/* ---- lists ------------------------------------------------------------------------------------ */

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

/* ---- state ----------------------------------------------------------------------------------- */

void ad_training(ad_graph *g, bool on)
{
	if (g->dead || g->training == on)
		return;
	g->training = on;
	find_context(g);
}

bool ad_is_training(const ad_graph *g)
{
	return g->training;
}

const char *ad_bf16_missing(const ad_graph *g)
{
	const char *wish = getenv("AUTOGRAD_BF16");

	if (wish && strcmp(wish, "emulate") == 0)
		return NULL;
#if AD_LEVELS == 3
	if (__builtin_cpu_supports("avx512bf16"))
		return g->level == 2 ? NULL
		                     : "products in bf16 need the instructions AVX512-BF16, which "
		                       "AUTOGRAD_LEVEL rules out";
#endif
	return "products in bf16 need a processor with the instructions AVX512-BF16, which this one lacks";
}

ad_status ad_set_precision(ad_graph *g, ad_precision precision)
{
	const char *missing;

	if (g->dead)
		return g->status;
	if (precision != AD_FULL && precision != AD_BF16) {
		ad_fail(g, AD_ERROR_ARGUMENT, "set_precision: %d is no precision", (int)precision);
		return g->status;
	}
	if (precision == AD_BF16 && g->f64) {
		ad_fail(g, AD_ERROR_TYPE,
		        "set_precision: products in bf16 are of f32; the graph has f64 reals");
		return g->status;
	}
	missing = precision == AD_BF16 ? ad_bf16_missing(g) : NULL;
	if (missing) {
		ad_fail(g, AD_ERROR_ARGUMENT, "set_precision: %s", missing);
		return g->status;
	}
	if (g->bf16 != (precision == AD_BF16)) {
		g->bf16 = !g->bf16;
		find_context(g);
	}
	return g->context == UNKNOWN_CONTEXT ? AD_ERROR_MEMORY : AD_OK;
}

ad_precision ad_precision_of(const ad_graph *g)
{
	return g->bf16 ? AD_BF16 : AD_FULL;
}

void ad_seed(ad_graph *g, uint64_t seed)
{
	if (!g->dead)
		g->seed = seed, g->ordinal = 0, g->stepped = ++g->clock;
}

void restart_random(ad_graph *g)
{
	if (!g->dead)
		g->ordinal = 0;
}

void ad_step(ad_graph *g, uint64_t step)
{
	if (!g->dead && g->step != step)
		g->step = step, g->stepped = ++g->clock;
}

void ad_limit_memory(ad_graph *g, size_t bytes)
{
	if (g->dead)
		return;
	g->memory_limit = bytes;
	unbind_plans(g);
}

void ad_keep_all(ad_graph *g)
{
	if (!g->dead && !g->keep_all)
		g->keep_all = true, g->wishes++, g->swept = NULL;
}

void ad_watch_nonfinite(ad_graph *g, bool on)
{
	if (!g->dead && g->watch != on)
		g->watch = on, g->swept = NULL;
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
	if (!ad_is_error(x) && name && !set_name(x, name))
		out_of_memory(x->graph, strlen(name) + 1);
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
	return g->n_lasting + g->path.n;
}

ad_node *ad_node_at(const ad_graph *g, size_t k)
{
	if (k < g->n_lasting)
		return g->lasting[k];
	return k - g->n_lasting < g->path.n ? g->nodes[k - g->n_lasting] : NULL;
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
