/*
 * environment: what a training ran on.
 */
#ifndef AUTOGRAD_ENVIRONMENT_H
#define AUTOGRAD_ENVIRONMENT_H

#include "model.h"

/* Version, instructions, threads, compiler, processor, memory, system, time: lines "name: value", from malloc;
 * NULL: no memory. Nothing of who or where: no user, host or path. */
char *environment_text(const ad_model *m, size_t *length);

#endif
