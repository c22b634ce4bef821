package validation

import (
	"crypto/sha256"
	"sync"

	"github.com/fhirgate/fhirgate/fhir"
)

// A form is a resource with the stand-ins in place: its elements, their order and number, its codes of bindings and its URIs, without its texts,
// dates, numbers and ids. It is all that the libraries' phases see, so what they say of a form holds for every resource that has it. A form in
// which they found nothing is remembered, and not read again.

// forms are those in which the libraries' phases found nothing. Safe for concurrent use.
type forms struct {
	mu         sync.RWMutex
	young, old map[formKey]struct{}
	buffers    sync.Pool // *[]byte
}

// formKey is the start of a form's SHA-256: nobody can make another form with the same key.
type formKey [20]byte

// maxForms is how many forms each of two generations holds, at some 50 bytes each. The 20,885 resources of 77 synthetic patients have 193.
const maxForms = 1 << 14

// maxFormSize is the length in bytes of the greatest form that is remembered: a large resource is seldom like another.
const maxFormSize = 1 << 18

// key returns the key of a resource's form; false where it is too large.
func (f *forms) key(r fhir.Resource, standIns []fhir.Edit) (formKey, bool) {
	if len(r.Raw()) > maxFormSize {
		return formKey{}, false
	}
	buf, _ := f.buffers.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	*buf = r.AppendEdited((*buf)[:0], standIns)
	sum := sha256.Sum256(*buf)
	f.buffers.Put(buf)
	return formKey(sum[:len(formKey{})]), true
}

// known reports whether the libraries found nothing in the form before.
func (f *forms) known(k formKey) bool {
	f.mu.RLock()
	_, young := f.young[k]
	_, old := f.old[k]
	f.mu.RUnlock()
	if old && !young {
		f.remember(k)
	}
	return young || old
}

// remember notes that the libraries found nothing in the form. The forms that were not met for longest go first.
func (f *forms) remember(k formKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.young == nil || len(f.young) >= maxForms {
		f.young, f.old = make(map[formKey]struct{}), f.young
	}
	f.young[k] = struct{}{}
}
