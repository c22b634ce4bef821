package interaction

import (
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
)

// Version ids as entity tags, and the conditions that requests state with them (R4 http, 3.1.0.4.2 conditional read and 3.1.0.5 Managing
// Resource Contention; RFC 9110 section 13).

// Stated are the conditions of a request as it states them: headers of HTTP, or members of Bundle.entry.request. Nil is absent.
type Stated struct {
	IfMatch, IfNoneMatch, IfNoneExist, IfUnmodifiedSince []string
	// ModifiedSince and ModifiedBefore are the moments that If-Modified-Since may mean at its precision: from the first on, before the second.
	// Zero where it is absent.
	ModifiedSince, ModifiedBefore time.Time
}

// ReadConditions reads what the request states into q.Conditions. A condition that the interaction does not have is refused: to ignore it would do
// what the client wanted to prevent. So is one that cannot be read. q must have been located.
func (s *Service) ReadConditions(q *Request, stated *Stated) error {
	c := &q.Conditions
	one := func(name, member string, values []string, allowed bool) error {
		switch {
		case len(values) == 0:
			return nil
		case !allowed:
			return whereNone(misplaced(name, q), member)
		}
		return nil
	}
	byID := q.Code == CodeRead || q.Code == CodeVRead
	changes := q.Code == CodeUpdate || q.Code == CodePatch || q.Code == CodeDelete
	matches := changes || byID || q.Code == CodeOperation && q.Operation.IfMatch
	var err error
	check := func(e error) { err = join(err, e) }
	check(one("If-None-Exist", ".request.ifNoneExist", stated.IfNoneExist, q.Code == CodeCreate))
	check(one("If-Match", ".request.ifMatch", stated.IfMatch, matches))
	check(one("If-None-Match", ".request.ifNoneMatch", stated.IfNoneMatch, changes || q.read()))
	if !stated.ModifiedSince.IsZero() && !q.read() {
		check(whereNone(misplaced("If-Modified-Since", q), ".request.ifModifiedSince"))
	}
	if len(stated.IfUnmodifiedSince) > 0 && !q.read() {
		if changes {
			check(fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDIfUnmodifiedSince, "use If-Match with a version instead of If-Unmodified-Since"))
		} else {
			check(misplaced("If-Unmodified-Since", q))
		}
	}
	if err != nil {
		return err
	}
	if len(stated.IfMatch) > 0 && matches {
		tags, any, e := readTags("If-Match", stated.IfMatch)
		check(whereNone(e, ".request.ifMatch"))
		if c.AnyMatch = any; !any {
			c.IfMatch = tags
		}
	}
	if q.Code == CodeDelete && q.Key.ID == "" && (c.AnyMatch || c.IfMatch != nil || len(stated.IfNoneMatch) > 0) {
		check(whereNone(fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDConditionalIfMatch, "a conditional delete takes no If-Match; delete by id instead"), ".request.ifMatch"))
	}
	if len(stated.IfNoneMatch) > 0 && (byID || changes || q.Code == CodeCapabilities) {
		tags, any, e := readTags("If-None-Match", stated.IfNoneMatch)
		switch {
		case q.Code == CodeCapabilities:
			e = nil // its tag is not a version, and is compared by the edge
		case e == nil && changes && !any:
			e = fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDIfNoneMatch, "a write takes If-None-Match: * only")
		}
		check(whereNone(e, ".request.ifNoneMatch"))
		c.NoneMatch, c.IfNoneMatch = any, tags
	}
	if byID && len(stated.IfNoneMatch) == 0 {
		c.ModifiedSince, c.ModifiedBefore = stated.ModifiedSince, stated.ModifiedBefore
	}
	if q.Code == CodeCreate && len(stated.IfNoneExist) > 0 {
		var e error
		if len(stated.IfNoneExist) > 1 {
			e = fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDIfNoneExist, "If-None-Exist appears twice")
		} else {
			c.NoneExist, e = s.readIfNoneExist(stated.IfNoneExist[0], q.Key.Type, q.Base)
		}
		check(whereNone(e, ".request.ifNoneExist"))
	}
	return err
}

// misplaced refuses a condition that the interaction does not have.
func misplaced(name string, q *Request) error {
	text := name + " is not a condition of the interaction " + string(q.Code)
	if q.Code == CodeBundle {
		text = name + " is not a condition of a batch or transaction; its entries have their own"
	}
	return fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDMisplacedCondition, text)
}

// noVersion stands for an entity tag that is not a version id: it equals no version.
const noVersion = -1

// readTags reads a list of entity tags as versions: W/"3", "3", or 3 as clients write it that forget the quotes. any is "*".
func readTags(name string, values []string) (versions []int64, any bool, err error) {
	bad := func() ([]int64, bool, error) {
		return nil, false, fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDETag, name+` must be * or entity tags, as in W/"3"`)
	}
	for _, s := range values {
		s = strings.Trim(s, " \t")
		if s == "*" && len(values) == 1 {
			return nil, true, nil
		}
		for s != "" {
			if s[0] == ',' {
				s = strings.TrimLeft(s[1:], " \t")
				continue
			}
			s = strings.TrimPrefix(s, "W/")
			var tag string
			if s != "" && s[0] == '"' {
				end := strings.IndexByte(s[1:], '"')
				if end < 0 {
					return bad()
				}
				tag, s = s[1:1+end], strings.TrimLeft(s[end+2:], " \t")
			} else {
				end := strings.IndexByte(s, ',')
				if end < 0 {
					end = len(s)
				}
				tag, s = strings.TrimRight(s[:end], " \t"), s[end:]
				if !fhir.ValidID(tag) {
					return bad()
				}
			}
			if s != "" && s[0] != ',' {
				return bad()
			}
			v, ok := parseVersion(tag)
			if !ok {
				v = noVersion
			}
			versions = append(versions, v)
		}
	}
	if len(versions) == 0 {
		return bad()
	}
	return versions, false, nil
}
