/*
 * size: sizes and shapes as text, with the free dims by name.
 *
 * In the check the sizes of free dims are large primes, so that a size can be printed back as "B"
 * or "2*B".
 */
#include "language.h"

#include <stdlib.h>
#include <string.h>

/* n as text where it is near to a multiple of a free dim, "T - 1"; false if it is not. */
static bool near_text(struct recording *r, int64_t n, char *text, size_t room)
{
	const int64_t *primes = r->model->build->primes;

	for (int k = 0; k < r->model->n_dims; k++) {
		int64_t times = (n + primes[k] / 2) / primes[k], rest = n - times * primes[k];
		char factor[32] = "";

		if (times <= 0 || times > 64 || rest == 0 || rest < -NEAR_DIM || rest > NEAR_DIM)
			continue;
		if (times > 1)
			snprintf(factor, sizeof factor, "%lld*", (long long)times);
		snprintf(text, room, "%s%s %c %lld", factor, r->model->dims[k], rest < 0 ? '-' : '+',
		         (long long)llabs(rest));
		return true;
	}
	return false;
}

/* n = rest * product of free dims as text "2*B*T", "(T - 1)*B"; false if it is no such product. */
static bool product_text(struct recording *r, int64_t n, char *text, size_t room)
{
	const int64_t *primes = r->model->build->primes;
	size_t used = 0;
	char names[256] = "", near[150];

	for (int k = 0; k < r->model->n_dims; k++) {
		for (int times = 0; n % primes[k] == 0 && times < 8; times++) {
			used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
			                         used ? "*" : "", r->model->dims[k]);
			if (used >= sizeof names)
				return false;
			n /= primes[k];
		}
	}
	if (n == 1 && used)
		snprintf(text, room, "%s", names);
	else if (used && near_text(r, n, near, sizeof near))
		snprintf(text, room, "(%s)*%s", near, names);
	else if (used)
		snprintf(text, room, "%lld*%s", (long long)n, names);
	else
		snprintf(text, room, "%lld", (long long)n);
	return used > 0;
}

const char *dim_text(struct recording *r, int64_t dim)
{
	char text[300];
	const int64_t *primes = r->messages ? r->model->build->primes : NULL;

	snprintf(text, sizeof text, "%lld", (long long)dim);
	if (primes && dim < 0 && dim > INT64_MIN && is_free(r, -dim))
		return store_text(r->store, "-%s", dim_text(r, -dim));
	if (!primes || dim <= 0 || product_text(r, dim, text, sizeof text))
		return store_text(r->store, "%s", text);
	/* B // 2, (B + 1) // 2, (B + 1) // 2 // 2: how they were rounded is not to be seen */
	for (int k = 0; k < r->model->n_dims; k++)
		for (int64_t by = 2; by <= 16; by++)
			if (dim == primes[k] / by || dim == primes[k] / by + 1)
				return store_text(r->store, "about %s/%lld", r->model->dims[k], (long long)by);
	near_text(r, dim, text, sizeof text);
	return store_text(r->store, "%s", text);
}

const char *shape_text(struct recording *r, ad_shape shape)
{
	const char *text = "[";

	for (int i = 0; i < shape.rank; i++)
		text =
		    store_text(r->store, "%s%s%s", text, i ? ", " : "", dim_text(r, shape.dims[i]));
	return store_text(r->store, "%s]", text);
}

/* The engine's sentence with "(100003, 784)" as "[B, 784]". */
const char *sizes_by_name(struct recording *r, const char *text)
{
	char *out = store_take(r->store, strlen(text) * 40 + 1), *to = out;
	bool inside = false;

	while (*text) {
		size_t digits = strspn(text, "0123456789");

		if (digits > 0) {
			to = digits < 19 ? stpcpy(to, dim_text(r, strtoll(text, NULL, 10)))
			                 : mempcpy(to, text, digits);
			text += digits;
			continue;
		}
		if (*text == '(' && to > out && to[-1] == ' ' &&
		    text[1 + strspn(text + 1, "0123456789, -")] == ')') {
			inside = true;
			*to++ = '[';
		} else if (*text == ')' && inside) {
			inside = false;
			*to++ = ']';
		} else if (!(*text == ',' && text[1] == ')' && inside)) {
			*to++ = *text;
		}
		text++;
	}
	*to = '\0';
	return out;
}

bool is_free(struct recording *r, int64_t size)
{
	/* no primes: the inputs are being declared */
	for (int k = 0; k < r->model->n_dims && r->messages && r->model->build->primes; k++)
		if (size > 0 && size % r->model->build->primes[k] == 0)
			return true;
	return false;
}

bool same_shape(ad_shape a, ad_shape b)
{
	bool same = a.rank == b.rank;

	for (int i = 0; same && i < a.rank; i++)
		same = a.dims[i] == b.dims[i];
	return same;
}
