/*
 * optimizer: what the author of an optimizer sees. One file in optim/, compiled as an op's is: once for
 * each real type and instruction set. It holds a comment (name, formula, source), the attributes, what is
 * computed once a step, in double, the step of n elements in the variant's type, and the table.
 */
#ifndef AUTOGRAD_OPTIMIZER_H
#define AUTOGRAD_OPTIMIZER_H

#include "op.h"

#include "file.h"
#include "model.h"

#if AD_BASE
#define AD_OPTIMIZER_SYMBOL(name) optimizer_##name
#else
#define AD_OPTIMIZER_SYMBOL(name) AD_VARIANT(optimizer_##name)
#endif

#if AD_LEVELS == 3
#define AD_OPTIMIZER_VARIANTS(name)                                                                \
	extern const struct optimizer optimizer_##name, optimizer_##name##_f64_0,                  \
		optimizer_##name##_f32_1, optimizer_##name##_f64_1, optimizer_##name##_f32_2;      \
	static const struct optimizer *const variants[] = {                                        \
		&optimizer_##name,         &optimizer_##name##_f64_0, &optimizer_##name##_f32_1,   \
		&optimizer_##name##_f64_1, &optimizer_##name##_f32_2, &optimizer_##name##_f64_1    \
	};
#else
#define AD_OPTIMIZER_VARIANTS(name)                                                                \
	extern const struct optimizer optimizer_##name, optimizer_##name##_f64_0;                  \
	static const struct optimizer *const variants[] = { &optimizer_##name,                     \
		                                            &optimizer_##name##_f64_0 };
#endif

/* The optimizer's table, the same text in every variant. */
#define AD_OPTIMIZER(optimizer_name, ...)                                                          \
	AD_OPTIMIZER_VARIANTS(optimizer_name)                                                      \
	extern const struct optimizer AD_OPTIMIZER_SYMBOL(optimizer_name);                         \
	const struct optimizer AD_OPTIMIZER_SYMBOL(optimizer_name) = {                             \
		.name = #optimizer_name,  .variants = variants, .attrs = attrs,                    \
		.attrs_size = sizeof(struct attrs), .check = check, .states = states,              \
		.prepare = prepare, .step = step, .squares = optimizer_squares, __VA_ARGS__        \
	}

/* The sum of the squares of n gradients: in double, as those of f32 can overflow, and in the same order
 * in every variant. */
static double optimizer_squares(size_t n, const void *gradients)
{
	enum { LANES = 32 };
	const ad_real *g = gradients;
	double sums[LANES] = { 0 }, sum = 0;
	size_t k = 0;

	if (n < LANES) {
		for (; k < n; k++)
			sum += (double)g[k] * g[k];
		return sum;
	}
	for (; k + LANES <= n; k += LANES)
#pragma omp simd
		for (size_t j = 0; j < LANES; j++)
			sums[j] += (double)g[k + j] * g[k + j];
	for (size_t j = 0; k + j < n; j++)
		sums[j] += (double)g[k + j] * g[k + j];
	for (size_t j = 0; j < LANES; j++)
		sum += sums[j];
	return sum;
}

#endif
