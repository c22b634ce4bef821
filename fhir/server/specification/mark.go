package specification

import (
	"time"

	"github.com/fhirgate/fhirgate/fhir"
)

// marked returns the JSON of a definition as a resource of this server: with the version, the moment, the source and the tag in meta, whose other
// elements stay. The moment is that of the definition where it states one.
func marked(r fhir.Resource) (body []byte, updated time.Time) {
	meta := r.Get("meta")
	updated = released
	if at, err := fhir.ParseInstant(meta.Get("lastUpdated").Text()); err == nil {
		updated, _ = at.Range(time.UTC)
		updated = updated.UTC()
	}
	body = make([]byte, 0, len(r.Raw())+256)
	body = append(body, '{')
	for c := range r.Children() {
		if c.Name() == "meta" {
			continue
		}
		body = c.AppendJSON(fhir.AppendName(body, c.Name()))
		if c.Name() == "id" {
			body = append(body, `,"meta":{"versionId":"1","lastUpdated":"`+fhir.FormatInstant(updated)+`","source":"`+Source+`"`...)
			for m := range meta.Children() {
				switch m.Name() {
				case "versionId", "lastUpdated", "source", "tag":
				default:
					body = m.AppendJSON(fhir.AppendName(body, m.Name()))
				}
			}
			body = append(body, `,"tag":[`...)
			for tag := range meta.Get("tag").Children() {
				body = append(tag.AppendJSON(body), ',')
			}
			body = append(body, `{"system":"`+TagSystem+`","code":"`+TagCode+`"}]}`...)
		}
	}
	return append(body, '}'), updated
}
