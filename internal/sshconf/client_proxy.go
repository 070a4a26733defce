package sshconf

import (
	"fmt"
	"strings"
)

// ProxyCommand is the shell command that would carry the connection, with its
// tokens filled in; "" if it goes straight to the host. For ProxyJump that is
// what ssh makes of it, with the ssh given. OpenSSH quotes nothing in it, and
// neither does this: it is for a shell, as the user configured it.
func (c *Client) ProxyCommand(ssh string) (string, error) {
	command := c.Text("ProxyCommand")
	if jump := c.Text("ProxyJump"); jump != "" {
		command = c.jumpCommand(ssh, jump)
	}
	return expand(command, c.tokens.only("hknpr"), nil)
}

// jumpCommand is the ssh that forwards to the host.
func (c *Client) jumpCommand(ssh, jump string) string {
	var b strings.Builder
	b.WriteString(ssh)
	before, last := "", jump
	if i := strings.LastIndexByte(jump, ','); i >= 0 {
		before, last = jump[:i], jump[i+1:]
	}
	if i := strings.LastIndexByte(last, '@'); i >= 0 {
		fmt.Fprintf(&b, " -l %s", last[:i])
		last = last[i+1:]
	}
	host, port, _, _ := hostPort(last)
	if port != "" {
		fmt.Fprintf(&b, " -p %s", port)
	}
	if before != "" {
		fmt.Fprintf(&b, " -J %s", before)
	}
	if c.config != "" {
		fmt.Fprintf(&b, " -F %s", c.config)
	}
	fmt.Fprintf(&b, " -W '[%%h]:%%p' %s", bare(host))
	return b.String()
}

// Expand fills the tokens, variables and ~ of a value that `ssh -G` prints as
// it was written: IdentityFile, CertificateFile, LocalCommand and others.
func (c *Client) Expand(keyword, value string) (string, error) {
	switch asciiLower(keyword) {
	case "proxycommand":
		return expand(value, c.tokens.only("hknpr"), nil)
	case "localcommand", "remotecommand":
		return expand(value, c.tokens, nil)
	}
	path, err := c.env.tilde(value)
	if err != nil {
		return "", err
	}
	return expand(path, c.tokens, c.env.getenv)
}
