/*
 * plugin: what a shared library of ops says of itself: a note that can be read before any of its code runs, and the
 * table of its ops. `autograd op build` writes the file that includes this; the engine reads both (plugin.c).
 */
#ifndef AUTOGRAD_PLUGIN_H
#define AUTOGRAD_PLUGIN_H

#include "op.h"

/* An op with its file's opening comment; plugin: the path of the library it came from, NULL of the engine's own. */
struct op_row {
	const ad_op *op;
	const char *doc, *plugin;
};

/* The symbol `ad_plugin` of the library. */
struct ad_plugin {
	size_t n;
	const struct op_row *ops;
};

/* What a plugin was compiled with that has to be what the engine was compiled with. */
#define AD_PLUGIN_SAME(field)                                                                      \
	field("sets of instructions", AD_LEVELS)                                                   \
	field("rank", AD_MAX_RANK)                                                                 \
	field("outputs of an op", AD_MAX_OUTPUTS)                                                  \
	field("bytes of a pointer", sizeof(void *))                                                \
	field("bytes of ad_op", sizeof(ad_op))                                                     \
	field("bytes of ad_attr", sizeof(ad_attr))                                                 \
	field("bytes of ad_sample", sizeof(ad_sample))                                             \
	field("bytes of ad_infer", sizeof(ad_infer))                                               \
	field("bytes of ad_array", sizeof(ad_array))                                               \
	field("bytes of ad_run", sizeof(ad_run))

#define AD_PLUGIN_VALUE(name, value) (uint32_t)(value),
#define AD_PLUGIN_ONE(name, value) +1

/* sum: the CRC-32 of the whole file with 0 in place of this number. The dynamic loader believes what a file says, and
 * one that is damaged or cut off takes the process down in it. */
struct plugin_build {
	char version[16];
	uint32_t same[0 AD_PLUGIN_SAME(AD_PLUGIN_ONE)];
	uint32_t sum;
};

/* The note as ELF has it: sizes and type, the owner with its zero, the content; each a multiple of 4 bytes. */
#define AD_PLUGIN_OWNER "autograd"
#define AD_PLUGIN_NOTE 1
struct plugin_note {
	uint32_t owner_size, content_size, type;
	char owner[12];
	struct plugin_build content;
};

#define AD_PLUGIN_BUILD                                                                            \
	{                                                                                          \
		.version = AD_VERSION, .same = { AD_PLUGIN_SAME(AD_PLUGIN_VALUE) }                 \
	}

/* In the library, once. */
#define AD_PLUGIN(rows)                                                                            \
	extern const struct plugin_note ad_plugin_note;                                            \
	__attribute__((section(".note.autograd"), used, aligned(4))) const struct plugin_note      \
	    ad_plugin_note = { sizeof AD_PLUGIN_OWNER, sizeof(struct plugin_build), AD_PLUGIN_NOTE, \
		               AD_PLUGIN_OWNER, AD_PLUGIN_BUILD };                                 \
	extern const struct ad_plugin ad_plugin;                                                   \
	__attribute__((visibility("default"))) const struct ad_plugin ad_plugin = {                \
		sizeof(rows) / sizeof *(rows), rows                                                \
	}

/* Writes the sum into a plugin that the linker has made. False, and a sentence in message, if it cannot. */
bool plugin_seal(const char *path, char *message, size_t size);

#endif
