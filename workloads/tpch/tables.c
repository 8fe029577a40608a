/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "workloads/tpch/tables.h"

#define PICK(prng, list) list[prng_below(prng, sizeof(list) / sizeof(*list))]

/* 4.2.2.13 */
static const char *const type_size[] = {"STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO"};
static const char *const type_finish[] = {"ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED"};
static const char *const type_metal[] = {"TIN", "NICKEL", "BRASS", "STEEL", "COPPER"};
static const char *const container_size[] = {"SM", "LG", "MED", "JUMBO", "WRAP"};
static const char *const container_form[] = {"CASE", "BOX",  "BAG", "JAR",
					     "PKG",  "PACK", "CAN", "DRUM"};

/* 4.2.3, P_NAME */
static const char *const colours[] = {
	"almond",   "antique",	 "aquamarine", "azure",	     "beige",	  "bisque",    "black",
	"blanched", "blue",	 "blush",      "brown",	     "burlywood", "burnished", "chartreuse",
	"chiffon",  "chocolate", "coral",      "cornflower", "cornsilk",  "cream",     "cyan",
	"dark",	    "deep",	 "dim",	       "dodger",     "drab",	  "firebrick", "floral",
	"forest",   "frosted",	 "gainsboro",  "ghost",	     "goldenrod", "green",     "grey",
	"honeydew", "hot",	 "indian",     "ivory",	     "khaki",	  "lace",      "lavender",
	"lawn",	    "lemon",	 "light",      "lime",	     "linen",	  "magenta",   "maroon",
	"medium",   "metallic",	 "midnight",   "mint",	     "misty",	  "moccasin",  "navajo",
	"navy",	    "olive",	 "orange",     "orchid",     "pale",	  "papaya",    "peach",
	"peru",	    "pink",	 "plum",       "powder",     "puff",	  "purple",    "red",
	"rose",	    "rosy",	 "royal",      "saddle",     "salmon",	  "sandy",     "seashell",
	"sienna",   "sky",	 "slate",      "smoke",	     "snow",	  "spring",    "steel",
	"tan",	    "thistle",	 "tomato",     "turquoise",  "violet",	  "wheat",     "white",
	"yellow",
};
#define NAME_COLOURS 5

static const char complaint_begins[] = "Customer", complaint_ends[] = "Complaints";
static const char praise_ends[] = "Recommends";

/* Evenly from least to most. */
static uint32_t between(struct prng *prng, uint32_t least, uint32_t most)
{
	return least + prng_below(prng, most - least + 1);
}

uint32_t tpch_retail_price(uint32_t part)
{
	return 90000 + part / 10 % 20001 + 100 * (part % 1000);
}

uint32_t tpch_supplier_of(uint32_t part, unsigned nth, uint32_t suppliers)
{
	uint64_t step = suppliers / 4 + (part - 1) / suppliers;

	return (part + nth * step) % suppliers + 1;
}

/*
 * 4.2.3: five of 10000 suppliers have complaints, five others praise. How many are
 * still to be found among those left decides of each (D. E. Knuth, The Art of
 * Computer Programming, 3.4.2, algorithm S). With a small scale factor it is at least
 * one each, which the specification, beginning at 1, doesn't have.
 */
struct noted {
	uint32_t left, complaints, praises;
};

static struct noted noted_suppliers(uint32_t suppliers)
{
	uint32_t each = (suppliers * 5ull + TPCH_SUPPLIERS / 2) / TPCH_SUPPLIERS;

	each = each ? each : 1;
	return (struct noted){.left = suppliers, .complaints = each, .praises = each};
}

/* NULL for most. */
static const char *noted_end(struct noted *noted, struct prng *prng)
{
	uint32_t drawn = prng_below(prng, noted->left--);

	if (drawn < noted->complaints) {
		noted->complaints--;
		return complaint_ends;
	}
	if (drawn < noted->complaints + noted->praises) {
		noted->praises--;
		return praise_ends;
	}
	return NULL;
}

struct writer {
	const struct tpch *tpch;
	struct prng prng;
	struct noted noted;
	FILE *file;
};

struct piece {
	const char *at;
	uint32_t bytes;
};

/* 4.2.2.10: a substring of the text, of a random length. */
static struct piece comment(struct writer *w, uint32_t least, uint32_t most)
{
	uint32_t bytes = between(&w->prng, least, most);
	uint64_t place = prng_below(&w->prng, w->tpch->text.bytes - bytes + 1);

	return (struct piece){w->tpch->text.at + place, bytes};
}

/* Five colours, all different. */
static void write_name(struct prng *prng, FILE *file)
{
	uint32_t taken[NAME_COLOURS];

	for (unsigned i = 0, other; i < NAME_COLOURS; i++) {
		do {
			taken[i] = prng_below(prng, sizeof(colours) / sizeof(*colours));
			for (other = 0; taken[other] != taken[i]; other++)
				;
		} while (other < i);
		fprintf(file, "%s%c", colours[taken[i]], i < NAME_COLOURS - 1 ? ' ' : '|');
	}
}

static void write_part(struct writer *w, uint32_t row)
{
	struct prng *prng = &w->prng;
	uint32_t part = row + 1, price = tpch_retail_price(part), maker = between(prng, 1, 5);
	struct piece note;

	fprintf(w->file, "%" PRIu32 "|", part);
	write_name(prng, w->file);
	fprintf(w->file, "Manufacturer#%" PRIu32 "|Brand#%" PRIu32 "%" PRIu32, maker, maker,
		between(prng, 1, 5));
	fprintf(w->file, "|%s ", PICK(prng, type_size));
	fprintf(w->file, "%s ", PICK(prng, type_finish));
	fprintf(w->file, "%s|", PICK(prng, type_metal));
	fprintf(w->file, "%" PRIu32 "|", between(prng, 1, 50));
	fprintf(w->file, "%s ", PICK(prng, container_size));
	fprintf(w->file, "%s|", PICK(prng, container_form));
	note = comment(w, 5, 22);
	fprintf(w->file, "%" PRIu32 ".%02" PRIu32 "|%.*s|\n", price / 100, price % 100,
		(int)note.bytes, note.at);
}

static void write_partsupp(struct writer *w, uint32_t row)
{
	uint32_t part = row / TPCH_SUPPLIERS_OF_PART + 1;
	uint32_t supplier =
		tpch_supplier_of(part, row % TPCH_SUPPLIERS_OF_PART, w->tpch->suppliers);
	uint32_t available = between(&w->prng, 1, 9999), cost = between(&w->prng, 100, 100000);
	struct piece note = comment(w, 49, 198);

	fprintf(w->file, "%" PRIu32 "|%" PRIu32 "|%" PRIu32 "|%" PRIu32 ".%02" PRIu32 "|%.*s|\n",
		part, supplier, available, cost / 100, cost % 100, (int)note.bytes, note.at);
}

/* 4.2.2.7: a random string of 64 letters, digits and other characters. */
static void write_address(struct prng *prng, FILE *file)
{
	static const char characters[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ,";
	char address[40];
	uint32_t bytes = between(prng, 10, sizeof(address));

	for (uint32_t i = 0; i < bytes; i++)
		address[i] = characters[prng_below(prng, sizeof(characters) - 1)];
	fprintf(file, "%.*s|", (int)bytes, address);
}

/* Puts "Customer", something, and an end over what a comment says, at random places. */
static void overwrite(char *text, uint32_t bytes, const char *end, struct prng *prng)
{
	uint32_t begin_bytes = strlen(complaint_begins), end_bytes = strlen(end);
	uint32_t gap = between(prng, 0, bytes - begin_bytes - end_bytes);
	uint32_t place = between(prng, 0, bytes - begin_bytes - end_bytes - gap);

	memcpy(text + place, complaint_begins, begin_bytes);
	memcpy(text + place + begin_bytes + gap, end, end_bytes);
}

static void write_supplier(struct writer *w, uint32_t row)
{
	struct prng *prng = &w->prng;
	uint32_t nation = between(prng, 0, 24);
	int32_t balance = (int32_t)between(prng, 0, 99999 + 999999) - 99999;
	const char *end = noted_end(&w->noted, prng);
	struct piece note;
	char text[100];

	fprintf(w->file, "%" PRIu32 "|Supplier#%09" PRIu32 "|", row + 1, row + 1);
	write_address(prng, w->file);
	fprintf(w->file, "%" PRIu32 "|%" PRIu32, nation, nation + 10);
	fprintf(w->file, "-%" PRIu32, between(prng, 100, 999));
	fprintf(w->file, "-%" PRIu32, between(prng, 100, 999));
	fprintf(w->file, "-%" PRIu32, between(prng, 1000, 9999));
	fprintf(w->file, "|%s%d.%02d|", balance < 0 ? "-" : "", abs(balance) / 100,
		abs(balance) % 100);
	note = comment(w, 25, sizeof(text));
	memcpy(text, note.at, note.bytes);
	if (end)
		overwrite(text, note.bytes, end, prng);
	fprintf(w->file, "%.*s|\n", (int)note.bytes, text);
}

const struct tpch_table tpch_tables[TPCH_TABLES] = {
	{"part", TPCH_PARTS / TPCH_SUPPLIERS, write_part},
	{"partsupp", TPCH_PARTS / TPCH_SUPPLIERS *TPCH_SUPPLIERS_OF_PART, write_partsupp},
	{"supplier", 1, write_supplier},
};

uint64_t tpch_rows(const struct tpch *tpch, const struct tpch_table *table)
{
	return (uint64_t)tpch->suppliers * table->rows_of_supplier;
}

int tpch_write_table(const struct tpch *tpch, const struct tpch_table *table, FILE *file,
		     const char *name)
{
	struct writer writer = {
		.tpch = tpch, .noted = noted_suppliers(tpch->suppliers), .file = file};
	uint64_t rows = tpch_rows(tpch, table);

	prng_seed(&writer.prng, tpch->seed, 1 + (table - tpch_tables));
	for (uint64_t row = 0; row < rows && !ferror(file); row++)
		table->write_row(&writer, row);
	if (ferror(file) || fflush(file))
		return fail_errno(errno,
				  "%s could not be written; free some space or choose "
				  "another folder",
				  name);
	return 0;
}
