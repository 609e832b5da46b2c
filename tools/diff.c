/*
 * diff: two declarations compared by what they mean: the items with their shapes, weights and what
 * they compute, the loss, the data, the training. Comments, order of keys, short and long forms,
 * defaults that are written out, and the names of free dims do not count.
 */
#include "command.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct option options[] = {
	{ 0 },
};

/* One side, recorded for some small sizes of its free dims. */
struct side {
	ad_model *m;
	const struct instance
	    *in; /* NULL: no small sizes suit it; then what items compute is not compared */
	size_t n_nodes;
	struct numbered {
		const ad_node *node;
		size_t number;
	} * sorted; /* all nodes by their addresses */
	int *owner; /* of each node the row it belongs to; m->n_rows: none, the loss or a metric */
	size_t *place;   /* its number among that row's nodes */
	char **computed; /* of each row: its nodes as text; the last: of what is in no row, the loss
	                    and metrics */
	size_t n_leaves;
	struct leaf {
		char *path, *text;
	} * leaves; /* of the trees under data, train, and others that are no graph */
};

static size_t differences;

static void differ(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void differ(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	putchar('\n');
	differences++;
}

/* ---- what items compute
 * ---------------------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
	const ad_node *x = ((const struct numbered *)a)->node,
		      *y = ((const struct numbered *)b)->node;

	return (x > y) - (x < y);
}

/* Node x as an input of a node of row `row`: by place in the row, by the name of a leaf, by another
 * row. */
static void print_use(FILE *to, const struct side *s, int row, ad_node *x)
{
	int output = 0;
	const ad_node *owner = x;

	if (!x) {
		fputs("-", to);
		return;
	}
	if (!ad_op_of(x)) {
		if (ad_kind_of(x) == AD_IS_CONSTANT)
			fprintf(to, "%.17g", ad_item(x));
		else
			fputs(ad_name_of(x) ? ad_name_of(x) : "leaf", to);
		return;
	}
	owner = ad_owner_of(x, &output);
	const struct numbered *found = bsearch(&(struct numbered){ owner, 0 }, s->sorted,
	                                       s->n_nodes, sizeof *s->sorted, by_address);
	const int its_row = found ? s->owner[found->number] : s->m->n_rows;
	if (found && its_row == row)
		fprintf(to, "%%%zu", s->place[found->number]);
	else
		fputs(its_row < s->m->n_rows ? s->m->rows[its_row].path : "loss", to);
	if (output)
		fprintf(to, ".%d", output);
}

/* "linear(x, linear.weight, linear.bias); relu(%0)" */
static void print_node(FILE *to, const struct side *s, int row, ad_node *y)
{
	char attrs[512];

	fprintf(to, "%s(", ad_op_of(y));
	for (int i = 0; i < ad_inputs(y); i++) {
		fputs(i ? ", " : "", to);
		print_use(to, s, row, ad_input_of(y, i));
	}
	ad_print_attrs(attrs, sizeof attrs, y);
	fprintf(to, ")%s%s; ", *attrs ? " " : "", attrs);
}

static int row_of(const ad_model *m, int from, const char *path)
{
	for (int i = 0; i < m->n_rows; i++)
		if (strcmp(m->rows[(from + i) % m->n_rows].path, path) == 0)
			return (from + i) % m->n_rows;
	return m->n_rows;
}

/* Fills s->computed: the nodes of a row come together, but for those of an item that has items
 * inside. */
static bool print_rows(struct side *s)
{
	const ad_model *m = s->m;

	for (size_t k = 0; k < s->n_nodes;) {
		const int row = s->owner[k];
		char *before = s->computed[row];
		size_t length;
		FILE *to = open_memstream(&s->computed[row], &length);

		if (!to)
			return false;
		fputs(before ? before : "", to);
		free(before);
		for (; k < s->n_nodes && s->owner[k] == row; k++) {
			ad_node *y = ad_node_at(m->graph, k);
			int output;

			if (ad_op_of(y) && ad_owner_of(y, &output) == y)
				print_node(to, s, row, y);
		}
		if (fclose(to) != 0)
			return false;
	}
	return true;
}

static bool describe_rows(struct side *s)
{
	const ad_model *m = s->m;
	size_t node = 0, *count = calloc((size_t)m->n_rows + 1, sizeof *count);
	int row = 0;

	s->n_nodes = ad_nodes(m->graph);
	s->owner = malloc((s->n_nodes + 1) * sizeof *s->owner);
	s->place = calloc(s->n_nodes + 1, sizeof *s->place);
	s->sorted = malloc((s->n_nodes + 1) * sizeof *s->sorted);
	if (!count || !s->owner || !s->place || !s->sorted) {
		free(count);
		return false;
	}
	for (size_t k = 0; k <= s->in->n_marks; k++) {
		bool tail = k == s->in->n_marks;
		size_t end = tail ? s->n_nodes : s->in->marks[k].nodes;

		row = tail || m->n_rows == 0 ? m->n_rows
		                             : row_of(m, row % m->n_rows, s->in->marks[k].path);
		for (; node < end; node++) {
			ad_node *y = ad_node_at(m->graph, node);
			int output;

			s->owner[node] = row;
			if (ad_op_of(y) && ad_owner_of(y, &output) == y)
				s->place[node] = count[row]++;
		}
	}
	free(count);
	for (size_t k = 0; k < s->n_nodes; k++)
		s->sorted[k] = (struct numbered){ ad_node_at(m->graph, k), k };
	qsort(s->sorted, s->n_nodes, sizeof *s->sorted, by_address);
	return print_rows(s);
}

/* ---- the other parts of the file
 * ------------------------------------------------------------------------------------ */

/* Replaces a name by the value of the file's param of that name. */
static const char *resolved(const ad_model *m, const struct yaml *y)
{
	const struct yaml *params = yaml_get(yaml_root(m->tree), "params");
	const struct yaml *value =
	    params && params->kind == YAML_MAP ? yaml_get(params, y->text) : NULL;

	return value && value->kind == YAML_SCALAR && !y->quoted ? value->text : y->text;
}

static bool add_leaf(struct side *s, const char *path, const char *text)
{
	struct leaf *more = realloc(s->leaves, (s->n_leaves + 1) * sizeof *more);

	if (!more)
		return false;
	s->leaves = more;
	more[s->n_leaves] = (struct leaf){ strdup(path), strdup(text) };
	if (!more[s->n_leaves].path || !more[s->n_leaves].text) {
		free(more[s->n_leaves].path);
		free(more[s->n_leaves].text);
		return false;
	}
	s->n_leaves++;
	return true;
}

/* A list of single values as one text, "[0.9, 0.999]". NULL: it is no such list, or there is no memory. */
static char *list_text(const struct side *s, const struct yaml *y)
{
	char *text = NULL;
	size_t length;
	FILE *to = NULL;

	for (size_t i = 0; i < y->n; i++)
		if (y->kind != YAML_LIST || y->items[i]->kind != YAML_SCALAR)
			return NULL;
	to = open_memstream(&text, &length);
	if (!to)
		return NULL;
	for (size_t i = 0; i < y->n; i++)
		fprintf(to, "%s%s", i ? ", " : "[", resolved(s->m, y->items[i]));
	fputs(y->n ? "]" : "[]", to);
	return fclose(to) == 0 ? text : NULL;
}

/* All values below y. */
static bool add_leaves(struct side *s, const char *path, const struct yaml *y, int depth)
{
	bool ok = true;
	char *inner = NULL, *list = y->kind == YAML_LIST ? list_text(s, y) : NULL;

	if (y->kind == YAML_SCALAR || list) {
		ok = add_leaf(s, path, list ? list : resolved(s->m, y));
		free(list);
		return ok;
	}
	if (depth > 64)
		return false;
	for (size_t i = 0; ok && i < y->n; i++) {
		if (y->kind == YAML_MAP)
			ok = asprintf(&inner, "%s.%s", path, y->keys[i]->text) >= 0;
		else
			ok = asprintf(&inner, "%s[%zu]", path, i) >= 0;
		if (!ok)
			return false;
		ok = add_leaves(s, inner, y->items[i], depth + 1);
		free(inner);
	}
	return ok;
}

/* With all defaults, so that it does not count whether one is written. */
static bool add_trees(struct side *s)
{
	static const char *const keys[] = { "data", "train", "sweep" };
	const struct yaml *root = model_full(s->m);

	if (!root)
		return false;
	for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
		const struct yaml *y = yaml_get(root, keys[k]);

		if (y && !add_leaves(s, keys[k], y, 0))
			return false;
	}
	return true;
}

/* ---- a side --------------------------------------------------------------------------------- */

/* A recording with all free dims of one small size that the model takes. */
static const struct instance *record_small(ad_model *m)
{
	static const int64_t sizes[] = { 2, 32, 256 };
	int64_t *dims = calloc((size_t)m->n_dims + 1, sizeof *dims);
	struct instance *in = NULL;

	for (size_t k = 0; dims && !in && k < 3; k++) {
		for (int d = 0; d < m->n_dims; d++)
			dims[d] = sizes[k];
		ad_clear(m->graph);
		in = model_instance(m, dims, true);
	}
	ad_clear(m->graph);
	free(dims);
	return in;
}

static bool open_side(struct side *s, const char *path, int *status)
{
	*s = (struct side){ .m = open_either("diff", path, NULL, status) };
	if (!s->m)
		return false;
	s->computed = calloc((size_t)s->m->n_rows + 1, sizeof(*s->computed));
	s->in = record_small(s->m);
	if (s->computed && (!s->in || describe_rows(s)) && add_trees(s))
		return true;
	*status = failed("diff", "out of memory");
	return false;
}

static void close_side(struct side *s)
{
	for (int i = 0; s->computed && i <= s->m->n_rows; i++)
		free(s->computed[i]);
	for (size_t k = 0; k < s->n_leaves; k++) {
		free(s->leaves[k].path);
		free(s->leaves[k].text);
	}
	free(s->leaves);
	free(s->computed);
	free(s->owner);
	free(s->place);
	free(s->sorted);
	ad_model_close(s->m);
}

/* ---- comparing ------------------------------------------------------------------------------ */

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* The number of the free dim whose name stands at text, *n its length; -1: none. */
static int dim_at(const ad_model *m, const char *text, size_t *n)
{
	for (*n = 0; is_word_char(text[*n]);)
		++*n;
	for (int d = 0; *n && d < m->n_dims; d++)
		if (strlen(m->dims[d]) == *n && strncmp(m->dims[d], text, *n) == 0)
			return d;
	return -1;
}

/* Whether "[B, 128]" and "[N, 128]" are the same but for the names of free dims. */
static bool same_shape(const ad_model *a, const char *x, const ad_model *b, const char *y)
{
	while (*x && *y) {
		size_t n, k;
		int d = dim_at(a, x, &n), e = dim_at(b, y, &k);

		if (d != e)
			return false;
		if (d < 0) {
			if (*x++ != *y++)
				return false;
			continue;
		}
		x += n;
		y += k;
	}
	return *x == *y;
}

/* The row of this path, looked for from row `hint` on. */
static const struct layer_row *find(const ad_model *m, int hint, const char *path, int *at)
{
	*at = m->n_rows ? row_of(m, hint % m->n_rows, path) : 0;
	return *at < m->n_rows ? &m->rows[*at] : NULL;
}

/* The first parts of two texts "...; ...; " that differ. */
static void first_difference(const char *a, const char *b, size_t *from, int *length_a,
                             int *length_b)
{
	size_t start = 0, k = 0;

	for (; a[k] && a[k] == b[k]; k++)
		if (a[k] == ';')
			start = k + 2;
	*from = start <= k ? start : k;
	*length_a = (int)strcspn(a + *from, ";");
	*length_b = (int)strcspn(b + *from, ";");
}

static void compare_computed(const char *path, const char *a, const char *b)
{
	size_t from;
	int n, k;

	a = a ? a : "";
	b = b ? b : "";
	if (strcmp(a, b) == 0)
		return;
	first_difference(a, b, &from, &n, &k);
	differ("  %s: %.*s -> %.*s", path, n ? n : 7, n ? a + from : "nothing", k ? k : 7,
	       k ? b + from : "nothing");
}

static void show_row(char sign, const struct layer_row *row)
{
	char text[32];

	differ("%c %s: %s %s%s%s", sign, row->path, row->kind, row->shape,
	       row->parameters ? ", parameters: " : "",
	       row->parameters ? print_thousands(text, row->parameters) : "");
}

static void compare_rows(const struct side *a, const struct side *b)
{
	int at = 0;

	for (int i = 0; i < a->m->n_rows; i++) {
		const struct layer_row *x = &a->m->rows[i], *y = find(b->m, i, x->path, &at);
		char p[32], q[32];

		if (!y) {
			show_row('-', x);
			continue;
		}
		if (strcmp(x->kind, y->kind) != 0 || !same_shape(a->m, x->shape, b->m, y->shape))
			differ("  %s: %s %s -> %s %s", x->path, x->kind, x->shape, y->kind,
			       y->shape);
		else if (x->parameters != y->parameters)
			differ("  %s: parameters %s -> %s", x->path,
			       print_thousands(p, x->parameters),
			       print_thousands(q, y->parameters));
		else if (strcmp(x->from, y->from) != 0)
			differ("  %s: connected to %s -> %s", x->path, x->from, y->from);
		else if (a->in && b->in)
			compare_computed(x->path, a->computed[i], b->computed[at]);
	}
	for (int i = 0; i < b->m->n_rows; i++)
		if (!find(a->m, i, b->m->rows[i].path, &at))
			show_row('+', &b->m->rows[i]);
}

static bool same_init(const struct init *a, const struct init *b)
{
	if (a->kind != b->kind || a->n_values != b->n_values)
		return false;
	switch (a->kind) {
	case INIT_NORMAL:
		return a->mean == b->mean && a->std == b->std;
	case INIT_UNIFORM:
		return a->lo == b->lo && a->hi == b->hi;
	case INIT_XAVIER:
	case INIT_HE:
		return a->normal == b->normal;
	case INIT_VALUES:
		return memcmp(a->values, b->values, a->n_values * sizeof *a->values) == 0;
	default:
		return true;
	}
}

/* Weights of the same path: their initial values, whether they are trained. Others belong to items
 * that differ, or are declared by name. */
static void compare_weights(const ad_model *a, const ad_model *b)
{
	for (int i = 0; i < a->n_weights; i++) {
		const struct weight *w = &a->weights[i], *other = NULL;
		ad_shape x = ad_shape_of(w->node), y;

		for (int k = 0; k < b->n_weights && !other; k++)
			if (strcmp(b->weights[k].path, w->path) == 0)
				other = &b->weights[k];
		if (!other) {
			if (!strchr(w->path, '.'))
				differ("- weight %s", w->path);
			continue;
		}
		y = ad_shape_of(other->node);
		if (x.rank != y.rank ||
		    memcmp(x.dims, y.dims, (size_t)x.rank * sizeof *x.dims) != 0) {
			char p[192], q[192];

			/* of an item's weight its row has told */
			if (!strchr(w->path, '.'))
				differ("  weight %s: %s -> %s", w->path,
				       ad_print_shape(p, sizeof p, x),
				       ad_print_shape(q, sizeof q, y));
			continue;
		}
		if (!same_init(&w->init, &other->init))
			differ("  weight %s: other initial values", w->path);
		if (ad_wants_gradient(w->node) != ad_wants_gradient(other->node))
			differ("  weight %s: %s", w->path,
			       ad_wants_gradient(w->node) ? "trained -> not trained"
			                                  : "not trained -> trained");
		if (w->lr_scale != other->lr_scale)
			differ("  weight %s: lr_scale %g -> %g", w->path, w->lr_scale, other->lr_scale);
	}
	for (int i = 0; i < b->n_weights; i++) {
		bool found = strchr(b->weights[i].path, '.') != NULL;

		for (int k = 0; k < a->n_weights && !found; k++)
			found = strcmp(a->weights[k].path, b->weights[i].path) == 0;
		if (!found)
			differ("+ weight %s", b->weights[i].path);
	}
}

static void compare_inputs(const ad_model *a, const ad_model *b)
{
	static const char *const types[] = {
		[AD_REAL] = "real", [AD_I32] = "i32", [AD_BOOL] = "bool"
	};

	for (int side = 0; side < 2; side++) {
		const ad_model *m = side ? b : a, *o = side ? a : b;

		for (int i = 0; i < m->n_inputs; i++) {
			const struct input *x = &m->inputs[i], *y = NULL;

			for (int k = 0; k < o->n_inputs && !y; k++)
				if (strcmp(o->inputs[k].name, x->name) == 0)
					y = &o->inputs[k];
			if (!y)
				differ("%c input %s", side ? '+' : '-', x->name);
			else if (side == 0 && x->type != y->type)
				differ("  input %s: %s -> %s", x->name, types[x->type],
				       types[y->type]);
			else if (side == 0 &&
			         (x->rank != y->rank || x->target != y->target ||
			          x->scalar_leaf != y->scalar_leaf || x->value != y->value ||
			          memcmp(x->dims, y->dims, (size_t)x->rank * sizeof *x->dims) != 0))
				differ("  input %s: another shape, role or value", x->name);
		}
	}
}

/* Whether two texts are the same but for how numbers in them are written: "[0.9, 1e-3]" and "[0.90, 0.001]". */
static bool same_text(const char *a, const char *b)
{
	while (*a && *b) {
		size_t n = strcspn(a, ", []"), k = strcspn(b, ", []");
		char *end_a, *end_b;
		double x = strtod(a, &end_a), y = strtod(b, &end_b);
		bool numbers = n && k && end_a == a + n && end_b == b + k;

		if ((n != k || memcmp(a, b, n) != 0) && !(numbers && x == y))
			return false;
		a += n + strspn(a + n, ", ");
		b += k + strspn(b + k, ", ");
		while (*a && *a == *b && strchr("[]", *a)) {
			a += 1 + strspn(a + 1, ", ");
			b += 1 + strspn(b + 1, ", ");
		}
		if (*a && *b && (strchr("[]", *a) || strchr("[]", *b)))
			return false;
	}
	return *a == *b;
}

static const struct leaf *leaf_of(const struct side *s, const char *path)
{
	for (size_t k = 0; k < s->n_leaves; k++)
		if (strcmp(s->leaves[k].path, path) == 0)
			return &s->leaves[k];
	return NULL;
}

static void compare_trees(const struct side *a, const struct side *b)
{
	for (size_t k = 0; k < a->n_leaves; k++) {
		const struct leaf *x = &a->leaves[k], *y = leaf_of(b, x->path);

		if (!y)
			differ("- %s: %s", x->path, x->text);
		else if (!same_text(x->text, y->text))
			differ("  %s: %s -> %s", x->path, x->text, y->text);
	}
	for (size_t k = 0; k < b->n_leaves; k++)
		if (!leaf_of(a, b->leaves[k].path))
			differ("+ %s: %s", b->leaves[k].path, b->leaves[k].text);
}

/* The params that both have, as a hint to why other things differ. */
static void compare_params(const ad_model *a, const ad_model *b)
{
	const struct yaml *x = yaml_get(yaml_root(a->tree), "params"),
			  *y = yaml_get(yaml_root(b->tree), "params");

	if (!x || !y || x->kind != YAML_MAP || y->kind != YAML_MAP)
		return;
	for (size_t i = 0; i < x->n; i++) {
		const struct yaml *other = yaml_get(y, x->keys[i]->text);

		if (other && other->kind == YAML_SCALAR && x->items[i]->kind == YAML_SCALAR &&
		    !same_text(x->items[i]->text, other->text))
			differ("  params.%s: %s -> %s", x->keys[i]->text, x->items[i]->text,
			       other->text);
	}
}

static int run(const void *given, int n, const char *const args[])
{
	struct side a = { 0 }, b = { 0 };
	int status;

	differences = 0;
	if (!open_side(&a, args[0], &status) || !open_side(&b, args[1], &status)) {
		close_side(&a);
		close_side(&b);
		return status;
	}
	compare_params(a.m, b.m);
	compare_inputs(a.m, b.m);
	compare_rows(&a, &b);
	compare_weights(a.m, b.m);
	if (a.in && b.in)
		compare_computed("loss, metrics", a.computed[a.m->n_rows], b.computed[b.m->n_rows]);
	if (strcmp(model_precision(a.m), model_precision(b.m)) != 0)
		differ("  precision: %s -> %s", model_precision(a.m), model_precision(b.m));
	compare_trees(&a, &b);
	if (!a.in || !b.in)
		fprintf(stderr, "autograd diff: what the items compute is not compared: no small "
		                "sizes of the free "
		                "dims suit both files\n");
	close_side(&a);
	close_side(&b);
	return differences ? EXIT_FAILED : EXIT_DONE;
}

const struct command command_diff = {
	.name = "diff",
	.arguments = "FILE|RUN FILE|RUN",
	.least = 2,
	.most = 2,
	.doc = "tells how two models differ, by what they mean",
	.details = "Compares params, inputs, items (shapes, parameters, connections, what they "
	           "compute), initial "
		   "values, loss, data and training. '-' stands in the first alone, '+' in the "
	           "second alone. "
		   "Comments, the order of keys, short and long forms and names of free dims do "
	           "not count. "
		   "Exit status 0 if they mean the same, 1 if they differ, 2 if one is wrong.",
	.options = options,
	.options_size = 1,
	.run = run,
};
