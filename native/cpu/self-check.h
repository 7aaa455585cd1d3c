/*
 * Whether kernels give the bits of others: a small stage of each format, computed by both, and what must come out. Takes about a millisecond. A processor,
 * or a compiler, that computes something else is found here instead of in somebody's digest.
 */
#ifndef EXACT1_SELF_CHECK_H
#define EXACT1_SELF_CHECK_H

#include "kernels.h"

int kernels_agree(const struct kernels *one, const struct kernels *other);

#endif
