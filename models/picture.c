/*
 * picture: reads PNG files through libpng. (PNG Specification, second edition, ISO/IEC 15948:2004.)
 *
 * libpng ends a call that fails by longjmp: what is live across it stands in struct reading.
 */
#include "picture.h"

#include "file.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

#define MOST_PACKED 1032 /* deflate makes no more than this of a byte */
#define MOST_SIDE 0x7fffffff
#define MOST_CHUNK 8000000 /* bytes of a chunk that is not pixels */

struct reading {
	struct reader file;
	png_structp png;
	png_infop info;
	png_bytepp rows;
	char *error;
	size_t n;
};

static void on_error(png_structp png, png_const_charp reason)
{
	struct reading *r = png_get_error_ptr(png);

	/* else the reader has said more */
	if (!*r->error)
		failure(r->error, r->n, "%s: is damaged: %s; get the file again", r->file.path, reason);
	png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp reason)
{
	(void)png, (void)reason;
}

static void on_read(png_structp png, png_bytep to, size_t size)
{
	struct reading *r = png_get_io_ptr(png);
	size_t got;

	if (reader_read(&r->file, to, size, &got, r->error, r->n) && got < size)
		failure(r->error, r->n, "%s: ends too early: it is cut off; get the file again", r->file.path);
	if (*r->error)
		png_error(png, "");
}

static bool check_signature(struct reading *r)
{
	unsigned char head[8] = { 0 };
	size_t got;

	if (!reader_read(&r->file, head, sizeof head, &got, r->error, r->n))
		return false;
	if (got == sizeof head && png_sig_cmp(head, 0, sizeof head) == 0)
		return true;
	return failure(r->error, r->n, "%s: is not a PNG picture%s", r->file.path,
	               got == 0                                     ? ": it is empty"
	               : head[0] == 0xff && head[1] == 0xd8         ? ", but a JPEG; convert it"
	               : memcmp(head, "GIF8", 4) == 0               ? ", but a GIF; convert it"
	               : memcmp(head, "RIFF", 4) == 0               ? ", but a WebP; convert it"
	               : memcmp(head, "BM", 2) == 0                 ? ", but a BMP; convert it"
	               : png_sig_cmp(head, 0, got < 4 ? got : 4) == 0 ? ": its first bytes are damaged"
	                                                              : "");
}

/* The sizes, which are refused if the file is too small for them. */
static bool read_head(struct reading *r, struct picture *to)
{
	png_uint_32 width, height;
	int depth, colour;
	uint64_t bytes;

	png_read_info(r->png, r->info);
	png_get_IHDR(r->png, r->info, &width, &height, &depth, &colour, NULL, NULL, NULL);
	bytes = (((uint64_t)width * (uint64_t)(depth * png_get_channels(r->png, r->info)) + 7) / 8 + 1) * height;
	if (bytes / MOST_PACKED > r->file.size)
		return failure(r->error, r->n,
		               "%s: its header promises %lu x %lu pixels, more than a file of %llu bytes holds",
		               r->file.path, (unsigned long)width, (unsigned long)height,
		               (unsigned long long)r->file.size);
	png_set_expand(r->png);
	png_set_interlace_handling(r->png);
	png_read_update_info(r->png, r->info);
	*to = (struct picture){ .width = width,
		                .height = height,
		                .channels = png_get_channels(r->png, r->info),
		                .depth = png_get_bit_depth(r->png, r->info) };
	return true;
}

static bool read_pixels(struct reading *r, size_t most, struct picture *to)
{
	size_t row = png_get_rowbytes(r->png, r->info), bytes;

	if (__builtin_mul_overflow(row, (size_t)to->height, &bytes) || bytes > most)
		return failure(r->error, r->n, "%s: its %lu x %lu pixels take more than the %zu bytes of "
		               "memory that they may have", r->file.path, (unsigned long)to->width, (unsigned long)to->height, most);
	to->data = malloc(bytes);
	r->rows = malloc(to->height * sizeof(*r->rows));
	if (!to->data || !r->rows)
		return failure_memory(r->error, r->n, r->file.path, bytes);
	for (size_t k = 0; k < to->height; k++)
		r->rows[k] = to->data + k * row;
	png_read_image(r->png, r->rows);
	png_read_end(r->png, NULL);
	return true;
}

/* The jump lands here, in a function without locals of its own. */
static bool read_jumping(struct reading *r, bool data, size_t most, struct picture *to)
{
	if (setjmp(png_jmpbuf(r->png)))
		return false;
	png_set_read_fn(r->png, r, on_read);
	png_set_sig_bytes(r->png, 8);
	png_set_user_limits(r->png, MOST_SIDE, MOST_SIDE);
	png_set_chunk_malloc_max(r->png, MOST_CHUNK);
	return read_head(r, to) && (!data || read_pixels(r, most, to));
}

bool picture_read(const char *path, bool data, size_t most, struct picture *to, bool *unreadable, char *error,
                  size_t n)
{
	struct reading r = { .error = error, .n = n };
	bool good;

	*to = (struct picture){ 0 };
	*error = '\0';
	if (!reader_open(&r.file, path, error, n)) {
		*unreadable = true;
		return false;
	}
	good = check_signature(&r);
	if (good) {
		r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
		r.info = r.png ? png_create_info_struct(r.png) : NULL;
		good = r.info ? read_jumping(&r, data, most, to) : failure_memory(error, n, path, 0);
	}
	if (!good) {
		free(to->data);
		to->data = NULL;
	}
	free(r.rows);
	png_destroy_read_struct(&r.png, &r.info, NULL);
	reader_close(&r.file);
	return good;
}
