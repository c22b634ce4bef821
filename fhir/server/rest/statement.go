package rest

import (
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// The content of the CapabilityStatement (R4 capabilitystatement).

// renderCodes writes a member with objects that have a code each.
func renderCodes(w *fhir.JSONWriter, name string, codes []string) {
	w.Name(name)
	w.Open('[')
	for _, c := range codes {
		w.Open('{')
		w.String("code", c)
		w.Close('}')
	}
	w.Close(']')
}

// renderHead begins a resource of a type that says what the server is. It returns the place of implementation.url.
func (h *Handler) renderHead(w *fhir.JSONWriter, typ, title string) (url int) {
	w.Open('{')
	w.String("resourceType", typ)
	w.String("id", "fhirgate")
	w.String("version", h.cfg.Version)
	w.String("name", "Fhirgate")
	w.String("title", title)
	w.String("status", "active")
	w.String("date", h.cfg.Released)
	w.String("kind", "instance")
	w.Name("software")
	w.Open('{')
	w.String("name", "fhirgate")
	w.String("version", h.cfg.Version)
	w.Close('}')
	w.Name("implementation")
	w.Open('{')
	w.String("description", strings.TrimSpace("FHIR R4 server over one store. "+h.validation()))
	w.Name("url")
	url = len(w.Bytes)
	w.Close('}')
	return url
}

// renderTerminology computes the TerminologyCapabilities (R4 terminologycapabilities), in the two parts before and after implementation.url: the code
// systems of R4 that searches know by :in, :not-in, :below and :above.
func (h *Handler) renderTerminology() (before, after []byte) {
	w := &fhir.JSONWriter{Bytes: make([]byte, 0, 1<<18)}
	url := h.renderHead(w, "TerminologyCapabilities", "The terminology of fhirgate")
	w.Bool("lockedDate", false)
	w.Name("codeSystem")
	w.Open('[')
	for _, c := range h.cfg.Registry.CodeSystems() {
		w.Open('{')
		w.String("uri", c.URL)
		if c.Version != "" {
			w.Name("version")
			w.Open('[')
			w.Open('{')
			w.String("code", c.Version)
			w.Bool("isDefault", true)
			w.Close('}')
			w.Close(']')
		}
		w.Bool("subsumption", c.Complete)
		w.Close('}')
	}
	w.Close(']')
	w.Close('}')
	return w.Bytes[:url:url], w.Bytes[url:]
}

// renderCapability computes the CapabilityStatement of resource types, of all where types is nil, in the two parts before and after
// implementation.url.
func (h *Handler) renderCapability(types []string) (before, after []byte) {
	if types == nil {
		types = h.typeNames
	}
	w := &fhir.JSONWriter{Bytes: make([]byte, 0, 1<<13*len(types))}
	url := h.renderHead(w, "CapabilityStatement", "fhirgate, an HL7 FHIR R4 server")
	w.String("fhirVersion", "4.0.1")
	w.Strings("format", h.formats.names())
	w.Strings("patchFormat", slices.Concat(interaction.PatchTypes, h.formats.offers))
	w.Name("rest")
	w.Open('[')
	w.Open('{')
	w.String("mode", "server")
	unknown := "Unknown parameters are refused; with Prefer: handling=lenient they are ignored and reported. "
	if h.cfg.Lenient {
		unknown = "Unknown parameters are ignored and reported; with Prefer: handling=strict they are refused. "
	}
	w.String("documentation", unknown+h.definitionsShown()+notServed())
	w.Name("security")
	w.Open('{')
	w.Bool("cors", len(h.cfg.Origins) > 0)
	w.Close('}')
	includes, referring := h.includes()
	w.Name("resource")
	w.Open('[')
	for _, t := range types {
		h.renderType(w, t, includes[t], referring[t])
	}
	w.Close(']')
	renderCodes(w, "interaction", h.interactions(false))
	renderParameters(w, h.cfg.Search.Of("Resource"), systemParameters...)
	h.renderOperations(w, "", func(o *interaction.Operation) bool { return o.System })
	w.Strings("compartment", h.compartments())
	w.Close('}')
	w.Close(']')
	h.renderExchange(w)
	w.Close('}')
	return w.Bytes[:url:url], w.Bytes[url:]
}

// definitionsShown says what part the definitions of R4 have among the resources.
func (h *Handler) definitionsShown() string {
	return "The definitions of R4 (" + strings.Join(h.cfg.Service.DefinitionTypes(), ", ") + ") can be read, and are found by searches of their type that state a condition; " +
		"they have the meta.tag urn:fhirgate:tag|definition and cannot be changed. The search parameter _definitions=true shows them in any search, _definitions=false leaves them out. "
}

// renderExchange writes what is done with messages and documents.
func (h *Handler) renderExchange(w *fhir.JSONWriter) {
	served := func(name string) bool {
		return slices.ContainsFunc(h.cfg.Operations, func(o interaction.Operation) bool { return o.Name == name })
	}
	if served("process-message") {
		w.Name("messaging")
		w.Open('[')
		w.Open('{')
		w.String("documentation", "Messages are taken by $process-message at the base. What a message carries is stored like a transaction, and a message that comes again is answered as before.")
		w.Close('}')
		w.Close(']')
	}
	if served("document") {
		w.Name("document")
		w.Open('[')
		for _, d := range []struct{ mode, text string }{
			{"producer", "Composition/[id]/$document makes a document of a Composition and what it refers to."},
			{"consumer", "A document that is posted to Bundle is kept whole, and found by what its Composition says."},
		} {
			w.Open('{')
			w.String("mode", d.mode)
			w.String("documentation", d.text)
			w.String("profile", "http://hl7.org/fhir/StructureDefinition/Bundle")
			w.Close('}')
		}
		w.Close(']')
	}
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
func (h *Handler) renderType(w *fhir.JSONWriter, typ string, includes, referring []string) {
	w.Open('{')
	w.String("type", typ)
	w.String("profile", "http://hl7.org/fhir/StructureDefinition/"+typ)
	var refused []string
	params := h.cfg.Search.Of(typ)
	for _, p := range params {
		if why, no := p.Unsupported(); no && !slices.ContainsFunc(search.UnsupportedList(), func(u search.Unsupported) bool { return u.URL == p.URL }) {
			refused = append(refused, p.Code+" ("+why+")")
		}
	}
	if len(refused) > 0 {
		w.String("documentation", "Search parameters that are not served: "+strings.Join(refused, ", ")+".")
	}
	renderCodes(w, "interaction", h.interactions(true))
	w.String("versioning", "versioned-update")
	w.Bool("readHistory", true)
	w.Bool("updateCreate", true)
	w.Bool("conditionalCreate", true)
	w.String("conditionalRead", "full-support")
	w.Bool("conditionalUpdate", true)
	if h.cfg.MultipleDelete {
		w.String("conditionalDelete", "multiple")
	} else {
		w.String("conditionalDelete", "single")
	}
	policy := []string{"literal", "logical", "local"}
	if h.cfg.Integrity {
		policy = append(policy, "enforced")
	}
	w.Strings("referencePolicy", policy)
	w.Strings("searchInclude", includes)
	w.Strings("searchRevInclude", referring)
	renderParameters(w, params)
	h.renderOperations(w, typ, func(o *interaction.Operation) bool { return (o.Type || o.Instance || o.Version) && o.On(typ) })
	w.Close('}')
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
func renderParameters(w *fhir.JSONWriter, params []*search.Parameter, more ...systemParameter) {
	w.Name("searchParam")
	w.Open('[')
	for _, p := range params {
		if _, no := p.Unsupported(); no {
			continue
		}
		w.Open('{')
		w.String("name", p.Code)
		w.String("definition", p.URL)
		w.String("type", p.Type)
		w.String("documentation", parameterText(p))
		w.Close('}')
	}
	for _, p := range more {
		w.Open('{')
		w.String("name", p.name)
		w.String("type", p.typ)
		w.String("documentation", p.text)
		w.Close('}')
	}
	w.Close(']')
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

// renderOperations writes the member operation with those that on accepts; typ is the type they are listed under.
func (h *Handler) renderOperations(w *fhir.JSONWriter, typ string, on func(*interaction.Operation) bool) {
	started := false
	for i := range h.cfg.Operations {
		o := &h.cfg.Operations[i]
		if !on(o) {
			continue
		}
		if !started {
			w.Name("operation")
			w.Open('[')
			started = true
		}
		w.Open('{')
		w.String("name", o.Name)
		w.String("definition", o.DefinitionOn(typ))
		w.String("documentation", o.Documentation)
		w.Close('}')
	}
	if started {
		w.Close(']')
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
