package fhir

import (
	"iter"
	"slices"
	"strings"
)

// LiteralFault says what is wrong with the text of Reference.reference, and what is right; "" where nothing is. R4 has relative references, "Type/id"
// with a version or without, absolute URLs, URNs and fragments (http://hl7.org/fhir/R4/references.html#literal); a search for a resource,
// "Type?parameters", is a conditional reference, for whoever writes it. A text of any other form points to nothing and is never found. Whether a fragment
// leads to a contained resource is not checked here. types are all resource types, targets those that the element may refer to, empty for any. The
// message does not repeat the text.
func LiteralFault(reference string, types iter.Seq[string], targets []string) string {
	if strings.HasPrefix(reference, "#") {
		return ""
	}
	if isAbsolute(reference) {
		return absoluteFault(reference)
	}
	example := "[type]"
	if len(targets) > 0 && targets[0] != "Resource" {
		example = targets[0]
	}
	known := func(typ string) bool {
		for t := range types {
			if t == typ {
				return true
			}
		}
		return false
	}
	path, _, fragment := strings.Cut(reference, "#")
	if typ, _, search := strings.Cut(path, "?"); search && !strings.Contains(typ, "/") {
		if known(typ) {
			return ""
		}
		return "the type that the conditional reference searches is not a resource type of R4" + DidYouMean(typ, types)
	}
	typ, rest, slash := strings.Cut(path, "/")
	switch {
	case path == "":
		return "the reference is empty; it is " + example + "/[id] or a URL"
	case typ == "":
		return "the reference begins with a slash; a relative one is " + example + "/[id]"
	case !known(typ) && !slash && len(Nearest(typ, types)) == 0:
		return "the reference has no resource type; a relative one is " + example + "/[id]"
	case !known(typ) && (!ValidTypeName(typ) || mistyped(typ, types)):
		return "the reference does not begin with a resource type of R4" + DidYouMean(typ, types)
	case rest == "":
		return "the reference has no id; it is " + typ + "/[id]"
	}
	id, version, versioned := strings.Cut(rest, "/_history/")
	switch {
	case ValidID(id) && (!versioned || ValidID(version)) && fragment:
		return "what another resource contains cannot be referred to from outside of it; the reference is " + typ + "/[id], without a fragment"
	case ValidID(id) && (!versioned || ValidID(version)):
		return ""
	case strings.HasSuffix(rest, "/") && ValidID(strings.TrimRight(rest, "/")):
		return "the reference ends with a slash; it is " + typ + "/[id]"
	}
	return "a relative reference is " + typ + "/[id] or " + typ + "/[id]/_history/[version], where an id is 1 to 64 letters, digits, dashes and dots"
}

// mistyped reports whether an unknown type was meant to be one of types. What is like none of them is of another version of FHIR, as some that
// implementation guides for R4 refer to.
func mistyped(typ string, types iter.Seq[string]) bool {
	return slices.ContainsFunc(Nearest(typ, types), func(near string) bool { return max(len(near), len(typ))-min(len(near), len(typ)) <= 2 })
}

// absoluteFault is LiteralFault for what begins with a scheme: a URL has a host, and a URN a name.
func absoluteFault(reference string) string {
	scheme, rest, _ := strings.Cut(reference, ":")
	switch strings.ToLower(scheme) {
	case "http", "https":
		host, slashes := strings.CutPrefix(rest, "//")
		if i := strings.IndexAny(host, "/?#"); i >= 0 {
			host = host[:i]
		}
		if !slashes || host == "" {
			return "the URL has no host; it is http://[host]/[path], or a relative reference [type]/[id]"
		}
	case "urn":
		if space, name, _ := strings.Cut(rest, ":"); space == "" || name == "" {
			return "the URN names nothing; it is urn:uuid:[uuid] or urn:oid:[oid]"
		}
	}
	return ""
}

// isAbsolute reports whether s begins with the scheme of a URI.
func isAbsolute(s string) bool {
	i := strings.IndexByte(s, ':')
	if i < 1 || i == len(s)-1 {
		return false
	}
	return !slices.ContainsFunc([]byte(s[:i]), func(c byte) bool {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		return !letter && (c < '0' || c > '9') && c != '+' && c != '-' && c != '.'
	})
}
