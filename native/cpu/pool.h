/*
 * The threads of one stage. They are started with it, sleep between jobs, and have ended when pool_close returns.
 */
#ifndef EXACT1_POOL_H
#define EXACT1_POOL_H

#include "kernels.h"

enum { POOL_THREADS_MAX = 255 };

struct pool;

/* threads: the caller's included. Has fewer helpers where the system gives no more. NULL: no memory. */
struct pool *pool_open(const struct kernels *kernels, uint32_t threads);
/* Runs a job on at most `wanted` threads. One at a time. */
void pool_run(struct pool *pool, const struct job *job, uint32_t wanted);
void pool_close(struct pool *pool);

#endif
