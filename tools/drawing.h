/*
 * drawing: what a diagram shows, before anything is drawn: parts, uses, frames, boxes, arrows.
 * Not installed; autograd_draw.h is the public header.
 *
 * A part is a node that the drawn node depends on, a use is one input of one op. Trivial parts are
 * folded into others. In the flow view parts and closed frames become boxes, uses become arrows.
 */
#ifndef AUTOGRAD_DRAWING_H
#define AUTOGRAD_DRAWING_H

#include "autograd_draw.h"

#define NOTHING UINT32_MAX
#define MAX_BOXES 300    /* what dot lays out in seconds and a reader can follow */
#define MAX_STRETCHES 30 /* of a level that is too long: a weight of all is joined to each */
#define MAX_NESTING 16   /* of frames */

/* How a gradient compares with the reference, from harmless to bad. */
enum class {
	CLASS_NONE, /* no gradient wanted */
	CLASS_NORMAL,
	CLASS_WEAK,      /* under 1/30 */
	CLASS_STRONG,    /* over 10 */
	CLASS_VANISHING, /* under 1/1000 */
	CLASS_ZERO,      /* every element exactly 0 */
	CLASS_EXPLODING, /* over 100 */
	CLASS_NAN,       /* an element is NaN or infinite */
	CLASSES
};

enum role {
	ROLE_OP,
	ROLE_LOSS, /* the drawn node, a single number */
	ROLE_PARAM,
	ROLE_INPUT,
	ROLE_TARGET, /* an input that the reference does not depend on */
	ROLE_BUFFER,
	ROLE_CONSTANT
};

/* The root mean square of an array, and what spoils it. */
struct statistic {
	double rms;
	bool known, nan, infinite;
};

struct part {
	ad_node *node;
	enum role role;
	uint32_t owner; /* the op's first output; itself for most */
	uint32_t
	    shown; /* the part that stands for it in the picture; NOTHING: its users' labels do */
	uint32_t uses;     /* inputs that read it */
	uint32_t user;     /* the op that read it last */
	uint32_t distance; /* in ops from the nearest input */
	uint32_t frame;
	uint32_t box;
	bool frozen;   /* a param that wants no gradient */
	bool beyond;   /* the reference does not depend on it: between there and the drawn node */
	bool linear;   /* an addition that stands for x W + b */
	bool offender; /* the first that made a NaN or an infinity */
	enum class class;
	struct statistic gradient;
	size_t first_use, n_uses; /* the inputs of the op, in drawing->uses */
};

struct use {
	uint32_t from, to; /* shown parts */
	uint32_t by;       /* the part whose input it is */
	int input;
	bool viewed; /* through folded views: the tensor arrives in another shape */
	enum class class;
	struct statistic gradient; /* what this use contributes */
};

/* A scope of the graph. */
struct frame {
	uint32_t parent;
	uint32_t first;   /* the first shown part inside */
	uint32_t members; /* shown parts and frames directly inside */
	uint32_t depth;
	uint32_t child, sibling; /* the first one inside, the next one beside */
	uint32_t outer;          /* the frame of the outermost level around or equal to it */
	uint32_t closed_in;      /* the outermost closed frame around or equal to it; NOTHING */
	bool open, outlined;     /* outlined: drawn as a frame; not so with one member only */
	size_t ops, elements;    /* ops and elements of params, with those of inner frames */
	enum class worst;
};

enum box_kind { BOX_PART, BOX_FRAME, BOX_STRETCH };

/* What is drawn as one node: a part, a closed frame, or a stretch of a long outermost level. */
struct box {
	enum box_kind kind;
	uint32_t part, frame; /* the part or frame; frame is also where a part lies */
	uint32_t first, last; /* parts */
	size_t ops, elements;
	enum class worst;
	bool offender;
	uint32_t group;      /* boxes of one group lie in a straight line; 0 holds the drawn node */
	uint32_t beside;     /* of a param: the op's box that it stands next to; NOTHING */
	bool above;          /* on that side of it */
	uint32_t neighbours; /* of an op: params beside it */
};

struct arrow {
	uint32_t from, to; /* boxes */
	uint32_t use;      /* the use that it shows: of several the worst */
	uint32_t uses;     /* how many it stands for */
	uint32_t distance;
	bool trunk;
};

struct drawing {
	ad_graph *graph;
	ad_node *y;
	const ad_draw_options *options;
	bool f64, gradients;
	double reference; /* rms of the gradient there; 0: no classes by size */
	double largest;   /* rms of any gradient that is drawn */

	uint32_t n_parts, n_frames, n_boxes, y_part;
	size_t n_uses, n_arrows;
	struct part *parts;
	struct use *uses;
	struct frame *frames;
	struct box *boxes;
	struct arrow *arrows;

	/* every node of the graph by its address, and its statistic once computed */
	size_t n_nodes, n_slots;
	ad_node **nodes;
	uint32_t *slots, *part_of;
	struct statistic *statistics;

	char *error;
	size_t error_size;
};

/* Reads the graph below y. False: a sentence in error. In both cases drawing_free is due. */
bool drawing_read(struct drawing *d, ad_node *y, const ad_draw_options *o, char *error, size_t n);

/* Whether the circuit view is the one to draw. */
bool drawing_is_circuit(const struct drawing *d);

/* Decides what the flow view shows: folds, frames, boxes, arrows. */
bool drawing_flow(struct drawing *d);

/* The same for the circuit view: folds only. */
bool drawing_circuit(struct drawing *d);

void drawing_free(struct drawing *d);

/* Whether input i of an op is written into the op's label, being one and the same number, and
 * which. */
bool drawing_constant(const struct drawing *d, uint32_t op, int input, double *value);

bool drawing_fail(struct drawing *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
