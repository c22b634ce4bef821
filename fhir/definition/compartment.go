package definition

// Compartment is a CompartmentDefinition: for each resource type the codes of the parameters that link it to the compartment. A type that
// is absent is not in the compartment. The code "{def}" stands for the compartment's own resource.
type Compartment struct {
	Code  string // "Patient"
	Links map[string][]string
}

// Compartment returns the compartment of the code Patient, Encounter, RelatedPerson, Practitioner or Device.
func (r *Registry) Compartment(code string) (*Compartment, bool) {
	c, ok := r.compartments[code]
	return c, ok
}
