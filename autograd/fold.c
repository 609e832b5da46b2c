/*
 * fold: steps that others do along with their own work.
 *
 * Gradients that arrive from several uses are added by the kernels that make them, where these can;
 * products read transposed matrices where they lie.
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
bool fold_additions(struct plan *p)
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
bool fold_inputs(struct plan *p)
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
