/*
 * memory: arenas (many small pieces, freed together in order) and blocks (one piece that grows).
 */
#ifndef AUTOGRAD_MEMORY_H
#define AUTOGRAD_MEMORY_H

#include "engine.h"

struct chunk;

/* Where an arena has a mark of its own, what it gives out in pieces of less than SLAB / 2 tells the mark by
 * its address alone: see slab_of. */
#define SLAB ((size_t)AD_SLAB)

struct arena {
	struct chunk *last;
	size_t bytes; /* taken from the system */
	struct ad_path *mark;
};

/* The beginning of the slab in which p lies; it is one if its self says so. p comes from an arena with a mark:
 * what begins there can be read in any case. */
static inline const struct ad_slab *slab_of(const void *p)
{
	return (const struct ad_slab *)((uintptr_t)p & ~(uintptr_t)(SLAB - 1));
}

/* A position in an arena. */
struct arena_mark {
	struct chunk *chunk;
	size_t used;
	size_t bytes; /* taken from the system until then */
};

/* n bytes, aligned to 16 (to 64 if n is 64 or more), zeroed; NULL without memory. */
void *arena_take(struct arena *a, size_t n);
char *arena_copy_text(struct arena *a, const char *text);
struct arena_mark arena_mark(const struct arena *a);
void arena_release(struct arena *a, struct arena_mark mark);
void arena_free(struct arena *a);

/* Memory that is kept between uses, aligned to 64. */
struct block {
	void *data;
	size_t size;
};

/* Makes the block at least n bytes; the content is lost when it grows. Returns NULL without memory,
 * leaving the block as it was. */
void *block_reserve(struct block *b, size_t n);
void block_free(struct block *b);

#endif
