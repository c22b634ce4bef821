package interaction

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// View is how a client wants to see a response: the general parameters (R4 http, 3.1.0.1.11, http://hl7.org/fhir/R4/http.html#general).
type View struct {
	// Format is _format; "" where the client leaves it to the Accept header.
	Format string
	// Pretty is _pretty.
	Pretty bool
	// Summary and Elements are _summary and _elements.
	Summary  string
	Elements []string
}

// general are the parameters that every interaction takes.
var general = map[string]bool{"_format": true, "_pretty": true, "_summary": true, "_elements": true}

// whole reports whether resources are shown as they are.
func (v *View) whole() bool { return v.Summary == "" && len(v.Elements) == 0 }

// ReadQuery reads the parameters of a URL or a form into q, behind those that it has.
func (q *Request) ReadQuery(raw string) error {
	if raw == "" {
		return nil
	}
	pairs, err := search.ReadQuery(raw)
	if err != nil {
		return err
	}
	if err := q.View.read(pairs); err != nil {
		return err
	}
	q.Parameters = append(q.Parameters, pairs...)
	return nil
}

// read takes the general parameters out of those of a URL or of a form.
func (v *View) read(pairs []search.Pair) error {
	var format, pretty bool
	for _, p := range pairs {
		switch p.Name {
		case "_format":
			if format {
				return errRepeated(p.Name)
			}
			v.Format, format = p.Value, true
		case "_pretty":
			if pretty {
				return errRepeated(p.Name)
			}
			pretty = true
			switch p.Value {
			case "true":
				v.Pretty = true
			case "false", "":
			default:
				return errParameter("_pretty", "is true or false")
			}
		case "_summary":
			v.Summary = p.Value
		case "_elements":
			for e := range strings.SplitSeq(p.Value, ",") {
				if e = strings.TrimSpace(e); e != "" {
					v.Elements = append(v.Elements, e)
				}
			}
		}
	}
	return nil
}

// errRepeated refuses a parameter that appears twice and has one meaning at most.
func errRepeated(name string) error {
	return fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDRepeatedParameter, "the parameter "+name+" appears twice; send it once")
}

// errParameter refuses a parameter's value.
func errParameter(name, what string) error {
	return fhir.NewError(fhir.KindInvalid, fhir.IssueValue, fhir.IDInvalidParameter, name+" "+what)
}
