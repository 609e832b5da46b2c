/*
 * number: arithmetic of numbers, exact for whole ones.
 */
#include "language.h"

#include <math.h>
#include <string.h>

static bool int_power(int64_t base, int64_t exponent, int64_t *to)
{
	int64_t result = 1;

	for (int64_t i = 0; i < exponent; i++) {
		if (base == 0 || base == 1 || (base == -1 && exponent % 2 == 1) || (base == -1)) {
			*to = base == -1 ? (exponent % 2 ? -1 : 1) : base;
			return true;
		}
		if (__builtin_mul_overflow(result, base, &result))
			return false;
	}
	*to = result;
	return true;
}

/* a op b for whole numbers whose result is whole; false: overflow. */
static bool int_binary(enum binary op, int64_t a, int64_t b, int64_t *to)
{
	switch (op) {
	case ADD:
		return !__builtin_add_overflow(a, b, to);
	case SUB:
		return !__builtin_sub_overflow(a, b, to);
	case MUL:
		return !__builtin_mul_overflow(a, b, to);
	case POW:
		return int_power(a, b, to);
	default:
		break;
	}
	if (a == INT64_MIN && b == -1)
		return op == MOD ? (*to = 0, true) : false;
	int64_t q = a / b, rest = a % b;
	bool down = rest != 0 && (rest < 0) != (b < 0);
	*to = op == MOD ? rest + (down ? b : 0) : q - down;
	return true;
}

static bool compare(enum binary op, double a, double b)
{
	switch (op) {
	case EQUAL:
		return a == b;
	case NOT_EQUAL:
		return a != b;
	case LESS:
		return a < b;
	case LESS_EQUAL:
		return a <= b;
	case GREATER:
		return a > b;
	default:
		return a >= b;
	}
}

struct value number_binary(struct recording *r, const struct expr *e, struct value a,
                           struct value b)
{
	bool whole = a.kind != VALUE_REAL && b.kind != VALUE_REAL;
	int64_t i;

	if (e->op >= EQUAL && whole)
		return value_flag(compare(e->op, (a.i > b.i) - (a.i < b.i), 0));
	if (e->op >= EQUAL)
		return value_flag(compare(e->op, a.r, b.r));
	/* (a < b) * (b < c): both */
	if (e->op == MUL && a.kind == VALUE_FLAG && b.kind == VALUE_FLAG)
		return value_flag(a.b && b.b);
	if (e->op == MATMUL)
		return wrong(r, E_TYPE, e->at,
		             "'@' multiplies matrices; numbers are multiplied by '*'");
	if ((e->op == DIV || e->op == FLOOR_DIV || e->op == MOD) && b.r == 0)
		return wrong(r, E_RANGE, e->at, "division by zero");
	if (whole && e->op != DIV && !(e->op == POW && b.i < 0)) {
		if (!int_binary(e->op, a.i, b.i, &i))
			return wrong(r, E_RANGE, e->at, "%lld %s %lld is out of range",
			             (long long)a.i, binary_sign(e->op), (long long)b.i);
		return value_int(i);
	}
	switch (e->op) {
	case ADD:
		return value_real(r, a.r + b.r, e->at);
	case SUB:
		return value_real(r, a.r - b.r, e->at);
	case MUL:
		return value_real(r, a.r * b.r, e->at);
	case DIV:
		return value_real(r, a.r / b.r, e->at);
	case FLOOR_DIV:
		return value_real(r, floor(a.r / b.r), e->at);
	case MOD:
		return value_real(r, a.r - b.r * floor(a.r / b.r), e->at);
	default:
		return value_real(r, pow(a.r, b.r), e->at);
	}
}

struct value number_call(struct recording *r, const char *name, struct value x, struct place at)
{
	double y = x.r;

	if (strcmp(name, "abs") == 0) {
		if (x.kind != VALUE_REAL && x.i != INT64_MIN)
			return value_int(x.i < 0 ? -x.i : x.i);
		return value_real(r, fabs(y), at);
	}
	if (strcmp(name, "floor") == 0 || strcmp(name, "ceil") == 0) {
		y = name[0] == 'f' ? floor(y) : ceil(y);
		if (fabs(y) > 9e18)
			return wrong(r, E_RANGE, at, "%s(%g) is out of range", name, x.r);
		return value_int((int64_t)y);
	}
	if (strcmp(name, "sqrt") == 0)
		return y < 0
		           ? wrong(r, E_RANGE, at, "the square root of %g is not a real number", y)
		           : value_real(r, sqrt(y), at);
	if (strcmp(name, "log") == 0)
		return y <= 0 ? wrong(r, E_RANGE, at, "the logarithm of %g is not a real number", y)
		              : value_real(r, log(y), at);
	return value_real(r, exp(y), at);
}

/* min and max: of two or more, element by element; of one, over its axes. */
