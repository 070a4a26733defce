package probe

import (
	"strings"

	"sshtay/internal/fact"
)

var serverFacts = []fact.Any{fact.ServerVia}

// sections are the parts of what the script printed, by name. Of two with the
// same name the first counts.
type sections map[string]string

// maxSections bounds what a server can make us keep.
const maxSections = 500

// parseSections cuts the output at the marks. Whatever comes is taken: a
// server may be cut in the middle, or lie.
func parseSections(out, nonce string) sections {
	s := sections{}
	for part := range strings.SplitSeq(out, "\n="+nonce+" ") {
		name, text, ok := strings.Cut(part, "\n")
		if _, seen := s[name]; ok && !seen && len(s) < maxSections {
			s[name] = text
		}
	}
	return s
}

// putServer turns the sections into facts.
func putServer(*fact.Set, sections) {}
