/*
 * labels: compares the labels that are fed with the classes of what reads them.
 *
 * A loss would refuse such a label as well, in the middle of a training and without knowing where it
 * comes from.
 */
#include "data.h"
#include "op.h"

#include <string.h>

/* The label that a loss leaves out; false: it has none. */
static bool ignored_label(const ad_node *loss, int64_t *label)
{
	for (size_t k = 0; k < ad_ops(); k++) {
		const ad_op *op = ad_op_at(k);

		if (strcmp(ad_op_name(op), ad_op_of(loss)) != 0)
			continue;
		for (const ad_attr *a = ad_op_attrs(op); a && a->name; a++)
			if (a->type == AD_INT && strcmp(a->name, "ignore_index") == 0) {
				memcpy(label, (const char *)ad_attrs_of(loss) + a->offset, sizeof *label);
				return true;
			}
	}
	return false;
}

/* Where sample k comes from, "points.csv:12" or "sample 12". */
static void print_sample(const struct dataset *d, size_t k, char *text, size_t n)
{
	if (d->path)
		snprintf(text, n, "%s:%zu", d->path, d->places[k]);
	else
		snprintf(text, n, "sample %zu, counted from 0,", d->places[k]);
}

/* The one param whose value is the number of classes: it is likely where that comes from. NULL: there is
 * none, or there are several. */
static const struct yaml *class_param(const ad_model *m, size_t classes, const struct yaml **value)
{
	const struct yaml *params = yaml_get(yaml_root(m->tree), "params"), *found = NULL;
	char text[32];

	snprintf(text, sizeof text, "%zu", classes);
	for (size_t i = 0; params && params->kind == YAML_MAP && i < params->n; i++) {
		if (params->items[i]->kind != YAML_SCALAR || strcmp(params->items[i]->text, text) != 0)
			continue;
		if (found)
			return NULL;
		found = params->keys[i];
		*value = params->items[i];
	}
	return found;
}

/* Whether all labels of a set are classes of the loss that compares them: 0 to classes - 1. */
static bool check_set(const ad_model *m, const struct dataset *d, const struct input *input,
                      const ad_node *loss, size_t classes, char *error, size_t n)
{
	int64_t ignored = 0, least = INT64_MAX, most = INT64_MIN, first = 0;
	bool ignores = ignored_label(loss, &ignored);
	const char *name = ad_inputs(loss) > 1 ? ad_name_of(ad_input_of(loss, 0)) : NULL;
	size_t wrong = 0, where = 0, used;
	const struct yaml *value, *param = class_param(m, classes, &value);
	char place[512], text[1200], from[256] = "";

	for (int i = 0; i < d->n_columns; i++) {
		const struct column *c = &d->columns[i];

		for (size_t k = 0; strcmp(c->input, input->name) == 0 && k < d->n * c->per; k++) {
			int64_t label = ((const int32_t *)c->data)[k];

			if (ignores && label == ignored)
				continue;
			least = label < least ? label : least;
			most = label > most ? label : most;
			if (label >= 0 && (uint64_t)label < classes)
				continue;
			if (wrong++ == 0) {
				first = label;
				where = k / c->per;
			}
		}
	}
	if (wrong == 0)
		return true;
	print_sample(d, where, place, sizeof place);
	if (param && value->at.line > 0)
		snprintf(from, sizeof from, " (line %d: %.100s: %zu)", value->at.line, param->text, classes);
	snprintf(text, sizeof text, "labels run %lld..%lld but %s has %zu classes%s", (long long)least,
	         (long long)most, name ? name : "the model", classes, from);
	message_write(m->messages, E_DATA, d->at.line ? d->at : input->at, text, error, n);
	used = strlen(error);
	used += (size_t)snprintf(error + used, n - used, "\nnote: they are input '%.100s'; %s has %lld%s", input->name,
	                         place, (long long)first, wrong > 1 ? ", the first that is no class" : "");
	if (param && least >= 0 && used < n)
		snprintf(error + used, n - used, "\nhelp: --set params.%.100s=%lld", param->text, (long long)most + 1);
	return false;
}

bool data_check_labels(const ad_model *m, const struct instance *in, size_t n_sets,
                       const struct dataset *const sets[], char *error, size_t n)
{
	static const char *const losses[] = { "cross_entropy", "nll_loss" };

	for (size_t k = 0; k < ad_nodes(m->graph); k++) {
		ad_node *x = ad_node_at(m->graph, k), *target;
		bool hot = ad_op_of(x) && strcmp(ad_op_of(x), "one_hot") == 0, known = false;

		for (size_t j = 0; ad_op_of(x) && j < sizeof losses / sizeof *losses; j++)
			known |= strcmp(ad_op_of(x), losses[j]) == 0;
		target = hot ? ad_input_of(x, 0) : known && ad_inputs(x) > 1 ? ad_input_of(x, 1) : NULL;
		if (!target || ad_type_of(target) != AD_I32 || ad_count(target) == 0)
			continue;
		for (int i = 0; i < m->n_inputs; i++) {
			size_t classes = ad_count(hot ? x : ad_input_of(x, 0)) / ad_count(target);

			for (size_t j = 0; in->inputs[i] == target && j < n_sets; j++)
				if (!check_set(m, sets[j], &m->inputs[i], x, classes, error, n))
					return false;
		}
	}
	return true;
}
