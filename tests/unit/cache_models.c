/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each model equals its slow reference at every step of thousands of random
 * traces of references, discards, class changes and evictions, alone and as
 * the base of the models that have levels. References register themselves (tests/reference/).
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/reference/reference.h"

#define TRACES	     2000
#define LEVEL_TRACES 150
#define STEPS	     120
#define BATCH_MAX    80
#define BLOCKS	     48

extern const struct reference_policy *const __start_sky_references[];
extern const struct reference_policy *const __stop_sky_references[];

static void quiet(void)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	close(null);
}

/* xorshift64*: the same numbers everywhere. */
static uint32_t draw(uint64_t *state, uint32_t below)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * 0x2545f4914f6cdd1du >> 32) % below;
}

/* Blocks lie far apart on two disks, so that hashes collide as they do in real tables. */
static uint64_t block_number(uint32_t i)
{
	return i % 2 ? (1ull << 52) + i : i * 3;
}

/* The lower ones are asked for more often. */
static uint64_t some_block(uint64_t *random)
{
	return block_number(draw(random, 1 + draw(random, BLOCKS)));
}

static uint8_t some_class(uint64_t *random)
{
	static const uint8_t classes[] = {0, 1, 5, 5, 31, CLASS_UNDECIDED, CLASS_UNDECIDED};

	return classes[draw(random, sizeof(classes))];
}

/* One step of a trace: a batch of references, or something between two. */
struct step {
	enum { ACCESS, SET_CLASS, REMOVE, EVICT } what;
	size_t first, count; /* references */
	uint64_t block, blocks;
	uint8_t io_class;
};

struct trace {
	struct step step[STEPS];
	struct block_ref ref[STEPS * BATCH_MAX];
	uint64_t next_use[STEPS * BATCH_MAX];
	size_t refs;
};

static void add_references(struct trace *t, struct step *step, uint64_t *random)
{
	step->first = t->refs;
	step->count = 1 + draw(random, draw(random, 20) ? 20 : BATCH_MAX);
	for (size_t i = 0; i < step->count; i++)
		t->ref[t->refs++] = (struct block_ref){
			.block = some_block(random),
			.io_class = some_class(random),
			.op = draw(random, 2),
			.flags = (draw(random, 10) ? 0 : REF_NO_ALLOCATE) |
				 (draw(random, 20) ? 0 : REF_JOURNAL),
		};
}

static void find_next_uses(struct trace *t)
{
	for (size_t i = 0; i < t->refs; i++) {
		size_t next = i + 1;

		while (next < t->refs && t->ref[next].block != t->ref[i].block)
			next++;
		t->next_use[i] = next < t->refs ? next : NEVER;
	}
}

static void make_trace(struct trace *t, uint64_t random)
{
	/* the last ones, which empty most of the cache, are seldom */
	static const uint64_t counts[] = {1, 1, 1, 0, 7, 96, 1ull << 33, UINT64_MAX};

	t->refs = 0;
	for (struct step *s = t->step; s < t->step + STEPS; s++) {
		uint32_t what = draw(&random, 12);

		s->what = what < 8 ? ACCESS : what < 10 ? SET_CLASS : what < 11 ? REMOVE : EVICT;
		s->block = some_block(&random);
		s->blocks = counts[draw(&random, draw(&random, 6) ? 5 : 8)];
		s->io_class = some_class(&random);
		if (s->what == ACCESS)
			add_references(t, s, &random);
	}
	find_next_uses(t);
}

/* The references of a policy: alone in level 0, or one a level of a rule over it. */
struct slow {
	const struct slow_rule *rule; /* NULL: alone */
	uint32_t capacity;
	struct reference level[CLASS_COUNT];
};

struct slow_rule {
	const char *model;
	/* Where a block that is not cached comes in. */
	unsigned int (*level)(const struct block_ref *ref);
	/* Where a cached one goes that is asked for; that gets a class. */
	unsigned int (*on_hit)(const struct block_ref *ref, unsigned int level);
	unsigned int (*on_class)(const struct block_ref *ref, unsigned int level);
	/* Who gives a block up; to: the level it is for, -1 none. */
	unsigned int (*victim)(const struct slow *s, int to);
};

static struct reference *level_with(struct slow *s, uint64_t block)
{
	for (unsigned int i = 0; i < CLASS_COUNT; i++) {
		struct reference_block *b = reference_find(&s->level[i], block);

		if (b && b->cached)
			return &s->level[i];
	}
	return NULL;
}

static uint32_t slow_used(const struct slow *s)
{
	uint32_t used = 0;

	for (unsigned int i = 0; i < CLASS_COUNT; i++)
		used += reference_used(&s->level[i]);
	return used;
}

static bool slow_evict(struct slow *s, uint64_t *block, int to)
{
	unsigned int level = s->rule && slow_used(s) ? s->rule->victim(s, to) : 0;

	if (!slow_used(s))
		return false;
	*block = s->level[level].policy->evict(&s->level[level]);
	return true;
}

static unsigned int class_level(const struct block_ref *ref)
{
	return ref->io_class == CLASS_UNDECIDED ? 0 : ref->io_class;
}

static unsigned int class_level_on_hit(const struct block_ref *ref, unsigned int level)
{
	return ref->io_class == CLASS_UNDECIDED ? level : ref->io_class;
}

static unsigned int class_level_on_class(const struct block_ref *ref, unsigned int level)
{
	return class_level(ref);
}

static unsigned int lowest_victim(const struct slow *s, int to)
{
	unsigned int level = 0;

	while (!reference_used(&s->level[level]))
		level++;
	return level;
}

/* Presets: 40 for class 0, 10 each for 1 to 4, 20 for metadata, none for others; in all 100. */
static unsigned int largest_above_part(const struct slow *s, int to)
{
	static const double part[CLASS_COUNT] = {0.4, 0.1, 0.1, 0.1, 0.1, 0.2};
	double most = -1e9;
	unsigned int level = 0;

	for (int i = 0; i < (int)CLASS_COUNT; i++) {
		double above = reference_used(&s->level[i]) + (i == to) - part[i] * s->capacity;

		if (reference_used(&s->level[i]) && above > most + 1e-6) {
			most = above;
			level = i;
		}
	}
	return level;
}

static unsigned int high_level(const struct block_ref *ref)
{
	return ref->io_class != CLASS_UNDECIDED && ref->io_class >= 1;
}

static unsigned int promoted_on_hit(const struct block_ref *ref, unsigned int level)
{
	return 1;
}

static unsigned int high_on_class(const struct block_ref *ref, unsigned int level)
{
	return level || high_level(ref);
}

static unsigned int probation_or_too_many(const struct slow *s, int to)
{
	uint32_t high = reference_used(&s->level[1]), low = reference_used(&s->level[0]);

	if (!high || !low)
		return high > 0;
	return 10 * (high + (to == 1)) > 8 * s->capacity;
}

static unsigned int disk_level(const struct block_ref *ref)
{
	return ref->block >> 52;
}

static unsigned int stays(const struct block_ref *ref, unsigned int level)
{
	return level;
}

static unsigned int largest_disk(const struct slow *s, int to)
{
	uint32_t first = reference_used(&s->level[0]), second = reference_used(&s->level[1]);

	if (!first || !second)
		return second > 0;
	return second + (to == 1) > first + (to == 0);
}

static const struct slow_rule slow_rules[] = {
	{"icache", class_level, class_level_on_hit, class_level_on_class, lowest_victim},
	{"partition", class_level, class_level_on_hit, class_level_on_class, largest_above_part},
	{"insertion", high_level, promoted_on_hit, high_on_class, probation_or_too_many},
	{"disks", disk_level, stays, stays, largest_disk},
};

static void drop(struct reference *r, struct reference_block *b)
{
	if (r->policy->forget)
		r->policy->forget(r, b);
	reference_drop(r, b);
}

static void set_next_use(struct reference *r, uint64_t block, uint64_t next_use)
{
	struct reference_block *b = reference_find(r, block);

	if (b)
		b->next_use = next_use;
}

#define RULES (sizeof(slow_rules) / sizeof(*slow_rules))

static void slow_come_in(struct slow *s, unsigned int level, const struct block_ref *ref,
			 uint64_t next_use)
{
	struct reference *r = &s->level[level];
	uint64_t victim;

	if (s->rule && slow_used(s) == s->capacity)
		slow_evict(s, &victim, level);
	r->policy->miss(r, ref, reference_find(r, ref->block));
	set_next_use(r, ref->block, next_use);
}

/* To another level as if it came anew. */
static void slow_move(struct slow *s, struct reference *from, unsigned int to,
		      const struct block_ref *ref, uint64_t next_use)
{
	drop(from, reference_find(from, ref->block));
	slow_come_in(s, to, ref, next_use);
}

static bool slow_access(struct slow *s, const struct block_ref *ref, uint64_t next_use)
{
	struct reference *r = level_with(s, ref->block);
	struct reference_block *b;

	if (s->rule && ref->flags & REF_JOURNAL) {
		if (r)
			drop(r, reference_find(r, ref->block));
		return false;
	}
	if (!r) {
		if (!(ref->flags & REF_NO_ALLOCATE))
			slow_come_in(s, s->rule ? s->rule->level(ref) : 0, ref, next_use);
		return false;
	}
	b = reference_find(r, ref->block);
	if (s->rule && s->rule->on_hit(ref, r - s->level) != r - s->level) {
		slow_move(s, r, s->rule->on_hit(ref, r - s->level), ref, next_use);
		return true;
	}
	if (ref->io_class != CLASS_UNDECIDED)
		b->io_class = ref->io_class;
	b->next_use = next_use;
	r->policy->hit(r, b);
	return true;
}

static bool slow_set_class(struct slow *s, uint64_t block, uint8_t io_class)
{
	const struct block_ref ref = {.block = block, .io_class = io_class};
	struct reference *r = level_with(s, block);

	if (!r)
		return false;
	if (s->rule && s->rule->on_class(&ref, r - s->level) != r - s->level)
		slow_move(s, r, s->rule->on_class(&ref, r - s->level), &ref,
			  reference_find(r, block)->next_use);
	else
		reference_find(r, block)->io_class = io_class;
	return true;
}

static uint32_t slow_remove(struct slow *s, uint64_t first, uint64_t count)
{
	uint32_t before = slow_used(s);

	for (struct reference *r = s->level; r < s->level + CLASS_COUNT; r++)
		for (uint32_t i = 0; i < r->blocks;)
			if (r->at[i].block - first < count)
				drop(r, &r->at[i]);
			else
				i++;
	return before - slow_used(s);
}

static void expect_same_contents(const struct cache *c, struct slow *s, const char *spec)
{
	uint32_t blocks[CLASS_VALUES] = {0}, expected[CLASS_VALUES] = {0};

	for (const struct reference *r = s->level; r < s->level + CLASS_COUNT; r++)
		for (uint32_t i = 0; i < r->blocks; i++)
			expected[r->at[i].io_class] += r->at[i].cached;
	c->model->contents(c->state, blocks);
	cr_assert_arr_eq(blocks, expected, sizeof(blocks), "%s: contents by class", spec);
	for (uint32_t i = 0; i < BLOCKS; i++)
		cr_assert_eq(c->model->contains(c->state, block_number(i)),
			     level_with(s, block_number(i)) != NULL, "%s: block %u", spec, i);
}

static void access_some(const struct cache *c, struct slow *s, const struct trace *t,
			const struct step *step, const char *spec)
{
	const struct cache_batch batch = {
		.count = step->count,
		.ref = t->ref + step->first,
		.next_use = cache_needs(c) & NEEDS_FUTURE ? t->next_use + step->first : NULL,
		.first = step->first,
	};
	uint64_t hits[HIT_WORDS(BATCH_MAX)];
	size_t counted = c->model->access(c->state, &batch, hits), expected = 0;

	for (size_t i = 0; i < batch.count; i++) {
		bool hit = slow_access(s, &batch.ref[i], t->next_use[step->first + i]);

		cr_assert_eq(hits[i / 64] >> i % 64 & 1, hit, "%s: reference %zu of %zu", spec, i,
			     batch.count);
		expected += hit;
	}
	if (batch.count % 64)
		cr_assert_eq(hits[batch.count / 64] >> batch.count % 64, 0);
	cr_assert_eq(counted, expected);
}

static void evict_one(const struct cache *c, struct slow *s, const char *spec)
{
	uint64_t block = 0, expected = 0;
	bool any = c->model->evict(c->state, &block);

	cr_assert_eq(any, slow_evict(s, &expected, -1), "%s", spec);
	cr_assert_eq(block, expected, "%s: the victim", spec);
}

static void take_step(const struct cache *c, struct slow *s, const struct trace *t,
		      const struct step *step, const char *spec)
{
	switch (step->what) {
	case ACCESS:
		access_some(c, s, t, step, spec);
		break;
	case SET_CLASS:
		cr_assert_eq(c->model->set_class(c->state, step->block, step->io_class),
			     slow_set_class(s, step->block, step->io_class), "%s", spec);
		break;
	case REMOVE:
		cr_assert_eq(c->model->remove(c->state, step->block, step->blocks),
			     slow_remove(s, step->block, step->blocks), "%s", spec);
		break;
	case EVICT:
		evict_one(c, s, spec);
		break;
	}
}

static void run_traces(const struct reference_policy *policy, const struct slow_rule *rule,
		       const char *spec, unsigned int traces)
{
	struct trace *t = malloc(sizeof(*t));
	struct slow *s = malloc(sizeof(*s));
	struct cache c;

	cr_assert(t && s);
	for (uint64_t number = 1; number <= traces; number++) {
		uint64_t random = number * 0x9e3779b97f4a7c15u;

		memset(s, 0, sizeof(*s));
		s->rule = rule;
		s->capacity = 1 + draw(&random, 40);
		for (unsigned int i = 0; i < CLASS_COUNT; i++) {
			s->level[i].policy = policy;
			s->level[i].capacity = s->capacity;
			if (policy->init)
				policy->init(&s->level[i]);
		}
		cr_assert_eq(cache_open(&c, spec, s->capacity), 0);
		make_trace(t, random);
		for (size_t i = 0; i < STEPS; i++) {
			take_step(&c, s, t, &t->step[i], spec);
			expect_same_contents(&c, s, spec);
		}
		cache_close(&c);
	}
	free(s);
	free(t);
}

static bool has_reference(const char *name)
{
	for (const struct reference_policy *const *p = __start_sky_references;
	     p < __stop_sky_references; p++)
		if (!strncmp((*p)->spec, name, strcspn((*p)->spec, ":")) &&
		    strlen(name) == strcspn((*p)->spec, ":"))
			return true;
	return false;
}

Test(cache_models, have_references)
{
	const struct component *list[64];
	size_t count = component_collect("cache", list, 64);

	for (size_t i = 0; i < count; i++)
		cr_expect(has_reference(list[i]->name) || list[i]->choice, "%s", list[i]->name);
}

static void free_numbers(struct criterion_test_params *params)
{
	cr_free(params->params);
}

/* Each reference's number: a test of its own, so that they share no time limit. */
static struct criterion_test_params each_reference(void)
{
	size_t count = __stop_sky_references - __start_sky_references;
	size_t *number = cr_malloc(count * sizeof(*number));

	for (size_t i = 0; i < count; i++)
		number[i] = i;
	return cr_make_param_array(size_t, number, count, free_numbers);
}

ParameterizedTestParameters(cache_models, equal_their_references_at_every_step)
{
	return each_reference();
}

ParameterizedTest(const size_t *number, cache_models, equal_their_references_at_every_step)
{
	const struct reference_policy *p = __start_sky_references[*number];

	run_traces(p, NULL, p->spec, TRACES);
}

ParameterizedTestParameters(cache_models, equal_their_references_in_levels)
{
	return each_reference();
}

ParameterizedTest(const size_t *number, cache_models, equal_their_references_in_levels)
{
	const struct reference_policy *p = __start_sky_references[*number];
	size_t length = strcspn(p->spec, ":");
	const char *parameters = p->spec + length;
	char spec[256], name[64];

	snprintf(name, sizeof(name), "%.*s", (int)length, p->spec);
	for (const struct slow_rule *rule = slow_rules; rule < slow_rules + RULES; rule++) {
		snprintf(spec, sizeof(spec), "%s:base=%s%s%s", rule->model, name,
			 *parameters ? "," : "", *parameters ? parameters + 1 : "");
		run_traces(p, rule, spec, LEVEL_TRACES);
	}
}

/* The preset base is lru, and icache within icache is icache. */
Test(cache_models, icache_is_lru_in_classes_and_nests)
{
	for (const struct reference_policy *const *p = __start_sky_references;
	     p < __stop_sky_references; p++) {
		if (!strcmp((*p)->spec, "lru"))
			run_traces(*p, slow_rules, "icache", LEVEL_TRACES);
		if (!strcmp((*p)->spec, "fifo"))
			run_traces(*p, slow_rules, "icache:base=icache,base=fifo", LEVEL_TRACES);
	}
}

/* The number of buckets is not the capacity: every rounding is met. */
Test(cache_models, keep_every_capacity)
{
	for (uint32_t capacity = 1; capacity < 300; capacity++) {
		struct block_ref ref = {.io_class = CLASS_UNDECIDED};
		uint32_t blocks[CLASS_VALUES] = {0};
		struct cache c;
		uint64_t hit;

		cr_assert_eq(cache_open(&c, "lru", capacity), 0);
		for (ref.block = 0; ref.block < 1000; ref.block++)
			c.model->access(c.state, &(struct cache_batch){.count = 1, .ref = &ref},
					&hit);
		c.model->contents(c.state, blocks);
		cr_expect_eq(blocks[CLASS_UNDECIDED], capacity);
		cr_expect(c.model->contains(c.state, 1000 - capacity));
		cr_expect(!c.model->contains(c.state, 1000 - capacity - 1));
		cache_close(&c);
	}
}

Test(cache_models, refuse_specs_that_make_no_sense)
{
	static const char *const wrong[] = {
		"",
		":",
		"nosuch",
		"lru:bits=1",
		"lru:x",
		"icache:base",
		"icache:base=",
		"icache:base=nosuch",
		"icache:base=lru,bits=1",
		"icache:depth=1",
	};
	struct cache c;

	quiet();
	cr_assert_eq(cache_open(&c, "lru:", 1), 0, "no parameters are no mistake");
	cache_close(&c);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		cr_expect_eq(cache_open(&c, wrong[i], 10), -1, "\"%s\"", wrong[i]);
	cr_expect_eq(cache_open(&c, "lru", 0), -1);
	cr_expect_eq(cache_open(&c, "lru", UINT32_MAX), -1);
}

Test(cache_models, cost_nothing_before_they_are_used)
{
	struct cache c;
	const struct block_ref ref = {.block = 7};
	uint64_t hit;

	/* 32 instances of 16 M blocks each would be 15 GB if they were touched */
	cr_assert_eq(cache_open(&c, "icache", 1u << 24), 0);
	cr_expect(!c.model->access(c.state, &(struct cache_batch){.count = 1, .ref = &ref}, &hit));
	cr_expect(c.model->contains(c.state, 7));
	cache_close(&c);
}
