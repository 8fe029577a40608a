/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A confusion matrix a direction, and what is read off it.
 */
#include <stdio.h>

#include "sim/score.h"

static const char *const op_names[] = {"read", "write"};

static bool is_wrong(unsigned truth, unsigned hint)
{
	if (truth == CHUNK_METADATA)
		return hint == CHUNK_DATA || hint == CHUNK_UNCONSUMED;
	return truth == CHUNK_DATA && hint == CHUNK_METADATA;
}

static void keep_example(struct score *score, const struct judged *judged)
{
	bool data = judged->truth.what == CHUNK_DATA;
	unsigned *count = &score->examples[judged->op][data];

	if (*count == SCORE_EXAMPLES)
		return;
	score->example[judged->op][data][(*count)++] = (struct score_example){
		.time_ns = judged->issued_ns,
		.known_ns = judged->hint->time_ns,
		.sector = judged->sector,
		.truth = judged->truth,
		.hint = judged->hint->hint.what,
		.reason = judged->hint->hint.reason,
		.hint_inode = judged->hint->hint.inode,
	};
}

void score_chunk(struct score *score, const struct judged *judged)
{
	unsigned hint = judged->hint ? judged->hint->hint.what : CHUNK_UNKNOWN;
	unsigned truth = judged->truth.what;

	if (truth > CHUNK_DATA) /* a trace may say so, but then it says nothing */
		truth = CHUNK_UNKNOWN;
	score->chunks[judged->op][truth][hint] += judged->chunks;
	if (is_wrong(truth, hint))
		keep_example(score, judged);
	if (truth != CHUNK_DATA || hint == CHUNK_METADATA || !hint || !judged->truth.inode ||
	    !judged->hint->hint.inode)
		return;
	score->inode_judged[judged->op]++;
	score->wrong_inode[judged->op] += judged->hint->hint.inode != judged->truth.inode;
}

static uint64_t sum(const struct score *score, unsigned op, bool with_truth, bool with_hint)
{
	uint64_t chunks = 0;

	for (unsigned truth = 0; truth <= CHUNK_DATA; truth++)
		for (unsigned hint = 0; hint <= CHUNK_UNCONSUMED; hint++)
			if (!truth == !with_truth && !hint == !with_hint)
				chunks += score->chunks[op][truth][hint];
	return chunks;
}

bool score_has_truth(const struct score *score)
{
	for (unsigned op = BLOCK_READ; op <= BLOCK_WRITE; op++)
		if (sum(score, op, true, true) + sum(score, op, true, false))
			return true;
	return false;
}

uint64_t score_judged(const struct score *score, unsigned op)
{
	return sum(score, op, true, true);
}

uint64_t score_errors(const struct score *score, unsigned op)
{
	uint64_t errors = 0;

	for (unsigned truth = 0; truth <= CHUNK_DATA; truth++)
		for (unsigned hint = 0; hint <= CHUNK_UNCONSUMED; hint++)
			if (is_wrong(truth, hint))
				errors += score->chunks[op][truth][hint];
	return errors;
}

json_t *score_percent(uint64_t part, uint64_t whole)
{
	return whole ? json_real(100.0 * part / whole) : json_null();
}

static void set_count(json_t *to, const char *op, const char *name, uint64_t count)
{
	char key[64];

	snprintf(key, sizeof(key), "%s_%s", op, name);
	json_object_set_new(to, key, json_integer(count));
}

static void direction_json(const struct score *score, unsigned op, json_t *to)
{
	char key[64];

	snprintf(key, sizeof(key), "%s_error_percent", op_names[op]);
	json_object_set_new(to, key,
			    score_percent(score_errors(score, op), score_judged(score, op)));
	set_count(to, op_names[op], "chunks_judged", score_judged(score, op));
	set_count(to, op_names[op], "errors", score_errors(score, op));
	set_count(to, op_names[op], "chunks_without_truth",
		  sum(score, op, false, true) + sum(score, op, false, false));
	set_count(to, op_names[op], "chunks_without_hint",
		  sum(score, op, true, false) + sum(score, op, false, false));
	set_count(to, op_names[op], "inodes_judged", score->inode_judged[op]);
	set_count(to, op_names[op], "wrong_inodes", score->wrong_inode[op]);
}

/* How much of what was read for files nobody took; null where nothing of it is known. */
static void unconsumed_json(const struct score *score, json_t *to)
{
	uint64_t hinted = 0, unconsumed = 0;

	for (unsigned truth = 0; truth <= CHUNK_DATA; truth++) {
		unconsumed += score->chunks[BLOCK_READ][truth][CHUNK_UNCONSUMED];
		for (unsigned hint = CHUNK_METADATA; hint <= CHUNK_UNCONSUMED; hint++)
			hinted += score->chunks[BLOCK_READ][truth][hint];
	}
	json_object_set_new(to, "unconsumed_percent", score_percent(unconsumed, hinted));
	json_object_set_new(to, "unconsumed_chunks", json_integer(unconsumed));
}

/* confusion[operation][truth][hint] */
static json_t *confusion_json(const struct score *score)
{
	json_t *confusion = json_object();

	for (unsigned op = BLOCK_READ; op <= BLOCK_WRITE; op++) {
		json_t *direction = json_object();

		for (unsigned truth = 0; truth <= CHUNK_DATA; truth++) {
			json_t *row = json_object();

			for (unsigned hint = 0; hint <= CHUNK_UNCONSUMED; hint++)
				json_object_set_new(row, chunk_class_names[hint],
						    json_integer(score->chunks[op][truth][hint]));
			json_object_set_new(direction, chunk_class_names[truth], row);
		}
		json_object_set_new(confusion, op_names[op], direction);
	}
	return confusion;
}

static json_t *example_json(const struct score_example *e, unsigned op)
{
	return json_pack("{s:s, s:I, s:I, s:s, s:s, s:I, s:I, s:s, s:s, s:I, s:I}", "op",
			 op_names[op], "time_ns", (json_int_t)e->time_ns, "sector",
			 (json_int_t)e->sector, "truth", chunk_class_names[e->truth.what],
			 "truth_source", truth_source_names[e->truth.source], "truth_inode",
			 (json_int_t)e->truth.inode, "truth_index", (json_int_t)e->truth.index,
			 "hint", chunk_class_names[e->hint], "hint_reason",
			 hint_reason_names[e->reason], "hint_inode", (json_int_t)e->hint_inode,
			 "known_ns", (json_int_t)e->known_ns);
}

static json_t *examples_json(const struct score *score)
{
	json_t *examples = json_array();

	for (unsigned op = BLOCK_READ; op <= BLOCK_WRITE; op++)
		for (unsigned data = 0; data < 2; data++)
			for (unsigned i = 0; i < score->examples[op][data]; i++)
				json_array_append_new(
					examples, example_json(&score->example[op][data][i], op));
	return examples;
}

void score_json(const struct score *score, json_t *result)
{
	direction_json(score, BLOCK_WRITE, result);
	direction_json(score, BLOCK_READ, result);
	unconsumed_json(score, result);
	json_object_set_new(result, "confusion", confusion_json(score));
	json_object_set_new(result, "error_examples", examples_json(score));
}
