/*
 * picture: PNG files as arrays of samples.
 */
#ifndef AUTOGRAD_PICTURE_H
#define AUTOGRAD_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As the file's first chunk says, palettes and small grey values resolved. */
struct picture {
	uint32_t width, height;
	int channels;        /* grey, grey and alpha, RGB, RGB and alpha: 1 to 4 */
	int depth;           /* 8 or 16 bits a sample */
	unsigned char *data; /* row by row, the channels of a pixel together, 16 bits big-endian; NULL: not read */
};

/* The sizes of a PNG file; its pixels too, where data is asked for, by malloc. A file whose header promises
 * more than its bytes can hold is refused before anything is allocated; most: bytes that the pixels may take.
 * *unreadable: it could not be opened. False: a sentence in error. */
bool picture_read(const char *path, bool data, size_t most, struct picture *to, bool *unreadable, char *error,
                  size_t n);

#endif
