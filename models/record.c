/*
 * record: ops put into the graph, and its refusals in the words of the file.
 */
#include "language.h"
#include "autograd_ops.h"
#include "op.h"

#include <string.h>

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

const char *op_of_sign(enum binary sign)
{
	size_t i = 0;

	while (sign_ops[i].sign != sign)
		i++;
	return sign_ops[i].op;
}

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

/* Where the graph wants indices and an input of the model has reals: how that is declared. NULL: another failure. */
static const char *index_help(struct recording *r, size_t n_in, const struct value in[])
{
	for (size_t i = n_in; i-- > 0 && strstr(ad_errmsg(r->graph), "indices");)
		if (in[i].kind == VALUE_NODE && ad_kind_of(in[i].node) == AD_IS_INPUT &&
		    ad_type_of(in[i].node) == AD_REAL)
			return store_text(r->store, "an input of indices has a dtype: %s: {shape: ..., dtype: i32}",
			                  ad_name_of(in[i].node));
	return NULL;
}

/* What a size that is free may be keeps an array from being laid out otherwise. NULL: another failure. */
static const char *free_help(struct recording *r, const char *op, size_t n_in, const struct value in[])
{
	ad_shape shape;

	if (strcmp(op, "reshape") != 0 || n_in == 0 || in[0].kind != VALUE_NODE)
		return NULL;
	shape = ad_shape_of(in[0].node);
	for (int i = shape.rank - 1; i > 0; i--)
		if (is_free(r, shape.dims[i])) {
			const char *dim = dim_text(r, shape.dims[i]);

			return store_text(r->store, "%s is free, so it need not fit: where it always does, give it a size, %s",
			                  dim, is_name(dim) ? store_text(r->store, "params: {%s: 64}", dim) : "by a param");
		}
	return NULL;
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
		const char *help = index_help(r, n_in, in);

		if (!help && n_in > 1 && value_is_number(in[1]) && layer_find(op))
			help = store_text(r->store, "with weights of its own it is an item: {%s: %s, from: ...}", op,
			                  value_text(r, in[1]));
		if (!help)
			help = free_help(r, op, n_in, in);
		message(r->messages, codes[status], at, NULL, help, "%s",
		        sizes_by_name(r, ad_errmsg(r->graph)));
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
	char text[4200];

	if (at.line > 0)
		ad_set_origin(r->graph, messages_place(r->model->messages, at, text, sizeof text));
}

/* A call through which perhaps no gradient comes back, and which does not end its path either: of an op without a
 * derivative, or of a plugin's that is put together from others. */
static void note_underived(struct recording *r, const ad_op *op, struct place at, ad_node *y)
{
	struct build *b = r->model->build;

	if (!r->messages || op->grad || op->dmap || op->backward || op->flat || op->gives_mask)
		return;
	if (op->compose && !ad_op_plugin(op))
		return;
	b->underived = store_more(r->store, b->underived, b->n_underived, sizeof *b->underived);
	b->underived[b->n_underived].y = y;
	b->underived[b->n_underived++].at = at;
}

/* Whether a sweep from y finds no way back to the weights before it; what it says of that, for as long as the store. */
static bool is_underived(struct recording *r, ad_node *y, const char **reason)
{
	size_t mark = ad_mark(r->graph);
	bool is = ad_sweep(ad_sum(y, AD_ALL, false)) == AD_ERROR_GRADIENT;

	if (is)
		*reason = store_text(r->store, "%s", ad_errmsg(r->graph));
	ad_clear(r->graph);
	ad_release(r->graph, mark);
	return is;
}

void refuse_underived(struct recording *r)
{
	const struct build *b = r->model->build;
	ad_node *loss = r->instance->loss;
	const char *reason;

	if (!loss || b->n_underived == 0 || ad_sweep(loss) != AD_ERROR_GRADIENT)
		return;
	ad_clear(r->graph);
	for (size_t k = 0; k < b->n_underived; k++)
		if (is_underived(r, b->underived[k].y, &reason)) {
			message(r->messages, E_TYPE, b->underived[k].at, NULL,
			        "give it a .dmap or a .backward, or a .grad; 'freeze: true' for the weights before it, or "
			        "stop_gradient, needs none",
			        "the gradient of the loss has to come through '%.*s', which has no derivative",
			        (int)strcspn(reason, ":"), reason);
			break;
		}
}

struct value record(struct recording *r, const char *op, struct place at, struct place span,
                    size_t n_in, const struct value in[], size_t n_settings,
                    const ad_setting settings[])
{
	ad_node **nodes = store_take(r->store, n_in * sizeof(*nodes));
	bool known = true;

	if (!count_step(r, at))
		return unknown;
	if (!r->graph)
		return wrong(r, E_TYPE, span, "only numbers can stand here, not the op '%s'", op);
	for (size_t i = 0; i < n_in; i++) {
		nodes[i] = in[i].kind == VALUE_NULL ? NULL : value_node(r, in[i], span);
		known = known && (nodes[i] || in[i].kind == VALUE_NULL);
	}
	if (!known)
		return unknown;
	set_origin(r, at);
	ad_node *y = ad_call(r->graph, op, n_in, nodes, n_settings, settings);
	if (ad_is_error(y)) {
		say_failure(r, at, op, n_in, in);
		return unknown;
	}
	note_underived(r, ad_op_find(op), at, y);
	return (struct value){ .kind = VALUE_NODE, .node = y };
}
