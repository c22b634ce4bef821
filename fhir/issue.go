package fhir

// Severity is a code of http://hl7.org/fhir/issue-severity.
type Severity string

// The severities of R4.
const (
	SeverityFatal       Severity = "fatal"
	SeverityError       Severity = "error"
	SeverityWarning     Severity = "warning"
	SeverityInformation Severity = "information"
)

// IssueType is a code of http://hl7.org/fhir/issue-type.
type IssueType string

// The issue types that fhirgate uses.
const (
	IssueInvalid       IssueType = "invalid"
	IssueStructure     IssueType = "structure"
	IssueRequired      IssueType = "required"
	IssueValue         IssueType = "value"
	IssueInvariant     IssueType = "invariant"
	IssueSecurity      IssueType = "security"
	IssueLogin         IssueType = "login"
	IssueForbidden     IssueType = "forbidden"
	IssueProcessing    IssueType = "processing"
	IssueNotSupported  IssueType = "not-supported"
	IssueDuplicate     IssueType = "duplicate"
	IssueMultiple      IssueType = "multiple-matches"
	IssueNotFound      IssueType = "not-found"
	IssueDeleted       IssueType = "deleted"
	IssueTooLong       IssueType = "too-long"
	IssueCodeInvalid   IssueType = "code-invalid"
	IssueExtension     IssueType = "extension"
	IssueTooCostly     IssueType = "too-costly"
	IssueBusinessRule  IssueType = "business-rule"
	IssueConflict      IssueType = "conflict"
	IssueTransient     IssueType = "transient"
	IssueNoStore       IssueType = "no-store"
	IssueThrottled     IssueType = "throttled"
	IssueException     IssueType = "exception"
	IssueTimeout       IssueType = "timeout"
	IssueIncomplete    IssueType = "incomplete"
	IssueInformational IssueType = "informational"
)

// Issue is one finding about a request or a resource; it becomes one OperationOutcome.issue.
type Issue struct {
	Severity Severity
	Code     IssueType
	// ID is stable over releases and names the rule, lower case with dashes: "json-duplicate-key", "unknown-parameter", "dom-3". Clients
	// may program against it; it is rendered as details.coding.code.
	ID IssueID
	// Text says for a person what is wrong and what was expected. It names elements and the shape of values, never patient data.
	Text string
	// Expression is the FHIRPath of the element, as in "Patient.contact[1].telecom[0].system"; empty where no element is at fault.
	Expression string
}

// HasErrors reports whether any issue is of severity error or fatal.
func HasErrors(issues []Issue) bool {
	for _, i := range issues {
		if i.Severity == SeverityError || i.Severity == SeverityFatal {
			return true
		}
	}
	return false
}
