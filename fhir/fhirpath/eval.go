package fhirpath

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// Collection is the ordered result of an evaluation.
type Collection []Item

// Env is what an evaluation may use besides its focus. The zero Env, and a nil one, stand for none of it. An Env is only read but for
// what Spent points to, and may be shared between evaluations that run at the same time if its interfaces can and Spent is nil.
type Env struct {
	// Context is handed to the interfaces, and ends an evaluation when it is done. nil stands for context.Background().
	Context context.Context
	// Resource is %resource, the resource that the focus stands in; the nearest one around the focus where it is the zero Item.
	Resource Item
	// RootResource is %rootResource: for a contained resource the one that contains it, else %resource. It is found as Resource is.
	RootResource Item
	// Variables are the values of the external constants that Compile was told of with WithVariables.
	Variables map[string]Collection
	// Resolver, Terminology and Conformance serve resolve(); memberOf(), subsumes(), subsumedBy(); and conformsTo(). A function whose
	// interface is nil is an error that says so, except where the definitions alone decide.
	Resolver    Resolver
	Terminology Terminology
	Conformance Conformance
	// Now is the moment that now(), today() and timeOfDay() tell; the clock's where it is zero.
	Now time.Time
	// Trace is called for each trace(); nil for none.
	Trace func(name string, items Collection)
	// Spent is where evaluations that share one limit on steps, one after the other, keep what they have taken of it; nil gives each the
	// whole limit. What is there counts before the first step, and an evaluation leaves the sum there however it ends.
	Spent *int
}

// Program is a compiled expression. It is immutable and safe for concurrent use.
type Program struct {
	src    string
	root   expr
	reg    *definition.Registry
	limits Limits
	result static
}

// Source returns the text that was compiled.
func (p *Program) Source() string { return p.src }

// expr is one compiled step. eval pushes the items it yields onto the machine's stack, in order, and leaves what was there before as it was.
type expr interface {
	eval(m *machine) error
}

// frame is what $this, $index, $total and defineVariable() give in the place where an expression is evaluated.
type frame struct {
	this    Item
	hasThis bool
	index   int // -1 outside of functions that go through their input
	total   []Item
	vars    *variable
}

// variable is one that defineVariable() made, and the ones before it.
type variable struct {
	name  string
	items Collection
	next  *variable
}

// machine is the state of one evaluation. Collections live on one stack, so that a path costs no allocation once the stack has grown.
type machine struct {
	prog  *Program
	env   *Env
	focus Item
	stack []Item
	high  int // the greatest length of stack, for clearing
	frame frame
	steps int
	now   time.Time
}

var machines = sync.Pool{New: func() any { return &machine{stack: make([]Item, 0, 32)} }}

var noEnv = &Env{}

// start takes a machine from the pool.
func (p *Program) start(focus Item, env *Env) *machine {
	if env == nil {
		env = noEnv
	}
	m := machines.Get().(*machine)
	m.prog, m.env, m.focus = p, env, focus
	m.frame = frame{this: focus, hasThis: focus.there(), index: -1}
	m.steps = 0
	if env.Spent != nil {
		m.steps = *env.Spent
	}
	m.now = env.Now
	return m
}

// end gives the machine back without anything of the evaluation.
func (m *machine) end() {
	if m.env.Spent != nil {
		*m.env.Spent = m.steps
	}
	if cap(m.stack) > 4096 {
		return
	}
	clear(m.stack[:max(m.high, len(m.stack))])
	m.stack = m.stack[:0]
	m.high = 0
	m.prog, m.env, m.focus, m.frame = nil, nil, Item{}, frame{}
	machines.Put(m)
}

// Eval evaluates the program on focus and returns the items it yields. The zero Item stands for no focus at all. env may be nil. Errors are of *fhir.Error with an issue id that begins
// with fhirpath-, and name the place in the expression.
func (p *Program) Eval(focus Item, env *Env) (Collection, error) {
	m := p.start(focus, env)
	defer m.end()
	if err := p.root.eval(m); err != nil {
		return nil, err
	}
	m.mark()
	if len(m.stack) == 0 {
		return nil, nil
	}
	return append(Collection(nil), m.stack...), nil
}

// EvalResource evaluates the program on a resource, without an Env.
func (p *Program) EvalResource(r fhir.Resource) (Collection, error) {
	return p.Eval(ResourceItem(p.reg, r), nil)
}

// Each evaluates the program on focus and hands its items to yield in order, until yield returns false. It does not allocate for paths,
// filters on them and unions of them. Items stay valid as long as their tree.
func (p *Program) Each(focus Item, env *Env, yield func(Item) bool) error {
	m := p.start(focus, env)
	defer m.end()
	if err := p.root.eval(m); err != nil {
		return err
	}
	m.mark()
	for _, it := range m.stack {
		if !yield(it) {
			break
		}
	}
	return nil
}

// True evaluates the program as a rule. holds is its answer as a Boolean, as N1 evaluates singletons; empty is set where it yields nothing,
// which R4 counts as an invariant that does not apply. Several items are an error.
func (p *Program) True(focus Item, env *Env) (holds, empty bool, err error) {
	m := p.start(focus, env)
	defer m.end()
	if err := p.root.eval(m); err != nil {
		return false, false, err
	}
	b, ok, err := m.boolean(0, 0)
	return b, !ok, err
}

// mark notes how far the stack was used.
func (m *machine) mark() { m.high = max(m.high, len(m.stack)) }

// push adds an item to the stack.
func (m *machine) push(it Item) { m.stack = append(m.stack, it) }

// cut takes everything from base on off the stack.
func (m *machine) cut(base int) {
	m.mark()
	m.stack = m.stack[:base]
}

// answer replaces everything from base on by one item.
func (m *machine) answer(base int, it Item) error {
	m.cut(base)
	m.push(it)
	return nil
}

// answerBool replaces everything from base on by a Boolean, which does not allocate.
func (m *machine) answerBool(base int, b bool) error { return m.answer(base, Item{box: b}) }

// keep moves the items from mid on down to base, dropping what lay between.
func (m *machine) keep(base, mid int) {
	if base == mid {
		return
	}
	m.mark()
	n := copy(m.stack[base:], m.stack[mid:])
	m.stack = m.stack[:base+n]
}

// step counts n units of work against the limit, at the place pos.
func (m *machine) step(n, pos int) error {
	m.steps += n
	if m.steps > m.prog.limits.Steps {
		return m.fail(pos, fhir.IDFHIRPathLimit, fmt.Sprintf("the evaluation took more than %d steps", m.prog.limits.Steps), "a cheaper expression or a smaller resource")
	}
	if m.steps&0xfff < n && m.env.Context != nil && m.env.Context.Err() != nil {
		return &fhir.Error{Kind: fhir.KindUnavailable, Op: "fhirpath", Err: m.env.Context.Err(),
			Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueTimeout, ID: fhir.IDFHIRPathLimit, Text: "FHIRPath: the evaluation was stopped"}}}
	}
	if len(m.stack) > m.prog.limits.Items {
		return m.fail(pos, fhir.IDFHIRPathLimit, fmt.Sprintf("the evaluation holds more than %d items", m.prog.limits.Items), "a cheaper expression or a smaller resource")
	}
	return nil
}

// fail makes an error at a place of the program.
func (m *machine) fail(pos int, id fhir.IssueID, wrong, expected string) error {
	return fail(m.prog.src, pos, id, wrong, expected)
}

// context returns what interfaces are called with.
func (m *machine) context() context.Context {
	if m.env.Context == nil {
		return context.Background()
	}
	return m.env.Context
}

// boolean reads the items from base on as one Boolean, as N1 evaluates singletons: a single item that is no Boolean is true. ok is false
// where there is none.
func (m *machine) boolean(base, pos int) (b, ok bool, err error) {
	switch len(m.stack) - base {
	case 0:
		return false, false, nil
	case 1:
	default:
		return false, false, m.fail(pos, fhir.IDFHIRPathSingleton, "there are several items where a Boolean is needed", "at most one item")
	}
	it := &m.stack[base]
	if b, ok := it.box.(bool); ok {
		return b, true, nil
	}
	if it.box == nil && it.node.Kind() == fhir.Bool {
		return it.node.Text() == "true", true, nil
	}
	return true, true, nil
}

// single reads the items from base on as at most one; ok is false where there is none.
func (m *machine) single(base, pos int) (it Item, ok bool, err error) {
	switch len(m.stack) - base {
	case 0:
		return Item{}, false, nil
	case 1:
		return m.stack[base], true, nil
	}
	return Item{}, false, m.fail(pos, fhir.IDFHIRPathSingleton, "there are several items where one is needed", "at most one item")
}

// value evaluates e and returns the System value of its single item; ok is false where it yields nothing. What lies on the stack stays.
func (m *machine) value(e expr, pos int) (v value, ok bool, err error) {
	base := len(m.stack)
	if err := e.eval(m); err != nil {
		return value{}, false, err
	}
	it, ok, err := m.single(base, pos)
	m.cut(base)
	if err != nil || !ok {
		return value{}, false, err
	}
	v = it.value()
	return v, v.kind != NoKind, nil
}

// test evaluates e as a Boolean for one item; ok is false where it yields nothing.
func (m *machine) test(e expr, it Item, index, pos int) (b, ok bool, err error) {
	base := len(m.stack)
	saved := m.frame
	m.frame.this, m.frame.hasThis, m.frame.index = it, true, index
	err = e.eval(m)
	m.frame = saved
	if err == nil {
		b, ok, err = m.boolean(base, pos)
	}
	m.cut(base)
	return b, ok, err
}

// project evaluates e for one item and leaves what it yields on the stack.
func (m *machine) project(e expr, it Item, index int) error {
	saved := m.frame
	m.frame.this, m.frame.hasThis, m.frame.index = it, true, index
	err := e.eval(m)
	m.frame = saved
	return err
}

// clock returns the moment of the evaluation, the same one throughout.
func (m *machine) clock() time.Time {
	if m.now.IsZero() {
		m.now = time.Now()
	}
	return m.now
}
