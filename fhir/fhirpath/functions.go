package fhirpath

import "fmt"

// function is one entry of the function table.
type function struct {
	min, max int
	// input and params are the System types that the input's items and each argument may have; none for any. They are checked when an
	// expression is compiled, as far as types are known, and again by run.
	input  []Kind
	params [][]Kind
	// lambdas are the arguments that are evaluated for each item of the input, with $this.
	lambdas []int
	// needsOrder is set for functions whose answer depends on the order of the input.
	needsOrder bool
	// filters is set for functions that yield nothing for an empty input, without evaluating an argument. It needs compile.
	filters bool
	// outside is set for functions that ask a store or a terminology, and so may answer otherwise tomorrow: an index can't hold that.
	outside bool
	// result says what the answer is, from what is known of input and arguments.
	result func(c *compiler, in static, args []static) static
	// compile replaces the general handling of arguments and result, where it is set.
	compile func(c *compiler, a *ast, x *callExpr, in static) (expr, static, error)
	// run replaces the items of the stack from base on, which are the input, by the answer.
	run func(m *machine, x *callExpr, base int) error
}

func (f *function) arity() string {
	switch {
	case f.max == 0:
		return "no argument"
	case f.min == f.max:
		return fmt.Sprintf("%d arguments", f.min)
	}
	return fmt.Sprintf("%d to %d arguments", f.min, f.max)
}

// answers returns a result rule: at most one item of the System types, whatever the input.
func answers(kinds ...Kind) func(*compiler, static, []static) static {
	return func(*compiler, static, []static) static { return system(kinds...) }
}

// same is the result rule of functions that keep some of the input's items.
func same(_ *compiler, in static, _ []static) static { return in }

// sameOne is the result rule of functions that keep one of the input's items.
func sameOne(_ *compiler, in static, _ []static) static { return in.one() }

// joined is the result rule of functions that put the input's items and the argument's together.
func joined(_ *compiler, in static, args []static) static {
	s := in.join(args[0])
	s.many = true
	return s
}

// functions is the function table by name. It is filled by the files that hold the functions.
var functions = map[string]*function{}

// define adds functions to the table.
func define(fs map[string]*function) map[string]*function {
	for name, f := range fs {
		if f.result == nil && f.compile == nil {
			panic("fhirpath: function " + name + " has no result rule")
		}
		functions[name] = f
	}
	return fs
}
