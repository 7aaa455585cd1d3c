/*
 * The kernels for one set of instructions: compiled several times, with the flags and the name that scripts/build-native.ts
 * gives (KERNELS, a C name; KERNELS_NAME, for people).
 */
#include "lanes.h"
#include "../pass.h"
#include "pack.h"

_Static_assert((u32)PARTS * WIDTH == UNIT, "units are whole vectors");

const struct kernels KERNELS = {
    .name = KERNELS_NAME,
    .unit = UNIT,
    .narrow_group = NARROW_GROUP,
    .packed_bytes = packed_bytes,
    .pack = pack,
    .phases_of = phases_of,
    .run_phase = run_phase,
};
