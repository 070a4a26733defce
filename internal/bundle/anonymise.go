package bundle

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sshtay/internal/pattern"
)

// Names replaces names and addresses: the same one by the same word wherever
// it stands, so that a log line still belongs to the client it names. What is
// the same for everybody stays: loopback, root, names of protocols.
type Names struct {
	names     map[string]string
	order     []string // longest first
	addresses map[netip.Addr]netip.Addr
	counts    map[string]int
}

// NewNames replaces these users' and hosts' names; addresses are found where
// they stand.
func NewNames(users, hosts []string) *Names {
	n := &Names{names: map[string]string{}, addresses: map[netip.Addr]netip.Addr{}, counts: map[string]int{}}
	n.learn("user", users)
	n.learn("host", hosts)
	return n
}

// everybodys are names that say nothing about anybody; to replace them would
// change what a text means.
var everybodys = []string{"root", "sshd", "nobody", "localhost", "all", "any", "none", "yes", "no", "ssh", "user", "host", "invalid", "unknown", "git", "admin"}

func (n *Names) learn(kind string, names []string) {
	for _, name := range names {
		if len(name) < 2 || slices.Contains(everybodys, strings.ToLower(name)) || n.names[name] != "" {
			continue
		}
		if _, err := netip.ParseAddr(name); err == nil {
			continue
		}
		n.counts[kind]++
		n.names[name] = fmt.Sprintf("%s%d", kind, n.counts[kind])
		n.order = append(n.order, name)
	}
	slices.SortStableFunc(n.order, func(a, b string) int { return len(b) - len(a) })
}

// accounts are the places in logs and paths where names of users stand.
var accounts = pattern.New(`(?:/home/|/Users/|\bfor (?:invalid user |illegal user )?|\b[Uu]ser[ =]|\buser=|sshd(?:-session)?: )([A-Za-z_][A-Za-z0-9._-]{1,31})\b`)

// Learn looks for names of users in a text.
func (n *Names) Learn(text string) {
	var found []string
	for _, m := range accounts.Regexp().FindAllStringSubmatch(text, 10000) {
		if !slices.Contains(notNames, m[1]) {
			found = append(found, m[1])
		}
	}
	n.learn("user", found)
}

// notNames follow the same words in logs and are no names.
var notNames = []string{"authentication", "authenticating", "from", "the", "this", "session", "pid", "name", "unknown", "key", "none", "publickey", "password",
	"sshd", "disconnected", "listener", "auth", "priv", "net", "a", "an", "no", "to", "is", "was", "by", "and", "processes", "nofile", "namespace", "slice", "id"}

// address matches what may be an IP address; netip decides.
var address = pattern.New(`[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*|\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b`)

// Text replaces what is known in a text.
func (n *Names) Text(text string) string {
	for _, name := range n.order {
		text = replaceWord(text, name, n.names[name])
	}
	return address.Regexp().ReplaceAllStringFunc(text, func(found string) string {
		a, err := netip.ParseAddr(strings.TrimSuffix(found, ":"))
		if err != nil || !told(a) {
			return found
		}
		return n.address(a.Unmap()).String() + found[len(strings.TrimSuffix(found, ":")):]
	})
}

// told says whether an address tells who or where somebody is.
func told(a netip.Addr) bool {
	return !a.IsLoopback() && !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// address is what stands for an address: private for private, link-local for
// link-local, public for public, of the same family.
func (n *Names) address(a netip.Addr) netip.Addr {
	if to, ok := n.addresses[a]; ok {
		return to
	}
	kind := "public"
	switch {
	case a.IsLinkLocalUnicast():
		kind = "link"
	case a.IsPrivate():
		kind = "private"
	}
	i := n.counts[kind] + 1
	n.counts[kind] = i
	low, high := byte((i-1)%250+1), byte((i-1)/250)
	v4 := map[string][2]byte{"public": {203, 0}, "private": {10, 99}, "link": {169, 254}}
	v6 := map[string][2]byte{"public": {0x20, 0x01}, "private": {0xfd, 0x99}, "link": {0xfe, 0x80}}
	var to netip.Addr
	switch {
	case a.Is4() && kind == "public": // of documentation, as long as they last (RFC 5737)
		nets := [][3]byte{{203, 0, 113}, {198, 51, 100}, {192, 0, 2}}
		if int(high) < len(nets) {
			to = netip.AddrFrom4([4]byte{nets[high][0], nets[high][1], nets[high][2], low})
		} else { // for benchmarks (RFC 2544)
			to = netip.AddrFrom4([4]byte{198, 18, high, low})
		}
	case a.Is4():
		to = netip.AddrFrom4([4]byte{v4[kind][0], v4[kind][1], high, low})
	default:
		b := [16]byte{v6[kind][0], v6[kind][1], 14: high, 15: low}
		if kind == "public" {
			b[2], b[3] = 0x0d, 0xb8
		}
		to = netip.AddrFrom16(b)
	}
	n.addresses[a] = to
	return to
}

// replaceWord replaces a name where it stands alone, not as a part of another
// word.
func replaceWord(text, name, by string) string {
	var b strings.Builder
	for {
		i := strings.Index(text, name)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		end := i + len(name)
		if i > 0 && wordy(text[i-1]) || end < len(text) && wordy(text[end]) {
			b.WriteString(text[:end])
		} else {
			b.WriteString(text[:i] + by)
		}
		text = text[end:]
	}
}

func wordy(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
