/*
 * op_text: ops as documentation: derivatives and samples as text, and the reference of all ops.
 */
#include "op_text.h"
#include "op.h"

enum {
	MOST_NUMBERS = 24, /* of an array that is written out; of a longer one come the first few */
	FIRST_FEW = 6
};

const char *op_text_type(ad_attr_type type)
{
	switch (type) {
	case AD_INT:
		return "whole number";
	case AD_NUM:
		return "number";
	case AD_FLAG:
		return "true or false";
	case AD_WORD:
		return "word";
	case AD_INTLIST:
		return "whole numbers";
	case AD_NUMLIST:
		return "numbers";
	case AD_NOTHING:
		break;
	}
	return "null";
}

bool op_text_optional(const ad_op *op, int i)
{
	return i >= ad_op_min_inputs(op) && ad_op_max_inputs(op) >= 0;
}

/* ---- samples recorded ------------------------------------------------------------------------ */

/* A sample, recorded for the shapes and element types of its outputs. */
struct recorded {
	ad_graph *g;
	ad_node *in[AD_MAX_SAMPLE_INPUTS], *y; /* y NULL: the call fails, as some are to do */
	int n_in, n_out;
};

static bool is_used(const ad_sample *s)
{
	return s->in[0].given || s->attrs || s->error || s->want[0].n;
}

static void record_sample(struct recorded *r, const ad_op *op, const ad_sample *s)
{
	*r = (struct recorded){ .g = ad_open_f64() };
	for (int i = 0; i < AD_MAX_SAMPLE_INPUTS; i++) {
		const ad_sample_input *in = &s->in[i];
		ad_shape shape = { .rank = in->rank };

		if (!in->given)
			continue;
		memcpy(shape.dims, in->dims, sizeof shape.dims);
		r->in[i] = ad_input(r->g, "x", in->type, shape);
		if (!ad_is_error(r->in[i]) && s->give[i].n && s->give[i].n == ad_count(r->in[i]))
			ad_set(r->in[i], s->give[i].v, s->give[i].n);
		r->n_in = i + 1;
	}
	/* an op without inputs is called through the table by its name, too */
	r->y = ad_call_text(r->g, ad_op_name(op), (size_t)r->n_in, r->in, s->attrs);
	if (ad_is_error(r->y))
		r->y = NULL;
	r->n_out = r->y ? ad_outputs(r->y) : 0;
}

static bool gives_reals(const ad_op *op)
{
	for (int k = 0; k < AD_MAX_SAMPLES; k++) {
		struct recorded r;
		bool some = false, known;

		if (!is_used(&op->samples[k]) || op->samples[k].error)
			continue;
		record_sample(&r, op, &op->samples[k]);
		known = r.y != NULL;
		for (int i = 0; i < r.n_out; i++)
			some |= ad_type_of(ad_output(r.y, i)) == AD_REAL;
		ad_close(r.g);
		if (known && some)
			return true;
	}
	return false;
}

const char *op_text_derivatives(const ad_op *op)
{
	if (ad_op_max_inputs(op) == 0)
		return "none: there is no input";
	if (op->gives_mask || !gives_reals(op))
		return "none: the result is a mask or indices, and a path of gradients ends here";
	if (op->flat)
		return "zero everywhere: a path of gradients ends here";
	if (op->compose)
		return "as of the ops it is composed of";
	if (op->grad && (op->dmap || op->backward))
		return "any order, and forward mode; the first order has a kernel of its own";
	if (op->grad)
		return "any order, and forward mode";
	if (op->dmap || op->backward)
		return "first order only; a higher one is an error that names the op";
	return "none; asking for one is an error that names the op";
}

/* ---- arrays and calls ------------------------------------------------------------------------ */

static void print_number(FILE *to, ad_type type, double v)
{
	if (type == AD_BOOL)
		fputs(v != 0 ? "true" : "false", to);
	else if (isnan(v))
		fputs("nan", to);
	else
		fprintf(to, "%.6g", v == 0 ? 0 : v);
}

static void print_shape(FILE *to, const ad_shape *shape)
{
	fputc('(', to);
	for (int i = 0; i < shape->rank; i++)
		fprintf(to, "%s%lld", i ? ", " : "", (long long)shape->dims[i]);
	fputs(shape->rank == 1 ? ",)" : ")", to);
}

/* The numbers in brackets as the shape nests them. Lists that do not have the shape's size, and
 * long ones, are written as they come. */
static void print_array(FILE *to, ad_type type, const ad_shape *shape, const double *v, size_t n)
{
	size_t count;

	if (!ad_count_of(shape, &count) || count != n || n > MOST_NUMBERS) {
		print_shape(to, shape);
		fputs(" of ", to);
		for (size_t k = 0; k < n && k < FIRST_FEW; k++) {
			print_number(to, type, v[k]);
			fputs(k + 1 < n ? ", " : "", to);
		}
		fputs(n > FIRST_FEW ? "..." : "", to);
		return;
	}
	if (n == 0) {
		fputs("empty ", to);
		print_shape(to, shape);
		return;
	}
	for (size_t k = 0; k < n; k++) {
		size_t part = 1;
		int closes = 0, opens = 0;

		for (int i = shape->rank - 1; i >= 0; i--) {
			part *= (size_t)shape->dims[i];
			opens += k % part == 0;
			closes += (k + 1) % part == 0;
		}
		while (opens-- > 0)
			fputc('[', to);
		print_number(to, type, v[k]);
		while (closes-- > 0)
			fputc(']', to);
		fputs(k + 1 < n ? ", " : "", to);
	}
}

/* Settings "axis=[0,-1] keepdim=true" as they stand in an expression. */
static void print_settings(FILE *to, const char *settings, bool first)
{
	int inside = 0;

	if (!settings || !*settings)
		return;
	fputs(first ? "" : ", ", to);
	for (const char *at = settings; *at; at++) {
		inside += (*at == '[') - (*at == ']');
		if (*at == ' ' && !inside)
			fputs(", ", to);
		else if (*at == ',' && at[1] != ' ')
			fputs(", ", to);
		else
			fputc(*at, to);
	}
}

static ad_shape shape_of_input(const ad_sample_input *in)
{
	ad_shape shape = { .rank = in->rank };

	memcpy(shape.dims, in->dims, sizeof shape.dims);
	return shape;
}

static void print_call(FILE *to, const ad_op *op, const ad_sample *s, int n_in)
{
	fprintf(to, "%s(", ad_op_name(op));
	for (int i = 0; i < n_in; i++) {
		ad_shape shape = shape_of_input(&s->in[i]);
		size_t count;

		fputs(i ? ", " : "", to);
		if (!s->in[i].given)
			fputs("null", to);
		else if (s->give[i].n || (ad_count_of(&shape, &count) && count == 0))
			print_array(to, s->in[i].type, &shape, s->give[i].v, s->give[i].n);
		else
			print_shape(to, &shape);
	}
	print_settings(to, s->attrs, n_in == 0);
	fputc(')', to);
}

/* The name of input i: of "x w b?" or "x...", whose inputs are numbered. */
static void print_input_name(FILE *to, const ad_op *op, int i)
{
	const char *names = ad_op_inputs(op);
	size_t length;

	for (int k = 0;; k++) {
		names += strspn(names, " ");
		length = strcspn(names, " .?");
		if (names[length] == '.' || k == i)
			break;
		names += strcspn(names, " ");
		if (!*names)
			break;
	}
	fprintf(to, "%.*s", (int)length, names);
	if (names[length] == '.')
		fprintf(to, "%d", i);
}

/* ---- samples as text ------------------------------------------------------------------------- */

static bool is_random(const ad_sample *s)
{
	return !s->error && s->in[0].given && !s->give[0].n && !s->want[0].n && s->lo != s->hi;
}

/* Whether the sample knows an output or a gradient; an empty output is known. */
static bool states_something(const ad_sample *s, const struct recorded *r)
{
	for (int k = 0; k < r->n_out && k < 4; k++)
		if (s->want[k].n || ad_count(ad_output(r->y, k)) == 0)
			return true;
	for (int i = 0; i < r->n_in; i++)
		if (s->dwant[i].n)
			return true;
	return false;
}

static void print_sample(FILE *to, const ad_op *op, const ad_sample *s, const char *indent)
{
	struct recorded r;

	record_sample(&r, op, s);
	fputs(indent, to);
	print_call(to, op, s, r.n_in);
	if (s->error)
		fprintf(to, "   error: ... %s ...", s->error);
	else if (!states_something(s, &r))
		fputs("   derivatives against differences", to);
	for (int k = 0; k < r.n_out && k < 4; k++) {
		ad_node *out = ad_output(r.y, k);
		ad_shape shape = ad_shape_of(out);

		if (!s->want[k].n && ad_count(out) > 0)
			continue;
		if (r.n_out > 1)
			fprintf(to, "\n%s    output %d", indent, k);
		fputs(" = ", to);
		print_array(to, ad_type_of(out), &shape, s->want[k].v, s->want[k].n);
	}
	fputc('\n', to);
	for (int i = 0; i < r.n_in; i++) {
		ad_shape shape = shape_of_input(&s->in[i]);

		if (!s->dwant[i].n)
			continue;
		fprintf(to, "%s    d", indent);
		print_input_name(to, op, i);
		fputs(" = ", to);
		print_array(to, AD_REAL, &shape, s->dwant[i].v, s->dwant[i].n);
		fputc('\n', to);
	}
	ad_close(r.g);
}

void op_text_samples(FILE *to, const ad_op *op, const char *indent)
{
	int random = 0;
	bool gradients = false;

	for (int k = 0; k < AD_MAX_SAMPLES; k++) {
		const ad_sample *s = &op->samples[k];

		if (!is_used(s))
			continue;
		if (is_random(s)) {
			random++;
			continue;
		}
		for (int i = 0; i < AD_MAX_SAMPLE_INPUTS; i++)
			gradients |= s->dwant[i].n > 0;
		print_sample(to, op, s, indent);
	}
	if (gradients)
		fprintf(to, "%sGradients are those of the sum of all outputs.\n", indent);
	if (random)
		fprintf(to, "%s%d more at random: derivatives against differences.\n", indent,
		        random);
}

/* ---- the reference --------------------------------------------------------------------------- */

/* An op that stands in no list is element-wise if it has a map, else among the others: so a new op
 * needs no entry here. */
static const struct {
	const char *title, *ops;
} groups[] = {
	{ "Element-wise", " prelu tanhshrink " },
	{ "Reductions",
	  " sum mean prod amax amin max_dim min_dim median_dim argmax argmin var std norm "
	  "logsumexp trace cosine_similarity " },
	{ "Along an axis", " cumsum cumprod logcumsumexp linear_recurrence sort topk glu " },
	{ "Shape", " reshape permute transpose squeeze unsqueeze expand repeat repeat_interleave "
	           "concat stack split "
	           "chunk flip roll pad tril triu diagonal diag_embed pixel_shuffle unfold " },
	{ "Indexing and scatter",
	  " index index_select index_add gather scatter scatter_add select slice "
	  "masked_fill masked_select embedding embedding_bag one_hot " },
	{ "Products and linear algebra",
	  " matmul addmm linear outer einsum cholesky det logabsdet inverse "
	  "solve " },
	{ "Normalisation and softmax",
	  " softmax log_softmax layer_norm rms_norm group_norm instance_norm "
	  "batch_norm " },
	{ "Losses", " bce bce_with_logits cross_entropy cross_entropy_prob nll_loss kl_div l1_loss "
	            "mse_loss huber_loss smooth_l1_loss hinge multi_margin_loss gaussian_nll " },
	{ "Convolution, pooling and images",
	  " conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d avg_pool1d "
	  "avg_pool2d "
	  "max_pool1d max_pool2d adaptive_avg_pool2d adaptive_max_pool2d interpolate "
	  "grid_sample " },
	{ "Recurrent and attention", " rnn_cell lstm_cell lstm_seq gru_cell gru_seq attention "
	                             "multi_head_attention " },
	{ "Random and constants", " dropout rand rand_like randn randn_like full arange " },
	{ "Helpers, of which others are composed",
	  " adaptive_avg_pool2d_adjoint avg_pool2d_adjoint interpolate_adjoint pad_adjoint "
	  "unfold_adjoint "
	  "im2col col2im conv_weight bce_each dropout_mask dropout_noise grid_corners gru_gates "
	  "lstm_gates "
	  "masked_put masked_take pack ravel_multi_index stop_gradient sum_to to_real undiagonal "
	  "unslice " },
	{ "Others", "" },
};

enum { GROUPS = sizeof groups / sizeof *groups };

static int group_of(const ad_op *op)
{
	size_t length = strlen(ad_op_name(op));

	for (int k = 0; k < GROUPS; k++)
		for (const char *at = groups[k].ops; (at = strstr(at, ad_op_name(op)));
		     at += length)
			if (at[-1] == ' ' && at[length] == ' ')
				return k;
	return op->map ? 0 : GROUPS - 1;
}

/* Text within a table of Markdown. */
static void print_cell(FILE *to, const char *text)
{
	for (; text && *text; text++) {
		if (strchr("|*_<\\", *text))
			fputc('\\', to);
		fputc(*text, to);
	}
}

static void print_attr_table(FILE *to, const ad_attr *attrs)
{
	if (!attrs || !attrs->name)
		return;
	fputs("\n| argument | type | default | |\n|---|---|---|---|\n", to);
	for (const ad_attr *a = attrs; a->name; a++) {
		fprintf(to, "| `%s` | %s | ", a->name, op_text_type(a->type));
		if (a->def)
			fprintf(to, "`%s`", *a->def ? a->def : "\"\"");
		else
			fputs("must be given", to);
		fputs(" | ", to);
		print_cell(to, a->doc);
		if (a->choice) {
			fputs(a->doc ? "; one of " : "one of ", to);
			for (const char *word = a->choice + strspn(a->choice, " "); *word;) {
				size_t length = strcspn(word, " ");

				fprintf(to, "%s`%.*s`", word == a->choice ? "" : ", ", (int)length,
				        word);
				word += length;
				word += strspn(word, " ");
			}
		}
		fputs(" |\n", to);
	}
}

static void print_reference_of(FILE *to, const ad_op *op)
{
	const char *doc = ad_op_doc(op), *inputs = ad_op_inputs(op);
	size_t length = strlen(doc);

	while (length > 0 && doc[length - 1] == '\n')
		length--;
	fprintf(to, "\n### %s\n\n```text\n%.*s\n```\n\n", ad_op_name(op), (int)length, doc);
	for (int i = 0; *inputs; i++) {
		size_t n = strcspn(inputs, " ?");

		fprintf(to, "%s`%.*s`%s", i ? ", " : "Inputs: ", (int)n, inputs,
		        op_text_optional(op, i) ? " (may be left out)" : "");
		inputs += strcspn(inputs, " ");
		inputs += strspn(inputs, " ");
		fputs(*inputs ? "" : ". ", to);
	}
	fprintf(to, "Derivatives: %s.\n", op_text_derivatives(op));
	print_attr_table(to, ad_op_attrs(op));
	fputs("\n```text\n", to);
	op_text_samples(to, op, "");
	fputs("```\n", to);
}

/* The anchor of a heading, as Markdown's renderers form it. */
static void print_anchor(FILE *to, const char *title)
{
	for (; *title; title++) {
		if (*title >= 'A' && *title <= 'Z')
			fputc(*title - 'A' + 'a', to);
		else if (*title == ' ')
			fputc('-', to);
		else if (*title != ',')
			fputc(*title, to);
	}
}

void op_text_reference(FILE *to)
{
	fprintf(
	    to,
	    "<!-- Generated by `make docs` from the files in ops/: the only generated file that is "
	    "committed. Do not edit. -->\n\n# Ops\n\n"
	    "%zu ops, one file each; `autograd ops NAME` prints the same of one, `autograd op check "
	    "NAME` proves its\nsamples. An input `x...` stands for any number of them. \"Within "
	    "N "
	    "ulp\" is the largest error that\n`make accuracy` measures, in units of the last "
	    "place, in "
	    "f32 and f64.\n",
	    ad_ops());
	for (int k = 0; k < GROUPS; k++) {
		bool any = false;

		for (size_t j = 0; j < ad_ops(); j++) {
			const ad_op *op = ad_op_at(j);

			if (group_of(op) != k)
				continue;
			if (!any) {
				fprintf(to, "\n- [%s](#", groups[k].title);
				print_anchor(to, groups[k].title);
				fputs("): ", to);
			}
			fprintf(to, "%s[%s](#%s)", any ? ", " : "", ad_op_name(op), ad_op_name(op));
			any = true;
		}
	}
	fputc('\n', to);
	for (int k = 0; k < GROUPS; k++) {
		bool any = false;

		for (size_t j = 0; j < ad_ops(); j++) {
			if (group_of(ad_op_at(j)) != k)
				continue;
			if (!any)
				fprintf(to, "\n## %s\n", groups[k].title);
			any = true;
			print_reference_of(to, ad_op_at(j));
		}
	}
}
