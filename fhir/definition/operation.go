package definition

// Operation is an OperationDefinition of the base specification.
type Operation struct {
	Code, URL              string
	Resource               []string
	System, Type, Instance bool
}

// Operations returns the operations of the base specification, sorted by URL. The slice must not be changed.
func (r *Registry) Operations() []*Operation { return r.operations }
