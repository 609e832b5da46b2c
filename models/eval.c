/*
 * eval: expressions -> values: numbers exactly, tensors as nodes of the graph.
 *
 * A mistake is said once: its result is unknown, and what is computed from something unknown is
 * unknown, silently. In the check the sizes of free dims are large primes, so that a size can be
 * printed back as "B" or "2*B".
 */
#include "language.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- names  / -------------------------------------------------------------------------------- */

static size_t hash(const char *text)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

static void rehash(struct store *s, struct scope *to, size_t n)
{
	struct name **buckets = store_take(s, n * sizeof(*buckets));

	for (size_t i = 0; i < to->n_buckets; i++) {
		for (struct name *name = to->buckets[i], *next; name; name = next) {
			size_t k = hash(name->text) & (n - 1);

			next = name->next;
			name->next = buckets[k];
			buckets[k] = name;
		}
	}
	to->buckets = buckets;
	to->n_buckets = n;
}

struct name *scope_add(struct store *s, struct scope *to, const char *text, enum name_kind kind,
                       struct place at, struct value value)
{
	struct name *name = store_take(s, sizeof *name);

	if (to->n >= to->n_buckets)
		rehash(s, to, to->n_buckets ? 2 * to->n_buckets : 8);
	size_t k = hash(text) & (to->n_buckets - 1);
	*name = (struct name){
		.text = text, .kind = kind, .at = at, .value = value, .next = to->buckets[k]
	};
	to->buckets[k] = name;
	to->n++;
	return name;
}

struct name *scope_own(const struct scope *in, const char *text)
{
	struct name *name = in->n_buckets ? in->buckets[hash(text) & (in->n_buckets - 1)] : NULL;

	while (name && strcmp(name->text, text) != 0)
		name = name->next;
	return name;
}

struct name *scope_find(const struct scope *in, const char *text)
{
	struct name *found = NULL;

	for (; in; in = in->up) {
		struct name *name = scope_own(in, text);

		if (name && name->kind == NAME_COUNTER)
			return name; /* counters win */
		if (name && (!found || (found->kind == NAME_DIM && name->kind == NAME_PARAM)))
			found = name;
	}
	return found;
}

struct name *scope_nearest(const struct scope *in, const char *text, bool params_only)
{
	struct name *best = NULL;
	const char *pair[2] = { NULL, NULL };

	for (; in; in = in->up) {
		for (size_t i = 0; i < in->n_buckets; i++) {
			for (struct name *name = in->buckets[i]; name; name = name->next) {
				if (params_only && name->kind != NAME_PARAM &&
				    name->kind != NAME_COUNTER)
					continue;
				pair[0] = best ? best->text : name->text;
				pair[1] = name->text;
				const char *near = nearest(text, 2, pair);
				/* of two equally near ones the first in the file */
				if (near == name->text &&
				    (!best || near != pair[0] || name->at.line < best->at.line))
					best = name;
			}
		}
	}
	return best;
}

/* ---- printing sizes  / ----------------------------------------------------------------------- */

/* n = rest * product of free dims as text "2*B*T"; false if it is no such product. */
static bool product_text(struct recording *r, int64_t n, char *text, size_t room)
{
	const int64_t *primes = r->model->build->primes;
	size_t used = 0;
	char names[256] = "";

	for (int k = 0; k < r->model->n_dims; k++) {
		for (int times = 0; n % primes[k] == 0 && times < 8; times++) {
			used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
			                         used ? "*" : "", r->model->dims[k]);
			if (used >= sizeof names)
				return false;
			n /= primes[k];
		}
	}
	if (n == 1 && used)
		snprintf(text, room, "%s", names);
	else if (used)
		snprintf(text, room, "%lld*%s", (long long)n, names);
	else
		snprintf(text, room, "%lld", (long long)n);
	return used > 0;
}

const char *dim_text(struct recording *r, int64_t dim)
{
	char text[300];
	const int64_t *primes = r->messages ? r->model->build->primes : NULL;

	snprintf(text, sizeof text, "%lld", (long long)dim);
	if (!primes || dim <= 0 || product_text(r, dim, text, sizeof text))
		return store_text(r->store, "%s", text);
	/* B + 1, B - 2, 2*B + 3 */
	for (int k = 0; k < r->model->n_dims; k++) {
		int64_t times = (dim + primes[k] / 2) / primes[k], rest = dim - times * primes[k];
		char head[300];

		if (times > 0 && rest >= -NEAR_DIM && rest <= NEAR_DIM &&
		    product_text(r, times * primes[k], head, sizeof head))
			return store_text(r->store, "%s %c %lld", head, rest < 0 ? '-' : '+',
			                  (long long)llabs(rest));
	}
	return store_text(r->store, "%s", text);
}

const char *shape_text(struct recording *r, ad_shape shape)
{
	const char *text = "[";

	for (int i = 0; i < shape.rank; i++)
		text =
		    store_text(r->store, "%s%s%s", text, i ? ", " : "", dim_text(r, shape.dims[i]));
	return store_text(r->store, "%s]", text);
}

/* The engine's sentence with "(100003, 784)" as "[B, 784]". */
static const char *in_words(struct recording *r, const char *text)
{
	char *out = store_take(r->store, strlen(text) * 40 + 1), *to = out;
	bool inside = false;

	while (*text) {
		size_t digits = strspn(text, "0123456789");

		if (digits > 0 && digits < 19) {
			to = stpcpy(to, dim_text(r, strtoll(text, NULL, 10)));
			text += digits;
			continue;
		}
		if (*text == '(' && to > out && to[-1] == ' ' &&
		    text[1 + strspn(text + 1, "0123456789, -")] == ')') {
			inside = true;
			*to++ = '[';
		} else if (*text == ')' && inside) {
			inside = false;
			*to++ = ']';
		} else if (!(*text == ',' && text[1] == ')' && inside)) {
			*to++ = *text;
		}
		text++;
	}
	*to = '\0';
	return out;
}

/* ---- values ---------------------------------------------------------------------------------- */

static const struct value unknown = { .kind = VALUE_UNKNOWN };

static struct value of_int(int64_t i)
{
	return (struct value){ .kind = VALUE_INT, .i = i, .r = (double)i };
}

static struct value of_flag(bool b)
{
	return (struct value){ .kind = VALUE_FLAG, .b = b, .i = b, .r = b };
}

static bool is_number(struct value v)
{
	return v.kind == VALUE_INT || v.kind == VALUE_REAL || v.kind == VALUE_FLAG;
}

static const char *kind_text(struct recording *r, struct value v)
{
	switch (v.kind) {
	case VALUE_INT:
		return store_text(r->store, "%lld", (long long)v.i);
	case VALUE_REAL:
		return store_text(r->store, "%g", v.r);
	case VALUE_FLAG:
		return v.b ? "true" : "false";
	case VALUE_NULL:
		return "null";
	case VALUE_WORD:
		return store_text(r->store, "the word '%s'", v.s);
	case VALUE_LIST:
		return "a list";
	default:
		return "a tensor";
	}
}

static struct value wrong(struct recording *r, int code, struct place at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static struct value wrong(struct recording *r, int code, struct place at, const char *format, ...)
{
	va_list list;
	char text[1024];

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	message(r->messages, code, at, NULL, NULL, "%s", text);
	if (!r->messages && r->graph)
		ad_fail(r->graph, AD_ERROR_ARGUMENT, "%s", text);
	return unknown;
}

static struct value of_real(struct recording *r, double x, struct place at)
{
	if (!isfinite(x))
		return wrong(r, E_RANGE, at, "the result is not a finite number");
	return (struct value){ .kind = VALUE_REAL, .r = x };
}

static bool step(struct recording *r, struct place at)
{
	if (r->stopped)
		return false;
	if (++r->steps <= MOST_STEPS)
		return true;
	wrong(r, E_LIMIT, at, "the model has more than %d items and operations, copies included",
	      MOST_STEPS);
	r->stopped = true;
	return false;
}

ad_node *value_node(struct recording *r, struct value v, struct place at)
{
	if (v.kind == VALUE_NODE)
		return v.node;
	if (v.kind == VALUE_UNKNOWN)
		return NULL;
	if (!is_number(v)) {
		wrong(r, E_TYPE, at, "a tensor or a number is due here, not %s", kind_text(r, v));
		return NULL;
	}
	if (!r->graph) {
		wrong(r, E_TYPE, at, "only numbers can stand here");
		return NULL;
	}
	return ad_constant(r->graph, v.r);
}

/* ---- ops ------------------------------------------------------------------------------------- */

static const struct {
	enum binary sign;
	const char *op;
} sign_ops[] = {
	{ ADD, "add" },
	{ SUB, "sub" },
	{ MUL, "mul" },
	{ DIV, "div" },
	{ MOD, "remainder" },
	{ MATMUL, "matmul" },
	{ POW, "pow" },
	{ EQUAL, "equal" },
	{ NOT_EQUAL, "not_equal" },
	{ LESS, "less" },
	{ LESS_EQUAL, "less_equal" },
	{ GREATER, "greater" },
	{ GREATER_EQUAL, "greater_equal" },
};

static const char *sign_of(const char *op)
{
	for (size_t i = 0; i < sizeof sign_ops / sizeof *sign_ops; i++)
		if (strcmp(sign_ops[i].op, op) == 0)
			return binary_sign(sign_ops[i].sign);
	return NULL;
}

static void note_operand(struct recording *r, const char *side, struct value v, ad_shape shape)
{
	if (v.from)
		message_note(r->messages, v.from->at, "the %s side %s, %s", side, v.from->what,
		             shape_text(r, shape));
	else
		message_note(r->messages, (struct place){ 0 }, "the %s side is %s", side,
		             shape_text(r, shape));
}

/* Message E010 for `a sign b` whose shapes do not fit; false if it is something else. */
static bool say_mismatch(struct recording *r, struct place at, const char *op,
                         const struct value in[])
{
	const char *sign = sign_of(op);
	ad_shape a, b;
	int64_t left = 0, right = 0;

	if (!sign || in[0].kind != VALUE_NODE || in[1].kind != VALUE_NODE)
		return false;
	a = ad_shape_of(in[0].node);
	b = ad_shape_of(in[1].node);
	bool matmul = strcmp(op, "matmul") == 0;
	if (matmul) {
		if (a.rank == 0 || b.rank == 0)
			return false;
		left = a.dims[a.rank - 1];
		right = b.dims[b.rank > 1 ? b.rank - 2 : 0];
	}
	for (int i = 1; !matmul && left == right && i <= a.rank && i <= b.rank; i++) {
		if (a.dims[a.rank - i] != 1 && b.dims[b.rank - i] != 1) {
			left = a.dims[a.rank - i];
			right = b.dims[b.rank - i];
		}
	}
	if (left == right)
		return false;
	const char *help = NULL;
	if (matmul && b.rank == 2 && in[1].from && strncmp(in[1].from->what, "is weight", 9) == 0)
		help = store_text(r->store,
		                  "did you mean 'linear: %s'? it makes a weight of the right shape",
		                  dim_text(r, b.dims[1]));
	message(r->messages, E_SHAPE, at, NULL, help, "%s %s %s: %s is not %s", shape_text(r, a),
	        sign, shape_text(r, b), dim_text(r, left), dim_text(r, right));
	note_operand(r, "left", in[0], a);
	note_operand(r, "right", in[1], b);
	return true;
}

void say_failure(struct recording *r, struct place at, const char *op, size_t n_in,
                 const struct value in[])
{
	static const int codes[] = { [AD_ERROR_SHAPE] = E_SHAPE,    [AD_ERROR_TYPE] = E_TYPE,
		                     [AD_ERROR_ARGUMENT] = E_RANGE, [AD_ERROR_GRADIENT] = E_TYPE,
		                     [AD_ERROR_VALUE] = E_TYPE,     [AD_ERROR_MEMORY] = E_LIMIT };
	ad_status status = ad_status_of(r->graph);

	if (!r->messages)
		return; /* the recording ends; the graph has the sentence */
	if (!(status == AD_ERROR_SHAPE && n_in == 2 && say_mismatch(r, at, op, in))) {
		message(r->messages, codes[status], at, NULL, NULL, "%s",
		        in_words(r, ad_errmsg(r->graph)));
		for (size_t i = 0; i < n_in && i < 4 && status == AD_ERROR_SHAPE; i++)
			if (in[i].kind == VALUE_NODE && in[i].from)
				message_note(r->messages, in[i].from->at, "%s %s, %s",
				             n_in == 1 ? "the input"
				             : i == 0  ? "the first input"
				             : i == 1  ? "the second input"
				                       : "a further input",
				             in[i].from->what,
				             shape_text(r, ad_shape_of(in[i].node)));
	}
	ad_clear(r->graph);
}

/* Nodes recorded from now on come from there. */
void set_origin(struct recording *r, struct place at)
{
	if (at.line > 0)
		ad_set_origin(r->graph, store_text(r->store, "%s:%d:%d", r->model->path, at.line, at.col));
}

struct value record(struct recording *r, const char *op, struct place at, struct place span,
                    size_t n_in, const struct value in[], size_t n_settings,
                    const ad_setting settings[])
{
	ad_node **nodes = store_take(r->store, n_in * sizeof(*nodes));
	ad_setting *all = store_take(r->store, (n_settings + 1) * sizeof *all);
	bool axis = false, known = true;

	if (!step(r, at))
		return unknown;
	if (!r->graph)
		return wrong(r, E_TYPE, span, "only numbers can stand here, not the op '%s'", op);
	for (size_t i = 0; i < n_in; i++) {
		nodes[i] = in[i].kind == VALUE_NULL ? NULL : value_node(r, in[i], span);
		known = known && (nodes[i] || in[i].kind == VALUE_NULL);
	}
	if (!known)
		return unknown;
	for (size_t i = 0; i < n_settings; i++) {
		all[i] = settings[i];
		axis = axis || strcmp(settings[i].name, "axis") == 0;
	}
	/* In the language channels are what is joined; the op's own default is that of arrays. */
	if (strcmp(op, "concat") == 0 && !axis)
		all[n_settings++] = (ad_setting){ .name = "axis", .type = AD_INT, .i = 1 };
	set_origin(r, at);
	ad_node *y = ad_call(r->graph, op, n_in, nodes, n_settings, all);
	if (ad_is_error(y)) {
		say_failure(r, at, op, n_in, in);
		return unknown;
	}
	return (struct value){ .kind = VALUE_NODE, .node = y };
}

/* ---- numbers --------------------------------------------------------------------------------- */

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

static struct value binary_numbers(struct recording *r, const struct expr *e, struct value a,
                                   struct value b)
{
	bool whole = a.kind != VALUE_REAL && b.kind != VALUE_REAL;
	int64_t i;

	if (e->op >= EQUAL) {
		if (whole && e->op == EQUAL)
			return of_flag(a.i == b.i);
		if (whole && e->op == NOT_EQUAL)
			return of_flag(a.i != b.i);
		return of_flag(compare(e->op, a.r, b.r));
	}
	if (e->op == MATMUL)
		return wrong(r, E_TYPE, e->at,
		             "'@' multiplies matrices; numbers are multiplied by '*'");
	if ((e->op == DIV || e->op == FLOOR_DIV || e->op == MOD) && b.r == 0)
		return wrong(r, E_RANGE, e->at, "division by zero");
	if (whole && e->op != DIV && !(e->op == POW && b.i < 0)) {
		if (!int_binary(e->op, a.i, b.i, &i))
			return wrong(r, E_RANGE, e->at, "%lld %s %lld is out of range",
			             (long long)a.i, binary_sign(e->op), (long long)b.i);
		return of_int(i);
	}
	switch (e->op) {
	case ADD:
		return of_real(r, a.r + b.r, e->at);
	case SUB:
		return of_real(r, a.r - b.r, e->at);
	case MUL:
		return of_real(r, a.r * b.r, e->at);
	case DIV:
		return of_real(r, a.r / b.r, e->at);
	case FLOOR_DIV:
		return of_real(r, floor(a.r / b.r), e->at);
	case MOD:
		return of_real(r, a.r - b.r * floor(a.r / b.r), e->at);
	default:
		return of_real(r, pow(a.r, b.r), e->at);
	}
}

static struct value eval_binary(struct recording *r, const struct scope *in, const struct expr *e)
{
	struct value v[2] = { eval(r, in, e->args[0]), eval(r, in, e->args[1]) };

	if (v[0].kind == VALUE_UNKNOWN || v[1].kind == VALUE_UNKNOWN)
		return unknown;
	for (int i = 0; i < 2; i++)
		if (!is_number(v[i]) && v[i].kind != VALUE_NODE)
			return wrong(r, E_TYPE, e->args[i]->span,
			             "'%s' takes numbers and tensors, not %s", binary_sign(e->op),
			             kind_text(r, v[i]));
	if (is_number(v[0]) && is_number(v[1]))
		return binary_numbers(r, e, v[0], v[1]);
	if (e->op == POW && is_number(v[1])) {
		if (v[1].r == 2)
			return record(r, "square", e->at, e->span, 1, v, 0, NULL);
		ad_setting exponent = { .name = "exponent", .type = AD_NUM, .r = v[1].r };
		return record(r, "pow_scalar", e->at, e->span, 1, v, 1, &exponent);
	}
	if (e->op == FLOOR_DIV) {
		struct value q = record(r, "div", e->at, e->span, 2, v, 0, NULL);
		return record(r, "floor", e->at, e->span, 1, &q, 0, NULL);
	}
	for (size_t i = 0; i < sizeof sign_ops / sizeof *sign_ops; i++)
		if (sign_ops[i].sign == e->op)
			return record(r, sign_ops[i].op, e->at, e->span, 2, v, 0, NULL);
	return unknown;
}

/* ---- calls  / -------------------------------------------------------------------------------- */

static const char *const functions[] = { "abs", "sqrt", "exp", "log", "floor", "ceil" };

static struct value call_number(struct recording *r, const char *name, struct value x,
                                struct place at)
{
	double y = x.r;

	if (strcmp(name, "abs") == 0) {
		if (x.kind != VALUE_REAL && x.i != INT64_MIN)
			return of_int(x.i < 0 ? -x.i : x.i);
		return of_real(r, fabs(y), at);
	}
	if (strcmp(name, "floor") == 0 || strcmp(name, "ceil") == 0) {
		y = name[0] == 'f' ? floor(y) : ceil(y);
		if (fabs(y) > 9e18)
			return wrong(r, E_RANGE, at, "%s(%g) is out of range", name, x.r);
		return of_int((int64_t)y);
	}
	if (strcmp(name, "sqrt") == 0)
		return y < 0
		           ? wrong(r, E_RANGE, at, "the square root of %g is not a real number", y)
		           : of_real(r, sqrt(y), at);
	if (strcmp(name, "log") == 0)
		return y <= 0 ? wrong(r, E_RANGE, at, "the logarithm of %g is not a real number", y)
		              : of_real(r, log(y), at);
	return of_real(r, exp(y), at);
}

/* min and max: of two or more, element by element; of one, over its axes. */
static struct value call_extreme(struct recording *r, const struct expr *e, size_t n,
                                 const struct value v[], bool *reduce)
{
	bool max = e->text[1] == 'a', numbers = true;
	struct value best = v[0];

	*reduce = n == 1 && v[0].kind != VALUE_LIST;
	if (*reduce)
		return unknown;
	if (n == 1) {
		n = v[0].n;
		v = v[0].items;
		if (n == 0)
			return wrong(r, E_RANGE, e->at, "%s of an empty list", e->text);
		best = v[0];
	}
	for (size_t i = 0; i < n; i++) {
		if (v[i].kind == VALUE_UNKNOWN)
			return unknown;
		numbers = numbers && is_number(v[i]);
	}
	for (size_t i = 1; i < n; i++) {
		if (numbers) {
			if (max ? v[i].r > best.r : v[i].r < best.r)
				best = v[i];
		} else {
			struct value pair[2] = { best, v[i] };
			best = record(r, max ? "maximum" : "minimum", e->at, e->span, 2, pair, 0,
			              NULL);
		}
	}
	return best;
}

static struct value call_range(struct recording *r, const struct expr *e, size_t n,
                               const struct value v[])
{
	struct value list = { .kind = VALUE_LIST };
	int64_t from = 0, to;

	for (size_t i = 0; i < n; i++)
		if (v[i].kind != VALUE_INT)
			return v[i].kind == VALUE_UNKNOWN ? unknown
			                                  : wrong(r, E_TYPE, e->args[i]->span,
			                                          "range takes whole numbers");
	if (n < 1 || n > 2)
		return wrong(r, E_MISSING, e->at, "range takes one or two whole numbers, not %zu",
		             n);
	to = v[n - 1].i;
	from = n == 2 ? v[0].i : 0;
	if (to > from && (uint64_t)to - (uint64_t)from > MOST_NODES)
		return wrong(r, E_LIMIT, e->at, "a range of more than %d numbers", MOST_NODES);
	list.n = to > from ? (size_t)(to - from) : 0;
	list.items = store_take(r->store, list.n * sizeof *list.items);
	for (size_t i = 0; i < list.n; i++)
		list.items[i] = of_int(from + (int64_t)i);
	return list;
}

static struct value call_if(struct recording *r, const struct scope *in, const struct expr *e)
{
	struct value v[3];

	if (e->n != 3)
		return wrong(r, E_MISSING, e->at,
		             "if takes a condition and two values: if(c, a, b)");
	v[0] = eval(r, in, e->args[0]);
	if (v[0].kind == VALUE_UNKNOWN)
		return unknown;
	if (is_number(v[0]))
		return eval(r, in, e->args[v[0].r != 0 ? 1 : 2]);
	v[1] = eval(r, in, e->args[1]);
	v[2] = eval(r, in, e->args[2]);
	return record(r, "where", e->at, e->span, 3, v, 0, NULL);
}

const ad_attr *attr_find(const ad_attr *table, const char *name)
{
	for (; table && table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

const char *attr_names(struct store *s, const ad_attr *table)
{
	const char *text = "";

	for (; table && table->name; table++)
		text = store_text(s, "%s%s%s", text, *text ? ", " : "", table->name);
	return text;
}

/* Word k of "x w b?", without the mark; false if there is none. */
static bool input_name(const char *names, size_t k, char *to, size_t room)
{
	while (k > 0 && *names) {
		names += strcspn(names, " ");
		names += strspn(names, " ");
		k--;
	}
	size_t n = strcspn(names, " ?.");
	if (n == 0 || n >= room)
		return false;
	memcpy(to, names, n);
	to[n] = '\0';
	return true;
}

int op_input(const ad_op *op, const char *name)
{
	char text[64];

	if (ad_op_max_inputs(op) < 0)
		return -1;
	for (int k = 0; k < ad_op_max_inputs(op); k++)
		if (input_name(ad_op_inputs(op), (size_t)k, text, sizeof text) &&
		    strcmp(text, name) == 0)
			return k;
	return -1;
}

const char *op_input_name(struct recording *r, const ad_op *op, size_t k)
{
	char text[64];

	if (input_name(ad_op_inputs(op), k, text, sizeof text))
		return store_text(r->store, "%s", text);
	return store_text(r->store, "input %zu", k + 1);
}

/* Says that an op has no attribute of this name. */
void say_attribute(struct recording *r, struct place at, const char *name, const char *what,
                   const ad_attr *table)
{
	const char *names[64] = { "" };
	size_t n = 0;

	for (; table && table->name && n < 64; table++)
		names[n++] = table->name;
	const char *near = nearest(name, n, names);
	const char *all = attr_names(r->store, n ? table - n : NULL);
	message(r->messages, E_KEY, at,
	        near ? store_text(r->store, "did you mean '%s'?", near) : NULL,
	        near ? NULL
	        : n  ? store_text(r->store, "it takes: %s", all)
	             : "it takes none",
	        "'%s' has no argument '%s'", what, name);
}

/* Says that there is no op of this name, as an item or in an expression. */
void say_op(struct recording *r, struct place at, const char *name, bool item)
{
	size_t n = 0, room = ad_ops() + 64;
	const char **names = store_take(r->store, room * sizeof(*names));

	if (!item)
		for (size_t i = 0; layers[i]; i++)
			if (strcmp(layers[i]->name, name) == 0 && !ad_op_find(name)) {
				message(
				    r->messages, E_OP, at, NULL,
				    store_text(r->store, "write it as an item: {%s: ...}", name),
				    "'%s' owns weights and occurs only as an item", name);
				return;
			}
	for (size_t i = 0; i < ad_ops(); i++)
		names[n++] = ad_op_name(ad_op_at(i));
	for (size_t i = 0; item && layers[i] && n < room; i++)
		names[n++] = layers[i]->name;
	for (size_t i = 0; !item && i < sizeof functions / sizeof *functions && n < room; i++)
		names[n++] = functions[i];
	if (item && n + 2 <= room) {
		names[n++] = "chain";
		names[n++] = "residual";
	}
	const char *near = nearest(name, n, names);
	message(r->messages, E_OP, at,
	        near ? store_text(r->store, "did you mean '%s'?", near) : NULL,
	        "'autograd ops' lists the ops", "no op or block named '%s'", name);
}

/* The inputs and settings of a call, as they are collected. */
struct arguments {
	size_t n_in, n_settings;
	struct value *in;
	ad_setting *settings;
	bool known;
};

static void add_input(struct recording *r, struct arguments *a, struct value v)
{
	if (v.kind == VALUE_LIST) { /* concat([a, b]) */
		for (size_t i = 0; i < v.n; i++)
			add_input(r, a, v.items[i]);
		return;
	}
	a->known = a->known && v.kind != VALUE_UNKNOWN;
	a->in = store_more(r->store, a->in, a->n_in, sizeof *a->in);
	a->in[a->n_in++] = v;
}

static void add_setting(struct recording *r, const struct scope *in, struct arguments *a,
                        const ad_attr *attr, const struct expr *arg)
{
	struct value v;
	ad_setting s;

	if (attr->type == AD_WORD && arg->kind == EXPR_NAME) {
		struct name *param = scope_find(in, arg->text);

		v = (struct value){ .kind = VALUE_WORD, .s = arg->text };
		if (param && param->value.kind == VALUE_WORD && !word_in(attr->choice, arg->text))
			v = eval(r, in, arg);
	} else {
		v = eval(r, in, arg);
	}
	if (!setting_of(r, in, attr, v, arg->span, NULL, &s)) {
		a->known = false;
		return;
	}
	a->settings = store_more(r->store, a->settings, a->n_settings, sizeof *a->settings);
	a->settings[a->n_settings++] = s;
}

static struct value call_op(struct recording *r, const struct scope *in, const struct expr *e,
                            const char *name)
{
	const ad_op *op = ad_op_find(name);
	struct arguments a = { .known = true };

	if (!op) {
		say_op(r, e->at, e->text, false);
		if (!r->messages)
			ad_fail(r->graph, AD_ERROR_ARGUMENT, "no op named '%s'", e->text);
		return unknown;
	}
	const ad_attr *table = ad_op_attrs(op);
	int most = ad_op_max_inputs(op);
	for (size_t i = 0, positional = 0; i < e->n; i++) {
		const char *key = e->names[i];
		const ad_attr *attr = key ? attr_find(table, key) : NULL;
		int input = key && !attr ? op_input(op, key) : -1;

		if (key && !attr && input < 0) {
			say_attribute(r, e->name_at[i], key, name, table);
			a.known = false;
		} else if (key && !attr) {
			while (a.n_in < (size_t)input)
				add_input(r, &a, (struct value){ .kind = VALUE_NULL });
			if (a.n_in == (size_t)input) {
				add_input(r, &a, eval(r, in, e->args[i]));
			} else if (a.in[input].kind == VALUE_NULL) {
				a.in[input] = eval(r, in, e->args[i]);
				a.known = a.known && a.in[input].kind != VALUE_UNKNOWN;
			} else {
				wrong(r, E_TWICE, e->name_at[i], "'%s' is given twice", key);
				a.known = false;
			}
		} else if (key) {
			add_setting(r, in, &a, attr, e->args[i]);
		} else if (most < 0 || positional < (size_t)most) {
			add_input(r, &a, eval(r, in, e->args[i]));
			positional++;
		} else {
			size_t k = positional++ - (size_t)most, n = 0;

			while (table && table[n].name)
				n++;
			if (k < n) {
				add_setting(r, in, &a, &table[k], e->args[i]);
			} else {
				wrong(r, E_TYPE, e->args[i]->span,
				      "'%s' takes no more arguments than these", name);
				a.known = false;
			}
		}
	}
	for (size_t k = 0; k < (size_t)ad_op_min_inputs(op); k++) {
		if (k < a.n_in && a.in[k].kind != VALUE_NULL)
			continue;
		if (a.known)
			wrong(r, E_MISSING, e->at, "'%s' needs '%s'", name,
			      op_input_name(r, op, k));
		return unknown;
	}
	for (const ad_attr *attr = table; a.known && attr && attr->name; attr++) {
		bool given = attr->def != NULL;

		for (size_t i = 0; i < a.n_settings; i++)
			given = given || strcmp(a.settings[i].name, attr->name) == 0;
		if (!given) {
			wrong(r, E_MISSING, e->at, "'%s' needs '%s' (%s)", name, attr->name,
			      attr->doc);
			a.known = false;
		}
	}
	return a.known ? record(r, name, e->at, e->span, a.n_in, a.in, a.n_settings, a.settings)
	               : unknown;
}

static struct value eval_call(struct recording *r, const struct scope *in, const struct expr *e)
{
	const char *name = e->text;
	size_t named = 0;
	bool numeric = false, extreme = strcmp(name, "min") == 0 || strcmp(name, "max") == 0;

	for (size_t i = 0; i < e->n; i++)
		named += e->names[i] != NULL;
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
		numeric = numeric || strcmp(functions[i], name) == 0;
	if (strcmp(name, "if") == 0)
		return call_if(r, in, e);
	if (named == 0 && e->n > 0 &&
	    (extreme || strcmp(name, "len") == 0 || strcmp(name, "range") == 0 ||
	     (numeric && e->n == 1))) {
		struct value *v = store_take(r->store, e->n * sizeof *v);
		bool known = true, reduce = false;

		for (size_t i = 0; i < e->n; i++) {
			v[i] = eval(r, in, e->args[i]);
			known = known && v[i].kind != VALUE_UNKNOWN;
		}
		if (!known)
			return unknown;
		if (strcmp(name, "range") == 0)
			return call_range(r, e, e->n, v);
		if (strcmp(name, "len") == 0) {
			if (e->n == 1 && v[0].kind == VALUE_LIST)
				return of_int((int64_t)v[0].n);
			if (e->n == 1 && v[0].kind == VALUE_NODE && ad_shape_of(v[0].node).rank > 0)
				return of_int(ad_shape_of(v[0].node).dims[0]);
			return wrong(r, E_TYPE, e->at, "len takes one list or tensor");
		}
		if (extreme) {
			struct value best = call_extreme(r, e, e->n, v, &reduce);

			if (!reduce)
				return best;
			if (is_number(v[0]))
				return v[0];
			return record(r, name[1] == 'a' ? "amax" : "amin", e->at, e->span, 1, v, 0,
			              NULL);
		}
		if (is_number(v[0]))
			return call_number(r, name, v[0], e->span);
		return record(r, name, e->at, e->span, 1, v, 0, NULL);
	}
	return call_op(r, in, e, !extreme ? name : name[1] == 'a' ? "amax" : "amin");
}

/* ---- indexing  / ----------------------------------------------------------------------------- */

/* A bound of a range: counted from the end if negative, cut to 0..size. */
static bool bound(struct recording *r, const struct scope *in, const struct expr *e, int64_t size,
                  int64_t otherwise, int64_t *to)
{
	*to = otherwise;
	if (!e)
		return true;
	struct value v = eval(r, in, e);
	if (v.kind == VALUE_NULL)
		return true;
	if (!whole_of(r, v, e->span, "an index", NULL, INT64_MIN, INT64_MAX, to))
		return false;
	if (*to < 0)
		*to = *to < -size ? 0 : *to + size;
	if (*to > size)
		*to = size;
	return true;
}

static struct value eval_index(struct recording *r, const struct scope *in, const struct expr *e)
{
	struct value x = eval(r, in, e->args[0]), y = x;
	int64_t axes[AD_MAX_RANK], starts[AD_MAX_RANK], stops[AD_MAX_RANK], steps[AD_MAX_RANK];
	int64_t kept[AD_MAX_RANK];
	int n = 0, rank = 0;
	bool dropped = false;

	if (x.kind == VALUE_UNKNOWN)
		return unknown;
	if (x.kind == VALUE_LIST && e->n == 2 && e->args[1]->kind != EXPR_RANGE) {
		int64_t k;

		if (!whole_of(r, eval(r, in, e->args[1]), e->args[1]->span, "an index", NULL,
		              -(int64_t)x.n, (int64_t)x.n - 1, &k))
			return unknown;
		return x.items[k < 0 ? k + (int64_t)x.n : k];
	}
	if (x.kind != VALUE_NODE)
		return wrong(r, E_TYPE, e->args[0]->span, "%s has no elements", kind_text(r, x));
	ad_shape shape = ad_shape_of(x.node);
	if (e->n - 1 > (size_t)shape.rank)
		return wrong(r, E_SHAPE, e->at, "%zu indices for %s, which has %d ax%s", e->n - 1,
		             shape_text(r, shape), shape.rank, shape.rank == 1 ? "is" : "es");
	for (int i = 0; i < shape.rank; i++) {
		const struct expr *a = (size_t)i + 1 < e->n ? e->args[i + 1] : NULL;
		int64_t size = shape.dims[i];

		if (!a) {
			kept[rank++] = size;
			continue;
		}
		axes[n] = i;
		steps[n] = 1;
		if (a->kind == EXPR_RANGE) {
			if (!bound(r, in, a->args[0], size, 0, &starts[n]) ||
			    !bound(r, in, a->args[1], size, size, &stops[n]))
				return unknown;
			if (a->args[2] && !whole_of(r, eval(r, in, a->args[2]), a->args[2]->span,
			                            "a step", NULL, 1, INT32_MAX, &steps[n]))
				return unknown;
			if (stops[n] < starts[n])
				stops[n] = starts[n];
			int64_t length = stops[n] - starts[n];
			kept[rank++] = length / steps[n] + (length % steps[n] != 0);
			if (starts[n] == 0 && stops[n] == size && steps[n] == 1)
				continue;
		} else {
			struct value v = eval(r, in, a);

			if (v.kind == VALUE_NODE)
				return wrong(r, E_LATER, a->span,
				             "an index that is a tensor is not supported yet in "
				             "this version");
			if (!whole_of(r, v, a->span, "an index", NULL, INT64_MIN, INT64_MAX,
			              &starts[n]))
				return unknown;
			if (starts[n] < -size || starts[n] >= size)
				return wrong(r, E_RANGE, a->span,
				             "index %lld is out of range: axis %d of %s has %s",
				             (long long)starts[n], i, shape_text(r, shape),
				             dim_text(r, size));
			starts[n] += starts[n] < 0 ? size : 0;
			stops[n] = starts[n] + 1;
			dropped = true;
		}
		n++;
	}
	if (n > 0) {
		ad_setting s[] = { { .name = "axes", .type = AD_INTLIST, .ints = { n, axes } },
			           { .name = "starts", .type = AD_INTLIST, .ints = { n, starts } },
			           { .name = "stops", .type = AD_INTLIST, .ints = { n, stops } },
			           { .name = "steps", .type = AD_INTLIST, .ints = { n, steps } } };

		y = record(r, "slice", e->at, e->span, 1, &x, 4, s);
	}
	if (dropped && y.kind == VALUE_NODE) {
		ad_setting s = { .name = "shape", .type = AD_INTLIST, .ints = { rank, kept } };

		y = record(r, "reshape", e->at, e->span, 1, &y, 1, &s);
	}
	return y;
}

/* ---- evaluation  / --------------------------------------------------------------------------- */

static struct value eval_name(struct recording *r, const struct scope *in, const struct expr *e)
{
	struct name *name = scope_find(in, e->text);

	if (name) {
		struct origin *from = name->value.kind == VALUE_NODE ? name->value.from : NULL;
		bool seen = false;

		name->used = true;
		if (from) {
			from->used = true;
			for (size_t i = 0; i < r->n_reads; i++)
				seen = seen || r->reads[i] == from;
			if (!seen) {
				r->reads =
				    store_more(r->store, r->reads, r->n_reads, sizeof(*r->reads));
				r->reads[r->n_reads++] = from;
			}
		}
		return name->value;
	}
	struct name *near = scope_nearest(in, e->text, false);
	const char *hint =
	    !near ? NULL
	    : near->at.line <= 0
		? store_text(r->store, "did you mean '%s'?", near->text)
		: store_text(r->store, "did you mean '%s' (line %d)?", near->text, near->at.line);
	message(r->messages, E_NAME, e->at, hint,
	        ad_op_find(e->text)
	            ? store_text(r->store, "'%s' is an op; call it, %s(...)", e->text, e->text)
	            : NULL,
	        "nothing is named '%s' here", e->text);
	return unknown;
}

struct value eval(struct recording *r, const struct scope *in, const struct expr *e)
{
	struct value v;

	switch (e->kind) {
	case EXPR_INT:
		return of_int(e->i);
	case EXPR_REAL:
		return of_real(r, e->r, e->at);
	case EXPR_FLAG:
		return of_flag(e->i != 0);
	case EXPR_NULL:
		return (struct value){ .kind = VALUE_NULL };
	case EXPR_WORD:
		return (struct value){ .kind = VALUE_WORD, .s = e->text };
	case EXPR_NAME:
		return eval_name(r, in, e);
	case EXPR_LIST:
		v = (struct value){ .kind = VALUE_LIST, .n = e->n };
		v.items = store_take(r->store, e->n * sizeof *v.items);
		for (size_t i = 0; i < e->n; i++) {
			v.items[i] = eval(r, in, e->args[i]);
			if (v.items[i].kind == VALUE_UNKNOWN)
				v.kind = VALUE_UNKNOWN;
		}
		return v;
	case EXPR_NEGATE:
		v = eval(r, in, e->args[0]);
		if (v.kind == VALUE_INT || v.kind == VALUE_FLAG)
			return v.i == INT64_MIN ? wrong(r, E_RANGE, e->at, "out of range")
			                        : of_int(-v.i);
		if (v.kind == VALUE_REAL)
			return of_real(r, -v.r, e->at);
		if (v.kind == VALUE_NODE)
			return record(r, "neg", e->at, e->span, 1, &v, 0, NULL);
		return v.kind == VALUE_UNKNOWN
		           ? unknown
		           : wrong(r, E_TYPE, e->span, "'-' takes numbers and tensors, not %s",
		                   kind_text(r, v));
	case EXPR_BINARY:
		return eval_binary(r, in, e);
	case EXPR_CALL:
		return eval_call(r, in, e);
	case EXPR_INDEX:
		return eval_index(r, in, e);
	default:
		return wrong(r, E_SYNTAX, e->at, "':' stands only between [ and ]");
	}
}

struct value eval_yaml(struct recording *r, const struct scope *in, const struct yaml *y)
{
	struct value list = { .kind = VALUE_LIST, .n = y->n };
	struct expr *e;

	if (y->kind == YAML_MAP)
		return wrong(r, E_TYPE, y->at, "an expression is due here, not a mapping");
	if (y->kind == YAML_SCALAR) {
		if (yaml_is_null(y))
			return (struct value){ .kind = VALUE_NULL };
		e = expr_parse(r->store, r->messages, y);
		return e ? eval(r, in, e) : unknown;
	}
	list.items = store_take(r->store, y->n * sizeof *list.items);
	for (size_t i = 0; i < y->n; i++) {
		list.items[i] = eval_yaml(r, in, y->items[i]);
		if (list.items[i].kind == VALUE_UNKNOWN)
			list.kind = VALUE_UNKNOWN;
	}
	return list;
}

/* ---- fields  / ------------------------------------------------------------------------------- */

void note_param(struct recording *r, struct place at)
{
	const struct yaml *params, *value;

	if (!r->param || r->param_at.line != at.line || r->param_at.col != at.col)
		return;
	params = yaml_get(r->model->build->root, "params");
	value = params ? yaml_get(params, r->param->text) : NULL;
	if (value)
		message_note(r->messages, value->at, "params.%s is set here", r->param->text);
}

static bool whole_number(struct recording *r, struct value v, struct place at, const char *what,
                         const char *source, int64_t least, int64_t most, int64_t *to)
{
	const char *quote = strchr(what, ' ') ? "" : "'";

	if (v.kind == VALUE_REAL) {
		if (v.r != floor(v.r)) {
			bool plain = !source || strspn(source, "0123456789.eE+-") == strlen(source);

			if (plain)
				wrong(r, E_WHOLE, at,
				      "%g is not a whole number, and %s%s%s must be", v.r, quote,
				      what, quote);
			else
				wrong(r, E_WHOLE, at,
				      "%s = %g is not a whole number, and %s%s%s must be", source,
				      v.r, quote, what, quote);
			return false;
		}
		if (fabs(v.r) < 9e15) {
			v = of_int((int64_t)v.r);
		} else {
			wrong(r, E_RANGE, at, "%s%s%s is out of range: %g", quote, what, quote,
			      v.r);
			return false;
		}
	}
	if (v.kind != VALUE_INT) {
		wrong(r, E_TYPE, at, "%s%s%s wants a whole number, not %s", quote, what, quote,
		      kind_text(r, v));
		return false;
	}
	if (v.i < least)
		wrong(r, E_RANGE, at, "%s%s%s must be %lld or more, not %lld", quote, what, quote,
		      (long long)least, (long long)v.i);
	else if (v.i > most)
		wrong(r, E_RANGE, at, "%s%s%s must be at most %lld, not %lld", quote, what, quote,
		      (long long)most, (long long)v.i);
	*to = v.i;
	return v.i >= least && v.i <= most;
}

bool whole_of(struct recording *r, struct value v, struct place at, const char *what,
              const char *source, int64_t least, int64_t most, int64_t *to)
{
	if (v.kind == VALUE_UNKNOWN)
		return false;
	if (whole_number(r, v, at, what, source, least, most, to))
		return true;
	note_param(r, at);
	return false;
}

bool number_of(struct recording *r, struct value v, struct place at, const char *what, double *to)
{
	if (v.kind == VALUE_UNKNOWN)
		return false;
	if (v.kind != VALUE_INT && v.kind != VALUE_REAL) {
		wrong(r, E_TYPE, at, "'%s' wants a number, not %s", what, kind_text(r, v));
		note_param(r, at);
		return false;
	}
	*to = v.r;
	return true;
}

/* The params and counters within reach, for the help of message E004. */
static const char *param_list(struct recording *r, const struct scope *in)
{
	const struct yaml *params = yaml_get(r->model->build->root, "params");
	const char *text = "";

	for (size_t i = 0; params && params->kind == YAML_MAP && i < params->n && i < 12; i++)
		text = store_text(r->store, "%s%s%s", text, i ? ", " : "", params->keys[i]->text);
	return text;
}

struct value field_of(struct recording *r, const struct scope *in, const struct yaml *y,
                      const char *what, const char *wants)
{
	struct expr *e;
	bool flag = strcmp(wants, "true or false") == 0;

	if (y->kind != YAML_SCALAR)
		return wrong(r, E_TYPE, y->at, "'%s' wants %s, not a %s", what, wants,
		             y->kind == YAML_LIST ? "list" : "mapping");
	if (yaml_is_null(y))
		return (struct value){ .kind = VALUE_NULL };
	e = expr_parse(r->store, r->messages, y);
	if (!e)
		return unknown;
	struct name *name = e->kind == EXPR_NAME ? scope_find(in, e->text) : NULL;
	r->param = name && name->kind == NAME_PARAM ? name : NULL;
	r->param_at = y->at;
	if (e->kind == EXPR_NAME && !name) {
		struct name *near = scope_nearest(in, e->text, true);
		const char *params = param_list(r, in);
		const char *such = flag                     ? "write true or false"
		                   : strstr(wants, "whole") ? "write a number such as 64"
		                                            : "write a number such as 1e-3";

		message(r->messages, E_TYPE, e->at,
		        near ? store_text(r->store, "did you mean '%s'?", near->text) : NULL,
		        *params ? store_text(r->store, "%s, or one of the params: %s", such, params)
		                : such,
		        "'%s' wants %s; '%s' is neither %s nor the name of a param", what, wants,
		        e->text, flag ? "of them" : "a number");
		return unknown;
	}
	if (name && name->value.kind == VALUE_NODE)
		return wrong(r, E_TYPE, e->at, "'%s' wants %s; '%s' is a tensor", what, wants,
		             e->text);
	return eval(r, in, e);
}

static const char *const wanted[] = { [AD_INT] = "a whole number",
	                              [AD_NUM] = "a number",
	                              [AD_FLAG] = "true or false",
	                              [AD_WORD] = "a word",
	                              [AD_INTLIST] = "a list of whole numbers",
	                              [AD_NUMLIST] = "a list of numbers",
	                              [AD_NOTHING] = "nothing" };

static bool word_setting(struct recording *r, const ad_attr *attr, const char *word,
                         struct place at)
{
	const char *names[32] = { "" };
	size_t n = 0;

	if (!attr->choice)
		return true;
	for (const char *s = attr->choice; *s && n < 32; s += strspn(s, " ")) {
		size_t length = strcspn(s, " ");

		names[n++] = store_copy(r->store, s, length);
		if (strcmp(names[n - 1], word) == 0)
			return true;
		s += length;
	}
	const char *near = nearest(word, n, names);
	return message(r->messages, E_TYPE, at,
	               near ? store_text(r->store, "did you mean '%s'?", near) : NULL, NULL,
	               "'%s' is one of: %s; not '%s'", attr->name, attr->choice, word);
}

static bool list_setting(struct recording *r, const ad_attr *attr, struct value v, struct place at,
                         ad_setting *to)
{
	size_t n = v.kind == VALUE_LIST ? v.n : 1;
	const struct value *items = v.kind == VALUE_LIST ? v.items : &v;
	int64_t *ints = store_take(r->store, n * sizeof *ints);
	double *reals = store_take(r->store, n * sizeof *reals);

	to->type = attr->type;
	for (size_t i = 0; i < n; i++) {
		if (items[i].kind == VALUE_NULL) {
			ints[i] = AD_NONE;
			reals[i] = (double)NAN;
		} else if (!is_number(items[i])) {
			wrong(r, E_TYPE, at, "'%s' wants %s, not %s", attr->name,
			      wanted[attr->type], kind_text(r, items[i]));
			return false;
		} else if (attr->type == AD_INTLIST) {
			if (!whole_of(r, items[i], at, attr->name, NULL, INT64_MIN, INT64_MAX,
			              &ints[i]))
				return false;
		} else {
			reals[i] = items[i].r;
		}
	}
	to->ints = (ad_ints){ (int64_t)n, ints };
	to->reals = (ad_reals){ (int64_t)n, reals };
	return true;
}

bool setting_of(struct recording *r, const struct scope *in, const ad_attr *attr, struct value v,
                struct place at, const char *source, ad_setting *to)
{
	bool optional = attr->def && strcmp(attr->def, "null") == 0;

	*to = (ad_setting){ .name = attr->name, .type = attr->type };
	if (v.kind == VALUE_UNKNOWN)
		return false;
	if (v.kind == VALUE_NULL && optional) {
		to->type = AD_NOTHING;
		return true;
	}
	switch (attr->type) {
	case AD_INT:
		return whole_of(r, v, at, attr->name, source, INT64_MIN, INT64_MAX, &to->i);
	case AD_NUM:
		return number_of(r, v, at, attr->name, &to->r);
	case AD_FLAG:
		to->b = v.b;
		if (v.kind == VALUE_FLAG)
			return true;
		break;
	case AD_WORD:
		to->s = v.s;
		if (v.kind == VALUE_WORD)
			return word_setting(r, attr, v.s, at);
		break;
	case AD_INTLIST:
	case AD_NUMLIST:
		if (v.kind == VALUE_LIST || is_number(v))
			return list_setting(r, attr, v, at, to);
		break;
	case AD_NOTHING:
		break;
	}
	wrong(r, E_TYPE, at, "'%s' wants %s, not %s", attr->name, wanted[attr->type],
	      kind_text(r, v));
	note_param(r, at);
	return false;
}

/* The place of a word in a list that has it, from 0. */
static int word_place(const char *list, const char *word)
{
	const size_t n = strlen(word);
	int k = 0;

	for (;; k++) {
		size_t length = strcspn(list, " ");

		if (length == n && memcmp(list, word, n) == 0)
			return k;
		list += length + strspn(list + length, " ");
	}
}

bool setting_of_yaml(struct recording *r, const struct scope *in, const ad_attr *attr,
                     const struct yaml *y, ad_setting *to)
{
	struct value v;

	if (attr->type == AD_WORD && y->kind == YAML_SCALAR && !yaml_is_null(y)) {
		struct name *param = scope_find(in, y->text);

		v = (struct value){ .kind = VALUE_WORD, .s = y->text };
		if (!y->quoted && param && param->value.kind == VALUE_WORD &&
		    !word_in(attr->choice, y->text)) {
			param->used = true;
			v = param->value;
		}
	} else if (attr->type == AD_INTLIST && y->kind == YAML_SCALAR && word_in(attr->choice, y->text)) {
		*to = (ad_setting){ .name = attr->name, .type = AD_INTLIST };
		to->ints.n = LIST_WORD - word_place(attr->choice, y->text);
		return true;
	} else if (attr->type == AD_INTLIST || attr->type == AD_NUMLIST) {
		v = eval_yaml(r, in, y);
	} else {
		v = field_of(r, in, y, attr->name, wanted[attr->type]);
	}
	return setting_of(r, in, attr, v, y->at, y->kind == YAML_SCALAR ? y->text : NULL, to);
}
