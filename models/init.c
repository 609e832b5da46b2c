/*
 * init: the initial values of weights: a function of the seed and the weight's path alone, so
 * adding a layer changes no other layer's values.
 *
 *   xavier  uniform +-sqrt(6 / (fan_in + fan_out)), or normal of the same variance
 *           (Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
 *           networks", AISTATS 2010, eq. 16)
 *   he      uniform +-sqrt(6 / fan_in), or normal of variance 2 / fan_in
 *           (He et al., "Delving deep into rectifiers", ICCV 2015, eq. 10)
 */
#include "language.h"
#include "op.h"

static const char *const init_names[] = { "zeros",          "ones",    "xavier",    "xavier_normal",
	                                  "xavier_uniform", "he",      "he_normal", "he_uniform",
	                                  "normal",         "uniform", "values" };

static bool number_arg(struct recording *r, const struct scope *in, const struct yaml *y,
                       const char *what, double *to)
{
	return number_of(r, field_of(r, in, y, what, "a number"), y->at, what, to);
}

/* {mean: 0, std: 1}, {lo: -1, hi: 1}: two numbers by name. */
static bool pair_args(struct recording *r, const struct scope *in, const struct yaml *y,
                      const char *kind, const char *const names[2], double *const to[2])
{
	bool good = true;

	for (size_t i = 0; i < y->n; i++) {
		int k = yaml_is(y->keys[i], names[0]) ? 0 : yaml_is(y->keys[i], names[1]) ? 1 : -1;

		if (k < 0) {
			unknown_key(r->messages, y->keys[i], kind, 2, names);
			good = false;
		} else {
			good = number_arg(r, in, y->items[i], names[k], to[k]) && good;
		}
	}
	return good;
}

/* All numbers of nested lists, row by row. The tree's depth is bounded. */
static bool list_values(struct recording *r, const struct scope *in, const struct yaml *y,
                        double **list, size_t *n)
{
	bool good = true;

	if (y->kind == YAML_LIST) {
		for (size_t i = 0; i < y->n; i++)
			good = list_values(r, in, y->items[i], list, n) && good;
		return good;
	}
	*list = store_more(r->store, *list, *n, sizeof **list);
	return number_arg(r, in, y, "values", &(*list)[(*n)++]);
}

static bool init_args(struct recording *r, const struct scope *in, const struct yaml *name,
                      const struct yaml *arg, struct init *to)
{
	static const char *const normal[] = { "mean", "std" }, *const uniform[] = { "lo", "hi" };
	double *list = NULL;

	if (to->kind == INIT_VALUES) {
		if (!list_values(r, in, arg, &list, &to->n_values))
			return false;
		to->values = list;
		return to->n_values > 0 ||
		       message(r->messages, E_RANGE, arg->at, NULL, NULL, "'values' is empty");
	}
	if (to->kind == INIT_NORMAL) {
		if (arg->kind == YAML_SCALAR) {
			if (!number_arg(r, in, arg, "std", &to->std))
				return false;
		} else if (!pair_args(r, in, arg, "normal", normal,
		                      (double *[]){ &to->mean, &to->std })) {
			return false;
		}
		return to->std >= 0 || message(r->messages, E_RANGE, arg->at, NULL, NULL,
		                               "'std' must be 0 or more");
	}
	if (to->kind == INIT_UNIFORM) {
		if (arg->kind == YAML_SCALAR) {
			if (!number_arg(r, in, arg, "hi", &to->hi))
				return false;
			to->lo = -to->hi;
		} else if (!pair_args(r, in, arg, "uniform", uniform,
		                      (double *[]){ &to->lo, &to->hi })) {
			return false;
		}
		return to->lo <= to->hi || message(r->messages, E_RANGE, arg->at, NULL, NULL,
		                                   "'lo' must not be above 'hi'");
	}
	return message(r->messages, E_TYPE, arg->at, NULL, NULL, "'%s' takes no arguments",
	               name->text);
}

bool is_init(const char *word)
{
	for (size_t k = 0; k < sizeof init_names / sizeof *init_names; k++)
		if (strcmp(init_names[k], word) == 0)
			return true;
	return false;
}

bool init_of(struct recording *r, const struct scope *in, const struct yaml *y, struct init *to)
{
	const struct yaml *name = y->kind == YAML_MAP && y->n == 1 ? y->keys[0] : y;
	const struct yaml *arg = y->kind == YAML_MAP && y->n == 1 ? y->items[0] : NULL;
	static const enum init_kind kinds[] = { INIT_ZEROS,  INIT_ONES,    INIT_XAVIER, INIT_XAVIER,
		                                INIT_XAVIER, INIT_HE,      INIT_HE,     INIT_HE,
		                                INIT_NORMAL, INIT_UNIFORM, INIT_VALUES };
	size_t k = 0, n = sizeof init_names / sizeof *init_names;

	if (name->kind != YAML_SCALAR)
		return message(r->messages, E_TYPE, y->at, NULL,
		               "write xavier, or {normal: {std: 0.01}}",
		               "'init' is a word or a mapping with one key");
	while (k < n && strcmp(init_names[k], name->text) != 0)
		k++;
	if (k == n) {
		const char *near = nearest(name->text, n, init_names), *all = "";

		for (size_t i = 0; i < n; i++)
			all = store_text(r->store, "%s%s%s", all, i ? ", " : "", init_names[i]);
		return message(r->messages, E_OP, name->at,
		               near ? store_text(r->store, "did you mean '%s'?", near) : NULL,
		               near ? NULL : store_text(r->store, "write one of: %s", all),
		               "no initialisation named '%s'", name->text);
	}
	*to = (struct init){ .kind = kinds[k], .std = 1, .lo = -1, .hi = 1 };
	to->normal =
	    strcmp(name->text, "xavier_normal") == 0 || strcmp(name->text, "he_normal") == 0;
	if (arg && !yaml_is_null(arg))
		return init_args(r, in, name, arg, to);
	return to->kind != INIT_VALUES ||
	       message(r->messages, E_MISSING, name->at, NULL, "write {values: [1, 2, 3]}",
	               "'values' needs numbers");
}

/* ---- drawing --------------------------------------------------------------------------------- */

/* The stream of a weight: its path as a number. */
static uint64_t stream_of(const char *path)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (; *path; path++)
		h = (h ^ (unsigned char)*path) * 1099511628211u;
	return h;
}

/* Element k of a standard normal: Box and Muller, "A note on the generation of random normal
 * deviates", 1958. */
static double normal_at(ad_random key, uint64_t k)
{
	uint32_t u[4];

	ad_philox(key, k, u);
	double a = ((double)((uint64_t)u[0] << 21 ^ u[1] >> 11) + 1) / 9007199254740993.0;
	double b = (double)((uint64_t)u[2] << 21 ^ u[3] >> 11) / 9007199254740992.0;
	return sqrt(-2 * log(a)) * cos(6.283185307179586 * b);
}

static double value_at(const struct weight *w, const struct init *as, ad_random key, uint64_t k)
{
	switch (as->kind) {
	case INIT_ONES:
		return 1;
	case INIT_NORMAL:
		return as->mean + as->std * normal_at(key, k);
	case INIT_UNIFORM:
		return as->lo + (as->hi - as->lo) * ad_uniform_at(key, k);
	case INIT_VALUES:
		return as->values[as->n_values == 1 ? 0 : k];
	default:
		return 0;
	}
}

/* xavier and he as the normal or uniform distribution that they are for this weight. */
static struct init settled(const struct weight *w)
{
	struct init as = w->init;
	double fan = as.kind == INIT_HE ? (double)w->fan_in : (double)(w->fan_in + w->fan_out) / 2;

	if (as.kind != INIT_XAVIER && as.kind != INIT_HE)
		return as;
	double variance = (as.kind == INIT_HE ? 2.0 : 1.0) / (fan < 1 ? 1 : fan);
	as.kind = as.normal ? INIT_NORMAL : INIT_UNIFORM;
	as.mean = 0;
	as.std = sqrt(variance);
	as.hi = sqrt(3 * variance);
	as.lo = -as.hi;
	return as;
}

bool init_weights(const ad_model *m, uint64_t seed)
{
	for (int i = 0; i < m->n_weights; i++) {
		const struct weight *w = &m->weights[i];
		const struct init as = settled(w);
		const ad_random key = { .seed = seed,
			                .step = stream_of(w->path),
			                .ordinal = UINT32_MAX };
		const size_t n = ad_count(w->node);
		void *data = ad_write(w->node);

		if (!data)
			return false;
		for (size_t k = 0; k < n; k++) {
			double x = value_at(w, &as, key, k);

			if (w->type == AD_I32)
				((int32_t *)data)[k] = (int32_t)x;
			else if (w->type == AD_BOOL)
				((unsigned char *)data)[k] = x != 0;
			else if (m->f64)
				((double *)data)[k] = x;
			else
				((float *)data)[k] = (float)x;
		}
	}
	return true;
}
