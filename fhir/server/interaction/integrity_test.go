package interaction

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb"
)

// crossed is a store whose Updates can be made to cross: the first of two has read and put all, and does not commit before the second has done so
// too, or was refused. An engine that lets one in at a time gets them one after the other.
type crossed struct {
	storage.Store
	armed atomic.Bool
	// whole makes the first wait until the second has been acknowledged, where the engine lets both in.
	whole  bool
	stamp  sync.Once
	inside chan struct{} // closed when the first has read and put all
	second chan struct{} // closed when the second has
}

// Update implements storage.Store.
func (c *crossed) Update(ctx context.Context, f func(storage.Tx) error) error {
	first := c.armed.CompareAndSwap(true, false)
	_, atOnce := c.Store.(*mongodb.Store)
	if !first && !atOnce {
		c.let()
	}
	return c.Store.Update(ctx, func(tx storage.Tx) error {
		err := f(tx)
		switch {
		case first:
			first = false
			close(c.inside)
			<-c.second
		case !c.whole:
			c.let()
		}
		return err
	})
}

// let lets the first go on.
func (c *crossed) let() {
	if c.second != nil {
		c.stamp.Do(func() { close(c.second) })
	}
}

// cross performs two interactions whose Updates cross, and returns their errors.
func (c *crossed) cross(first, second func() error) (one, other error) {
	c.stamp, c.inside, c.second = sync.Once{}, make(chan struct{}), make(chan struct{})
	c.armed.Store(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		one = first()
	}()
	select {
	case <-c.inside:
	case <-done:
	}
	other = second()
	c.let()
	<-done
	c.armed.Store(false)
	c.second = nil
	return one, other
}

func TestDeleteAndReferenceThatCrossDoNotBothWin(t *testing.T) {
	c := &crossed{Store: openStore(t)}
	s, ctx := openOn(t, c, Options{ReferentialIntegrity: true, MultipleDelete: true}), t.Context()
	deletes := map[string]func(id string) error{
		"delete": func(id string) error {
			_, err := s.Delete(ctx, key("Patient/"+id), Conditions{})
			return err
		},
		"conditional delete": func(id string) error {
			_, err := s.DeleteConditional(ctx, "Patient", "_id="+id, Conditions{})
			return err
		},
		"delete in a transaction": func(id string) error {
			_, err := transact(t, s, request("DELETE", "Patient/"+id, "", ""))
			return err
		},
	}
	const refers = `{"resourceType":"Observation","id":"of-%[1]s","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/%[1]s"}}`
	writes := map[string]func(id string) error{
		"update": func(id string) error {
			r := resource(t, refers, id)
			_, err := s.Update(ctx, r.Key(), r, Conditions{})
			return err
		},
		"create": func(id string) error {
			_, err := s.Create(ctx, "Observation", resource(t, refers, id), "")
			return err
		},
		"transaction": func(id string) error {
			_, err := transact(t, s, request("PUT", "Observation/of-"+id, "", fmt.Sprintf(refers, id)))
			return err
		},
	}
	n := 0
	for deleted, remove := range deletes {
		for wrote, write := range writes {
			for _, deleteFirst := range []bool{true, false} {
				n++
				id := fmt.Sprint("p", n)
				put(t, s, `{"resourceType":"Patient","id":"%s"}`, id)
				first, second := func() error { return write(id) }, func() error { return remove(id) }
				if deleteFirst {
					first, second = second, first
				}
				one, other := c.cross(first, second)
				if (one == nil) == (other == nil) {
					t.Errorf("%s and %s, the delete first %v: the errors are %v and %v", deleted, wrote, deleteFirst, one, other)
				}
				_, gone := s.Read(ctx, key("Patient/"+id))
				if found := find(t, s, "Observation?subject=Patient/"+id).names(); (gone == nil) != (len(found) == 1) {
					t.Errorf("%s and %s, the delete first %v: reading the patient gives %v, and %d resources refer to it", deleted, wrote, deleteFirst, gone, len(found))
				}
			}
		}
	}
}

func TestReferencesToOneResourceDoNotConflict(t *testing.T) {
	c := &crossed{Store: openStore(t), whole: true}
	s, ctx := openOn(t, c, Options{ReferentialIntegrity: true}), t.Context()
	put(t, s, `{"resourceType":"Patient","id":"p"}`)
	create := func() error {
		_, err := s.Create(ctx, "Observation", resource(t, `{"resourceType":"Observation","subject":{"reference":"Patient/p"}}`), "")
		return err
	}
	if err := errors.Join(c.cross(create, create)); err != nil {
		t.Error(err)
	}
}
