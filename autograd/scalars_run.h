/*
 * scalars_run: the loops of scalars.c, for REAL; included once for each type.
 */

typedef void NAME(map)(size_t n, const REAL *const in[], REAL *y, const void *attrs);
typedef void NAME(dmap)(size_t n, const REAL *const in[], const REAL *y, const REAL *dy,
                        REAL *const dx[], const void *attrs);

/* What comes from outside. */
static void NAME(gather)(const struct program *t, REAL *v)
{
	for (size_t k = t->n_slots - t->n_outer; k < t->n_slots; k++)
		v[k] = *(const REAL *)t->nodes[k]->data;
}

static void NAME(call)(const struct call *c, REAL *v, uint32_t y)
{
	const REAL *in[MAX_MAP_INPUTS];

	for (int i = 0; i < c->n_in; i++)
		in[i] = v + c->in[i];
	((NAME(map) *)c->kernels->map)(1, in, v + y, c->attrs);
}

static void NAME(forward)(const struct program *t)
{
	const struct record *r = t->records, *end = r + t->n_records;
	REAL *v = t->values;

	NAME(gather)(t, v);
	for (; r < end; r++)
		switch (r->code) {
		case ADD:
			v[r->y] = v[r->a] + v[r->b];
			break;
		case SUB:
			v[r->y] = v[r->a] - v[r->b];
			break;
		case MUL:
			v[r->y] = v[r->a] * v[r->b];
			break;
		case MUL + PAIR: {
			REAL product = v[r->a] * v[r->b];

			v[r->y] = product;
			r++;
			v[r->y] = v[r->a] + product;
			break;
		}
		case DIV:
			v[r->y] = v[r->a] / v[r->b];
			break;
		case NEG:
			v[r->y] = -v[r->a];
			break;
		case SQUARE:
			v[r->y] = v[r->a] * v[r->a];
			break;
		default:
			NAME(call)(&t->calls[r->a], v, r->y);
		}
}

/* The gradients of a call: each is added to what has arrived. */
static void NAME(call_back)(const struct call *c, const REAL *v, uint32_t y, REAL dy, REAL *adjoint)
{
	const REAL *in[MAX_MAP_INPUTS];
	REAL gradient[MAX_MAP_INPUTS], *dx[MAX_MAP_INPUTS];

	for (int i = 0; i < c->n_in; i++) {
		in[i] = v + c->in[i];
		dx[i] = c->wanted >> i & 1 ? &gradient[i] : NULL;
	}
	((NAME(dmap) *)c->kernels->dmap)(1, in, v + y, &dy, dx, c->attrs);
	for (int i = 0; i < c->n_in; i++)
		if (dx[i])
			adjoint[c->in[i]] += gradient[i];
}

static void NAME(backward)(const struct program *t)
{
	const struct record *r = t->records + t->n_records;
	const REAL *v = t->forward ? t->forward->values : t->values;
	REAL *adjoint = t->adjoints;

	if (!t->forward)
		for (size_t k = 0; k < t->n_slots; k++)
			((REAL *)t->values)[k] = *(const REAL *)t->nodes[k]->data;
	adjoint[t->top] = 1;
	while (r-- > t->records) {
		REAL dy = adjoint[r->y];

		adjoint[r->y] = NOTHING;
		switch (r->code) {
		case ADD:
			adjoint[r->a] += dy;
			adjoint[r->b] += dy;
			break;
		case ADD + ONLY_A:
			adjoint[r->a] += dy;
			break;
		case ADD + ONLY_B:
			adjoint[r->b] += dy;
			break;
		case PAIR + MUL:
			adjoint[r->a] += dy;
			adjoint[r->b] += dy;
			r--;
			dy = adjoint[r->y];
			adjoint[r->y] = NOTHING;
			adjoint[r->a] += dy * v[r->b];
			adjoint[r->b] += dy * v[r->a];
			break;
		case PAIR + MUL + ONLY_A:
			adjoint[r->a] += dy;
			adjoint[r->b] += dy;
			r--;
			dy = adjoint[r->y];
			adjoint[r->y] = NOTHING;
			adjoint[r->a] += dy * v[r->b];
			break;
		case PAIR + MUL + ONLY_B:
			adjoint[r->a] += dy;
			adjoint[r->b] += dy;
			r--;
			dy = adjoint[r->y];
			adjoint[r->y] = NOTHING;
			adjoint[r->b] += dy * v[r->a];
			break;
		case SUB:
			adjoint[r->a] += dy;
			adjoint[r->b] -= dy;
			break;
		case SUB + ONLY_A:
			adjoint[r->a] += dy;
			break;
		case SUB + ONLY_B:
			adjoint[r->b] -= dy;
			break;
		case MUL:
			adjoint[r->a] += dy * v[r->b];
			adjoint[r->b] += dy * v[r->a];
			break;
		case MUL + ONLY_A:
			adjoint[r->a] += dy * v[r->b];
			break;
		case MUL + ONLY_B:
			adjoint[r->b] += dy * v[r->a];
			break;
		case DIV:
			adjoint[r->a] += dy / v[r->b];
			adjoint[r->b] += -dy * (v[r->a] / v[r->b] / v[r->b]);
			break;
		case DIV + ONLY_A:
			adjoint[r->a] += dy / v[r->b];
			break;
		case DIV + ONLY_B:
			adjoint[r->b] += -dy * (v[r->a] / v[r->b] / v[r->b]);
			break;
		case NEG:
			adjoint[r->a] -= dy;
			break;
		case SQUARE:
			adjoint[r->a] += 2 * dy * v[r->a];
			break;
		default:
			NAME(call_back)(&t->calls[r->a], v, r->y, dy, adjoint);
		}
	}
	for (size_t k = 0; k < t->node->n_out; k++) {
		*(REAL *)t->node[k].data = adjoint[t->x[k]];
		adjoint[t->x[k]] = NOTHING;
	}
}
