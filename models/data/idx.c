/*
 * idx: arrays in the format of the MNIST files, plain or gzip; one file for each input.
 *
 * Big-endian: 0, 0, element type, rank; the sizes as 32-bit numbers; the elements. The first size counts
 * samples. (Y. LeCun, C. Cortes, C. Burges, "The MNIST database", 1998.)
 */
#include "data.h"
#include "op.h"

#define PIECE ((size_t)1 << 16)
#define MOST_PACKED 1032 /* deflate makes no more than this of a byte */

/* Bytes of one element by type code; 0: no such type. */
static size_t size_of(int type)
{
	return type == 0x08 || type == 0x09 ? 1 : type == 0x0b ? 2
	     : type == 0x0c || type == 0x0d ? 4 : type == 0x0e ? 8 : 0;
}

static double element(const unsigned char *p, int type)
{
	uint64_t bits = 0;
	float single;
	double real;

	for (size_t k = 0; k < size_of(type); k++)
		bits = bits << 8 | p[k];
	switch (type) {
	case 0x08:
		return (double)bits;
	case 0x09:
		return (int8_t)bits;
	case 0x0b:
		return (int16_t)bits;
	case 0x0c:
		return (int32_t)bits;
	case 0x0d:
		memcpy(&single, &(uint32_t){ (uint32_t)bits }, sizeof single);
		return single;
	default:
		memcpy(&real, &bits, sizeof real);
		return real;
	}
}

/* Reads exactly so many bytes. */
static bool need(struct reader *file, void *to, size_t size, char *error, size_t n)
{
	size_t got;

	if (!reader_read(file, to, size, &got, error, n))
		return false;
	return got == size ||
	       failure(error, n, "%s: ends too early: it is cut off or no IDX file", file->path);
}

/* The header: type, and the sizes, of which sizes[0] counts samples. */
static bool read_header(struct reader *file, int *type, int *rank, uint32_t sizes[AD_MAX_RANK + 1], size_t *per,
                        char *error, size_t n)
{
	unsigned char head[4], raw[4];
	size_t total;

	if (!need(file, head, 4, error, n))
		return false;
	if (head[0] || head[1] || !size_of(head[2]) || head[3] == 0 || head[3] > AD_MAX_RANK + 1)
		return failure(error, n,
		               "%s: begins with the magic number %02x %02x %02x %02x, but an IDX file with 00 "
		               "00, an element type (08, 09, 0b to 0e) and a rank (01 to %02x)", file->path,
		               head[0], head[1], head[2], head[3], AD_MAX_RANK + 1);
	*type = head[2];
	*rank = head[3];
	*per = 1;
	for (int k = 0; k < *rank; k++) {
		if (!need(file, raw, 4, error, n))
			return false;
		sizes[k] = (uint32_t)raw[0] << 24 | (uint32_t)raw[1] << 16 | (uint32_t)raw[2] << 8 | raw[3];
		if (k > 0 && __builtin_mul_overflow(*per, (size_t)sizes[k], per))
			return failure(error, n, "%s: the product of its sizes overflows", file->path);
	}
	/* Nothing is allocated that the file cannot hold. */
	if (__builtin_mul_overflow(*per, (size_t)sizes[0], &total) ||
	    __builtin_mul_overflow(total, size_of(*type), &total) ||
	    total > (file->packed ? MOST_PACKED * file->size : file->size))
		return failure(error, n, "%s: its header promises more data than a file of %llu bytes holds",
		               file->path, (unsigned long long)file->size);
	return true;
}

static bool read_elements(struct reader *file, int type, struct column *c, size_t count, char *error,
                          size_t n)
{
	unsigned char *piece = malloc(PIECE);
	size_t width = size_of(type), done = 0, extra;
	bool ok = piece || failure_memory(error, n, file->path, PIECE);

	if (ok && c->form == COLUMN_BYTES) {
		ok = need(file, c->data, count, error, n);
		done = count;
	}
	while (ok && done < count) {
		size_t now = count - done < PIECE / width ? count - done : PIECE / width;

		ok = need(file, piece, now * width, error, n);
		for (size_t k = 0; ok && k < now; k++) {
			double value = element(piece + k * width, type);
			const char *wrong = isfinite(value) ? column_put(c, done + k, value)
			                                    : "is not a finite number";

			if (wrong)
				ok = failure(error, n, "%s: sample %zu, element %zu: %g %s", file->path,
				             (done + k) / c->per, (done + k) % c->per, value, wrong);
		}
		done += now;
	}
	ok = ok && reader_read(file, piece, 1, &extra, error, n);
	if (ok && extra)
		ok = failure(error, n, "%s: has bytes behind its last element; its header and its data do not "
		             "belong together", file->path);
	free(piece);
	return ok;
}

static bool read_column(const struct source *s, const struct yaml *from, struct dataset *to, int i,
                        char *error, size_t n)
{
	struct column *c = &to->columns[i];
	char *path = path_in(s->folder, from->text);
	struct reader file;
	uint32_t sizes[AD_MAX_RANK + 1];
	size_t per = 0;
	int type = 0, rank = 0;
	bool ok;

	if (!path)
		return failure_memory(error, n, from->text, 0);
	if (!reader_open(&file, path, error, n)) {
		to->unreadable = true;
		free(path);
		return false;
	}
	ok = read_header(&file, &type, &rank, sizes, &per, error, n);
	/* Sizes that the shape leaves open are those of the file, if both have as many. */
	for (int k = 0; ok && rank - 1 == c->shape.rank && k < c->shape.rank; k++)
		if (c->shape.dims[k] < 0)
			c->shape.dims[k] = sizes[k + 1];
	ok = ok && column_fit(c, s, from->at, per, error, n);
	if (ok && i > 0 && sizes[0] != to->n)
		ok = failure(error, n, "%s: has %u samples, but the file of '%s' has %zu", path, sizes[0],
		             to->columns[0].input, to->n);
	if (ok) {
		struct dataset one = { .n_columns = 1, .columns = c, .limit = to->limit };

		to->n = sizes[0];
		if (c->type == AD_REAL && size_of(type) == 1)
			ok = column_take_bytes(c, type == 0x09, error, n);
		ok = ok && dataset_reserve(&one, to->n, error, n);
		to->unreadable |= one.unreadable;
		ok = ok && read_elements(&file, type, c, to->n * per, error, n);
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
			                     "input '%s' needs the path of an IDX file", to->columns[i].input);
		if (!read_column(s, from, to, i, error, n))
			return false;
	}
	return true;
}

const struct format format_idx = {
	.name = "idx",
	.doc = "arrays in the format of the MNIST files, plain or gzip; one file for each input",
	.binds = true,
	.paths = true,
	.read = read,
};
