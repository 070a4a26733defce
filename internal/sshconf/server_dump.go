package sshconf

import (
	"strings"
)

// serverAlgorithms are the lists of algorithms of a server.
var serverAlgorithms = map[string]algorithmKind{
	"ciphers": cipherAlgorithms, "macs": macAlgorithms, "kexalgorithms": kexAlgorithms, "hostkeyalgorithms": keyAlgorithms,
	"hostbasedacceptedalgorithms": keyAlgorithms, "pubkeyacceptedalgorithms": keyAlgorithms, "casignaturealgorithms": caAlgorithms,
}

// serverDefault is what the dump says of a keyword that nothing sets.
func (s *serverRun) serverDefault(o serverOption) string {
	r, key := s.release, strings.ToLower(o.name)
	if kind, ok := serverAlgorithms[key]; ok {
		return r.defaultAlgorithms(kind, true)
	}
	switch {
	case key == "ipqos":
		return r.DefaultQoS()
	case key == "gssapikexalgorithms":
		return r.defaultAlgorithms(gssAlgorithms, true)
	case key == "permitrootlogin" && r.has(1004):
		return "prohibit-password"
	case key == "tcpkeepalive" && r.has(1006):
		return "true"
	case key == "channeltimeout" && r.has(903):
		return "none"
	case key == "pubkeyauthoptions" && r.has(1006):
		return "none max-pk-ok:6"
	case key == "revokedkeys" && r.has(1003):
		return ""
	}
	return o.unset
}

// plainNone are values for which none is nothing, in whatever case; in a Match
// block only some releases and keywords see it so.
var (
	plainNone = strings.Fields("authorizedprincipalsfile persourcepenaltyexemptlist revokedkeys channeltimeout authorizedkeysfile")
	matchNone = strings.Fields("chrootdirectory forcecommand")
)

// clearNone gives "none" its plain form, or takes the value away where the dump
// has no line for nothing.
func (s *serverRun) clearNone(keys []string) {
	for _, key := range keys {
		slot := s.slots[key]
		if slot == nil || len(slot.values) != 1 || !strings.EqualFold(slot.values[0].Text, "none") {
			continue
		}
		slot.values[0].Text = "none"
		if s.silentNone(key) {
			slot.hides, slot.values, slot.none = append([]Value{slot.values[0]}, slot.hides...), nil, true
		}
	}
}

// silentNone are lists that are not dumped at all when they are none.
func (s *serverRun) silentNone(key string) bool {
	switch key {
	case "channeltimeout":
		return !s.release.has(903)
	case "revokedkeys":
		return s.release.has(1003)
	case "authorizedkeysfile":
		return s.release.has(1006)
	}
	return false
}

// dump puts everything into the form of `sshd -T`.
func (s *serverRun) dump(listens []Value) (all []Setting) {
	for _, o := range serverTable {
		key := strings.ToLower(o.name)
		if !s.release.known(o.option) || key == "debianbanner" && !s.release.has(903) {
			continue
		}
		set := s.setting(o.name, s.serverDefault(o))
		switch key {
		case "listenaddress":
			set.Values = listens
		case "hostkey":
			set = s.hostKeys(set)
		case "rekeylimit":
			set = s.rekeySetting(set)
		case "persourcepenalties":
			set = s.penaltySetting(set)
		case "versionaddendum":
			if set.Text() == "" && len(set.Values) == 1 {
				set.Values[0].Text = "none"
			}
		}
		all = append(all, set)
	}
	return all
}

// hostKeys are the usual files if none is named.
func (s *serverRun) hostKeys(set Setting) Setting {
	if len(set.Values) > 0 {
		return set
	}
	names := []string{"rsa", "ecdsa", "ed25519"}
	if s.release.has(1006) {
		names = append(names, "mldsa44_ed25519")
	}
	for _, name := range names {
		set.Values = append(set.Values, Value{Text: systemDir + "/ssh_host_" + name + "_key"})
	}
	return set
}
