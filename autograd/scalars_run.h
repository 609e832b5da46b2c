/*
 * scalars_run: the loops of scalars.c, for REAL; included once for each type.
 */

typedef void NAME(map)(size_t n, const REAL *const in[], REAL *y, const void *attrs);
typedef void NAME(dmap)(size_t n, const REAL *const in[], const REAL *y, const REAL *dy,
                        REAL *const dx[], const void *attrs);

/* What comes from outside. */
static void NAME(gather)(const struct program *t)
{
	REAL *v = (REAL *)t->values + (t->n_slots - t->n_outer);

	for (size_t k = 0; k < t->n_outer; k++)
		v[k] = *(const REAL *)t->from[k];
}

static void NAME(call)(const struct wide_call *c, REAL *v, REAL *y)
{
	const REAL *in[MAX_MAP_INPUTS];

	for (int i = 0; i < c->n_in; i++)
		in[i] = v + c->in[i];
	((NAME(map) *)c->call.kernels->map)(1, in, y, c->call.attrs);
}

static void NAME(forward)(const struct program *t)
{
	REAL *v = t->values, *y = v;

	NAME(gather)(t);
	for (const uint64_t *r = t->records;; r++) {
		const REAL *a = v + A_OF(*r), *b = v + B_OF(*r);

		switch (*r & 0xff) {
		case ADD:
			*y++ = *a + *b;
			break;
		case SUB:
			*y++ = *a - *b;
			break;
		case MUL:
			*y++ = *a * *b;
			break;
		case DIV:
			*y++ = *a / *b;
			break;
		case NEG:
			*y++ = -*a;
			break;
		case SQUARE:
			*y++ = *a * *a;
			break;
		case SUM: {
			const uint64_t *end = r + B_OF(*r);
			REAL sum = *a;

			while (r < end) {
				REAL product = v[A_OF(r[1])] * v[B_OF(r[1])];

				r++;
				sum = sum + product;
				y[0] = product;
				y[1] = sum;
				y += 2;
			}
			break;
		}
		case CALL1: {
			const struct call *c = &t->calls[B_OF(*r)];

			((NAME(map) *)c->kernels->map)(1, &a, y++, c->attrs);
			break;
		}
		case CALL:
			NAME(call)(&t->wide[A_OF(*r)], v, y++);
			break;
		default:
			return;
		}
	}
}

/* The gradients of a call: each is added to what has arrived. */
static void NAME(call_back)(const struct wide_call *c, const REAL *v, const REAL *y, REAL dy, REAL *adjoint)
{
	const REAL *in[MAX_MAP_INPUTS];
	REAL gradient[MAX_MAP_INPUTS], *dx[MAX_MAP_INPUTS];

	for (int i = 0; i < c->n_in; i++) {
		in[i] = v + c->in[i];
		dx[i] = c->wanted >> i & 1 ? &gradient[i] : NULL;
	}
	((NAME(dmap) *)c->call.kernels->dmap)(1, in, y, &dy, dx, c->call.attrs);
	for (int i = 0; i < c->n_in; i++)
		if (dx[i])
			adjoint[c->in[i]] += gradient[i];
}

static inline REAL NAME(call1_back)(const struct call *c, const REAL *x, const REAL *y, REAL dy)
{
	REAL dx, *to = &dx;

	((NAME(dmap) *)c->kernels->dmap)(1, &x, y, &dy, &to, c->attrs);
	return dx;
}

/* Adds dy times each factor of a product to the adjoint of the other, where that is wanted. */
static inline void NAME(product_back)(uint64_t r, const REAL *v, REAL dy, REAL *adjoint, bool to_a, bool to_b)
{
	uint32_t a = A_OF(r), b = B_OF(r);

	if (to_a)
		adjoint[a] += dy * v[b];
	if (to_b)
		adjoint[b] += dy * v[a];
}

/* The products of a sum from the last to the first, before which the sum began; returns the last record. */
static inline const uint64_t *NAME(sum_back)(const uint64_t *r, const REAL *v, REAL dy, REAL *adjoint, bool to_a,
                                             bool to_b)
{
	const uint64_t *sum = r, *first = r + B_OF(*r);

	while (++r < first)
		NAME(product_back)(*r, v, dy, adjoint, to_a, to_b);
	if (*sum & START)
		adjoint[A_OF(*sum)] += dy;
	NAME(product_back)(*r, v, dy, adjoint, to_a, to_b);
	return r;
}

/* Where dy is when a record is done: it has arrived at the next slot, or is handed on. */
#define ARRIVED()                                                                                                   \
	do {                                                                                                        \
		dy = adjoint[--y];                                                                                  \
		adjoint[y] = NOTHING;                                                                               \
	} while (0)
#define HAND(value)                                                                                                 \
	do {                                                                                                        \
		dy = value;                                                                                         \
		y--;                                                                                                \
	} while (0)

/* An op of two inputs: what their gradients are. */
#define BINARY(code, da, db)                                                                                        \
	case code:                                                                                                  \
		adjoint[a] += da;                                                                                   \
		adjoint[b] += db;                                                                                   \
		ARRIVED();                                                                                          \
		break;                                                                                              \
	case code + ONLY_A:                                                                                         \
		adjoint[a] += da;                                                                                   \
		ARRIVED();                                                                                          \
		break;                                                                                              \
	case code + ONLY_B:                                                                                         \
		adjoint[b] += db;                                                                                   \
		ARRIVED();                                                                                          \
		break;                                                                                              \
	case code + TO_A:                                                                                           \
		adjoint[b] += db;                                                                                   \
		HAND(da);                                                                                           \
		break;                                                                                              \
	case code + TO_B:                                                                                           \
		adjoint[a] += da;                                                                                   \
		HAND(db);                                                                                           \
		break;                                                                                              \
	case code + ONLY_A + TO_A:                                                                                  \
		HAND(da);                                                                                           \
		break;                                                                                              \
	case code + ONLY_B + TO_B:                                                                                  \
		HAND(db);                                                                                           \
		break;

/* An op of one. */
#define UNARY(code, da)                                                                                             \
	case code:                                                                                                  \
		adjoint[a] += da;                                                                                   \
		ARRIVED();                                                                                          \
		break;                                                                                              \
	case code + TO_A:                                                                                           \
		HAND(da);                                                                                           \
		break;

/* The products of a sum, which with it took two slots each. */
#define SUMS(code, to_a, to_b)                                                                                      \
	case code:                                                                                                  \
	case code + START:                                                                                          \
		y -= 2 * (ptrdiff_t)B_OF(*r) - 1;                                                                   \
		r = NAME(sum_back)(r, v, dy, adjoint, to_a, to_b);                                                  \
		ARRIVED();                                                                                          \
		break;

static void NAME(backward)(const struct program *t)
{
	const REAL *v = t->forward ? t->forward->values : t->values;
	REAL *adjoint = t->adjoints, *dx = t->node->data, dy = 1;
	ptrdiff_t y = t->top;

	if (!t->forward)
		NAME(gather)(t);
	for (const uint64_t *r = t->records; *r != END; r++) {
		uint32_t a = A_OF(*r), b = B_OF(*r);

		switch (*r & 0xff) {
			BINARY(ADD, dy, dy)
			BINARY(SUB, dy, -dy)
			BINARY(MUL, dy * v[b], dy * v[a])
			BINARY(DIV, dy / v[b], -dy * (v[a] / v[b] / v[b]))
			UNARY(NEG, -dy)
			UNARY(SQUARE, 2 * dy * v[a])
			UNARY(EXP, dy * v[y])
			UNARY(SIGMOID, dy * v[y] * (1 - v[y]))
			UNARY(TANH, dy * (1 - v[y]) * (1 + v[y]))
			UNARY(CALL1, NAME(call1_back)(&t->calls[b], v + a, v + y, dy))
			SUMS(SUM, true, true)
			SUMS(SUM + ONLY_A, true, false)
			SUMS(SUM + ONLY_B, false, true)
		case CALL:
			NAME(call_back)(&t->wide[a], v, v + y, dy, adjoint);
			ARRIVED();
			break;
		case SKIP:
			y -= a;
			dy = adjoint[y];
			adjoint[y] = NOTHING;
			break;
		}
	}
	for (size_t k = 0; k < t->node->n_out; k++) {
		dx[k] = adjoint[t->x[k]];
		adjoint[t->x[k]] = NOTHING;
	}
}

#undef ARRIVED
#undef HAND
#undef BINARY
#undef UNARY
#undef SUMS
