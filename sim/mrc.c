/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Curves of other policies than LRU need to know before how many blocks there are, since their
 * caches are made for sizes and rates; those of policies that know the future need another
 * pass, over the samples. LRU's need one pass in all.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_statistics_double.h>

#include "cache_pass.h"
#include "cache_result.h"
#include "census.h"
#include "common/error.h"
#include "common/json.h"
#include "lru_curve.h"
#include "mrc.h"
#include "scaled_caches.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Below that many blocks a scaled-down cache is none: sizes get a higher rate where it isn't given. */
#define SCALED_LEAST 128
#define CONFIDENCE   0.95

static const char *const default_sizes[] = {"0.1%", "0.2%", "0.5%", "1%",  "2%",  "3%",	 "4%",
					    "5%",   "7%",   "10%",  "15%", "20%", "25%", "30%",
					    "40%",  "50%",  "60%",  "70%", "80%", "90%", "100%"};

struct policy {
	const char *spec;
	bool is_lru;
	size_t rank; /* among those that are not */
};

/* Who finds out what a sample's future is. */
struct sampled_future {
	struct consumer consumer;
	struct sample sample;
	struct future future;
	int failed; /* -errno */
};

/* Sizes that are simulated at the same rate; their caches lie policy by policy. */
struct group {
	double rate;
	size_t sizes;
	unsigned int samples;
	size_t first; /* of its samples, among those of a mode */
};

struct mrc {
	const struct mrc_options *options;
	struct cache_pass pass;
	struct census census;
	const char *const *sizes;
	size_t size_count;
	struct policy *policies;
	size_t policy_count, scaled_policies;
	bool has_lru, needs_future;
	double distinct;
	uint32_t entries[MRC_SIZES_MAX];

	struct lru_curve *lru; /* the samples of each mode */
	unsigned int lru_samples;
	struct set_caches *sets; /* what all of a mode are compared with; NULL: nobody is */

	struct group groups[MRC_SIZES_MAX];
	size_t group_count;
	size_t group_of[MRC_SIZES_MAX], place_in[MRC_SIZES_MAX]; /* of each size */
	struct scaled_caches *scaled;				 /* the samples of each mode */
	size_t scaled_samples;
	struct sampled_future *future; /* of each sample, for all modes */

	/*
	 * By how much a sample is off is known of LRU, whose curve is exact: the samples'
	 * curves of LRU, and what they should be, of each mode.
	 */
	struct lru_curve *control, *whole;
};

static int out_of_memory(void)
{
	return fail("out of memory for miss-ratio curves");
}

static int find_policies(struct mrc *m)
{
	const struct cache_sim_options *o = &m->options->sim;
	struct cache cache;

	m->policies = calloc(o->cache_count, sizeof(*m->policies));
	if (!m->policies)
		return out_of_memory();
	m->policy_count = o->cache_count;
	for (size_t i = 0; i < o->cache_count; i++) {
		struct policy *policy = &m->policies[i];

		if (cache_open(&cache, o->caches[i], 1))
			return -1;
		policy->spec = o->caches[i];
		policy->is_lru = !strcmp(cache.model->head.name, "lru");
		policy->rank = m->scaled_policies;
		m->scaled_policies += !policy->is_lru;
		m->has_lru |= policy->is_lru;
		m->needs_future |= (cache_needs(&cache) & NEEDS_FUTURE) != 0;
		cache_close(&cache);
	}
	return 0;
}

static unsigned int samples_at(const struct mrc *m, double rate)
{
	unsigned int samples = m->options->samples;

	if (rate >= 1)
		return 1;
	return samples ? samples : MRC_SAMPLES;
}

/* A pass that tells references without hints to whom the caller adds to the feed. */
static int begin_references(struct mrc *m, struct cache_input *in)
{
	if (cache_input_init(in, m->options->sim.granularity, m->pass.crew))
		return -1;
	return cache_input_use(in, HINTS_NONE);
}

static int count_blocks(struct mrc *m)
{
	struct cache_input in;
	int rc = begin_references(m, &in);

	if (!rc)
		rc = census_count(&m->census, &in.modes[0].feed);
	if (!rc)
		rc = cache_pass_references(&m->pass, &in, "counting blocks");
	cache_input_fini(&in);
	return rc ? rc : census_check(&m->census);
}

static void foresee(struct consumer *consumer, const struct batch *batch)
{
	struct sampled_future *f = container_of(consumer, struct sampled_future, consumer);

	for (size_t i = 0; !f->failed && i < batch->refs; i++)
		if (sample_has(&f->sample, batch->ref[i].block))
			f->failed = future_add(&f->future, batch->ref[i].block);
}

static int end_future(struct sampled_future *f)
{
	future_end(&f->future);
	if (f->failed == -EOVERFLOW)
		return fail("the samples have more references than a policy that knows the future "
			    "can look at (%u): give a lower --rate",
			    FUTURE_MAX);
	return f->failed ? out_of_memory() : 0;
}

static struct sample sample_of(const struct mrc *m, const struct group *group, unsigned int i)
{
	return sample_make(group->rate, m->options->seed + i);
}

static int add_future(struct sampled_future *f, struct sample sample, struct cache_feed *feed)
{
	if (future_init(&f->future))
		return out_of_memory();
	if (feed_add_consumer(feed, &f->consumer, foresee))
		return -1;
	f->sample = sample;
	return 0;
}

static int add_futures(struct mrc *m, struct cache_feed *feed)
{
	m->future = calloc(m->scaled_samples, sizeof(*m->future));
	if (!m->future)
		return out_of_memory();
	for (const struct group *g = m->groups; g < m->groups + m->group_count; g++)
		for (unsigned int i = 0; i < g->samples; i++)
			if (add_future(&m->future[g->first + i], sample_of(m, g, i), feed))
				return -1;
	return 0;
}

static int find_futures(struct mrc *m)
{
	struct cache_input in;
	int rc = begin_references(m, &in);

	if (!rc)
		rc = add_futures(m, &in.modes[0].feed);
	if (!rc)
		rc = cache_pass_references(&m->pass, &in, "looking ahead");
	cache_input_fini(&in);
	for (size_t i = 0; !rc && i < m->scaled_samples; i++)
		rc = end_future(&m->future[i]);
	return rc;
}

static int find_entries(struct mrc *m)
{
	for (size_t i = 0; i < m->size_count; i++) {
		m->entries[i] = cache_pass_entries(&m->pass, m->sizes[i], m->distinct);
		if (!m->entries[i])
			return -1;
	}
	return 0;
}

/* By how much caches of a size are scaled down; several samples of most blocks are no savings. */
static double scaled_rate(const struct mrc *m, uint32_t entries)
{
	const struct mrc_options *o = m->options;
	double blocks = o->sample_blocks ? o->sample_blocks : MRC_SAMPLE_BLOCKS, rate;

	if (o->rate)
		return o->rate;
	rate = blocks / m->distinct;
	while (rate < 1 && entries * rate < SCALED_LEAST)
		rate *= 2;
	return rate < 0.5 ? rate : 1;
}

static size_t group_at(struct mrc *m, double rate)
{
	size_t i = 0;

	while (i < m->group_count && m->groups[i].rate != rate)
		i++;
	if (i == m->group_count)
		m->groups[m->group_count++] =
			(struct group){.rate = rate, .samples = samples_at(m, rate)};
	return i;
}

static void group_sizes(struct mrc *m)
{
	for (size_t i = 0; i < m->size_count; i++) {
		m->group_of[i] = group_at(m, scaled_rate(m, m->entries[i]));
		m->place_in[i] = m->groups[m->group_of[i]].sizes++;
	}
	for (size_t i = 0; i < m->group_count; i++) {
		m->groups[i].first = m->scaled_samples;
		m->scaled_samples += m->groups[i].samples;
	}
}

/* The caches of one sample. */
static int add_caches(struct mrc *m, struct scaled_caches *scaled, size_t group)
{
	for (size_t i = 0; i < m->policy_count; i++)
		for (size_t size = 0; !m->policies[i].is_lru && size < m->size_count; size++)
			if (m->group_of[size] == group &&
			    scaled_caches_add(scaled, m->policies[i].spec, m->entries[size]))
				return -1;
	return 0;
}

static int make_group(struct mrc *m, size_t mode, size_t group)
{
	const struct group *g = &m->groups[group];
	struct scaled_caches *scaled = &m->scaled[mode * m->scaled_samples + g->first];

	for (unsigned int i = 0; i < g->samples; i++) {
		if (scaled_caches_init(&scaled[i], sample_of(m, g, i),
				       g->sizes * m->scaled_policies) ||
		    add_caches(m, &scaled[i], group) ||
		    scaled_caches_listen(&scaled[i], &m->pass.input.modes[mode].feed))
			return -1;
	}
	return 0;
}

static size_t all_scaled(const struct mrc *m)
{
	return m->scaled ? m->scaled_samples * m->pass.input.mode_count : 0;
}

static int predict_memory(const struct mrc *m)
{
	uint64_t bytes = census_bytes(&m->census) + m->pass.input.mode_count * feed_bytes();
	size_t fit = 0, all = 0;

	for (size_t i = 0; i < all_scaled(m); i++) {
		bytes += scaled_caches_bytes(&m->scaled[i]);
		all += m->scaled[i].count;
		fit += bytes <= m->pass.memory.limit_bytes ? m->scaled[i].count : 0;
	}
	return memory_limit_predict(&m->pass.memory, bytes, fit, all);
}

static int make_scaled(struct mrc *m)
{
	size_t modes = m->pass.input.mode_count;

	m->scaled = calloc(modes * m->scaled_samples, sizeof(*m->scaled));
	if (!m->scaled)
		return out_of_memory();
	for (size_t mode = 0; mode < modes; mode++)
		for (size_t i = 0; i < m->group_count; i++)
			if (make_group(m, mode, i))
				return -1;
	for (size_t i = 0; m->needs_future && i < all_scaled(m); i++)
		m->scaled[i].future = &m->future[i % m->scaled_samples].future;
	return predict_memory(m);
}

static bool needs_control(const struct mrc *m)
{
	for (size_t i = 0; i < m->group_count; i++)
		if (m->groups[i].rate < 1)
			return true;
	return false;
}

static int make_control(struct mrc *m)
{
	size_t modes = m->pass.input.mode_count;
	const struct sample all = sample_make(1, 0);

	m->control = calloc(all_scaled(m), sizeof(*m->control));
	m->whole = calloc(modes, sizeof(*m->whole));
	if (!m->control || !m->whole)
		return out_of_memory();
	for (size_t i = 0; i < all_scaled(m); i++)
		if (lru_curve_init(&m->control[i], &m->pass.input.modes[i / m->scaled_samples].feed,
				   m->scaled[i].sample, 0))
			return -1;
	for (size_t mode = 0; mode < modes; mode++)
		if (lru_curve_init(&m->whole[mode], &m->pass.input.modes[mode].feed, all, 0))
			return -1;
	return 0;
}

/* What tells how far off samples of LRU are, where their rate stays. */
static int make_sets(struct mrc *m)
{
	size_t modes = m->pass.input.mode_count;
	double rate = sample_rate(&m->lru->sample);

	if (rate >= 1 || rate < SET_RATE_LEAST || m->options->sample_blocks)
		return 0;
	m->sets = calloc(modes, sizeof(*m->sets));
	if (!m->sets)
		return out_of_memory();
	for (size_t mode = 0; mode < modes; mode++)
		if (set_caches_of_all(&m->sets[mode], rate, &m->pass.input.modes[mode].feed))
			return -1;
	for (size_t i = 0; i < modes * m->lru_samples; i++)
		if (lru_curve_use_control(&m->lru[i]))
			return -1;
	return 0;
}

/* Both kinds of sampling begin with what they would not leave out. */
static int make_lru(struct mrc *m)
{
	const struct mrc_options *o = m->options;
	double rate = o->rate ? o->rate : 1;
	size_t modes = m->pass.input.mode_count;

	m->lru_samples = samples_at(m, o->sample_blocks ? 0 : rate);
	m->lru = calloc(modes * m->lru_samples, sizeof(*m->lru));
	if (!m->lru)
		return out_of_memory();
	for (size_t i = 0; i < modes * m->lru_samples; i++)
		if (lru_curve_init(&m->lru[i], &m->pass.input.modes[i / m->lru_samples].feed,
				   sample_make(rate, o->seed + i % m->lru_samples),
				   o->sample_blocks))
			return -1;
	return make_sets(m);
}

/* What scaled-down caches have to know before they are made. */
static int survey_blocks(struct mrc *m)
{
	if (count_blocks(m))
		return -1;
	m->distinct = m->census.distinct.count;
	if (find_entries(m))
		return -1;
	group_sizes(m);
	return m->needs_future ? find_futures(m) : 0;
}

static int prepare(struct mrc *m, const char *path)
{
	const struct cache_sim_options *o = &m->options->sim;

	m->sizes = o->size_count ? o->sizes : default_sizes;
	m->size_count = o->size_count ? o->size_count : COUNT_OF(default_sizes);
	if (find_policies(m) || census_init(&m->census) || cache_pass_open(&m->pass, path, o))
		return -1;
	if ((m->scaled_policies || cache_input_survey_kinds(&m->pass.input)) &&
	    cache_pass_survey(&m->pass))
		return -1;
	if (m->scaled_policies && survey_blocks(m))
		return -1;
	if (cache_pass_begin(&m->pass))
		return -1;
	if (m->has_lru && make_lru(m))
		return -1;
	if (m->scaled_policies && make_scaled(m))
		return -1;
	return needs_control(m) ? make_control(m) : 0;
}

static int end_curves(struct lru_curve *curves, size_t count)
{
	for (size_t i = 0; curves && i < count; i++)
		if (lru_curve_end(&curves[i]))
			return -1;
	return 0;
}

static void free_curves(struct lru_curve *curves, size_t count)
{
	for (size_t i = 0; curves && i < count; i++)
		lru_curve_fini(&curves[i]);
	free(curves);
}

static int conclude(struct mrc *m)
{
	size_t modes = m->pass.input.mode_count;
	double sum = 0;

	for (size_t i = 0; i < all_scaled(m); i++)
		scaled_caches_end(&m->scaled[i]);
	if (end_curves(m->lru, modes * m->lru_samples) || end_curves(m->whole, modes) ||
	    end_curves(m->control, all_scaled(m)))
		return -1;
	if (m->scaled_policies)
		return 0;
	for (size_t i = 0; i < m->lru_samples; i++)
		sum += lru_curve_distinct(&m->lru[i]);
	m->distinct = round(sum / m->lru_samples);
	return find_entries(m);
}

/* The pass first, whose jobs lie in what follows. */
static void finish(struct mrc *m)
{
	size_t modes = m->pass.input.mode_count, scaled = all_scaled(m);

	cache_pass_close(&m->pass);
	free_curves(m->lru, m->lru_samples * modes);
	for (size_t mode = 0; m->sets && mode < modes; mode++)
		set_caches_fini(&m->sets[mode]);
	free_curves(m->whole, modes);
	free_curves(m->control, scaled);
	for (size_t i = 0; i < scaled; i++)
		scaled_caches_fini(&m->scaled[i]);
	for (size_t i = 0; m->future && i < m->scaled_samples; i++)
		future_fini(&m->future[i].future);
	census_fini(&m->census);
	free(m->sets);
	free(m->scaled);
	free(m->future);
	free(m->policies);
	free(m);
}

/* What one curve is made of. */
struct curve {
	const struct mrc *m;
	const struct policy *policy;
	size_t mode;
};

/* All classes together. */
#define EVERY_CLASS -1

static struct amount add_amounts(struct amount a, struct amount b)
{
	return (struct amount){a.references + b.references, a.sectors + b.sectors};
}

/* What there really was. */
static struct amount class_amount(const struct curve *c, uint8_t io_class)
{
	const struct tally *all = c->m->pass.input.modes[c->mode].feed.references;
	const struct tally *read = &all[tag_of(false, io_class)];
	const struct tally *write = &all[tag_of(true, io_class)];

	return (struct amount){read->references + write->references,
			       read->sectors + write->sectors};
}

static const struct group *group_of(const struct curve *c, size_t size)
{
	return &c->m->groups[c->m->group_of[size]];
}

static unsigned int samples_of(const struct curve *c, size_t size)
{
	return c->policy->is_lru ? c->m->lru_samples : group_of(c, size)->samples;
}

/* By how much a sample's curve of LRU is above the exact one. */
static struct amount control_off(const struct curve *c, size_t size, size_t sample,
				 uint8_t io_class)
{
	const struct mrc *m = c->m;
	struct amount sampled, whole;

	if (group_of(c, size)->rate >= 1)
		return (struct amount){0};
	sampled = lru_curve_misses(&m->control[sample], io_class, m->entries[size]);
	whole = lru_curve_misses(&m->whole[c->mode], io_class, m->entries[size]);
	return (struct amount){sampled.references - whole.references,
			       sampled.sectors - whole.sectors};
}

static struct amount lru_misses(const struct curve *c, size_t size, unsigned int sample,
				uint8_t io_class)
{
	const struct mrc *m = c->m;
	const struct lru_curve *curve = &m->lru[c->mode * m->lru_samples + sample];

	if (!m->sets)
		return lru_curve_misses(curve, io_class, m->entries[size]);
	return lru_curve_controlled_misses(curve, &m->sets[c->mode], io_class, m->entries[size]);
}

/* Which of one class's references missed, by one sample's account of the trace. */
static struct amount class_misses(const struct curve *c, size_t size, unsigned int sample,
				  uint8_t io_class)
{
	const struct mrc *m = c->m;
	const struct scaled_caches *scaled;
	const struct group *group;
	struct tally misses;
	struct amount off;
	double rate;

	if (c->policy->is_lru)
		return lru_misses(c, size, sample, io_class);
	group = group_of(c, size);
	scaled = &m->scaled[c->mode * m->scaled_samples + group->first + sample];
	misses = scaled_caches_misses(scaled, c->policy->rank * group->sizes + m->place_in[size],
				      io_class);
	rate = sample_rate(&scaled->sample);
	off = control_off(c, size, scaled - m->scaled, io_class);
	return (struct amount){misses.references / rate - off.references,
			       misses.sectors / rate - off.sectors};
}

static struct amount all_amount(const struct curve *c, int io_class)
{
	struct amount sum = {0};

	if (io_class != EVERY_CLASS)
		return class_amount(c, io_class);
	for (unsigned int i = 0; i < CLASS_VALUES; i++)
		sum = add_amounts(sum, class_amount(c, i));
	return sum;
}

static struct amount all_misses(const struct curve *c, size_t size, unsigned int sample,
				int io_class)
{
	struct amount sum = {0};

	if (io_class != EVERY_CLASS)
		return class_misses(c, size, sample, io_class);
	for (unsigned int i = 0; i < CLASS_VALUES; i++)
		sum = add_amounts(sum, class_misses(c, size, sample, i));
	return sum;
}

/* What is estimated may be below nothing or above all. */
static double ratio_of(double part, double whole)
{
	if (part < 0)
		return 0;
	return part < whole ? part / whole : 1;
}

/* Half of the interval around the mean of some samples: Student's. */
static double half_width(const double *ratio, unsigned int samples, double mean)
{
	double quantile = gsl_cdf_tdist_Pinv((1 + CONFIDENCE) / 2, samples - 1);

	return quantile * gsl_stats_sd_m(ratio, 1, samples, mean) / sqrt(samples);
}

static bool is_exact(const struct curve *c, size_t size)
{
	const struct mrc_options *o = c->m->options;

	if (!c->policy->is_lru)
		return group_of(c, size)->rate >= 1;
	return !o->sample_blocks && (!o->rate || o->rate >= 1);
}

/* What is known of the mean by one sample is nothing, unless that has all. */
static void add_bounds(json_t *point, const double *ratio, unsigned int samples, double mean,
		       bool exact)
{
	double half = samples > 1 ? half_width(ratio, samples, mean) : 0;

	if (samples == 1 && !exact) {
		json_object_set_new(point, "low", json_null());
		json_object_set_new(point, "high", json_null());
		return;
	}
	json_object_set_new(point, "low", json_real(mean > half ? mean - half : 0));
	json_object_set_new(point, "high", json_real(mean + half < 1 ? mean + half : 1));
}

static json_t *point_json(const struct curve *c, size_t size, int io_class)
{
	const struct amount all = all_amount(c, io_class);
	unsigned int samples = samples_of(c, size);
	double ratio[MRC_SAMPLES_MAX], bytes[MRC_SAMPLES_MAX], mean;
	json_t *point = json_pack("{s:I}", "size_entries", (json_int_t)c->m->entries[size]);

	for (unsigned int i = 0; i < samples; i++) {
		struct amount misses = all_misses(c, size, i, io_class);

		ratio[i] = ratio_of(misses.references, all.references);
		bytes[i] = ratio_of(misses.sectors, all.sectors);
	}
	mean = gsl_stats_mean(ratio, 1, samples);
	json_object_set_new(point, "miss_ratio", json_real(mean));
	add_bounds(point, ratio, samples, mean, is_exact(c, size));
	json_object_set_new(point, "byte_miss_ratio", json_real(gsl_stats_mean(bytes, 1, samples)));
	return point;
}

/* How it was come by: a rate of 1 is no sample. */
static void add_method(json_t *point, const struct curve *c, size_t size)
{
	bool falls = c->policy->is_lru && c->m->options->sample_blocks;
	double rate = c->policy->is_lru ? sample_rate(&c->m->lru->sample) : group_of(c, size)->rate;

	json_object_set_new(point, "rate", falls ? json_null() : json_real(rate));
	json_object_set_new(point, "samples", json_integer(samples_of(c, size)));
}

static json_t *points_json(const struct curve *c, int io_class)
{
	json_t *list = json_array();

	for (size_t size = 0; all_amount(c, io_class).references && size < c->m->size_count;
	     size++) {
		json_t *point = point_json(c, size, io_class);

		if (io_class == EVERY_CLASS)
			add_method(point, c, size);
		json_array_append_new(list, point);
	}
	return list;
}

/* The classes that occur, from the highest to the undecided. */
static json_t *classes_json(const struct curve *c)
{
	json_t *list = json_array();

	for (int i = CLASS_COUNT - 1; i >= -1; i--) {
		uint8_t io_class = i < 0 ? CLASS_UNDECIDED : i;
		uint64_t references = class_amount(c, io_class).references;
		json_t *object;

		if (!references)
			continue;
		object = result_class_json(io_class, &c->m->pass.input.pipeline_options);
		json_object_set_new(object, "references", json_integer(references));
		json_object_set_new(object, "points", points_json(c, io_class));
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *curve_json(const struct curve *c)
{
	const struct hint_mode *mode = &c->m->pass.input.modes[c->mode];
	bool asked = c->m->options->sim.hint_count && !hint_mode_is_plain(mode);
	bool evident = hint_mode_has_evidence(mode), known = evident || !asked;
	const char *hints = asked || evident ? mode->spec : HINTS_NONE;

	return json_pack("{s:s, s:s, s:s, s:b, s:o, s:o}", "cache", c->policy->spec, "hints", hints,
			 "method", c->policy->is_lru ? "distances" : "caches", "hints_known", known,
			 "points", known ? points_json(c, EVERY_CLASS) : json_null(), "by_class",
			 evident ? classes_json(c) : json_null());
}

static json_t *curves_json(const struct mrc *m)
{
	json_t *list = json_array();
	struct curve c = {.m = m};

	for (c.policy = m->policies; c.policy < m->policies + m->policy_count; c.policy++)
		for (c.mode = 0; c.mode < m->pass.input.mode_count; c.mode++)
			json_array_append_new(list, curve_json(&c));
	return list;
}

static bool distinct_is_exact(const struct mrc *m)
{
	const struct mrc_options *o = m->options;

	return m->scaled_policies || (!o->sample_blocks && (!o->rate || o->rate >= 1));
}

static uint64_t requests_of(const struct mrc *m)
{
	uint64_t sum = 0;

	for (size_t side = 0; side < SIDES; side++)
		sum += m->pass.input.requests[side];
	return sum;
}

static json_t *report(const struct mrc *m, const char *path)
{
	static const char *const granularity_names[] = {"4k", "start"};
	const struct curve any = {.m = m, .policy = m->policies};

	return json_pack("{s:o, s:s, s:I, s:b, s:I, s:I, s:s?, s:I, s:f, s:o}", "trace",
			 text_json(path, strlen(path)), "granularity",
			 granularity_names[m->options->sim.granularity], "distinct_blocks",
			 (json_int_t)m->distinct, "distinct_exact", distinct_is_exact(m),
			 "references", (json_int_t)all_amount(&any, EVERY_CLASS).references,
			 "requests", (json_int_t)requests_of(m), "hint_source",
			 cache_pass_hint_source(&m->pass), "seed", (json_int_t)m->options->seed,
			 "confidence", CONFIDENCE, "curves", curves_json(m));
}

json_t *mrc_trace(const char *path, const struct mrc_options *options)
{
	struct mrc *m = calloc(1, sizeof(*m));
	json_t *json = NULL;

	if (!m) {
		out_of_memory();
		return NULL;
	}
	m->options = options;
	if (!prepare(m, path) && !cache_pass_run(&m->pass, "simulating") && !conclude(m)) {
		json = report(m, path);
		if (!json)
			fail("out of memory for the results, or the name of %s is no UTF-8", path);
	}
	finish(m);
	return json;
}
