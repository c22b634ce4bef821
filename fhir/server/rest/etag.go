package rest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// Version ids as entity tags, and the conditions that requests state with them (R4 http, 3.1.0.4.2 conditional read and 3.1.0.5 Managing
// Resource Contention; RFC 9110 section 13).

// formatETag renders a version as W/"3".
func formatETag(version int64) string {
	b := make([]byte, 0, 24)
	b = append(b, `W/"`...)
	b = strconv.AppendInt(b, version, 10)
	return string(append(b, '"'))
}

// parseETags reads a list of entity tags. any is "*". ok is false where the header is not such a list.
func parseETags(header []string) (tags []string, any, ok bool) {
	s := trim(strings.Join(header, ","))
	if s == "*" {
		return nil, true, true
	}
	for s != "" {
		if s[0] == ',' {
			s = trim(s[1:])
			continue
		}
		s = strings.TrimPrefix(s, "W/")
		if s == "" || s[0] != '"' {
			return nil, false, false
		}
		end := strings.IndexByte(s[1:], '"')
		if end < 0 {
			return nil, false, false
		}
		tags = append(tags, s[1:1+end])
		s = trim(s[end+2:])
		if s != "" && s[0] != ',' {
			return nil, false, false
		}
	}
	return tags, false, len(tags) > 0
}

// noVersion stands for an entity tag that is no version id: it is equal to no version.
const noVersion = -1

// versionsOf reads entity tags as versions.
func versionsOf(tags []string) []int64 {
	versions := make([]int64, len(tags))
	for i, t := range tags {
		n, err := strconv.ParseInt(t, 10, 64)
		if err != nil || n < 1 || strconv.FormatInt(n, 10) != t {
			n = noVersion
		}
		versions[i] = n
	}
	return versions
}

// errETag is the answer to a condition that can't be read: to pass over it would do what the client wanted to prevent.
func errETag(header string) error {
	return fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDETag, header+` must be * or entity tags, as in W/"3"`)
}

// misplaced refuses headers that state conditions which the request does not have: what is passed over is lost, as an update is without its
// If-Match, or a duplicate made.
func misplaced(h http.Header, of string, names ...string) error {
	for _, name := range names {
		if len(h[name]) > 0 {
			return fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDMisplacedCondition, name+" is no condition of "+of)
		}
	}
	return nil
}

// conditions reads the preconditions of a write to a resource that may be there. Its If-None-Exist would be that of a create.
func conditions(h http.Header) (interaction.Conditions, error) {
	var c interaction.Conditions
	if err := misplaced(h, "an update, patch or delete", "If-None-Exist"); err != nil {
		return c, err
	}
	if v := h["If-Match"]; len(v) > 0 {
		tags, all, ok := parseETags(v)
		if !ok {
			return c, errETag("If-Match")
		}
		if c.AnyMatch = all; !all {
			c.IfMatch = versionsOf(tags)
		}
	}
	if v := h["If-None-Match"]; len(v) > 0 {
		tags, all, ok := parseETags(v)
		if !ok {
			return c, errETag("If-None-Match")
		}
		if len(tags) > 0 {
			return c, fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDIfNoneMatch, "a write takes If-None-Match: * only")
		}
		c.NoneMatch = all
	}
	if len(h["If-Unmodified-Since"]) > 0 {
		return c, fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDIfUnmodifiedSince, "use If-Match with a version instead of If-Unmodified-Since")
	}
	return c, nil
}

// notModified reports whether a read may be answered with 304: the client has this version (If-None-Match), or without that header one that
// is not older (If-Modified-Since; a date that can't be read counts as absent, as RFC 9110 demands).
func notModified(h http.Header, etag string, updated time.Time) (bool, error) {
	if v := h["If-None-Match"]; len(v) > 0 {
		if len(v) == 1 && v[0] == etag {
			return true, nil
		}
		tags, all, ok := parseETags(v)
		if !ok {
			return false, errETag("If-None-Match")
		}
		if all {
			return true, nil
		}
		opaque := strings.Trim(strings.TrimPrefix(etag, "W/"), `"`)
		for _, t := range tags {
			if t == opaque {
				return true, nil
			}
		}
		return false, nil
	}
	if v := h["If-Modified-Since"]; len(v) == 1 && !updated.IsZero() {
		if since, err := http.ParseTime(v[0]); err == nil {
			return !updated.Truncate(time.Second).After(since), nil
		}
	}
	return false, nil
}

// readMatch checks If-Match on a read.
func readMatch(h http.Header, version int64) error {
	v := h["If-Match"]
	if len(v) == 0 {
		return nil
	}
	tags, all, ok := parseETags(v)
	if !ok {
		return errETag("If-Match")
	}
	if all {
		return nil
	}
	for _, n := range versionsOf(tags) {
		if n == version {
			return nil
		}
	}
	return fhir.NewError(fhir.KindPrecondition, fhir.IssueConflict, fhir.IDIfMatch, "the version that If-Match names is not the current one")
}
