package rest

import (
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// The content of the CapabilityStatement (R4 capabilitystatement).

// jsonWriter appends JSON. Members and items are separated by themselves.
type jsonWriter struct {
	b     []byte
	comma bool
}

func (w *jsonWriter) sep() {
	if w.comma {
		w.b = append(w.b, ',')
	}
	w.comma = false
}

// name starts a member.
func (w *jsonWriter) name(n string) {
	w.sep()
	w.b = fhir.AppendString(w.b, n)
	w.b = append(w.b, ':')
}

// open starts an object or array, close ends it.
func (w *jsonWriter) open(c byte) { w.sep(); w.b = append(w.b, c) }
func (w *jsonWriter) close(c byte) {
	w.b = append(w.b, c)
	w.comma = true
}

// str writes a member with a string; nothing for an empty one.
func (w *jsonWriter) str(n, v string) {
	if v != "" {
		w.name(n)
		w.b = fhir.AppendString(w.b, v)
		w.comma = true
	}
}

// boolean writes a member that is true or false.
func (w *jsonWriter) boolean(n string, v bool) {
	w.name(n)
	if v {
		w.b = append(w.b, "true"...)
	} else {
		w.b = append(w.b, "false"...)
	}
	w.comma = true
}

// list writes a member with strings; nothing without any.
func (w *jsonWriter) list(n string, v []string) {
	if len(v) == 0 {
		return
	}
	w.name(n)
	w.open('[')
	for _, s := range v {
		w.sep()
		w.b = fhir.AppendString(w.b, s)
		w.comma = true
	}
	w.close(']')
}

// codes writes a member with objects that have a code each.
func (w *jsonWriter) codes(n string, v []string) {
	w.name(n)
	w.open('[')
	for _, s := range v {
		w.open('{')
		w.str("code", s)
		w.close('}')
	}
	w.close(']')
}

// renderCapability computes the CapabilityStatement, in two parts between which implementation.url stands.
func (h *Handler) renderCapability() (before, after []byte) {
	w := &jsonWriter{b: make([]byte, 0, 1<<20)}
	w.open('{')
	w.str("resourceType", "CapabilityStatement")
	w.str("id", "fhirgate")
	w.str("version", h.cfg.Version)
	w.str("name", "Fhirgate")
	w.str("title", "fhirgate, an HL7 FHIR R4 data gateway")
	w.str("status", "active")
	w.str("date", h.cfg.Released)
	w.str("kind", "instance")
	w.name("software")
	w.open('{')
	w.str("name", "fhirgate")
	w.str("version", h.cfg.Version)
	w.close('}')
	w.name("implementation")
	w.open('{')
	w.str("description", strings.TrimSpace("FHIR R4 server over one store. "+h.validation()))
	w.name("url")
	url := len(w.b)
	w.comma = true
	w.close('}')
	w.str("fhirVersion", "4.0.1")
	w.list("format", h.formats.names())
	w.list("patchFormat", slices.Concat(interaction.PatchTypes, h.formats.offers))
	w.name("rest")
	w.open('[')
	w.open('{')
	w.str("mode", "server")
	w.str("documentation", "Unknown parameters are refused; with Prefer: handling=lenient they are ignored and reported. "+notServed())
	w.name("security")
	w.open('{')
	w.boolean("cors", len(h.cfg.Origins) > 0)
	w.close('}')
	includes, referring := h.includes()
	w.name("resource")
	w.open('[')
	for _, t := range h.typeNames {
		h.renderType(w, t, includes[t], referring[t])
	}
	w.close(']')
	w.codes("interaction", h.interactions(false))
	renderParameters(w, h.cfg.Search.Of("Resource"), systemParameters...)
	h.renderOperations(w, "", func(o *interaction.Operation) bool { return o.System })
	w.list("compartment", h.compartments())
	w.close('}')
	w.close(']')
	w.close('}')
	return w.b[:url:url], w.b[url:]
}

// interactions returns R4's codes of the interactions that are served on types, or else on the system.
func (h *Handler) interactions(ofType bool) []string {
	var out []string
	for _, r := range h.cfg.Service.Routes() {
		codes := []string{string(r.Code)}
		switch r.Code {
		case interaction.CodeCapabilities, interaction.CodeOperation, interaction.CodeSearchCompartment:
			continue // R4 has no code for them here
		case interaction.CodeBundle:
			codes = []string{"transaction", "batch"}
		}
		for _, c := range codes {
			if strings.HasPrefix(r.Path, ":type") == ofType && !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	return out
}

// validation says what a write is checked for.
func (h *Handler) validation() string {
	s := map[string]string{
		"off":  "Writes are checked for being JSON.",
		"base": "Writes are validated against R4's JSON schema and model.",
		"full": "Writes are validated against R4's definitions, profiles and terminology included.",
	}[h.cfg.Validation]
	if h.cfg.Integrity {
		s += " References must exist."
	}
	return s
}

// renderType writes rest.resource of one type.
func (h *Handler) renderType(w *jsonWriter, typ string, includes, referring []string) {
	w.open('{')
	w.str("type", typ)
	w.str("profile", "http://hl7.org/fhir/StructureDefinition/"+typ)
	var refused []string
	params := h.cfg.Search.Of(typ)
	for _, p := range params {
		if why, no := p.Unsupported(); no && !slices.ContainsFunc(search.UnsupportedList(), func(u search.Unsupported) bool { return u.URL == p.URL }) {
			refused = append(refused, p.Code+" ("+why+")")
		}
	}
	if len(refused) > 0 {
		w.str("documentation", "Search parameters that are not served: "+strings.Join(refused, ", ")+".")
	}
	w.codes("interaction", h.interactions(true))
	w.str("versioning", "versioned-update")
	w.boolean("readHistory", true)
	w.boolean("updateCreate", true)
	w.boolean("conditionalCreate", true)
	w.str("conditionalRead", "full-support")
	w.boolean("conditionalUpdate", true)
	if h.cfg.MultipleDelete {
		w.str("conditionalDelete", "multiple")
	} else {
		w.str("conditionalDelete", "single")
	}
	policy := []string{"literal", "logical", "local"}
	if h.cfg.Integrity {
		policy = append(policy, "enforced")
	}
	w.list("referencePolicy", policy)
	w.list("searchInclude", includes)
	w.list("searchRevInclude", referring)
	renderParameters(w, params)
	h.renderOperations(w, typ, func(o *interaction.Operation) bool { return (o.Type || o.Instance) && o.On(typ) })
	w.close('}')
}

// systemParameter is a parameter that R4 describes without defining a SearchParameter.
type systemParameter struct{ name, typ, text string }

// systemParameters are those of them that are served, on all types.
var systemParameters = []systemParameter{
	{"_type", "token", "The resource types that a search of the system is about, separated by commas."},
	{"_list", "special", "The resources that a List refers to, named by its id."},
	{"_filter", "special", "Tests joined by and, or, not and parentheses: name co \"pet\" and birthdate ge 2014."},
	{"_has", "special", "Selects resources by those that refer to them: _has:Observation:patient:code=1234-5."},
}

// renderParameters writes the member searchParam with the parameters that are served.
func renderParameters(w *jsonWriter, params []*search.Parameter, more ...systemParameter) {
	w.name("searchParam")
	w.open('[')
	for _, p := range params {
		if _, no := p.Unsupported(); no {
			continue
		}
		w.open('{')
		w.str("name", p.Code)
		w.str("definition", p.URL)
		w.str("type", p.Type)
		w.str("documentation", parameterText(p))
		w.close('}')
	}
	for _, p := range more {
		w.open('{')
		w.str("name", p.name)
		w.str("type", p.typ)
		w.str("documentation", p.text)
		w.close('}')
	}
	w.close(']')
}

// notServed says which parameters and interactions that R4 has for all types are refused, and why.
func notServed() string {
	var s []string
	for _, u := range search.UnsupportedList() {
		s = append(s, u.Name+" ("+u.Reason+")")
	}
	return "Not served: " + strings.Join(s, "; ") + "."
}

// parameterText says what a client may want to know of a parameter beyond its definition.
func parameterText(p *search.Parameter) string {
	var s []string
	if m := p.Modifiers(); len(m) > 0 {
		s = append(s, "Modifiers: "+strings.Join(m, ", ")+".")
	}
	if p.Custom {
		s = append(s, "Defined by a client.")
	}
	if t := p.Target; len(t) > 0 && p.Type == "reference" && !slices.Contains(t, "Resource") {
		s = append(s, "Refers to "+strings.Join(t, ", ")+".")
	}
	return strings.Join(s, " ")
}

// includes returns for each type what _include and _revinclude can follow.
func (h *Handler) includes() (includes, referring map[string][]string) {
	includes, referring = map[string][]string{}, map[string][]string{}
	for _, t := range h.typeNames {
		includes[t] = []string{"*"}
		for _, p := range h.cfg.Search.Of(t) {
			if _, no := p.Unsupported(); no || p.Type != "reference" {
				continue
			}
			name := t + ":" + p.Code
			includes[t] = append(includes[t], name)
			targets := p.Target
			if p.CanonicalOnly() {
				targets = h.cfg.Search.NamedBy(t, p.Code, "")
			} else if len(targets) == 0 || slices.Contains(targets, "Resource") {
				targets = h.typeNames
			}
			for _, target := range targets {
				referring[target] = append(referring[target], name)
			}
		}
	}
	return includes, referring
}

// renderOperations writes the member operation with those that on accepts; typ is the type they stand under.
func (h *Handler) renderOperations(w *jsonWriter, typ string, on func(*interaction.Operation) bool) {
	started := false
	for i := range h.cfg.Operations {
		o := &h.cfg.Operations[i]
		if !on(o) {
			continue
		}
		if !started {
			w.name("operation")
			w.open('[')
			started = true
		}
		w.open('{')
		w.str("name", o.Name)
		w.str("definition", o.DefinitionOn(typ))
		w.str("documentation", o.Documentation)
		w.close('}')
	}
	if started {
		w.close(']')
	}
}

// compartments returns the canonicals of the compartments.
func (h *Handler) compartments() []string {
	var out []string
	for _, t := range h.typeNames {
		if _, ok := h.cfg.Registry.Compartment(t); ok {
			out = append(out, "http://hl7.org/fhir/CompartmentDefinition/"+strings.ToLower(t))
		}
	}
	return out
}
