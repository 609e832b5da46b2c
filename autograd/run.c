/*
 * run: a plan becomes values.
 *
 * Before it runs for the first time, or after memory has moved, a plan is bound: every action points to
 * the memory of its values. Then a run is a loop over the actions.
 */
#include "scalars.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

bool is_current(const ad_node *x)
{
	const ad_graph *g = x->graph;

	return x->op && x->place == OWN && g->evaluated == g->clock && computed_at(x) == g->clock;
}

/* ---- ops on whole arrays ------------------------------------------------------------------------- */

static pthread_mutex_t failing = PTHREAD_MUTEX_INITIALIZER;

void ad_run_failed(const ad_run *r, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	pthread_mutex_lock(&failing);
	ad_fail(r->graph, AD_ERROR_VALUE, "%s: %s", r->op->name, text);
	pthread_mutex_unlock(&failing);
}

struct parallel {
	const ad_run *r;
	size_t n, slices;
	void (*fn)(const ad_run *r, size_t begin, size_t end);
};

static void parallel_slice(void *context, size_t i)
{
	const struct parallel *p = context;
	size_t begin = p->n / p->slices * i + (p->n % p->slices) * i / p->slices;
	size_t end = p->n / p->slices * (i + 1) + (p->n % p->slices) * (i + 1) / p->slices;

	p->fn(p->r, begin, end);
}

void ad_parallel(const ad_run *r, size_t n, size_t grain,
                 void (*fn)(const ad_run *r, size_t begin, size_t end))
{
	struct parallel p = { r, n, n / (grain ? grain : 1), fn };

	if (n == 0)
		return;
	if (p.slices > 64)
		p.slices = 64;
	if (p.slices <= 1)
		fn(r, 0, n);
	else
		pool_run(p.slices, parallel_slice, &p);
}

static void set_array(ad_array *a, const ad_node *x)
{
	a->data = NULL;
	a->count = 0;
	a->rank = 0;
	a->type = AD_REAL;
	if (!x)
		return;
	a->data = x->data;
	a->type = (ad_type)x->type;
	a->rank = x->shape.rank;
	memcpy(a->dims, x->shape.dims, sizeof a->dims);
	a->count = x->count;
}

/* The arrays of a kernel: inputs, outputs; backward gradients of outputs, gradients of inputs. */
static bool make_kernel(struct plan *p, struct action *a)
{
	const struct step *s = &p->steps[a->first];
	ad_node *y = s->node;
	const ad_node *of = node_behind(y);
	ad_graph *g = y->graph;
	const ad_op *kernels = kernels_of(g, of->op, g->f64);
	bool backward = y->op == &backward_op;
	size_t n = (size_t)of->n_in + of->n_out;
	ad_array *arrays = arena_take(&p->arena, (backward ? 2 * n : n) * sizeof *arrays);

	if (!arrays)
		return false;
	a->call = backward ? kernels->backward : kernels->forward;
	a->kernel = (ad_run){ .op = of->op, .n_in = of->n_in, .n_out = of->n_out, .attrs = s->attrs,
		              .in = arrays, .out = arrays + of->n_in,
		              .dy = backward ? arrays + n : NULL, .dx = backward ? arrays + n + of->n_out : NULL,
		              .graph = g, .adds = s->adds, .bf16 = in_bf16(g, of) };
	return true;
}

static void bind_kernel(struct plan *p, struct action *a)
{
	const struct step *s = &p->steps[a->first];
	ad_node *y = s->node;
	const ad_node *of = node_behind(y);
	bool backward = y->op == &backward_op;
	ad_run *r = &a->kernel;
	ad_array *in, *out, *dy, *dx;

	/* written here alone */
	memcpy(&in, &r->in, sizeof in);
	memcpy(&out, &r->out, sizeof out);
	memcpy(&dy, &r->dy, sizeof dy);
	memcpy(&dx, &r->dx, sizeof dx);
	r->work = of->graph->scratch.data;
	r->random.ordinal = of->ordinal;
	for (int k = 0; k < of->n_out; k++) {
		/* what is not read keeps its shape */
		set_array(&out[k], of + k);
		if (backward) {
			const ad_node *x = s->in[of->n_in + k], *d = s->in[of->n_in + of->n_out + k];

			set_array(&dy[k], of + k);
			out[k].data = x ? x->data : NULL;
			dy[k].data = d ? d->data : NULL;
		}
	}
	for (int i = 0; i < of->n_in; i++) {
		const ad_node *x = i < 32 && s->folded >> i & 1 ? of->in[i]->in[0] : of->in[i];

		set_array(&in[i], x);
		if (x)
			in[i].data = s->in[i] ? s->in[i]->data : NULL;
		if (backward) {
			set_array(&dx[i], x);
			dx[i].data = NULL;
		}
	}
	if (backward) {
		const struct backward *b = y->attrs;

		for (size_t k = 0; k < b->n; k++)
			dx[b->which[k]].data = y[k].data;
	}
}

static bool run_kernel(ad_graph *g, struct action *a)
{
	a->kernel.random.seed = g->seed;
	a->kernel.random.step = g->step;
	a->call(&a->kernel);
	return g->status == AD_OK;
}

/* An alias whose result must not share memory with what it is of. */
static bool run_copy(ad_graph *g, struct action *a)
{
	ad_node *y = a->copied;

	for (int k = 0; k < y->n_out; k++)
		if (y[k].data != y->in[k]->data && y[k].count)
			memcpy(y[k].data, y->in[k]->data,
			       y[k].count * element_size(g, (ad_type)y[k].type));
	return true;
}

bool make_action(struct plan *p, struct action *a)
{
	const struct step *s = &p->steps[a->first];

	if (s->gone)
		return true;
	if (p->mode != SEPARATE && is_scalar(s->node)) {
		a->run = run_program;
		a->program = make_program(p, a);
		return a->program != NULL;
	}
	if (s->node->op == &tape_op) {
		a->run = run_tape;
		a->program = make_tape(p, s->node);
		return a->program != NULL;
	}
	if (is_map(s)) {
		a->run = run_group;
		a->group = make_group(p, a);
		return a->group != NULL;
	}
	if (s->node->op->alias) {
		a->run = run_copy;
		a->copied = s->node;
		return true;
	}
	a->run = run_kernel;
	return make_kernel(p, a);
}

/* ---- a whole plan ---------------------------------------------------------------------------------- */

static bool leaf_ready(ad_node *x)
{
	if (x->place == OWN)
		return true;
	if (x->lasting)
		return own_memory(x);
	ad_fail(x->graph, AD_ERROR_VALUE,
	        "evaluate: input %s has no values yet; set them by ad_set", called(x));
	return false;
}

/* A plan whose block holds nothing to be read: p, which needs a larger one than it has, may take it.
 * One that is large enough where there is such a one. */
static struct plan *find_spare(ad_graph *g, const struct plan *p)
{
	struct plan *spare = NULL;

	for (struct plan *q = g->plans; q; q = q->next)
		if (q != p && q->block.size && (!spare || spare->block.size < p->kept) && !holds_values(q))
			spare = q;
	return spare;
}

/* Whether the limit lets the evaluation have what it takes. */
static bool within_limit(ad_graph *g, const struct plan *p)
{
	size_t need = p->workspace > g->workspace.size ? p->workspace : g->workspace.size;
	size_t used = g->memory_used - p->block.size, block = p->block.size;
	bool fits;

	if (p->kept > block) {
		const struct plan *spare = find_spare(g, p);

		used -= spare ? spare->block.size : 0;
		block = spare && spare->block.size > p->kept ? spare->block.size : p->kept;
	}
	fits = !__builtin_add_overflow(need, p->scratch, &need) &&
	       !__builtin_add_overflow(need, block, &need);
	if (fits && need <= g->memory_limit && used <= g->memory_limit - need)
		return true;
	ad_fail(g, AD_ERROR_MEMORY,
	        "evaluate: %zu bytes are needed beside %zu in use; the limit is %zu",
	        fits ? need : SIZE_MAX, used, g->memory_limit);
	return false;
}

/* Gives the plan its block: the one it has, one that another plan holds for nothing, or a new one. */
static bool take_block(ad_graph *g, struct plan *p)
{
	struct plan *spare;

	if (p->kept <= p->block.size)
		return true;
	spare = find_spare(g, p);
	g->memory_used -= p->block.size;
	block_free(&p->block);
	if (spare) {
		p->block = spare->block;
		spare->block = (struct block){ NULL, 0 };
		spare->bound = false;
		if (p->block.size >= p->kept)
			return true;
		/* too small for this one: it makes room */
		g->memory_used -= p->block.size;
		block_free(&p->block);
	}
	if (!block_reserve(&p->block, p->kept))
		return false;
	g->memory_used += p->block.size;
	return true;
}

static void bind_values(ad_graph *g, struct plan *p)
{
	for (size_t k = 0; k < p->n_values; k++) {
		struct value *v = &p->values[k];
		const struct value *base = &p->values[v->base];
		ad_node *x = v->node;

		if (x->plan && x->plan != p)
			x->plan->bound = false;
		x->plan = p;
		x->place = base->where == IN_BLOCK && !v->passing && !v->whole ? OWN : WORKSPACE;
		if (v->outer)
			x->data = v->outer->data;
		else if (base->where == IN_TILE)
			x->data = NULL;
		else
			x->data = (char *)(base->where == IN_BLOCK ? p->block.data : g->workspace.data) +
			          base->offset + v->at;
	}
}

/* Whether all that the plan points to is where it was; leaves without values are nowhere. */
static bool is_bound(const ad_graph *g, struct plan *p)
{
	if (!p->bound || p->space != g->workspace.data || p->scratch_space != g->scratch.data)
		return false;
	if (p->moves == g->moves)
		return true;
	for (size_t k = 0; k < p->n_given; k++)
		if (p->given[k]->data != p->given_data[k])
			return false;
	for (size_t k = 0; k < p->n_leaves; k++)
		if (p->leaves[k]->data != p->leaf_data[k])
			return false;
	p->moves = g->moves;
	return true;
}

static bool bind(ad_graph *g, struct plan *p)
{
	for (size_t k = 0; k < p->n_leaves; k++)
		if (!leaf_ready(p->leaves[k]))
			return false;
	if (g->memory_limit && !within_limit(g, p))
		return false;
	if (!block_reserve(&g->workspace, p->workspace) || !block_reserve(&g->scratch, p->scratch) ||
	    !take_block(g, p)) {
		out_of_memory(g, p->workspace + p->scratch + p->kept);
		return false;
	}
	for (size_t k = 0; k < p->n_assign; k++)
		if (!own_memory(p->assign[k]))
			return false;
	bind_values(g, p);
	for (size_t k = 0; k < p->n_actions; k++) {
		struct action *a = &p->actions[k];

		if (a->group)
			bind_group(a->group);
		else if (a->call)
			bind_kernel(p, a);
		else if (a->run == run_program)
			bind_program(a->program, p->steps[a->first].node->data);
		else if (a->run == run_tape)
			bind_program(a->program, NULL);
	}
	for (size_t k = 0; k < p->n_given; k++)
		p->given_data[k] = p->given[k]->data;
	for (size_t k = 0; k < p->n_leaves; k++)
		p->leaf_data[k] = p->leaves[k]->data;
	p->space = g->workspace.data;
	p->scratch_space = g->scratch.data;
	p->moves = ++g->moves;
	return p->bound = true;
}

/* Whether the new value of an assigned buffer is another buffer's own memory, assigned to as well. */
static bool needs_copy(const struct plan *p, const ad_node *x)
{
	bool assigned = false;

	for (size_t k = 0; !x->op && k < p->n_assign; k++)
		assigned |= p->assign[k] == x;
	return assigned;
}

/* Gives the buffers their new values. All are taken before any is given: two buffers can swap. */
static bool assign(ad_graph *g, struct plan *p)
{
	size_t bytes = 0, at = 0;
	char *held = NULL;

	for (size_t k = 0; k < p->n_assign; k++) {
		const ad_node *x = p->assign[k]->assign;

		if (needs_copy(p, x))
			bytes += x->count * element_size(g, (ad_type)x->type);
	}
	if (bytes && !(held = malloc(bytes))) {
		out_of_memory(g, bytes);
		return false;
	}
	for (int taken = 0; taken < 2; taken++) {
		at = 0;
		for (size_t k = 0; k < p->n_assign; k++) {
			ad_node *b = p->assign[k], *x = b->assign;
			size_t size = x->count * element_size(g, (ad_type)x->type);
			bool copied = held && needs_copy(p, x);

			if (copied && !taken)
				memcpy(held + at, x->data, size);
			else if (taken && size)
				memmove(b->data, copied ? held + at : x->data, size);
			at += copied ? size : 0;
			if (taken)
				b->changed = g->clock + 1;
		}
	}
	free(held);
	g->clock++;
	return true;
}

static bool run_actions(ad_graph *g, struct plan *p)
{
	bool ok = true;

	for (size_t k = 0; ok && k < p->n_actions; k++) {
		struct action *a = &p->actions[k];
		double before = g->profile ? seconds_now() : 0;

		if (!a->run)
			continue;
		ok = a->run(g, a);
		if (g->profile)
			profile_action(g, p, a, seconds_now() - before);
		ok = ok && (!g->watch || watch_step(p->steps[a->first].node));
	}
	return ok;
}

/* reading: a value is computed again to be read, which changes no buffer. */
static ad_status run_plan(ad_graph *g, struct plan *p, bool reading)
{
	uint64_t clock = g->clock;

	if (!is_bound(g, p) && !bind(g, p))
		return g->status;
	p->holding = true;
	p->ran = clock;
	if (!run_actions(g, p)) {
		/* what came of a failed evaluation reads as never computed */
		p->ran = 0;
		return g->status;
	}
	g->evaluated = clock;
	return reading || p->n_assign == 0 || assign(g, p) ? AD_OK : g->status;
}

static enum mode mode_of(const ad_graph *g, bool share)
{
	return g->watch || g->node_by_node ? SEPARATE : share ? SHARED : KEPT;
}

static bool roots_fit(ad_graph *g, size_t n, ad_node *const roots[])
{
	if (g->status != AD_OK)
		return false;
	for (size_t k = 0; k < n; k++)
		if (ad_is_error(roots[k]) || roots[k]->graph != g || !is_recorded(roots[k])) {
			ad_fail(g, AD_ERROR_ARGUMENT,
			        "evaluate: root %zu is NULL, an error, released or of another graph", k);
			return false;
		}
	return true;
}

ad_status evaluate(ad_graph *g, size_t n, ad_node *const roots[], bool share, bool reading)
{
	double start = g->profile ? seconds_now() : 0;
	struct plan *p;
	/* f32 alone flushes what is denormal: a diagram or a check wants to see it */
	bool flush = !g->f64 && !g->keep_all;
	uint64_t fp = 0;
	ad_status status;

	if (g->status != AD_OK || n == 0)
		return g->status;
	p = plan_for(g, n, roots, mode_of(g, share));
	if (!p)
		return g->status;
	if (flush)
		fp = fp_enter(true);
	status = run_plan(g, p, reading);
	if (flush)
		fp_leave(fp);
	if (g->profile)
		profile_total(g, seconds_now() - start);
	return status;
}

ad_status ad_memory(ad_graph *g, ad_node *const roots[], size_t n, ad_memory_use *use)
{
	const struct plan *p;

	*use = (ad_memory_use){ 0 };
	if (!roots_fit(g, n, roots) || !(p = plan_for(g, n, roots, mode_of(g, true))))
		return g->status;
	*use = (ad_memory_use){ .kept = p->kept, .shared = p->workspace, .scratch = p->scratch };
	for (size_t k = 0; k < ad_nodes(g); k++) {
		const ad_node *x = ad_node_at(g, k);
		size_t bytes = x->count * element_size(g, (ad_type)x->type);

		if (x->lasting)
			use->params += bytes;
		else if (!x->op)
			use->leaves += bytes;
	}
	return AD_OK;
}

ad_status ad_evaluate(ad_graph *g, ad_node *const roots[], size_t n)
{
	if (!roots_fit(g, n, roots))
		return g->status;
	return evaluate(g, n, roots, true, false);
}

ad_status ad_forward(ad_node *y)
{
	ad_graph *g = ad_graph_of(y);

	if (is_stale_error(y, "forward"))
		return ad_status_of(g);
	return evaluate(g, 1, &y, !g->training, false);
}
