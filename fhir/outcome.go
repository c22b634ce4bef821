package fhir

import "net/http"

// Status returns the HTTP status that an error of kind k is answered with; the only place where that is decided. Batch responses use it as
// well as fhir/server/rest (R4 http, 3.1.0.1.5 Status codes).
func (k Kind) Status() int {
	switch k {
	case KindInvalid:
		return http.StatusBadRequest
	case KindUnauthorized:
		return http.StatusUnauthorized
	case KindForbidden:
		return http.StatusForbidden
	case KindNotFound:
		return http.StatusNotFound
	case KindNotAllowed:
		return http.StatusMethodNotAllowed
	case KindNotAcceptable:
		return http.StatusNotAcceptable
	case KindConflict:
		return http.StatusConflict
	case KindGone:
		return http.StatusGone
	case KindPrecondition:
		return http.StatusPreconditionFailed
	case KindTooLarge:
		return http.StatusRequestEntityTooLarge
	case KindMediaType:
		return http.StatusUnsupportedMediaType
	case KindUnprocessable:
		return http.StatusUnprocessableEntity
	case KindThrottled:
		return http.StatusTooManyRequests
	case KindNotSupported:
		return http.StatusNotImplemented
	case KindUnavailable:
		return http.StatusServiceUnavailable
	case KindFull:
		return http.StatusInsufficientStorage
	case KindURITooLong:
		return http.StatusRequestURITooLong
	}
	return http.StatusInternalServerError
}

// IssueSystem is the code system of Issue.ID in OperationOutcome.issue.details.
const IssueSystem = "urn:fhirgate:issue"

// AppendOutcome appends an OperationOutcome with the issues; without any it says that all went well (R4 operationoutcome).
func AppendOutcome(dst []byte, issues []Issue) []byte {
	if len(issues) == 0 {
		issues = []Issue{{Severity: SeverityInformation, Code: IssueInformational, ID: IDOK, Text: "All OK"}}
	}
	dst = append(dst, `{"resourceType":"OperationOutcome","issue":[`...)
	for i, is := range issues {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"severity":"`...)
		dst = append(dst, is.Severity...)
		dst = append(dst, `","code":"`...)
		dst = append(dst, is.Code...)
		dst = append(dst, '"')
		if is.ID != "" {
			dst = append(dst, `,"details":{"coding":[{"system":"`+IssueSystem+`","code":`...)
			dst = AppendString(dst, string(is.ID))
			dst = append(dst, `}]}`...)
		}
		if is.Text != "" {
			dst = append(dst, `,"diagnostics":`...)
			dst = AppendString(dst, is.Text)
		}
		if is.Expression != "" {
			dst = append(dst, `,"expression":[`...)
			dst = AppendString(dst, is.Expression)
			dst = append(dst, ']')
		}
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}
