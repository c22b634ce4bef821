package xhtml

import "iter"

// Links yields where the values of the attributes href and src start and end in the div of a narrative, as those of the elements a and img. Text and
// comments that look like attributes are none. What is not well-formed ends it early.
func Links(div string) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		x := scanner{s: div}
		for {
			switch kind, _, _, _ := x.next(); kind {
			case noTag, noMoreTags:
				return
			case startTag:
				for {
					a, more, _, what := x.attribute()
					if what != "" {
						return
					}
					if !more {
						break
					}
					if (a.name == "href" || a.name == "src") && !yield(a.start, a.end) {
						return
					}
				}
			}
		}
	}
}
