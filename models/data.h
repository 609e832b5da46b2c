/*
 * data: what the formats in data/ share.
 */
#ifndef AUTOGRAD_DATA_H
#define AUTOGRAD_DATA_H

#include "file.h"
#include "model.h"

/* No set may take more memory than this, whatever a file says of itself. */
#define DATA_MAX_BYTES ((size_t)1 << 36)

enum { E_DATA = 20 }; /* E020, the error of a declaration that its data does not fit */

/* A decimal number, the same in every locale; no nan, inf or hexadecimal. NULL, or what is wrong:
 * "is not a number", "is out of range". */
const char *data_number(const char *text, size_t length, double *value);

/* A whole number from 0 to limit, or -1. */
int64_t data_index(const char *text, size_t length, int64_t limit);

/* Text from a file for use in a sentence: short, and without control characters. */
const char *data_show(char shown[48], const char *text, size_t length);

/* Settles the sizes that the shape leaves open, given that a sample has `per` elements, or refuses a
 * sample that does not fit. */
bool column_fit(struct column *c, const struct source *s, struct place at, size_t per, char *error,
                size_t n);

/* Makes room for so many samples in every column of a set. */
bool dataset_reserve(struct dataset *d, size_t samples, char *error, size_t n);

/* Has the column, of reals, lie in memory as bytes; byte b stands for b, or for (signed char)b. */
bool column_take_bytes(struct column *c, bool is_signed, char *error, size_t n);

/* Sets element k of the column, which is not in bytes. NULL, or what is wrong with the value: "is not a whole number, ...". */
const char *column_put(struct column *c, size_t k, double value);
size_t column_element(const struct column *c); /* bytes of one element */

/* What an input (or tree) is bound to; NULL: to nothing. */
const struct yaml *source_binding(const struct source *s, const char *input);

/* Refuses what the declaration says at a place of it. */
bool source_refuse(const struct source *s, struct place at, char *error, size_t n,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Random whole numbers for the data: below `below`, number k of a stream. Streams of different kinds
 * and steps are independent. */
enum data_stream { STREAM_SPLIT = -16, STREAM_SHUFFLE, STREAM_DRAW, STREAM_MADE, STREAM_CHECK, STREAM_AUGMENT,
                   STREAM_SWEEP };
uint64_t data_random(uint64_t seed, enum data_stream kind, uint64_t step, uint64_t k, uint64_t below);
double data_uniform(uint64_t seed, enum data_stream kind, uint64_t step, uint64_t k); /* [0, 1) */

/* Puts rows[0..n-1] into a random order. */
void data_shuffle(uint64_t seed, enum data_stream kind, uint64_t step, size_t rows[], size_t n);

#endif
