/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grammar is a table of rules, each known by a letter: a phrase is a form
 * in which capitals stand for other rules and the rest for itself; a word is
 * taken as it is. Every form of a rule is as likely as the others.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "workloads/tpch/text.h"

/* Longer than any sentence can become. */
#define SENTENCE_MAX 512

#define FORMS(name, ...) static const char *const name[] = {__VA_ARGS__}

/* 4.2.2.14, the phrases ... */
FORMS(sentences, "N VT", "N V PT", "N V NT", "N P V NT", "N P V PT");
FORMS(noun_phrases, "O", "J O", "J, J O", "D J O");
FORMS(verb_phrases, "B", "X B", "B D", "X B D");
FORMS(prepositional_phrases, "E the N");

/* ... and the words. */
FORMS(nouns, "foxes", "ideas", "theodolites", "pinto beans", "instructions", "dependencies",
      "excuses", "platelets", "asymptotes", "courts", "dolphins", "multipliers", "sauternes",
      "warthogs", "frets", "dinos", "attainments", "somas", "Tiresias'", "patterns", "forges",
      "braids", "hockey players", "frays", "warhorses", "dugouts", "notornis", "epitaphs", "pearls",
      "tithes", "waters", "orbits", "gifts", "sheaves", "depths", "sentiments", "decoys", "realms",
      "pains", "grouches", "escapades");
FORMS(verbs, "sleep", "wake", "are", "cajole", "haggle", "nag", "use", "boost", "affix", "detect",
      "integrate", "maintain", "nod", "was", "lose", "sublate", "solve", "thrash", "promise",
      "engage", "hinder", "print", "x-ray", "breach", "eat", "grow", "impress", "mold", "poach",
      "serve", "run", "dazzle", "snooze", "doze", "unwind", "kindle", "play", "hang", "believe",
      "doubt");
FORMS(adjectives, "furious", "sly", "careful", "blithe", "quick", "fluffy", "slow", "quiet",
      "ruthless", "thin", "close", "dogged", "daring", "brave", "stealthy", "permanent", "enticing",
      "idle", "busy", "regular", "final", "ironic", "even", "bold", "silent");
FORMS(adverbs, "sometimes", "always", "never", "furiously", "slyly", "carefully", "blithely",
      "quickly", "fluffily", "slowly", "quietly", "ruthlessly", "thinly", "closely", "doggedly",
      "daringly", "bravely", "stealthily", "permanently", "enticingly", "idly", "busily",
      "regularly", "finally", "ironically", "evenly", "boldly", "silently");
FORMS(prepositions, "about", "above", "according to", "across", "after", "against", "along",
      "alongside of", "among", "around", "at", "atop", "before", "behind", "beneath", "beside",
      "besides", "between", "beyond", "by", "despite", "during", "except", "for", "from",
      "in place of", "inside", "instead of", "into", "near", "of", "on", "outside", "over", "past",
      "since", "through", "throughout", "to", "toward", "under", "until", "up", "upon", "without",
      "with", "within");
FORMS(auxiliaries, "do", "may", "might", "shall", "will", "would", "can", "could", "should",
      "ought to", "must", "will have to", "shall have to", "could have to", "should have to",
      "must have to", "need to", "try to");
FORMS(terminators, ".", ";", ":", "?", "!", "--");

struct rule {
	const char *const *forms;
	unsigned count;
	bool words;
};

#define PHRASE(list)                                      \
	{                                                 \
		list, sizeof(list) / sizeof(*list), false \
	}
#define WORD(list)                                       \
	{                                                \
		list, sizeof(list) / sizeof(*list), true \
	}

static const struct rule rules['Z' + 1] = {
	['S'] = PHRASE(sentences),    ['N'] = PHRASE(noun_phrases),
	['V'] = PHRASE(verb_phrases), ['P'] = PHRASE(prepositional_phrases),
	['O'] = WORD(nouns),	      ['B'] = WORD(verbs),
	['J'] = WORD(adjectives),     ['D'] = WORD(adverbs),
	['E'] = WORD(prepositions),   ['X'] = WORD(auxiliaries),
	['T'] = WORD(terminators),
};

/* Returns the end. */
static char *expand(unsigned char letter, char *to, struct prng *prng)
{
	const struct rule *rule = &rules[letter];
	const char *form = rule->forms[prng_below(prng, rule->count)];

	if (rule->words)
		return stpcpy(to, form);
	for (; *form; form++) {
		if (isupper(*form))
			to = expand(*form, to, prng);
		else
			*to++ = *form;
	}
	return to;
}

int tpch_text_make(struct tpch_text *text, size_t bytes, struct prng *prng)
{
	char *to, *end;

	*text = (struct tpch_text){.at = malloc(bytes + SENTENCE_MAX), .bytes = bytes};
	if (!text->at)
		return fail("out of memory for %zu bytes of text; ask for less with --text-size",
			    bytes);
	for (to = text->at, end = to + bytes; to < end; *to++ = ' ')
		to = expand('S', to, prng);
	return 0;
}

void tpch_text_free(struct tpch_text *text)
{
	free(text->at);
	text->at = NULL;
}
