/*
 * look: what the doctor measures of a model before it judges: a record of statistics.
 */
#ifndef AUTOGRAD_LOOK_H
#define AUTOGRAD_LOOK_H

#include "doctor.h"
#include "lr.h"

/* A weight that wants a gradient. */
struct weight_state {
	const struct weight *weight;
	bool reached;   /* the loss depends on it */
	double rms;     /* of its values at the first step */
	double update;  /* median over the steps of rms(change) / rms(value); NAN: not known */
	double moved;   /* rms of what the steps, or the run, changed; NAN: not known */
	bool identical; /* two or more units that have the same weights, before and after */
};

/* What a weight of two or more axes makes with data: a layer, in order of the forward pass. */
struct layer_state {
	size_t weight;    /* number in record->weights */
	double norm, rms; /* of the gradient of its results, by batch: root of the mean square */
	double values;    /* rms of its results */
};

/* Ops of one item that cut their input: relu, sigmoid, tanh. */
struct activation {
	const char *op, *origin; /* "relu"; where it is declared, may be NULL */
	char *path;              /* "block[1].relu" */
	bool inner;              /* a weight comes between it and the loss */
	size_t layer;            /* number + 1 of the layer recorded last before it; 0: none */
	size_t units;
	double dead;      /* relu: share of units that are 0 for all samples */
	double saturated; /* sigmoid, tanh: share of values at the ends, where the slope is under
	                     1/50 of its most */
	double zeros;     /* share of values that are 0 */
	double most;      /* the largest size of an input */
};

/* What some batches show with the weights as they are. */
struct look {
	bool taken;
	double loss;
	double own; /* value of the loss op whose chance is known; NAN: there is none */
	size_t n_layers, n_activations;
	struct layer_state *layers;
	struct activation *activations;
	double outputs;                 /* rms of the model's output */
	double output_norm, output_rms; /* of the gradient of the model's output; NAN: none */
};

/* Samples of an input. */
struct input_state {
	const struct input *input;
	bool real;                       /* else the rest, but nonfinite, is not set */
	double mean, std, least, most;   /* of all numbers */
	size_t columns, constant, equal; /* columns: numbers of a sample; those that never change;
	                                  * that are the same as another which does change */
	size_t same[2];                  /* the first two of these */
	double widest, narrowest;        /* std of the columns that change */
	size_t widest_at, narrowest_at;
	size_t nonfinite, where; /* samples with a NaN or infinity; the first of them */
};

/* Classes that the samples belong to, one each. */
struct label_state {
	const struct input *input; /* NULL: there are none */
	int64_t classes, absent;
	int64_t most, least; /* the class of most and of fewest samples */
	double most_share, least_share;
};

/* Where the first NaN or infinity comes from. */
struct offender {
	bool found;
	int64_t step;    /* steps before it */
	bool backward;   /* it is a gradient, the loss is finite */
	bool leaf;       /* it is an element of a weight or input itself */
	char text[400];  /* "the first is made by 'block.log', out of finite values" */
	char place[512]; /* where that is declared; empty: unknown */
};

struct record {
	ad_model *m;
	struct probe probe;
	bool trained; /* a run: `now` is of its weights, the steps are from its first ones */
	size_t n_weights;
	struct weight_state *weights;
	struct look now, later; /* with the weights given; after the steps, for a file */
	const char *chance_of;  /* the op: "cross_entropy"; NULL: unknown */
	const char *chance_origin;
	double chance;  /* what it is for an output that knows nothing */
	double classes; /* that chance goes by, ln classes */
	size_t n_inputs;
	struct input_state *inputs;
	struct label_state labels;
	struct offender offender;
	const char *cannot_train; /* why there were no steps; NULL */
	int64_t steps, planned;
	double before, after;  /* mean loss of the first and of the last fifth of the steps */
	double first, highest; /* loss of the first step, and of the step where it is largest */
	double schedule;       /* mean over the steps of the rate over the full one */
	struct rate_test rates;
	bool tested;     /* rates are there */
	int64_t batches; /* whose values and gradients are looked at */
};

/* Measures. With rates false the rate test is left out. The model is open, with the weights to look
 * at; it keeps all values afterwards. False: a sentence in error, and *status says how to exit. */
bool record_take(struct record *r, ad_model *m, bool trained, bool rates, int *status, char *error,
                 size_t n);
void record_free(struct record *r);

#endif
