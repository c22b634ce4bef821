package load

import (
	"cmp"
	"encoding/hex"
	"hash/maphash"
	"strings"
)

// targets says for the fullUrls of a Bundle which resource each stands for. It is made compact, since a large collection has millions: a UUID
// is held as its 16 bytes, an absolute URL that ends in the resource's type and id as a hash, a type as an index. The zero targets is empty.
type targets struct {
	uuid  map[[16]byte]target
	other map[string]target
	types []string
	// absolute holds the hashes of URLs that end in type and id of their resource. The value is set where the URL is the resource's own
	// canonical URL too, which is a name that stays.
	absolute map[uint64]bool
}

// urlSeed is the seed of the hashes of URLs.
var urlSeed = maphash.MakeSeed()

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

// addAbsolute notes that an http or https fullURL stands for a resource of a type with an id, which is "" where the resource has none, and the
// canonical URL of a conformance resource.
func (t *targets) addAbsolute(fullURL, resourceType, id, canonical string) {
	urlType, urlID, ok := lastTwo(fullURL)
	if !ok || urlType != resourceType || cmp.Or(id, urlID) != urlID {
		if id != "" && fullURL != canonical {
			t.add(fullURL, resourceType, id)
		}
		return
	}
	if t.absolute == nil {
		t.absolute = make(map[uint64]bool)
	}
	t.absolute[maphash.String(urlSeed, fullURL)] = fullURL == canonical
}

// lastTwo returns the type and id that a URL ends in.
func lastTwo(url string) (resourceType, id string, ok bool) {
	i := strings.LastIndexByte(url, '/')
	if i < 0 {
		return "", "", false
	}
	j := strings.LastIndexByte(url[:i], '/')
	return url[j+1 : i], url[i+1:], j >= 0 && j+1 < i && i+1 < len(url)
}

// isAbsolute reports whether a URL is one of a server.
func isAbsolute(url string) bool {
	return strings.HasPrefix(url, "http://") || strings.HasPrefix(url, "https://")
}

// empty reports whether no fullUrl is known.
func (t *targets) empty() bool { return !t.urns() && len(t.absolute) == 0 && len(t.other) == 0 }

// urns reports whether a urn: fullUrl is known.
func (t *targets) urns() bool {
	if len(t.uuid) > 0 {
		return true
	}
	for url := range t.other {
		if strings.HasPrefix(url, "urn:") {
			return true
		}
	}
	return false
}

// canonical reports whether the URL is the canonical URL of a resource of the Bundle.
func (t *targets) canonical(url string) bool { return t.absolute[maphash.String(urlSeed, url)] }

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
	if isAbsolute(url) {
		// A version of the other server has no number here.
		url, _, _ = strings.Cut(url, "/_history/")
		if _, ok := t.absolute[maphash.String(urlSeed, url)]; ok {
			return lastTwo(url)
		}
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
