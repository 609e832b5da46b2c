/*
 * wrong_ops_f64: the ops of wrong_ops.c for f64.
 */
#define AD_F64
#include "wrong_ops.c"
