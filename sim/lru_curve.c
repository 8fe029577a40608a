/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/component.h"
#include "common/error.h"
#include "lru_curve.h"

/* Bits of a sampled distance's binary fraction that tell bins apart: 0.4 %. */
#define FRACTION_BITS 8
#define FIRST_USE     UINT32_MAX
/* How far the rate falls where the sample is full. */
#define RATE_STEP     0.875
#define EXPECT_AHEAD  16

/* How a reference was counted whose class may come later. */
struct counted {
	uint32_t bin; /* or FIRST_USE */
	float weight;
};

static bool is_exact(const struct lru_curve *c)
{
	return c->sample.threshold == SAMPLE_ALL && !c->blocks_max;
}

/* The exponent and first bits of the fraction of a number from 1 on. */
static uint32_t bin_of_number(double number)
{
	uint64_t bits;

	if (number < 1)
		return 0;
	memcpy(&bits, &number, sizeof(bits));
	return (bits >> (52 - FRACTION_BITS)) - (1023u << FRACTION_BITS);
}

/*
 * Depth d of a sample is on the average depth (d - 1/2) / rate of all: what lies between it
 * and the next ones may lie anywhere between.
 */
static uint32_t bin_of(const struct lru_curve *c, uint32_t depth, double weight)
{
	if (!depth)
		return FIRST_USE;
	return is_exact(c) ? depth - 1 : bin_of_number((depth - 0.5) * weight);
}

static struct amount *bin_at(struct distances *d, uint32_t bin)
{
	uint64_t bins = 2 * (uint64_t)bin + 64;
	struct amount *more;

	if (bin < d->bins)
		return &d->bin[bin];
	more = reallocarray(d->bin, bins, sizeof(*more));
	if (!more)
		return NULL;
	memset(more + d->bins, 0, (bins - d->bins) * sizeof(*more));
	d->bin = more;
	d->bins = bins;
	return &d->bin[bin];
}

static void add(struct amount *sum, double references, double sectors)
{
	sum->references += references;
	sum->sectors += sectors;
}

/* sign: -1 takes it back. */
static int count(struct lru_curve *c, uint8_t io_class, const struct counted *counted, int sign,
		 uint32_t sectors)
{
	struct distances *d = &c->by_class[io_class];
	double weight = sign * (double)counted->weight;
	struct amount *bin;

	add(&d->all, weight, weight * sectors);
	if (counted->bin == FIRST_USE)
		return 0;
	bin = bin_at(d, counted->bin);
	if (!bin)
		return -ENOMEM;
	add(bin, weight, weight * sectors);
	return 0;
}

static bool is_in(const void *context, uint64_t block)
{
	return sample_has(context, block);
}

/* As long as there are too many blocks. */
static int lower_rate(struct lru_curve *c)
{
	while (c->stack.distinct > c->blocks_max && c->sample.threshold > 1) {
		c->sample.threshold *= RATE_STEP;
		if (lru_stack_keep(&c->stack, is_in, &c->sample))
			return -ENOMEM;
	}
	return 0;
}

/* References of one batch that are in the sample. */
struct chosen_refs {
	size_t count;
	uint32_t at[BATCH_REFS]; /* in the batch */
	uint64_t block[BATCH_REFS];
	uint32_t depth[BATCH_REFS];
};

static void choose(const struct lru_curve *c, const struct batch *batch, size_t begin, size_t end,
		   struct chosen_refs *chosen)
{
	size_t n = 0;

	for (size_t i = begin; i < end; i++) {
		chosen->at[n] = i;
		chosen->block[n] = batch->ref[i].block;
		n += sample_has(&c->sample, batch->ref[i].block);
	}
	chosen->count = n;
}

/* Distances that are all told apart take more room than caches have. */
static void expect(const struct lru_curve *c, uint8_t io_class, uint32_t depth)
{
	const struct distances *d = &c->by_class[io_class];

	if (depth && depth <= d->bins)
		__builtin_prefetch(&d->bin[depth - 1], 1);
}

static int count_chosen(struct lru_curve *c, const struct batch *batch,
			const struct chosen_refs *chosen)
{
	float weight = 1 / sample_rate(&c->sample);
	bool exact = is_exact(c);
	int rc = 0;

	for (size_t i = 0; !rc && i < chosen->count; i++) {
		uint32_t at = chosen->at[i];
		const struct counted counted = {bin_of(c, chosen->depth[i], weight), weight};

		if (exact && i + EXPECT_AHEAD < chosen->count)
			expect(c, batch->tag[chosen->at[i + EXPECT_AHEAD]] % CLASS_VALUES,
			       chosen->depth[i + EXPECT_AHEAD]);
		rc = count(c, batch->tag[at] % CLASS_VALUES, &counted, 1, batch->ref[at].sectors);
		if (batch->has_undecided && batch->undecided[at] != UNDECIDED_NONE)
			c->undecided[batch->undecided[at]] = counted;
	}
	return rc;
}

static int use_part(struct lru_curve *c, const struct batch *batch, size_t begin, size_t end)
{
	struct chosen_refs chosen;
	int rc;

	/* what was there before has been decided, or given up */
	for (size_t i = begin; batch->has_undecided && i < end; i++)
		if (batch->undecided[i] != UNDECIDED_NONE)
			c->undecided[batch->undecided[i]].weight = 0;
	choose(c, batch, begin, end, &chosen);
	rc = lru_stack_use(&c->stack, chosen.block, chosen.count, chosen.depth);
	if (!rc)
		rc = count_chosen(c, batch, &chosen);
	if (c->control)
		set_caches_use(c->control, batch, begin, end, chosen.at, chosen.count);
	if (!rc && c->blocks_max)
		rc = lower_rate(c);
	return rc;
}

static int edit_remove(struct lru_curve *c, const struct edit *edit)
{
	return lru_stack_remove(&c->stack, edit->remove.first, edit->remove.count);
}

static int edit_decide(struct lru_curve *c, const struct edit *edit)
{
	const struct counted *counted = &c->undecided[edit->decide.place];
	int rc;

	if (c->control)
		set_caches_decide(c->control, edit);
	if (!counted->weight)
		return 0;
	rc = count(c, edit->decide.from % CLASS_VALUES, counted, -1, edit->decide.sectors);
	if (!rc)
		rc = count(c, edit->decide.to % CLASS_VALUES, counted, 1, edit->decide.sectors);
	return rc;
}

static int ignore_edit(struct lru_curve *c, const struct edit *edit)
{
	return 0;
}

static int (*const edits[])(struct lru_curve *c, const struct edit *edit) = {
	[EDIT_REMOVE] = edit_remove,
	[EDIT_DECIDE] = edit_decide,
	[EDIT_SAMPLE] = ignore_edit,
	[EDIT_THIN_OUT] = ignore_edit,
};

static void take(struct consumer *consumer, const struct batch *batch)
{
	struct lru_curve *c = container_of(consumer, struct lru_curve, consumer);
	size_t begin = 0;

	for (size_t i = 0; !c->failed && i < batch->edits; i++) {
		const struct edit *edit = &batch->edit[i];

		if (edit->at > begin)
			c->failed = use_part(c, batch, begin, edit->at);
		begin = edit->at;
		if (!c->failed)
			c->failed = edits[edit->kind](c, edit);
	}
	if (!c->failed && batch->refs > begin)
		c->failed = use_part(c, batch, begin, batch->refs);
}

int lru_curve_init(struct lru_curve *c, struct cache_feed *feed, struct sample sample,
		   uint32_t blocks_max)
{
	*c = (struct lru_curve){.sample = sample, .blocks_max = blocks_max};
	c->undecided = calloc(UNDECIDED_MAX + 1, sizeof(*c->undecided));
	if (!c->undecided || lru_stack_init(&c->stack))
		return fail("out of memory for a miss-ratio curve");
	return feed_add_consumer(feed, &c->consumer, take);
}

int lru_curve_use_control(struct lru_curve *c)
{
	c->control = malloc(sizeof(*c->control));
	if (!c->control)
		return fail("out of memory for a miss-ratio curve");
	return set_caches_of_sample(c->control, sample_rate(&c->sample));
}

void lru_curve_fini(struct lru_curve *c)
{
	if (c->control)
		set_caches_fini(c->control);
	free(c->control);
	lru_stack_fini(&c->stack);
	for (size_t i = 0; i < CLASS_VALUES; i++)
		free(c->by_class[i].bin);
	free(c->undecided);
}

/* From here on a bin has the sum of those up to it. */
int lru_curve_end(struct lru_curve *c)
{
	if (c->failed == -EOVERFLOW)
		return fail("the trace has more blocks than an exact curve can tell apart: "
			    "give --rate");
	if (c->failed)
		return fail("out of memory for the curve of lru: give --rate or --sample-blocks");
	for (size_t i = 0; i < CLASS_VALUES; i++) {
		struct distances *d = &c->by_class[i];

		for (uint32_t bin = 1; bin < d->bins; bin++)
			add(&d->bin[bin], d->bin[bin - 1].references, d->bin[bin - 1].sectors);
	}
	return 0;
}

/* The least number of a bin from 1 on: the inverse of bin_of_number(). */
static double number_of_bin(uint32_t bin)
{
	uint64_t bits = ((uint64_t)bin + (1023u << FRACTION_BITS)) << (52 - FRACTION_BITS);
	double number;

	memcpy(&number, &bits, sizeof(number));
	return number;
}

/* Those that are not as deep as the ith bin, and a share of what is in it. */
static void take_hits(struct amount *misses, const struct distances *d, uint32_t bin, double share)
{
	const struct amount none = {0}, *before = &none, *until;

	if (!d->bins)
		return;
	if (bin >= d->bins) {
		bin = d->bins - 1;
		share = 1;
	}
	until = &d->bin[bin];
	if (bin)
		before = until - 1;
	add(misses, -before->references - share * (until->references - before->references),
	    -before->sectors - share * (until->sectors - before->sectors));
}

/* Distances that lie in one bin with the size are taken to be spread evenly. */
struct amount lru_curve_misses(const struct lru_curve *c, uint8_t io_class, uint32_t entries)
{
	const struct distances *d = &c->by_class[io_class];
	struct amount misses = d->all;
	uint32_t bin = bin_of_number(entries);
	double least = number_of_bin(bin);

	if (is_exact(c))
		take_hits(&misses, d, entries - 1, 1);
	else
		take_hits(&misses, d, bin, (entries - least) / (number_of_bin(bin + 1) - least));
	return misses;
}

struct amount lru_curve_controlled_misses(const struct lru_curve *c, const struct set_caches *whole,
					  uint8_t io_class, uint32_t entries)
{
	struct amount misses = lru_curve_misses(c, io_class, entries);
	struct amount off = set_caches_off(c->control, whole, io_class, entries);

	add(&misses, -off.references, -off.sectors);
	return misses;
}

double lru_curve_distinct(const struct lru_curve *c)
{
	return c->stack.distinct / sample_rate(&c->sample);
}
