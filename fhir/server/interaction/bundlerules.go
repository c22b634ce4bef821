package interaction

import "github.com/fhirgate/fhirgate/fhir"

// bundleFaults returns what a Bundle that is stored as a document or a message lacks of one (R4 bundle, invariants bdl-9 to bdl-12): who reads it
// begins at its first resource, and knows a document by its identifier and its time.
func bundleFaults(r fhir.Resource) (issues []fhir.Issue) {
	if !isBundle(r.Node) {
		return nil
	}
	fault := func(text, expression string) {
		issues = append(issues, fhir.Issue{Severity: fhir.SeverityError, Code: fhir.IssueInvariant, ID: fhir.IDBundleRule, Text: text, Expression: expression})
	}
	first := r.Get("entry").First().Get("resource").Get("resourceType").Text()
	switch r.Get("type").Text() {
	case "document":
		if identifier := r.Get("identifier"); identifier.Get("system").Text() == "" || identifier.Get("value").Text() == "" {
			fault("a document has an identifier with a system and a value (bdl-9)", "Bundle.identifier")
		}
		if r.Get("timestamp").Text() == "" {
			fault("a document has a timestamp (bdl-10)", "Bundle.timestamp")
		}
		if first != "Composition" {
			fault("the first entry of a document is its Composition (bdl-11)", "Bundle.entry[0]")
		}
	case "message":
		if first != "MessageHeader" {
			fault("the first entry of a message is its MessageHeader (bdl-12)", "Bundle.entry[0]")
		}
	}
	return issues
}
