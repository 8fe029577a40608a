/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sky watch: a trace while it is recorded, shown as top shows a machine.
 *
 * trace_follow() -> watch -> at the end of each interval a JSON line, a page of
 * text, or the screen. Where the trace has no more for now, the wall clock goes
 * on in place of the trace's.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "capture/source.h"
#include "common/command.h"
#include "common/duration.h"
#include "common/error.h"
#include "common/size.h"
#include "sim/watch/screen.h"

/* How long keys and the clock may have to wait. */
#define WAIT_MS 100

/*
 * What happened is in the stream that long after it at the latest: a recorder
 * merges and flushes several times a second.
 */
#define SLACK_NS 1000000000u

#define INTERVAL_MIN_NS 1000000u

struct session {
	const char *path;
	uint64_t interval_ns, count;
	size_t top;
	enum watch_amount by;
	bool json, batch;

	struct source *source;
	struct watch *watch;
	uint64_t shown;	  /* intervals */
	uint64_t wall_ns; /* when the trace had something last */
	bool screen, paused, in_all, quit;
	int error;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	interrupted = signal;
}

/* The second one ends the program at once. */
static void catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
}

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static const char *state_of(const struct session *s, bool ended)
{
	if (ended)
		return s->quit || interrupted ? "stopped" : "ended";
	return s->paused ? "paused" : s->screen ? "live" : "";
}

static void make_page(const struct session *s, struct page *page, bool ended)
{
	struct page_options options = {
		.trace = strcmp(s->path, "-") ? s->path : "standard input",
		.state = state_of(s, ended),
		.by = s->by,
		.in_all = s->in_all || ended,
		.rows = PAGE_ROWS - 1,
		.columns = PAGE_COLUMNS,
	};

	if (s->screen)
		screen_size(&options.rows, &options.columns);
	page_make(page, s->watch, &options);
}

static void draw(const struct session *s)
{
	static struct page page;

	make_page(s, &page, false);
	screen_show(&page);
}

static void print_page(const struct session *s, bool ended)
{
	static struct page page;

	make_page(s, &page, ended);
	for (unsigned i = 0; i < page.count; i++)
		puts(page.line[i].text);
}

static void print_json(const struct session *s)
{
	json_t *line = watch_json(s->watch, s->by, s->top);

	json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
	putchar('\n');
	json_decref(line);
}

static bool take_interval(void *context, struct watch *watch)
{
	struct session *s = context;
	bool last = watch_interval(watch)->last;

	if (s->screen && !s->paused) {
		draw(s);
	} else if (!s->screen) {
		if (s->json)
			print_json(s);
		else if (!last)
			print_page(s, false);
		if (!s->json && !last)
			putchar('\n');
		s->quit |= fflush(stdout) != 0; /* command_finish() says it */
	}
	s->quit |= ++s->shown == s->count;
	return !s->quit;
}

static void take_keys(struct session *s)
{
	enum screen_key key;

	while ((key = screen_key()) != SCREEN_NOTHING) {
		if (key == SCREEN_QUIT)
			s->quit = true;
		if (key == SCREEN_SORT)
			s->by = (s->by + 1) % AMOUNTS;
		if (key == SCREEN_TOTALS)
			s->in_all = !s->in_all;
		if (key == SCREEN_PAUSE)
			s->paused = !s->paused;
		draw(s);
	}
}

/* Nothing has come for a while: time passes all the same. */
static void pass_time(struct session *s)
{
	uint64_t quiet_ns = clock_ns() - s->wall_ns;

	if (quiet_ns > SLACK_NS)
		watch_pass(s->watch, watch_now_ns(s->watch) + quiet_ns - SLACK_NS);
}

/* 1, 0 at the end, -1 after saying what is wrong. */
static int read_some(struct session *s)
{
	static struct event events[BATCH_EVENTS];
	ssize_t count = source_read(s->source, events, BATCH_EVENTS);

	if (count <= 0)
		return count;
	for (ssize_t i = 0; i < count && !s->quit; i++) {
		watch_take(s->watch, &events[i], &s->error);
		if (s->error)
			return fail("out of memory while watching %s", s->path);
	}
	s->wall_ns = clock_ns();
	return 1;
}

static int run(struct session *s)
{
	int rc = 1;

	s->wall_ns = clock_ns();
	while (rc > 0 && !s->quit && !interrupted) {
		if (source_ready(s->source, WAIT_MS))
			rc = interrupted ? 1 : read_some(s);
		else
			pass_time(s);
		if (s->screen)
			take_keys(s);
	}
	return rc;
}

/* The stream ended before the recording did. */
static void tell_the_end(const struct session *s)
{
	const struct watch_interval *i = watch_interval(s->watch);

	if (!i->total.events)
		warn("%s has no events; nothing was recorded in it", s->path);
	else if (watch_broke_off(s->watch) || s->source->cut_bytes)
		warn("the recording broke off, its recorder was killed; all %llu events up to then "
		     "were counted, and `sky convert` makes an archive of them",
		     (unsigned long long)i->total.events);
}

static int show(struct session *s)
{
	bool was_screen;
	int rc;

	if (!s->json && !s->batch && isatty(STDOUT_FILENO))
		s->screen = screen_begin();
	if (s->screen)
		draw(s);
	rc = run(s);
	was_screen = s->screen;
	screen_end();
	s->screen = false;
	if (s->count && s->shown == s->count) {
		if (was_screen)
			print_page(s, true);
		return 0;
	}
	if (watch_finish(s->watch) && rc >= 0)
		rc = fail("out of memory while watching %s", s->path);
	if (!s->json)
		print_page(s, true);
	if (!rc && !s->quit && !interrupted)
		tell_the_end(s);
	return rc < 0 ? -1 : 0;
}

static int watch_trace(struct session *s)
{
	int rc = -1;

	catch_signals();
	s->source = trace_follow(s->path, KINDS_ALL);
	if (s->source)
		s->watch = watch_new(s->interval_ns, take_interval, s);
	if (s->watch)
		rc = show(s);
	watch_free(s->watch);
	source_close(s->source);
	return rc;
}

enum key {
	KEY_JSON = 'j',
	KEY_BATCH = 'b',
	KEY_INTERVAL = 'i',
	KEY_COUNT = 'n',
	KEY_SORT = 's',
	KEY_TOP = 't',
};

static const struct argp_option watch_options[] = {
	{"interval", KEY_INTERVAL, "TIME", 0, "how long an interval is, by the trace's clock (1s)",
	 0},
	{"count", KEY_COUNT, "N", 0, "end after so many intervals", 0},
	{"json", KEY_JSON, NULL, 0, "one JSON object a line, an interval each", 0},
	{"batch", KEY_BATCH, NULL, 0, "plain text, as where the output is no terminal", 0},
	{"sort", KEY_SORT, "AMOUNT", 0,
	 "what files and processes are ranked by: disk-written (default), disk-read, "
	 "calls-written, calls-read",
	 0},
	{"top", KEY_TOP, "N", 0, "how many files and processes a JSON object has (10)", 0},
	{0},
};

static void set_sort(struct argp_state *state, struct session *s, const char *name)
{
	for (int i = 0; watch_amount_names[i]; i++) {
		if (strcmp(watch_amount_names[i], name))
			continue;
		s->by = i;
		return;
	}
	argp_error(state, "--sort wants disk-written, disk-read, calls-written or calls-read");
}

static uint64_t number(struct argp_state *state, const char *option, const char *text,
		       uint64_t least, uint64_t most)
{
	uint64_t value = 0;

	if (size_parse(text, &value) || value < least || value > most)
		argp_error(state, "--%s wants a number from %llu to %llu", option,
			   (unsigned long long)least, (unsigned long long)most);
	return value;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct session *s = state->input;

	switch (key) {
	case KEY_INTERVAL:
		if (duration_parse(argument, &s->interval_ns) || s->interval_ns < INTERVAL_MIN_NS)
			argp_error(state, "--interval wants a time of 1 ms at least, as in 2s or "
					  "500ms");
		return 0;
	case KEY_COUNT:
		s->count = number(state, "count", argument, 1, UINT32_MAX);
		return 0;
	case KEY_JSON:
		s->json = true;
		return 0;
	case KEY_BATCH:
		s->batch = true;
		return 0;
	case KEY_SORT:
		set_sort(state, s, argument);
		return 0;
	case KEY_TOP:
		s->top = number(state, "top", argument, 0, WATCH_TOP_MAX);
		return 0;
	case ARGP_KEY_ARG:
		if (s->path)
			argp_error(state, "one trace at a time");
		s->path = argument;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which trace? A stream that `sky record --stream` writes, or - "
				  "for standard input");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int run_watch(int argc, char **argv)
{
	static const struct argp argp = {
		.options = watch_options,
		.parser = parse_option,
		.args_doc = "TRACE",
		.doc = "Show what a file system does while it is recorded: requests by class, the "
		       "share of metadata, what is written to the disk for each byte that programs "
		       "write, and which files and processes it is for.\v"
		       "TRACE is a stream that may still be growing (`sky record --stream`), - for "
		       "one on standard input (`sky record -o - -- CMD | sky watch -`), or any "
		       "finished trace. It ends when the recording does. Keys: q quits, s sorts "
		       "by something else, t shows totals, space pauses.",
	};
	struct session s = {.interval_ns = 1000000000, .top = 10};

	argp_parse(&argp, argc, argv, 0, NULL, &s);
	return watch_trace(&s) ? EXIT_FAILURE : command_finish();
}

SKY_COMMAND(watch, "watch", "show what goes on while a trace is recorded", run_watch);
