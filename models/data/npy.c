/*
 * npy: arrays in NumPy's format, one file for each input, plain or gzip; axis 0 counts the samples.
 *
 * Versions 1 to 3 of the format; elements f4, f8, i1 to i8, u1 to u4 or b1, little-endian, in C
 * order. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
#include "data.h"
#include "op.h"

#define MOST_HEADER 65536
#define PIECE 65536

struct array {
	char kind; /* f, i, u, b */
	int width; /* bytes of an element */
	int rank;
	size_t dims[AD_MAX_RANK + 1];
};

static bool need(struct reader *file, void *to, size_t size, char *error, size_t n)
{
	size_t got;

	if (!reader_read(file, to, size, &got, error, n))
		return false;
	return got == size ||
	       failure(error, n, "%s: ends too early: it is cut off or no npy file", file->path);
}

/* The value of a key of the header, a Python dictionary: what stands behind "'key':". */
static const char *field(const char *header, const char *key)
{
	char quoted[32];
	const char *at;

	snprintf(quoted, sizeof quoted, "'%s':", key);
	at = strstr(header, quoted);
	if (!at)
		return NULL;
	at += strlen(quoted);
	return at + strspn(at, " ");
}

static bool parse_type(const char *at, struct array *a)
{
	if (!at || *at++ != '\'' || (*at != '<' && *at != '|'))
		return false;
	a->kind = at[1];
	a->width = at[1] ? at[2] - '0' : 0;
	if (!at[1] || !at[2] || at[3] != '\'')
		return false;
	return (a->kind == 'f' && (a->width == 4 || a->width == 8)) ||
	       (a->kind == 'i' &&
	        (a->width == 1 || a->width == 2 || a->width == 4 || a->width == 8)) ||
	       (a->kind == 'u' && (a->width == 1 || a->width == 2 || a->width == 4)) ||
	       (a->kind == 'b' && a->width == 1);
}

static bool parse_shape(const char *at, struct array *a)
{
	if (!at || *at++ != '(')
		return false;
	for (a->rank = 0; *at && *at != ')'; a->rank++) {
		size_t digits = strspn(at, "0123456789");
		int64_t size = data_index(at, digits, (int64_t)1 << 48);

		if (size < 0 || a->rank > AD_MAX_RANK)
			return false;
		a->dims[a->rank] = (size_t)size;
		at += digits;
		at += strspn(at, ", ");
	}
	return *at == ')' && a->rank >= 1;
}

static bool read_header(struct reader *file, struct array *a, size_t *per, char *error, size_t n)
{
	unsigned char head[8], sizes[4] = { 0 };
	size_t length, bytes, total;
	char *header;
	bool ok;

	if (!need(file, head, 8, error, n))
		return false;
	if (memcmp(head, "\x93NUMPY", 6) != 0 || head[6] < 1 || head[6] > 3)
		return failure(error, n, "%s: is no npy file of version 1 to 3", file->path);
	if (!need(file, sizes, head[6] == 1 ? 2 : 4, error, n))
		return false;
	length = sizes[0] | (size_t)sizes[1] << 8 | (size_t)sizes[2] << 16 | (size_t)sizes[3] << 24;
	if (length > MOST_HEADER)
		return failure(error, n, "%s: its header has %zu bytes, more than %d", file->path,
		               length, MOST_HEADER);
	header = calloc(1, length + 1);
	if (!header)
		return failure_memory(error, n, file->path, length);
	ok = need(file, header, length, error, n);
	if (ok && !parse_type(field(header, "descr"), a))
		ok = failure(
		    error, n,
		    "%s: its elements are not little-endian f4, f8, i1 to i8, u1 to u4 or b1",
		    file->path);
	if (ok && (!field(header, "fortran_order") ||
	           strncmp(field(header, "fortran_order"), "False", 5) != 0))
		ok = failure(error, n, "%s: is not in C order; save numpy.ascontiguousarray of it",
		             file->path);
	if (ok && !parse_shape(field(header, "shape"), a))
		ok =
		    failure(error, n,
		            "%s: its shape has to have 1 to %d axes, of which the first counts the "
		            "samples",
		            file->path, AD_MAX_RANK + 1);
	free(header);
	*per = 1;
	for (int i = 1; ok && i < a->rank; i++)
		if (__builtin_mul_overflow(*per, a->dims[i], per))
			ok =
			    failure(error, n, "%s: the product of its sizes overflows", file->path);
	/* nothing is allocated that the file cannot hold */
	if (ok && (__builtin_mul_overflow(*per, a->dims[0], &total) ||
	           __builtin_mul_overflow(total, (size_t)a->width, &bytes) ||
	           bytes / (file->packed ? 1100 : 1) > file->size))
		ok = failure(error, n,
		             "%s: its header promises more data than a file of %llu bytes holds",
		             file->path, (unsigned long long)file->size);
	return ok;
}

static double element(const unsigned char *p, const struct array *a)
{
	uint64_t bits = 0;
	float single;
	double real;

	for (int k = a->width; k-- > 0;)
		bits = bits << 8 | p[k];
	if (a->kind == 'f' && a->width == 4) {
		memcpy(&single, &(uint32_t){ (uint32_t)bits }, sizeof single);
		return single;
	}
	if (a->kind == 'f') {
		memcpy(&real, &bits, sizeof real);
		return real;
	}
	if (a->kind != 'i')
		return (double)bits;
	return a->width == 1   ? (int8_t)bits
	       : a->width == 2 ? (int16_t)bits
	       : a->width == 4 ? (int32_t)bits
	                       : (double)(int64_t)bits;
}

static bool read_elements(struct reader *file, const struct array *a, struct column *c,
                          size_t count, char *error, size_t n)
{
	unsigned char piece[PIECE];
	size_t width = (size_t)a->width, extra;

	for (size_t done = 0, now; done < count; done += now) {
		now = count - done < PIECE / width ? count - done : PIECE / width;
		if (!need(file, piece, now * width, error, n))
			return false;
		for (size_t k = 0; k < now; k++) {
			double value = element(piece + k * width, a);
			const char *wrong = isfinite(value) ? column_put(c, done + k, value)
			                                    : "is not a finite number";

			if (wrong)
				return failure(error, n, "%s: sample %zu, element %zu: %g %s",
				               file->path, (done + k) / c->per, (done + k) % c->per,
				               value, wrong);
		}
	}
	if (!reader_read(file, piece, 1, &extra, error, n))
		return false;
	return extra == 0 ||
	       failure(error, n,
	               "%s: has bytes behind its last element; its header and its data do not "
	               "belong together",
	               file->path);
}

static bool read_column(const struct source *s, const struct yaml *from, struct dataset *to, int i,
                        char *error, size_t n)
{
	struct column *c = &to->columns[i];
	struct array a = { 0 };
	char *path = path_in(s->folder, from->text);
	struct reader file;
	size_t per = 0;
	bool ok;

	if (!path)
		return failure_memory(error, n, from->text, 0);
	if (!reader_open(&file, path, error, n)) {
		to->unreadable = true;
		free(path);
		return false;
	}
	ok = read_header(&file, &a, &per, error, n);
	for (int k = 0; ok && a.rank - 1 == c->shape.rank && k < c->shape.rank; k++)
		if (c->shape.dims[k] < 0)
			c->shape.dims[k] = (int64_t)a.dims[k + 1];
	ok = ok && column_fit(c, s, from->at, per, error, n);
	if (ok && i > 0 && a.dims[0] != to->n)
		ok = failure(error, n, "%s: has %zu samples, but the file of '%s' has %zu", path,
		             a.dims[0], to->columns[0].input, to->n);
	if (ok) {
		struct dataset one = { .n_columns = 1, .columns = c, .limit = to->limit };

		to->n = a.dims[0];
		ok = dataset_reserve(&one, to->n, error, n);
		to->unreadable |= one.unreadable;
		ok = ok && read_elements(&file, &a, c, to->n * per, error, n);
	}
	reader_close(&file);
	free(path);
	return ok;
}

static bool read(const struct source *s, struct dataset *to, char *error, size_t n)
{
	for (int i = 0; i < to->n_columns; i++) {
		const struct yaml *from = source_binding(s, to->columns[i].input);

		if (!from || from->kind != YAML_SCALAR)
			return source_refuse(s, from ? from->at : s->at, error, n,
			                     "input '%s' needs the path of an npy file",
			                     to->columns[i].input);
		if (!read_column(s, from, to, i, error, n))
			return false;
	}
	return true;
}

const struct format format_npy = {
	.name = "npy",
	.doc = "arrays in NumPy's format; one file for each input",
	.binds = true,
	.paths = true,
	.read = read,
};
