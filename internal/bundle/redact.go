package bundle

import (
	"slices"
	"strings"

	"sshtay/internal/pattern"
)

// gone stands for what was left out.
const gone = "[left out]"

// What is never in a bundle, wherever it stands. Private keys do not get as
// far as a bundle, as nothing reads them: this is the second lock.
var (
	privateKey = pattern.New(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)`)
	publicKey  = pattern.New(`((?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+ )AAAA[A-Za-z0-9+/=]{20,}`)
	secret     = pattern.New(`(?i)((?:[a-z0-9_.-]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|credential|authorization)[a-z0-9_.-]*["']?\s*[=:]\s*["']?(?:bearer |basic )?))[^\s"',;]+`)
	inURL      = pattern.New(`([a-z][a-z0-9+.-]*://)[^/\s:@]+(?::[^/\s@]*)?@`)
	setEnv     = pattern.New(`(?im)^(\s*(?:setenv|environment)[\s=]+)(.*)$`)
	known      = pattern.New(`\b(?:gh[pousr]_[A-Za-z0-9]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}|AKIA[0-9A-Z]{16}|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*)`)
)

// settings are values of options such as PasswordAuthentication.
var settings = []string{"yes", "no", "none", "true", "false", "0", "1", "prohibit-password", "without-password", "ask", "confirm"}

// Redact takes keys, tokens, passwords and environments out of a text.
func Redact(text string) string {
	text = privateKey.Regexp().ReplaceAllString(text, gone)
	text = publicKey.Regexp().ReplaceAllString(text, "${1}"+gone)
	text = inURL.Regexp().ReplaceAllString(text, "${1}"+gone+"@")
	text = setEnv.Regexp().ReplaceAllStringFunc(text, func(line string) string {
		at := strings.IndexFunc(strings.TrimLeft(line, " \t"), func(r rune) bool { return r == ' ' || r == '\t' || r == '=' })
		at += len(line) - len(strings.TrimLeft(line, " \t"))
		return line[:at] + " " + gone
	})
	text = secret.Regexp().ReplaceAllStringFunc(text, func(found string) string {
		m := secret.Regexp().FindStringSubmatch(found)
		if value := found[len(m[1]):]; slices.Contains(settings, strings.ToLower(value)) {
			return found
		}
		return m[1] + gone
	})
	return known.Regexp().ReplaceAllString(text, gone)
}
