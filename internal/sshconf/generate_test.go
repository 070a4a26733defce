package sshconf

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
)

// generator makes configurations for the tests against OpenSSH itself. The
// same seed and number always make the same configuration.
type generator struct {
	*rand.Rand
	dir   string            // where files are put
	files map[string]string // by absolute path
	wrong float64           // how often a line is wrong on purpose

	includes int
}

func newGenerator(seed, number uint64, dir string) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, number)), dir: dir, files: map[string]string{}, wrong: 0.015}
}

func (g *generator) chance(p float64) bool { return g.Float64() < p }

func (g *generator) pick(from ...string) string { return from[g.IntN(len(from))] }

// values are what a keyword may be given: good ones, and bad ones after "!".
type values map[string]string

// choose picks a keyword and a value for it. Values are separated by "|".
func (g *generator) choose(from values, keys []string) (key, value string) {
	key = keys[g.IntN(len(keys))]
	good, bad, _ := strings.Cut(from[key], "|!|")
	if bad != "" && g.chance(g.wrong) {
		return key, g.pick(strings.Split(bad, "|")...)
	}
	return key, g.pick(strings.Split(good, "|")...)
}

// some keeps a few keywords, so that lines of one case get in each other's way.
func (g *generator) some(keys []string) []string {
	few := make([]string, 5+g.IntN(20))
	for i := range few {
		few[i] = keys[g.IntN(len(keys))]
	}
	return few
}

// mixedCase changes the case of some letters.
func (g *generator) mixedCase(s string) string {
	switch g.IntN(4) {
	case 0:
		return strings.ToLower(s)
	case 1:
		return strings.ToUpper(s)
	}
	return s
}

// directive writes a line in one of the many ways there are.
func (g *generator) directive(key, value string) string {
	key = g.mixedCase(key)
	separator := g.pick(" ", " ", " ", "\t", "  ", "=", " = ", "= ")
	if !strings.ContainsAny(value, " \"'\\#=") && g.chance(0.08) {
		value = g.pick(`"`+value+`"`, "'"+value+"'", value[:len(value)/2]+`"`+value[len(value)/2:]+`"`)
	}
	if g.chance(0.01) {
		key, separator = `"`+key+`"`, " "
	}
	if g.chance(g.wrong / 3) {
		separator = g.pick("==", " == ", "= =")
	}
	end := ""
	if g.chance(0.06) {
		end = g.pick(" ", "\t", "\r", " \f", " # comment", "\t#it's", " #")
	}
	if g.chance(g.wrong / 5) {
		end = g.pick(` "open`, " extra", " '", ` \`)
	}
	return g.pick("", "", "  ", "\t") + key + separator + value + end + g.newline()
}

func (g *generator) newline() string {
	if g.chance(0.03) {
		return "\r\n"
	}
	return "\n"
}

// noise is a line that says nothing, or too little.
func (g *generator) noise() string {
	if g.chance(g.wrong) {
		return g.pick("Port\n", "Nonsense yes\n", "Host\n", "Match\n", "=\n", "\f\n", "User \"\"\n", "Match all extra\n", "\"Port\" \n")
	}
	return g.pick("\n", "# Port 1\n", "   \t\n", "\r\n", "#\n", "\"open keyword\n", " # x 'y\n")
}

// include writes other files and a line that includes them.
func (g *generator) include(depth int, body func(depth int) string) string {
	g.includes++
	base := fmt.Sprintf("inc%d", g.includes)
	for i := range 1 + g.IntN(2) {
		g.files[filepath.Join(g.dir, fmt.Sprintf("%s-%d.conf", base, i))] = body(depth + 1)
	}
	path := filepath.Join(g.dir, base+g.pick("-*.conf", "-?.conf", "-0.conf", "-[0-9].conf", "-*.none"))
	return g.directive("Include", path)
}

// name is a file to put the configuration in.
func (g *generator) name(s string) string { return filepath.Join(g.dir, s) }
