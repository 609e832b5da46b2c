/*
 * memory: arenas of growing chunks, and blocks kept between uses.
 */
#include "memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

struct chunk {
	struct ad_slab slab; /* of an arena with a mark */
	struct chunk *before;
	size_t size, used;
	_Alignas(64) unsigned char bytes[];
};

void *arena_take(struct arena *a, size_t n)
{
	size_t align = n >= 64 ? 64 : 16;
	struct chunk *c = a->last;
	size_t at = c ? (c->used + align - 1) / align * align : 0;

	if (n > SIZE_MAX / 2)
		return NULL;
	if (!c || at > c->size || n > c->size - at) {
		size_t size = c ? c->size * 2 : 8192, all;

		if (size > (size_t)1 << 24)
			size = (size_t)1 << 24;
		if (a->mark)
			size = SLAB - sizeof *c;
		if (size < n)
			size = n;
		size = (size + 63) / 64 * 64;
		all = sizeof *c + size;
		c = a->mark ? aligned_alloc(SLAB, (all + SLAB - 1) / SLAB * SLAB) : aligned_alloc(64, all);
		if (!c)
			return NULL;
		/* of a piece of several slabs only the first begins like one */
		c->slab = (struct ad_slab){ a->mark ? &c->slab : NULL, a->mark };
		c->before = a->last;
		c->size = size;
		c->used = 0;
		a->last = c;
		a->bytes += size;
		at = 0;
	}
	ASAN_UNPOISON_MEMORY_REGION(c->bytes + at, n);
	memset(c->bytes + at, 0, n);
	c->used = at + n;
	return c->bytes + at;
}

char *arena_copy_text(struct arena *a, const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = arena_take(a, n);

	return copy ? memcpy(copy, text, n) : NULL;
}

struct arena_mark arena_mark(const struct arena *a)
{
	return (struct arena_mark){ a->last, a->last ? a->last->used : 0, a->bytes };
}

void arena_release(struct arena *a, struct arena_mark mark)
{
	while (a->last != mark.chunk) {
		struct chunk *before = a->last->before;

		a->bytes -= a->last->size;
		ASAN_UNPOISON_MEMORY_REGION(a->last->bytes, a->last->size);
		free(a->last);
		a->last = before;
	}
	if (a->last) {
		a->last->used = mark.used;
		ASAN_POISON_MEMORY_REGION(a->last->bytes + mark.used, a->last->size - mark.used);
	}
}

void arena_free(struct arena *a)
{
	arena_release(a, (struct arena_mark){ NULL, 0, 0 });
}

void *block_reserve(struct block *b, size_t n)
{
	if (n > b->size) {
		size_t size = (n + 4095) / 4096 * 4096;
		void *data = size < n ? NULL : aligned_alloc(64, size);

		if (!data)
			return NULL;
		free(b->data);
		b->data = data;
		b->size = size;
	}
	return b->data ? b->data : (void *)b;
}

void block_free(struct block *b)
{
	free(b->data);
	*b = (struct block){ NULL, 0 };
}
