package interaction

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// Route is a line of the table of what is served (R4 http, 3.1.0.1.4 Summary). From it come the routes of HTTP, the URLs of Bundle entries, the
// methods that a 405 names, those that browsers may use, and the interactions in the CapabilityStatement.
type Route struct {
	Method string // GET stands for HEAD as well
	// Path is relative to the base; a part that starts with a colon is a parameter.
	Path string
	Code Code
}

// routes are all but those of operations, which come from their own table.
var routes = []Route{
	{http.MethodGet, "metadata", CodeCapabilities},

	{http.MethodGet, "", CodeSearchSystem},
	{http.MethodPost, "", CodeBundle},
	{http.MethodPost, "_search", CodeSearchSystem},
	{http.MethodGet, "_history", CodeHistorySystem},

	{http.MethodGet, ":type", CodeSearchType},
	{http.MethodPost, ":type", CodeCreate},
	{http.MethodPut, ":type", CodeUpdate},
	{http.MethodPatch, ":type", CodePatch},
	{http.MethodDelete, ":type", CodeDelete},
	{http.MethodPost, ":type/_search", CodeSearchType},
	{http.MethodGet, ":type/_history", CodeHistoryType},

	{http.MethodGet, ":type/:id", CodeRead},
	{http.MethodPut, ":type/:id", CodeUpdate},
	{http.MethodPatch, ":type/:id", CodePatch},
	{http.MethodDelete, ":type/:id", CodeDelete},
	{http.MethodGet, ":type/:id/_history", CodeHistoryInstance},
	{http.MethodGet, ":type/:id/_history/:vid", CodeVRead},
	{http.MethodPost, ":type/:id/_search", CodeSearchCompartment},
	{http.MethodGet, ":type/:id/:inside", CodeSearchCompartment},
	{http.MethodPost, ":type/:id/:inside/_search", CodeSearchCompartment},
}

// routing finds routes.
type routing struct {
	all []Route
	// bySize are the routes and their parts, by the number of parts.
	bySize     [][]parted
	operations map[string]*Operation
	names      []string // of operations, with the dollar sign
}

type parted struct {
	Route
	parts []string
}

// newRouting returns the routing of what a Service serves.
func newRouting(operations []Operation) *routing {
	t := &routing{operations: make(map[string]*Operation, len(operations)), bySize: make([][]parted, 5)}
	for _, r := range routes {
		t.all = append(t.all, r)
		parts := strings.Split(r.Path, "/")
		if r.Path == "" {
			parts = nil
		}
		t.bySize[len(parts)] = append(t.bySize[len(parts)], parted{r, parts})
	}
	for i := range operations {
		o := &operations[i]
		t.operations[o.Name] = o
		t.names = append(t.names, "$"+o.Name)
		for _, level := range o.levels(":type", ":id", ":vid") {
			for _, method := range o.methods() {
				if level.on {
					t.all = append(t.all, Route{method, level.path, CodeOperation})
				}
			}
		}
	}
	return t
}

// Routes returns all that is served.
func (s *Service) Routes() []Route { return s.served.Load().routing.all }

// SplitPath appends the parts of a path below the base to dst, unescaped: a part may hold an escaped slash. An error is one of the escaping.
func SplitPath(dst []string, path string) ([]string, error) {
	path = strings.TrimPrefix(path, "/")
	for path != "" {
		var part string
		part, path, _ = strings.Cut(path, "/")
		if strings.IndexByte(part, '%') >= 0 {
			u, err := url.PathUnescape(part)
			if err != nil {
				return dst, fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDBadEncoding, "an escape in the path is not % and two hexadecimal digits")
			}
			part = u
		}
		dst = append(dst, part)
	}
	return dst, nil
}

// Locate sets what a method and the parts of a path below the base say of q: interaction, key, version, operation. The errors are those of
// the path: KindNotFound for a path, a type or an operation that there is not, KindInvalid for an id that cannot be one, and KindNotAllowed for
// a method that the path does not have; Allowed says which it has.
func (s *Service) Locate(q *Request, method string, path []string) error {
	q.Method = method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	t := s.served.Load().routing
	if n := len(path); n > 0 && strings.HasPrefix(path[n-1], "$") && (n <= 3 || n == 5 && path[2] == "_history") {
		return s.locateOperation(t, q, method, path)
	}
	var found *parted
	matched := false
	if len(path) < len(t.bySize) {
		for i := range t.bySize[len(path)] {
			r := &t.bySize[len(path)][i]
			if !r.matches(path) {
				continue
			}
			matched = true
			if r.Method == method {
				found = r
				break
			}
		}
	}
	if !matched {
		return s.errPath(path)
	}
	if err := s.locateKey(q, path); err != nil {
		return err
	}
	if found == nil {
		return errMethod(s.Allowed(path))
	}
	q.Code = found.Code
	switch found.Code {
	case CodeVRead:
		if q.Version = path[3]; !fhir.ValidID(q.Version) {
			return errInvalidID()
		}
	case CodeSearchCompartment:
		if q.Inside = "*"; !strings.HasPrefix(path[2], "_") {
			q.Inside = path[2]
		}
		return s.checkCompartment(q.Key.Type, q.Inside)
	}
	return nil
}

// matches reports whether the path is of the route's shape. What R4 has a word for is not a parameter.
func (r *parted) matches(path []string) bool {
	for i, part := range r.parts {
		if part[0] == ':' {
			if path[i] == "" || path[i][0] == '_' || path[i][0] == '$' || path[i] == "metadata" && i == 0 {
				return false
			}
		} else if part != path[i] {
			return false
		}
	}
	return true
}

// locateKey sets the key of q from the path's first two parts.
func (s *Service) locateKey(q *Request, path []string) error {
	if slices.Contains(path, "") {
		return s.errPath(path)
	}
	if len(path) == 0 || path[0] == "metadata" || path[0][0] == '_' || path[0][0] == '$' {
		return nil
	}
	q.Key.Type = path[0]
	if err := s.knownType(q.Key.Type); err != nil {
		return err
	}
	if len(path) == 1 || path[1][0] == '_' || path[1][0] == '$' {
		return nil
	}
	if q.Key.ID = path[1]; !fhir.ValidID(q.Key.ID) {
		return errInvalidID()
	}
	return nil
}

// locateOperation is Locate for a path that ends in the name of an operation.
func (s *Service) locateOperation(t *routing, q *Request, method string, path []string) error {
	last := len(path) - 1
	if slices.Contains(path, "") {
		return s.errPath(path)
	}
	if err := s.locateKey(q, path); err != nil {
		return err
	}
	if last == 4 {
		if q.Version = path[3]; !fhir.ValidID(q.Version) {
			return errInvalidID()
		}
	}
	name := path[last][1:]
	o := t.operations[name]
	if o == nil || !o.at(q.Key, q.Version) {
		return t.errOperation(name, o, q.Key)
	}
	if !slices.Contains(o.methods(), method) {
		return errMethod(s.Allowed(path))
	}
	q.Code, q.Operation = CodeOperation, o
	return nil
}

// Allowed returns the methods that a path has; none where there is no such path.
func (s *Service) Allowed(path []string) []string {
	t := s.served.Load().routing
	has := map[string]bool{}
	if n := len(path); n > 0 && strings.HasPrefix(path[n-1], "$") {
		if o := t.operations[path[n-1][1:]]; o != nil {
			for _, m := range o.methods() {
				has[m] = true
			}
		}
	} else if n < len(t.bySize) {
		for i := range t.bySize[n] {
			if r := &t.bySize[n][i]; r.matches(path) {
				has[r.Method] = true
			}
		}
	}
	var out []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if has[m] || m == http.MethodHead && has[http.MethodGet] {
			out = append(out, m)
		}
	}
	return out
}

// checkCompartment refuses what is not a compartment, and a type that has no part in it.
func (s *Service) checkCompartment(typ, inside string) error {
	compartment, ok := s.registry.Compartment(typ)
	if !ok {
		return fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDUnknownCompartment,
			"there is no compartment of this type; the compartments are Device, Encounter, Patient, Practitioner and RelatedPerson")
	}
	if inside == "*" {
		return nil
	}
	if err := s.knownType(inside); err != nil {
		return err
	}
	if _, ok := compartment.Links[inside]; !ok {
		return fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDNotInCompartment, "resources of this type are in no "+typ+" compartment")
	}
	return nil
}

// errPath says what is wrong with a path that no route has.
func (s *Service) errPath(path []string) error {
	text := "the path is none of R4's: [type], [type]/[id], [type]/[id]/_history/[vid] ..."
	if slices.Contains(path, "") {
		text = "the path has two slashes in a row, or an empty part between them"
	}
	return fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDUnknownPath, text)
}

// errMethod refuses a method that a path does not have.
func errMethod(allowed []string) error {
	return whereNone(fhir.NewError(fhir.KindNotAllowed, fhir.IssueNotSupported, fhir.IDMethodNotAllowed, "this path is served with "+strings.Join(allowed, ", ")), ".request.method")
}

// errInvalidID refuses an id that is not of R4's form.
func errInvalidID() error {
	return fhir.NewError(fhir.KindInvalid, fhir.IssueValue, fhir.IDInvalidID, "an id is 1 to 64 letters, digits, dashes and dots")
}

// errOperation refuses the name of an operation in a place that it is not served in.
func (t *routing) errOperation(name string, o *Operation, key fhir.Key) error {
	text := "no operation of this name is served"
	switch {
	case o != nil && key.Type != "" && (o.Type || o.Instance || o.Version) && !o.On(key.Type):
		text = "$" + name + " is not served for " + key.Type + "; it is for " + strings.Join(o.Types, ", ")
	case o != nil:
		var at []string
		for _, level := range o.levels("[type]", "[id]", "[vid]") {
			if level.on {
				at = append(at, level.path)
			}
		}
		text = "$" + name + " is served as " + strings.Join(at, " and ")
	default:
		text += fhir.DidYouMean("$"+name, slices.Values(t.names))
	}
	return fhir.NewError(fhir.KindNotFound, fhir.IssueNotSupported, fhir.IDUnknownOperation, text)
}
