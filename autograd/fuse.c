/*
 * fuse: which steps of a plan run together.
 *
 * Gradients that arrive from several uses are added by the kernels that make them, where these can;
 * products read transposed matrices where they lie.
 * Element-wise steps of one shape that follow each other, forward or backward, become a group: it passes
 * over memory once, and what only its own steps read is never stored. Views and reshapes in between do
 * nothing and separate nothing.
 * Parts of an array that is cut for groups alone, or joined of what a group makes, lie in that array: cutting
 * and joining do nothing either, but they end a group.
 */
#include "plan.h"

/* ---- additions done in place ---------------------------------------------------------------------- */

/* Which steps read a value or one that shares its memory: the last two but for those that are gone. */
struct readers {
	uint32_t last, before;
};

#define NO_STEP UINT32_MAX

static void find_readers(const struct plan *p, struct readers *of)
{
	for (size_t k = 0; k < p->n_values; k++)
		of[k] = (struct readers){ NO_STEP, NO_STEP };
	for (uint32_t s = 0; s < p->n_steps; s++)
		for (size_t i = 0; i < p->steps[s].n_in; i++) {
			uint32_t k = value_of(p->steps[s].in[i]);
			struct readers *r = k == NO_VALUE ? NULL : &of[p->values[k].base];

			if (r && r->last != s)
				r->before = r->last, r->last = s;
		}
}

/* The number of the result that the step makes v as: of a backward kernel the input whose gradient it is. */
static int result_number(const struct step *s, uint32_t v)
{
	uint32_t k = v - s->value;

	return s->node->op == &backward_op ? ((const struct backward *)s->node->attrs)->which[k] : (int)k;
}

/* Whether the step that makes c can add to x instead of writing: then y = x + c is done. x may be such a
 * sum itself. */
static bool can_add_to(const struct plan *p, const struct readers *of, uint32_t sum, uint32_t x, uint32_t c)
{
	const struct value *vx = &p->values[x], *vc = &p->values[c];
	const struct step *maker = &p->steps[vc->step];
	const ad_op *op = node_behind(maker->node)->op;
	bool whole = vx->base == x || (p->steps[vx->step].gone && !p->steps[vx->step].node->op->alias);

	return op && op->adds && !is_map(maker) && !maker->node->op->alias && x != c && whole &&
	       vx->step < vc->step && vc->base == c && !vx->outer && !vc->outer &&
	       vx->where == IN_SPACE && vc->where == IN_SPACE && vx->node->type == AD_REAL &&
	       of[c].last == sum && of[c].before == NO_STEP && of[x].last == sum &&
	       (of[x].before == NO_STEP || of[x].before < vc->step) && result_number(maker, c) < 32 &&
	       ad_equal_shapes(&vx->node->shape, &vc->node->shape);
}

/* Sums of contributions to a gradient: where a kernel can add to what is there, the addition is its. */
static bool fold_additions(struct plan *p)
{
	const ad_op *add = engine_add_op();
	struct readers *of;
	uint32_t *holds; /* by base: the sum that its memory holds in the end */

	if (p->mode != SHARED)
		return true;
	of = malloc((p->n_values + 1) * sizeof *of);
	holds = malloc((p->n_values + 1) * sizeof *holds);
	if (!of || !holds) {
		free(of);
		free(holds);
		return false;
	}
	find_readers(p, of);
	for (size_t k = 0; k < p->n_values; k++)
		holds[k] = NO_VALUE;
	for (uint32_t s = 0; s < p->n_steps; s++) {
		struct step *sum = &p->steps[s];
		uint32_t a, b, y = sum->value;
		bool ab, ba;

		if (sum->node->op != add || p->values[y].base != y)
			continue;
		a = value_of(sum->in[0]);
		b = value_of(sum->in[1]);
		if (a == NO_VALUE || b == NO_VALUE)
			continue;
		/* in a chain of sums, x is one that is done in another's place already */
		ab = can_add_to(p, of, s, a, b);
		ba = !ab && can_add_to(p, of, s, b, a);
		if (!ab && !ba)
			continue;
		if (ba) {
			uint32_t t = a;

			a = b, b = t;
		}
		p->steps[p->values[b].step].adds |= 1u << result_number(&p->steps[p->values[b].step], b);
		a = p->values[a].base;
		p->values[b].base = p->values[y].base = a;
		p->values[a].where = p->values[y].where;
		holds[a] = y;
		sum->gone = true;
	}
	/* views of a sum share what it shares; oldest first, as bases are older */
	for (size_t k = 0; k < p->n_values; k++) {
		struct value *v = &p->values[k];
		uint32_t was = v->base;

		v->base = p->values[was].base;
		v->passing |= holds[v->base] != NO_VALUE && holds[v->base] != k && holds[v->base] != was;
	}
	free(of);
	free(holds);
	return true;
}

/* ---- inputs read in another form ------------------------------------------------------------------- */

/* The node that does to the gradient of x, value dx, what x does to its input, the other way round: the only
 * one that reads it. NO_STEP if there is no such one. */
static uint32_t mirror_of(const struct plan *p, const struct readers *of, uint32_t dx, const ad_node *x)
{
	const struct step *m = of[dx].last == NO_STEP ? NULL : &p->steps[of[dx].last];

	return m && of[dx].before == NO_STEP && m->node->op == x->op && m->node->n_in == 1 &&
	                       value_of(m->in[0]) == dx && same_attrs(x->op, m->node->attrs, x->attrs) &&
	                       ad_equal_shapes(&m->node->shape, &x->in[0]->shape) ?
	               of[dx].last :
	               NO_STEP;
}

/* Input i of a product, made by x, is read as x's own input; the gradient for it is that one's. */
static bool fold_input(struct plan *p, const struct readers *of, struct step *s, int i, ad_node *x)
{
	const ad_node *y = node_behind(s->node);
	uint32_t dx = NO_VALUE, mirror = NO_STEP;
	void *attrs;

	if (s->node->op == &backward_op) {
		const struct backward *b = s->node->attrs;

		for (uint32_t k = 0; k < b->n; k++)
			if (b->which[k] == i)
				dx = s->value + k;
	}
	if (dx != NO_VALUE) {
		mirror = mirror_of(p, of, dx, x);
		if (mirror == NO_STEP || p->values[dx].where != IN_SPACE || p->values[dx].base != dx)
			return true;
	}
	attrs = arena_take(&p->arena, y->op->attrs_size + 1);
	if (!attrs)
		return false;
	memcpy(attrs, s->attrs, y->op->attrs_size);
	if (!y->op->fold(y, i, x, attrs))
		return true;
	if (s->in == s->node->in) {
		ad_node **in = arena_take(&p->arena, s->node->n_in * sizeof *in);

		if (!in)
			return false;
		memcpy(in, s->in, s->node->n_in * sizeof *in);
		s->in = in;
	}
	if (s->in[i])
		((ad_node **)(uintptr_t)s->in)[i] = x->in[0];
	s->attrs = attrs;
	s->folded |= 1u << i;
	if (mirror != NO_STEP) {
		struct value *v = &p->values[p->steps[mirror].value];

		v->base = dx;
		p->values[dx].passing = true;
		p->values[dx].where = v->where;
		p->steps[mirror].gone = true;
	}
	return true;
}

/* Steps whose results nobody reads any more. */
static bool drop_unread(struct plan *p)
{
	uint32_t *uses = calloc(p->n_values + 1, sizeof *uses);

	if (!uses)
		return false;
	for (size_t s = p->n_steps; s-- > 0;) {
		struct step *step = &p->steps[s];
		bool read = step->gone;

		for (uint32_t k = step->value; k < step->value + step->node->n_out; k++)
			read |= uses[k] > 0 || p->values[k].where != IN_SPACE || p->values[k].base != k;
		if (!read) {
			step->gone = true;
			for (uint32_t k = step->value; k < step->value + step->node->n_out; k++)
				p->values[k].where = IN_TILE;
			continue;
		}
		for (size_t i = 0; i < step->n_in; i++)
			if (value_of(step->in[i]) != NO_VALUE)
				uses[value_of(step->in[i])]++;
	}
	free(uses);
	return true;
}

/* Products read transposed matrices where they lie. */
static bool fold_inputs(struct plan *p)
{
	struct readers *of = NULL;
	bool ok = true, any = false;

	for (uint32_t k = 0; ok && p->mode == SHARED && k < p->n_steps; k++) {
		struct step *s = &p->steps[k];
		const ad_node *y = node_behind(s->node);

		for (int i = 0; ok && y->op->fold && i < y->n_in && i < 32; i++) {
			ad_node *x = y->in[i];

			if (!x || !x->op || x->n_in != 1 || value_of(x) >= p->n_values ||
			    p->values[value_of(x)].node != x)
				continue;
			if (!of) {
				of = malloc((p->n_values + 1) * sizeof *of);
				if (!of)
					return false;
				find_readers(p, of);
			}
			ok = fold_input(p, of, s, i, x);
			any = true;
		}
	}
	free(of);
	/* views of what now shares memory are views of that memory; oldest first, as bases are older */
	for (size_t k = 0; any && k < p->n_values; k++)
		p->values[k].base = p->values[p->values[k].base].base;
	return ok && (!any || drop_unread(p));
}

/* ---- groups ---------------------------------------------------------------------------------------- */

/* Whether nothing is to be done for the step: each of its outputs is a view of something. */
static bool is_view(const struct plan *p, const struct step *s)
{
	if (!s->node->op->alias)
		return false;
	for (uint32_t k = s->value; k < s->value + s->node->n_out; k++)
		if (p->values[k].base == k && !p->values[k].outer)
			return false;
	return true;
}

/* Whether what the step reads of the open group is one to one with what it makes. */
static bool reads_straight(const struct plan *p, const struct action *open, const struct step *s)
{
	const ad_shape *shape = &node_behind(s->node)->shape;

	for (size_t i = 0; i < s->n_in; i++) {
		uint32_t k = value_of(s->in[i]);
		const struct value *base = k == NO_VALUE ? NULL : &p->values[p->values[k].base];

		if (base && base->step >= open->first &&
		    (!ad_equal_shapes(&s->in[i]->shape, shape) || s->in[i]->type != base->node->type))
			return false;
	}
	return true;
}

/* Whether the step can be part of a program of single numbers. */
static bool is_single(const struct plan *p, const struct step *s)
{
	return p->mode != SEPARATE && is_scalar(s->node);
}

/* The steps in order, as actions. */
static void group_steps(struct plan *p)
{
	struct action *open = NULL, *singles = NULL; /* a group, a program that may go on */
	const ad_shape *shape = NULL;
	struct opened group = { 0 };
	bool f64 = false;

	for (uint32_t k = 0; k < p->n_steps; k++) {
		struct step *s = &p->steps[k];

		if (s->gone || is_view(p, s)) {
			s->gone = true;
			s->stage = open || singles ? (uint32_t)p->n_actions - 1 : (uint32_t)p->n_actions;
			continue;
		}
		if (is_single(p, s)) {
			if (!singles)
				singles = &p->actions[p->n_actions++], singles->first = k;
			singles->n = k + 1 - singles->first;
			s->stage = (uint32_t)p->n_actions - 1;
			open = NULL;
			continue;
		}
		singles = NULL;
		if (open && reads_straight(p, open, s) && joins_group(s, shape, f64, &group)) {
			s->stage = (uint32_t)(open - p->actions);
			open->n = k + 1 - open->first;
			continue;
		}
		s->stage = (uint32_t)p->n_actions;
		p->actions[p->n_actions++] = (struct action){ .first = k, .n = 1 };
		open = NULL;
		if (is_map(s) && p->mode != SEPARATE && node_behind(s->node)->count > 0) {
			open = &p->actions[p->n_actions - 1];
			shape = &node_behind(s->node)->shape;
			f64 = computes_f64(s);
			group = (struct opened){ 0 };
			joins_group(s, shape, f64, &group);
		}
	}
}

/* The actions, of which there are far fewer than steps. */
static bool make_actions(struct plan *p)
{
	struct action *all = calloc(p->n_steps + 1, sizeof *all);

	if (!(p->actions = all))
		return false;
	group_steps(p);
	p->actions = arena_take(&p->arena, (p->n_actions + 1) * sizeof *p->actions);
	if (p->actions)
		memcpy(p->actions, all, p->n_actions * sizeof *all);
	free(all);
	return p->actions != NULL;
}

/* ---- parts of an array, read and written where they lie ----------------------------------------- */

/* How often each value is read or shares its memory, and how often by a step of a group that takes it one to
 * one. */
struct uses {
	uint32_t all, straight;
};

static void count_uses(const struct plan *p, struct uses *of)
{
	memset(of, 0, p->n_values * sizeof *of);
	for (uint32_t k = 0; k < p->n_values; k++)
		of[p->values[k].base].all += p->values[k].base != k;
	for (uint32_t s = 0; s < p->n_steps; s++) {
		const struct step *step = &p->steps[s];

		for (size_t i = 0; i < step->n_in; i++) {
			uint32_t k = value_of(step->in[i]);

			if (k == NO_VALUE)
				continue;
			of[k].all++;
			of[k].straight += !step->gone && is_map(step) && !is_single(p, step) &&
			                  ad_equal_shapes(&step->in[i]->shape, &node_behind(step->node)->shape);
		}
	}
}

/* Whether the value, a part of something, is not tied to a place of its own. */
static bool can_move(const struct plan *p, uint32_t k)
{
	const struct value *v = k == NO_VALUE ? NULL : &p->values[k];

	return v && v->base == k && !v->outer && !v->whole && v->where == IN_SPACE && v->node->count > 0 &&
	       v->node->type == AD_REAL;
}

/* Bytes from the beginning of a part to that of the next, in an array that is cut along an axis: a row of the part. */
static size_t row_of(const ad_node *part, const ad_node *whole)
{
	size_t bytes = element_size(part->graph, AD_REAL);

	for (int i = part->shape.rank; i-- > 0;) {
		bytes *= (size_t)part->shape.dims[i];
		if (part->shape.dims[i] != whole->shape.dims[i])
			break;
	}
	return bytes;
}

/* Parts that groups alone read are read in the array that is cut. */
static void read_parts(struct plan *p, const struct uses *of, struct step *s)
{
	const ad_node *y = s->node, *x = s->in[0];
	uint32_t whole = value_of(x);
	size_t at = 0;

	if (whole == NO_VALUE || p->values[whole].outer || p->values[whole].passing || y->n_out < 2)
		return;
	for (uint32_t k = s->value; k < s->value + y->n_out; k++)
		if (!can_move(p, k) || of[k].all != of[k].straight)
			return;
	for (uint32_t k = s->value; k < s->value + y->n_out; k++) {
		struct value *v = &p->values[k];

		v->base = p->values[whole].base;
		v->whole = x;
		v->at = at;
		at += row_of(v->node, x);
	}
	s->gone = true;
}

/* Parts that one group makes to be joined are written into the whole. */
static void write_parts(struct plan *p, const struct uses *of, struct step *s)
{
	const ad_node *y = s->node;
	uint32_t oldest = NO_VALUE, stage = s->stage;
	size_t at = 0;

	if (!can_move(p, s->value) || s->n_in < 2)
		return;
	for (size_t i = 0; i < s->n_in; i++) {
		uint32_t k = value_of(s->in[i]);
		const struct step *maker = can_move(p, k) ? &p->steps[p->values[k].step] : NULL;

		if (!maker || of[k].all != 1 || !is_map(maker) || is_single(p, maker) ||
		    (i > 0 && maker->stage != stage))
			return;
		stage = maker->stage;
		oldest = k < oldest ? k : oldest;
	}
	for (size_t i = 0; i < s->n_in; i++) {
		struct value *v = &p->values[value_of(s->in[i])];

		v->base = oldest;
		v->whole = y;
		v->at = at;
		at += row_of(v->node, y);
	}
	p->values[oldest].bytes = p->values[s->value].bytes;
	p->values[s->value].base = oldest;
	s->gone = true;
}

static bool find_parts(struct plan *p)
{
	struct uses *of = NULL;

	for (uint32_t k = 0; p->mode == SHARED && k < p->n_steps; k++) {
		struct step *s = &p->steps[k];
		bool splits = engine_splits(s->node->op);

		if (s->gone || (!splits && !engine_joins(s->node->op)))
			continue;
		if (!of) {
			of = malloc((p->n_values + 1) * sizeof *of);
			if (!of)
				return false;
			count_uses(p, of);
		}
		if (splits)
			read_parts(p, of, s);
		else
			write_parts(p, of, s);
	}
	/* what shares memory with a whole; oldest first, as bases are older */
	for (size_t k = 0; of && k < p->n_values; k++)
		p->values[k].base = p->values[p->values[k].base].base;
	free(of);
	return true;
}

/* What is read by its own group alone needs no memory. */
static void find_tiles(struct plan *p)
{
	for (uint32_t k = 0; k < p->n_values; k++) {
		struct value *v = &p->values[k];

		if (v->where == IN_SPACE && v->base == k && !v->outer && !v->whole && is_map(&p->steps[v->step]) &&
		    !is_single(p, &p->steps[v->step]))
			v->where = IN_TILE;
	}
	for (uint32_t s = 0; s < p->n_steps; s++)
		for (size_t i = 0; i < p->steps[s].n_in; i++) {
			uint32_t k = value_of(p->steps[s].in[i]);
			struct value *base = k == NO_VALUE ? NULL : &p->values[p->values[k].base];

			if (base && base->where == IN_TILE &&
			    p->steps[base->step].stage != p->steps[s].stage)
				base->where = IN_SPACE;
		}
}

/* The result of a kernel that the group behind it can take piece by piece; -1 if there is none. */
static int leading_result(const struct plan *p, const struct action *a)
{
	const struct step *s = &p->steps[a->first];
	const struct action *group = a + 1;
	bool backward = s->node->op == &backward_op;
	int found = -1;

	if (!a->call || !group->group)
		return -1;
	for (uint32_t g = group->first; g < group->first + group->n; g++)
		for (size_t i = 0; i < p->steps[g].n_in; i++) {
			uint32_t k = value_of(p->steps[g].in[i]), made = NO_VALUE;
			const struct value *v = k == NO_VALUE || p->steps[g].gone ? NULL : &p->values[p->values[k].base];
			int result;

			/* what the kernel makes, or adds to */
			for (uint32_t c = s->value; v && c < s->value + s->node->n_out; c++)
				if (&p->values[p->values[c].base] == v)
					made = c;
			if (made == NO_VALUE)
				continue;
			result = result_number(s, made);
			if (found >= 0 && found != result)
				return -1; /* another result, which may not be there yet */
			found = result;
			/* bit 0 is output 0, the only one of its kind */
			if (!group_reads_straight(p, group, v->node) || (!backward && result > 0) ||
			    !(node_behind(s->node)->op->finishes >> (backward ? 1 + result : 0) & 1))
				return -1;
		}
	return found;
}

/* Groups that are run by the kernel before them, while what it makes is in the cache. */
static bool find_leads(struct plan *p)
{
	for (size_t k = 0; k + 1 < p->n_actions && p->mode != SEPARATE; k++) {
		struct action *a = &p->actions[k];
		int result = leading_result(p, a);
		struct finish *f;

		if (result < 0)
			continue;
		f = arena_take(&p->arena, sizeof *f);
		if (!f)
			return false;
		*f = (struct finish){ .result = result, .group = a[1].group };
		a->kernel.finish = f;
		a->leads = true;
		a[1].run = NULL;
	}
	return true;
}

bool fuse(struct plan *p)
{
	if (!fold_inputs(p) || !fold_additions(p) || !make_actions(p) || !find_parts(p))
		return false;
	find_tiles(p);
	for (size_t k = 0; k < p->n_actions; k++)
		if (!make_action(p, &p->actions[k]))
			return false;
	if (!find_leads(p))
		return false;
	for (size_t k = 0; k < p->n_actions; k++)
		p->actions[k].bytes = traffic(p, &p->actions[k]);
	return true;
}
