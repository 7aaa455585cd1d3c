/*
 * The kernels' own test, for sanitizers and valgrind: every set of instructions that this processor has, and wide ones that it
 * has not, in plain C, against the generic kernels; the pool with more threads than cores; what a stage refuses. Prints what
 * failed and ends with 1. Built and run by scripts/check-native.ts. Argument: rounds of the pool's test.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cpu/caches.h"
#include "../cpu/detect.h"
#include "../cpu/memory.h"
#include "../cpu/self-check.h"
#include "../cpu/stage.h"

/* Wide vectors and sums of four in plain C: the layouts of instructions that this processor lacks. */
extern const struct kernels kernels_plain8, kernels_plain16, kernels_dots4, kernels_dots8, kernels_dots16;

/* apart.c: what failed, or 0. */
extern const char *test_apart(void);
/* crew.c */
extern const char *test_crew(void);

static int failures = 0;

static void expect(int holds, const char *what, const char *of) {
  if (holds) return;
  printf("FAILED: %s: %s\n", of, what);
  __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
}

static void test_kernels(void) {
  const struct kernels *generic = choose_kernels("generic");
  for (const struct choice *choice = kernel_choices(); choice->kernels != 0; choice++) {
    if (choice->is_usable) expect(kernels_agree(choice->kernels, generic), "bits of the generic kernels", choice->kernels->name);
    printf("%s: %s\n", choice->kernels->name, choice->is_usable ? "checked" : "not on this processor");
  }
#if defined(WITH_EMULATED)
  const struct kernels *emulated[] = {&kernels_plain8, &kernels_plain16, &kernels_dots4, &kernels_dots8, &kernels_dots16};
  for (size_t i = 0; i < sizeof emulated / sizeof *emulated; i++) {
    expect(kernels_agree(emulated[i], generic), "bits of the generic kernels", emulated[i]->name);
    printf("%s: checked\n", emulated[i]->name);
  }
#endif
}

enum { HIDDEN = 96, HEADS = 4, SIZE = 16, INNER = 160, VOCABULARY = 50, LAYERS = 2, SESSIONS = 3, CAPACITY = 78 };

static uint32_t noise_state = 12345;

static uint32_t noise(void) {
  noise_state = noise_state * 1664525u + 1013904223u;
  return noise_state >> 9;
}

static int load(struct executor *stage, uint32_t layer, uint32_t tensor, uint32_t format, uint32_t rows, uint32_t columns) {
  const uint32_t width = (columns + 31) / 32 * 32;
  const size_t count = (size_t)rows * width;
  uint8_t *bytes = malloc(count * 4), *multipliers = malloc(count / 32 + 1);
  float *scales = malloc(rows * sizeof *scales);
  for (size_t i = 0; i < count; i++) {
    if (format == 0) ((float *)(void *)bytes)[i] = (float)(noise() % 2000) * 1e-3f - 1.0f;
    else bytes[i] = (uint8_t)(noise() % 255 - 127);
  }
  for (size_t i = 0; i < count / 32; i++) multipliers[i] = (uint8_t)(1 + noise() % 63);
  for (uint32_t i = 0; i < rows; i++) scales[i] = 0.001f;
  const struct source source = {format, rows, columns, width, bytes, multipliers};
  const enum stage_result result = stage_load(stage, layer, tensor, &source, scales);
  free(bytes);
  free(multipliers);
  free(scales);
  return result == STAGE_DONE;
}

/* Of each layer its window and its rope: some positions and the local one, all positions and none. */
static const uint32_t KINDS[LAYERS * 2] = {5, 1, 0, 2};

/* Models of q8 have all that any family has beyond Llama's layer. */
static struct executor *open_model(const struct kernels *kernels, uint32_t threads, uint32_t format) {
  const int has_extras = format == 1;
  const struct stage_numbers numbers = {.hidden = HIDDEN, .heads = HEADS, .shared_heads = 2, .head_size = SIZE, .inner = INNER,
                                        .vocabulary = VOCABULARY, .layers = LAYERS, .has_embedding = 1, .has_head = 1,
                                        .threads = threads, .epsilon = 1e-5f, .score_factor = 0.25f,
                                        .rotary_size = has_extras ? SIZE / 2 : SIZE, .gate = (uint32_t)has_extras,
                                        .has_output_norms = (uint32_t)has_extras, .has_local_rope = (uint32_t)has_extras,
                                        .embedding_factor = has_extras ? 8 : 1, .score_cap = has_extras ? 2 : 0,
                                        .logit_cap = has_extras ? 3 : 0, .layer_kinds = has_extras ? KINDS : 0};
  struct executor *stage = stage_open(&numbers, kernels);
  expect(stage != 0, "a stage opens", kernels->name);
  const uint32_t query = HEADS * SIZE, key = 2 * SIZE;
  const uint32_t tensors[][4] = {
      {ATTENTION_NORM, 0, HIDDEN, 1}, {QUERY, format, query, HIDDEN}, {KEY, format, key, HIDDEN}, {VALUE, format, key, HIDDEN},
      {ATTENTION_OUTPUT, format, HIDDEN, query}, {FEED_FORWARD_NORM, 0, HIDDEN, 1}, {GATE, format, INNER, HIDDEN},
      {UP, format, INNER, HIDDEN}, {DOWN, format, HIDDEN, INNER}, {ATTENTION_OUTPUT_NORM, 0, HIDDEN, 1},
      {FEED_FORWARD_OUTPUT_NORM, 0, HIDDEN, 1}};
  noise_state = 777;
  for (uint32_t layer = 0; layer < LAYERS; layer++)
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
      const int is_loaded = load(stage, layer, tensors[i][0], tensors[i][1], tensors[i][2], tensors[i][3]);
      const int is_extra = tensors[i][0] == ATTENTION_OUTPUT_NORM || tensors[i][0] == FEED_FORWARD_OUTPUT_NORM;
      expect(is_loaded == (has_extras || !is_extra), "a tensor loads where the model has it", kernels->name);
    }
  expect(load(stage, 0, EMBEDDING, format, VOCABULARY, HIDDEN), "the embedding loads", kernels->name);
  expect(load(stage, 0, OUTPUT_NORM, 0, HIDDEN, 1), "the output norm loads", kernels->name);
  expect(!stage_is_whole(stage), "a stage without head is not whole", kernels->name);
  expect(load(stage, 0, HEAD, format, VOCABULARY, HIDDEN), "the head loads", kernels->name);
  expect(stage_is_whole(stage), "a stage with all is whole", kernels->name);
  return stage;
}

struct answer {
  float logits[SESSIONS * 64];
};

/* A column of a cache has LAYERS pages from `first` on. */
static void place(struct executor *stage, int32_t cache, uint32_t column, uint32_t first) {
  uint32_t pages[LAYERS];
  for (uint32_t layer = 0; layer < LAYERS; layer++) pages[layer] = first + layer;
  expect(caches_place(stage_caches(stage), cache, column, pages, LAYERS), "pages are placed", "caches");
}

enum { SHARED = 10, ROWS_AT_ONCE = 20 };

/* All sessions have computed the same, and read the pages of the first from now on; what is left of theirs is given back. */
static void read_first(struct executor *stage, const int32_t *caches) {
  uint32_t left[(SESSIONS - 1) * LAYERS];
  for (uint32_t s = 1; s < SESSIONS; s++) {
    place(stage, caches[s], 0, 0);
    for (uint32_t layer = 0; layer < LAYERS; layer++) left[(s - 1) * LAYERS + layer] = s * 2 * LAYERS + layer;
  }
  expect(caches_clear(stage_caches(stage), left, (SESSIONS - 1) * LAYERS), "pages are cleared", "caches");
}

/* Sessions side by side, in passes of many rows and of one each; the logits of the last. All say the same: with `is_sharing` the
 * first alone computes the first positions, the others have copies of them, and later read its first page. */
static void run_sessions(struct executor *stage, uint32_t threads, int is_sharing, struct answer *answer) {
  float x[STAGE_ROWS_MAX * HIDDEN], cosines[STAGE_ROWS_MAX * SIZE / 2], sines[STAGE_ROWS_MAX * SIZE / 2];
  uint32_t failed[SESSIONS], last[SESSIONS] = {0, 1, 2};
  int32_t caches[SESSIONS];
  expect(caches_grow(stage_caches(stage), SESSIONS * 2 * LAYERS), "pages are there", "caches");
  for (int s = 0; s < SESSIONS; s++) {
    caches[s] = stage_open_cache(stage, CAPACITY, LAYERS);
    for (uint32_t column = 0; column < 2; column++) place(stage, caches[s], column, ((uint32_t)s * 2 + column) * LAYERS);
  }
  for (int i = 0; i < STAGE_ROWS_MAX * SIZE / 2; i++) {
    cosines[i] = 0.6f;
    sines[i] = 0.8f;
  }
  for (int position = 0; position < CAPACITY;) {
    const int each = position == 0 ? SHARED : position + ROWS_AT_ONCE <= CAPACITY ? ROWS_AT_ONCE : 1;
    const int alone = is_sharing && position == 0, together = alone ? 1 : SESSIONS;
    struct pass_row rows[STAGE_ROWS_MAX];
    for (int i = 0; i < each * together; i++) {
      const int s = i % together, at = i / together;
      rows[i] = (struct pass_row){caches[s], position + at, (position + at * 3) % VOCABULARY, s};
    }
    const struct pass_input pass = {.last_layer = LAYERS, .has_embedding = 1, .has_head = 1, .wanted_threads = threads,
                                    .row_count = (uint32_t)(each * together), .sessions = SESSIONS, .logit_count = SESSIONS,
                                    .rows = rows, .x = x, .logits = answer->logits, .cos = cosines, .sin = sines,
                                    .local_cos = sines, .local_sin = cosines, .logit_rows = last, .failed = failed};
    expect(stage_run(stage, &pass) == STAGE_DONE, "a pass runs", "stage");
    for (int s = 0; s < SESSIONS; s++) expect(failed[s] == 0, "numbers are finite", "stage");
    position += each;
    if (is_sharing && position > 64) read_first(stage, caches);
    for (uint32_t s = 1; alone && s < SESSIONS; s++)
      for (uint32_t layer = 0; layer < LAYERS; layer++) {
        const uint32_t pair[] = {layer, s * 2 * LAYERS + layer};
        expect(caches_copy(stage_caches(stage), pair, 2, SHARED), "a page is copied", "caches");
      }
  }
  for (int s = 0; s < SESSIONS; s++) stage_close_cache(stage, caches[s]);
}

struct errand {
  struct executor *stage;
  uint32_t threads;
  int is_sharing;
  struct answer answer;
};

static void *run_errand(void *data) {
  struct errand *errand = data;
  run_sessions(errand->stage, errand->threads, errand->is_sharing, &errand->answer);
  return 0;
}

/* A stage goes from thread to thread, one at a time: Node's main thread, those of its pool. */
static void run_elsewhere(struct errand *errand) {
  pthread_t thread;
  if (pthread_create(&thread, 0, run_errand, errand) != 0) expect(0, "a thread starts", "stage");
  else pthread_join(thread, 0);
}

static void test_pool(const struct kernels *kernels, int rounds) {
  for (uint32_t format = 0; format < 3; format++) {
    struct answer expected = {{0}};
    for (uint32_t threads = 1; threads <= 8; threads *= 2) {
      struct executor *stage = open_model(kernels, threads, format);
      for (int round = 0; round < rounds; round++) {
        struct errand errand = {stage, threads, (round + (threads > 1)) % 2, {{0}}};
        if (round % 3 == 2) run_elsewhere(&errand);
        else run_errand(&errand);
        if (threads == 1 && round == 0) expected = errand.answer;
        expect(memcmp(&errand.answer, &expected, sizeof expected) == 0, "threads change no bit", kernels->name);
      }
      stage_close(stage);
    }
  }
}

static void *one_stage(void *kernels) {
  struct answer answer;
  for (int i = 0; i < 3; i++) {
    struct executor *stage = stage_open(&(struct stage_numbers){.hidden = 32, .heads = 1, .shared_heads = 1, .head_size = 32,
                                                                .inner = 32, .vocabulary = 32, .threads = 4, .rotary_size = 32,
                                                                .embedding_factor = 1}, kernels);
    expect(stage != 0 && stage_is_whole(stage), "a stage without layers is whole", "stage");
    if (stage != 0) stage_close(stage);
  }
  (void)answer;
  return 0;
}

/* Stages are of one thread each, and many threads have some. */
static void test_side_by_side(const struct kernels *kernels) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], 0, one_stage, (void *)(uintptr_t)kernels);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
}

/* Pages are apart from each other, whatever is grown, copied and cleared beside them. */
static void test_pages(void) {
  struct caches caches;
  caches_open(&caches, 3, 32);
  const size_t floats = 3 * 2 * 64 * 32, run = 64 * 32;
  for (uint32_t count = 1; count <= 200; count += count) {
    expect(caches_grow(&caches, count), "pages are there", "pages");
    for (uint32_t page = count / 2; page < count; page++)
      for (size_t i = 0; i < floats; i++) caches.pages[page][i] = (float)page;
  }
  const uint32_t cleared[] = {3, 4, 5, 60, 64, 65, 127}, pairs[] = {7, 9, 8, 64};
  expect(caches_clear(&caches, cleared, 7) && caches_copy(&caches, pairs, 4, 5), "pages are cleared and copied", "pages");
  for (uint32_t page = 0; page < caches.page_count; page++) {
    int is_cleared = 0;
    for (int i = 0; i < 7; i++) is_cleared |= cleared[i] == page;
    for (size_t i = 0; i < floats; i++) {
      const int is_copied = (page == 9 || page == 64) && i % run < 5 * 32;
      const float expected = is_copied ? (page == 9 ? 7 : 8) : (float)page, found = caches.pages[page][i];
      /* What was cleared is the system's: it may be gone already, or not yet. */
      if (found != expected && !(is_cleared && !is_copied && found == 0)) expect(0, "a page keeps its numbers", "pages");
    }
  }
  caches_close(&caches);
}

/* What an owner that errs would ask for. */
static void test_page_refusals(struct caches *caches, int32_t cache) {
  const uint32_t good[] = {0, 1}, bad[] = {0, 999}, same[] = {1, 1};
  expect(!caches_place(caches, cache, 1, good, LAYERS), "a column past the capacity is refused", "refusals");
  expect(!caches_place(caches, cache, 0, good, 1), "a column of too few layers is refused", "refusals");
  expect(!caches_place(caches, cache, 0, bad, LAYERS), "a page that is none is refused", "refusals");
  expect(!caches_place(caches, 999, 0, good, LAYERS), "a cache that is none is refused", "refusals");
  const int32_t other = caches_add(caches, 200, LAYERS);
  expect(!caches_place(caches, other, 1, good, LAYERS), "a column before the one before it is refused", "refusals");
  expect(!caches_copy(caches, bad, 2, 1) && !caches_copy(caches, good, 1, 1) && !caches_copy(caches, good, 2, 65) &&
             !caches_copy(caches, same, 2, 1),
         "a copy that does not fit is refused", "refusals");
  expect(!caches_clear(caches, bad, 2), "clearing a page that is none is refused", "refusals");
  expect(!caches_grow(caches, UINT32_MAX), "more pages than any memory has are refused", "refusals");
}

static void test_refusals(const struct kernels *kernels) {
  struct executor *stage = open_model(kernels, 2, 2);
  float x[HIDDEN] = {0}, ropes[SIZE] = {0}, logits[64];
  uint32_t failed[1], logit_rows[1] = {1};
  const int32_t cache = stage_open_cache(stage, 4, LAYERS), narrow = stage_open_cache(stage, 4, 1),
                wide = stage_open_cache(stage, 65, LAYERS);
  struct caches *caches = stage_caches(stage);
  expect(caches_grow(caches, 3 * LAYERS) && caches_grow(caches, 1), "pages are there", "refusals");
  place(stage, cache, 0, 0);
  place(stage, wide, 0, LAYERS);
  expect(caches_place(caches, narrow, 0, (const uint32_t[]){2 * LAYERS}, 1), "pages are placed", "refusals");
  struct pass_row row = {cache, 0, 0, 0};
  const struct pass_input good = {.last_layer = LAYERS, .has_embedding = 1, .wanted_threads = 9, .row_count = 1, .sessions = 1,
                                  .rows = &row, .x = x, .logits = logits, .cos = ropes, .sin = ropes,
                                  .logit_rows = logit_rows, .failed = failed};
  expect(stage_run(stage, &good) == STAGE_DONE, "a sound pass runs", "refusals");
  const struct pass_row bad_rows[] = {{cache, 4, 0, 0}, {cache, -1, 0, 0}, {-1, 0, 0, 0}, {999, 0, 0, 0},
                                      {narrow, 0, 0, 0}, {wide, 64, 0, 0}, {cache, 0, VOCABULARY, 0}, {cache, 0, -1, 0}, {cache, 0, 0, 1}};
  for (size_t i = 0; i < sizeof bad_rows / sizeof *bad_rows; i++) {
    row = bad_rows[i];
    expect(stage_run(stage, &good) == STAGE_BAD_INPUT, "a row that does not fit is refused", "refusals");
  }
  row = (struct pass_row){cache, 0, 0, 0};
  struct pass_input bad = good;
  bad.last_layer = LAYERS + 1;
  expect(stage_run(stage, &bad) == STAGE_BAD_INPUT, "a layer too many is refused", "refusals");
  bad = good;
  bad.has_head = bad.logit_count = 1;
  expect(stage_run(stage, &bad) == STAGE_BAD_INPUT, "a logit row that is none is refused", "refusals");
  bad = good;
  bad.row_count = 0;
  expect(stage_run(stage, &bad) == STAGE_BAD_INPUT, "a pass without rows is refused", "refusals");
  test_page_refusals(caches, cache);
  stage_close_cache(stage, cache);
  expect(stage_run(stage, &good) == STAGE_BAD_INPUT, "a closed cache is refused", "refusals");
  stage_close_cache(stage, cache);
  expect(stage_open_cache(stage, 0, 1) < 0 && stage_open_cache(stage, 1, LAYERS + 1) < 0, "an empty cache is refused", "refusals");
  for (int i = 0; i < 100; i++) expect(stage_open_cache(stage, 4, 1) >= 0, "caches open", "refusals");
  stage_close(stage);
  expect(pages_take(0) == 0 && pages_take(SIZE_MAX / 2 + 1) == 0, "no pages are refused", "memory");
}

int main(int count, char **arguments) {
  const int rounds = count > 1 ? atoi(arguments[1]) : 20;
  test_kernels();
  test_pool(choose_kernels(0), rounds);
  test_side_by_side(choose_kernels(0));
  const char *apart = test_apart();
  if (apart != 0) expect(0, apart, "apart");
  const char *crew = test_crew();
  if (crew != 0) expect(0, crew, "crew");
  test_pages();
  test_refusals(choose_kernels(0));
  printf("%s\n", failures == 0 ? "ok" : "failed");
  return failures == 0 ? 0 : 1;
}
