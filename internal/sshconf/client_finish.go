package sshconf

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// clearsOnNone are options for which none means nothing at all.
var clearsOnNone = strings.Fields("localcommand remotecommand proxycommand controlpath pkcs11provider securitykeyprovider knownhostscommand")

// finish fills what depends on other options, and checks what goes together.
func (c *clientRun) finish() error {
	for _, key := range clearsOnNone {
		c.clearNone(key)
	}
	if !c.release.has(1003) {
		c.clearNone("revokedhostkeys")
	}
	if c.noJump {
		c.clearNone(jumpKey)
	}
	if err := c.jumpLoop(); err != nil {
		return err
	}
	if alias, ok := c.text("hostkeyalias"); ok {
		c.slots["hostkeyalias"].values[0].Text = asciiLower(alias)
	}
	if _, jumps := c.text(jumpKey); jumps {
		c.override("proxyusefdpass", "no")
	}
	if command, _ := c.text("proxycommand"); command == "-" && c.value("proxyusefdpass") == "yes" {
		return errors.New("ProxyCommand=- and ProxyUseFDPass are incompatible")
	}
	if c.value("connectionattempts") == "0" {
		return errors.New("invalid number of ConnectionAttempts")
	}
	_, remote := c.text("remotecommand")
	if c.request.Command != "" && remote {
		return errors.New("cannot execute command-line and remote command")
	}
	if c.value("forkafterauthentication") == "yes" && c.request.Command == "" && !remote && c.value("sessiontype") != "none" {
		return errors.New("cannot fork into background without a command to execute")
	}
	if c.value("clearallforwardings") == "yes" {
		c.forwards = nil
		c.override("tunnel", "false")
	}
	if c.value("updatehostkeys") == "ask" && !c.canAsk(remote) {
		c.override("updatehostkeys", "false")
	}
	return c.assembleAll(algorithmKeys, false)
}

// canAsk tells whether the user would see a question about host keys.
func (c *clientRun) canAsk(remoteCommand bool) bool {
	_, shared := c.text("controlpath")
	if c.value("controlpersist") != "no" && shared {
		return false
	}
	quiet := slices.Contains([]string{"QUIET", "SILENT", "FATAL", "ERROR"}, c.value("loglevel"))
	return c.request.Command == "" && !remoteCommand && c.value("requesttty") != "false" && !quiet
}

// clearNone unsets an option that says none, and remembers the line.
func (c *clientRun) clearNone(key string) {
	s := c.slots[key]
	if s == nil || len(s.values) == 0 || !strings.EqualFold(s.values[0].Text, "none") {
		return
	}
	s.hides, s.values = append([]Value{s.values[0]}, s.hides...), nil
}

// override sets what follows from other options, whatever lines say.
func (c *clientRun) override(key, text string) {
	if s := c.slots[key]; s != nil && len(s.values) > 0 && s.values[0].Text != text {
		c.slots[key] = &slot{values: []Value{{Text: text}}, hides: append(s.values, s.hides...)}
	}
}

// value is a first value, or the default.
func (c *clientRun) value(key string) string {
	if text, ok := c.text(key); ok {
		return text
	}
	return clientKeywords[key].unset
}

// jumpLoop refuses a jump host that is the destination.
func (c *clientRun) jumpLoop() error {
	host, ok := c.text(jumpHost)
	if _, jumps := c.text(jumpKey); !ok || !jumps {
		return nil
	}
	port, user := c.jumpPort, c.jumpUser
	if port == 0 {
		port = 22
	}
	if user == "" {
		user = c.userSoFar()
	}
	if host == c.host && port == c.portSoFar() && user == c.userSoFar() {
		return fmt.Errorf("jumphost loop via %s", printable(host))
	}
	return nil
}

// algorithmKeys are the lists of algorithms of a client.
var algorithmKeys = map[string]algorithmKind{
	"ciphers": cipherAlgorithms, "macs": macAlgorithms, "kexalgorithms": kexAlgorithms,
	"hostbasedacceptedalgorithms": keyAlgorithms, "pubkeyacceptedalgorithms": keyAlgorithms,
	"casignaturealgorithms": caAlgorithms, "hostkeyalgorithms": keyAlgorithms,
}

// assembleAll turns lists into what they stand for.
func (r *run) assembleAll(keys map[string]algorithmKind, server bool) error {
	for key, kind := range keys {
		list, ok := r.text(key)
		unset := r.release.defaultAlgorithms(kind, server)
		if !ok || unset == "" && strings.IndexByte("+-^", list[0]) >= 0 {
			continue
		}
		full, err := r.release.assemble(kind, list, unset)
		if err != nil {
			r.at = r.slots[key].values[0].From
			r.fail(fmt.Errorf("%s: %w", key, err))
			return errStop
		}
		r.slots[key].values[0].Text = full
	}
	return nil
}

// lateTokens are the tokens once everything is known. User is expanded first:
// other tokens contain it.
func (c *clientRun) lateTokens() (tokens, error) {
	conn := connection{host: c.host, original: c.original, alias: c.original, port: c.portSoFar(), user: c.userSoFar()}
	if alias, ok := c.text("hostkeyalias"); ok {
		conn.alias = alias
	}
	if _, jumps := c.text(jumpKey); jumps {
		conn.jump, _ = c.text(jumpHost)
	}
	if s := c.slots["user"]; c.release.has(1000) && s != nil && !s.values[0].From.CommandLine() {
		user, err := expand(conn.user, c.env.tokens(conn, c.release).only("Liklnpdhuj"), c.env.getenv)
		if err == nil && user != conn.user && !c.release.safeUser(user) && c.release.has(1001) {
			err = errors.New("remote username contains invalid characters")
		}
		if err != nil {
			return nil, err
		}
		s.values[0].Text, conn.user = user, user
	}
	return c.env.tokens(conn, c.release), nil
}

// Where tokens, variables and ~ are expanded before the dump.
var expandPaths = strings.Fields("controlpath identityagent")

// expandAll expands what `ssh -G` shows expanded.
func (c *clientRun) expandAll(t tokens) error {
	full := func(s string) (string, error) {
		path, err := c.env.tilde(s)
		if err != nil {
			return "", err
		}
		return expand(path, t, c.env.getenv)
	}
	keys := append([]string{forwardAgentPath}, expandPaths...)
	for _, key := range keys {
		if err := c.rewrite(key, full); err != nil {
			return err
		}
	}
	if err := c.checkAgentSocket(); err != nil {
		return err
	}
	if err := c.rewrite("remotecommand", func(s string) (string, error) { return expand(s, t, nil) }); err != nil {
		return err
	}
	if files, ok := c.text("globalknownhostsfile"); ok && strings.EqualFold(files, "none") {
		c.slots["globalknownhostsfile"].values[0].Text = "none"
	}
	lists := []string{"userknownhostsfile"}
	if c.release.has(1003) {
		lists = append(lists, "revokedhostkeys")
	}
	for _, key := range lists {
		if err := c.rewrite(key, eachWord(full)); err != nil {
			return err
		}
	}
	if c.release.has(1000) {
		variables := func(s string) (string, error) { return expand(s, t, c.env.getenv) }
		if err := c.rewrite("versionaddendum", variables); err != nil {
			return err
		}
		if err := c.rewrite("setenv", func(s string) (string, error) {
			name, value, _ := strings.Cut(s, "=")
			value, err := variables(value)
			return name + "=" + value, err
		}); err != nil {
			return err
		}
	}
	return c.expandForwards(t)
}

// checkAgentSocket looks for the socket that ForwardAgent names.
func (c *clientRun) checkAgentSocket() error {
	path, ok := c.text(forwardAgentPath)
	if !ok || c.env.Stat == nil {
		return nil
	}
	if _, err := c.env.Stat(path); err != nil && c.value("exitonforwardfailure") == "yes" {
		return fmt.Errorf("cannot forward agent socket path \"%s\": %w", printable(path), err)
	}
	return nil
}

// eachWord expands a list of files word by word.
func eachWord(f func(string) (string, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		words := strings.Split(s, " ")
		if strings.EqualFold(s, "none") {
			return "none", nil
		}
		for i, w := range words {
			full, err := f(w)
			if err != nil {
				return "", err
			}
			words[i] = full
		}
		return strings.Join(words, " "), nil
	}
}

// rewrite passes every value of a slot through f.
func (c *clientRun) rewrite(key string, f func(string) (string, error)) error {
	s := c.slots[key]
	if s == nil {
		return nil
	}
	for i, v := range s.values {
		text, err := f(v.Text)
		if err != nil {
			c.at = v.From
			c.fail(fmt.Errorf("%s: %w", key, err))
			return errStop
		}
		s.values[i].Text = text
	}
	return nil
}

func (c *clientRun) expandForwards(t tokens) error {
	for i := range c.forwards {
		f := &c.forwards[i]
		for _, e := range []*end{&f.listen, &f.connect} {
			if !e.unix {
				continue
			}
			path, err := expand(e.path, t, nil)
			if err != nil {
				c.at = f.from
				c.fail(err)
				return errStop
			}
			e.path = path
		}
	}
	return nil
}

// batchInterval is Debian's keepalive in batch mode.
const batchInterval = 300

// defaults are the values nobody set, as far as they depend on something.
func (c *clientRun) defaults() map[string]string {
	r := c.release
	d := map[string]string{
		"host": c.original, "user": c.env.User, "hostname": c.host, "port": "22",
		"userknownhostsfile":  c.env.Home + "/.ssh/known_hosts " + c.env.Home + "/.ssh/known_hosts2",
		"ipqos":               r.DefaultQoS(),
		"gssapikexalgorithms": r.defaultAlgorithms(gssAlgorithms, false),
	}
	for key, kind := range algorithmKeys {
		d[key] = r.defaultAlgorithms(kind, false)
	}
	if r.Debian {
		d["forwardx11trusted"] = "yes"
		if c.value("batchmode") == "yes" {
			d["serveraliveinterval"] = strconv.Itoa(batchInterval)
		}
	}
	if r.has(1003) {
		d["revokedhostkeys"] = "none"
	}
	if r.has(1006) {
		d["tcpkeepalive"] = "true"
	}
	if !c.updatesHostKeys() {
		d["updatehostkeys"] = "false"
	}
	return d
}

// updatesHostKeys is the default of UpdateHostKeys.
func (c *clientRun) updatesHostKeys() bool {
	files, set := c.text("userknownhostsfile")
	plain := !set || files == c.env.Home+"/.ssh/known_hosts"
	return c.release.has(805) && plain && c.value("verifyhostkeydns") == "false"
}

// DefaultQoS is IPQoS without a line for it, interactive and bulk.
func (r Release) DefaultQoS() string {
	switch {
	case r.has(1001):
		return "ef cs0"
	case r.Debian && r.has(1000):
		return "ef cs1"
	case r.Debian || !r.has(708):
		return "lowdelay throughput"
	}
	return "af21 cs1"
}
