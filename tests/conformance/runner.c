/*
 * runner: one case, section by section, each in a graph of its own.
 */
#include "runner.h"
#include "model.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* A case recorded in a graph. */
struct recording {
	const struct problem *p;
	struct outcome *o;
	ad_graph *g;
	bool f64;
	ad_node *in[MAX_ITEMS];
	int n_x;
	ad_node *x[MAX_ITEMS]; /* the inputs that want a gradient */
	const char *names[MAX_ITEMS];
	ad_node *out[MAX_ITEMS];
};

const char *corpus_folder(void)
{
	const char *folder = getenv("AUTOGRAD_CORPUS");

	return folder && folder[0] ? folder : "../shared/conformance";
}

/* ---- what is said -------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static void wrong(struct outcome *o, const struct problem *p,
                                                        bool f64, const char *format, ...)
{
	size_t room = sizeof o->text - o->length;
	char text[768];
	va_list args;
	int n;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	o->passed = false;
	n = snprintf(o->text + o->length, room, "%s/%s %s %s\n", p->op, p->name,
	             f64 ? "f64" : "f32", text);
	/* a line that does not fit is left out whole */
	if (n > 0 && (size_t)n < room)
		o->length += (size_t)n;
	else
		o->text[o->length] = '\0';
}

static void failed(struct recording *r, const char *what)
{
	wrong(r->o, r->p, r->f64, "%s: %s", what, ad_errmsg(r->g));
	r->o->worst = (double)INFINITY;
}

/* ---- comparing ----------------------------------------------------------------------------- */

/* How far f32 may be off beyond rounding: ten times what the reference's own f32 run was off. */
static double f32_slack(const struct problem *p, const char *stem, bool *differs)
{
	const cJSON *e = cJSON_GetObjectItemCaseSensitive(p->f32_error, stem);

	*differs = cJSON_IsString(e);
	if (!cJSON_IsNumber(e) || !(e->valuedouble > 0))
		return 0;
	return 10 * (e->valuedouble < 1e-4 ? e->valuedouble : 1e-4);
}

/* The element of have that is furthest from want, and the distance: 0 for equal infinities and for
 * NaN beside NaN, infinite where just one is such. */
static size_t furthest(const double *have, const double *want, size_t n, double *distance)
{
	size_t at = 0;

	*distance = 0;
	for (size_t k = 0; k < n; k++) {
		double d = fabs(have[k] - want[k]);

		if (!isfinite(have[k]) || !isfinite(want[k]))
			d = isnan(want[k])       ? isnan(have[k]) ? 0 : (double)INFINITY
			    : have[k] == want[k] ? 0
			                         : (double)INFINITY;
		if (d > *distance) {
			*distance = d;
			at = k;
		}
	}
	return at;
}

/* Arrays of the corpus that are themselves off by more than f64 should be. */
static double own_error(const struct problem *p, const char *stem)
{
	/* its gradient multiplies by 1.0f / 6, in f64 too */
	if (strcmp(p->op, "hardsigmoid") == 0 && strncmp(stem, "out.", 4) != 0)
		return 3e-8;
	/* the least denominator of its gradient is 1e-12f, in f64 too */
	if (strcmp(p->op, "bce") == 0 && strncmp(stem, "out.", 4) != 0)
		return 5e-9;
	return 0;
}

static void compare_values(struct outcome *o, const struct problem *p, bool f64, const char *stem,
                           const double *have, const double *want, size_t n, bool exactly,
                           double slack)
{
	double scale = 1, distance, bound;
	size_t at = furthest(have, want, n, &distance);

	for (size_t k = 0; k < n; k++)
		if (isfinite(want[k]) && fabs(want[k]) > scale)
			scale = fabs(want[k]);
	bound = exactly ? 0 : ((f64 ? 1e-10 : 2e-5 + slack) + own_error(p, stem)) * scale;
	if (distance / scale > o->worst)
		o->worst = distance / scale;
	if (!(distance <= bound))
		wrong(o, p, f64,
		      "%s: worst difference %.3g, bound %.3g (element %zu is %.9g, not %.9g)", stem,
		      distance, bound, at, have[at], want[at]);
}

/* The node against the file of that stem. */
static void compare(struct recording *r, const char *stem, ad_node *x)
{
	struct array want;
	struct sentence why;
	ad_shape shape = ad_shape_of(x);
	char file[160], have_text[192], want_text[192];
	double slack, *have;
	bool differs, exactly = ad_type_of(x) != AD_REAL;

	slack = r->f64 ? 0 : f32_slack(r->p, stem, &differs);
	snprintf(file, sizeof file, "%s.%s", stem,
	         exactly              ? (ad_type_of(x) == AD_I32 ? "i64" : "bool")
	         : !r->f64 && differs ? "f32"
	                              : "f64");
	if (!problem_array(r->p, file, &want, &why)) {
		wrong(r->o, r->p, r->f64, "%s", why.text);
		return;
	}
	have = malloc((want.count ? want.count : 1) * sizeof *have);
	if (shape.rank != want.shape.rank ||
	    memcmp(shape.dims, want.shape.dims, (size_t)shape.rank * sizeof *shape.dims) != 0) {
		wrong(r->o, r->p, r->f64, "%s: its shape is %s, not %s", stem,
		      ad_print_shape(have_text, sizeof have_text, shape),
		      ad_print_shape(want_text, sizeof want_text, want.shape));
		r->o->worst = (double)INFINITY;
	} else if (!have || ad_get(x, have, want.count) != AD_OK) {
		failed(r, stem);
	} else {
		compare_values(r->o, r->p, r->f64, stem, have, want.v, want.count, exactly, slack);
	}
	free(have);
	array_free(&want);
}

/* ---- recording ----------------------------------------------------------------------------- */

/* The file of a real input: the f32 run gets the f32 file where there is one, which may hold other
 * numbers. */
static void real_file(const struct problem *p, bool f64, const char *stem, char *file, size_t n)
{
	snprintf(file, n, "%s.f32", stem);
	if (f64 || !problem_has(p, file))
		snprintf(file, n, "%s.f64", stem);
}

/* A leaf with the array of a file. */
static ad_node *leaf(struct recording *r, const char *stem, const char *name, ad_type type)
{
	static const char *const suffix[] = { [AD_I32] = "i64", [AD_BOOL] = "bool" };
	char file[160];
	struct array a;
	struct sentence why;
	ad_node *x = NULL;

	if (type == AD_REAL)
		real_file(r->p, r->f64, stem, file, sizeof file);
	else
		snprintf(file, sizeof file, "%s.%s", stem, suffix[type]);
	if (!problem_array(r->p, file, &a, &why)) {
		wrong(r->o, r->p, r->f64, "%s", why.text);
		return NULL;
	}
	x = ad_input(r->g, name, type, a.shape);
	if (ad_set(x, a.v, a.count) != AD_OK) {
		failed(r, stem);
		x = NULL;
	}
	array_free(&a);
	return x;
}

static bool make_inputs(struct recording *r)
{
	for (int i = 0; i < r->p->n_in; i++) {
		const struct item *item = &r->p->in[i];
		char stem[128];

		snprintf(stem, sizeof stem, "in.%s", item->name);
		r->in[i] = leaf(r, stem, item->name, item->type);
		if (!r->in[i])
			return false;
		if (item->flag) {
			ad_want_gradient(r->in[i], true);
			r->names[r->n_x] = item->name;
			r->x[r->n_x++] = r->in[i];
		}
	}
	return true;
}

/* The place of a name among an op's inputs, "x target weight"; -1: it has none of this name. */
static int place_of(const char *inputs, const char *name)
{
	size_t n = strlen(name);

	for (int place = 0; *inputs; place++) {
		size_t length = strcspn(inputs, " ");
		size_t bare = length && inputs[length - 1] == '?' ? length - 1 : length;

		if (bare == n && strncmp(inputs, name, n) == 0)
			return place;
		inputs += length;
		inputs += strspn(inputs, " ");
	}
	return -1;
}

/* The inputs in the op's places: by name where it knows every name, so that an optional input in
 * the middle may be left out; else in their order. Returns how many. */
static size_t place_inputs(const struct recording *r, const ad_op *op, ad_node *to[MAX_ITEMS])
{
	const char *inputs = ad_op_inputs(op);
	size_t n = 0;

	memset(to, 0, MAX_ITEMS * sizeof *to);
	for (int i = 0; i < r->p->n_in; i++) {
		int place = place_of(inputs, r->p->in[i].name);

		if (place < 0 || place >= MAX_ITEMS || to[place]) {
			memcpy(to, r->in, sizeof r->in);
			return (size_t)r->p->n_in;
		}
		to[place] = r->in[i];
		n = n > (size_t)place + 1 ? n : (size_t)place + 1;
	}
	return n;
}

/* What the corpus calls otherwise than the registry, or leaves to a default that is not ours. */
static void translate(const struct recording *r, struct settings *settings)
{
	const char *op = r->p->op;

	/* our classes lie along the last axis unless told; the corpus has them along axis 1 */
	if (strcmp(op, "cross_entropy") == 0 || strcmp(op, "cross_entropy_prob") == 0 ||
	    strcmp(op, "nll_loss") == 0) {
		bool batch = ad_shape_of(r->in[0]).rank > 1;

		settings->of[settings->n++] =
		    (ad_setting){ .name = "axis", .type = AD_INT, .i = batch ? 1 : 0 };
	}
}

static ad_node *call(struct recording *r)
{
	const ad_op *op = ad_op_find(r->p->op);
	int n_in = 0;
	net *made_of_ops = net_of(r->p->op, &n_in);
	ad_node *in[MAX_ITEMS], *y = NULL;
	struct settings settings;
	struct sentence why;

	if (!op && !made_of_ops) {
		wrong(r->o, r->p, r->f64, "missing op");
		r->o->missing = true;
		return NULL;
	}
	if (!problem_settings(r->p, op ? ad_op_attrs(op) : NULL, &settings, &why)) {
		wrong(r->o, r->p, r->f64, "%s", why.text);
	} else if (op) {
		size_t n = place_inputs(r, op, in);

		translate(r, &settings);
		y = ad_call(r->g, r->p->op, n, in, settings.n, settings.of);
	} else if (r->p->n_in != n_in) {
		wrong(r->o, r->p, r->f64, "it has %d inputs, not %d", r->p->n_in, n_in);
	} else {
		y = made_of_ops(r->g, r->in, &settings);
	}
	settings_free(&settings);
	if (y && ad_is_error(y)) {
		r->o->missing = strstr(ad_errmsg(r->g), ": there is no op of this name") != NULL;
		failed(r, "call");
		y = NULL;
	}
	return y;
}

/* Records the case in a graph of its own; close_recording in any case. */
static bool open_recording(struct recording *r, const struct problem *p, bool f64,
                           struct outcome *o)
{
	ad_node *y;

	memset(r, 0, sizeof *r);
	r->p = p;
	r->o = o;
	r->f64 = f64;
	r->g = f64 ? ad_open_f64() : ad_open();
	if (!make_inputs(r) || !(y = call(r)))
		return false;
	if (ad_outputs(y) < p->n_out) {
		wrong(o, p, f64, "the op has %d outputs, not %d", ad_outputs(y), p->n_out);
		return false;
	}
	for (int k = 0; k < p->n_out; k++)
		r->out[k] = ad_output(y, k);
	return true;
}

static void close_recording(struct recording *r)
{
	ad_close(r->g);
}

/* The sum over the outputs of <gout, out>; NULL after a failure that has been told. */
static ad_node *weighted_sum(struct recording *r)
{
	ad_node *sum = NULL;

	for (int k = 0; k < r->p->n_out; k++) {
		char stem[128];
		ad_node *up, *part;

		if (!r->p->out[k].flag)
			continue;
		snprintf(stem, sizeof stem, "gout.%s", r->p->out[k].name);
		up = leaf(r, stem, stem, AD_REAL);
		if (!up)
			return NULL;
		part = ad_sum(ad_mul(r->out[k], up), AD_ALL, false);
		sum = sum ? ad_add(sum, part) : part;
	}
	if (!sum) {
		wrong(r->o, r->p, r->f64, "case.json: no output has an upstream gradient");
	} else if (ad_is_error(sum)) {
		failed(r, "gout");
		sum = NULL;
	}
	return sum;
}

/* The gradients of the inputs, recorded: directly from gout where there is one output, else of the
 * weighted sum. */
static bool gradients(struct recording *r, ad_node *dx[])
{
	bool ok;

	if (r->p->n_out == 1 && r->p->out[0].flag) {
		char stem[128];
		ad_node *up;

		snprintf(stem, sizeof stem, "gout.%s", r->p->out[0].name);
		up = leaf(r, stem, stem, AD_REAL);
		if (!up)
			return false;
		ok = ad_grads(r->out[0], up, (size_t)r->n_x, r->x, dx);
	} else {
		ad_node *sum = weighted_sum(r);

		if (!sum)
			return false;
		ok = ad_grads(sum, ad_full_like(sum, 1), (size_t)r->n_x, r->x, dx);
	}
	if (!ok)
		failed(r, "gradient");
	return ok;
}

/* Evaluates nodes for the inputs and compares each with KIND.INPUT, where the case has that file.
 */
static void compare_inputs(struct recording *r, const char *kind, ad_node *dx[])
{
	if (ad_evaluate(r->g, dx, (size_t)r->n_x) != AD_OK) {
		failed(r, kind);
		return;
	}
	for (int i = 0; i < r->n_x; i++) {
		char stem[128], file[160];

		snprintf(stem, sizeof stem, "%s.%s", kind, r->names[i]);
		snprintf(file, sizeof file, "%s.f64", stem);
		if (problem_has(r->p, file))
			compare(r, stem, dx[i]);
	}
}

/* The directions of the inputs. */
static bool tangents(struct recording *r, ad_node *tangent[])
{
	for (int i = 0; i < r->n_x; i++) {
		char stem[128];

		snprintf(stem, sizeof stem, "tan.%s", r->names[i]);
		tangent[i] = leaf(r, stem, stem, AD_REAL);
		if (!tangent[i])
			return false;
	}
	return true;
}

/* ---- sections ------------------------------------------------------------------------------ */

static void check_outputs(struct recording *r)
{
	if (ad_evaluate(r->g, r->out, (size_t)r->p->n_out) != AD_OK) {
		failed(r, "out");
		return;
	}
	for (int k = 0; k < r->p->n_out; k++) {
		char stem[128];

		snprintf(stem, sizeof stem, "out.%s", r->p->out[k].name);
		compare(r, stem, r->out[k]);
	}
}

static void check_vjp(struct recording *r)
{
	ad_node *dx[MAX_ITEMS];

	if (gradients(r, dx))
		compare_inputs(r, "grad", dx);
}

/* S, the sum of the squares of all gradients, and its gradients. */
static void check_gradnorm(struct recording *r)
{
	ad_node *dx[MAX_ITEMS], *sum = NULL;
	double have;

	if (!gradients(r, dx))
		return;
	for (int i = 0; i < r->n_x; i++) {
		ad_node *part = ad_sum(ad_square(dx[i]), AD_ALL, false);

		sum = sum ? ad_add(sum, part) : part;
	}
	if (!sum)
		return;
	if (!ad_grads(sum, ad_full_like(sum, 1), (size_t)r->n_x, r->x, dx) ||
	    ad_forward(sum) != AD_OK) {
		failed(r, "gradnorm");
		return;
	}
	have = ad_item(sum);
	compare_values(r->o, r->p, r->f64, "gradnorm", &have, &r->p->squares, 1, false, 0);
	compare_inputs(r, "dgrad", dx);
}

static void check_hvp(struct recording *r)
{
	ad_node *tangent[MAX_ITEMS], *hv[MAX_ITEMS], *sum = weighted_sum(r);

	if (!sum || !tangents(r, tangent))
		return;
	if (!ad_hvp(sum, (size_t)r->n_x, r->x, tangent, hv))
		failed(r, "hvp");
	else
		compare_inputs(r, "hvp", hv);
}

static void check_jvp(struct recording *r)
{
	ad_node *tangent[MAX_ITEMS];

	if (!tangents(r, tangent))
		return;
	for (int k = 0; k < r->p->n_out; k++) {
		char stem[128], file[160];
		ad_node *jt;

		snprintf(stem, sizeof stem, "jvp.%s", r->p->out[k].name);
		snprintf(file, sizeof file, "%s.f64", stem);
		if (!problem_has(r->p, file))
			continue;
		jt = ad_jvp(r->out[k], (size_t)r->n_x, r->x, tangent);
		if (ad_is_error(jt) || ad_forward(jt) != AD_OK) {
			failed(r, stem);
			return;
		}
		compare(r, stem, jt);
	}
}

/* ---- optimizers ---------------------------------------------------------------------------- */

static const struct optimizer *optimizer_of(const char *op)
{
	if (strncmp(op, "optim_", 6) == 0)
		for (int k = 0; optimizers[k]; k++)
			if (strcmp(optimizers[k]->name, op + 6) == 0)
				return optimizers[k];
	return NULL;
}

/* The params after each step, from those at first and a row of gradients a step. The gradient of the sum of
 * p g by p is g. False: a sentence in why. */
static bool updates(const struct optimizer *by, const void *attrs, bool f64, const struct array *p0,
                    const struct array *grads, double *params, struct sentence *why)
{
	ad_graph *g = f64 ? ad_open_f64() : ad_open();
	ad_node *p = ad_param(g, "p", AD_SHAPE((int64_t)p0->count));
	ad_node *given = ad_input(g, "g", AD_REAL, AD_SHAPE((int64_t)p0->count));
	ad_node *y = ad_sum(ad_mul(p, given), AD_ALL, false);
	size_t n = p0->count, steps = n ? grads->count / n : 0;
	ad_optimizer *o = optimizer_open(g, by, attrs, 1, &p, NULL, why->text, sizeof why->text);

	if (o && ad_set(p, p0->v, n) == AD_OK)
		for (size_t t = 0; t < steps && ad_status_of(g) == AD_OK; t++) {
			ad_set(given, grads->v + t * n, n);
			if (ad_backward(y) == AD_OK && ad_optimizer_step(o) == AD_OK)
				ad_get(p, params + t * n, n);
		}
	if (o && ad_status_of(g) != AD_OK)
		snprintf(why->text, sizeof why->text, "%s", ad_errmsg(g));
	ad_optimizer_close(o);
	ad_close(g);
	return why->text[0] == '\0';
}

static void check_optimizer(const struct problem *p, bool f64, struct outcome *o)
{
	const struct optimizer *by = optimizer_of(p->op);
	struct array p0 = { .v = NULL }, grads = { .v = NULL }, want = { .v = NULL };
	struct settings settings = { .n = 0 };
	struct sentence why = { "" };
	char p0_file[32], grads_file[32];
	double *params = NULL;
	void *attrs = NULL;
	bool differs;

	if (!by) {
		wrong(o, p, f64, "missing optimizer");
		o->missing = true;
		return;
	}
	real_file(p, f64, "in.p0", p0_file, sizeof p0_file);
	real_file(p, f64, "in.grads", grads_file, sizeof grads_file);
	attrs = calloc(1, by->attrs_size ? by->attrs_size : 1);
	if (!attrs || !problem_settings(p, by->attrs, &settings, &why) ||
	    !problem_array(p, p0_file, &p0, &why) || !problem_array(p, grads_file, &grads, &why) ||
	    !problem_array(p, "out.params.f64", &want, &why) ||
	    !ad_fill_attrs(by->attrs, attrs, settings.n, settings.of, why.text, sizeof why.text) ||
	    (by->check && !by->check(attrs, why.text, sizeof why.text))) {
		wrong(o, p, f64, "%s", why.text);
	} else if (want.count != grads.count) {
		wrong(o, p, f64, "out.params: it has not as many elements as the gradients");
	} else if ((params = calloc(want.count ? want.count : 1, sizeof *params))) {
		double slack = f64 ? 0 : f32_slack(p, "out.params", &differs);

		if (updates(by, attrs, f64, &p0, &grads, params, &why))
			compare_values(o, p, f64, "out.params", params, want.v, want.count, false, slack);
		else
			wrong(o, p, f64, "%s", why.text);
	}
	free(params);
	free(attrs);
	settings_free(&settings);
	array_free(&p0);
	array_free(&grads);
	array_free(&want);
}

/* ---- a case -------------------------------------------------------------------------------- */

void run_case(const char *corpus, const char *which, bool f64, struct outcome *o)
{
	static void (*const checks[])(struct recording * r) = { check_outputs, check_vjp,
		                                                check_gradnorm, check_hvp,
		                                                check_jvp };
	struct problem p;
	struct sentence why;

	memset(o, 0, sizeof *o);
	o->passed = true;
	if (!problem_read(&p, corpus, which, &why)) {
		p.op = which;
		p.name = "";
		wrong(o, &p, f64, "%s", why.text);
	} else if (p.update) {
		check_optimizer(&p, f64, o);
	} else {
		const bool asked[] = { true, p.vjp, p.gradnorm, p.hvp, p.jvp };

		for (size_t k = 0; k < sizeof checks / sizeof *checks; k++) {
			struct recording r;
			bool ok;

			if (!asked[k])
				continue;
			ok = open_recording(&r, &p, f64, o);
			if (ok && (k == 0 || r.n_x > 0))
				checks[k](&r);
			close_recording(&r);
			/* what cannot be recorded once cannot be recorded again */
			if (!ok)
				break;
		}
	}
	problem_free(&p);
}
