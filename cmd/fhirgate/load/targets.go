package load

import (
	"encoding/hex"
	"strings"
)

// targets says for the urn: fullUrls of a Bundle which resource each stands for. It is made compact, since a large collection has millions:
// a UUID is held as its 16 bytes, a type as an index. The zero targets is empty.
type targets struct {
	uuid  map[[16]byte]target
	other map[string]target
	types []string
}

// target is a resource that a fullUrl stands for. An empty id means that the UUID of the fullUrl is the id.
type target struct {
	typ uint16
	id  string
}

// add notes that fullURL stands for a resource of a type with an id, which is "" where the resource has none.
func (t *targets) add(fullURL, resourceType, id string) {
	if resourceType == "" {
		return
	}
	typ := -1
	for i, n := range t.types {
		if n == resourceType {
			typ = i
			break
		}
	}
	if typ < 0 {
		if len(t.types) == 1<<16-1 {
			return
		}
		typ = len(t.types)
		t.types = append(t.types, resourceType)
	}
	if u, ok := parseUUID(fullURL); ok {
		if t.uuid == nil {
			t.uuid = make(map[[16]byte]target)
		}
		if id == strings.ToLower(fullURL[len(uuidPrefix):]) {
			id = ""
		}
		t.uuid[u] = target{uint16(typ), id}
		return
	}
	if id == "" {
		return
	}
	if t.other == nil {
		t.other = make(map[string]target)
	}
	t.other[fullURL] = target{uint16(typ), id}
}

// empty reports whether no fullUrl is known.
func (t *targets) empty() bool { return len(t.uuid) == 0 && len(t.other) == 0 }

// find returns type and id of the resource that the URL stands for. A resource without an id is given the UUID of its fullUrl as id.
func (t *targets) find(url string) (resourceType, id string, ok bool) {
	if u, isUUID := parseUUID(url); isUUID {
		tg, ok := t.uuid[u]
		if !ok {
			return "", "", false
		}
		if tg.id == "" {
			tg.id = strings.ToLower(url[len(uuidPrefix):])
		}
		return t.types[tg.typ], tg.id, true
	}
	tg, ok := t.other[url]
	if !ok {
		return "", "", false
	}
	return t.types[tg.typ], tg.id, true
}

const uuidPrefix = "urn:uuid:"

// parseUUID returns the bytes of a urn:uuid: URL.
func parseUUID(url string) (u [16]byte, ok bool) {
	s, found := strings.CutPrefix(url, uuidPrefix)
	if !found || len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, false
	}
	var digits [32]byte
	n := copy(digits[:], s[:8])
	n += copy(digits[n:], s[9:13])
	n += copy(digits[n:], s[14:18])
	n += copy(digits[n:], s[19:23])
	copy(digits[n:], s[24:])
	_, err := hex.Decode(u[:], digits[:])
	return u, err == nil
}
