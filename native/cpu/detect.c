#include "detect.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(_WIN32)
#include <windows.h>
#endif

extern const struct kernels kernels_generic;
extern const struct kernels kernels_sse41, kernels_avx2, kernels_avxvnni, kernels_avx512vnni;
extern const struct kernels kernels_dotprod;

#if defined(__x86_64__)

enum { XMM = 1 << 1, YMM = 1 << 2, ZMM = 7 << 5 };

/* Parts of the registers that the system saves. */
static unsigned saved_state(void) {
  unsigned a, b, c, d, low, high;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_OSXSAVE) == 0) return 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

struct processor {
  int has_sse41, has_avx2, has_avxvnni, has_avx512vnni;
};

static struct processor look(void) {
  unsigned a, b, c, d, e = 0, f, g, h;
  struct processor has = {0};
  if (!__get_cpuid(1, &a, &b, &c, &d)) return has;
  has.has_sse41 = (c & bit_SSSE3) != 0 && (c & bit_SSE4_1) != 0;
  const unsigned saved = saved_state();
  const int has_ymm = (c & bit_AVX) != 0 && (saved & (XMM | YMM)) == (XMM | YMM);
  if (!has_ymm || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return has;
  has.has_avx2 = (b & 1u << 5) != 0;
  const unsigned bits_512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
  const int has_zmm = (saved & ZMM) == ZMM && (b & bits_512) == bits_512;
  has.has_avx512vnni = has.has_avx2 && has_zmm && (c & 1u << 11) != 0;
  if (a >= 1 && __get_cpuid_count(7, 1, &e, &f, &g, &h)) has.has_avxvnni = has.has_avx2 && (e & 1u << 4) != 0;
  return has;
}

#elif defined(__aarch64__)

static int has_dotprod(void) {
#if defined(__APPLE__)
  return 1;
#elif defined(__linux__)
  return (getauxval(AT_HWCAP) & 1ul << 20) != 0;
#elif defined(_WIN32)
  return IsProcessorFeaturePresent(43);
#else
  return 0;
#endif
}

#endif

const struct choice *kernel_choices(void) {
  /* Threads ask at the same time. */
  static _Thread_local struct choice choices[8];
  int count = 0;
#if defined(__x86_64__)
  const struct processor has = look();
#if defined(WITH_AVX512VNNI)
  choices[count++] = (struct choice){&kernels_avx512vnni, has.has_avx512vnni};
#endif
#if defined(WITH_AVXVNNI)
  choices[count++] = (struct choice){&kernels_avxvnni, has.has_avxvnni};
#endif
#if defined(WITH_AVX2)
  choices[count++] = (struct choice){&kernels_avx2, has.has_avx2};
#endif
#if defined(WITH_SSE41)
  choices[count++] = (struct choice){&kernels_sse41, has.has_sse41};
#endif
  (void)has;
#elif defined(__aarch64__) && defined(WITH_DOTPROD)
  choices[count++] = (struct choice){&kernels_dotprod, has_dotprod()};
#endif
  choices[count] = (struct choice){&kernels_generic, 1};
  return choices;
}

const struct kernels *choose_kernels(const char *name) {
  for (const struct choice *choice = kernel_choices(); choice->kernels != 0; choice++)
    if (choice->is_usable && (name == 0 || strcmp(choice->kernels->name, name) == 0)) return choice->kernels;
  return 0;
}
