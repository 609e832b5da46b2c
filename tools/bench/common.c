/*
 * common: what the workloads of this project share.
 */
#include "common.h"
#include "data.h"

#include <stdio.h>
#include <stdlib.h>

void bench_require(ad_graph *g)
{
	if (ad_status_of(g) == AD_OK)
		return;
	fprintf(stderr, "bench: %s\n", ad_errmsg(g));
	exit(1);
}

void bench_bf16(ad_graph *g)
{
	const char *missing = ad_bf16_missing(g);

	if (missing) {
		printf("absent: %s\n", missing);
		exit(0);
	}
	ad_set_precision(g, AD_BF16);
}

ad_node *bench_param(ad_graph *g, const char *name, ad_shape shape, const float *values)
{
	ad_node *p = ad_param(g, name, shape);

	if (values)
		ad_set_f32(p, values, ad_count(p));
	bench_require(g);
	return p;
}
