package rest

import (
	"strings"
)

// prefer is what a Prefer header asks for (R4 http, 3.1.0.1.8 and 3.1.1.2 handling; RFC 7240).
type prefer struct {
	// result is "minimal", "representation", "OperationOutcome", or "" where the client has no preference.
	result string
	// lenient is handling=lenient, and strict handling=strict.
	lenient, strict bool
}

// parsePrefer reads the Prefer header. What is unknown is ignored, as RFC 7240 demands; of a preference stated twice the first holds.
func parsePrefer(header []string) prefer {
	var p prefer
	handling := ""
	for _, line := range header {
		for line != "" {
			var item string
			item, line = cut(line, ',')
			// A preference may carry parameters behind a semicolon; clients also put several preferences there.
			for item != "" {
				var part string
				part, item = cut(item, ';')
				key, value, _ := strings.Cut(part, "=")
				value = unquote(trim(value))
				switch strings.ToLower(trim(key)) {
				case "return":
					if p.result == "" {
						p.result = returnPreference(value)
					}
				case "handling":
					if handling == "" && (value == "lenient" || value == "strict") {
						handling = value
					}
				}
			}
		}
	}
	p.lenient, p.strict = handling == "lenient", handling == "strict"
	return p
}

// returnPreference returns the value as R4 spells it; "" for one it does not have.
func returnPreference(v string) string {
	for _, known := range [...]string{"minimal", "representation", "OperationOutcome"} {
		if strings.EqualFold(v, known) {
			return known
		}
	}
	return ""
}
