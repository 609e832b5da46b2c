/*
 * scalars: programs of single numbers, and tapes: see scalars.c. Not installed.
 */
#ifndef AUTOGRAD_SCALARS_H
#define AUTOGRAD_SCALARS_H

#include "plan.h"

/* The program of an action's steps; the tape of a tape node. In the plan's arena; NULL without memory. */
struct program *make_program(struct plan *p, const struct action *a);
struct program *make_tape(struct plan *p, ad_node *node);

/* What the values take: of a program first those that the steps compute, in their order; of a tape the
 * gradients. */
size_t program_bytes(const struct program *t);

/* Takes note where what it reads from outside lies; values: of a program, else NULL. */
void bind_program(struct program *t, void *values);

bool run_program(ad_graph *g, struct action *a);
bool run_tape(ad_graph *g, struct action *a);

#endif
