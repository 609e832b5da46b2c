/*
 * cifar10: the pictures of CIFAR-10 in its binary version, of 3 x 32 x 32 bytes, with a class each.
 *
 * data_batch_1.bin to data_batch_5.bin and test_batch.bin: records of one byte, the class, and the red, the
 * green and the blue values, row by row. (A. Krizhevsky, "Learning multiple layers of features from tiny
 * images", 2009; www.cs.toronto.edu/~kriz/cifar.html.) A file may have fewer records than the original's
 * 10000, and a train part fewer files.
 */
#include "data.h"
#include "op.h"

#include <unistd.h>

#define PICTURE ((size_t)3 * 32 * 32)
#define MOST_RECORDS 1000000 /* of one file */

struct attrs {
	const char *dir, *part;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, dir, AD_WORD, NULL, "folder of the files", NULL),
	AD_ATTR(struct attrs, part, AD_WORD, "train", "the five files to learn from, or the one to test with",
	        "train test"),
	{ 0 }
};

static bool put_record(const struct source *s, struct dataset *to, const unsigned char *record, size_t k,
                       char *error, size_t n)
{
	for (int i = 0; i < to->n_columns; i++) {
		struct column *c = &to->columns[i];
		const char *wrong = NULL;

		if (!c->target && c->form == COLUMN_BYTES)
			memcpy((unsigned char *)c->data + k * PICTURE, record + 1, PICTURE);
		else
			for (size_t j = 0; j < c->per && !wrong; j++)
				wrong = column_put(c, k * c->per + j, record[c->target ? 0 : 1 + j]);
		if (wrong)
			return source_refuse(s, s->at, error, n, "cifar10: '%s': a value %s", c->input, wrong);
	}
	return true;
}

/* Adds the records of one file. */
static bool read_file(const struct source *s, const char *path, struct dataset *to, char *error, size_t n)
{
	unsigned char record[1 + PICTURE];
	struct reader file;
	size_t room = to->n, got;
	bool ok = true;

	if (!reader_open(&file, path, error, n)) {
		to->unreadable = true;
		return false;
	}
	while (ok && (ok = reader_read(&file, record, sizeof record, &got, error, n)) && got > 0) {
		if (got < sizeof record || record[0] > 9) {
			ok = failure(error, n, "%s: record %zu %s; is it a file of CIFAR-10 in the binary version?",
			             path, to->n, got < sizeof record ? "is cut off" : "has a class above 9");
			break;
		}
		if (to->n == room) {
			room = to->n + 10000;
			ok = room <= 5 * MOST_RECORDS ? dataset_reserve(to, room, error, n)
			                              : failure(error, n, "%s: has too many records", path);
		}
		ok = ok && put_record(s, to, record, to->n, error, n);
		to->n += ok;
	}
	reader_close(&file);
	return ok;
}

static bool read_part(const struct source *s, struct dataset *to, char *error, size_t n)
{
	const struct attrs *a = s->attrs;
	bool test = strcmp(a->part, "test") == 0;
	size_t files = 0;

	for (int i = 0; i < to->n_columns; i++) {
		struct column *c = &to->columns[i];

		if (!c->target && c->shape.rank == 3)
			for (int k = 0; k < 3; k++)
				if (c->shape.dims[k] < 0)
					c->shape.dims[k] = k ? 32 : 3;
		if (!column_fit(c, s, s->at, c->target ? 1 : PICTURE, error, n))
			return false;
		if (!c->target && c->type == AD_REAL && !column_take_bytes(c, false, error, n))
			return false;
	}
	for (int k = 1; k <= (test ? 1 : 5); k++) {
		char name[32], *folder = path_in(s->folder, a->dir), *path;
		bool there, ok;

		snprintf(name, sizeof name, test ? "test_batch.bin" : "data_batch_%d.bin", k);
		path = folder ? path_in(folder, name) : NULL;
		free(folder);
		if (!path)
			return failure_memory(error, n, name, 0);
		there = access(path, F_OK) == 0;
		ok = k > 1 && !there ? true : read_file(s, path, to, error, n);
		files += there;
		free(path);
		if (!ok)
			return false;
	}
	return files > 0;
}

const struct format format_cifar10 = {
	.name = "cifar10",
	.doc = "the pictures of CIFAR-10, binary version",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.read = read_part,
};
