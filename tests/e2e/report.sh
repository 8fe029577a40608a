#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Figures and the report, from the trace that comes with Sky and from what was made of it.
. tests/e2e/lib.sh

demo=tests/data/demo.h5

# Every tag closed in its turn, no id twice, and nothing that a browser would fetch or run.
sound() {
	python3 - "$1" <<-'PYTHON'
		import html.parser, sys
		forbidden = {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
		class Page(html.parser.HTMLParser):
		    open, ids = [], set()
		    def attributes(self, tag, attributes):
		        assert tag not in forbidden, tag
		        for name, value in attributes:
		            assert not name.startswith("on"), name
		            assert name not in ("src", "href", "xlink:href") or value.startswith("#"), value
		            if name == "id":
		                assert value not in self.ids, "id %s twice" % value
		                self.ids.add(value)
		    def handle_starttag(self, tag, attributes):
		        self.attributes(tag, attributes)
		        if tag != "meta":
		            self.open.append(tag)
		    def handle_startendtag(self, tag, attributes):
		        self.attributes(tag, attributes)
		    def handle_endtag(self, tag):
		        assert self.open and self.open.pop() == tag, "%s at %s" % (tag, self.getpos())
		    def handle_data(self, data):
		        assert self.open[-1:] != ["style"] or not ("url(" in data or "@import" in data)
		page = Page()
		page.feed(open(sys.argv[1], encoding="utf-8").read())
		page.close()
		assert not page.open, page.open
	PYTHON
}

lacks() { ! grep -qF -e "$2" "$1"; }
has() { grep -qF -e "$2" "$1"; }

# exits STATUS COMMAND...
exits() {
	local wanted=$1
	shift
	"$@"
	[ $? -eq "$wanted" ]
}

check "a report is written" "$SKY" report $demo -o "$T/a.html"
check "it is well-formed and refers to nothing outside" sound "$T/a.html"
check "it has a headline" has "$T/a.html" "of the reads instead of"
check "it has five pictures" [ "$(grep -c '<svg' "$T/a.html")" -eq 5 ]
"$SKY" report $demo -o "$T/b.html"
check "the same trace gives the same bytes" cmp "$T/a.html" "$T/b.html"

"$SKY" list figure | awk '/^  [a-z]/ { print $1 }' >"$T/figures"
check "there are figures" [ -s "$T/figures" ]
while read -r figure; do
	for format in svg png; do
		"$SKY" plot "$figure" $demo -o "$T/1.$format" && "$SKY" plot "$figure" $demo -o "$T/2.$format"
		check "$figure twice as $format is the same" cmp "$T/1.$format" "$T/2.$format"
	done
done <"$T/figures"

# A trace is foreign: what it says reaches neither the browser nor gnuplot as a command.
"$SKY" dump $demo | sed -e 's|name="command" value=.*|name="command" value="</dd><script>alert(1)</script><img src=\\"http://x.invalid/\\">"|' \
	-e 's|mark      name="find .*|mark      name="\\x22; system \\x22touch '"$T"'/ran\\x22 `touch '"$T"'/ran`"|' >"$T/hostile.events"
check "a hostile trace is made" "$SKY" convert "$T/hostile.events" -o "$T/<b>hostile.h5"
check "a hostile trace gives a report" "$SKY" report "$T/<b>hostile.h5" -o "$T/hostile.html"
check "it is well-formed and refers to nothing outside all the same" sound "$T/hostile.html"
check "its command is shown as text" has "$T/hostile.html" '&lt;script&gt;alert(1)&lt;/script&gt;'
check "its name is shown as text" has "$T/hostile.html" '&lt;b&gt;hostile.h5'
check "nothing was run" [ ! -e "$T/ran" ]

# Block events alone, as an import has them: nothing is known of what they carried.
"$SKY" dump $demo | grep -E ' (block|complete) ' | sed 's/ sums=\[[^]]*\]//' >"$T/blocks.events"
check "block events alone give a report" "$SKY" report "$T/blocks.events" -o "$T/blocks.html"
check "it is well-formed without evidence" sound "$T/blocks.html"
check "it says that the classes are not known" has "$T/blocks.html" "not known: n/a"
check "it promises no gain" lacks "$T/blocks.html" "of the reads instead of"
check "the plain cache is still there" has "$T/blocks.html" "lru, no hints"
check "an empty figure is refused" exits 1 "$SKY" plot accuracy "$T/blocks.events" -o "$T/none.svg"
check "and leaves no file" [ ! -e "$T/none.svg" ]

# The truth without the calls, and no events at all.
"$SKY" dump $demo | grep -E ' (attribute|block|complete|truth) ' >"$T/truth.events"
check "truth without calls gives a report" "$SKY" report "$T/truth.events" -o "$T/truth.html"
check "it is well-formed, too" sound "$T/truth.html"
"$SKY" dump $demo | grep ' attribute ' >"$T/empty.events"
check "a trace without requests gives a report" "$SKY" report "$T/empty.events" -o "$T/empty.html"
check "it is well-formed without requests" sound "$T/empty.html"

check "an unknown figure is wrong usage" exits 2 "$SKY" plot no-such-figure $demo -o "$T/x.svg"
check "an unknown format is wrong usage" exits 2 "$SKY" plot accuracy $demo -o "$T/x.gif"
check "no trace is wrong usage" exits 2 "$SKY" report -o "$T/x.html"
check "a trace that isn't there is an error" exits 1 "$SKY" report "$T/nowhere.h5" -o "$T/x.html"
check "without gnuplot there is an error" exits 1 env PATH=/nonexistent "$SKY" report $demo -o "$T/x.html"
cp "$T/check.log" "$T/gnuplot.log"
check "which names the package" has "$T/gnuplot.log" "apt-get install gnuplot-nox"
check "and leaves no page" [ ! -e "$T/x.html" ]
