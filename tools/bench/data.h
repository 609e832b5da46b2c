/*
 * data: the sizes, the synthetic data and the first weights of the workloads, the same in every
 * system. README.md defines the workloads; peers/ draws the same numbers by numpy's RandomState.
 */
#ifndef BENCH_DATA_H
#define BENCH_DATA_H

#include <stddef.h>
#include <stdint.h>

/* Minibatches of the workloads that train on images: step i takes batch i % BATCHES. */
enum { BATCHES = 10, PIXELS = 28 * 28, CLASSES = 10 };

enum {
	W0_SAMPLES = 100,
	W0_PARAMS = (2 + 1) * 16 + (16 + 1) * 16 + 16 + 1,
	/* an op for each multiplication, addition and tanh of a sample, two for its squared error, the mean
	 * over the samples; the params, the inputs and targets, the factor of the mean */
	W0_NODES = W0_SAMPLES * (16 * (2 * 2 + 1) + 16 * (2 * 16 + 1) + 2 * 16 + 2) + W0_SAMPLES + W0_PARAMS +
	           3 * W0_SAMPLES + 1
};
#define W0_LR 0.1

/* Two half circles with noise. Params: layer by layer, neuron by neuron, its weights and its bias. */
struct w0_data {
	double x[W0_SAMPLES][2], t[W0_SAMPLES], params[W0_PARAMS];
};

enum { W1_BATCH = 100, W1_HIDDEN = 100 };
#define W1_LR 0.1f

struct w1_data {
	float x[BATCHES][W1_BATCH * PIXELS];
	int32_t t[BATCHES][W1_BATCH];
	float w1[W1_HIDDEN * PIXELS], w2[CLASSES * W1_HIDDEN];
};

enum { W2_BATCH = 128, W2_HIDDEN1 = 512, W2_HIDDEN2 = 256 };
#define W2_LR 1e-3f

struct w2_data {
	float x[BATCHES][W2_BATCH * PIXELS];
	int32_t t[BATCHES][W2_BATCH];
	float w1[W2_HIDDEN1 * PIXELS], w2[W2_HIDDEN2 * W2_HIDDEN1], w3[CLASSES * W2_HIDDEN2];
};

enum { W3_BATCH = 64, W3_K = 5, W3_CONV1 = 6, W3_CONV2 = 16, W3_FLAT = 400, W3_FC1 = 120, W3_FC2 = 84 };
#define W3_LR 0.01f
#define W3_MOMENTUM 0.9f

struct w3_data {
	float x[BATCHES][W3_BATCH * PIXELS];
	int32_t t[BATCHES][W3_BATCH];
	float conv1[W3_CONV1 * W3_K * W3_K], conv1_b[W3_CONV1];
	float conv2[W3_CONV2 * W3_CONV1 * W3_K * W3_K], conv2_b[W3_CONV2];
	float fc1[W3_FC1 * W3_FLAT], fc1_b[W3_FC1];
	float fc2[W3_FC2 * W3_FC1], fc2_b[W3_FC2];
	float fc3[CLASSES * W3_FC2], fc3_b[CLASSES];
};

/* W4: vocabulary, blocks, heads, width, context, batch; the text's length and the minibatches. */
enum { W4_V = 65, W4_L = 4, W4_H = 4, W4_C = 128, W4_T = 64, W4_B = 12, W4_TEXT = 20001, W4_BATCHES = 50 };
#define W4_LR 1e-3f
#define W4_BETA1 0.9f
#define W4_BETA2 0.99f
#define W4_DECAY 0.1f /* of matrices */
#define W4_CLIP 1.0f  /* of the norm of all gradients */

struct w4_data {
	int32_t x[W4_BATCHES][W4_B * W4_T], t[W4_BATCHES][W4_B * W4_T];
	float tok[W4_V * W4_C], pos[W4_T * W4_C];
	struct {
		float qkv[3 * W4_C * W4_C], proj[W4_C * W4_C], up[4 * W4_C * W4_C], down[4 * W4_C * W4_C];
	} block[W4_L];
};

/* W5: inputs, units, batch; the lengths repeat after W5_SEQUENCES steps. Gates: i, f, g, o. */
enum { W5_I = 64, W5_H = 128, W5_B = 16, W5_LONGEST = 50, W5_SEQUENCES = 40 };
#define W5_LR 0.1f

struct w5_data {
	int length[W5_SEQUENCES];
	float x[W5_SEQUENCES][W5_LONGEST * W5_B * W5_I]; /* (length, batch, inputs) */
	int32_t t[W5_SEQUENCES][W5_B];
	float wx[4 * W5_H * W5_I], wh[4 * W5_H * W5_H], wo[CLASSES * W5_H];
};

struct w6_data {
	float x[PIXELS], w1[W1_HIDDEN * PIXELS], w2[CLASSES * W1_HIDDEN];
};

enum { W7_SAMPLES = 100 };
#define W7_LR 0.03

/* Params: two weights and two biases of the hidden units, two weights and the bias of the output. */
struct w7_data {
	double x[W7_SAMPLES], t[W7_SAMPLES], params[7];
};

/* The data of a workload, made anew; free() it. */
struct w0_data *w0_data(void);
struct w1_data *w1_data(void);
struct w2_data *w2_data(void);
struct w3_data *w3_data(void);
struct w4_data *w4_data(void);
struct w5_data *w5_data(void);
struct w6_data *w6_data(void);
struct w7_data *w7_data(void);

/* calloc that ends the program with a sentence where there is no memory. */
void *bench_alloc(size_t n, size_t size);

#endif
