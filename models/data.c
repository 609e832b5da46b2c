/*
 * data: the samples of a model: read by their formats, split, mapped, fed.
 */
#include "data.h"
#include "engine.h"
#include "op.h"

#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <stdarg.h>

/* ---- numbers -------------------------------------------------------------------------------- */

static locale_t plain_locale;
static pthread_once_t plain_once = PTHREAD_ONCE_INIT;

static void make_plain_locale(void)
{
	plain_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* strtod for what the fast path cannot do exactly; text is known to be a decimal number. */
static const char *slow_number(const char *text, size_t length, double *value)
{
	char copy[512];

	if (length >= sizeof copy)
		return "is longer than a number can be";
	memcpy(copy, text, length);
	copy[length] = '\0';
	pthread_once(&plain_once, make_plain_locale);
	*value = plain_locale ? strtod_l(copy, NULL, plain_locale) : strtod(copy, NULL);
	return isfinite(*value) ? NULL : "is out of range";
}

const char *data_number(const char *text, size_t length, double *value)
{
	static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
		                         1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
		                         1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	const char *p = text, *end = text + length;
	bool negative = p < end && *p == '-';
	uint64_t mantissa = 0;
	int digits = 0, seen = 0, exponent = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	for (bool fraction = false; p < end; p++) {
		if (*p == '.' && !fraction) {
			fraction = true;
			continue;
		}
		if (*p < '0' || *p > '9')
			break;
		seen = 1;
		if (digits < 18) {
			mantissa = mantissa * 10 + (uint64_t)(*p - '0');
			digits += mantissa > 0;
			exponent -= fraction;
		} else {
			digits = 19; /* too many for the fast path */
		}
	}
	if (!seen)
		return "is not a number";
	if (p < end && (*p == 'e' || *p == 'E')) {
		int sign = 1, given = 0, number = 0;

		p++;
		if (p < end && (*p == '-' || *p == '+'))
			sign = *p++ == '-' ? -1 : 1;
		for (; p < end && *p >= '0' && *p <= '9'; p++, given = 1)
			number = number < 100000 ? number * 10 + (*p - '0') : number;
		if (!given)
			return "is not a number";
		exponent += sign * number;
	}
	if (p != end)
		return "is not a number";
	/* A whole number below 2^53 times or by an exact power of ten is rounded once: correctly. */
	if (digits < 19 && mantissa <= (uint64_t)1 << 53 && exponent >= -22 && exponent <= 22) {
		double whole = (double)mantissa;

		*value = exponent < 0 ? whole / powers[-exponent] : whole * powers[exponent];
		if (negative)
			*value = -*value;
		return NULL;
	}
	return slow_number(text, length, value);
}

int64_t data_index(const char *text, size_t length, int64_t limit)
{
	int64_t value = 0;

	if (length == 0)
		return -1;
	for (size_t k = 0; k < length; k++) {
		if (text[k] < '0' || text[k] > '9' || value > limit)
			return -1;
		value = value * 10 + (text[k] - '0');
	}
	return value > limit ? -1 : value;
}

const char *data_show(char shown[48], const char *text, size_t length)
{
	size_t n = length < 40 ? length : 40;

	for (size_t k = 0; k < n; k++)
		shown[k] = (unsigned char)text[k] < ' ' || text[k] == 0x7f ? '?' : text[k];
	if (length > n) {
		/* Not in the middle of a character. */
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
		memcpy(shown + n, "...", 3);
		n += 3;
	}
	shown[n] = '\0';
	return shown;
}

uint64_t data_random(uint64_t seed, enum data_stream kind, uint64_t step, uint64_t k, uint64_t below)
{
	/* The ordinals of random ops count from 0; those of data come from the other end. */
	ad_random key = { .seed = seed, .step = step, .ordinal = (uint32_t)kind };
	uint32_t out[4];

	ad_philox(key, k, out);
	return ((uint64_t)out[0] << 32 | out[1]) % below;
}

double data_uniform(uint64_t seed, enum data_stream kind, uint64_t step, uint64_t k)
{
	ad_random key = { .seed = seed, .step = step, .ordinal = (uint32_t)kind };
	uint32_t out[4];

	ad_philox(key, k, out);
	return (double)(((uint64_t)out[0] << 32 | out[1]) >> 11) * 0x1p-53;
}

void data_shuffle(uint64_t seed, enum data_stream kind, uint64_t step, size_t rows[], size_t n)
{
	for (size_t k = n; k > 1; k--) {
		size_t other = (size_t)data_random(seed, kind, step, k, k), row = rows[k - 1];

		rows[k - 1] = rows[other];
		rows[other] = row;
	}
}

/* ---- columns -------------------------------------------------------------------------------- */

size_t column_element(const struct column *c)
{
	static const size_t real[] = { [COLUMN_DOUBLES] = sizeof(double), [COLUMN_FLOATS] = sizeof(float),
		                       [COLUMN_BYTES] = 1 };

	return c->type == AD_REAL ? real[c->form] : c->type == AD_I32 ? sizeof(int32_t) : 1;
}

/* The values of the bytes at element j of a sample. */
static const double *table_of(const struct column *c, size_t j)
{
	return c->tables > 1 ? c->values + j / (c->per / c->tables) * 256 : c->values;
}

double column_value(const struct column *c, size_t k)
{
	if (c->type == AD_I32)
		return ((const int32_t *)c->data)[k];
	if (c->type == AD_BOOL)
		return ((const unsigned char *)c->data)[k];
	switch (c->form) {
	case COLUMN_BYTES:
		return table_of(c, k % c->per)[((const unsigned char *)c->data)[k]];
	case COLUMN_FLOATS:
		return (double)((const float *)c->data)[k];
	case COLUMN_DOUBLES:
		break;
	}
	return ((const double *)c->data)[k];
}

bool column_take_bytes(struct column *c, bool is_signed, char *error, size_t n)
{
	c->values = malloc(256 * sizeof *c->values);
	c->tables = 1;
	if (!c->values)
		return failure_memory(error, n, "samples", 0);
	for (int b = 0; b < 256; b++)
		c->values[b] = is_signed && b > 127 ? b - 256 : b;
	c->form = COLUMN_BYTES;
	return true;
}

/* Has a column of n samples lie in memory as doubles. */
static bool widen(struct column *c, size_t samples, char *error, size_t n)
{
	size_t total = samples * c->per;
	double *wide;

	if (c->form == COLUMN_DOUBLES)
		return true;
	wide = total <= SIZE_MAX / sizeof *wide ? malloc(total * sizeof *wide + 1) : NULL;
	if (!wide)
		return failure_memory(error, n, "samples", 0);
	for (size_t k = 0; k < total; k++)
		wide[k] = column_value(c, k);
	free(c->data);
	free(c->values);
	c->data = wide;
	c->values = NULL;
	c->form = COLUMN_DOUBLES;
	return true;
}

static bool refuse_real(const struct dataset *d, const struct column *c, size_t k, double value, char *error,
                        size_t n)
{
	char place[512];

	if (d->path)
		snprintf(place, sizeof place, "%s:%zu", d->path, d->places[k]);
	else
		snprintf(place, sizeof place, "data: sample %zu, counted from 0", d->places[k]);
	return failure(error, n, "%s: a value of '%s' is %g, beyond the range of f32; scale it, or set "
	               "train.precision to f64", place, c->input, value);
}

/* Has a column of doubles lie in memory as floats, which are what a model in f32 takes. */
static bool narrow(const struct dataset *d, struct column *c, char *error, size_t n)
{
	const double *wide = c->data;
	float *data = c->data, *smaller;

	/* from the front, each float lies before the doubles that are still to be read */
	for (size_t k = 0; k < d->n * c->per; k++) {
		double given = wide[k];
		float value = (float)given;

		if (isinf(value) && !isinf(given))
			return refuse_real(d, c, k / c->per, given, error, n);
		memcpy(data + k, &value, sizeof value);
	}
	smaller = realloc(data, d->n * c->per * sizeof *data + 1);
	c->data = smaller ? smaller : data;
	c->form = COLUMN_FLOATS;
	return true;
}

const char *column_put(struct column *c, size_t k, double value)
{
	switch (c->type) {
	case AD_REAL:
		((double *)c->data)[k] = value;
		return NULL;
	case AD_I32:
		if (value != floor(value))
			return "is not a whole number, and the input is of type i32";
		if (value < INT32_MIN || value > INT32_MAX)
			return "is out of the range of the input's type, i32";
		((int32_t *)c->data)[k] = (int32_t)value;
		return NULL;
	default:
		if (value != 0 && value != 1)
			return "is neither 0 nor 1, and the input is of type bool";
		((unsigned char *)c->data)[k] = (unsigned char)value;
		return NULL;
	}
}

bool dataset_reserve(struct dataset *d, size_t samples, char *error, size_t n)
{
	size_t total = 0, limit = d->limit ? d->limit : DATA_MAX_BYTES;

	d->unreadable = true;
	for (int i = 0; i < d->n_columns; i++) {
		size_t bytes;

		if (__builtin_mul_overflow(d->columns[i].per, column_element(&d->columns[i]), &bytes) ||
		    __builtin_mul_overflow(bytes, samples, &bytes) ||
		    __builtin_add_overflow(total, bytes, &total) || total > limit)
			return failure(error, n,
			               "%zu samples take more than the %zu bytes of memory that they may have",
			               samples, limit);
	}
	for (int i = 0; i < d->n_columns; i++) {
		struct column *c = &d->columns[i];
		size_t bytes = c->per * column_element(c) * samples;
		void *data = realloc(c->data, bytes ? bytes : 1);

		if (!data)
			return failure_memory(error, n, "samples", bytes);
		c->data = data;
	}
	d->unreadable = false;
	return true;
}

const struct yaml *source_binding(const struct source *s, const char *input)
{
	for (int i = 0; i < s->n_bindings; i++)
		if (strcmp(s->bindings[i].input, input) == 0)
			return s->bindings[i].from;
	return NULL;
}

bool source_refuse(const struct source *s, struct place at, char *error, size_t n,
                   const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (s->messages)
		return message_write(s->messages, E_DATA, at, text, error, n);
	return failure(error, n, "%s:%d:%d: error[E020]: %s", s->path ? s->path : "data", at.line, at.col,
	               text);
}

bool column_fit(struct column *c, const struct source *s, struct place at, size_t per, char *error,
                size_t n)
{
	size_t known = 1;
	int open = -1;

	for (int i = 0; i < c->shape.rank; i++) {
		if (c->shape.dims[i] < 0) {
			if (open >= 0)
				return source_refuse(s, at, error, n,
				                     "more than one size of a sample of '%s' is free", c->input);
			open = i;
		} else if (__builtin_mul_overflow(known, (size_t)c->shape.dims[i], &known)) {
			return source_refuse(s, at, error, n, "a sample of '%s' is too large", c->input);
		}
	}
	if (open < 0 ? known != per : known == 0 || per % known != 0) {
		char shape[128] = "[";
		size_t length = 1;

		/* As the file writes it, not as C does. */
		for (int i = 0; i < c->shape.rank && length < sizeof shape; i++)
			length += (size_t)snprintf(shape + length, sizeof shape - length,
			                           c->shape.dims[i] < 0 ? "%s?" : "%s%lld", i ? ", " : "",
			                           (long long)c->shape.dims[i]);
		return source_refuse(s, at, error, n,
		                     "the data has %zu %s for each sample of '%s', whose shape is %s]", per,
		                     per == 1 ? "value" : "values", c->input, shape);
	}
	if (open >= 0)
		c->shape.dims[open] = (int64_t)(per / known);
	c->per = per;
	return true;
}

void data_free_set(struct dataset *d)
{
	for (int i = 0; i < d->n_columns; i++) {
		free(d->columns[i].data);
		free(d->columns[i].values);
	}
	free(d->columns);
	free(d->path);
	free(d->places);
	free(d->classes);
	*d = (struct dataset){ 0 };
}

void data_free(struct parts *p)
{
	data_free_set(&p->train);
	data_free_set(&p->valid);
	data_free_set(&p->test);
}

static size_t set_bytes(const struct dataset *d)
{
	size_t bytes = 0;

	for (int i = 0; i < d->n_columns; i++)
		bytes += d->n * d->columns[i].per * column_element(&d->columns[i]);
	return bytes;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* An empty column for every input that is fed, with or without the targets. */
static bool make_columns(const ad_model *m, bool targets, struct dataset *to, char *error, size_t n)
{
	*to = (struct dataset){ .columns = calloc((size_t)m->n_inputs + 1, sizeof *to->columns) };
	if (!to->columns)
		return failure_memory(error, n, "columns", 0);
	for (int i = 0; i < m->n_inputs; i++) {
		const struct input *input = &m->inputs[i];
		struct column *c = &to->columns[to->n_columns];
		int skip = 0;

		if (input->scalar_leaf || (input->target && !targets))
			continue;
		if (m->batch_dim >= 0) {
			if (input->rank == 0 || input->dims[0] != -1 - m->batch_dim)
				return failure(error, n,
				               "%s:%d:%d: error[E020]: the first size of input '%s' has to be %s, "
				               "as of the other inputs, to be fed from data",
				               m->path, input->at.line, input->at.col, input->name,
				               m->dims[m->batch_dim]);
			skip = 1;
		}
		*c = (struct column){ .input = input->name, .type = input->type,
			              .target = input->target, .per = 1 };
		c->shape.rank = input->rank - skip;
		for (int k = 0; k < c->shape.rank; k++) {
			int64_t size = input->dims[k + skip];

			c->shape.dims[k] = size < 0 ? -1 : size;
			if (size < 0)
				c->per = 0;
		}
		if (c->per) {
			for (int k = 0; k < c->shape.rank; k++)
				if (__builtin_mul_overflow(c->per, (size_t)c->shape.dims[k], &c->per))
					return failure(error, n, "a sample of input '%s' is too large",
					               input->name);
		}
		to->n_columns++;
	}
	return true;
}

size_t data_bytes(const struct parts *p)
{
	return set_bytes(&p->train) + set_bytes(&p->valid) + set_bytes(&p->test);
}

/* `used` bytes of what the model may have are taken already. */
static bool read_source(const ad_model *m, const struct source *from, bool targets, size_t used,
                        struct dataset *to, char *error, size_t n)
{
	struct source s = *from;

	s.path = m->path;
	s.messages = m->messages;
	if (!make_columns(m, targets, to, error, n))
		return false;
	to->at = from->at;
	if (m->memory_limit && m->memory_limit < DATA_MAX_BYTES)
		to->limit = m->memory_limit > used ? m->memory_limit - used : 1;
	if (!s.format->read(&s, to, error, n)) {
		size_t length = error ? strlen(error) : 0;

		if (s.folder && length > 14 && *error != '/' && strcmp(error + length - 14, "check the path") == 0)
			snprintf(error + length, n - length, ", which starts at the folder of %s", s.path);
		return false;
	}
	if (to->n == 0)
		return source_refuse(&s, s.at, error, n, "the data has no samples");
	for (int i = 0; i < to->n_columns; i++)
		if (!to->columns[i].data)
			return source_refuse(&s, s.at, error, n, "the data has nothing for input '%s'",
			                     to->columns[i].input);
	if (to->places)
		return true;
	to->places = malloc(to->n * sizeof *to->places);
	if (!to->places)
		return failure_memory(error, n, "samples", to->n * sizeof *to->places);
	for (size_t k = 0; k < to->n; k++)
		to->places[k] = k;
	return true;
}

/* Copies samples rows[0..count-1] of from into a new set. */
static bool take(const struct dataset *from, const size_t rows[], size_t count, struct dataset *to,
                 char *error, size_t n)
{
	*to = (struct dataset){ .at = from->at, .columns = calloc((size_t)from->n_columns + 1, sizeof *to->columns) };
	if (!to->columns)
		return failure_memory(error, n, "columns", 0);
	for (; to->n_columns < from->n_columns; to->n_columns++) {
		struct column *c = &to->columns[to->n_columns];

		*c = from->columns[to->n_columns];
		c->data = NULL;
		if (!c->values)
			continue;
		c->values = malloc(c->tables * 256 * sizeof *c->values);
		if (!c->values)
			return failure_memory(error, n, "columns", 0);
		memcpy(c->values, from->columns[to->n_columns].values,
		       c->tables * 256 * sizeof *c->values);
	}
	to->places = malloc((count + 1) * sizeof *to->places);
	if (from->path)
		to->path = strdup(from->path);
	if (!to->places || (from->path && !to->path))
		return failure_memory(error, n, "samples", count * sizeof *to->places);
	if (from->limit)
		to->limit = from->limit > set_bytes(from) ? from->limit - set_bytes(from) : 1;
	if (!dataset_reserve(to, count, error, n))
		return false;
	for (size_t k = 0; k < count; k++)
		to->places[k] = from->places[rows[k]];
	to->n = count;
	for (int i = 0; i < to->n_columns; i++) {
		const struct column *c = &from->columns[i];
		size_t bytes = c->per * column_element(c);

		for (size_t k = 0; k < count; k++)
			memcpy((char *)to->columns[i].data + k * bytes,
			       (const char *)c->data + rows[k] * bytes, bytes);
	}
	return true;
}

static int by_number(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return (x > y) - (x < y);
}

/* Moves a fraction of from's samples to `to`: the last ones, or some at random, in file order. */
static bool split_off(struct dataset *from, const struct split *split, uint64_t seed, uint64_t which,
                      const char *name, struct dataset *to, char *error, size_t n)
{
	size_t count = (size_t)llround(split->fraction * (double)from->n);
	size_t *rows;
	struct dataset rest = { 0 };
	bool ok;

	if (!(split->fraction > 0 && split->fraction < 1) || count == 0 || count >= from->n)
		return failure(error, n,
		               "data: a part %g of %zu samples leaves nothing for '%s' or for what it is split "
		               "off; change 'split'",
		               split->fraction, from->n, name);
	rows = malloc(from->n * sizeof *rows);
	if (!rows)
		return failure_memory(error, n, "the split", from->n * sizeof *rows);
	for (size_t k = 0; k < from->n; k++)
		rows[k] = k;
	if (!split->tail) {
		size_t kept = from->n - count;

		data_shuffle(seed, STREAM_SPLIT, which, rows, from->n);
		qsort(rows, kept, sizeof *rows, by_number);
		qsort(rows + kept, count, sizeof *rows, by_number);
	}
	ok = take(from, rows + (from->n - count), count, to, error, n) &&
	     take(from, rows, from->n - count, &rest, error, n);
	free(rows);
	if (ok) {
		data_free_set(from);
		*from = rest;
	} else {
		data_free_set(&rest);
	}
	return ok;
}

static struct column *column_of(struct dataset *d, const char *input)
{
	for (int i = 0; i < d->n_columns; i++)
		if (strcmp(d->columns[i].input, input) == 0)
			return &d->columns[i];
	return NULL;
}

/* (x - shift[i]) * factor[i] for each element of stretch i, of `parts` equal ones of a sample, in doubles
 * or, with a table for each stretch, bytes. */
static void rescale(struct column *c, size_t samples, size_t parts, const double shift[],
                    const double factor[])
{
	bool bytes = c->form == COLUMN_BYTES;
	double *x = bytes ? c->values : c->data;
	size_t stretch = bytes ? 256 : c->per / parts, rounds = bytes ? c->tables / parts : samples;

	for (size_t k = 0; k < rounds; k++)
		for (size_t i = 0; i < parts; i++)
			for (size_t j = 0; j < stretch; j++, x++)
				*x = (*x - shift[i]) * factor[i];
}

/* The same by one shift and factor, or one for each of the first axis' parts. */
static bool rescale_parts(struct column *c, size_t samples, size_t parts, const double shift[],
                          const double factor[], char *error, size_t n)
{
	if (c->form == COLUMN_BYTES && parts > 1 && c->tables == 1 && parts <= MOST_TABLES) {
		double *more = realloc(c->values, parts * 256 * sizeof *more);

		if (!more)
			return failure_memory(error, n, "samples", 0);
		for (size_t i = 1; i < parts; i++)
			memcpy(more + 256 * i, more, 256 * sizeof *more);
		c->values = more;
		c->tables = parts;
	}
	if (c->form == COLUMN_BYTES && parts > 1 && c->tables == 1 && !widen(c, samples, error, n))
		return false;
	if (c->form == COLUMN_BYTES && parts == 1) {
		for (size_t k = 0; k < c->tables * 256; k++)
			c->values[k] = (c->values[k] - *shift) * *factor;
		return true;
	}
	rescale(c, samples, parts, shift, factor);
	return true;
}

/* Mean and 1 / standard deviation of every element over the samples; 0 where it never changes, so
 * that a constant pixel becomes 0 and stays without influence. */
static void measure_spread(const struct column *c, size_t samples, double mean[], double inverse[])
{
	const double *x = c->data;

	memset(mean, 0, c->per * sizeof *mean);
	memset(inverse, 0, c->per * sizeof *inverse);
	for (size_t k = 0; k < samples; k++)
		for (size_t j = 0; j < c->per; j++)
			mean[j] += (x[k * c->per + j] - mean[j]) / (double)(k + 1);
	for (size_t k = 0; k < samples; k++)
		for (size_t j = 0; j < c->per; j++) {
			double d = x[k * c->per + j] - mean[j];

			inverse[j] += d * d;
		}
	for (size_t j = 0; j < c->per; j++) {
		double std = sqrt(inverse[j] / (double)samples);

		/* What rounding makes of a constant is not a spread. */
		inverse[j] = std > 1e-12 * fabs(mean[j]) ? 1 / std : 0;
	}
}

static bool standardize(const ad_model *m, struct dataset *const sets[], int n_sets,
                        const char *input, char *error, size_t n)
{
	struct column *c = column_of(sets[0], input);
	double *mean, *inverse;
	bool ok;

	if (sets[0]->n == 0)
		return failure(error, n,
		               "%s: data: 'standardize' measures the train part, and there is none", m->path);
	if (!c)
		return failure(error, n, "%s: data: 'map' names '%s', which is not fed from data", m->path,
		               input);
	mean = calloc(c->per + 1, sizeof *mean);
	inverse = calloc(c->per + 1, sizeof *inverse);
	if (!mean || !inverse) {
		free(mean);
		free(inverse);
		return failure_memory(error, n, "standardize", c->per * sizeof *mean);
	}
	ok = widen(c, sets[0]->n, error, n);
	if (ok)
		measure_spread(c, sets[0]->n, mean, inverse);
	for (int i = 0; ok && i < n_sets; i++) {
		struct column *other = sets[i]->n ? column_of(sets[i], input) : NULL;

		if (other && other->per == c->per && (ok = widen(other, sets[i]->n, error, n)))
			rescale(other, sets[i]->n, c->per, mean, inverse); /* stretches of one */
	}
	free(mean);
	free(inverse);
	return ok;
}

static bool normalize(const ad_model *m, const struct map_step *step, struct column *c, size_t samples,
                      char *error, size_t n)
{
	double *factors = malloc((step->n + 1) * sizeof *factors);
	bool good;

	if (!factors)
		return failure_memory(error, n, "normalize", 0);
	if (step->n > 1 && (c->shape.rank == 0 || (size_t)c->shape.dims[0] != step->n)) {
		free(factors);
		return failure(error, n, "%s: data: normalize has %zu numbers for '%s', one for each part of "
		               "the first axis of a sample, which has %lld", m->path, step->n, c->input,
		               c->shape.rank ? (long long)c->shape.dims[0] : 0);
	}
	for (size_t k = 0; k < step->n; k++)
		factors[k] = 1 / step->std[k];
	good = rescale_parts(c, samples, step->n, step->mean, factors, error, n);
	free(factors);
	return good;
}

/* Applies the steps of `map` to all sets and gives them the form in which they are fed; sets[0] is the train part, from which it learns. */
static bool map(const ad_model *m, struct dataset *const sets[], int n_sets, char *error, size_t n)
{
	for (int k = 0; k < m->data.n_map; k++) {
		const struct map_step *step = &m->data.map[k];

		for (int i = 0; i < n_sets; i++) {
			struct column *c = sets[i]->n ? column_of(sets[i], step->input) : NULL;

			if (c && c->type != AD_REAL)
				return failure(error, n,
				               "%s: data: input '%s' is not of a real type and cannot be mapped",
				               m->path, step->input);
			if (!c || step->kind == MAP_STANDARDIZE)
				continue;
			if (!(step->kind == MAP_NORMALIZE ? normalize(m, step, c, sets[i]->n, error, n)
			                                  : rescale_parts(c, sets[i]->n, 1, &(double){ 0 },
			                                                  &step->scale, error, n)))
				return false;
		}
		if (step->kind == MAP_STANDARDIZE &&
		    !standardize(m, sets, n_sets, step->input, error, n))
			return false;
	}
	/* rounded once, after all steps */
	for (int i = 0; i < n_sets && !m->f64; i++)
		for (int k = 0; k < sets[i]->n_columns; k++) {
			struct column *c = &sets[i]->columns[k];

			if (c->type == AD_REAL && c->form == COLUMN_DOUBLES && !narrow(sets[i], c, error, n))
				return false;
		}
	return true;
}

/* The classes of two parts have the same numbers only if they have the same names. */
static bool same_classes(const ad_model *m, const struct dataset *a, const struct dataset *b, const char *part,
                         char *error, size_t n)
{
	if (!a->classes || !b->classes || strcmp(a->classes, b->classes) == 0)
		return true;
	return failure(error, n, "%s: data: the classes of '%s' are not those of 'train'; list all of them in both: "
	               "classes: [cat, dog]", m->path, part);
}

static bool read_parts(ad_model *m, struct parts *p, char *error, size_t n)
{
	const struct data_spec *d = &m->data;

	if ((d->has_train && !read_source(m, &d->train, true, 0, &p->train, error, n)) ||
	    (d->has_valid && !read_source(m, &d->valid, true, data_bytes(p), &p->valid, error, n)) ||
	    (d->has_test && !read_source(m, &d->test, true, data_bytes(p), &p->test, error, n)))
		return false;
	if (!same_classes(m, &p->train, &p->valid, "valid", error, n) ||
	    !same_classes(m, &p->train, &p->test, "test", error, n))
		return false;
	if (d->split_test.given) {
		if (p->train.n == 0)
			return failure(error, n, "%s: data: 'test' is split off 'train', and there is none",
			               m->path);
		if (!split_off(&p->train, &d->split_test, m->train.seed, 0, "test", &p->test, error, n))
			return false;
	}
	if (d->split_valid.given) {
		struct dataset *from = d->split_valid.of_test ? &p->test : &p->train;

		if (from->n == 0)
			return failure(error, n, "%s: data: 'valid' is split off '%s', and there is none",
			               m->path, d->split_valid.of_test ? "test" : "train");
		if (!split_off(from, &d->split_valid, m->train.seed, 1, "valid", &p->valid, error, n))
			return false;
	}
	return true;
}

bool data_read(ad_model *m, struct parts *to, char *error, size_t n)
{
	*to = (struct parts){ 0 };
	if (read_parts(m, to, error, n) &&
	    map(m, (struct dataset *const[]){ &to->train, &to->valid, &to->test }, 3, error, n))
		return true;
	to->unreadable = to->train.unreadable || to->valid.unreadable || to->test.unreadable;
	data_free(to);
	return false;
}

/* The format's struct with another file in it; NULL: it has none, or no memory. */
static void *attrs_with_file(const struct source *s, const char *path)
{
	for (const ad_attr *a = s->format->attrs; a && a->name; a++) {
		char *copy;

		if (a->type != AD_WORD || strcmp(a->name, "file") != 0)
			continue;
		copy = malloc(s->format->attrs_size);
		if (copy) {
			memcpy(copy, s->attrs, s->format->attrs_size);
			memcpy(copy + a->offset, &path, sizeof path);
		}
		return copy;
	}
	return NULL;
}

bool data_read_input(ad_model *m, const char *path, struct dataset *to, char *error, size_t n)
{
	struct source s = m->data.has_train ? m->data.train : m->data.test;
	struct parts parts = { 0 };
	bool learns = false, unreadable, ok;

	*to = (struct dataset){ 0 };
	if (!m->data.has_train && !m->data.has_test)
		return failure(error, n, "%s has no data, so the form of %s is not known", m->path, path);
	s.attrs = attrs_with_file(&s, path);
	s.folder = NULL;
	if (!s.attrs)
		return failure(error, n,
		               "the format of the model's data, %s, reads no file of that kind: give the "
		               "model a csv source", s.format->name);
	for (int k = 0; k < m->data.n_map; k++)
		learns |= m->data.map[k].kind == MAP_STANDARDIZE;
	ok = (!learns || read_parts(m, &parts, error, n)) && read_source(m, &s, false, data_bytes(&parts), to, error, n) &&
	     map(m, (struct dataset *const[]){ &parts.train, to }, 2, error, n);
	unreadable = to->unreadable || parts.train.unreadable || parts.valid.unreadable ||
	             parts.test.unreadable;
	free(s.attrs);
	data_free(&parts);
	if (!ok) {
		data_free_set(to);
		to->unreadable = unreadable;
	}
	return ok;
}

/* ---- feeding -------------------------------------------------------------------------------- */

static const struct input *input_named(const ad_model *m, const char *name, int *number)
{
	for (*number = 0; *number < m->n_inputs; ++*number)
		if (strcmp(m->inputs[*number].name, name) == 0)
			return &m->inputs[*number];
	return NULL;
}

bool data_dims(const ad_model *m, const struct dataset *d, size_t count, int64_t dims[], char *error,
               size_t n)
{
	for (int k = 0; k < m->n_dims; k++)
		dims[k] = k == m->batch_dim ? (int64_t)count : -1;
	for (int i = 0; d && i < d->n_columns; i++) {
		const struct column *c = &d->columns[i];
		int number, front;
		const struct input *input = input_named(m, c->input, &number);

		front = input ? input->rank - c->shape.rank : 0;
		for (int k = 0; input && k < c->shape.rank; k++) {
			int64_t dim = -1 - input->dims[k + front];

			if (dim < 0)
				continue;
			if (dims[dim] >= 0 && dims[dim] != c->shape.dims[k])
				return failure(error, n,
				               "%s: data: '%s' is %lld in the samples of '%s' but %lld in others",
				               m->path, m->dims[dim], (long long)c->shape.dims[k], c->input,
				               (long long)dims[dim]);
			dims[dim] = c->shape.dims[k];
		}
	}
	for (int k = 0; k < m->n_dims; k++)
		if (dims[k] < 0)
			return failure(error, n, "%s: the size of '%s' does not follow from the data", m->path,
			               m->dims[k]);
	return true;
}

/* Feeding so many values is worth a second thread. */
#define FEED_WORTH ((size_t)1 << 15)
#define FEED_PIECES 16

/* Samples of one column on their way into an input. */
struct feeding {
	const struct column *c;
	const size_t *rows;
	size_t count;
	bool f64;
	void *to;
	float floats[256 * MOST_TABLES]; /* the column's values, in the input's type */
};

/* Whether the samples lie in memory as the input takes them. */
static bool is_copied(const struct feeding *f)
{
	return f->c->type != AD_REAL || f->c->form == (f->f64 ? COLUMN_DOUBLES : COLUMN_FLOATS);
}

/* Asks for the samples of row k, which may lie anywhere; what is longer the processor asks for itself. */
static void expect_row(const struct feeding *f, size_t k)
{
	size_t bytes = f->c->per * column_element(f->c);
	const char *row = (const char *)f->c->data + f->rows[k] * bytes;

	for (size_t at = 0; at < bytes && at < 4096; at += 64)
		__builtin_prefetch(row + at);
}

static void feed_row(const struct feeding *f, size_t k)
{
	const struct column *c = f->c;
	size_t bytes = c->per * column_element(c), from = f->rows[k] * c->per, to = k * c->per;

	if (k + 1 < f->count)
		expect_row(f, k + 1);
	if (is_copied(f)) {
		memcpy((char *)f->to + k * bytes, (const char *)c->data + f->rows[k] * bytes, bytes);
	} else if (c->form == COLUMN_BYTES && !f->f64) {
		const unsigned char *x = (const unsigned char *)c->data + from;
		float *restrict y = (float *)f->to + to;
		size_t stretch = c->per / c->tables;

		for (size_t i = 0; i < c->tables; i++, x += stretch, y += stretch) {
			const float *floats = f->floats + 256 * i;

#pragma GCC unroll 8
			for (size_t j = 0; j < stretch; j++)
				y[j] = floats[x[j]];
		}
	} else {
		for (size_t j = 0; j < c->per; j++)
			if (f->f64)
				((double *)f->to)[to + j] = column_value(c, from + j);
			else
				((float *)f->to)[to + j] = (float)column_value(c, from + j);
	}
}

static void feed_piece(void *context, size_t i)
{
	const struct feeding *f = context;

	for (size_t k = f->count * i / FEED_PIECES; k < f->count * (i + 1) / FEED_PIECES; k++)
		feed_row(f, k);
}

bool data_feed(ad_model *m, struct instance *in, const struct dataset *d, const size_t rows[],
               size_t count)
{
	for (int i = 0; i < d->n_columns; i++) {
		const struct column *c = &d->columns[i];
		struct feeding f = { .c = c, .rows = rows, .count = count, .f64 = m->f64 };
		int number;
		ad_node *x = input_named(m, c->input, &number) ? in->inputs[number] : NULL;

		if (!x)
			continue;
		if (ad_count(x) != c->per * count || ad_type_of(x) != c->type) {
			ad_fail(m->graph, AD_ERROR_SHAPE,
			        "input '%s' takes %zu values, but %zu samples have %zu", c->input, ad_count(x),
			        count, c->per * count);
			return false;
		}
		f.to = ad_write(x);
		if (!f.to && c->per * count > 0)
			return false;
		for (size_t b = 0; c->values && b < 256 * c->tables; b++)
			f.floats[b] = (float)c->values[b];
		if (c->per * count >= FEED_WORTH)
			pool_run(FEED_PIECES, feed_piece, &f);
		else
			for (size_t k = 0; k < count; k++)
				feed_row(&f, k);
	}
	return true;
}

/* ---- augmenting ----------------------------------------------------------------------------- */

/* A picture, moved by `down` and `right` against its frame: what comes in from outside is 0. */
static void shift_picture(const char *from, char *to, int64_t height, int64_t width, size_t size,
                          int64_t down, int64_t right)
{
	int64_t first = right > 0 ? right : 0, last = right < 0 ? width + right : width;

	memset(to, 0, (size_t)(height * width) * size);
	for (int64_t y = 0; y < height && first < last; y++)
		if (y >= down && y - down < height)
			memcpy(to + (size_t)(y * width + first) * size,
			       from + (size_t)((y - down) * width + first - right) * size,
			       (size_t)(last - first) * size);
}

static void mirror_picture(const char *from, char *to, int64_t height, int64_t width, size_t size)
{
	for (int64_t y = 0; y < height; y++)
		for (int64_t x = 0; x < width; x++)
			memcpy(to + (size_t)(y * width + x) * size,
			       from + (size_t)(y * width + width - 1 - x) * size, size);
}

bool data_augment(ad_model *m, struct instance *in, uint64_t batch)
{
	uint64_t seed = m->train.seed, number = 0;

	for (int k = 0; k < m->data.n_augment; k++) {
		const struct augment_step *step = &m->data.augment[k];
		int input;
		ad_node *node = input_named(m, step->input, &input) ? in->inputs[input] : NULL;
		ad_shape shape = node ? ad_shape_of(node) : AD_SHAPE(0);
		int64_t height, width, samples = m->batch_dim >= 0 && shape.rank ? shape.dims[0] : 1;
		size_t size = m->f64 ? sizeof(double) : sizeof(float), picture, per;
		char *data, *room;

		if (!node || ad_count(node) == 0)
			continue;
		height = shape.dims[shape.rank - 2];
		width = shape.dims[shape.rank - 1];
		picture = (size_t)(height * width) * size;
		per = ad_count(node) * size / (size_t)samples;
		data = ad_write(node);
		room = malloc(picture);
		if (!data || !room) {
			free(room);
			ad_fail(m->graph, AD_ERROR_MEMORY, "no memory to augment '%s'", step->input);
			return false;
		}
		for (int64_t i = 0; i < samples; i++, number++) {
			uint64_t sides = 2 * (uint64_t)step->pad + 1;
			int64_t down = 0, right = 0;

			if (step->kind == AUGMENT_FLIP) {
				if (data_uniform(seed, STREAM_AUGMENT, batch, 2 * number) >= step->p)
					continue;
			} else {
				down = (int64_t)data_random(seed, STREAM_AUGMENT, batch, 2 * number, sides) -
				       step->pad;
				right = (int64_t)data_random(seed, STREAM_AUGMENT, batch, 2 * number + 1,
				                             sides) - step->pad;
			}
			for (size_t at = 0; at < per; at += picture) {
				char *one = data + (size_t)i * per + at;

				if (step->kind == AUGMENT_FLIP)
					mirror_picture(one, room, height, width, size);
				else
					shift_picture(one, room, height, width, size, down, right);
				memcpy(one, room, picture);
			}
		}
		free(room);
	}
	return true;
}
