package validation

// tolerated is a class of complaints by google/fhir that R4 gives no reason for. Each has a test in tolerated_test.go.
type tolerated struct {
	details string // prefix of the complaint
	reason  string
}

// toleratedComplaints are dropped. What a stand-in can prevent is not here.
var toleratedComplaints = []tolerated{}
