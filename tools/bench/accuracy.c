/*
 * accuracy: the largest error of every element-wise kernel, in ulp, over a few million arguments.
 *   accuracy [ARGUMENTS]
 */
#include "accuracy.h"

int main(int n, char *words[])
{
	size_t count = n > 1 ? (size_t)strtoull(words[1], NULL, 10) : 2000000;
	int status = 0;

	printf("%-34s %9s %9s %9s   %s\n", "op", "f32", "f64", "stated", "the larger of both, at");
	for (int k = 0; k < ACCURACY_CASES; k++) {
		const struct accuracy_case *c = &accuracy_cases[k];
		double stated = accuracy_stated(c->op);
		struct accuracy f32, f64 = { .worst = 0 }, *worse;
		char name[64];

		if (!accuracy_measure(c, false, count, &f32) ||
		    (LDBL_MANT_DIG > DBL_MANT_DIG && !accuracy_measure(c, true, count, &f64))) {
			fprintf(stderr, "accuracy: %s cannot be called\n", c->op);
			return 1;
		}
		worse = f64.worst > f32.worst ? &f64 : &f32;
		snprintf(name, sizeof name, "%s%s%s", c->op, c->attrs ? " " : "",
		         c->attrs ? c->attrs : "");
		printf("%-34s %9.3f %9.3f %9g  ", name, f32.worst, f64.worst, stated);
		for (int i = 0; i < c->n_in; i++)
			printf(" %.9g", worse->at[i]);
		printf(" -> %.9g, not %.9g%s\n", worse->have, worse->want,
		       worse->worst <= stated ? "" : "  ABOVE WHAT IS STATED");
		status |= !(worse->worst <= stated);
	}
	return status;
}
