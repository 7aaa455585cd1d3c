/*
 * Which kernels this build has, and which of them this processor runs.
 */
#ifndef EXACT1_DETECT_H
#define EXACT1_DETECT_H

#include "kernels.h"

struct choice {
  const struct kernels *kernels;
  int is_usable; /* the processor and the system have the instructions */
};

/* The best first; ends with kernels NULL. The last is usable everywhere. */
const struct choice *kernel_choices(void);

/* The usable kernels of this name, or the best usable ones for NULL. NULL: none. */
const struct kernels *choose_kernels(const char *name);

#endif
